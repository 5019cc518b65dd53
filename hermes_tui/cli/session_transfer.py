"""`hermes sessions export` and `import`: conversations as files."""

import sys
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import Any

import anyio.to_thread
import msgspec
from msgspec import Struct

from hermes_tui.cli.json_entries import entries_of
from hermes_tui.cli.printing import count, print_json, say, write_file
from hermes_tui.core.errors import HermesError
from hermes_tui.core.messages import Message, Part, Role, Text
from hermes_tui.safety.call_text import call_text
from hermes_tui.safety.terminal_text import visible
from hermes_tui.store.import_forms import FormError, NotKept, Said, read_entry
from hermes_tui.store.importing import Importer, Taken
from hermes_tui.store.messages import StoredMessage
from hermes_tui.store.sessions import SessionRecord
from hermes_tui.store.store import Store

BATCH_LINES = 1000
SHOWN_PROBLEMS = 20


class ExportedMessage(Struct, frozen=True, omit_defaults=True):
    """One line of an export; `import` reads it back."""

    session: str
    title: str
    role: Role
    content: str
    """The prose, or what tools returned."""
    time: str
    cwd: str = ""
    parts: tuple[Part, ...] | None = None
    """Only where `content` does not hold everything."""


async def export(store: Store, session: str, to: str, markdown: bool) -> None:
    records = (
        [await store.sessions.get(session)]
        if session
        else list(reversed(await store.sessions.newest(limit=-1, which="all")))
    )
    texts: list[str] = []
    written = lost = 0
    for record in records:
        stored, damaged = await store.messages.readable(record.id)
        for problem in damaged:
            say(f"Left out of session {record.id}: {problem}")
        written, lost = written + len(stored), lost + len(damaged)
        texts.append(
            _markdown(record, [one.message for one in stored])
            if markdown
            else _lines(record, stored)
        )
    text = "".join(texts)
    if to:
        write_file(to, text.encode("utf-8", "replace"))
        say(f"Wrote {count(written, 'message')} to {to}.")
    else:
        sys.stdout.write(visible(text) if sys.stdout.isatty() else text)
    if lost:
        raise HermesError(
            f"{count(lost, 'damaged message')} could not be exported; all others were.",
            hint="See “When something is wrong” in docs/store.md.",
        )


async def import_(store: Store, file: str, as_json: bool) -> None:
    """Take in what can be taken, and tell what was not, by line."""
    importer = store.importer()
    report = _Report("standard input" if file == "-" else file)
    entries = entries_of(file)
    try:
        while batch := await anyio.to_thread.run_sync(lambda: list(islice(entries, BATCH_LINES))):
            await _take(importer, batch, report)
    except OSError as error:
        raise HermesError(
            f"{file!r} cannot be read: {error.strerror}.", hint="Check the name and its rights."
        ) from error
    report.tell(as_json=as_json)


class _Report:
    """What became of a file."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._sessions: dict[str, str] = {}
        self._added = self._known = self._bad = self._answered = self._orphans = 0
        self._deleted: set[str] = set()
        self._left_out: Counter[str] = Counter()

    def bad(self, line: int, reason: str) -> None:
        self._bad += 1
        if self._bad <= SHOWN_PROBLEMS:
            say(f"{self._file}, line {line}: {reason}.")

    def left_out(self, reason: str) -> None:
        self._left_out[reason] += 1

    def taken(self, taken: Taken) -> None:
        self._sessions.update(taken.sessions)
        self._added += taken.added
        self._known += taken.known
        self._answered += taken.answered
        self._orphans += taken.orphans
        self._deleted |= taken.deleted

    def tell(self, *, as_json: bool) -> None:
        """The outcome in a sentence, or as JSON.

        Raises:
            HermesError: nothing could be taken.
        """
        if self._bad > SHOWN_PROBLEMS:
            say(f"… and {self._bad - SHOWN_PROBLEMS:,} more such lines.")
        if not self._added and not self._known and not self._deleted:
            raise HermesError(
                f"{self._file!r} holds no message that can be taken in.",
                hint="Give lines of {session, title, role, content, time}, or ShareGPT or OpenAI "
                "conversations; `hermes sessions export` writes the first.",
            )
        if as_json:
            print_json([{"session": name, "id": made} for name, made in self._sessions.items()])
        parts = [
            f"Took in {count(self._added, 'message')} of {count(len(self._sessions), 'session')}"
        ]
        if self._known:
            parts.append(f"{self._known:,} were there already")
        parts += [f"{number:,} left out ({why})" for why, number in self._left_out.items()]
        parts += mended(self._answered, self._orphans)
        if self._bad:
            parts.append(f"{self._bad:,} could not be read")
        say(f"{'; '.join(parts)}.")
        for session_id in sorted(self._deleted):
            say(f"Session {session_id} was deleted here: hermes sessions restore {session_id}")


def mended(answered: int, orphans: int) -> list[str]:
    """What an import had to change for a conversation to go on."""
    parts = [f"{count(answered, 'call')} marked as without a result"] if answered else []
    return [*parts, f"{count(orphans, 'result')} of no call kept as text"] if orphans else parts


async def _take(importer: Importer, batch: list[tuple[int, Any]], report: _Report) -> None:
    said: list[Said] = []
    for line, entry in batch:
        if isinstance(entry, FormError):
            report.bad(line, str(entry))
            continue
        for one in read_entry(entry):
            match one:
                case Said():
                    said.append(one)
                case NotKept(reason=reason):
                    report.left_out(reason)
                case FormError():
                    report.bad(line, str(one))
    if said:
        taken = await importer.take(said)
        report.taken(taken)


def _lines(record: SessionRecord, stored: Iterable[StoredMessage]) -> str:
    return "".join(msgspec.json.encode(_exported(record, one)).decode() + "\n" for one in stored)


def _exported(record: SessionRecord, stored: StoredMessage) -> ExportedMessage:
    message = stored.message
    is_prose = len(message.parts) == 1 and isinstance(message.parts[0], Text)
    content = message.text or "\n".join(result.content for result in message.tool_results)
    return ExportedMessage(
        session=record.id,
        title=record.title,
        role=message.role,
        content=content,
        time=stored.at.isoformat(),
        cwd=record.cwd,
        parts=None if is_prose else message.parts,
    )


def _markdown(record: SessionRecord, messages: Iterable[Message]) -> str:
    parts = [f"# {record.title or record.id}"]
    for message in messages:
        if message.text.strip():
            parts.append(f"## {message.role}\n\n{message.text.strip()}")
        parts += [f"`{call.name}` {call_text(call)}" for call in message.tool_calls]
        parts += [_fenced(result.content) for result in message.tool_results]
    return "\n\n".join(parts) + "\n"


def _fenced(text: str) -> str:
    longest = max((len(line) - len(line.lstrip("`")) for line in text.splitlines()), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"
