"""What may run without asking, what has to be asked, and what an answer covers."""

from collections.abc import Sequence

import pytest

from hermes_tui.agent.approvals import Approvals
from hermes_tui.config.schema import Mode
from hermes_tui.core.environment import Spot
from hermes_tui.core.errors import RefusedError
from hermes_tui.core.events import Approval, ApprovalPending, ApprovalRequest, Event
from hermes_tui.core.messages import ToolCall
from hermes_tui.safety.risk import Assessment, Risk

CALL = ToolCall("1", "terminal", "{}")
HERE = Spot("local", "/work")
MAKE = Assessment(Risk.EXECUTE, "It runs a program.", "make")


class Person:
    """Gives prepared answers and notes what was asked."""

    def __init__(self, *answers: Approval) -> None:
        self.answers = list(answers)
        self.asked: list[ApprovalRequest] = []

    async def approve(self, request: ApprovalRequest) -> Approval:
        self.asked.append(request)
        return self.answers.pop(0)

    async def tell(self, text: str) -> None:
        raise NotImplementedError

    async def secret(self, question: str) -> str:
        raise NotImplementedError

    async def ask(self, question: str, choices: Sequence[str] = ()) -> str:
        raise NotImplementedError


class Desk:
    """Approvals in one mode, with what a front end would see of them."""

    def __init__(self, mode: Mode, *answers: Approval) -> None:
        self.mode: Mode = mode
        self.person = Person(*answers)
        self.events: list[Event] = []
        self._approvals = Approvals(self.person, mode=lambda: self.mode)

    async def call(self, assessment: Assessment, spot: Spot = HERE) -> None:
        await self._approvals(CALL, "make all", assessment, spot, self._emit)

    async def _emit(self, event: Event) -> None:
        self.events.append(event)


async def test_what_the_mode_allows_runs_without_a_word() -> None:
    desk = Desk("full-auto")
    await desk.call(MAKE)
    assert desk.person.asked == []
    assert desk.events == []


async def test_a_question_names_the_action_and_the_place() -> None:
    desk = Desk("ask", Approval("once"))
    await desk.call(MAKE, Spot("prod", "/srv"))
    (asked,) = desk.person.asked
    assert (asked.action, asked.environment, asked.cwd) == ("make all", "prod", "/srv")
    assert isinstance(desk.events[0], ApprovalPending)


async def test_once_means_once() -> None:
    desk = Desk("ask", Approval("once"), Approval("once"))
    await desk.call(MAKE)
    await desk.call(MAKE)
    assert len(desk.person.asked) == 2


@pytest.mark.parametrize(
    ("assessment", "spot"),
    [
        (Assessment(Risk.EXECUTE, "It runs a program.", "rm"), HERE),
        (MAKE, Spot("prod", "/work")),
        (MAKE, Spot("local", "/elsewhere")),
    ],
)
async def test_a_session_grant_covers_its_scope_place_and_directory_only(
    assessment: Assessment, spot: Spot
) -> None:
    desk = Desk("ask", Approval("session"), Approval("deny"))
    await desk.call(MAKE)
    await desk.call(MAKE)
    assert len(desk.person.asked) == 1
    with pytest.raises(RefusedError):
        await desk.call(assessment, spot)


async def test_a_grant_without_a_scope_is_not_remembered() -> None:
    desk = Desk("ask", Approval("session"), Approval("session"))
    vague = Assessment(Risk.EXECUTE, "It runs a program.", "")
    await desk.call(vague)
    await desk.call(vague)
    assert len(desk.person.asked) == 2


async def test_a_refusal_tells_the_model_the_persons_reason() -> None:
    desk = Desk("ask", Approval("deny", "use ninja"))
    with pytest.raises(RefusedError, match="use ninja"):
        await desk.call(MAKE)


async def test_a_stricter_mode_counts_from_the_next_call_on_whatever_was_granted() -> None:
    desk = Desk("ask", Approval("session"))
    await desk.call(MAKE)
    desk.mode = "read-only"
    with pytest.raises(RefusedError, match="runs a program"):
        await desk.call(MAKE)


async def test_no_mode_and_no_person_allows_what_is_forbidden() -> None:
    desk = Desk("full-auto")
    with pytest.raises(RefusedError, match="No mode allows this"):
        await desk.call(Assessment(Risk.FORBIDDEN, "It wipes the disk.", "rm"))
    assert desk.person.asked == []
