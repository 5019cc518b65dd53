"""What the subcommands of `hermes sessions` do, once the store is open."""

import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import anyio
import msgspec

from hermes_tui.cli.render import summary
from hermes_tui.config.files import replace_file
from hermes_tui.config.paths import find_paths, shown
from hermes_tui.core.errors import ConfigError
from hermes_tui.core.messages import Message
from hermes_tui.safety.terminal_text import visible
from hermes_tui.store.sessions import SessionRecord
from hermes_tui.store.store import Store

Rest = ParamSpec("Rest")


def run(
    command: Callable[Concatenate[Store, Rest], Awaitable[None]],
    *args: Rest.args,
    **kwargs: Rest.kwargs,
) -> None:
    """Open the store and run `command` on it."""

    async def work() -> None:
        paths = find_paths(os.environ)
        paths.create()
        async with Store.open(paths.database) as store:
            await command(store, *args, **kwargs)

    anyio.run(work)


async def list_sessions(store: Store, text: str, limit: int, as_json: bool) -> None:
    found = await store.sessions.newest(limit=limit, text=text)
    if as_json:
        _json(found)
        return
    if not found:
        _say("No sessions yet." if not text else f"No session has {text!r} in title or folder.")
    for record in found:
        print_line(_row(record))


async def show(store: Store, session: str, as_json: bool) -> None:
    record = await store.sessions.get(session)
    stored = await store.messages.of_session(record.id)
    if as_json:
        _json({"session": record, "messages": stored})
        return
    print_line(f"{record.title or '(untitled)'}  {record.id}  {record.model}")
    print_line(f"{_when(record.created_at)}  {shown(Path(record.cwd))}  {record.usage.cost_text}")
    for one in stored:
        print_line("")
        for line in _told(one.message):
            print_line(line)


async def search(store: Store, query: str, limit: int, as_json: bool) -> None:
    found = await store.search.find(query, limit=limit)
    if as_json:
        _json(found.hits)
        return
    for hit in found.hits:
        print_line(f"{hit.session_id}  {_when(hit.at)}  {hit.session_title or '(untitled)'}")
        print_line(f"    {hit.role}: {hit.excerpt}")
    terms = ", ".join(found.terms) or "nothing that can be searched for"
    _say(f"{found.total} hits in {found.sessions_searched} sessions for: {terms}.")
    if not found.hits:
        raise SystemExit(1)


async def export(store: Store, session: str, to: str, markdown: bool) -> None:
    record = await store.sessions.get(session)
    messages = [stored.message for stored in await store.messages.of_session(record.id)]
    text = _markdown(record, messages) if markdown else _lines(messages)
    if not to:
        sys.stdout.write(text)
        return
    replace_file(_file(to), text.encode("utf-8", "replace"), mode=0o600)
    _say(f"Wrote {len(messages)} messages to {to}.")


async def rename(store: Store, session: str, title: str) -> None:
    record = await store.sessions.get(session)
    await store.sessions.rename(record.id, title)
    _say(f"Session {record.id} is now called {title!r}.")


async def delete(store: Store, session: str) -> None:
    record = await store.sessions.get(session)
    await store.sessions.delete(record.id)
    _say(f"Deleted {record.id}. Undo with: hermes sessions restore {record.id}")


async def restore(store: Store, session: str) -> None:
    await store.sessions.restore(session)
    _say(f"Restored {session}.")


def print_line(text: str) -> None:
    """One line on stdout, without anything a terminal would obey."""
    sys.stdout.write(visible(text) + "\n")


def _say(text: str) -> None:
    sys.stderr.write(visible(text) + "\n")


def _json(value: Any) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


def _row(record: SessionRecord) -> str:
    title = record.title or "(untitled)"
    return (
        f"{record.id}  {_when(record.updated_at)}  {record.message_count:>4} msgs  "
        f"{title[:60]:<60}  {shown(Path(record.cwd))}"
    )


def _when(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M}"


def _told(message: Message) -> Iterable[str]:
    """A message as plain lines."""
    if message.text.strip():
        yield from (f"{message.role}: {message.text.strip()}").splitlines()
    for call in message.tool_calls:
        yield f"● {call.name}  {summary(call)}"
    for result in message.tool_results:
        mark = "✗" if result.is_error else "✓"
        yield from (f"  {mark} {line}" for line in result.content.splitlines()[:20])


def _lines(messages: Iterable[Message]) -> str:
    return "".join(msgspec.json.encode(message).decode() + "\n" for message in messages)


def _file(name: str) -> Path:
    path = Path(name).expanduser()
    if path.is_dir():
        raise ConfigError(f"{name!r} is a folder.", hint="Name a file in it.")
    return path


def _markdown(record: SessionRecord, messages: Iterable[Message]) -> str:
    parts = [f"# {record.title or record.id}"]
    for message in messages:
        if message.text.strip():
            parts.append(f"## {message.role}\n\n{message.text.strip()}")
        parts += [f"`{call.name}` {summary(call)}" for call in message.tool_calls]
        parts += [_fenced(result.content) for result in message.tool_results]
    return "\n\n".join(parts) + "\n"


def _fenced(text: str) -> str:
    longest = max((len(line) - len(line.lstrip("`")) for line in text.splitlines()), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"
