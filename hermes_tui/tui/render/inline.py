"""The inside of a paragraph: emphasis, code, links."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style

from hermes_tui.safety.terminal_text import visible, visible_line
from hermes_tui.tui.render.palette import Palette
from hermes_tui.tui.render.wrap import Line, text_of

if TYPE_CHECKING:
    from markdown_it.token import Token

_MARKS = {"strong_open": "strong", "em_open": "emphasis", "s_open": "struck", "link_open": "link"}


def inline_runs(tokens: Sequence["Token"], base: Style, palette: Palette) -> Line:
    """Runs of text; a line break in the source is a line break on the screen.

    A link shows its address after its text unless they are the same, so that
    nothing can pretend to lead elsewhere. Entities may stand for any character,
    hence everything is made visible once more.
    """
    runs: Line = []
    styles = [base]
    links: list[tuple[int, str]] = []
    for token in tokens:
        match token.type:
            case "softbreak" | "hardbreak":
                runs.append(Segment("\n", base))
            case "code_inline":
                runs.append(Segment(_clean(token.content), styles[-1] + palette.inline_code))
            case "image":
                runs += _image(token, styles[-1], palette)
            case "link_open":
                links.append((len(runs), visible_line(str(token.attrs.get("href", "")))))
                styles.append(styles[-1] + palette.link)
            case "link_close":
                styles.pop()
                start, address = links.pop()
                runs += _address(address, text_of(runs[start:]), palette)
            case kind if kind in _MARKS:
                styles.append(styles[-1] + getattr(palette, _MARKS[kind]))
            case "strong_close" | "em_close" | "s_close":
                styles.pop()
            case _:
                if token.content:
                    runs.append(Segment(_clean(token.content), styles[-1]))
    return runs


def _image(token: "Token", style: Style, palette: Palette) -> Line:
    address = visible_line(str(token.attrs.get("src", "")))
    name = _clean(token.content) or "image"
    return [Segment(name, style + palette.link), *_address(address, name, palette)]


def _address(address: str, text: str, palette: Palette) -> Line:
    if not address or text in {address, address.removeprefix("mailto:")}:
        return []
    return [Segment(f" ({address})", palette.muted)]


def _clean(text: str) -> str:
    return visible(text).replace("\t", "    ")
