"""The colours and glyphs everything is drawn with; the one place that names any."""

from collections.abc import Mapping
from functools import lru_cache

from msgspec import Struct
from rich.color import Color as RichColor
from rich.style import Style
from textual.color import Color, ColorParseError

FALLBACK = {
    "foreground": "#d5d8df",
    "background": "#0f1218",
    "primary": "#d8a657",
    "secondary": "#7daea3",
    "accent": "#d8a657",
    "success": "#8fb573",
    "warning": "#e0a458",
    "error": "#e07a6b",
}
"""For variables a theme does not have, and for tests."""

BLUES = {True: ("#7c9fd4", "#b892c8"), False: ("#2f5f9f", "#7b4b8f")}
"""Blue and magenta of programs on dark and on light ground; themes have neither."""


class Glyphs(Struct, frozen=True):
    """Marks of one cell each in every terminal that does not widen ambiguous characters."""

    bar: str = "▌"
    quote: str = "▎"
    rule: str = "─"
    folded: str = "▸"
    unfolded: str = "▾"
    done: str = "✓"
    failed: str = "✗"
    waiting: str = "◌"
    todo: str = "☐"
    checked: str = "☑"
    doing: str = "▸"
    bullets: str = "•∘▪"
    note: str = "∙"
    alert: str = "▲"
    down: str = "↓"
    spinner: str = "⣾⣽⣻⢿⡿⣟⣯⣷"


ASCII_GLYPHS = Glyphs(
    bar="|", quote="|", rule="-", folded=">", unfolded="v", done="+", failed="x", waiting=".",
    todo="-", checked="+", doing=">", bullets="*-+", note="-", alert="!", down="v",
    spinner="|/-\\",
)  # fmt: skip


class Palette(Struct, frozen=True):
    """A style for each role a piece of text can have. Backgrounds only where a role tints."""

    text: Style
    muted: Style
    faint: Style
    accent: Style
    strong: Style
    emphasis: Style
    struck: Style
    heading: Style
    subheading: Style
    inline_code: Style
    code: Style
    """Ground of a code block: text colour on a tint."""
    link: Style
    user: Style
    """The person's words, on a tint."""
    user_bar: Style
    cursor: Style
    success: Style
    warning: Style
    error: Style
    running: Style
    hint: Style
    """The new-lines hint: readable on top of anything."""
    added: Style
    added_strong: Style
    removed: Style
    removed_strong: Style
    keyword: Style
    string: Style
    number: Style
    comment: Style
    function: Style
    type_name: Style
    operator: Style
    terminal: tuple[RichColor, ...]
    """What programs mean by colours 0 to 15."""
    glyphs: Glyphs = Glyphs()

    @classmethod
    def from_variables(
        cls, variables: Mapping[str, str], *, glyphs: Glyphs | None = None
    ) -> "Palette":
        """A palette from a theme's CSS variables; what is missing or unreadable has a fallback."""
        known = tuple((name, variables.get(name, "")) for name in FALLBACK)
        return _palette(known, glyphs or Glyphs())


@lru_cache(maxsize=8)
def _palette(variables: tuple[tuple[str, str], ...], glyphs: Glyphs) -> Palette:
    color = {name: _parse(value, FALLBACK[name]) for name, value in variables}
    ground, text = color["background"], color["foreground"]

    def ink(name: str, share: float = 1.0, *, bold: bool = False, italic: bool = False) -> Style:
        return Style(
            color=_mix(ground, color[name], share).rich_color,
            bold=bold or None,
            italic=italic or None,
        )

    def tint(name: str, share: float) -> Style:
        if ground.ansi is not None or color[name].ansi is not None:
            return Style(reverse=True) if share > STRONG else Style.null()
        return Style(bgcolor=ground.blend(color[name], share, alpha=1).rich_color)

    plain = ink("foreground")
    return Palette(
        text=plain,
        muted=ink("foreground", 0.58),
        faint=ink("foreground", 0.34),
        accent=ink("accent"),
        strong=Style(bold=True),
        emphasis=Style(italic=True),
        struck=Style(strike=True),
        heading=ink("primary", bold=True),
        subheading=Style(color=text.rich_color, bold=True),
        inline_code=ink("secondary"),
        code=plain + tint("foreground", 0.05),
        link=ink("secondary") + Style(underline=True),
        user=plain + tint("primary", 0.09),
        user_bar=ink("primary") + tint("primary", 0.09),
        cursor=ink("accent"),
        success=ink("success"),
        warning=ink("warning"),
        error=ink("error"),
        running=ink("accent"),
        hint=ink("accent", bold=True) + tint("accent", 0.16),
        added=ink("foreground", 0.92) + tint("success", 0.13),
        added_strong=plain + tint("success", 0.32),
        removed=ink("foreground", 0.80) + tint("error", 0.13),
        removed_strong=plain + tint("error", 0.32),
        keyword=ink("primary"),
        string=ink("success"),
        number=ink("warning"),
        comment=ink("foreground", 0.45, italic=True),
        function=ink("secondary"),
        type_name=ink("secondary", bold=True),
        operator=ink("foreground", 0.75),
        terminal=_terminal(color),
        glyphs=glyphs,
    )


STRONG = 0.3


def _terminal(color: Mapping[str, Color]) -> tuple[RichColor, ...]:
    """The sixteen colours of programs in the theme's own; the bright ones differ in grey only."""
    ground, text = color["background"], color["foreground"]
    if ground.ansi is not None or text.ansi is not None:
        return tuple(RichColor.from_ansi(number) for number in range(16))
    blue, magenta = map(Color.parse, BLUES[ground.brightness < 0.5])
    middle = (
        color["error"], color["success"], color["warning"], blue, magenta, color["secondary"],
    )  # fmt: skip
    grey, pale = _mix(ground, text, 0.45), _mix(ground, text, 0.8)
    shades = (_mix(ground, text, 0.3), *middle, pale, grey, *middle, text)
    return tuple(shade.rich_color for shade in shades)


def _parse(value: str, fallback: str) -> Color:
    try:
        return Color.parse(value)
    except ColorParseError:
        return Color.parse(fallback)


def _mix(ground: Color, color: Color, share: float) -> Color:
    """`color` let down towards `ground`; terminal colours cannot be mixed and stay as they are."""
    if share == 1.0 or ground.ansi is not None or color.ansi is not None:
        return color
    return ground.blend(color, share, alpha=1)


DEFAULT = Palette.from_variables(FALLBACK)
