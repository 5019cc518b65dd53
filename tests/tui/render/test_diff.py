from difflib import unified_diff

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from hermes_tui.tui.render.diff import counted, diff_lines, parsed
from hermes_tui.tui.render.palette import DEFAULT
from hermes_tui.tui.render.wrap import strip_of
from tests.tui.render.texts import AWKWARD, assert_drawable, text

CHANGE = """\
--- a/src/config.py
+++ b/src/config.py
@@ -10,5 +10,6 @@ class Loader:
 import yaml

-def load(path: str, default=None):
-\t--- not a heading
+def load_config(path: str, default=None):
+\t+++ nor this
+    日本語のコメントはとても長いので、折り返しが必要です。
     with open(path) as handle:
@@ -99 +101 @@
-old
+new
\\ No newline at end of file
"""


@pytest.mark.parametrize("width", [20, 40, 80, 158])
def test_a_change_with_everything_in_it(width: int, snapshot: SnapshotAssertion) -> None:
    strips = [strip_of(line, width) for line in diff_lines(CHANGE, width, DEFAULT)]
    assert_drawable(strips, width)
    assert text(strips) == snapshot


def test_lines_that_look_like_headings_are_counted_as_changes() -> None:
    assert counted(CHANGE) == (4, 3)


def test_the_changed_part_of_a_line_stands_out() -> None:
    lines = diff_lines("@@ -1 +1 @@\n-load(path)\n+load_config(path)\n", 40, DEFAULT)
    strong = [
        run.text
        for line in lines
        for run in line
        if run.style in {DEFAULT.added_strong, DEFAULT.removed_strong}
    ]
    assert strong == ["_config"]


def test_a_changed_line_is_tinted_over_the_whole_width() -> None:
    added = diff_lines("@@ -0,0 +1 @@\n+x\n", 30, DEFAULT)[-1]
    assert all(run.style and run.style.bgcolor == DEFAULT.added.bgcolor for run in added)
    assert sum(len(run.text) for run in added) == 30


@given(
    st.lists(st.text(alphabet="ab -+@\\", max_size=6)),
    st.lists(st.text(alphabet="ab -+@\\", max_size=6)),
)
def test_what_is_drawn_is_what_changed(old: list[str], new: list[str]) -> None:
    unified = "\n".join(unified_diff(old, new, lineterm=""))
    lines = parsed(unified)
    for line in lines:
        if line.sign in "+ ":
            assert new[line.number - 1] == line.text
        elif line.sign == "-":
            assert old[line.number - 1] == line.text
    assert counted(unified)[0] - counted(unified)[1] == len(new) - len(old)


@given(st.one_of(AWKWARD, AWKWARD.map(lambda t: f"@@ -1,9 +1,9 @@ {t}\n-{t}\n+{t}x\n {t}")))
def test_any_text_is_drawn(unified: str) -> None:
    assert_drawable([strip_of(line, 20) for line in diff_lines(unified, 20, DEFAULT)], 20)
