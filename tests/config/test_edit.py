"""Changing one setting and nothing else."""

from pathlib import Path

import pytest

from hermes_tui.config.edit import parsed_value, set_value, unset_value
from hermes_tui.config.keys import split_key
from hermes_tui.config.load import load_config, value_at
from hermes_tui.config.paths import Paths
from hermes_tui.core.errors import ConfigError, NotFoundError

FILE = """\
# My settings.
model: "a/b"   # the good one

models:
    retries: 3 # enough
    lane: auto
tools:
    disabled:
    - todo # never used
    - 'memory'
providers: {x: {base_url: 'http://h/v1'}}
"""


@pytest.fixture
def paths(home: Path) -> Paths:
    home.mkdir()
    return Paths(home=home, config_file=home / "config.yaml")


def put(paths: Paths, key: str, text: str) -> None:
    place = split_key(key)
    set_value(paths, place, parsed_value(place, text))


def test_only_the_line_of_the_setting_changes(paths: Paths) -> None:
    paths.config_file.write_text(FILE, "utf-8")
    paths.config_file.chmod(0o640)
    put(paths, "models.retries", "5")
    assert paths.config_file.read_text("utf-8") == FILE.replace("retries: 3", "retries: 5")
    assert paths.config_file.stat().st_mode & 0o777 == 0o640


def test_new_settings_are_added_where_they_belong(paths: Paths) -> None:
    paths.config_file.write_text(FILE, "utf-8")
    put(paths, "models.timeout_seconds", "9.5")
    put(paths, "agent.mode", "read-only")
    text = paths.config_file.read_text("utf-8")
    assert "    lane: auto\n    timeout_seconds: 9.5\n" in text
    assert text.endswith("agent:\n    mode: read-only\n")
    assert "# My settings." in text
    assert "- todo # never used" in text


@pytest.mark.parametrize(
    "text", ["# only words", "# only\n\n# words\n", "---\n", "---\n# x\n", "{}\n"]
)
def test_a_file_without_settings_keeps_its_comments(paths: Paths, text: str) -> None:
    paths.config_file.write_text(text, "utf-8")
    put(paths, "model", "a/b")
    written = paths.config_file.read_text("utf-8")
    assert load_config(paths, environ={}).model == "a/b"
    assert written.count("#") == text.count("#")


def test_windows_line_ends_stay(paths: Paths) -> None:
    paths.config_file.write_bytes(b"# x\r\nmodel: a/b\r\n")
    put(paths, "model", "c/d")
    assert paths.config_file.read_bytes() == b"# x\r\nmodel: c/d\r\n"


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("model", "012", "012"), ("model", "off", "off"), ("model", "a: b # c", "a: b # c"),
        ("models.retries", "0", 0), ("tui.show_reasoning", "off", False),
        ("agent.reasoning", "off", "off"), ("tools.disabled", "a, b,", ["a", "b"]),
        ("tools.disabled", "[a, 'b, c']", ["a", "b, c"]), ("tools.disabled", "", []),
        ("environments.e.backend", "ssh", "ssh"), ('tui.keys."a.b"', "ctrl+x", "ctrl+x"),
        ("models.timeout_seconds", "7", 7.0), ("terminal.cwd", "12:30", "12:30"),
    ],
)  # fmt: skip
def test_what_is_set_is_what_is_loaded(paths: Paths, key: str, text: str, value: object) -> None:
    put(paths, key, text)
    assert value_at(load_config(paths, environ={}), split_key(key)) == value


def test_free_options_may_be_anything(paths: Paths) -> None:
    put(paths, "environments.e.backend", "ssh")
    put(paths, "environments.e.ports", "[1, {a: true}]")
    place = load_config(paths, environ={}).environments["e"]
    assert place == {"backend": "ssh", "ports": [1, {"a": True}]}


@pytest.mark.parametrize(
    ("text", "key", "left"),
    [
        ("model: a/b\nagent:\n  mode: ask\n", "agent.mode", "model: a/b\n"),
        ("agent: {mode: ask, max_steps: 3}\n", "agent.mode", "agent: {max_steps: 3}\n"),
        ("environments:\n  foo:\n    backend: ssh\n", "environments.foo.backend", ""),
        ("environments: {a: {backend: ssh}, b: {backend: ssh}}\n", "environments.a.backend",
         "environments: {b: {backend: ssh}}\n"),
    ],
)  # fmt: skip
def test_a_section_goes_with_its_last_setting(paths: Paths, text: str, key: str, left: str) -> None:
    paths.config_file.write_text(text, "utf-8")
    unset_value(paths, split_key(key))
    assert paths.config_file.read_text("utf-8") == left


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("modle", "x", "There is no setting 'modle'. Did you mean 'model'?"),
        ("models.retrys", "1", "'retrys' under 'models'. Did you mean 'retries'?"),
        ("model.x", "1", "'x' under 'model'. 'model' is a single value."),
        ("models", "1", "'models' is a section."),
        ("providers.x", "1", "'providers.x' is a section."),
        ("models.retries", "many", "'models.retries' must be a whole number from 0 to 20"),
        ("agent.mode", "fast", "one of read-only, ask"),
        ("", "x", "There is no setting ''"),
    ],
)
def test_what_cannot_be_set_is_refused(paths: Paths, key: str, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        put(paths, key, text)
    assert said in str(caught.value)
    assert not paths.config_file.exists()


@pytest.mark.parametrize("text", ["a: [1\nb: 2\n", "model: a\nmodel: b\n", "modle: x\n"])
def test_a_wrong_file_is_not_touched(paths: Paths, text: str) -> None:
    paths.config_file.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=r"line [12]"):
        put(paths, "agent.mode", "ask")
    assert paths.config_file.read_text("utf-8") == text


def test_a_wrong_value_can_be_put_right(paths: Paths) -> None:
    paths.config_file.write_text("models: {retries: many}\n", "utf-8")
    put(paths, "models.retries", "2")
    assert load_config(paths, environ={}).models.retries == 2


def test_a_setting_can_be_taken_out_even_an_unknown_one(paths: Paths) -> None:
    paths.config_file.write_text("modle: x\nmodel: y # c\n", "utf-8")
    unset_value(paths, ("modle",))
    assert paths.config_file.read_text("utf-8") == "model: y # c\n"
    unset_value(paths, ("model",))
    assert load_config(paths, environ={}).model is None
    with pytest.raises(NotFoundError, match="is not set in"):
        unset_value(paths, ("models", "retries"))
