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
from hermes_tui.core.errors import ConfigError, HermesError, NotFoundError, RefusedError
from hermes_tui.safety.scanner import blocks, scan

KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
MAX_VALUE_CHARS = 120
MAX_BYTES = 256 * 1024
VALUES_KEPT = 20
"""Of one key; those with least for them go."""
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


Values = dict[str, Observed]
Observations = dict[str, Values]
"""By key, then by value."""


class Counted(Struct, frozen=True):
    """What one sign or wish did."""

    key: str
    before: Values
    """What was observed of the key until then."""
    value: str
    """The one that counts now; empty for none."""
    was: str
    """The one that counted until then."""


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
        found = {key: _applied(values) for key, values in sorted(self.all().items())}
        return {key: value for key, value in found.items() if value}

    async def observe(self, key: str, value: str, *, session: str, at: datetime) -> Counted:
        """Count one more sign that the person likes `value`.

        Raises:
            RefusedError: the write scan blocks the value.
            ConfigError: key or value cannot be one, or the file is damaged.
            HermesError: the file cannot be written.
        """
        value = await anyio.to_thread.run_sync(_checked, key, value)
        return await self._count(key, lambda seen: _with_sign(seen, key, value, session, at))

    async def wish(self, key: str, value: str, *, at: datetime) -> Counted:
        """Apply `value` from now on, because the person said so.

        Raises:
            RefusedError: the write scan blocks the value.
            ConfigError: key or value cannot be one, or the file is damaged.
            HermesError: the file cannot be written.
        """
        value = await anyio.to_thread.run_sync(_checked, key, value)

        def change(seen: Observations) -> Observations:
            values = {
                other: structs.replace(one, is_wished=False)
                for other, one in seen.get(key, {}).items()
            }
            one = values.get(value, Observed())
            values[value] = structs.replace(one, is_wished=True, seen_at=at)
            return {**seen, key: values}

        return await self._count(key, change)

    async def put_back(self, counted: Counted) -> None:
        """Let a key have what was observed of it before something was counted.

        Raises:
            ConfigError: the file cannot be read or written.
        """

        def change(seen: Observations) -> Observations:
            others = {key: values for key, values in seen.items() if key != counted.key}
            return {**others, counted.key: counted.before} if counted.before else others

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

    async def _count(self, key: str, change: Callable[[Observations], Observations]) -> Counted:
        before, after = await self._change(change)
        values = before.get(key, {})
        return Counted(key, values, _applied(after[key]), _applied(values))

    async def _change(
        self, change: Callable[[Observations], Observations]
    ) -> tuple[Observations, Observations]:
        """What was observed before, and what is now."""

        def work() -> tuple[Observations, Observations]:
            _make_folder(self._path.parent)
            with editing(self._path):
                before = self.all()
                after = {key: _best(values) for key, values in change(before).items()}
                content = msgspec.json.format(msgspec.json.encode(_File(after)), indent=2)
                if len(content) > MAX_BYTES:
                    raise ConfigError(
                        f"{shown(self._path)} would have {len(content):,} bytes; at most "
                        f"{MAX_BYTES:,} are read.",
                        hint="Forget some with `hermes memory unprefer KEY`.",
                    )
                replace_file(self._path, content, mode=0o600)
                return before, after

        return await anyio.to_thread.run_sync(work)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise HermesError(
            f"{shown(folder)} cannot be used: {error.strerror}.",
            hint="Make it a folder you can write to.",
        ) from None


def _applied(values: Values) -> str:
    """The value to go by; empty for none."""
    ranked = sorted((_rank(one), value) for value, one in values.items() if one.is_applied)
    return ranked[-1][-1] if ranked else ""


def _best(values: Values) -> Values:
    ranked = sorted(values, key=lambda value: (values[value].is_applied, _rank(values[value])))
    kept = set(ranked[-VALUES_KEPT:])
    return {value: one for value, one in values.items() if value in kept}


def _rank(one: Observed) -> tuple[bool, int, datetime]:
    return one.is_wished, one.count - one.against, one.seen_at


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
        RefusedError: the write scan blocks it.
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
    if hard := blocks(scan(value)):
        raise RefusedError(
            f"This value for {key} was not kept: {hard[0].reason}",
            hint=f"It is about {hard[0].excerpt!r}. Say it in a few plain words.",
        )
    return value
