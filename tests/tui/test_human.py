import anyio
import pytest

from hermes_tui.core.errors import RefusedError
from hermes_tui.core.events import Approval, ApprovalRequest
from hermes_tui.core.messages import ToolCall
from hermes_tui.tui.human import PendingApproval, PendingQuestion, TuiHuman

REQUEST = ApprovalRequest(
    ToolCall("1", "terminal", "{}"), "rm -rf build", "It deletes.", "local", "/srv", ""
)


async def test_nobody_answering_in_time_is_a_refusal() -> None:
    human = TuiHuman(answer_seconds=0.01)
    with anyio.fail_after(5):
        approval = await human.approve(REQUEST)
    assert approval == Approval("deny", "Nobody answered in time.")
    assert human.pending == []


async def test_closing_the_screen_refuses_what_waits_and_what_comes_later() -> None:
    human = TuiHuman()
    verdicts: list[str] = []

    async def ask() -> None:
        verdicts.append((await human.approve(REQUEST)).verdict)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            tasks.start_soon(ask)
            while len(human.pending) < 2:
                await anyio.lowlevel.checkpoint()
            human.close()
        await ask()
    assert verdicts == ["deny", "deny", "deny"]


async def test_the_first_answer_counts() -> None:
    pending = PendingApproval(REQUEST)
    pending.refuse("no")
    pending.resolve(Approval("session"))
    assert pending.answer == Approval("deny", "no")


async def test_a_cancelled_request_leaves_the_list() -> None:
    human = TuiHuman()
    changes: list[int] = []
    human.changed = lambda: changes.append(len(human.pending))
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(human.approve, REQUEST)
            while not human.pending:
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
    assert changes == [1, 0]


async def test_an_unanswered_question_is_refused() -> None:
    human = TuiHuman(answer_seconds=0.01)
    with anyio.fail_after(5), pytest.raises(RefusedError):
        await human.ask("Which one?", ["a", "b"])


async def test_a_question_gets_the_persons_words() -> None:
    human = TuiHuman()
    answers: list[str] = []

    async def ask() -> None:
        answers.append(await human.ask("Which one?", ["a", "b"]))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            while not human.pending:
                await anyio.lowlevel.checkpoint()
            pending = human.pending[0]
            assert isinstance(pending, PendingQuestion)
            assert pending.choices == ("a", "b")
            pending.resolve("the second")
    assert answers == ["the second"]
