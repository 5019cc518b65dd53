"""Making sense of what stands on the command line and on stdin."""

import sys
from pathlib import Path

from hermes_tui.config.schema import Mode
from hermes_tui.core.errors import ConfigError
from hermes_tui.models.reasoning import Level
from hermes_tui.runtime.runtime import Overrides
from hermes_tui.safety.modes import MODES


def overrides(
    *,
    model: str,
    environment: str | None,
    cwd: str,
    mode: str,
    yes: bool,
    max_steps: int | None = None,
    reasoning: str = "",
    record: str = "",
) -> Overrides:
    """The options both the screen and `hermes run` take; empty ones were not given.

    An empty `environment` is one that does not exist: nothing runs anywhere else instead.

    Raises:
        ConfigError: there is no such folder or mode.
    """
    if yes and mode not in {"", "full-auto"}:
        raise ConfigError(
            f"--yes means --mode full-auto, and --mode {mode} was given too.",
            hint="Leave one of them out.",
        )
    return Overrides(
        mode=_mode("full-auto" if yes else mode),
        model=model or None,
        environment=environment,
        cwd=_folder(cwd),
        max_steps=max_steps,
        reasoning=_reasoning(reasoning),
        record=record or None,
    )


def whole_prompt(words: list[str]) -> str:
    """The prompt of the command line with what was piped in below it.

    Raises:
        ConfigError: there is neither, or one of them is no UTF-8.
    """
    if any("\udc80" <= character <= "\udcff" for character in " ".join(words)):
        raise ConfigError("The prompt is not UTF-8.", hint="Check the locale and the file names.")
    piped = ""
    if not sys.stdin.isatty():
        try:
            piped = sys.stdin.buffer.read().decode("utf-8")
        except UnicodeDecodeError as error:
            raise ConfigError(
                f"The text on stdin is not UTF-8 (byte {error.start}).",
                hint="Convert it, e.g. with iconv -t utf-8.",
            ) from error
    prompt = "\n\n".join(part for part in (" ".join(words).strip(), piped.strip()) if part)
    if not prompt:
        raise ConfigError("The prompt is empty.", hint='Try: hermes run "what is in this folder?"')
    return prompt


def _folder(path: str) -> Path | None:
    """The folder named with `--cwd`, if one was.

    Raises:
        ConfigError: it is not there.
    """
    if not path:
        return None
    full = Path(path).expanduser().resolve()
    if not full.is_dir():
        raise ConfigError(f"There is no folder {path!r}.", hint="Check --cwd.")
    return full


def _mode(name: str) -> Mode | None:
    """The mode named with `--mode`, if one was.

    Raises:
        ConfigError: there is no such mode.
    """
    if not name:
        return None
    if name in MODES:
        return name
    raise ConfigError(f"There is no mode {name!r}.", hint=f"Choose one of: {', '.join(MODES)}.")


def _reasoning(level: str) -> Level | None:
    match level:
        case "":
            return None
        case "off" | "low" | "high":
            return level
        case _:
            raise ConfigError(
                f"There is no reasoning level {level!r}.", hint="Choose off, low or high."
            )
