"""Fenced code in Markdown."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.core.fences import Fence, fences, marked, outside_fences, pieces, prose

TEXTS = st.text(alphabet="`~ >-1.\n\r\ta", max_size=200)


def kinds(text: str) -> str:
    """`p`rose, `o`pening, `c`ode and `e`nd, one letter a line."""
    return "".join({"close": "e"}.get(line.kind, line.kind[0]) for line in marked(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\n```\nb\n```\nc\n", "pocep"),
        ("~~~ sh\nb\n```\n~~~\nc", "occep"),
        ("````md\n```\nb\n```\nc\n````\nd", "occccep"),
        ("1. Step:\n\n   ```sh\n   b\n   ```\n2. c", "ppocep"),
        ("- ```sh\n  b\n  ```\nc", "ocep"),
        ("> ```\n> b\n> ```\nc", "ocep"),
        ("> ```\n> b\nc", "ocp"),
        ("```\n> ```\n```\nc", "ocep"),
        ("```\n      ```\n```\nc", "ocep"),
        ("```\nb\n``` c\n`````\nd", "occep"),
        ("a ``` b ```\n```a```\nc", "ppp"),
        ("```\nnever closed", "oc"),
        ("```\r\nb\r\n```\r\nc", "ocep"),
        ("``\nb", "pp"),
    ],
)
def test_a_line_is_prose_or_code_as_commonmark_has_it(text: str, expected: str) -> None:
    assert kinds(text) == expected


def test_code_is_given_with_its_language_and_without_the_indentation_of_its_fence() -> None:
    text = "1. a\n\n   ```Bash title=x\n   ls\n     -la\n   ```\n\n~~~\nx\n~~~\n> ```\n> y\n"
    assert list(fences(text)) == [Fence("bash", "ls\n  -la\n"), Fence("", "x\n"), Fence("", "y\n")]


def test_prose_is_changed_and_code_is_not() -> None:
    text = "a\n```\na\n```\n```\na\n```\na"
    assert outside_fences(text, str.upper) == "A\n```\na\n```\n```\na\n```\nA"
    assert prose(text) == ["a\n", "a"]


@given(TEXTS)
def test_lines_and_pieces_are_the_whole_text(text: str) -> None:
    assert "".join(line.text for line in marked(text)) == text
    assert "".join(piece for piece, _ in pieces(text)) == text
    assert outside_fences(text, lambda part: part) == text
    assert len(list(fences(text))) == kinds(text).count("o")


@pytest.mark.parametrize("piece", ["- ", "> ", "1. ", "`", "~", ">\t", "```\n"])
def test_long_hostile_text_does_not_take_long(piece: str) -> None:
    started = time.perf_counter()
    list(marked(piece * 100_000))
    assert time.perf_counter() - started < 2
