"""The direct lane: httpx and server-sent events to any OpenAI-compatible base."""

import re
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import anyio
import msgspec
from msgspec import Struct

from hermes_tui.core.errors import ModelError
from hermes_tui.core.events import Notice
from hermes_tui.core.ports import ModelItem, ModelRequest, Reply
from hermes_tui.models import errors
from hermes_tui.models.assembly import Assembly
from hermes_tui.models.prices import accounted, context_window
from hermes_tui.models.reasoning import direct_fields
from hermes_tui.models.target import Target
from hermes_tui.models.wire import Chunk, Json, decode_chunk, request_body

if TYPE_CHECKING:
    import httpx

MAX_LINE_BYTES = 16 * 1024 * 1024
"""No chunk of an answer is this long; what is, is no chunk."""
MAX_ERROR_BYTES = 64 * 1024
DRAIN_SECONDS = 0.25
"""How long an answer that is complete may take to close."""


class Timeouts(Struct, frozen=True):
    """How long to wait for a server, in seconds."""

    connect: float = 10.0
    first: float = 600.0
    """Until the answer begins; a local model reads a long prompt for minutes."""
    idle: float = 120.0
    """Between two pieces of an answer."""


LOCAL_PATIENCE = 5
"""How many times longer a server on this machine may take until its first word."""


def timeouts_for(target: Target, silence_seconds: float) -> Timeouts:
    """Waits for a provider that may stay silent for `silence_seconds`."""
    patience = LOCAL_PATIENCE if target.is_loopback else 1
    return Timeouts(first=silence_seconds * patience, idle=silence_seconds)


class Concession(Struct, frozen=True):
    """Something a server may refuse that can be left out."""

    pattern: str
    """Words of a 400 answer that ask for it."""
    what: str
    """Said to the person."""


NO_TOOLS = Concession(
    r"does not support (tools|function)|tool choice requires|tools? (is|are) not supported"
    r"|tool use is not supported|no endpoints found that support tool use",
    "takes no tool calls; asking for them as text",
)
NO_STREAM_OPTIONS = Concession(
    r"stream_options|include_usage", "does not report usage; token counts are estimates"
)
NO_REASONING = Concession(
    r"reasoning|chat_template_kwargs|thinking", "does not let its thinking be set; going on without"
)


