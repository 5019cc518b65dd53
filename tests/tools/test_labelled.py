"""Output of several places, shown line by line."""

from hermes_tui.tools.labelled import LONGEST_LINE, LabelledLines


def test_each_line_has_one_label_however_it_was_cut() -> None:
    lines = LabelledLines("a")

    assert [lines.take(text) for text in ("o", "ne", "\ntwo\nth", "ree\n")] == [
        "",
        "",
        "a: one\na: two\n",
        "a: three\n",
    ]
    assert lines.end() == ""


def test_a_last_line_without_an_end_gets_one() -> None:
    lines = LabelledLines("a")

    assert lines.take("no end") == ""
    assert lines.end() == "a: no end\n"
    assert lines.end() == ""


def test_a_line_that_does_not_end_is_shown_all_the_same() -> None:
    assert LabelledLines("a").take("x" * (LONGEST_LINE + 1)).endswith("x\n")
