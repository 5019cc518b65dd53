from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.segment import Segment
from rich.style import Style

from hermes_tui.safety.terminal_text import visible
from hermes_tui.tui.render.wrap import (
    expand_tabs,
    fold,
    restyle,
    strip_of,
    text_of,
    truncate,
    width_of,
    wrap,
)
from tests.tui.render.texts import AWKWARD, assert_drawable

WIDTHS = st.integers(1, 30)


def wrapped(text: str, width: int) -> list[str]:
    return [text_of(line) for line in wrap([Segment(text)], width)]


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("one two three", 7, ["one two", "three"]),
        ("one two three", 8, ["one two", "three"]),
        ("one\n\ntwo", 9, ["one", "", "two"]),
        ("a incomprehensible", 5, ["a", "incom", "prehe", "nsibl", "e"]),
        ("incomprehensible a", 6, ["incomp", "rehens", "ible a"]),
        ("  indented text", 10, ["  indented", "text"]),
        ("日本語です。はい", 8, ["日本語で", "す。はい"]),
        ("日本語です。", 10, ["日本語で", "す。"]),
        ("日本 go 語", 7, ["日本 go", "語"]),
        ("word 日本語", 8, ["word 日", "本語"]),
        ("👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧", 4, ["👩‍👩‍👧👩‍👩‍👧", "👩‍👩‍👧"]),
        ("     ", 3, [""]),
        ("", 3, [""]),
        ("日本", 1, ["日", "本"]),
    ],
)
def test_lines_break_between_words_and_between_wide_characters(
    text: str, width: int, lines: list[str]
) -> None:
    assert wrapped(text, width) == lines


def test_styles_survive_a_break_inside_a_run() -> None:
    bold = Style(bold=True)
    lines = wrap([Segment("one "), Segment("two three", bold), Segment(" four")], 8)
    assert lines == [
        [Segment("one "), Segment("two", bold)],
        [Segment("three", bold)],
        [Segment("four")],
    ]


@given(st.lists(AWKWARD), WIDTHS)
def test_wrapping_loses_only_blanks(parts: list[str], width: int) -> None:
    runs = [Segment(visible(part).replace("\t", " ")) for part in parts]
    whole = text_of(runs)
    assert "".join(map(text_of, wrap(runs, width))).replace(" ", "") == whole.replace(
        " ", ""
    ).replace("\n", "")


@given(st.lists(AWKWARD), WIDTHS)
def test_folding_loses_nothing(parts: list[str], width: int) -> None:
    runs = [Segment(visible(part).replace("\t", " ")) for part in parts]
    assert "".join(map(text_of, fold(runs, width))) == text_of(runs).replace("\n", "")


@given(st.lists(AWKWARD), WIDTHS)
def test_every_line_becomes_a_strip_of_exactly_the_width(parts: list[str], width: int) -> None:
    runs = [Segment(visible(part).replace("\t", " ")) for part in parts]
    for lines in (wrap(runs, width), fold(runs, width)):
        assert_drawable([strip_of(line, width) for line in lines], width)


@given(AWKWARD, st.integers(2, 30))
def test_folded_lines_of_one_run_are_cut_nowhere_but_at_the_width(text: str, width: int) -> None:
    lines = fold([Segment(visible(text).replace("\t", " ").replace("\n", " "))], width)
    assert all(width_of(line) <= width for line in lines)
    for line, following in pairwise(lines):
        assert width_of(line) + width_of(following) > width or not text_of(following)


@given(AWKWARD, st.integers(0, 30))
def test_truncated_text_fits(text: str, width: int) -> None:
    text = visible(text).replace("\n", " ").replace("\t", " ")
    cut = truncate(text, width)
    assert width_of([Segment(cut)]) <= width
    assert cut == text or cut == "" or cut.endswith("…")


def test_tabs_reach_the_next_stop_counted_in_cells() -> None:
    assert expand_tabs("a\tb") == "a   b"
    assert expand_tabs("日\tb") == "日  b"
    assert expand_tabs("abcd\tb") == "abcd    b"
    assert expand_tabs("\t\tb") == "        b"


@given(st.lists(st.text(alphabet="ab日"), max_size=4), st.integers(0, 9), st.integers(-1, 9))
def test_restyling_marks_exactly_the_characters_asked_for(
    parts: list[str], start: int, end: int
) -> None:
    strip = strip_of([Segment(part) for part in parts], 8)
    marked = restyle(strip, start, end, Style(reverse=True))
    assert marked.text == strip.text
    shown = "".join(segment.text for segment in marked if segment.style)
    assert shown == strip.text[start : None if end < 0 else end]
