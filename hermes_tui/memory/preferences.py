"""How the person likes things, learnt from what they say and do, one file a user.

`preferences/<user>.json` counts observations of a value for a key, such as `bullets` for
`output_format`. A value is applied once it was wished for in words, or when at least 80 % of
three or more observations in two or more sessions speak for it.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import anyio.to_thread
import msgspec
from msgspec import Struct, structs

from hermes_tui.config.files import editing, read_regular, replace_file
from hermes_tui.config.paths import shown
from hermes_tui.core.errors import ConfigError, NotFoundError

KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
MAX_VALUE_CHARS = 120
MAX_BYTES = 256 * 1024
MIN_OBSERVATIONS, MIN_SESSIONS, MIN_MEAN = 3, 2, 0.8
SESSIONS_KEPT = 20

SUGGESTED_KEYS = ("output_format", "detail_level", "language", "tone", "code_style", "tools")


class Observed(Struct, frozen=True, omit_defaults=True):
    """What speaks for one value of a key."""

    count: int = 0
    against: int = 0
    """Observations of other values since; they count twice once the value was applied."""
    sessions: tuple[str, ...] = ()
    """Ids, the last ones."""
    is_wished: bool = False
    """The person said so in words."""
    seen_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)

    @property
    def is_applied(self) -> bool:
        mean = (self.count + 1) / (self.count + self.against + 1.25)
        is_seen = self.count >= MIN_OBSERVATIONS and len(self.sessions) >= MIN_SESSIONS
        return self.is_wished or (is_seen and mean >= MIN_MEAN)


Observations = dict[str, dict[str, Observed]]
"""By key, then by value."""


class _File(Struct, frozen=True):
    preferences: Observations = {}
    version: int = 1


class Preferences:
    """The preferences of one user. Every change is one locked, atomic rewrite."""

    def __init__(self, folder: Path, *, user: str = "me") -> None:
        self._path = folder / f"{user}.json"

    @property
    def path(self) -> Path:
        return self._path

    def all(self) -> Observations:
        """Everything observed.

        Raises:
            ConfigError: the file cannot be read or is no JSON of this form.
        """
        try:
            content = read_regular(self._path, max_bytes=MAX_BYTES).content
        except FileNotFoundError:
            return {}
        try:
            return msgspec.json.decode(content, type=_File).preferences
        except msgspec.DecodeError as error:
            raise ConfigError(
                f"{shown(self._path)} is damaged: {error}.",
                hint="Mend it, or move it away; Hermes then learns anew.",
            ) from None

    def applied(self) -> dict[str, str]:
        """The value to go by for each key that has one: the wished one, else the likeliest."""
        chosen: dict[str, str] = {}
        for key, values in sorted(self.all().items()):
            ranked = sorted(
                (seen.is_wished, seen.count - seen.against, seen.seen_at, value)
                for value, seen in values.items()
                if seen.is_applied
            )
            if ranked:
                chosen[key] = ranked[-1][-1]
        return chosen

    async def observe(self, key: str, value: str, *, session: str, at: datetime) -> None:
        """Count one more sign that the person likes `value`.

        Raises:
            ConfigError: key or value cannot be one, or the file cannot be written.
        """
        value = _checked(key, value)
        await self._change(lambda seen: _with_sign(seen, key, value, session, at))

    async def wish(self, key: str, value: str, *, at: datetime) -> None:
        """Apply `value` from now on, because the person said so.

        Raises:
            ConfigError: key or value cannot be one, or the file cannot be written.
        """
        value = _checked(key, value)

        def change(seen: Observations) -> Observations:
            values = {
                other: structs.replace(one, is_wished=False)
                for other, one in seen.get(key, {}).items()
            }
            one = values.get(value, Observed())
            values[value] = structs.replace(one, is_wished=True, seen_at=at)
            return {**seen, key: values}

        await self._change(change)

    async def forget(self, key: str) -> None:
        """Drop everything observed for `key`.

        Raises:
            NotFoundError: nothing was.
        """

        def change(seen: Observations) -> Observations:
            if key not in seen:
                known = ", ".join(sorted(seen)) or "none yet"
                raise NotFoundError(f"There is no preference {key!r}.", hint=f"Known: {known}.")
            return {name: values for name, values in seen.items() if name != key}

        await self._change(change)

    async def _change(self, change: Callable[[Observations], Observations]) -> None:
        def work() -> None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with editing(self._path):
                content = msgspec.json.encode(_File(change(self.all())))
                replace_file(self._path, msgspec.json.format(content, indent=2), mode=0o600)

        await anyio.to_thread.run_sync(work)


def _with_sign(
    seen: Observations, key: str, value: str, session: str, at: datetime
) -> Observations:
    values: dict[str, Observed] = {}
    for other, one in seen.get(key, {}).items():
        cost = 2 if one.is_applied else 1
        values[other] = structs.replace(one, against=one.against + cost)
    one = seen.get(key, {}).get(value, Observed())
    sessions = tuple(dict.fromkeys((*one.sessions, session)))[-SESSIONS_KEPT:]
    values[value] = structs.replace(one, count=one.count + 1, sessions=sessions, seen_at=at)
    return {**seen, key: values}


def _checked(key: str, value: str) -> str:
    """`value` on one line.

    Raises:
        ConfigError: key or value cannot be one.
    """
    if not KEY.fullmatch(key):
        raise ConfigError(
            f"{key!r} is no preference.",
            hint=f"Use small letters and underscores, e.g. {', '.join(SUGGESTED_KEYS)}.",
        )
    value = " ".join(value.split())
    if not value or len(value) > MAX_VALUE_CHARS:
        raise ConfigError(
            f"The value for {key} has {len(value)} characters.",
            hint=f"Use 1 to {MAX_VALUE_CHARS}.",
        )
    return value
