"""Recording model calls to a file, and playing them back offline.

A cassette has one JSON object per line: a header, then one `Call` for each model
call in the order they finished. It holds what was said, not how it was fetched:
no headers and no keys; values given as `secrets` are blanked out wherever they
appear.
"""

import hashlib
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec
from msgspec import Struct

from hermes_tui.core.errors import ConfigError, ModelError
from hermes_tui.core.events import Notice, ReasoningDelta, TextDelta
from hermes_tui.core.ports import Model, ModelItem, ModelRequest, Reply
from hermes_tui.models.wrapped import WrappedModel

Delta = TextDelta | ReasoningDelta | Notice

VERSION = 1
BLANK = "[redacted]"


class Header(Struct, frozen=True, tag="cassette"):
    """The first line."""

    version: int
    model: str
    context_window: int | None


class Call(Struct, frozen=True, tag="call"):
    """One model call that came to its end."""

    digest: str
    """Of the request, to tell a replay that left the recorded path."""
    items: tuple[Delta, ...]
    reply: Reply


Line = Header | Call


class RecordingModel(WrappedModel):
    """Passes another model's answers through and appends each to a cassette.

    An existing cassette is continued, so that a resumed session stays one recording.
    """

    def __init__(self, inner: Model, path: Path, *, secrets: Iterable[str] = ()) -> None:
        super().__init__(inner)
        self._path = path
        self._secrets = sorted(set(secrets), key=len, reverse=True)
        self._has_begun = False

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        """Yield what the inner model yields; a finished call is on disk before its reply.

        Raises:
            ConfigError: the cassette cannot be written, or the file is something else.
            ModelError: the inner model failed; such a call is not recorded.
        """
        if not self._has_begun:
            self._has_begun = True
            if before := await anyio.to_thread.run_sync(self._recorded_before):
                calls = f"{before:,} model call{'' if before == 1 else 's'}"
                yield Notice(f"{self._path} holds {calls} already; new ones are added to them.")
        items: list[Delta] = []
        async with aclosing(self._inner.stream(request)) as stream:
            async for item in stream:
                if isinstance(item, Reply):
                    call = Call(digest(request), self._storable(items), item)
                    await anyio.to_thread.run_sync(self._append, call)
                else:
                    items.append(item)
                yield item

    def _recorded_before(self) -> int:
        """How many calls the file holds; raises what `read_cassette` raises."""
        if not self._path.exists() or self._path.stat().st_size == 0:
            return 0
        return len(read_cassette(self._path)[1])

    def _storable(self, items: Sequence[Delta]) -> tuple[Delta, ...]:
        """The items; joined where a secret is spread over several, so that it can be seen."""
        texts = {
            kind: "".join(item.text for item in items if isinstance(item, kind))
            for kind in (ReasoningDelta, TextDelta)
        }
        if not any(secret in text for secret in self._secrets for text in texts.values()):
            return tuple(items)
        notices = [item for item in items if isinstance(item, Notice)]
        return (*notices, *(kind(text) for kind, text in texts.items() if text))

    def _append(self, call: Call) -> None:
        try:
            with self._path.open("ab") as file:
                if file.tell() == 0:
                    self._path.chmod(0o600)
                    file.write(self._line(Header(VERSION, self.name, self.context_window)))
                file.write(self._line(call))
        except OSError as error:
            raise ConfigError(
                f"The recording {str(self._path)!r} cannot be written: {error.strerror}.",
                hint="Give `--record` a file in a directory you may write to.",
            ) from error

    def _line(self, line: Line) -> bytes:
        text = msgspec.json.encode(line).decode()
        for secret in self._secrets:
            # As the value stands inside a JSON string.
            text = text.replace(msgspec.json.encode(secret).decode()[1:-1], BLANK)
        return text.encode() + b"\n"


class ReplayModel:
    """Plays a cassette back, one recorded call for each request.

    When a request differs from the recorded one, a notice says so once and the
    recording goes on.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._header: Header | None = None
        self._calls: list[Call] = []
        self._position = 0
        self._has_warned = False

    @property
    def name(self) -> str:
        return f"replay:{self._path}"

    @property
    def context_window(self) -> int | None:
        return self._header.context_window if self._header else None

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        """Yield the next recorded call.

        Raises:
            ConfigError: the cassette is not there or is none.
            ModelError: it has no more calls.
        """
        if self._header is None:
            self._header, self._calls = await anyio.to_thread.run_sync(read_cassette, self._path)
        if self._position >= len(self._calls):
            count = len(self._calls)
            raise ModelError(
                f"The recording {str(self._path)!r} is at its end after "
                f"{count} model call{'' if count == 1 else 's'}.",
                hint="Replay only the prompts that were recorded, or choose another `--model`.",
            )
        call = self._calls[self._position]
        self._position += 1
        if call.digest != digest(request) and not self._has_warned:
            self._has_warned = True
            yield Notice("This request differs from the recorded one.", "warning")
        for item in call.items:
            await anyio.lowlevel.checkpoint()
            yield item
        yield call.reply


def read_cassette(path: Path) -> tuple[Header, list[Call]]:
    """A cassette's header and calls.

    Raises:
        ConfigError: it cannot be read, or a line is none of a cassette.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"The recording {str(path)!r} cannot be read: {error.strerror}.",
            hint="Record one with `hermes run --record FILE`.",
        ) from error
    lines: list[Line] = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            lines.append(msgspec.json.decode(line, type=Line))
        except msgspec.DecodeError as error:
            raise ConfigError(
                f"Line {number} of {str(path)!r} is no recorded model call: {error}.",
                hint="Record it again with `hermes run --record FILE`.",
            ) from error
    match lines:
        case [Header(version=1) as header, *rest]:
            return header, [line for line in rest if isinstance(line, Call)]
        case _:
            raise ConfigError(
                f"{str(path)!r} is no recording this version can read.",
                hint="Record one with `hermes run --record FILE`.",
            )


def digest(request: ModelRequest) -> str:
    """What tells one conversation from another, whatever the day and directory in the prompt."""
    return hashlib.sha256(msgspec.json.encode(request.messages)).hexdigest()[:16]
