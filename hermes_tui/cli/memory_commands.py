"""What the subcommands of `hermes memory` do."""

import os
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from typing import Any, Concatenate, ParamSpec

import anyio
import msgspec

from hermes_tui.cli.diagnostics import Ink
from hermes_tui.cli.editor import open_editor
from hermes_tui.cli.printing import count, print_json, print_line, say, write_file
from hermes_tui.config.paths import find_paths
from hermes_tui.core.errors import ConfigError, StoreError
from hermes_tui.core.memory import MemoryItem
from hermes_tui.memory.doubts import conflicts, doubts
from hermes_tui.memory.files import NAMES, MemoryFile, MemoryFiles
from hermes_tui.memory.memory import Change, Memory
from hermes_tui.memory.report import size, told
from hermes_tui.safety.scanner import scan
from hermes_tui.safety.terminal_text import visible
from hermes_tui.store.store import Store
from hermes_tui.store.words import one_line

Rest = ParamSpec("Rest")
LINE_CHARS = 80


def run(
    command: Callable[Concatenate[Memory, Rest], Awaitable[None]],
    *args: Rest.args,
    **kwargs: Rest.kwargs,
) -> None:
    """Run `command` on the memory of this home; without its history when the store is broken."""

    async def work() -> None:
        paths = find_paths(os.environ)
        paths.create()
        async with AsyncExitStack() as stack:
            ledger = None
            try:
                store = await stack.enter_async_context(Store.open(paths.database))
                ledger = store.memory_items
            except StoreError as error:
                say(f"Without the history of memory: {error}")
            await command(Memory(MemoryFiles(paths.memory_dir), ledger), *args, **kwargs)

    anyio.run(work)


async def show(memory: Memory, as_json: bool) -> None:
    files = [memory.files.read(target) for target in NAMES]
    items = await _items_if_kept(memory)
    found = {doubt.item.id: doubt.reason for doubt in doubts(items, datetime.now(UTC))}
    if as_json:
        print_json([_file_as_json(file, items, found) for file in files])
        return
    for number, file in enumerate(files):
        if number:
            print_line("")
        print_line(_heading(file))
        known = {item.text: item for item in _of(file, items)}
        for entry in file.entries:
            _entry(entry, known.get(entry), found)
        if not file.entries:
            print_line("  (nothing yet)")
        for problem in file.problems:
            say(f"! {problem}")


async def edit(memory: Memory, target: str) -> None:
    if target not in NAMES:
        raise ConfigError(f"There is no memory file {target!r}.", hint="Name memory or user.")
    file = memory.files.read(target)
    if not file.is_usable:
        raise ConfigError(" ".join(file.problems), hint="Move it out of the way first.")
    if not file.path.exists():
        async with memory.files.locked():
            await memory.files.write(file, file.entries)
    hint = "See `hermes memory show` for what the file holds now."
    await anyio.to_thread.run_sync(partial(open_editor, file.path, hint=hint))
    after = memory.files.read(target)
    for problem in after.problems:
        say(f"! {problem}")
    for entry in after.entries:
        for finding in scan(entry):
            say(f"! {finding.excerpt!r}: {finding.reason}")
    await _items_if_kept(memory)
    say(f"{after.name} holds {after.size:,} of {after.limit:,} characters.")


async def history(memory: Memory, text: str, limit: int, as_json: bool) -> None:
    items = await memory.items(with_ended=True)
    wanted = [item for item in reversed(items) if text.casefold() in item.text.casefold()]
    if as_json:
        print_json(wanted[:limit])
        return
    if not wanted:
        say("Nothing was ever remembered." if not text else f"No item has {text!r} in it.")
    for item in wanted[:limit]:
        when = _day(item.learnt_at)
        state = f"{item.ending} {_day(item.ended_at)}" if item.ended_at else "kept"
        print_line(f"{item.id:>5}  {when}  {item.target:<6}  {state:<21}  {_line(item.text)}")
    if len(wanted) > limit:
        say(f"Not shown: {count(len(wanted) - limit, 'older item')}; pass --limit.")


async def why(memory: Memory, item_id: int, as_json: bool) -> None:
    item = await memory.item(item_id)
    items = await memory.items(with_ended=True)
    if as_json:
        print_json(item)
        return
    print_line(item.text)
    rows = [
        ("file", NAMES[item.target]),
        ("kind", item.kind + (", pinned" if item.is_pinned else "")),
        ("learnt", f"{_moment(item.learnt_at)} from {_ORIGINS[item.origin]}"),
        ("session", item.session or "none"),
        ("evidence", item.evidence or "none given"),
        ("confirmed", _confirmed(item)),
    ]
    if item.ended_at is not None:
        by = next((other for other in items if other.id == item.superseded_by), None)
        rows.append(("ended", f"{_moment(item.ended_at)}, {item.ending}"))
        if by is not None:
            rows.append(("replaced by", f"{by.id}: {_line(by.text)}"))
    rows += [
        ("replaced", f"{other.id}: {_line(other.text)}")
        for other in items
        if other.superseded_by == item.id
    ]
    rows += [("stale?", doubt.reason) for doubt in _doubts(items) if doubt.item.id == item.id]
    for name, value in rows:
        print_line(f"  {name:<12} {value}")


