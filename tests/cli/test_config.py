"""`hermes config`, as it is used."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.cli.conftest import Here
from tests.cli.terminal import ROOT

FILE = "# mine\nmodel: a/b\nproviders:\n  w:\n    api_key: sk-0123456789\n    headers: {X: $TEAM}\n"


@pytest.fixture
def file(home: Path) -> Path:
    home.mkdir(mode=0o700)
    return home / "config.yaml"


def test_a_value_set_is_got_and_shown_with_its_origin(here: Here, file: Path) -> None:
    file.write_text("# mine\n", "utf-8")
    done = here("config", "set", "models.retries", "7")
    assert (done.code, done.out) == (0, "")
    assert done.err == f"models.retries is set in {file}.\n"
    assert here("config", "get", "models.retries").out == "7\n"
    assert f"models.retries: 7  # {file} line 3\n" in here("config", "show", "--origin").out
    assert file.read_text("utf-8").startswith("# mine\n")


def test_what_is_shown_can_be_put_into_the_file(here: Here, file: Path) -> None:
    file.write_text(here("config", "show").out, "utf-8")
    assert here("config", "check").out == f"{file} is fine.\n"


def test_show_speaks_json(here: Here) -> None:
    assert msgspec.json.decode(here("config", "show", "--json").out)["agent"]["mode"] == "ask"
    rows = msgspec.json.decode(here("config", "show", "--origin", "--json").out)
    assert {"key": "agent.mode", "value": "ask", "origin": "default"} in rows


def test_keys_in_the_file_are_hidden_and_references_are_not(here: Here, file: Path) -> None:
    file.write_text(FILE, "utf-8")
    for words in (
        ["show"], ["show", "--json"], ["show", "--origin"], ["show", "--origin", "--json"],
        ["get", "providers"], ["get", "providers.w.api_key"], ["get", "providers", "--json"],
    ):  # fmt: skip
        out = here("config", *words).out
        assert "sk-0123456789" not in out
        assert "[hidden]" in out
    assert here("config", "get", "providers.w.headers.X").out == "$TEAM\n"


SECRETS = """\
providers: {w: {api_key: sk-literal$dollar, headers: {Authorization: Bearer $TOKEN-1}}}
terminal:
  daytona: {api_key: dtn-literal, image: debian}
  docker: {env: {GITHUB_TOKEN: ghp-literal, COLOUR: green}}
environments:
  m: {backend: modal, token_id: $MODAL_ID, token_secret: as-literal, registry: {password: 12345}}
  key: {backend: local}