class DirectModel:
    """A model behind an OpenAI-compatible address.

    Opened lazily, kept open between calls; `aclose` ends it.
    """

    def __init__(self, target: Target, *, timeouts: Timeouts | None = None) -> None:
        self._target = target
        self._timeouts = timeouts or Timeouts()
        self._client: httpx.AsyncClient | None = None
        self._is_text_mode = target.tool_calls == "text"
        self._wants_usage = True
        self._reasoning_fields = direct_fields(target.reasoning, provider=target.provider)
        self._context_window = target.context_window

    @property
    def name(self) -> str:
        return self._target.name

    @property
    def context_window(self) -> int | None:
        return self._context_window

    async def aclose(self) -> None:
        """Close connections; the next call opens new ones."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        """Yield deltas, then the `Reply`. Cancelling closes the socket.

        Raises:
            ModelError: nothing answered, or not with a chat completion.
        """
        refusal = None
        for _ in range(4):
            try:
                async with aclosing(self._attempt(request)) as attempt:
                    async for item in attempt:
                        yield item
                return
            except _RefusedBody as caught:
                refusal = caught
                concession = self._concede(caught.body)
                if concession is None:
                    raise caught.error from None
                yield Notice(f"{self._target.title} {concession.what}.")
        if refusal is not None:
            raise refusal.error

    def _concede(self, body: str) -> Concession | None:
        """Leave out what a server says it cannot do, once each."""
        if not self._is_text_mode and re.search(NO_TOOLS.pattern, body, re.IGNORECASE):
            self._is_text_mode = True
            return NO_TOOLS
        if self._wants_usage and re.search(NO_STREAM_OPTIONS.pattern, body, re.IGNORECASE):
            self._wants_usage = False
            return NO_STREAM_OPTIONS
        if self._reasoning_fields and re.search(NO_REASONING.pattern, body, re.IGNORECASE):
            self._reasoning_fields = {}
            return NO_REASONING
        return None

    async def _attempt(self, request: ModelRequest) -> AsyncGenerator[ModelItem, None]:
        body = request_body(
            request,
            model=self._target.model,
            is_text_mode=self._is_text_mode,
            wants_usage=self._wants_usage,
            extra=self._target.extra_body | self._reasoning_fields,
        )
        assembly = Assembly(request, is_text_mode=self._is_text_mode)
        response = await self._send(body)
        try:
            async with aclosing(self._chunks(response)) as chunks:
                async for chunk in chunks:
                    for delta in assembly.add(chunk):
                        yield delta
        finally:
            with anyio.CancelScope(shield=True):  # the socket must not outlive the call
                await response.aclose()
        if assembly.finish_reason == "content_filter" and assembly.is_empty:
            raise errors.refused_content(self._target)
        deltas, reply = assembly.finish()
        for delta in deltas:
            yield delta
        yield await self._accounted(reply)

    async def _accounted(self, reply: Reply) -> Reply:
        if self._context_window is None:
            self._context_window = await context_window(self._target)
        usage = await accounted(reply.usage, self._target)
        return msgspec.structs.replace(reply, usage=usage)

    async def _send(self, body: Json) -> "httpx.Response":
        """The response with its head read, its body not; only of status 2xx."""
        target = self._target
        client = self._opened()
        httpx = load_httpx()
        request = client.build_request(
            "POST",
            f"{target.base_url}/chat/completions",
            content=msgspec.json.encode(body),
            headers=self._headers(),
        )
        try:
            with anyio.fail_after(self._timeouts.first):
                response = await client.send(request, stream=True)
        except TimeoutError:
            raise errors.timed_out(target, "no answer", self._timeouts.first) from None
        except httpx.ConnectTimeout:
            reason = f"no connection within {self._timeouts.connect:g} seconds"
            raise errors.unreachable(target, reason) from None
        except (httpx.ConnectError, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise errors.unreachable(target, failure_reason(error)) from None
        except httpx.HTTPError:
            raise errors.cut_off(target) from None
        if not response.is_success:
            await self._refuse(response)
        return response

    async def _refuse(self, response: "httpx.Response") -> None:
        """Raise what a status that is no success means."""
        try:
            text = await self._read_text(response)
        finally:
            await response.aclose()
        error = errors.error_for(
            self._target, status=response.status_code, body=text, headers=response.headers
        )
        if response.status_code in {400, 404, 422, 501}:
            raise _RefusedBody(error, text)
        raise error

    async def _read_text(self, response: "httpx.Response") -> str:
        """What can be had of an error's body, bounded; a body that breaks off is no new error."""
        httpx = load_httpx()
        found = b""
        try:
            with anyio.move_on_after(self._timeouts.idle):
                async for block in response.aiter_bytes():
                    found += block
                    if len(found) >= MAX_ERROR_BYTES:
                        break
        except httpx.HTTPError:
            pass
        return found.decode("utf-8", "replace")

    async def _chunks(self, response: "httpx.Response") -> AsyncGenerator[Chunk, None]:
        """The chunks of an answer.

        Raises:
            ModelUnavailableError: it stalls, is cut, or is no answer.
        """
        is_complete = has_choices = False
        strange = b""
        lines = _lines(self._blocks(response), is_whole=_is_json(response))
        async with aclosing(lines):
            async for line in lines:
                data = _data_of(line)
                if data is None:
                    strange = strange or line.strip()
                    continue
                if data == b"[DONE]":
                    is_complete = True
                    await _drain(lines)
                    break
                chunk = self._decoded(data)
                if not chunk.choices:
                    strange = strange or data
                for choice in chunk.choices or ():
                    has_choices = True
                    is_complete = is_complete or choice.finish_reason is not None
                yield chunk
        if not is_complete and strange and not has_choices:
            raise errors.not_chat(self._target, strange[:200].decode("utf-8", "replace"))
        if not is_complete:
            raise errors.cut_off(self._target)

    def _decoded(self, data: bytes) -> Chunk:
        try:
            chunk = decode_chunk(data)
        except msgspec.DecodeError:
            excerpt = data[:200].decode("utf-8", "replace")
            raise errors.not_chat(self._target, excerpt) from None
        if chunk.error:
            text = msgspec.json.encode({"error": chunk.error}).decode()
            raise errors.error_for(self._target, status=_status_in(chunk.error), body=text)
        return chunk

    async def _blocks(self, response: "httpx.Response") -> AsyncGenerator[bytes, None]:
        """The body as it arrives, each wait bounded."""
        httpx = load_httpx()
        blocks = response.aiter_bytes()
        seconds, what = self._timeouts.first, "no answer"
        while True:
            try:
                with anyio.fail_after(seconds):
                    block = await anext(blocks, None)
            except TimeoutError:
                raise errors.timed_out(self._target, what, seconds) from None
            except httpx.HTTPError:
                raise errors.cut_off(self._target) from None
            if block is None:
                return
            yield block
            seconds, what = self._timeouts.idle, "nothing more"

    def _headers(self) -> dict[str, str]:
        headers = {"content-type": "application/json", "accept": "text/event-stream"}
        if self._target.api_key:
            headers["authorization"] = f"Bearer {self._target.api_key}"
        return headers | self._target.headers

    def _opened(self) -> "httpx.AsyncClient":
        if self._client is None:
            self._client = open_client(self._target, connect_seconds=self._timeouts.connect)
        return self._client