async def forget(memory: Memory, item_id: int, hard: bool) -> None:
    change = await memory.forget(item_id, hard=hard)
    if not hard:
        _done(change)
        return
    say(size(change))
    say(f"Item {item_id} is gone for good, from the history as well.")


async def restore(memory: Memory, item_id: int) -> None:
    _done(await memory.restore(item_id))


async def pin(memory: Memory, item_id: int, is_pinned: bool) -> None:
    await memory.pin(item_id, is_pinned=is_pinned)
    say(f"Item {item_id} is {'pinned' if is_pinned else 'no longer pinned'}.")


async def verify(memory: Memory, confirmed: Sequence[int], as_json: bool) -> None:
    for item_id in confirmed:
        await memory.confirm(item_id)
        say(f"Item {item_id} is confirmed.")
    if confirmed:
        return
    items = await memory.items()
    found = _doubts(items)
    if as_json:
        print_json(found)
        return
    for doubt in found:
        print_line(f"{doubt.item.id:>5}  stale?  {_line(doubt.item.text)}")
        print_line(f"{'':>5}          {doubt.reason}")
    flagged = 0
    for item in items:
        for finding in scan(item.text):
            flagged += 1
            print_line(f"{item.id:>5}  {finding.severity}!  {_line(item.text)}")
            print_line(f"{'':>5}          {finding.reason}")
    checked = f"{count(len(items), 'item')} checked"
    say(f"{checked}: {len(found):,} may be out of date, suspicious: {flagged:,}.")


async def list_conflicts(memory: Memory, as_json: bool) -> None:
    found = conflicts(await memory.items())
    if as_json:
        print_json(found)
        return
    for pair in found:
        print_line(f"{pair.reason}:")
        for item in (pair.older, pair.newer):
            print_line(f"{item.id:>5}  {_day(item.learnt_at)}  {_line(item.text)}")
    if found:
        say("Keep one of each: hermes memory forget ID")
    else:
        say("No two items contradict each other, as far as their wording tells.")


async def export(memory: Memory, to: str) -> None:
    items = await memory.items(with_ended=True)
    text = "".join(msgspec.json.encode(item).decode() + "\n" for item in items)
    if not to:
        sys.stdout.write(text)
        return
    content = text.encode("utf-8", "replace")
    await anyio.to_thread.run_sync(write_file, to, content)
    say(f"Wrote {count(len(items), 'item')} to {to}.")


_ORIGINS = {
    "person": "a command",
    "agent": "the agent",
    "hand": "an edit by hand",
    "import": "an import",
}


async def _items_if_kept(memory: Memory) -> list[MemoryItem]:
    try:
        return await memory.items()
    except StoreError:
        return []


def _doubts(items: Sequence[MemoryItem]) -> list[Any]:
    return doubts([item for item in items if item.ended_at is None], datetime.now(UTC))


def _entry(entry: str, item: MemoryItem | None, found: dict[int, str]) -> None:
    number = str(item.id) if item else "-"
    first, *more = entry.splitlines()
    pinned = " (pinned)" if item and item.is_pinned else ""
    print_line(f"{number:>5}  {first}{pinned}")
    for line in more:
        print_line(f"{'':>5}  {line}")
    ink = Ink(sys.stdout)
    if item and item.id in found:
        sys.stdout.write(f"{'':>5}  {ink.warn('stale?')} {visible(found[item.id])}\n")


def _heading(file: MemoryFile) -> str:
    share = round(100 * file.size / file.limit)
    return f"{file.name}  {file.size:,} of {file.limit:,} characters ({share} %)"


def _of(file: MemoryFile, items: Iterable[MemoryItem]) -> list[MemoryItem]:
    return [item for item in items if NAMES[item.target] == file.name]


def _file_as_json(
    file: MemoryFile, items: Iterable[MemoryItem], found: dict[int, str]
) -> dict[str, Any]:
    known = {item.text: item for item in _of(file, items)}
    entries: list[dict[str, Any]] = []
    for entry in file.entries:
        item = known.get(entry)
        stale = found.get(item.id) if item else None
        entries.append({"id": item and item.id, "text": entry, "stale": stale})
    return {
        "name": file.name,
        "path": str(file.path),
        "size": file.size,
        "limit": file.limit,
        "problems": file.problems,
        "entries": entries,
    }


def _done(change: Change) -> None:
    for line in told(change).splitlines():
        say(line)


def _confirmed(item: MemoryItem) -> str:
    times = f", {count(item.strength, 'time')}" if item.strength else ""
    return f"{_moment(item.confirmed_at)}{times}"


def _day(at: datetime | None) -> str:
    return f"{at.astimezone():%Y-%m-%d}" if at else ""


def _moment(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M}"


def _line(text: str) -> str:
    return one_line(text, LINE_CHARS)
