"""Texts every renderer must cope with, and how hypothesis makes more of them."""

from hypothesis import strategies as st
from rich.cells import cell_len
from textual.strip import Strip

ANSWER = """\
# Renaming `load()`

I'll **rename** the function, then *run the tests*. See [the docs](https://example.org/docs/path)
or <https://example.org>. ~~Not now.~~

## Steps

1. Find every use
2. Rename it: a long item that has to be wrapped because it goes on and on
   - nested one
     - nested two
   - [ ] still to do
   - [x] done already
10. numbered by place, not by figure

- loose

- with code:

  ```sh
  uv run pytest
  ```
> A quote that says
> something *important*
> > and quotes

```python
def load_config(path: str, default: dict | None = None):
\t\"\"\"Load a config file.\"\"\"
\treturn {"a": 1, "名前": "日本語のとても長い文字列です。折り返しが必要です。"}
```

| Name | Count | Notes |
|:-----|------:|:-----:|
| `src/config.py` | 12 | first one |
| tests | 3 | 日本語 and a longer remark that wraps |

---
日本語の文章はとても長いので、折り返しが必要です。「引用」もあります。👩‍👩‍👧 family ❤️ ok.
"""

AWKWARD = st.text(
    alphabet=st.one_of(
        st.sampled_from(
            " \n\t\r\x1b\x07\x9b\u202e\u200b\u200d\ufe0f\u0301aé日本。」👩🔥❤🇨שلم葛󠄀\ud800"
        ),
        st.characters(),
    )
)
"""Wide, joined, combining, right-to-left, hidden and hostile characters, tabs and line ends."""

LINES = st.sampled_from(
    [
        "", "", "", "word", "two  words ", "- item", "  - nested", "* star", "*", "-", "--", "---",
        "1. one", "2) two", "   continued", "    indented", "\tx", "# Title", "===", "> quote",
        ">", "```", "```python", "~~~", "def f():", '"""', "| a | b |", "|--|:-:|", "| 1 | 2 |",
        "a | b", "**bold", "`code", "[text](http://x.y)", "[ref]: http://x.y", "[ref]", "<b>h</b>",
        "- [x] done", "+ plus", "&rlm;&#x9b;&amp;", "![alt](src)", "\\", "日本語、です。",
        "👩‍👩‍👧 ❤️",
                "\ufeff", "a\u2028b", "\x1b]0;title\x07", "- ", "1.", "***", "_ _ _", "10. ten",
    ]
)  # fmt: skip
ENDS = st.sampled_from(["\n", "\n", "\n", "\r\n", ""])
MARKDOWN = st.lists(st.tuples(LINES, ENDS)).map(
    lambda pairs: "".join(line + end for line, end in pairs)
)


def text(strips: list[Strip]) -> str:
    """What a person reads, with the blanks at line ends left out."""
    return "\n".join(strip.text.rstrip() for strip in strips)


def assert_drawable(strips: list[Strip], width: int) -> None:
    """Every strip has exactly the width, and holds nothing a terminal would obey."""
    for strip in strips:
        assert strip.cell_length == width
        assert sum(cell_len(segment.text) for segment in strip) == width
        assert not {
            character for character in strip.text if ord(character) < 32 or character in HIDDEN
        }


HIDDEN = frozenset(map(chr, (*range(0x7F, 0xA0), 0x200B, 0x202E, 0x2028, 0xFEFF, 0xD800)))
