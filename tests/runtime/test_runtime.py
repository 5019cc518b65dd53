"""The composition root, with real parts throughout."""

import contextlib
import os
import sys
from pathlib import Path

import anyio
import pytest

from hermes_tui.agent.approvals import Nobody
from hermes_tui.agent.session import Session
from hermes_tui.core.errors import (
    ConfigError,
    EnvironmentUnavailableError,
    HermesError,
    NotFoundError,
)
from hermes_tui.core.events import Event, TurnFinished
from hermes_tui.core.messages import Message, Text, ToolCall, user
from hermes_tui.runtime.claims import Claims
from hermes_tui.runtime.runtime import Overrides, Runtime, open_runtime

ROOT = Path(__file__).parents[2]


def opened(
    folder: Path, *, model: str = "rehearsal"
) -> contextlib.AbstractAsyncContextManager[Runtime]:
    return open_runtime(
        human=Nobody(),
        source="test",
        overrides=Overrides(cwd=folder, model=model, mode="full-auto"),
    )


async def play(session: Session, prompt: str) -> list[Event]:
    with anyio.fail_after(20):
        async with session.turn(prompt) as turn:
            return [event async for event in turn]


async def test_a_resumed_session_goes_on_with_the_same_prefix_and_history(tmp_path: Path) -> None:
    async with opened(tmp_path) as runtime:
        session = await runtime.new_session()
        await play(session, "run `echo one`")
    async with opened(tmp_path) as runtime:
        again = await runtime.resume(session.id[:4])
        assert again.prefix == session.prefix
        assert again.history == session.history
        assert again.usage == session.usage


async def test_what_is_remembered_counts_from_the_next_session_on(tmp_path: Path) -> None:
    async with opened(tmp_path) as runtime:
        session = await runtime.new_session()
        await play(session, "remember that I prefer tabs")
        assert "prefer tabs" not in session.prefix.system
        fresh = await runtime.new_session()
        assert "prefer tabs" in fresh.prefix.system


async def test_prompt_and_tools_of_the_core_set_stay_below_4000_tokens(tmp_path: Path) -> None:
    async with opened(tmp_path) as runtime:
        session = await runtime.new_session()
        tools = sum(len(s.name + s.description + str(s.parameters)) for s in session.prefix.tools)
        assert (len(session.prefix.system) + tools) / 4 <= 4_000


async def crashed(runtime: Runtime) -> str:
    """A session as `kill -9` leaves it: a call made, nothing answered."""
    session = await runtime.new_session()
    journal = runtime.store.journal(session.id)
    await journal.append(user("go"))
    call = ToolCall("c1", "terminal", '{"command": "true"}')
    await journal.append(Message("assistant", (Text("On it."), call)))
    return session.id


async def test_calls_a_crash_left_open_are_answered_once_and_for_all(tmp_path: Path) -> None:
    async with opened(tmp_path) as runtime:
        session = await runtime.resume(await crashed(runtime))
        assert [m.role for m in session.history] == ["user", "assistant", "tool", "assistant"]
        assert session.history[2].tool_results[0].is_error
        again = await runtime.resume(session.id)
        assert again.history == session.history
        events = await play(again, "hello")
        assert events[-1] == TurnFinished("done", exit_code=0)


async def test_a_session_is_named_after_its_first_prompt(tmp_path: Path) -> None:
    async with opened(tmp_path) as runtime:
        session = await runtime.new_session()
        await play(session, "run `true`\nand nothing more")
        (record,) = await runtime.sessions()
        assert record.title == "run `true`"


async def test_a_session_in_which_nothing_was_said_is_not_listed(tmp_path: Path) -> None:
    async with opened(tmp_path) as runtime:
        await runtime.new_session()
        assert await runtime.sessions() == []
        assert await runtime.latest_session() is None


async def test_switching_the_model_keeps_the_conversation(tmp_path: Path) -> None:
    async with opened(tmp_path) as runtime:
        session = await runtime.new_session()
        await play(session, "run `echo one`")
        said = list(session.history)
        with pytest.raises(ConfigError):
            await runtime.switch_model(session, "nowhere/model")
        await runtime.switch_model(session, "rehearsal")
        assert session.history == said
        await play(session, "run `echo two`")
        assert len(session.history) > len(said)


