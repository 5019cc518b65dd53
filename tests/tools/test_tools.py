"""Each tool as the model meets it: arguments in, words out."""

import re

import anyio
import pytest

from hermes_tui.core.events import ToolFinished, ToolOutput, ToolStarted
from hermes_tui.core.messages import Checklist, Diff, ToolCall
from hermes_tui.safety.risk import Risk
from tests.tools.conftest import Room

pytestmark = pytest.mark.anyio


async def test_a_command_shows_its_output_as_it_comes_and_its_exit_code(room: Room) -> None:
    result = await room.call("terminal", command="echo one; echo two >&2; exit 3")
    assert result.content == "one\ntwo\n[Exit code 3.]"
    assert result.is_error
    assert "".join(e.chunk for e in room.events if isinstance(e, ToolOutput)) == "one\ntwo\n"
    assert isinstance(room.events[0], ToolStarted)
    assert isinstance(room.events[-1], ToolFinished)


async def test_the_shell_remembers_where_it_is(room: Room) -> None:
    (room.folder / "sub").mkdir()
    moved = await room.call("terminal", command="cd sub && export COLOUR=teal")
    assert moved.content.endswith(f"[Working directory: {room.folder}/sub.]")
    assert (await room.call("terminal", command="echo $COLOUR; pwd")).content == (
        f"teal\n{room.folder}/sub"
    )


async def test_a_command_over_its_time_is_killed_and_says_so(room: Room) -> None:
    result = await room.call("terminal", command="echo before; sleep 60", timeout=1)
    assert result.content.startswith("before\n")
    assert result.content.endswith("[Killed after 1 s, with everything it had started.]")


async def test_long_output_is_shortened_and_can_be_paged(room: Room) -> None:
    result = await room.call("terminal", command="seq 1 5000")
    assert result.content.startswith("1\n2\n")
    assert result.content.rstrip().endswith("5000")
    assert len(result.content) < 4_400
    reference = re.search(r"path=(output:\w+)", result.content)
    assert reference
    page = await room.call("read_file", path=reference[1], offset=2500, limit=2)
    assert page.content.splitlines()[:2] == ["2500", "2501"]


async def test_output_too_large_for_memory_is_kept_whole_on_disk(room: Room) -> None:
    result = await room.call("terminal", command="seq 1 60000")
    references = re.findall(r"path=(output:\w+)", result.content)
    page = await room.call("read_file", path=references[-1], offset=30_000, limit=1)
    assert page.content.splitlines()[0] == "30000"


async def test_background_commands_can_be_followed_fed_and_killed(room: Room) -> None:
    command = "while read line; do echo got $line; done"
    started = await room.call("terminal", command=command, background=True)
    found = re.search(r"as (\S+)\.", started.content)
    assert found
    job = found[1]
    await room.call("process", action="write", id=job, text="hello\n")
    with anyio.fail_after(10):
        while "got hello" not in (await room.call("process", action="poll", id=job)).content:
            await anyio.lowlevel.checkpoint()
    assert "running" in (await room.call("process", action="list")).content
    assert "running" not in (await room.call("process", action="kill", id=job)).content
    missing = await room.call("process", action="poll", id="nope")
    assert missing.is_error
    assert job in missing.content


async def test_files_are_written_read_and_edited_with_a_diff(room: Room) -> None:
    written = await room.call("write_file", path="src/a.py", content="x = 1\ny = 2\n")
    assert written.content == "Created src/a.py (2 lines)."
    edited = await room.call("edit_file", path="src/a.py", old="y = 2", new="y = 3")
    assert isinstance(edited.display, Diff)
    assert "+y = 3" in edited.display.unified
    assert (await room.call("read_file", path="src/a.py")).content == "x = 1\ny = 3\n"
    assert {a.risk for a in room.judged} == {Risk.WRITE, Risk.READ}


async def test_a_page_says_which_lines_it_has(room: Room) -> None:
    (room.folder / "long").write_text("".join(f"line {n}\n" for n in range(1, 31)), "utf-8")
    page = await room.call("read_file", path="long", offset=10, limit=2)
    assert page.content == "line 10\nline 11\n[Lines 10-11 of 30.]"
    past = await room.call("read_file", path="long", offset=99)
    assert past.is_error
    assert "30 lines" in past.content


async def test_bytes_that_are_no_text_survive_an_edit(room: Room) -> None:
    (room.folder / "mixed").write_bytes(b"caf\xe9 = 1\nother = 2\n")
    await room.call("edit_file", path="mixed", old="other = 2", new="other = 3")
    assert (room.folder / "mixed").read_bytes() == b"caf\xe9 = 1\nother = 3\n"


async def test_a_binary_file_is_named_as_such(room: Room) -> None:
    (room.folder / "blob").write_bytes(b"\0\1\2")
    result = await room.call("read_file", path="blob")
    assert result.is_error
    assert "not text" in result.content


