"""The last line of defence: what Textual writes is free of foreign control characters.

Textual passes text through to the terminal as it is: an escape sequence in a
label, a notification or a text area reaches the terminal and is obeyed. Views
make text visible before they draw it; this guard catches what was forgotten.
"""

import re

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

_HOSTILE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_SAFE_LINK = re.compile(r"(?:https?://|mailto:)[!-~]+")

_original_render = Strip.render


def install() -> None:
    """Guard every strip Textual renders from now on; calling it again changes nothing."""
    Strip.render = _guarded_render


def uninstall() -> None:
    """Back to Textual's own rendering; for tests."""
    Strip.render = _original_render


def _guarded_render(self: Strip, console: Console) -> str:
    if _HOSTILE.search(self.text) or any(map(_has_bad_link, self)):
        return _original_render(Strip(map(_harmless, self)), console)
    return _original_render(self, console)


def _has_bad_link(segment: Segment) -> bool:
    link = segment.style.link if segment.style else None
    return link is not None and not _SAFE_LINK.fullmatch(link)


def _harmless(segment: Segment) -> Segment:
    """The segment with as many cells as before, so that the line keeps its place."""
    style: Style | None = segment.style
    if _has_bad_link(segment) and style is not None:
        style = style.update_link(None)
    return Segment(_HOSTILE.sub(_blank, segment.text), style)


def _blank(match: re.Match[str]) -> str:
    return "\N{REPLACEMENT CHARACTER}" * cell_len(match[0])
