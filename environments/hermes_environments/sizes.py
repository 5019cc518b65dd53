"""Amounts of memory as people write them."""

import re

from hermes_tui.core.errors import ConfigError

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_MEBIBYTES = {"k": 1 / 1024, "": 1.0, "m": 1.0, "g": 1024.0, "t": 1024.0 * 1024}


def amount(text: str | float) -> tuple[float, str] | None:
    """The number of, say, `1.5 GiB`, and its unit: empty, k, m, g or t; None if it is none."""
    found = _SIZE.fullmatch(str(text).strip())
    return (float(found[1]), found[2].lower()) if found else None


def mebibytes(size: int | str) -> int:
    """`2G`, `512m` or a bare number of MiB, rounded up.

    Raises:
        ConfigError: it is no such amount.
    """
    found = amount(size)
    if found is None or found[0] == 0:
        raise ConfigError(f"{size!r} is not an amount of memory.", hint="Write it like 512M or 2G.")
    exact = found[0] * _MEBIBYTES[found[1]]
    return max(1, int(exact) + (exact > int(exact)))