async def test_an_absent_file_is_an_error_the_model_can_read(room: Room) -> None:
    result = await room.call("read_file", path="nope.txt")
    assert result.is_error
    assert "nope.txt" in result.content
    assert "Traceback" not in result.content


@pytest.mark.parametrize("finder", ["rg", "grep"])
async def test_search_finds_lines_and_respects_the_glob(room: Room, finder: str) -> None:
    if finder == "grep":  # hide ripgrep from the script's `command -v`
        await room.call("terminal", command='command() { [ "$2" != rg ]; }')
    (room.folder / "a b.py").write_text("needle = 1\n", "utf-8")
    (room.folder / "b.txt").write_text("needle too\n", "utf-8")
    result = await room.call("search_files", pattern=r"needle = \d|needle = [0-9]", glob="*.py")
    assert result.content.endswith("a b.py:1:needle = 1")
    assert "b.txt" not in result.content
    nothing = await room.call("search_files", pattern="absent")
    assert nothing.content == "Nothing matches 'absent' in .."
    broken = await room.call("search_files", pattern="(")
    assert broken.is_error


async def test_a_search_with_too_many_matches_says_how_many(room: Room) -> None:
    (room.folder / "many").write_text("hit\n" * 30, "utf-8")
    result = await room.call("search_files", pattern="hit", limit=5)
    assert result.content.endswith("[5 of 30 matches; narrow the search or raise limit.]")


async def test_files_are_listed_largest_first(room: Room) -> None:
    for name, size in (("small", 1), ("large one", 300), ("middle", 20)):
        (room.folder / name).write_bytes(b"x" * size)
    (room.folder / ".git").mkdir()
    (room.folder / ".git" / "huge").write_bytes(b"x" * 5000)
    result = await room.call("list_files", sort="size", limit=2)
    lines = result.content.splitlines()
    assert [line.split(maxsplit=3)[3] for line in lines[:2]] == ["large one", "middle"]
    assert lines[2] == "[2 of 3 files; narrow the search or raise limit.]"
    missing = await room.call("list_files", path="nowhere")
    assert missing.is_error


async def test_the_plan_is_shown_as_a_checklist(room: Room) -> None:
    result = await room.call("todo", items=[{"text": "look", "state": "done"}, {"text": "leap"}])
    assert result.content == "[x] look\n[ ] leap"
    assert result.display == Checklist((("done", "look"), ("pending", "leap")))


async def test_memory_says_when_it_counts(room: Room) -> None:
    result = await room.call("memory", action="add", target="user", text="Likes tea.")
    assert result.content.startswith("USER.md now holds 10 of 1,375 characters.")
    assert (await room.call("memory", action="add")).content == "`text` is empty. Pass text."


async def test_questions_reach_the_person(room: Room) -> None:
    assert (await room.call("clarify", question="which?")).content == "you asked which?"


async def test_a_search_of_past_sessions_says_what_it_searched(room: Room) -> None:
    result = await room.call("session_search", query="the port")
    assert result.content == "Nothing found.\n[0 of 0 sessions; terms used: port; left out: the]"


async def test_bad_calls_are_answered_not_raised(room: Room) -> None:
    unknown = await room.call("teleport")
    assert "There is no tool 'teleport'" in unknown.content
    assert "terminal" in unknown.content
    wrong = await room.call("read_file", path=["no"])
    assert "Bad arguments for read_file" in wrong.content
    lenient = await room.call("read_file", path="x", offset="1")
    assert lenient.content.startswith("There is no file '")
    assert lenient.content.endswith("/x'. List its folder to see what is there.")

    async def emit(event: object) -> None: ...

    broken = await room.tools.run(ToolCall("c", "read_file", '{"path": '), emit)
    assert broken.is_error
    assert all(r.is_error for r in (unknown, wrong, broken))


async def test_a_refused_call_does_not_run(room: Room) -> None:
    result = await room.call("terminal", command="echo forbidden > made")
    assert result.content == "The test says no."
    assert not (room.folder / "made").exists()


async def test_the_core_tools_leave_room_in_the_prompt(room: Room) -> None:
    schemas = sum(
        len(spec.name) + len(spec.description) + len(str(spec.parameters))
        for spec in room.tools.specs
    )
    assert schemas / 4 < 2_500


async def test_a_command_can_run_elsewhere_and_in_several_places_at_once(room: Room) -> None:
    result = await room.call("terminal", command="basename $PWD; exit 0", env="red, blue")
    assert result.content == "## red\nred\n\n## blue\nblue"
    alone = await room.call("terminal", command="basename $PWD", env="red")
    assert alone.content == "red"
    starts = [event for event in room.events if isinstance(event, ToolStarted)]
    assert [event.environment for event in starts] == ["red, blue", "red"]
    here = await room.call("terminal", command="basename $PWD")
    assert here.content == "work"
