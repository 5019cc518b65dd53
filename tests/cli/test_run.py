"""`hermes run`, whole processes against a local OpenAI-compatible server."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec
import pytest

from tests.cli.terminal import ROOT, hermes, on_terminal
from tests.doubles.openai_server import Answer, OpenAIServer, call, error, serve


def keys(server: OpenAIServer) -> dict[str, str]:
    return {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-test-0123456789abcdef"}


async def test_the_answer_is_on_stdout_and_nothing_else() -> None:
    async with serve(Answer("Forty-two.")) as server:
        done = await hermes("run", "-m", "openai/mock", "what is it?", env=keys(server))
    assert (done.code, done.out) == (0, "Forty-two.\n")


async def test_what_is_piped_in_follows_the_prompt() -> None:
    async with serve(Answer("ok")) as server:
        await hermes("run", "-m", "openai/mock", "count", stdin=b"a\nb\n", env=keys(server))
        sent = server.requests[0]["messages"][-1]["content"]
    assert sent == "count\n\na\nb"


async def test_a_first_word_with_a_blank_is_a_prompt() -> None:
    async with serve(Answer("ok")) as server:
        done = await hermes("-m", "openai/mock", "hi there", env=keys(server))
        assert server.requests[0]["messages"][-1]["content"] == "hi there"
    assert done.out == "ok\n"


@pytest.mark.parametrize("words", [(), ("-q",)])
async def test_an_empty_answer_is_said_to_be_one(words: tuple[str, ...]) -> None:
    async with serve(Answer("", usage=None)) as server:
        done = await hermes("run", *words, "-m", "openai/mock", "hi", env=keys(server))
    assert (done.code, done.out) == (0, "")
    assert done.err.count("The model's answer is empty.") == 1


async def test_a_call_is_told_by_its_most_telling_argument(tmp_path: Path) -> None:
    listing = ("list_files", '{"path": "sub", "sort": "size", "limit": 5, "depth": 1}')
    async with serve(call(listing), Answer("ok")) as server:
        done = await hermes("run", "-m", "openai/mock", "hi", cwd=tmp_path, env=keys(server))
    assert "● list_files  sub  local\n" in done.err


async def test_tools_run_and_are_told_on_stderr(tmp_path: Path) -> None:
    work = tmp_path / "w"
    work.mkdir()
    async with serve(
        call(("terminal", '{"command": "echo made > x; echo hello"}')), Answer("Done.")
    ) as server:
        done = await hermes("run", "-y", "-m", "openai/mock", "go", cwd=work, env=keys(server))
        result = server.requests[1]["messages"][-1]["content"]
    assert (done.code, done.out, result) == (0, "Done.\n", "hello")
    assert "● terminal  echo made > x; echo hello" in done.err
    assert (work / "x").read_text() == "made\n"


async def test_without_a_person_a_command_that_may_change_things_is_refused(tmp_path: Path) -> None:
    async with serve(
        call(("terminal", '{"command": "touch made"}')), Answer("I may not.")
    ) as server:
        done = await hermes("run", "-m", "openai/mock", "go", cwd=tmp_path, env=keys(server))
        told = server.requests[1]["messages"][-1]["content"]
    assert "--mode full-auto" in told
    assert done.err.count("Nobody is there to ask.") == 1
    assert "● terminal  touch made  local\n    refused: Nobody is there" in done.err
    assert not (tmp_path / "made").exists()
    assert done.code == 3


async def test_reading_needs_no_permission(tmp_path: Path) -> None:
    (tmp_path / "note").write_text("inside", "utf-8")
    async with serve(call(("terminal", '{"command": "cat note"}')), Answer("ok")) as server:
        await hermes("run", "-m", "openai/mock", "go", cwd=tmp_path, env=keys(server))
        assert server.requests[1]["messages"][-1]["content"] == "inside"


async def test_json_prints_one_event_a_line() -> None:
    async with serve(Answer("ok")) as server:
        done = await hermes("run", "--json", "-m", "openai/mock", "hi", env=keys(server))
    events = [msgspec.json.decode(line) for line in done.out.splitlines()]
    assert events[0]["type"] == "turn_started"
    assert events[-1] == {
        "type": "turn_finished", "stop": "done", "error": None, "hint": "", "exit_code": 0,
    }  # fmt: skip


async def test_a_session_can_be_continued_found_shown_and_deleted(tmp_path: Path) -> None:
    async with serve(Answer("The port is 8080."), Answer("Still 8080.")) as server:
        env = keys(server)
        await hermes("run", "-m", "openai/mock", "which port?", cwd=tmp_path, env=env)
        await hermes("run", "-c", "-m", "openai/mock", "sure?", cwd=tmp_path, env=env)
        first, second = server.requests
    assert [m["content"] for m in second["messages"][1:]] == [
        "which port?", "The port is 8080.", "sure?",
    ]  # fmt: skip
    assert second["messages"][0] == first["messages"][0]
    assert second["tools"] == first["tools"]

    listed = msgspec.json.decode((await hermes("sessions", "list", "--json")).out)
    assert [(s["title"], s["message_count"]) for s in listed] == [("which port?", 4)]
    session = listed[0]["id"]
    assert session in (await hermes("sessions", "search", "port")).out
    assert "The port is 8080." in (await hermes("sessions", "show", session[:5])).out
    exported = (await hermes("sessions", "export", session)).out
    assert len(exported.splitlines()) == 4
    assert (await hermes("sessions", "delete", session)).code == 0
    assert (await hermes("sessions", "show", session)).code == 1
    assert (await hermes("sessions", "restore", session)).code == 0


async def test_an_export_is_exact_in_a_pipe_and_harmless_on_a_terminal(tmp_path: Path) -> None:
    command = {"command": "printf '\\033]0;owned\\007\\302\\2330m safe'"}
    asked = call(("terminal", msgspec.json.encode(command).decode()))
    async with serve(asked, Answer("ok")) as server:
        await hermes("run", "-y", "-m", "openai/mock", "go", cwd=tmp_path, env=keys(server))
    (record,) = msgspec.json.decode((await hermes("sessions", "list", "--json")).out)
    export = ["sessions", "export", record["id"], "--markdown"]
    piped = (await hermes(*export)).out
    shown = (await anyio.to_thread.run_sync(lambda: on_terminal(*export))).out
    assert "\x9b0m safe" in piped
    assert "0m safe" in shown
    assert not {"\x1b", "\x07", "\x9b"} & set(shown)


async def test_a_screen_that_cannot_open_names_the_error_without_keys_or_escapes() -> None:
    key = "sk-test-0123456789abcdef"
    words = ["--model", f"{key}\x1b]0;owned\x07/x"]
    env = {"OPENAI_API_KEY": key}
    done = await anyio.to_thread.run_sync(lambda: on_terminal(*words, env=env))
    told = done.out.rsplit("\x1b[?1049l", 1)[-1]
    assert "There is no model provider" in told
    assert "[OPENAI_API_KEY]" in told
    assert key not in told
    assert "\x1b]0;" not in told
    assert done.code == 2


async def test_usage_is_written_where_asked(tmp_path: Path) -> None:
    async with serve(Answer("ok")) as server:
        target = tmp_path / "usage.json"
        await hermes(
            "run", "-m", "openai/mock", "--usage-file", str(target), "hi", env=keys(server)
        )
    usage = msgspec.json.decode(target.read_bytes())
    assert usage["usage"]["input_tokens"] == 11


async def test_a_recorded_run_can_be_replayed_offline(tmp_path: Path) -> None:
    cassette = str(tmp_path / "c.jsonl")
    async with serve(Answer("recorded words")) as server:
        await hermes("run", "-m", "openai/mock", "--record", cassette, "hi", env=keys(server))
    done = await hermes("run", "-m", f"replay:{cassette}", "hi")
    assert done.out == "recorded words\n"
    assert "sk-test" not in Path(cassette).read_text("utf-8")


@pytest.mark.parametrize(
    ("answer", "code", "says"),
    [
        (error(401, "bad key"), 4, "OPENAI_API_KEY"),
        (error(404, "no such model"), 4, "mock"),
        (error(402, "pay up"), 4, "out of credit: pay up"),
    ],
)
async def test_a_provider_that_refuses_gives_one_sentence_and_code_4(
    answer: Answer, code: int, says: str
) -> None:
    async with serve(default=answer) as server:
        done = await hermes("run", "-m", "openai/mock", "hi", env=keys(server))
    assert done.code == code
    assert done.out == ""
    assert says in done.err
    assert "Traceback" not in done.err
    assert "sk-test" not in done.err
    assert len(done.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["run", ""], 2, "The prompt is empty."),
        (["run", "--cwd", "/no/such", "hi"], 2, "There is no folder '/no/such'."),
        (["run", "--mode", "loose", "hi"], 2, "There is no mode 'loose'."),
        (["run", "--env", "mars", "hi"], 2, "There is no environment 'mars'."),
        (["run", "--model", "opnai/gpt", "hi"], 2, "There is no model provider 'opnai'."),
        (["run", "--model", "openai/gpt-5", "hi"], 4, "OPENAI_API_KEY"),
        (["run", "-m", "rehearsal", "--resume", "zzzz", "hi"], 1, "There is no session 'zzzz'."),
        (["run", "--model", "rehearsal", "-c", "hi"], 1, "no session to continue"),
        (["run", "--model", "replay:/no/such", "hi"], 2, "/no/such"),
        (["sessions", "show", "zzzz"], 1, "There is no session 'zzzz'."),
        (["sesions", "list"], 2, "Did you mean 'sessions'?"),
        (["run", "--no-such-option", "hi"], 2, "--no-such-option"),
        (["run", "--max-steps", "0", "hi"], 2, "--max-steps"),
    ],
)  # fmt: skip
async def test_bad_input_gets_one_sentence_and_its_code(
    words: list[str], code: int, says: str, tmp_path: Path
) -> None:
    done = await hermes(*words, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
    assert done.code == code, done.err
    assert says in done.err
    assert "Traceback" not in done.err
    assert done.out == ""


async def test_stdin_that_is_no_utf8_is_refused() -> None:
    done = await hermes("run", "-m", "rehearsal", "read this", stdin=b"ok \xff\xfe")
    assert (done.code, "not UTF-8 (byte 3)" in done.err) == (2, True)


async def test_where_output_is_not_utf8_the_answer_comes_with_marks_for_what_is_missing() -> None:
    async with serve(Answer("grün 日")) as server:
        env = {**keys(server), "PYTHONIOENCODING": "ascii"}
        done = await hermes("run", "-m", "openai/mock", "hi", env=env)
    assert (done.code, done.out, done.err) == (0, "gr?n ?\n", "")


async def test_a_prompt_that_is_no_utf8_is_refused() -> None:
    done = await hermes("run", "-m", "rehearsal", "read \udcff.txt")
    assert (done.code, "The prompt is not UTF-8." in done.err) == (2, True)


async def test_a_server_that_is_not_there_is_named() -> None:
    env = {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "OPENAI_API_KEY": "sk-test-0123456789"}
    config = Path(os.environ["HERMES_HOME"]) / "config.yaml"
    config.parent.mkdir(parents=True)
    config.write_text("models: {retries: 0}\n", "utf-8")
    done = await hermes("run", "-m", "openai/mock", "hi", env=env)
    assert done.code == 4
    assert "127.0.0.1:9" in done.err
    assert len(done.err.strip().splitlines()) == 1  # no retries, so no notice of any


async def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("", "utf-8")
    done = await hermes("run", "-m", "rehearsal", "hi", env={"HERMES_HOME": str(blocker / "home")})
    assert done.code == 2
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT], ids=str
)
async def test_a_signal_keeps_the_transcript_and_leaves_nothing_running(
    tmp_path: Path, number: signal.Signals
) -> None:
    mark = tmp_path / "pid"
    command = f'{{"command": "echo $$ > {mark}; sleep 300"}}'
    async with serve(call(("terminal", command))) as server:
        process = await anyio.open_process(
            [sys.executable, "-m", "hermes_tui", "run", "-y", "-m", "openai/mock", "sleep well"],
            stdin=subprocess.DEVNULL, cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), **keys(server)},
        )  # fmt: skip
        with anyio.fail_after(30):
            while not (mark.exists() and mark.read_text("utf-8").strip()):
                await anyio.sleep(0.02)
            process.send_signal(number)
            assert await process.wait() == 130
        await process.aclose()
    assert not Path(f"/proc/{mark.read_text('utf-8').strip()}").exists()
    (record,) = msgspec.json.decode((await hermes("sessions", "list", "--json")).out)
    shown = msgspec.json.decode((await hermes("sessions", "show", "--json", record["id"])).out)
    roles = [stored["message"]["role"] for stored in shown["messages"]]
    assert roles == ["user", "assistant", "tool", "assistant"]


async def test_a_hang_up_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    command = f'{{"command": "echo $$ > {mark}; while [ ! -e {tmp_path}/go ]; do :; done"}}'
    async with serve(call(("terminal", command)), Answer("ok")) as server:
        process = await anyio.open_process(
            ["nohup", sys.executable, "-m", "hermes_tui", "run", "-y", "-m", "openai/mock", "go"],
            stdin=subprocess.DEVNULL, cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), **keys(server)},
        )  # fmt: skip
        with anyio.fail_after(30):
            while not (mark.exists() and mark.read_text("utf-8").strip()):
                await anyio.sleep(0.02)
            process.send_signal(signal.SIGHUP)
            (tmp_path / "go").touch()
            assert await process.wait() == 0
        await process.aclose()


async def test_the_rehearsal_model_does_the_tour(tmp_path: Path) -> None:
    work = tmp_path / "w"
    work.mkdir()
    for size in range(1, 8):
        (work / f"f{size}").write_bytes(b"x" * size * 100)
    done = await hermes(
        "run", "--mode", "auto-edit", "-m", "rehearsal",
        "list the five largest files here, then write their names to top.txt", cwd=work,
    )  # fmt: skip
    assert done.code == 0
    assert "rehearsal model" in done.err
    assert (work / "top.txt").read_text("utf-8").split() == ["f7", "f6", "f5", "f4", "f3"]


async def test_keys_never_reach_commands(tmp_path: Path) -> None:
    async with serve(call(("terminal", '{"command": "env"}')), Answer("ok")) as server:
        await hermes("run", "-y", "-m", "openai/mock", "go", cwd=tmp_path, env=keys(server))
        printed = server.requests[1]["messages"][-1]["content"]
    assert "PATH=" in printed
    assert "sk-test" not in printed
