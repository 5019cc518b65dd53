"""Recording model calls and playing them back."""

from pathlib import Path

import pytest

from hermes_tui.core.errors import ConfigError, ModelError
from hermes_tui.core.events import Notice
from hermes_tui.core.messages import ToolResult, tool_results
from hermes_tui.models.direct import DirectModel
from hermes_tui.models.replay import BLANK, RecordingModel, ReplayModel
from hermes_tui.models.scripted import ScriptedModel, calls, says
from hermes_tui.models.target import Secret, Target
from tests.doubles.openai_server import Answer, serve
from tests.models.asking import TERMINAL, ask, items_of, notices_in, reply_of, text_in

KEY = "sk-tape-0123456789abcdef"


async def test_a_recording_plays_back_item_for_item(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    inner = ScriptedModel(calls(("terminal", '{"command": "ls"}')), says("Two files."))
    recording = RecordingModel(inner, path)
    second = ask("go", tool_results([ToolResult("call_1", "a b")]), tools=(TERMINAL,))
    recorded = [await items_of(recording, ask("go")), await items_of(recording, second)]
    replay = ReplayModel(path)
    played = [await items_of(replay, ask("go")), await items_of(replay, second)]
    assert played == recorded
    assert path.stat().st_mode & 0o077 == 0


async def test_a_recording_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    for text in ("first", "second"):
        await reply_of(RecordingModel(ScriptedModel(says(text)), path), ask(text))
    replay = ReplayModel(path)
    texts = [(await reply_of(replay, ask(one))).message.text for one in ("first", "second")]
    assert texts == ["first", "second"]


async def test_going_on_with_a_recording_is_said_once_and_not_recorded(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    assert (
        notices_in(await items_of(RecordingModel(ScriptedModel(says("a")), path), ask("x"))) == []
    )
    recording = RecordingModel(ScriptedModel(says("b"), says("c")), path)
    (said,) = notices_in(await items_of(recording, ask("y")))
    assert said == f"{path} holds 1 model call already; new ones are added to them."
    assert notices_in(await items_of(recording, ask("z"))) == []
    assert b"already" not in path.read_bytes()


async def test_a_file_that_is_no_recording_is_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text("# Mine\n", "utf-8")
    with pytest.raises(ConfigError, match="is no recorded model call"):
        await reply_of(RecordingModel(ScriptedModel(says("a")), path), ask("x"))
    assert path.read_text("utf-8") == "# Mine\n"


async def test_another_prompt_than_the_recorded_one_is_noticed_once(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    recording = RecordingModel(ScriptedModel(says("a"), says("b")), path)
    await reply_of(recording, ask("x"))
    await reply_of(recording, ask("y"))
    replay = ReplayModel(path)
    first, second = await items_of(replay, ask("other")), await items_of(replay, ask("other"))
    assert first[0] == Notice("This request differs from the recorded one.", "warning")
    assert notices_in(second) == []


async def test_the_system_prompt_of_another_day_is_no_difference(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    await reply_of(RecordingModel(ScriptedModel(says("a")), path), ask("x", system="Monday"))
    items = await items_of(ReplayModel(path), ask("x", system="Tuesday"))
    assert notices_in(items) == []


async def test_a_recording_at_its_end_says_so(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    await reply_of(RecordingModel(ScriptedModel(says("a")), path), ask("x"))
    replay = ReplayModel(path)
    await reply_of(replay, ask("x"))
    with pytest.raises(ModelError, match="at its end after 1 model call") as caught:
        await reply_of(replay, ask("x"))
    assert caught.value.hint


@pytest.mark.parametrize("text", ["", "hello\n", '{"type":"call"}\n', '{"a": 1}', b"\xff\n"])
async def test_a_file_that_is_no_recording_is_named(tmp_path: Path, text: str | bytes) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError, match=r"bad\.jsonl") as caught:
        await reply_of(ReplayModel(path), ask("x"))
    assert caught.value.hint


async def test_a_recording_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        await reply_of(ReplayModel(tmp_path / "none"), ask("x"))


async def test_a_recording_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    recording = RecordingModel(ScriptedModel(says("a")), tmp_path / "file" / "one.jsonl")
    with pytest.raises(ConfigError, match="cannot be written"):
        await reply_of(recording, ask("x"))


@pytest.mark.parametrize("piece_chars", [3, 100])
async def test_no_key_reaches_a_recording(tmp_path: Path, piece_chars: int) -> None:
    path = tmp_path / "one.jsonl"
    async with serve(Answer(f'The key is "{KEY}".', piece_chars=piece_chars)) as server:
        inner = DirectModel(Target("b/m", "b", "b", "m", server.url, api_key=Secret(KEY)))
        recording = RecordingModel(inner, path, secrets=[KEY])
        reply = await reply_of(recording, ask("x"))
        await recording.aclose()
    assert KEY in reply.message.text
    assert server.headers[0]["authorization"].endswith(KEY)
    text = path.read_text(encoding="utf-8")
    assert KEY not in text
    assert BLANK in text
    played = await items_of(ReplayModel(path), ask("x"))
    assert text_in(played) == f'The key is "{BLANK}".'


async def test_a_failed_call_is_not_recorded(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    with pytest.raises(ModelError):
        await reply_of(RecordingModel(ScriptedModel(), path), ask("x"))
    assert not path.exists()
