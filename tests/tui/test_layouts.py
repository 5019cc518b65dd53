"""What a person sees, frozen: clock, spinners and widths do not move."""

from pathlib import Path

import anyio
import pytest
from syrupy.assertion import SnapshotAssertion

from hermes_tui.core.messages import assistant, user
from hermes_tui.models.scripted import calls, says
from hermes_tui.tui.dialogs.sheet import Sheet
from tests.tui.stage import Act, StageEntry, StageRuntime, on_stage

SIZES = [(80, 24), (120, 40), (200, 60)]


def with_session(runtime: StageRuntime) -> None:
    history = [user("Rename load() to load_config()."), assistant("Renamed, all tests pass.")]
    runtime.stored.append(StageEntry("s7", "refactor loader", history))


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_a_resumed_session(
    home: Path, size: tuple[int, int], snapshot: SnapshotAssertion
) -> None:
    async with on_stage(home, prepare=with_session, resume="s7", size=size) as stage:
        await stage.sees("Renamed, all tests pass.")
        assert await stage.settled() == snapshot


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_a_running_tool(
    home: Path, size: tuple[int, int], snapshot: SnapshotAssertion
) -> None:
    acts = {"terminal": Act(prints="tests/test_a.py ....\n", gate=anyio.Event())}
    lines = (calls(("terminal", '{"command": "pytest -q"}')),)
    async with on_stage(home, *lines, acts=acts, size=size) as stage:
        await stage.say("run the tests")
        await stage.sees("tests/test_a.py ....")
        await stage.sees("running terminal")
        # A timer draws how long it runs, sooner or later.
        assert (await stage.settled()).replace("0 s  ⣾", "     ⣾") == snapshot


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_a_request_for_approval(
    home: Path,
    size: tuple[int, int],
    snapshot: SnapshotAssertion,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Sheet, "GRACE_SECONDS", 0.02)
    acts = {"terminal": Act(asks="rm -rf build", scope="rm build*")}
    lines = (calls(("terminal", '{"command": "rm -rf build"}')), says("Done."))
    async with on_stage(home, *lines, acts=acts, size=size) as stage:
        await stage.say("clean up")
        await stage.sees("deny and say why")
        assert await stage.settled() == snapshot


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_the_palette(home: Path, size: tuple[int, int], snapshot: SnapshotAssertion) -> None:
    async with on_stage(home, size=size) as stage:
        await stage.pilot.press("ctrl+p")
        await stage.sees("Session: resume or search")
        assert await stage.settled() == snapshot