async def test_an_unknown_session_is_named(tmp_path: Path) -> None:
    async with opened(tmp_path) as runtime:
        with pytest.raises(NotFoundError, match="zzzz"):
            await runtime.resume("zzzz")


async def test_a_foreign_home_is_left_alone_and_told_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HERMES_HOME")
    theirs = Path(os.environ["HOME"]) / ".hermes"
    theirs.mkdir()
    (theirs / "state.db").write_bytes(b"theirs")
    before = sorted(theirs.rglob("*"))
    async with opened(tmp_path) as runtime:
        told = [notice.text for notice in runtime.notices]
        assert any("belongs to hermes-agent" in text for text in told)
    async with opened(tmp_path) as runtime:
        assert not any("belongs to hermes-agent" in notice.text for notice in runtime.notices)
        assert runtime.paths.home.name == ".hermes-tui"
    assert sorted(theirs.rglob("*")) == before


async def test_a_session_that_another_process_has_open_is_not_resumed(tmp_path: Path) -> None:
    async with opened(tmp_path) as runtime:
        session = await runtime.new_session()
        await play(session, "run `echo one`")
        words = ["-m", "hermes_tui", "run", "--model", "rehearsal", "--resume", session.id, "hello"]
        done = await anyio.run_process([sys.executable, *words], check=False, cwd=ROOT)
        assert done.returncode == 1
        assert b"is open in another Hermes" in done.stderr
        assert len(await runtime.store.messages.of_session(session.id)) == len(session.history)


async def test_a_session_that_was_left_may_be_opened_by_another_process(tmp_path: Path) -> None:
    async with opened(tmp_path) as runtime:
        session = await runtime.new_session()
        await play(session, "run `echo one`")
        await runtime.new_session()
        words = ["-m", "hermes_tui", "run", "--model", "rehearsal", "--resume", session.id, "hello"]
        done = await anyio.run_process([sys.executable, *words], check=False, cwd=ROOT)
        assert done.returncode == 0, done.stderr


def test_a_lock_that_cannot_be_had_is_not_taken_for_another_hermes(tmp_path: Path) -> None:
    claims = Claims(tmp_path / "lock")
    claims.close()
    with pytest.raises(HermesError, match="cannot be locked: Bad file descriptor"):
        claims.claim("abcdefgh")


async def test_a_session_resumed_elsewhere_is_told_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    async with opened(tmp_path / "one") as runtime:
        session = await runtime.new_session()
        await play(session, "run `echo one`")
    async with opened(tmp_path / "two") as runtime:
        again = await runtime.resume(session.id)
        assert f"Working directory: {tmp_path / 'two'}" in again.prefix.system
        assert (await runtime.latest_session()) is not None


async def test_a_resumed_session_runs_its_commands_where_it_did(tmp_path: Path) -> None:
    config = Path(os.environ["HERMES_HOME"], "config.yaml")
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text("environments: {second: {backend: local}}\n", encoding="utf-8")
    elsewhere = Overrides(model="rehearsal", cwd=tmp_path, environment="second")
    async with open_runtime(human=Nobody(), source="test", overrides=elsewhere) as runtime:
        session = await runtime.new_session()
        await play(session, "run `echo one`")
    async with opened(tmp_path) as runtime:
        await runtime.resume(session.id)
        assert runtime.environment.name == "second"
    here = Overrides(model="rehearsal", cwd=tmp_path, environment="local")
    async with open_runtime(human=Nobody(), source="test", overrides=here) as runtime:
        await runtime.resume(session.id)
        assert runtime.environment.name == "local"


async def test_a_session_whose_place_is_gone_is_not_moved_to_this_machine(tmp_path: Path) -> None:
    config = Path(os.environ["HERMES_HOME"], "config.yaml")
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text("environments: {second: {backend: local}}\n", encoding="utf-8")
    elsewhere = Overrides(model="rehearsal", cwd=tmp_path, environment="second")
    async with open_runtime(human=Nobody(), source="test", overrides=elsewhere) as runtime:
        session = await runtime.new_session()
        await play(session, "run `echo one`")
    config.write_text("", encoding="utf-8")
    async with opened(tmp_path) as runtime:
        with pytest.raises(EnvironmentUnavailableError, match="ran its commands in 'second'") as no:
            await runtime.resume(session.id)
        assert "--env" in no.value.hint
