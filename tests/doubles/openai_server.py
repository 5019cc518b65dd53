"""A local OpenAI-compatible server without latency, for tests and benchmarks.

    python -m tests.doubles.openai_server --port 0 [--tool-calls N] [--text TEXT]

prints its base URL and serves until it is stopped. In tests,
`async with serve(Answer("hi"), error(429, "slow down")) as server:` gives one
answer to each request, in order, then `default` for ever.
"""

import argparse
import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from msgspec import Struct

from tests.doubles.meaning import vector_of

Json = dict[str, Any]

USAGE: Json = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


class Answer(Struct, frozen=True):
    """What the server says to one request."""

    text: str = "hello"
    calls: tuple[tuple[str, str], ...] = ()
    """(name, arguments) of tool calls."""
    reasoning: str = ""
    usage: Json | None = msgspec.field(default_factory=lambda: dict(USAGE))
    finish_reason: str = ""
    """Empty for `tool_calls` or `stop`, whichever fits."""
    chunks: tuple[Json, ...] = ()
    """Sent as they are in place of all the above."""
    piece_chars: int = 4
    status: int = 200
    headers: dict[str, str] = {}
    body: str = ""
    """Sent as it is, in place of a stream."""
    content_type: str = "application/json"
    cut_after: int | None = None
    """Close the connection after this many chunks."""
    stall_after: int | None = None
    """Send nothing after this many chunks, until the client goes."""


def error(
    status: int, message: str, *, code: str = "", headers: dict[str, str] | None = None
) -> Answer:
    """A refusal as OpenAI words it."""
    body = {"error": {"message": message, "type": code or "error", "code": code or None}}
    return Answer(status=status, body=msgspec.json.encode(body).decode(), headers=headers or {})


def call(*wanted: tuple[str, str]) -> Answer:
    """An answer of tool calls only."""
    return Answer("", calls=wanted)


