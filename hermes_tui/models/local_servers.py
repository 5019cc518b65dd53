"""Model servers that run on this machine."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import anyio
import msgspec
from msgspec import Struct

from hermes_tui.models.catalog import BY_NAME, PROVIDERS

PROBE_SECONDS = 0.3
MAX_ANSWER_BYTES = 4 * 1024 * 1024


class LocalModel(Struct, frozen=True):
    """A model a local server offers."""

    name: str
    context_window: int | None = None
    """Tokens, where the server tells."""
    size_bytes: int | None = None
    """On disk, where the server tells."""


class LocalServer(Struct, frozen=True):
    """A server found on loopback."""

    provider: str
    """Its name in the catalog: `ollama/…` reaches its models."""
    base_url: str
    models: tuple[LocalModel, ...]


async def find_local_servers(
    *, timeout: float = PROBE_SECONDS, ports: Mapping[str, int] | None = None
) -> list[LocalServer]:
    """Servers that answer on loopback within `timeout` seconds, in catalog order.

    All are asked at once. `ports` replaces the catalog's, by provider name.
    """
    where = ports or {one.name: one.port for one in PROVIDERS if one.port is not None}
    found: dict[str, LocalServer] = {}

    async def probe(provider: str, port: int) -> None:
        with anyio.move_on_after(timeout):
            server = await _probe(provider, port)
            if server is not None:
                found[provider] = server

    async with anyio.create_task_group() as tasks:
        for provider, port in where.items():
            tasks.start_soon(probe, provider, port)
    return [found[name] for name in where if name in found]


async def _probe(provider: str, port: int) -> LocalServer | None:
    """The server at `port`, if it speaks the language of `provider`."""
    path, read = ("/api/tags", _ollama) if provider == "ollama" else ("/v1/models", _openai)
    answer = await _get(port, path)
    models = read(answer) if answer is not None else None
    if models is None:
        return None
    return LocalServer(provider, f"http://127.0.0.1:{port}/v1", models)


async def _get(port: int, path: str) -> Any:
    """The JSON at a loopback address, or None.

    A bare request: importing an HTTP client would take longer than the probe may.
    """
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return None
    try:
        writer.write(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        if head.split(b" ", 2)[1:2] != [b"200"]:
            return None
        return msgspec.json.decode(await _body(reader, head.lower()))
    except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None  # something else listens there
    finally:
        writer.close()


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return await reader.readexactly(min(int(value), MAX_ANSWER_BYTES))
    if b"transfer-encoding: chunked" not in head:
        return await reader.read(MAX_ANSWER_BYTES)
    body = b""
    while (size := int(await reader.readline(), 16)) and len(body) < MAX_ANSWER_BYTES:
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    return body


def _ollama(answer: Any) -> tuple[LocalModel, ...] | None:
    """`/api/tags`: names and sizes; the window is known only once a model is loaded."""
    rows = _rows(answer, "models")
    if rows is None:
        return None
    return tuple(
        LocalModel(str(row["name"]), size_bytes=_count(row.get("size")))
        for row in rows
        if row.get("name")
    )


def _openai(answer: Any) -> tuple[LocalModel, ...] | None:
    """`/v1/models`, with the window as vLLM, SGLang, llama.cpp or LM Studio call it."""
    rows = _rows(answer, "data")
    if rows is None:
        return None
    return tuple(
        LocalModel(str(row["id"]), _window(row), _count(_meta(row).get("size")))
        for row in rows
        if row.get("id")
    )


def _window(row: dict[str, Any]) -> int | None:
    meta = _meta(row)
    for value in (
        row.get("max_model_len"),
        row.get("context_length"),
        row.get("max_context_length"),
        meta.get("n_ctx"),
        meta.get("n_ctx_train"),
    ):
        if count := _count(value):
            return count
    return None


def _meta(row: dict[str, Any]) -> dict[str, Any]:
    meta = row.get("meta")
    return cast("dict[str, Any]", meta) if isinstance(meta, dict) else {}


def _rows(answer: Any, key: str) -> list[dict[str, Any]] | None:
    if not isinstance(answer, dict):
        return None
    rows = cast("dict[str, Any]", answer).get(key)
    if not isinstance(rows, list):
        return None
    return [cast("dict[str, Any]", row) for row in cast("list[Any]", rows) if isinstance(row, dict)]


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def title_of(server: LocalServer) -> str:
    """What people call the server."""
    return BY_NAME[server.provider].title
