import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.safety.terminal_text import visible, visible_line

HOSTILE = st.text(
    alphabet=st.one_of(
        st.sampled_from(
            "\x00\x07\x08\t\n\r\x1b\x7f\x85\x90\x9b\x9d\u00ad\u061c\u200b\u200c\u200d\u200e\u202e"
            "\u2028\u2066\u2069\ufe0f\ufeff\U000e0041\U000e007f\U000e0101\ud800\udfff👩🔥❤🏴بم葛1#]52;c["
        ),
        st.characters(),
    )
)


@pytest.mark.parametrize(
    "text",
    [
        "plain ASCII\n\twith tabs",
        "naïve Ελληνικά русский עברית العربية हिन्दी 日本語 한국어",
        "👩‍👩‍👧‍👦 ❤️‍🔥 👍🏽 1️⃣ 🏳️‍🌈 🇨🇭 ✔︎",
        "می‌خواهم",
        "क्‌ष",
        "🏴󠁧󠁢󠁳󠁣󠁴󠁿 Scotland",
        "葛󠄀城",
        "e\u0301 combining",
    ],
)
def test_ordinary_text_of_any_script_is_left_alone(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]52;c;SGk=\x07", "]52;c;SGk="),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("\x9b2J\x90q\x9c", "2Jq"),
        ("a\x00b\x7fc\x08", "abc"),
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("safe\u202etxt.exe", "safe⟨U+202E⟩txt.exe"),
        ("pass\u200bword", "pass⟨U+200B⟩word"),
        ("a\u200db", "a⟨U+200D⟩b"),
        ("a\u200cb", "a⟨U+200C⟩b"),
        ("x\ufe0f", "x⟨U+FE0F⟩"),
        ("❤\ufe0f\ufe0f", "❤\ufe0f⟨U+FE0F⟩"),
        ("ක්‍ර", "ක්ර"),
        ("\ufefftext\ufeff", "text⟨U+FEFF⟩"),
        ("half \ud83d", "half \ufffd"),
        ("\U0001f3f4\U000e0068\U000e0069\U000e007f", "🏴⟨U+E0068⟩⟨U+E0069⟩⟨U+E007F⟩"),
        ("\U000e0041" * 50, "⟨U+E0041⟩" * 3 + "⟨47 more hidden characters⟩"),
    ],
)
def test_what_a_terminal_would_obey_or_a_person_cannot_see_is_taken_out_or_shown(
    text: str, shown: str
) -> None:
    assert visible(text) == shown


@given(HOSTILE)
def test_nothing_a_terminal_obeys_survives(text: str) -> None:
    shown = visible(text)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]", shown)
    shown.encode("utf-8")  # a lone surrogate would kill the thread that writes to the terminal
    for position, character in enumerate(shown):
        if unicodedata.category(character) == "Cf" and 0x200B <= ord(character) <= 0x200F:
            assert character in "\u200c\u200d"
            assert 0 < position < len(shown) - 1


@given(HOSTILE)
def test_showing_twice_is_showing_once(text: str) -> None:
    assert visible(visible(text)) == visible(text)


@given(st.text(alphabet=st.characters(codec="ascii", exclude_categories=["Cc"])))
def test_printable_ascii_is_never_changed(text: str) -> None:
    assert visible(text) == text


def test_a_line_has_no_breaks_and_is_cut_with_an_ellipsis() -> None:
    assert visible_line("  a\n\tb\r\nc ") == "a b c"
    assert visible_line("x" * 500, limit=10) == "x" * 9 + "…"
    assert visible_line(" " * 500 + "x", limit=10) == "…"


@given(HOSTILE, st.integers(1, 50))
def test_a_line_is_one_line_no_longer_than_its_limit(text: str, limit: int) -> None:
    line = visible_line(text, limit=limit)
    assert len(line) <= limit
    assert not set(line) & set("\n\r\t")
