"""Which skills another one contradicts and goes before, as the last look at them found."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import msgspec
from msgspec import Struct

from hermes_tui.config.files import read_regular
from hermes_tui.core.errors import ConfigError

MAX_BYTES = 1024 * 1024
"""A longer file counts as none."""


class Contradiction(Struct, frozen=True):
    """Two skills nobody can follow both, and which of them to go by."""

    winner: str
    loser: str
    winner_stamp: str = ""
    """Of its `SKILL.md` when they were looked at."""
    loser_stamp: str = ""


class _Verdicts(Struct, frozen=True):
    open: tuple[Contradiction, ...] = ()


def losers(verdicts_file: Path, stamps: Mapping[str, str] | None = None) -> frozenset[str]:
    """Names of skills that should not be pointed out while their contradictions are open.

    Reads the file when it has changed; none when it is not there or cannot be read.

    Args:
        stamps: Those of the skills there are now, by name; with them only contradictions count
            whose two skills are there and as they were.
    """
    try:
        status = verdicts_file.stat()
    except OSError:
        return frozenset()
    known = _read(verdicts_file, status.st_mtime_ns, status.st_size, status.st_ino)
    return frozenset(one.loser for one in known if stamps is None or _is_open(one, stamps))


def _is_open(one: Contradiction, stamps: Mapping[str, str]) -> bool:
    now = (stamps.get(one.winner), stamps.get(one.loser))
    return now == (one.winner_stamp, one.loser_stamp)


@lru_cache(maxsize=2)
def _read(file: Path, *changed: int) -> tuple[Contradiction, ...]:
    del changed  # what the cache tells a new file by
    try:
        content = read_regular(file, max_bytes=MAX_BYTES).content
        return msgspec.json.decode(content, type=_Verdicts).open
    except (FileNotFoundError, ConfigError, msgspec.MsgspecError):
        return ()