"""


@pytest.mark.parametrize(
    "words",
    [
        ["config", "show"], ["config", "show", "--json"], ["config", "show", "--origin"],
        ["config", "get", "terminal"], ["config", "get", "environments", "--json"],
        ["config", "get", "terminal.docker"], ["config", "get", "providers"],
        ["env", "show", "m"], ["env", "show", "m", "--json"], ["env", "show", "daytona"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_no_secret_of_the_file_is_printed_wherever_it_stands(
    here: Here, file: Path, words: list[str]
) -> None:
    file.write_text(SECRETS, "utf-8")
    done = here(*words)
    assert done.code == 0, done.err
    assert "[hidden]" in done.out
    for secret in ("literal", "Bearer", "12345"):
        assert secret not in done.out


def test_what_only_stands_beside_secrets_is_shown(here: Here, file: Path) -> None:
    file.write_text(SECRETS, "utf-8")
    out = here("config", "show").out
    for shown in ("token_id: $MODAL_ID", "COLOUR: green", "image: debian", "backend: local"):
        assert shown in out


@pytest.mark.parametrize(
    ("key", "out"),
    [
        ("model", "a/b\n"),
        ("tools.disabled", "[]\n"),
        ("tui.show_reasoning", "false\n"),
        ("models", "lane: auto\ntimeout_seconds: 120.0\nretries: 3\n"),
    ],
)
def test_get_prints_the_plain_value(here: Here, file: Path, key: str, out: str) -> None:
    file.write_text(FILE, "utf-8")
    assert here("config", "get", key).out == out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["get", "terminal.cwd"], 1, "'terminal.cwd' is not set."),
        (["get", "providers.none.base_url"], 1, "'providers.none.base_url' is not set."),
        (["get", "modle"], 2, "There is no setting 'modle'. Did you mean 'model'?"),
        (["set", "agent.mode", "fast"], 2, "'agent.mode' must be one of read-only"),
        (["unset", "model"], 1, "'model' is not set in"),
    ],
)
def test_what_is_not_there_is_one_sentence(
    here: Here, words: list[str], code: int, said: str
) -> None:
    done = here("config", *words)
    assert (done.code, done.out) == (code, "")
    assert said in done.err


def test_unset_brings_back_the_default(here: Here, file: Path) -> None:
    file.write_text(FILE, "utf-8")
    assert here("config", "unset", "model").code == 0
    assert here("config", "get", "model").code == 1


def test_check_lists_everything_in_the_order_of_lines(here: Here, file: Path) -> None:
    file.write_text("agent:\n  mode: ful\nmodle: x\nmodels: {retries: -1}\n", "utf-8")
    done = here("config", "check")
    assert done.code == 2
    lines = done.err.splitlines()
    assert [line.partition(" line ")[2][0] for line in lines] == ["2", "3", "4"]
    assert lines[1] == f"hermes: {file} line 3: unknown key 'modle'. Did you mean 'model'?"


def test_check_knows_which_environments_there_are(here: Here, file: Path) -> None:
    file.write_text(
        "terminal: {backend: dokcer}\nenvironments: {box: {backend: nothing}}\n", "utf-8"
    )
    done = here("config", "check")
    assert done.code == 2
    assert "line 1: 'terminal.backend' names 'dokcer', which is not installed." in done.err
    assert "line 2: 'environments.box.backend' names 'nothing'" in done.err


def test_check_knows_the_commands_and_themes_of_the_screen(here: Here, file: Path) -> None:
    text = "tui:\n  theme: hermes-drak\n  keys: {interrupt: f8, turn.interrupt: f8}\n"
    file.write_text(text, "utf-8")
    done = here("config", "check")
    assert done.code == 2
    assert done.err.splitlines() == [
        f"hermes: {file} line 2: 'tui.theme' names no theme of the screen. "
        "Did you mean 'hermes-dark'?",
        f"hermes: {file} line 3: 'tui.keys.interrupt' names no command of the screen. "
        "Did you mean 'turn.interrupt'?",
    ]
    file.write_text("tui: {theme: nord, keys: {prompt.send: ctrl+s, question.skip: f9}}\n", "utf-8")
    assert here("config", "check").code == 0


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("environments.foo.backend", "nope", "'environments.foo.backend' names 'nope'"),
        ("terminal.backend", "nope", "'terminal.backend' names 'nope', which is not installed."),
        ("terminal.backend", "prod2", "daytona, docker, local, modal, prod, singularity, ssh."),
        ("terminal.cwd", "/nowhere", "'terminal.cwd' names '/nowhere', and there is no such"),
        ("model", "foo/bar", "'model': There is no model provider 'foo'."),
        ("memory.model", "opnai/x", "Did you mean 'openai'?"),
        ("tui.theme", "zzz", "'tui.theme' names no theme of the screen. Choose one of: "),
        ("tui.keys.nothing", "f8", "'tui.keys.nothing' names no command of the screen."),
    ],
)
def test_a_value_that_names_nothing_is_refused_and_not_written(
    here: Here, file: Path, key: str, value: str, said: str
) -> None:
    file.write_text("environments: {prod: {backend: ssh, host: box}}\n", "utf-8")
    before = file.read_bytes()
    done = here("config", "set", key, value)
    assert (done.code, done.out, file.read_bytes()) == (2, "", before)
    assert said in done.err


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model", "mine/x"), ("model", "openai/gpt-5.4"), ("model", "rehearsal"),
        ("model", "claude-opus-4-7"), ("model", "groq/x"), ("compression.model", "ollama/qwen3:8b"),
        ("terminal.backend", "prod"), ("terminal.backend", "ssh:me@box"), ("tui.theme", "nord"),
        ("environments.new.backend", "docker"), ("terminal.cwd", "/"),
    ],
)  # fmt: skip
def test_a_value_that_names_what_is_known_is_written(
    here: Here, file: Path, key: str, value: str
) -> None:
    file.write_text(
        "environments: {prod: {backend: ssh, host: box}}\n"
        "providers: {mine: {base_url: 'http://h/v1'}}\nagent: {mode: wrong}\n",
        "utf-8",
    )
    assert "'agent.mode' must be one of" in here("config", "set", key, value).err
    assert here("config", "set", "agent.mode", "ask").code == 0
    done = here("config", "set", key, value)
    assert (done.code, here("config", "get", key).out) == (0, f"{value}\n"), done.err
    assert here("config", "check").code == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\nterminal:\n  backend: nope\n", "line 3: 'terminal.backend' names 'nope', which is"),
        ("\nmodel: foo/bar\n", "line 2: 'model': There is no model provider 'foo'."),
        ("terminal: {cwd: /nope}\n", "line 1: 'terminal.cwd' names '/nope', and there is no such"),
    ],
)
def test_a_wrong_name_in_the_file_is_told_with_file_line_and_key(
    here: Here, file: Path, text: str, said: str
) -> None:
    file.write_text(text, "utf-8")
    for words in (["run", "hi"], ["config", "check"]):
        done = here(*words)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith(f"hermes: {file} {said}")


def test_what_the_command_line_gives_goes_before_what_the_file_names(
    here: Here, file: Path, tmp_path: Path
) -> None:
    file.write_text("model: foo/bar\nterminal: {backend: nope, cwd: /nope}\n", "utf-8")
    given = ["--model", "rehearsal", "--env", "local", "--cwd", str(tmp_path)]
    done = here("run", "-y", *given, "run `pwd`")
    assert done.code == 0, done.err
    assert str(tmp_path) in done.out


def test_check_reads_the_projects_file_too(
    here: Here, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.touch()
    monkeypatch.chdir(tmp_path)
    project = tmp_path / ".hermes.yaml"
    project.write_text("agent: {mode: full-auto}\nterminal: {backend: x}\n", "utf-8")
    done = here("config", "check")
    assert done.code == 2
    assert f"{project} line 1: a project may not set 'agent.mode'" in done.err
    assert f"{project} line 2: a project may not set 'terminal.backend'" in done.err
    project.write_text("agent: {mode: read-only}\n", "utf-8")
    assert here("config", "check").out == f"{file} is fine.\n{project} is fine.\n"


def test_setting_what_something_else_decides_says_so(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERMES_MODEL", "c/d")
    assert "$HERMES_MODEL goes before it." in here("config", "set", "model", "openai/x").err


def test_a_key_on_the_command_line_is_advised_against(here: Here) -> None:
    assert "safer in .env" in here("config", "set", "providers.w.api_key", "sk-1").err
    assert "safer" not in here("config", "set", "providers.w.api_key", "$W_KEY").err


def test_path_is_where_the_file_is_or_would_be(here: Here, home: Path) -> None:
    assert here("config", "path").out == f"{home / 'config.yaml'}\n"
    assert not home.exists()
    assert "is not there yet" in here("config", "check").out


def editor(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `script` the person's editor; $1 is the file."""
    program = folder / "my editor"
    program.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("EDITOR", f"'{program}' --wait")
    monkeypatch.delenv("VISUAL", raising=False)


