"""YAML with lines: what is read, and what is refused."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.config.yaml_reader import MAX_BYTES, parse_tree, read_tree
from hermes_tui.config.yaml_tree import Scalar, plain, scalar_value
from hermes_tui.core.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"), ("off", "off"), ("true", True), ("False", False), ("~", None), ("", None),
        ("012", 12), ("0x10", 16), ("0o10", 8), ("12:30:45", "12:30:45"), ("1e3", 1000.0),
        ("1.5", 1.5), (".5", 0.5), ("-3", -3), ("2024-01-02", "2024-01-02"), ("1_000", "1_000"),
        (".inf", ".inf"), ("0x", "0x"), ("9" * 30, float("9" * 30)),
    ],
)  # fmt: skip
def test_plain_words_follow_yaml_1_2(text: str, value: object) -> None:
    assert scalar_value(text) == value
    assert type(scalar_value(text)) is type(value)


def test_quoted_words_stay_text_and_lines_are_known() -> None:
    tree = parse_tree("a: 'true'\nb:\n  - 1\n  - \"2\"\n", "x")
    assert plain(tree) == {"a": "true", "b": [1, "2"]}
    (_, first), (key, _) = tree.entries
    assert isinstance(first, Scalar)
    assert (first.line, key.line) == (1, 2)


def test_an_alias_repeats_its_anchor() -> None:
    assert plain(parse_tree("a: &x [1, 2]\nb: *x\n", "x")) == {"a": [1, 2], "b": [1, 2]}


def bomb() -> str:
    tens = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    return "\n".join(["a0: &a0 [x, x, x, x, x, x, x, x, x, x]", *tens])


def tower() -> str:
    """Aliases of aliases: little text, few values, endless depth."""
    return "\n".join(["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 60))])


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a: [1\nb: 2", 2, "did not find expected"),
        ("a: 1\n\tb: 2", 2, "tab character"), ("a:\n\tb: 2", 2, "found character"),
        (bomb(), 5, "more than 20,000 values"),
        (tower(), 32, "32 levels"),
        ("[" * 50_000, 1, "32 levels"),
        ("a: " + "{a: " * 50_000, 1, "32 levels"),
        ("a: &a [*a]", 1, "no anchor before it"),
        ("a: 1\n---\nb: 2", 3, "second document"),
        ("- 1", 1, "`key: value` lines"),
        ("just words", 1, "`key: value` lines"),
        ("a: !!python/object:os.system x", 1, "the tag"),
        ("? [1, 2]\n: 3", 1, "a key must be a word"),
        ("a: 1\nb: \x07", 2, "may not stand in YAML|not allowed"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_line(text: str, line: int, what: str) -> None:
    with pytest.raises(ConfigError, match=what) as caught:
        parse_tree(text, "config.yaml")
    assert caught.value.message.startswith("config.yaml line ")
    assert f"line {line}:" in caught.value.message


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n", "---\n...\n"])
def test_an_empty_file_sets_nothing(text: str) -> None:
    assert parse_tree(text, "x").entries == []


NESTED = st.recursive(
    st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=8), NESTED, max_size=5))
def test_quoted_text_of_every_kind_is_read_back(value: dict[str, object]) -> None:
    text = yaml.safe_dump(value, default_style='"', allow_unicode=True)
    assert plain(parse_tree(text, "x")) == value


def said_by(action: Callable[[], object]) -> str:
    """The message of the error `action` ends with; empty when it goes well."""
    try:
        action()
    except ConfigError as error:
        return error.message
    return ""


@given(st.text(max_size=200))
def test_no_text_is_more_than_a_config_error(text: str) -> None:
    said = said_by(lambda: parse_tree(text, "x"))
    assert not said or said.startswith("x line ")


def test_a_file_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read_tree(tmp_path / "none").entries == []


def test_files_that_are_no_settings_are_refused(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(ConfigError, match="larger than 256 KiB"):
        read_tree(large)
    latin = tmp_path / "latin"
    latin.write_bytes("a: 1\nb: café\n".encode("latin-1"))
    with pytest.raises(ConfigError, match="line 2: not valid UTF-8"):
        read_tree(latin)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, Path("/dev/zero")):
        with pytest.raises(ConfigError, match="not a regular file"):
            read_tree(path)


def test_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"\xef\xbb\xbfmodel: x\n")
    assert plain(read_tree(file)) == {"model": "x"}
