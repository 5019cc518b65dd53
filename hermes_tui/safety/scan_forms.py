"""The forms a text is scanned in: what hides in it, what it reads as, what it decodes to."""

import base64
import binascii
import codecs
import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from urllib.parse import unquote

from msgspec import Struct

from hermes_tui.safety.terminal_text import visible

MAX_DECODED = 500
"""Encoded pieces looked into; long names in code look like them too."""

_LOOK_ALIKES = str.maketrans(
    "аеорсухіјѕһԁԛԝьӏкмтвнгпиԍզоαεοριυνκτχγωηϲϳАВЕКМНОРСТХУІЈЅԌԚԜΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹɑɡıℓꞌոսօ",
    "aeopcyxijshdqwbikmtbhrnugqoaeopiuvktxywncjABEKMHOPCTXYIJSGQWABEZHIKMNOPTYXCagil'nuo",
)
"""Cyrillic, Greek, Armenian and phonetic letters drawn like Latin ones (Unicode TR 39)."""
_SAME = frozenset("аеорсухіјѕһԁԛԝӏοανρАВЕКМНОРСТХУІЈЅԌԚԜΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹɑɡı")
"""Those of them nobody can tell from the Latin letter."""
_LEET = str.maketrans("0134578@$!|", "oieastbasil")


class Forms(Struct, frozen=True):
    """Other ways in which a text can be read."""

    readable: tuple[str, ...]
    """With its words apart."""
    squashed: tuple[str, ...]
    """Letters only, without anything between them."""


def hidden(text: str) -> Iterator[tuple[str, str, str]]:
    """Kind, excerpt and reason for each sort of character a person would not see as it is."""
    if _pattern(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]").search(text):
        yield "hidden", repr(text[:30]), "It holds control characters."
    # Marks are written in brackets that the text itself then may not have.
    marks = _pattern(r"⟨[^⟩]*⟩").findall(visible(text.replace("⟨", "<").replace("\r\n", "\n")))
    if marks:
        yield "hidden", " ".join(marks[:3]), "It holds invisible or direction-changing characters."
    if _pattern("[\ud800-\udfff]").search(text):
        yield "hidden", "�", "It holds halves of characters."
    for word in _pattern(r"[^\W\d_]{4,}").findall(text):
        if _is_mixed(word):
            yield (
                "look-alike",
                word,
                "It mixes alphabets within a word, so that it reads as another.",
            )
            return


def forms(text: str) -> Forms:
    """`text` normalised, with look-alikes folded, marks stripped and letters joined."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    bare = _pattern(
        "[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]"
    ).sub("", bare)
    folded = unicodedata.normalize("NFKC", bare).translate(_LOOK_ALIKES).casefold()
    plain = unicodedata.normalize("NFKC", text).casefold()
    readable = tuple(dict.fromkeys((plain, folded)))
    joined = [_pattern(r"[\W_]+").sub("", form) for form in (*readable, folded.translate(_LEET))]
    return Forms(readable, tuple(dict.fromkeys(joined)))


def decoded(text: str) -> Iterator[tuple[str, str]]:
    """What pieces of `text` say once decoded, by encoding; each only if it is readable text."""
    for count, piece in enumerate(_pattern(r"[A-Za-z0-9+/_-]{20,}={0,2}").findall(text)):
        if count < MAX_DECODED and (plain := _base64(piece)):
            yield "base64", plain
    for count, piece in enumerate(
        _pattern(r"(?:(?:\\x|0x)?[0-9a-fA-F]{2}[\s,]?){12,}").findall(text)
    ):
        digits = _pattern(r"\\x|0x|[\s,]").sub("", piece)
        if count < MAX_DECODED and len(digits) % 2 == 0 and (plain := _text(bytes.fromhex(digits))):
            yield "hexadecimal", plain
    if "%" in text and (plain := unquote(text)) != text:
        yield "URL encoding", plain
    if "\\u" in text or "&#" in text:
        yield "escapes", _unescaped(text)
    yield "ROT13", codecs.encode(text, "rot13")
    yield "reverse", text[::-1]


def _is_mixed(word: str) -> bool:
    """Whether Latin letters and letters that only look Latin make up one word."""
    if word.isascii():
        return False
    latin = sum(unicodedata.name(c, "").startswith("LATIN") for c in word)
    others = [c for c in word if not unicodedata.name(c, "").startswith("LATIN")]
    return len(others) > 0 and latin > 0 and _SAME.issuperset(others)


def _base64(piece: str) -> str:
    padded = piece.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return _text(base64.b64decode(padded + "=" * (-len(padded) % 4)))
    except (binascii.Error, ValueError):
        return ""


def _text(raw: bytes) -> str:
    """`raw` as text; empty when it is not mostly letters and blanks."""
    for encoding in ("utf-8", "utf-16-le"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        readable = sum(c.isalpha() or c in " .,:;'\"!?-/_$\n" for c in text)
        if len(text) >= 8 and text.isascii() and readable >= 0.85 * len(text):
            return text
    return ""


def _unescaped(text: str) -> str:
    def letter(match: re.Match[str]) -> str:
        number = int(match[1] or match[2], 16) if match[1] or match[2] else int(match[3])
        return chr(number) if number < 0x110000 else match[0]

    return _pattern(r"\\u\{?([0-9a-fA-F]{4})\}?|&#x([0-9a-fA-F]{2,6});|&#(\d{2,7});").sub(
        letter, text
    )


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
