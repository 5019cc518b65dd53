"""Making untrusted text fit to be shown on a terminal.

Everything not written by Hermes itself passes through here before it is drawn:
model text, tool output, file names, skills, memory. What a terminal would obey
is dropped; what a person cannot see, yet changes or hides meaning, is shown.
"""

import re
from functools import cache

_EMOJI = (
    "\u00a9\u00ae\u203c\u2049\u2100-\u27bf\u2900-\u297f\u2b00-\u2bff"
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
)
_IDEOGRAPHS = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_JOINING = (
    "\u0600-\u0603\u0610-\u061a\u0620-\u0669\u066e-\u08ff\ufb50-\ufdff\ufe70-\ufefc"
    "\u0900-\u109f\u1780-\u17b3\u17b6-\u17ff\u1807\u1820-\u18aa"
)
"""Scripts in which joiners belong to correct spelling: Arabic, Syriac, N'Ko, Indic, Khmer, …"""

# Default_Ignorable_Code_Point and Bidi_Control (Unicode 16, DerivedCoreProperties and PropList)
# with the soft hyphen and interlinear marks.
_HIDDEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_CONTROLS = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
_SUSPECT = re.compile(f"[{_CONTROLS}\r\u2028\u2029\ud800-\udfff{_HIDDEN}]")

_FLAG = "|".join(
    "\U0001f3f4" + "".join(chr(0xE0000 + ord(letter)) for letter in region) + "\U000e007f"
    for region in ("gbeng", "gbsct", "gbwls")
)
MARKS_SHOWN = 3
"""How many hidden characters in a row are named one by one."""


def visible(text: str) -> str:
    """`text` as a person may see it: no control characters, nothing hidden.

    Line feeds and tabs stay; carriage returns and Unicode line separators become
    line feeds. Other C0 and C1 controls and DEL are dropped. Bidi controls,
    zero-width and tag characters turn into marks like `⟨U+202E⟩`; joiners inside
    emoji, ZWNJ inside Arabic and Indic words, and one variation selector after
    its base stay. ZWJ inside such words is dropped, because terminals and Rich
    disagree about its width. Applying it twice changes nothing more.
    """
    if _SUSPECT.search(text) is None:
        return text
    return _unit().sub(_shown, text)


def visible_line(text: str, *, limit: int = 400) -> str:
    """`visible` text on one line: runs of white space are one blank, the end cut at `limit`."""
    line = " ".join(visible(text[: limit * 4]).split())
    if len(line) <= limit and len(text) <= limit * 4:
        return line
    return line[: limit - 1].rstrip("\u200c\u200d") + "…"


@cache
def _unit() -> re.Pattern[str]:
    # Compiled when the first suspect text comes: it takes as long as drawing a frame.
    return re.compile(
        f"(?P<flag>{_FLAG})"
        f"|(?P<joined>(?:(?<=[{_EMOJI}])|(?<=[{_EMOJI}]\ufe0f))\u200d(?=[{_EMOJI}]))"
        f"|(?P<spelled>(?<=[{_JOINING}])\u200c(?=[{_JOINING}]))"
        f"|(?P<styled>(?<=[0-9#*{_EMOJI}])[\ufe0e\ufe0f]"
        f"|(?<=[{_IDEOGRAPHS}])[\ufe00-\ufe02\U000e0100-\U000e01ef])"
        f"|(?P<dropped>\\A\ufeff|(?<=[{_JOINING}])\u200d(?=[{_JOINING}])|[{_CONTROLS}])"
        "|(?P<line>\r\n?|[\u2028\u2029])"
        "|(?P<broken>[\ud800-\udfff])"
        f"|(?P<hidden>[{_HIDDEN}]+)"
    )


def _shown(match: re.Match[str]) -> str:
    found = match[0]
    match match.lastgroup:
        case "dropped":
            return ""
        case "line":
            return "\n"
        case "broken":
            return "\N{REPLACEMENT CHARACTER}"
        case "hidden":
            marks = "".join(f"⟨U+{ord(character):04X}⟩" for character in found[:MARKS_SHOWN])
            rest = len(found) - MARKS_SHOWN
            return f"{marks}⟨{rest} more hidden characters⟩" if rest > 0 else marks
        case _:
            return found