class OpenAIServer:
    """Answers from a list and keeps what it was asked."""

    def __init__(
        self, answers: Sequence[Answer], default: Answer | Callable[[Json], Answer]
    ) -> None:
        self._answers = list(answers)
        self._default = default
        self.requests: list[Json] = []
        self.headers: list[dict[str, str]] = []
        self.models: list[Json] = [{"id": "double", "object": "model"}]
        self.embedded: list[Json] = []
        """Bodies of the requests for vectors."""
        self.embeddings: list[Answer] = []
        """Sent in place of vectors, one a request; `stall_after` sends nothing at all."""
        self.paths: dict[str, Json] = {}
        """Further GET answers, by path."""
        self.connections = 0
        self.gone = asyncio.Event()
        """Set when a client left while it was being answered."""
        self.stalled = asyncio.Event()
        """Set when the server has begun to stall."""
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side closes it."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while await self._serve_one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            self.gone.set()
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def stop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError:
            return False
        start, *lines = head.split("\r\n")
        method, path, _ = start.split(" ", 2)
        headers = {
            name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)
        }
        body = await reader.readexactly(int(headers.get("content-length") or 0))
        if method == "POST" and path.endswith("/chat/completions"):
            return await self._complete(body, headers, reader, writer)
        if method == "POST" and path.endswith("/embeddings"):
            return await self._embed(body, headers, reader, writer)
        found = self.paths.get(path)
        if path == "/v1/models":
            found = {"object": "list", "data": self.models}
        status = 404 if found is None else 200
        await _send(writer, status, msgspec.json.encode(found or {"error": "Not Found"}))
        return True

    async def _complete(
        self,
        body: bytes,
        headers: dict[str, str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        request: Json = msgspec.json.decode(body)
        self.requests.append(request)
        self.headers.append(headers)
        if self._answers:
            answer = self._answers.pop(0)
        else:
            answer = self._default(request) if callable(self._default) else self._default
        if answer.body:
            await _send(
                writer, answer.status, answer.body.encode(), answer.headers, answer.content_type
            )
            return True
        if not request.get("stream"):
            await _send(writer, 200, msgspec.json.encode(_whole(answer)), answer.headers)
            return True
        return await self._stream(answer, reader, writer)

    async def _embed(
        self,
        body: bytes,
        headers: dict[str, str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        request: Json = msgspec.json.decode(body)
        self.embedded.append(request)
        self.headers.append(headers)
        if self.embeddings:
            answer = self.embeddings.pop(0)
            if answer.stall_after is not None:
                self.stalled.set()
                if not await reader.read(1):
                    self.gone.set()
                return False
            await _send(
                writer, answer.status, answer.body.encode(), answer.headers, answer.content_type
            )
            return True
        texts: list[str] = request["input"]
        tokens = sum(len(text.split()) for text in texts)
        data = [
            {"object": "embedding", "index": at, "embedding": vector_of(text)}
            for at, text in enumerate(texts)
        ]
        answer = {"object": "list", "data": data[::-1], "model": request["model"],
                  "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}  # fmt: skip
        await _send(writer, 200, msgspec.json.encode(answer))
        return True

    async def _stream(
        self, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        chunks = list(answer.chunks) or chunks_of(answer)
        limits = [one for one in (answer.cut_after, answer.stall_after) if one is not None]
        shown = chunks[: min(limits)] if limits else chunks
        _head(writer, 200, "text/event-stream", {"transfer-encoding": "chunked"} | answer.headers)
        for chunk in shown:
            _write_event(writer, msgspec.json.encode(chunk))
        await writer.drain()
        if answer.stall_after is not None:
            self.stalled.set()
            if not await reader.read(1):
                self.gone.set()
            return False
        if answer.cut_after is not None:
            writer.transport.abort()
            return False
        _write_event(writer, b"[DONE]")
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True


def chunks_of(answer: Answer) -> list[Json]:
    """The stream of one answer, in small pieces."""
    size = answer.piece_chars

    def pieces(text: str) -> list[str]:
        return [text[at : at + size] for at in range(0, len(text), size)]

    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": piece} for piece in pieces(answer.reasoning)]
    deltas += [{"content": piece} for piece in pieces(answer.text)]
    for index, (name, arguments) in enumerate(answer.calls):
        first = {"name": name, "arguments": ""}
        id_ = f"call_{index}_{name}"
        deltas.append(
            {"tool_calls": [{"index": index, "id": id_, "type": "function", "function": first}]}
        )
        deltas += [
            {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
            for piece in pieces(arguments)
        ]
    reason = answer.finish_reason or ("tool_calls" if answer.calls else "stop")
    chunks = [_chunk([{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas]
    chunks.append(_chunk([{"index": 0, "delta": {}, "finish_reason": reason}]))
    if answer.usage is not None:
        chunks.append(_chunk([]) | {"usage": answer.usage})
    return chunks


def _chunk(choices: list[Json]) -> Json:
    common = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "double"}
    return common | {"choices": choices}


def _whole(answer: Answer) -> Json:
    calls = [
        {"id": f"call_{at}_{name}", "type": "function", "function": {"name": name, "arguments": a}}
        for at, (name, a) in enumerate(answer.calls)
    ]
    message: Json = {"role": "assistant", "content": answer.text or None}
    if calls:
        message["tool_calls"] = calls
    reason = answer.finish_reason or ("tool_calls" if calls else "stop")
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "double",
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": answer.usage,
    }


def _head(
    writer: asyncio.StreamWriter, status: int, content_type: str, headers: dict[str, str]
) -> None:
    lines = [f"HTTP/1.1 {status} Status", f"content-type: {content_type}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())


async def _send(
    writer: asyncio.StreamWriter,
    status: int,
    body: bytes,
    headers: dict[str, str] | None = None,
    content_type: str = "application/json",
) -> None:
    _head(writer, status, content_type, {"content-length": str(len(body))} | (headers or {}))
    writer.write(body)
    await writer.drain()


def _write_event(writer: asyncio.StreamWriter, data: bytes) -> None:
    event = b"data: " + data + b"\n\n"
    writer.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")


def echoes(count: int) -> Callable[[Json], Answer]:
    """`count` distinct `terminal` calls, one a request, then "done"."""

    def answer(request: Json) -> Answer:
        step = sum(1 for message in request["messages"] if message.get("tool_calls"))
        if step >= count:
            return Answer("done")
        return call(("terminal", f'{{"command": "echo {step + 1}"}}'))

    return answer


@asynccontextmanager
async def serve(
    *answers: Answer,
    default: Answer | Callable[[Json], Answer] | None = None,
    port: int = 0,
) -> AsyncGenerator[OpenAIServer, None]:
    """A server on loopback for as long as the block runs."""
    server = OpenAIServer(answers, default or Answer())
    listener = await asyncio.start_server(server.client, "127.0.0.1", port, limit=1 << 20)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        await server.stop()


async def _main() -> None:
    parser = argparse.ArgumentParser(description="A local OpenAI-compatible server.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tool-calls", type=int, default=0, metavar="N")
    parser.add_argument("--text", default="hello")
    given = parser.parse_args()
    default = echoes(given.tool_calls) if given.tool_calls else Answer(given.text)
    async with serve(default=default, port=given.port) as server:
        print(server.url, flush=True)  # noqa: T201
        await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main())
