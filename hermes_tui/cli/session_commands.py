"""What the subcommands of `hermes sessions` do, once the store is open."""

import os
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Concatenate, ParamSpec

import anyio

from hermes_tui.cli.printing import print_json, print_line, say
from hermes_tui.config.paths import find_paths, shown
from hermes_tui.core.messages import Message
from hermes_tui.safety.call_text import call_text
from hermes_tui.store.sessions import SessionRecord, Which
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


async def list_sessions(
    store: Store, text: str, limit: int, as_json: bool, is_archived: bool = False
) -> None:
    which: Which = "archived" if is_archived else "listed"
    found = await store.sessions.newest(limit=limit + 1, text=text, which=which)
    has_more, found = len(found) > limit, found[:limit]
    if as_json:
        print_json(found)
        return
    if not found:
        none = "No archived sessions." if is_archived else "No sessions yet."
        say(none if not text else f"No session has {text!r} in title or folder.")
    for record in found:
        print_line(_row(record))
    if has_more:
        say(f"There are more: pass --limit, such as --limit {limit * 5}.")


async def show(store: Store, session: str, as_json: bool) -> None:
    record = await store.sessions.get(session)
    stored = await store.messages.of_session(record.id)
    if as_json:
        print_json({"session": record, "messages": stored})
        return
    print_line(f"{record.title or '(untitled)'}  {record.id}  {record.model}")
    print_line(f"{_when(record.created_at)}  {shown(Path(record.cwd))}  {record.usage.cost_text}")
    for one in stored:
        print_line("")
        for line in _told(one.message):
            print_line(line)


async def rename(store: Store, session: str, title: str) -> None:
    record = await store.sessions.get(session)
    await store.sessions.rename(record.id, title)
    say(f"Session {record.id} is now called {title!r}.")


async def delete(store: Store, session: str) -> None:
    record = await store.sessions.get(session)
    await store.sessions.delete(record.id)
    say(f"Deleted {record.id}. Undo with: hermes sessions restore {record.id}")


async def restore(store: Store, session: str) -> None:
    restored = await store.sessions.restore(session)
    say(f"Restored {restored}.")


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
        yield f"● {call.name}  {call_text(call)}"
    for result in message.tool_results:
        mark = "✗" if result.is_error else "✓"
        yield from (f"  {mark} {line}" for line in result.content.splitlines()[:20])