def test_edit_opens_the_editor_and_checks_afterwards(
    here: Here, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor(tmp_path, 'echo "modle: x" >> "$2"', monkeypatch)
    done = here("config", "edit")
    assert done.code == 2
    assert "unknown key 'modle'" in done.err
    assert (home / "config.yaml").read_text("utf-8").startswith("# Hermes's settings.")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("/nowhere/ed", "cannot be started"),
        ("'open", "cannot be started"),
        ("false", "ended with 1"),
    ],
)
def test_an_editor_that_does_not_work_is_named(
    here: Here, monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", value)
    done = here("config", "edit")
    assert done.code == 2
    assert said in done.err


def test_a_home_that_cannot_be_made_is_one_sentence(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HERMES_HOME", str(tmp_path / "file" / "home"))
    done = here("config", "set", "model", "openai/x")
    assert done.code == 2
    assert "cannot use its home" in done.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_home_is_one_sentence(here: Here, home: Path) -> None:
    home.mkdir(mode=0o500)
    done = here("config", "set", "model", "openai/x")
    assert done.code == 2
    assert "cannot use its home" in done.err


GONE = "hermes: The current folder is gone. Change to another one.\n"


@pytest.mark.parametrize(
    ("words", "code", "out", "err"),
    [
        (["config", "get", "agent.mode"], 0, "ask\n", ""),
        (["env", "show"], 0, "name: local\nbackend: local\n", ""),
        (["env", "list"], 2, "", GONE),
        (["env", "use", "local"], 2, "", GONE),
    ],
)  # fmt: skip
def test_a_deleted_working_folder_matters_only_where_commands_would_start_in_it(
    tmp_path: Path, words: list[str], code: int, out: str, err: str
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    probe = f"import os; os.rmdir({str(gone)!r}); from hermes_tui.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", probe, *words],
        cwd=gone, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (code, out, err)


def test_a_local_server_needs_to_run_and_no_key(here: Here, home: Path) -> None:
    lines = here("model", "--all").out.splitlines()
    (line,) = [line for line in lines if "ollama/qwen3:8b" in line]
    assert line.endswith("everyday; needs to run here")
    assert any(line.endswith("; needs OPENAI_API_KEY") for line in lines)
