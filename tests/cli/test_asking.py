"""Questions in a real terminal, and what counts as an answer."""

import os
import pty
import select
from collections.abc import Callable, Iterator

import anyio
import pytest

from hermes_tui.cli.asking import TerminalHuman
from hermes_tui.core.events import Approval, ApprovalRequest
from hermes_tui.core.messages import ToolCall

pytestmark = pytest.mark.anyio


class Desk:
    """A person's end of the terminal."""

    def __init__(self, master: int, slave: int) -> None:
        self.master = master
        self.slave = slave
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    async def sees(self, text: str, *, times: int = 1) -> None:
        with anyio.fail_after(10):
            while self.seen.count(text) < times:
                await anyio.wait_readable(self.master)
                self.seen += os.read(self.master, 65_536).decode("utf-8", "replace")


SitDown = Callable[[], Desk]


@pytest.fixture
def sit_down(monkeypatch: pytest.MonkeyPatch) -> Iterator[SitDown]:
    """Makes a terminal of its own that of this process."""
    master, slave = pty.openpty()
    with (
        os.fdopen(os.dup(slave), "r", encoding="utf-8") as typed,
        os.fdopen(os.dup(slave), "w", encoding="utf-8") as shown,
    ):

        def now() -> Desk:  # in the test itself, as pytest has streams of its own before
            monkeypatch.setattr("sys.stdin", typed)
            monkeypatch.setattr("sys.stderr", shown)
            return Desk(master, slave)

        yield now
    os.close(slave)
    os.close(master)


def request(
    action: str = "make", *, reason: str = "It may.", environment: str = "local", scope: str = ""
) -> ApprovalRequest:
    return ApprovalRequest(
        ToolCall("1", "terminal", "{}"), action, reason, environment, "/work", scope
    )


async def answer_to(desk: Desk, asked: ApprovalRequest, typed: str) -> Approval:
    answers: list[Approval] = []

    async def approve() -> None:
        answers.append(await TerminalHuman().approve(asked))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(approve)
            await desk.sees("Allow?")
            desk.type(typed)
    return answers[0]


@pytest.mark.parametrize(
    ("typed", "scope", "verdict"),
    [
        ("y\n", "", "once"), (" YES \n", "", "once"), ("s\n", "make", "session"),
        ("s\n", "", "deny"), ("\n", "make", "deny"), ("yy\n", "", "deny"), ("\x04", "", "deny"),
    ],
)  # fmt: skip
async def test_only_a_clear_yes_is_one(
    sit_down: SitDown, typed: str, scope: str, verdict: str
) -> None:
    desk = sit_down()
    assert (await answer_to(desk, request(scope=scope), typed)).verdict == verdict


async def test_what_was_typed_before_the_question_is_no_answer_to_it(sit_down: SitDown) -> None:
    desk = sit_down()
    desk.type("y\ny\n")
    ready, _, _ = select.select([desk.slave], [], [], 10)
    assert ready
    assert (await answer_to(desk, request(), "n\n")).verdict == "deny"


async def test_a_question_shows_what_it_covers_and_nothing_it_names_reaches_the_terminal(
    sit_down: SitDown,
) -> None:
    desk = sit_down()
    evil = "\x1b[2J\x1b]0;gone\x07"
    asked = request(
        f"rm{evil}", reason=f"It{evil} may.", environment=f"e{evil}\nAllow? yes", scope=f"x{evil}y"
    )
    await answer_to(desk, asked, "n\n")
    assert "\x1b" not in desk.seen
    assert "\x07" not in desk.seen
    assert "s = this session (x[2J]0;goney)" in desk.seen
    assert desk.seen.count("\nAllow?") == 1


async def test_two_questions_at_once_are_asked_one_after_the_other(sit_down: SitDown) -> None:
    desk = sit_down()
    human = TerminalHuman()
    answers: dict[str, str] = {}

    async def approve(name: str) -> None:
        answers[name] = (await human.approve(request(name))).verdict

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(approve, "first")
            tasks.start_soon(approve, "second")
            await desk.sees("Allow?")
            assert "second" not in desk.seen
            desk.type("y\n")
            await desk.sees("Allow?", times=2)
            desk.type("n\n")
    assert answers == {"first": "once", "second": "deny"}


async def test_a_choice_may_be_given_by_its_number(sit_down: SitDown) -> None:
    desk = sit_down()
    answers: list[str] = []

    async def ask() -> None:
        answers.append(await TerminalHuman().ask("Which?", ["tea", "milk"]))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await desk.sees("> ")
            desk.type("2\n")
    assert answers == ["milk"]


@pytest.mark.parametrize(
    ("typed", "answer"),
    [("y\n", "yes"), ("Y\n", "yes"), (" Yes \n", "yes"), ("n\n", "no"), ("No\n", "no"),
     ("\n", "no"), ("\x04", "no")],
)  # fmt: skip
async def test_yes_and_no_need_one_letter(sit_down: SitDown, typed: str, answer: str) -> None:
    desk = sit_down()
    answers: list[str] = []

    async def ask() -> None:
        answers.append(await TerminalHuman().ask("Trust it?", ["no", "yes"]))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await desk.sees("Trust it? [y/N] ")
            desk.type("what?\n")
            await desk.sees("Answer y or n: ")
            desk.type(typed)
    assert answers == [answer]