class _RefusedBody(Exception):  # noqa: N818  carries an error, is none
    """A refused request, with the words a concession may be read from."""

    def __init__(self, error: ModelError, body: str) -> None:
        super().__init__(str(error))
        self.error = error
        self.body = body


def open_client(target: Target, *, connect_seconds: float) -> "httpx.AsyncClient":
    """Connections to where `target` is served; all but connecting waits as long as it takes."""
    load_httpx()
    import httpx

    return httpx.AsyncClient(
        timeout=httpx.Timeout(None, connect=connect_seconds),
        # Reading the certificate bundle takes longer than a plain call; a base
        # without TLS needs none.
        verify=not target.base_url.startswith("http://"),
        # A proxy from the environment would be asked for this machine's own servers.
        trust_env=not target.is_loopback,
        headers={"user-agent": "hermes-tui"},
    )


def load_httpx() -> Any:
    """httpx, imported at first use and without its command line client.

    `import httpx` also loads that client, and with it Rich, click and Pygments where
    they are installed: three quarters of its import time.
    """
    if "httpx" not in sys.modules:
        sys.modules.setdefault("httpx._main", None)  # pyright: ignore[reportArgumentType]
    return import_module("httpx")


def _is_json(response: "httpx.Response") -> bool:
    """Whether the answer is one JSON document, not a stream."""
    return "json" in response.headers.get("content-type", "")


async def _lines(
    blocks: AsyncGenerator[bytes, None], *, is_whole: bool
) -> AsyncGenerator[bytes, None]:
    """Lines without their ends, the last one even if nothing ends it.

    `is_whole` takes everything as one line, unless it is a stream after all.
    """
    rest = b""
    async with aclosing(blocks):
        async for block in blocks:
            rest += block
            if not is_whole or rest.startswith(b"data:"):
                *lines, rest = rest.split(b"\n")
                for line in lines:
                    yield line
            if len(rest) > MAX_LINE_BYTES:
                break
    if rest:
        yield rest


async def _drain(lines: AsyncGenerator[bytes, None]) -> None:
    """Read to the end of a finished answer, so that its connection can be used again."""
    with suppress(ModelError), anyio.move_on_after(DRAIN_SECONDS):
        async for _ in lines:
            pass


def _data_of(line: bytes) -> bytes | None:
    """What a line carries: an event's data, or a whole JSON answer; None for all else."""
    line = line.strip()
    if line.startswith(b"data:"):
        return line[5:].strip() or None
    return line if line.startswith(b"{") else None


def _status_in(error: Any) -> int | None:
    """The HTTP status some servers put into an error that comes inside a stream."""
    code = cast("Json", error).get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) and 400 <= code < 600 else None


def failure_reason(error: Exception) -> str:
    """Why a connection failed, in words without an errno."""
    text = str(error.__cause__ or error) or type(error).__name__
    return re.sub(r"^\[[^\]]*\]\s*", "", text).rstrip(".").lower()
