"""The log file: what went wrong and when, without any secret in it."""

import logging
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path

MAX_BYTES = 1_000_000
KEPT_FILES = 3


class _Redacting(logging.Formatter):
    """Formats a line, traceback included, then takes the secrets out of it."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(super().format(record))


def log_to(folder: Path, *, level: str, redact: Callable[[str], str]) -> None:
    """Write `hermes.log` in `folder`, readable by its owner only, for the rest of the process.

    Args:
        level: The least serious kind of line kept: `debug`, `info`, `warning` or `error`.
        redact: Takes secrets out of a line; it sees libraries' lines too.
    """
    path = folder / "hermes.log"
    try:
        path.touch(mode=0o600)
        handler = RotatingFileHandler(
            path, maxBytes=MAX_BYTES, backupCount=KEPT_FILES, encoding="utf-8", delay=True
        )
    except OSError:
        return  # a log is not worth failing for
    handler.setFormatter(_Redacting(redact))
    root = logging.getLogger()
    for earlier in root.handlers:
        if isinstance(earlier, RotatingFileHandler):
            earlier.close()  # of another home in this process
    root.handlers = [handler]
    root.setLevel(level.upper())
    # One line for every request would drown what matters.
    logging.getLogger("httpx").setLevel(logging.WARNING)
