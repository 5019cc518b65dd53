"""What a project's own `.hermes.yaml` may set.

A project is often somebody else's work, so its file can make Hermes more careful
but never less, and cannot decide where words, keys and commands go.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from hermes_tui.config.check import Problem, Setting
from hermes_tui.config.keys import Key, dotted
from hermes_tui.config.paths import is_there
from hermes_tui.config.schema import MODES, Mode

PROJECT_FILE = ".hermes.yaml"

Rule = Callable[[Any, Any], str]
"""Given the value so far and the project's: what is wrong with it; empty when it may stand."""


def _free(_before: object, _value: object) -> str:
    return ""


def _stricter_mode(before: Mode, value: Mode) -> str:
    is_looser = MODES.index(value) > MODES.index(before)
    return f"{value!r} is looser than {before!r}" if is_looser else ""


def _smaller(before: int, value: int) -> str:
    return f"{value:,} is more than {before:,}" if value > before else ""


RULES: dict[Key, Rule] = {
    ("agent", "mode"): _stricter_mode,
    ("agent", "max_steps"): _smaller,
    ("agent", "reasoning"): _free,
    ("terminal", "timeout_seconds"): _free,
    ("tools", "disabled"): _free,  # added to the person's own list, see `combined`
    ("tools", "output_limit_chars"): _smaller,
}

REASONS: dict[str, str] = {
    "model": "it decides where your words are sent",
    "providers": "it decides where your words and keys are sent",
    "terminal": "it decides where commands run and what they see",
    "environments": "it decides where commands run and what they see",
}


def find_project_file(folder: Path) -> Path | None:
    """The nearest `.hermes.yaml` from `folder` up to the root of its git repository.

    Outside a repository only `folder` itself is looked at: folders above it may
    belong to anybody.
    """
    chain = [folder, *folder.parents]
    root = next((place for place in chain if is_there(place / ".git")), folder)
    for place in chain[: chain.index(root) + 1]:
        if is_there(place / PROJECT_FILE):
            return place / PROJECT_FILE
    return None


def refusal(setting: Setting, before: object) -> Problem | None:
    """Why a project or variable may not set this; `before` is the value it would replace."""
    rule = RULES.get(setting.key)
    if rule is None:
        reason = REASONS.get(setting.key[0], "it is yours to choose")
    else:
        reason = rule(before, setting.value)
    if not reason:
        return None
    who = "a variable" if setting.origin.layer == "variable" else "a project"
    return Problem(
        f"{who} may not set {dotted(setting.key)!r}: {reason}.",
        "Take it out there, or set it in your own configuration.",
        setting.origin,
    )


def combined(setting: Setting, before: object) -> object:
    """The value after a permitted project setting: lists grow, others are replaced."""
    if isinstance(before, list) and isinstance(setting.value, list):
        lists = cast("list[list[object]]", [before, setting.value])
        return list(dict.fromkeys(item for one in lists for item in one))
    return setting.value
