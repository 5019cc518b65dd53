from itertools import pairwise
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.style import Style

from hermes_tui.safety.terminal_text import visible
from hermes_tui.tui.render.ansi import MAX_HELD_BACK, MAX_LINE, OutputLines
from hermes_tui.tui.render.palette import DEFAULT
from hermes_tui.tui.render.wrap import strip_of, text_of
from tests.tui.render.texts import AWKWARD, assert_drawable

TERMINAL = st.lists(
    st.one_of(
        AWKWARD,
        st.sampled_from(
            [
                "\x1b[31m", "\x1b[0m", "\x1b[m", "\x1b[1;4;38;5;208m", "\x1b[48;2;1;2;3m",
                "\x1b[8m",
                "\x1b[2J", "\x1b[10;5H", "\x1b[?1049h", "\x1b]52;c;SGk=\x07", "\x1b]0;title\x1b\\",
                "\x1bP+q\x1b\\", "\x1b_Ga=T\x1b\\", "\x1b", "\x1b[", "\x1b]", "\x9b31m",
                "\x9d0;t\x9c",
                "\x1b(B", "\x1bc", "\r", "\r\n", "\n", "\x08", "10%", "word ", "\t",
            ]
        ),
    )
).map("".join)  # fmt: skip


def printed(*chunks: str, limit: int = 100) -> list[str]:
    lines = OutputLines(limit)
    for chunk in chunks:
        lines.feed(chunk)
    return [lines[index].plain for index in range(len(lines))]


RED, GREEN, BRIGHT_RED, BLACK = (str(DEFAULT.terminal[number].name) for number in (1, 2, 9, 0))


def styles(text: str) -> list[tuple[str, str]]:
    lines = OutputLines()
    lines.feed(text)
    return [
        (run.text, str(run.style)) for i in range(len(lines)) for run in lines[i].runs(Style.null())
    ]


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        (["one\ntwo\n"], ["one", "two"]),
        (["one\r\ntwo\r\n"], ["one", "two"]),
        (["on", "e\r", "\ntw", "o"], ["one", "two"]),
        (["10%\r20%", "\r", "100%\ndone"], ["100%", "done"]),
        (["50%\r"], ["50%"]),
        (["abc\x08\x08xy|\x08/"], ["axy/"]),
        (["spin |", "\x08/", "\x08-"], ["spin -"]),
        (["\x1b[2J\x1b[1;1Hhello\x1b[K"], ["hello"]),
        (["\x1b]0;owned\x07safe \x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\"], ["safe link"]),
        (["\x1b]52;c;", "SGk", "=\x07after"], ["after"]),
        (["a\x1b", "[", "3", "1", "mb"], ["ab"]),
        (["\x1bP1$r\x1b\\\x1b_Gx\x1b\\\x1bcok"], ["ok"]),
        (["\x9b31mred\x9d0;t\x9cx"], ["redx"]),
        (["a\tb\n日\tc"], ["a       b", "日      c"]),
        (["\x1b[32m日\t\x1b[0mc"], ["日      c"]),
        (["safe\u202egpj"], ["safe⟨U+202E⟩gpj"]),
        (["a\u2028b"], ["a b"]),
        (["\n\n"], ["", ""]),
    ],
)
def test_output_reads_as_a_terminal_would_show_it(chunks: list[str], lines: list[str]) -> None:
    assert printed(*chunks) == lines


def test_colours_are_kept_across_lines_and_end_with_reset() -> None:
    assert styles("a\x1b[31mb\nc\x1b[0md") == [
        ("a", "none"), ("b", RED), ("c", RED), ("d", "none"),
    ]  # fmt: skip


def test_colours_of_an_overwritten_line_stay_in_force() -> None:
    assert styles("\x1b[32m10%\r20%") == [("20%", GREEN)]


@pytest.mark.parametrize(
    ("sequence", "style"),
    [
        ("1;3;4;9", "bold italic underline strike"),
        ("7", "reverse"),
        ("91", BRIGHT_RED),
        ("38;5;208", "color(208)"),
        ("38:5:208", "color(208)"),
        ("38;2;1;2;3;1", "bold #010203"),
        ("48;5;22", "on color(22)"),
        ("5;8", "none"),
        ("30;40", BLACK),
        ("38;5", "none"),
        ("99999999999999999", "none"),
    ],
)
def test_sgr_becomes_a_style_that_hides_nothing(sequence: str, style: str) -> None:
    [(_, drawn)] = styles(f"\x1b[{sequence}mx")
    assert set(drawn.split()) == set(style.split())


def test_an_escape_sequence_without_an_end_does_not_swallow_the_rest() -> None:
    assert printed("\x1b]0;" + "x" * MAX_HELD_BACK, "\nnext\n")[-1] == "next"


def test_output_without_line_feeds_is_broken_into_lines() -> None:
    lines = printed(*["y" * 1000] * 30)
    assert "".join(lines) == "y" * 30_000
    assert all(len(line) <= MAX_LINE for line in lines)


def test_only_the_last_lines_are_kept() -> None:
    lines = OutputLines(limit=10)
    lines.feed("".join(f"{number}\n" for number in range(1000)))
    lines.feed("end")
    assert [lines[index].plain for index in range(len(lines))] == [
        *map(str, range(990, 1000)),
        "end",
    ]
    assert lines.dropped == 990


@pytest.mark.parametrize(
    "output",
    [
        "\x90" * 100_000 + "\x9c", "\x1b" * 100_000, "\x9b" * 100_000, "\x1b]" * 50_000,
        "\x1b[3" * 50_000, "\x1b[" + "1;" * 100_000 + "m", "\x1b[31m\r" * 20_000, "a\x08" * 50_000,
        "\t" * 50_000, "y" * 500_000,
    ],
    ids=["dcs", "esc", "csi", "osc", "unfinished", "long", "colours", "backspaces", "tabs", "text"],
)  # fmt: skip
def test_hostile_output_takes_no_more_time_than_its_length(output: str) -> None:
    started = process_time()
    OutputLines().feed(output)
    assert process_time() - started < 1


@given(TERMINAL, st.lists(st.integers(0, 80), max_size=6))
def test_chunk_borders_never_matter_to_escapes(text: str, cuts: list[int]) -> None:
    # What is hidden is judged, and marked, within one chunk; all else may be cut anywhere.
    text = "".join(character for character in text if visible(character) or character < "\xa0")
    text = "".join(character for character in text if "⟨" not in visible(character))
    borders = [0, *sorted(cuts), len(text)]
    chunks = [text[start:end] for start, end in pairwise(borders)]
    whole, parts = OutputLines(), OutputLines()
    whole.feed(text)
    for chunk in chunks:
        parts.feed(chunk)
    assert parts.text == whole.text


@given(st.lists(TERMINAL), st.integers(1, 30))
def test_nothing_but_colours_reaches_the_screen(chunks: list[str], width: int) -> None:
    lines = OutputLines()
    for chunk in chunks:
        lines.feed(chunk)
    drawn = [lines[index].runs(Style.null()) for index in range(len(lines))]
    assert_drawable([strip_of(line, width) for line in drawn], width)
    assert [text_of(line) for line in drawn] == lines.text.split("\n")[: len(drawn)]
