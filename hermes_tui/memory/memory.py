"""Memory: the files, which say what is remembered, and the ledger, which says all that was."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import anyio
from msgspec import Struct

from hermes_tui.core.errors import NotFoundError, RefusedError, StoreError, ToolError
from hermes_tui.core.memory import Ended, Kind, Learnt, Ledger, MemoryItem, Source, Target
from hermes_tui.memory.decay import guessed_kind
from hermes_tui.memory.doubts import doubts
from hermes_tui.memory.draft import Draft, Edit, Gone
from hermes_tui.memory.files import LIMITS, NAMES, MemoryFile, MemoryFiles
from hermes_tui.memory.layout import joined
from hermes_tui.memory.squeeze import archive_least, budget, candidates, clear_out, merge
from hermes_tui.memory.subjects import supersedes, words
from hermes_tui.safety.scanner import blocks, scan

Consolidate = Callable[[Sequence[str], int], Awaitable[list[str]]]
"""Asks a model to say entries, numbered from 1 in their order, in so many characters. Each
answer begins with the numbers of the entries it stands for: `[1,3] Text`."""

MAX_EVIDENCE_CHARS = 4_000
COMPARED = 50
"""With so many new entries at most, what somebody took out by hand is compared."""
NO_HISTORY = "The history of memory is not kept: the store cannot be used."


class Change(Struct, frozen=True):
    """What a write did."""

    file: MemoryFile
    learnt: tuple[MemoryItem, ...] = ()
    """New items, with their ids; empty where no history is kept."""
    restored: tuple[MemoryItem, ...] = ()
    confirmed: tuple[str, ...] = ()
    """Texts that were known already."""
    gone: tuple[Gone, ...] = ()
    """Everything that left the file, whether asked for or to make room."""
    notes: tuple[str, ...] = ()
    """Sentences the caller should pass on."""


class Memory:
    """What is remembered across sessions. Every change is one locked, atomic rewrite."""

    def __init__(
        self,
        files: MemoryFiles,
        ledger: Ledger | None = None,
        *,
        consolidate: Consolidate | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Join files and ledger.

        Args:
            ledger: Where items are kept; without one, a file that is full takes nothing more.
            consolidate: Asked once, and only when a full file holds nothing that can go easily.
            now: The time, for what fades.
        """
        self.files = files
        self._ledger = ledger
        self._consolidate = consolidate
        self._now = now
        self._has_said_no_history = False

    async def add(
        self, target: Target, text: str, *, source: Source, kind: Kind | None = None
    ) -> Change:
        """Remember `text`; what it supersedes goes, what is known is confirmed.

        Raises:
            RefusedError: the write scan blocks it.
            ToolError: it is empty or does not fit.
            HermesError: the file cannot be read or written.
        """
        return await self.batch(target, [Edit("add", text, kind=kind)], source=source)

    async def batch(self, target: Target, edits: Sequence[Edit], *, source: Source) -> Change:
        """Make all edits or none; only the size at the end has to fit.

        Raises:
            RefusedError: the write scan blocks a text.
            ToolError: an edit cannot be made, or the result does not fit.
            HermesError: the file cannot be read or written.
        """
        source, notes = await anyio.to_thread.run_sync(_checked, target, edits, source)

        def change(draft: Draft) -> None:
            for edit in edits:
                draft.apply(edit, source)
            draft.notes += notes

        return await self._write(target, change, source)

    async def undo(self, change: Change) -> Change:
        """Take back what a write did: what it learnt goes, what it ended comes back.

        What was superseded comes back only while what took its place is there to go: if that
        has been superseded since, the older is no more true than it.

        Raises:
            StoreError: there is no history to take it from.
        """
        ended = {one.item for one in change.gone}
        before = [item for item in await self.items(with_ended=True) if item.id in ended]
        learnt = {item.text for item in (*change.learnt, *change.restored)}
        target: Target = "user" if change.file.name == "USER.md" else "memory"

        def work(draft: Draft) -> None:
            there = {None, *(item.id for item in draft.old_items)}
            for entry in [entry for entry in draft.entries if entry in learnt]:
                draft.drop(entry, "forgotten", reason="undone")
            for item in before:
                is_due = item.ended_at is not None and item.superseded_by in there
                if is_due and item.text not in draft.entries:
                    draft.put_back(item)

        return await self._write(target, work, Source())

    async def forget(self, item_id: int, *, hard: bool = False) -> Change:
        """Take an item out of its file; `hard` also out of the ledger and earlier versions.

        Raises:
            NotFoundError: there is no such item, or it left the file before.
            StoreError: there is no history to find it in.
        """
        item = await self.item(item_id)
        if item.ended_at is not None and not hard:
            raise NotFoundError(
                f"Item {item_id} is not in {self.files.read(item.target).name} any more.",
                hint="Add --hard to remove it from the history as well.",
            )

        def work(draft: Draft) -> None:
            if item.text in draft.entries:
                draft.drop(item.text, "forgotten")

        change = await self._write(item.target, work, Source())
        if hard:
            async with self.files.locked():
                await anyio.to_thread.run_sync(self.files.erase_copies, item.text)
            await self._kept().erase(item_id)
        return change

    async def restore(self, item_id: int) -> Change:
        """Put an item that had ended back into its file.

        Raises:
            NotFoundError: there is no such item.
            ToolError: it is in the file, or does not fit.
            StoreError: there is no history to find it in.
        """
        item = await self.item(item_id)

        def work(draft: Draft) -> None:
            if item.text in draft.entries:
                raise ToolError(f"Item {item_id} is in the file.", hint="Nothing has to be done.")
            draft.put_back(item)

        return await self._write(item.target, work, Source())

    async def items(self, *, with_ended: bool = False) -> list[MemoryItem]:
        """What the ledger holds, hand edits since the last write included; the oldest first.

        Raises:
            StoreError: there is no history.
        """
        ledger = self._kept()
        async with self.files.locked():
            for target in NAMES:
                await self._state(target)
        return await ledger.items(with_ended=with_ended)

    async def item(self, item_id: int) -> MemoryItem:
        """One item, ended or not.

        Raises:
            NotFoundError: there is no such item.
            StoreError: there is no history.
        """
        for item in await self.items(with_ended=True):
            if item.id == item_id:
                return item
        raise NotFoundError(
            f"There is no memory item {item_id}.", hint="See `hermes memory history`."
        )

    async def confirm(self, item_id: int) -> None:
        """Note that an item proved true or useful: it is fresh again, and fades more slowly."""
        item = await self.item(item_id)
        await self._kept().record(item.target, confirmed=[item_id])

    async def pin(self, item_id: int, *, is_pinned: bool = True) -> None:
        """Keep an item from ever being squeezed out, or no longer."""
        await self.item(item_id)
        await self._kept().pin(item_id, is_pinned=is_pinned)

    def _kept(self) -> Ledger:
        if self._ledger is None:
            raise StoreError(NO_HISTORY, hint="Run `hermes doctor` to see why.")
        return self._ledger

    async def _write(
        self, target: Target, change: Callable[[Draft], None], source: Source
    ) -> Change:
        """Read, change, make room and commit under the lock; a model is asked outside of it."""
        asked: list[str] | None = None
        outputs: list[str] = []
        while True:
            async with self.files.locked():
                before, draft = await self._state(target)
                change(draft)
                if draft.size > before.limit:
                    given = await self._make_room(before, draft)
                    texts = [item.text for item in given]
                    if draft.size > before.limit and self._consolidate and asked is None and texts:
                        room = budget(draft, before.limit)
                    else:
                        is_same = asked is not None and texts == asked
                        self._settle(before, draft, outputs if is_same else [], source)
                        return await self._commit(before, draft)
                else:
                    return await self._commit(before, draft)
            asked = texts
            outputs = await self._ask(texts, room)

    async def _state(self, target: Target) -> tuple[MemoryFile, Draft]:
        """The file and its items, after the ledger has learnt of edits by hand."""
        file = await anyio.to_thread.run_sync(self.files.read, target)
        entries = list(dict.fromkeys(file.entries))
        if self._ledger is None or not file.is_usable:
            return file, Draft(target, file.entries, {})
        notes: list[str] = []
        try:
            known = {one.text: one for one in await self._ledger.items() if one.target == target}
            fresh = [entry for entry in entries if entry not in known]
            vanished = [item for text, item in known.items() if text not in entries]
            if fresh or vanished:
                hand = Source("hand")
                learnt = [Learnt(text, guessed_kind(text, target), hand) for text in fresh]
                ended = [_vanished(item, fresh[:COMPARED]) for item in vanished]
                for item in await self._ledger.record(target, learnt=learnt, ended=ended):
                    known[item.text] = item
                    notes += [f"By hand, {item.text!r}: {one.reason}" for one in scan(item.text)]
        except StoreError:
            draft = Draft(target, file.entries, {})
            self._note_no_history(draft)
            return file, draft
        draft = Draft(target, entries, known)
        draft.notes += notes
        return file, draft

    async def _make_room(self, before: MemoryFile, draft: Draft) -> list[MemoryItem]:
        """Archive what can go without asking; what a model could merge if it is not enough."""
        if self._ledger is None or (before.entries and not draft.items):
            if draft.size > before.size:
                raise _too_full(before, draft, "; nothing can be archived without its history")
            return []
        at = self._now()
        found = await anyio.to_thread.run_sync(doubts, draft.old_items, at)
        await anyio.to_thread.run_sync(clear_out, draft, before.limit, at, found)
        return candidates(draft)

    def _settle(
        self, before: MemoryFile, draft: Draft, outputs: Sequence[str], source: Source
    ) -> None:
        """Make it fit with the model's answer, or else without what matters least."""
        if draft.size <= before.limit:
            return
        if not draft.items and draft.size <= before.size:
            return  # shorter than it was, which is as much as can be asked without a history
        by_model = Source("agent", source.session, "merged to make room")
        if not (outputs and merge(draft, before.limit, outputs, by_model)):
            archive_least(draft, before.limit, self._now())
        if draft.size > before.limit:
            raise _too_full(before, draft, " even without all that may be archived")

    async def _ask(self, texts: Sequence[str], room: int) -> list[str]:
        assert self._consolidate is not None
        try:
            return await self._consolidate(texts, room)
        except Exception:  # noqa: BLE001  whatever the model does, memory is kept without it
            return []

    async def _commit(self, before: MemoryFile, draft: Draft) -> Change:
        file, learnt = before, list[MemoryItem]()
        with anyio.CancelScope(shield=True):  # file and ledger must not disagree
            if draft.entries != before.entries:
                file = await self.files.write(before, draft.entries)
            learnt = await self._record(draft)
        return Change(
            file,
            learnt=tuple(learnt),
            restored=tuple(draft.restored),
            confirmed=tuple(draft.confirmed),
            gone=tuple(draft.gone),
            notes=tuple(draft.notes),
        )

    async def _record(self, draft: Draft) -> list[MemoryItem]:
        known = [draft.items[text].id for text in draft.confirmed if text in draft.items]
        ended = draft.ended()
        restored = [item.id for item in draft.restored]
        if not (draft.learnt or ended or known or restored):
            return []
        if self._ledger is None:
            self._note_no_history(draft)
            return []
        try:
            return await self._ledger.record(
                draft.target,
                learnt=list(draft.learnt.values()),
                ended=ended,
                confirmed=known,
                restored=restored,
            )
        except StoreError:
            self._note_no_history(draft)
            return []

    def _note_no_history(self, draft: Draft) -> None:
        if not self._has_said_no_history:
            self._has_said_no_history = True
            draft.notes.append(NO_HISTORY)


