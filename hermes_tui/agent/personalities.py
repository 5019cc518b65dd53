"""Manners the agent can take on for a session, on top of who it is."""

import re
from pathlib import Path

from msgspec import Struct

from hermes_tui.config.paths import shown
from hermes_tui.core.errors import ConfigError, NotFoundError

MAX_CHARS = 8_000
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

PRESETS = {
    "technical": (
        "Talk as one engineer to another. Exact terms, commands and figures; name trade-offs, "
        "limits and what you did not check. No introductions, no analogies, no praise."
    ),
    "creative": (
        "Think widely before you narrow down. Offer several different ideas, at least one of "
        "them unusual, and say what speaks for each. Lively words are welcome in prose; code, "
        "commands and facts stay exact."
    ),
    "teacher": (
        "Help the person understand. Say why before how, build on what they know, explain a new "
        "term when it first comes up, show a small example, and end with one question or "
        "exercise that lets them try it themselves."
    ),
}


class Personality(Struct, frozen=True):
    """One manner."""

    name: str
    text: str
    """What the system prompt says of it."""
    is_own: bool
    """A file of the person, not a preset."""


def personalities(folder: Path) -> list[Personality]:
    """The presets and the person's own, by name; an own `creative.md` replaces the preset."""
    found = {name: Personality(name, text, is_own=False) for name, text in PRESETS.items()}
    try:
        files = sorted(folder.glob("*.md"))
    except OSError:
        files = []
    for file in files:
        if NAME.fullmatch(file.stem) and (text := _text_of(file)):
            found[file.stem] = Personality(file.stem, text, is_own=True)
    return [found[name] for name in sorted(found)]


def find_personality(folder: Path, name: str) -> Personality:
    """The one called `name`.

    Raises:
        NotFoundError: there is none.
        ConfigError: its file is empty or cannot be read.
    """
    for one in personalities(folder):
        if one.name == name:
            return one
    file = folder / f"{name}.md"
    if NAME.fullmatch(name) and file.exists():
        raise ConfigError(
            f"{shown(file)} is empty or cannot be read.", hint="Write the manner into it."
        )
    names = ", ".join(one.name for one in personalities(folder))
    own = f"; or describe your own in {shown(file)}" if NAME.fullmatch(name) else ""
    raise NotFoundError(
        f"There is no personality {name!r}.", hint=f"Choose one of: {names}, none{own}."
    )


def _text_of(file: Path) -> str:
    try:
        with file.open(encoding="utf-8", errors="replace") as opened:
            return opened.read(MAX_CHARS).strip()
    except OSError:
        return ""
