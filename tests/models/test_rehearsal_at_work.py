"""The rehearsal model with the real tools, in a real folder."""

from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest

from hermes_tui.agent.approvals import Nobody
from hermes_tui.core.events import (
    Approval,
    ApprovalRequest,
    Event,
    MessageAdded,
    ToolFinished,
    TurnFinished,
)
from hermes_tui.runtime.runtime import Overrides, open_runtime


class Agreeable(Nobody):
    """Says yes to everything."""

    async def approve(self, request: ApprovalRequest) -> Approval:
        del request
        return Approval("once")

    async def ask(self, question: str, choices: Sequence[str] = ()) -> str:
        del question, choices
        return "blue"


async def ask_rehearsal(folder: Path, *prompts: str) -> list[Event]:
    """What happens when a person says these things, one after the other."""
    events: list[Event] = []
    overrides = Overrides(model="rehearsal", cwd=folder, mode="full-auto")
    with anyio.fail_after(30):
        async with open_runtime(human=Agreeable(), source="test", overrides=overrides) as runtime:
            session = await runtime.new_session()
            for prompt in prompts:
                async with session.turn(prompt) as turn:
                    events += [event async for event in turn]
    return events


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "work"
    (path / "src").mkdir(parents=True)
    for number in range(1, 8):
        (path / f"f{number}.txt").write_text("x" * number * 10, encoding="utf-8")
    (path / "src" / "a.py").write_text("# TODO one\nvalue = 'foo'\n", encoding="utf-8")
    return path


def failed(events: list[Event]) -> list[str]:
    return [
        one.result.content
        for one in events
        if isinstance(one, ToolFinished) and one.result.is_error
    ]


async def test_the_five_largest_files_end_up_in_a_file(folder: Path) -> None:
    events = await ask_rehearsal(
        folder, "list the five largest files here, then write their names to top.txt"
    )
    names = (folder / "top.txt").read_text(encoding="utf-8").split()
    assert names == ["f7.txt", "f6.txt", "f5.txt", "f4.txt", "f3.txt"]
    assert isinstance(events[-1], TurnFinished)
    assert events[-1].stop == "done"
    assert len([one for one in events if isinstance(one, ToolFinished)]) == 2


async def test_each_kind_of_request_works_with_the_real_tools(folder: Path) -> None:
    events = await ask_rehearsal(
        folder,
        "write hello to notes.txt",
        "replace hello with goodbye in notes.txt, then read notes.txt",
        "search for TODO in src, then save the result to hits.txt",
        "run `cat notes.txt` and summarise what it printed",
        "remember that I prefer tabs",
        "what did we say about tabs?",
        "make a plan: look, change it",
        "ask me which colour to take",
        "run `sleep 0` in the background, then list background commands",
        "find files named *.py",
    )
    assert failed(events) == []
    assert (folder / "notes.txt").read_text(encoding="utf-8") == "goodbye\n"
    assert "TODO one" in (folder / "hits.txt").read_text(encoding="utf-8")
    assert len([one for one in events if isinstance(one, ToolFinished)]) == 13


async def test_a_long_output_is_not_counted_as_if_it_were_whole(tmp_path: Path) -> None:
    events = await ask_rehearsal(tmp_path, "run `seq 1 200000`")
    answers = [one.message.text for one in events if isinstance(one, MessageAdded)]
    answer = answers[-1]
    assert "more than can be shown here" in answer
    assert "lines;" not in answer
