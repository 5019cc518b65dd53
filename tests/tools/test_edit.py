import difflib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hermes_tui.core.errors import ToolError
from hermes_tui.tools.edit import diff_of, replaced


@given(st.text(), st.text(min_size=1), st.text(), st.text())
def test_an_exact_single_match_is_replaced_and_nothing_else(
    before: str, old: str, new: str, after: str
) -> None:
    text = before + old + after
    assume(text.count(old) == 1 and "\r" not in text)
    assert replaced(text, old, new) == before + new + after


def test_several_matches_need_more_context_or_replace_all() -> None:
    with pytest.raises(ToolError, match="2 places"):
        replaced("a\na\n", "a", "b")
    assert replaced("a\na\n", "a", "b", everywhere=True) == "b\nb\n"


def test_white_space_at_line_ends_does_not_matter() -> None:
    assert replaced("one  \ntwo\n", "one\ntwo", "1\n2") == "1\n2\n"


def test_the_replacement_is_indented_like_what_it_replaces() -> None:
    text = "class A:\n    def f(self):\n        return 1\n"
    assert replaced(text, "def f(self):\n    return 1", "def f(self):\n    return 2") == (
        "class A:\n    def f(self):\n        return 2\n"
    )


def test_windows_line_ends_stay() -> None:
    assert replaced("a\r\nb\r\n", "a\nb", "a\nc") == "a\r\nc\r\n"


def test_a_near_miss_names_the_closest_line() -> None:
    with pytest.raises(ToolError, match="closest line is 2: 'return total'"):
        replaced("x = 1\nreturn total\n", "return totals!\nfoo", "y")


def test_an_ambiguous_loose_match_is_refused() -> None:
    with pytest.raises(ToolError, match="fits in 2 places"):
        replaced("  a\n  b\n\ta\n\tb\n", "a\nb", "c")


def test_a_diff_shows_only_what_changed() -> None:
    diff = diff_of("x.py", "a\nb\n", "a\nc\n")
    assert "-b" in diff.unified.splitlines()
    assert "+c" in diff.unified.splitlines()
    assert diff_of("x.py", "a", "a").unified == ""


@given(st.lists(st.integers(0, 1000), max_size=40, unique=True), st.data())
def test_a_diff_counts_its_lines_from_the_start_of_the_file(
    numbers: list[int], data: st.DataObject
) -> None:
    before = [str(number) for number in numbers]
    after = list(before)
    if before:
        after[data.draw(st.integers(0, len(before) - 1))] = "changed"
    whole = "\n".join(difflib.unified_diff(before, after, "a/x", "b/x", lineterm=""))
    assert diff_of("x", "\n".join(before), "\n".join(after)).unified == whole


def test_files_too_different_to_compare_are_counted() -> None:
    before = "".join(f"old {number}\n" for number in range(15_000))
    after = "".join(f"new {number}\n" for number in range(15_000))
    assert diff_of("x", before, after).unified.endswith("15,000 lines became 15,000.")
