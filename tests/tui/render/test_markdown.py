import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from hermes_tui.tui.render.code import CONTEXT_LINES, plain
from hermes_tui.tui.render.markdown import MarkdownStream, render_markdown
from hermes_tui.tui.render.palette import DEFAULT
from tests.tui.render.texts import ANSWER, AWKWARD, MARKDOWN, assert_drawable, text

WIDTHS = st.integers(1, 40)


@pytest.mark.parametrize("width", [20, 40, 80, 158])
def test_an_answer_with_everything_in_it(width: int, snapshot: SnapshotAssertion) -> None:
    strips = render_markdown(ANSWER, width, DEFAULT)
    assert_drawable(strips, width)
    assert text(strips) == snapshot


@given(st.one_of(MARKDOWN, AWKWARD), WIDTHS)
def test_every_line_has_exactly_the_width_and_nothing_a_terminal_obeys(
    source: str, width: int
) -> None:
    assert_drawable(render_markdown(source, width, DEFAULT), width)


@given(st.one_of(MARKDOWN, AWKWARD), WIDTHS)
def test_colours_never_change_the_text_or_the_height(source: str, width: int) -> None:
    coloured = render_markdown(source, width, DEFAULT)
    measured = render_markdown(source, width, DEFAULT, code=plain)
    assert [strip.text for strip in coloured] == [strip.text for strip in measured]


@given(MARKDOWN, st.lists(st.integers(0, 200), max_size=8), st.integers(10, 40))
def test_streaming_in_any_chunks_ends_as_the_whole(
    source: str, cuts: list[int], width: int
) -> None:
    stream = MarkdownStream()
    borders = [0, *sorted(min(cut, len(source)) for cut in cuts), len(source)]
    shown: list[str] = []
    for start, end in pairwise(borders):
        stream.append(source[start:end])
        strips = stream.strips(width, DEFAULT)
        assert_drawable(strips, width)
        kept = [strip.text for strip in strips]
        assert kept[: stream.changed_from] == shown[: stream.changed_from]
        shown = kept
    stream.close()
    assert stream.strips(width, DEFAULT) == render_markdown(source, width, DEFAULT)


@given(MARKDOWN, st.integers(0, 200))
def test_a_stream_drawn_at_another_width_is_drawn_anew(source: str, cut: int) -> None:
    stream = MarkdownStream(source[:cut])
    stream.strips(30, DEFAULT)
    stream.append(source[cut:])
    stream.strips(20, DEFAULT)
    stream.close()
    assert stream.strips(40, DEFAULT) == render_markdown(source, 40, DEFAULT)


def test_only_the_last_piece_of_a_stream_is_drawn_again() -> None:
    stream = MarkdownStream()
    for number in range(300):
        stream.append(f"- item {number}\n")
        stream.strips(40, DEFAULT)
    assert stream.changed_from >= 298
    stream.append("\nA paragraph.\n\n```python\n")
    stream.strips(40, DEFAULT)
    stream.append("x = 1\n" * 50)
    assert stream.strips(40, DEFAULT)[stream.changed_from :][-1].text.strip() == "x = 1"
    assert stream.changed_from >= 302
    for _ in range(20):
        stream.append("x = 1\n" * 10)
        stream.strips(40, DEFAULT)
    stream.append("x = 1\n" * 10)
    strips = stream.strips(40, DEFAULT)
    assert stream.changed_from >= len(strips) - CONTEXT_LINES - 12


def test_a_link_shows_where_it_leads() -> None:
    [line] = render_markdown("[google.com](https://evil.example/x)", 60, DEFAULT)
    assert line.text.rstrip() == "google.com (https://evil.example/x)"


def test_markup_and_html_are_plain_text() -> None:
    source = "[@click=app.quit]x[/] [b]bold[/b] <script>y</script>"
    assert render_markdown(source, 80, DEFAULT)[0].text.rstrip() == source


def test_entities_cannot_smuggle_hidden_characters() -> None:
    [line] = render_markdown("a&#x202e;b &rlm;c", 40, DEFAULT)
    assert line.text.rstrip() == "a⟨U+202E⟩b ⟨U+200F⟩c"


def test_code_is_coloured_and_an_unknown_language_is_not() -> None:
    def colours(language: str) -> set[str]:
        strips = render_markdown(f"```{language}\nreturn 'x'\n```", 40, DEFAULT)
        return {str(segment.style) for segment in strips[-1]}

    assert len(colours("python")) > len(colours("klingon")) == 1


@pytest.mark.parametrize(
    "source", ["[" * 5000, "*a **b " * 2000, "> " * 3000 + "x", "`" * 5000, "- " * 2000, "_" * 9000]
)
def test_hostile_nesting_is_drawn_too(source: str) -> None:
    assert_drawable(render_markdown(source, 30, DEFAULT), 30)


def test_neither_the_parser_nor_the_lexer_is_imported_before_the_first_answer() -> None:
    probe = (
        "import sys, hermes_tui.tui.view.transcript, hermes_tui.tui.view.output\n"
        "from hermes_tui.tui.render.markdown import warm_up\n"
        "print(*(m for m in ('markdown_it', 'pygments.lexers') if m in sys.modules))\n"
        "warm_up()\n"
        "print(*(m for m in ('markdown_it', 'pygments.lexers') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["", "markdown_it pygments.lexers"]