def _checked(target: Target, edits: Sequence[Edit], source: Source) -> tuple[Source, list[str]]:
    """The source without secrets in its evidence, and what the write scan warns of.

    Raises:
        RefusedError: a text is blocked.
    """
    notes: list[str] = []
    for edit in edits:
        findings = scan(edit.text, limit=LIMITS[target])
        if hard := blocks(findings):
            why = " ".join(dict.fromkeys(finding.reason for finding in hard))
            hint = f"It is about {hard[0].excerpt!r}. Say the fact itself, without it."
            if hard[0].kind == "oversize":
                hint = "Say it shorter."
            raise RefusedError(f"This was not remembered: {why}", hint=hint)
        notes += [f"Note: {finding.reason}" for finding in findings]
    if blocks(scan(source.evidence, limit=MAX_EVIDENCE_CHARS)):
        source = Source(source.origin, source.session, "(not kept: the write scan blocks it)")
    return source, notes


def _vanished(item: MemoryItem, fresh: Sequence[str]) -> Ended:
    """How an item ended that somebody took out by hand."""
    mine = words(item.text)
    for text in fresh:
        theirs = words(text)
        if supersedes(text, item.text) or len(mine & theirs) > 0.6 * len(mine | theirs):
            return Ended(item.id, "superseded", text)
    return Ended(item.id, "forgotten")


def _too_full(before: MemoryFile, draft: Draft, why: str) -> ToolError:
    return ToolError(
        f"{before.name} would have {draft.size:,} characters; it holds {before.limit:,}{why}.",
        hint=f"Shorten or remove entries first. It says:\n{joined(before.entries)}",
    )
