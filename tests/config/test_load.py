"""Layers of configuration, and what is said when one of them is wrong."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.config.load import Loaded, load_config, load_layers, read_settings, value_at
from hermes_tui.config.paths import Paths
from hermes_tui.config.schema import Config, Mode
from hermes_tui.config.yaml_reader import MAX_NODES
from hermes_tui.core.errors import ConfigError
from hermes_tui.safety.modes import MODES


@pytest.fixture
def paths(home: Path) -> Paths:
    home.mkdir()
    return Paths(home=home, config_file=home / "config.yaml")


def load(paths: Paths, text: str, *, cwd: Path | None = None, **environ: str) -> Loaded:
    paths.config_file.write_text(text, "utf-8")
    return load_layers(paths, environ=environ, cwd=cwd)


def error_of(paths: Paths, text: str, **options: Any) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(paths, text, **options)
    assert caught.value.exit_code == 2
    return caught.value


def test_without_a_file_everything_has_its_default(paths: Paths) -> None:
    assert load_config(paths, environ={}) == Config()


def test_values_and_where_they_come_from(paths: Paths) -> None:
    loaded = load(paths, "model: a/b\nmodels:\n  retries: 7\n", HERMES_MODE="read-only")
    assert loaded.config.model == "a/b"
    assert loaded.config.models.retries == 7
    assert loaded.config.agent.mode == "read-only"
    assert str(loaded.origin(("models", "retries"))) == f"{paths.config_file} line 3"
    assert str(loaded.origin(("agent", "mode"))) == "$HERMES_MODE"
    assert str(loaded.origin(("models", "lane"))) == "default"


def test_named_things_and_free_options(paths: Paths) -> None:
    config = load(
        paths,
        "providers:\n  my.own: {base_url: 'http://h:1/v1', headers: {X-Team: 12}}\n"
        "environments: {box: {backend: ssh, host: h, ports: [1], deep: {a: true}}}\n",
    ).config
    assert config.providers["my.own"].headers == {"X-Team": "12"}
    assert config.environments["box"] == {
        "backend": "ssh", "host": "h", "ports": [1], "deep": {"a": True},
    }  # fmt: skip
    assert value_at(config, ("environments", "box", "host")) == "h"


@pytest.mark.parametrize(
    ("text", "line", "said", "hint"),
    [
        ("modle: x", 1, "unknown key 'modle'", "Did you mean 'model'?"),
        ("models:\n  modle: x", 2, "unknown key 'modle' under 'models'", "Choose one of: lane"),
        ("models:\n  retrys: 1", 2, "key 'retrys' under 'models'", "Did you mean 'retries'?"),
        ("max_steps: 5", 1, "unknown key 'max_steps'", "Did you mean 'agent.max_steps'?"),
        ("a: 1\nproviders:\n  x:\n    url: y", 1, "unknown key 'a'", "lists 1 more"),
        ("models:\n  retries: three", 2, "a whole number from 0 to 20, not 'three'", "Change"),
        ("models:\n  retries: 21", 2, "not '21'", ""),
        ("models:\n  retries: true", 2, "not 'true'", ""),
        ("models:\n  retries: [1]", 2, "'models.retries' must be a whole number from 0 to 20.", ""),
        ("models: fast", 1, "'models' must be a section", "indented"),
        ("model: [a]", 1, "'model' must be text.", ""),
        ("model: false", 1, "'model' must be text, not 'false'", ""),
        ("model: ''", 1, "'model' must be text", ""),
        ("agent:\n  mode: ful-auto", 2, "one of read-only, ask, auto-edit, full-auto", ""),
        ("tools:\n  disabled: x", 2, "'tools.disabled' must be a list", ""),
        ("tui:\n  show_reasoning: maybe", 2, "must be true or false", ""),
        ("terminal:\n  timeout_seconds: 0", 2, "a number of seconds above 0", ""),
        ("providers:\n  x:\n    base_url: host", 3, "begins with http:// or https://", ""),
        ("model: a\nagent: {}\nmodel: b", 3, "'model' is set twice, first on line 1", "Keep"),
        ("providers:\n  x: {}\n  x: {}", 3, "'providers.x' is set twice", ""),
        ("models:\n  <<: {retries: 1}", 2, "'<<' is no name", ""),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_file_line_and_key(
    paths: Paths, text: str, line: int, said: str, hint: str
) -> None:
    error = error_of(paths, text)
    assert error.message.startswith(f"{paths.config_file} line {line}: ")
    assert said in error.message
    assert hint in error.hint


def test_a_key_is_never_repeated_back(paths: Paths) -> None:
    error = error_of(
        paths, "providers:\n  x:\n    api_key: [sk-secret]\n    headers: {A: [sk-secret]}"
    )
    assert "sk-secret" not in str(error)


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("agent: {reasoning: off}", ("agent", "reasoning"), "off"),
        ("tui: {show_reasoning: no}", ("tui", "show_reasoning"), False),
        ("tui: {show_reasoning: ON}", ("tui", "show_reasoning"), True),
        ("models: {retries: 012}", ("models", "retries"), 12),
        ("models: {retries: '4'}", ("models", "retries"), 4),
        ("models: {timeout_seconds: 30}", ("models", "timeout_seconds"), 30.0),
        ("terminal: {pass_env: [no, 1]}", ("terminal", "pass_env"), ["no", "1"]),
        ("tui: {keys: {on: f4}}", ("tui", "keys"), {"on": "f4"}),
        ("terminal: {cwd: 2024-01-02}", ("terminal", "cwd"), "2024-01-02"),
        ("models:\n  retries:\n", ("models", "retries"), 3),
        ("models:\n", ("models", "retries"), 3),
    ],
)  # fmt: skip
def test_words_that_yaml_1_1_would_twist_mean_what_they_say(
    paths: Paths, text: str, key: tuple[str, ...], value: object
) -> None:
    assert value_at(load(paths, text).config, key) == value


def test_all_mistakes_of_a_file_are_found(paths: Paths) -> None:
    paths.config_file.write_text("a: 1\nb: 2\nmodel: ok\nmodels: {retries: x}\n", "utf-8")
    checked = read_settings(paths.config_file, "home")
    assert [problem.origin.line for problem in checked.problems] == [1, 2, 4]
    assert [setting.key for setting in checked.settings] == [("model",)]


def repository(tmp_path: Path, text: str) -> Path:
    """A folder deep inside a repository whose root has this `.hermes.yaml`."""
    root = tmp_path / "repo"
    (root / ".git").mkdir(parents=True)
    (root / ".hermes.yaml").write_text(text, "utf-8")
    (root / "a" / "b").mkdir(parents=True)
    return root / "a" / "b"


def test_each_layer_goes_before_the_one_below(paths: Paths, tmp_path: Path) -> None:
    cwd = repository(tmp_path, "agent: {max_steps: 7, mode: ask}\n")
    assert load(paths, "").config.agent.max_steps == 90
    assert load(paths, "agent: {max_steps: 8}").config.agent.max_steps == 8
    assert load(paths, "agent: {max_steps: 8}", cwd=cwd).config.agent.max_steps == 7
    loaded = load(paths, "model: home/m", cwd=cwd, HERMES_MODEL="variable/m", HERMES_MODE="ask")
    assert loaded.config.model == "variable/m"
    assert loaded.origin(("model",)).layer == "variable"
    assert loaded.origin(("agent", "mode")).layer == "variable"


def test_the_nearest_project_file_counts_and_none_above_the_repository(
    paths: Paths, tmp_path: Path
) -> None:
    cwd = repository(tmp_path, "agent: {max_steps: 7}\n")
    (tmp_path / ".hermes.yaml").write_text("agent: {max_steps: 5}\n", "utf-8")
    assert load(paths, "", cwd=cwd).config.agent.max_steps == 7
    (cwd.parent / ".hermes.yaml").write_text("agent: {max_steps: 6}\n", "utf-8")
    assert load(paths, "", cwd=cwd).config.agent.max_steps == 6
    outside = tmp_path / "outside"
    outside.mkdir()
    assert load(paths, "", cwd=outside).config.agent.max_steps == 90


def test_a_project_can_make_hermes_more_careful(paths: Paths, tmp_path: Path) -> None:
    cwd = repository(
        tmp_path,
        "agent: {mode: read-only, max_steps: 5, reasoning: high}\n"
        "tools: {disabled: [terminal, todo], output_limit_chars: 2000}\n"
        "terminal: {timeout_seconds: 900}\n",
    )
    config = load(paths, "tools: {disabled: [memory, todo]}", cwd=cwd).config
    assert (config.agent.mode, config.agent.max_steps) == ("read-only", 5)
    assert config.tools.disabled == ["memory", "todo", "terminal"]
    assert config.tools.output_limit_chars == 2000
    assert config.terminal.timeout_seconds == 900


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("agent: {mode: full-auto}", "'full-auto' is looser than 'ask'"),
        ("agent: {mode: auto-edit}", "'auto-edit' is looser than 'ask'"),
        ("agent: {max_steps: 91}", "91 is more than 90"),
        ("tools: {output_limit_chars: 20000}", "20,000 is more than 16,000"),
        ("model: openai/gpt-5", "'model': it decides where your words are sent"),
        ("providers: {openai: {base_url: 'http://evil'}}", "'providers.openai.base_url'"),
        ("providers: {openai: {api_key: x}}", "where your words and keys are sent"),
        ("terminal: {pass_env: [AWS_SECRET]}", "where commands run and what they see"),
        ("terminal: {backend: docker}", "where commands run"),
        ("terminal: {cwd: /}", "where commands run"),
        ("environments: {local: {backend: docker}}", "where commands run"),
        ("tui: {keys: {approve: enter}}", "it is yours to choose"),
        ("secrets: {keyring: true}", "it is yours to choose"),
        ("logging: {level: debug}", "it is yours to choose"),
    ],
)  # fmt: skip
def test_a_project_cannot_make_hermes_less_careful(
    paths: Paths, tmp_path: Path, text: str, reason: str
) -> None:
    cwd = repository(tmp_path, f"\n{text}\n")
    error = error_of(paths, "", cwd=cwd)
    assert error.message.startswith(
        f"{tmp_path / 'repo' / '.hermes.yaml'} line 2: a project may not"
    )
    assert reason in error.message


def test_a_stricter_home_binds_the_project(paths: Paths, tmp_path: Path) -> None:
    cwd = repository(tmp_path, "agent: {mode: ask}\n")
    assert "looser than 'read-only'" in str(error_of(paths, "agent: {mode: read-only}", cwd=cwd))
    assert load(paths, "agent: {mode: full-auto}", cwd=cwd).config.agent.mode == "ask"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("full-auto", "a variable may not set 'agent.mode': 'full-auto' is looser than 'ask'."),
        ("sometimes", "it must be one of read-only, ask, auto-edit, full-auto, not 'sometimes'."),
    ],
)
def test_no_variable_loosens_the_mode(paths: Paths, value: str, said: str) -> None:
    assert error_of(paths, "", HERMES_MODE=value).message == f"$HERMES_MODE: {said}"


def test_the_modes_are_those_of_the_safety_layer() -> None:
    assert get_args(Mode) == MODES


def said_by(action: Callable[[], object]) -> str:
    """The message of the error `action` ends with; empty when it goes well."""
    try:
        action()
    except ConfigError as error:
        return error.message
    return ""


@given(st.binary(max_size=300))
def test_no_file_content_is_more_than_a_config_error(tmp_path_factory: Any, content: bytes) -> None:
    folder = tmp_path_factory.getbasetemp()
    file = Paths(home=folder, config_file=folder / "fuzz.yaml")
    file.config_file.write_bytes(content)
    said = said_by(lambda: load_config(file, environ={}))
    assert not said or "fuzz.yaml line " in said


KEYS = st.sampled_from(
    ["model", "models", "retries", "lane", "agent", "mode", "providers", "x", "tools", "disabled"]
)
VALUES = st.sampled_from(["", "x", "3", "true", "[a]", "{a: 1}", "ask", "direct", "null", "- a"])


@given(st.lists(st.tuples(st.integers(0, 2), KEYS, VALUES), max_size=8))
def test_almost_right_files_load_or_say_which_line(
    tmp_path_factory: Any, lines: list[tuple[int, str, str]]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    file = Paths(home=folder, config_file=folder / "almost.yaml")
    text = "\n".join(f"{'  ' * depth}{key}: {value}" for depth, key, value in lines)
    file.config_file.write_text(text, "utf-8")
    said = said_by(lambda: load_config(file, environ={}))
    assert not said or "almost.yaml line " in said


def test_more_values_than_a_file_may_have_are_refused(paths: Paths) -> None:
    error = error_of(paths, "tools:\n  disabled: [" + "x," * (MAX_NODES + 1) + "]")
    assert "more than 20,000 values" in error.message


def test_a_file_nobody_may_read_is_one_sentence(paths: Paths) -> None:
    paths.config_file.mkdir()
    with pytest.raises(ConfigError, match="not a regular file"):
        load_config(paths, environ=os.environ)
