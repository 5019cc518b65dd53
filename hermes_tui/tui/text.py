"""Small pieces of text the screen is put together from."""

from pathlib import PurePosixPath

from textual.content import Content

from hermes_tui.safety.terminal_text import visible, visible_line

METER_CELLS = 8


def one_line(text: str, limit: int = 200) -> str:
    """Foreign text on one line of at most `limit` characters."""
    return visible_line(text, limit=limit)


def cell(text: str, cells: int) -> Content:
    """Foreign text in exactly so many cells, whatever the width of its characters."""
    return Content(visible_line(text)).truncate(cells, ellipsis=True, pad=True)


def meter(part: float, cells: int = METER_CELLS) -> Content:
    """A bar of `cells`; amber from 80 %, red from 100 %."""
    full = min(max(round(part * cells), 1 if part > 0 else 0), cells)
    style = "$error" if part >= 1 else "$warning" if part >= 0.8 else "$secondary"
    return Content.assemble(("▰" * full, style), ("▱" * (cells - full), "$border-blurred"))


def count_text(number: int) -> str:
    """A token count in few characters: `980`, `7.6k`, `128k`, `1.2M`."""
    if number < 1_000:
        return str(number)
    if number < 10_000:
        return f"{number / 1_000:.1f}k"
    if number < 1_000_000:
        return f"{number // 1_000}k"
    return f"{number / 1_000_000:.1f}M"


def seconds_text(seconds: float) -> str:
    """A duration in few characters: `0.4 s`, `12 s`, `3 m 05 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    return (
        f"{minutes} m {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} m"
    )


def short_path(path: str, home: str, limit: int = 28) -> str:
    """A path that fits: the home folder as `~`, the front cut off for `…/`."""
    if home and (path == home or path.startswith(home.rstrip("/") + "/")):
        path = f"~{path[len(home.rstrip('/')) :]}"
    path = visible(path)
    parts: tuple[str, ...] = PurePosixPath(path).parts
    while len(path) > limit and len(parts) > 2:
        parts = parts[1:]
        path = "…/" + "/".join(parts)
    return path if len(path) <= limit else "…" + path[-(limit - 1) :]
