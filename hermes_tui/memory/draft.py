"""One write to a memory file while it is being worked out; nothing here touches the disk."""

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

from hermes_tui.core.errors import ToolError
from hermes_tui.core.memory import Ended, Ending, Kind, Learnt, MemoryItem, Source, Target
from hermes_tui.memory.decay import guessed_kind
from hermes_tui.memory.layout import joined, one_entry
from hermes_tui.memory.subjects import contradiction, plain, supersedes


class Edit(Struct, frozen=True):
    """One change to a file; `replace` and `remove` name text of exactly one entry in `old`."""

    action: Literal["add", "replace", "remove"]
    text: str = ""
    old: str = ""
    kind: Kind | None = None


class Gone(Struct, frozen=True):
    """An entry that is no longer in the file."""

    text: str
    ending: Ending
    reason: str = ""
    by: str = ""
    item: int | None = None
    """Its id; None where no history is kept."""


class Draft:
    """The entries as they are to be, and what has to be noted in the ledger."""

    def __init__(
        self, target: Target, entries: Sequence[str], items: Mapping[str, MemoryItem]
    ) -> None:
        self.target: Target = target
        self.entries = list(entries)
        self.items = items
        """Those in the file before, by text; empty where no history is kept."""
        self.learnt: dict[str, Learnt] = {}
        self.gone: list[Gone] = []
        self.confirmed: list[str] = []
        self.restored: list[MemoryItem] = []
        self.notes: list[str] = []

    @property
    def size(self) -> int:
        return len(joined(self.entries))

    @property
    def old_items(self) -> list[MemoryItem]:
        """Items that were there before this write and still are."""
        return [self.items[entry] for entry in self.entries if entry in self.items]

    def ended(self) -> list[Ended]:
        return [Ended(one.item, one.ending, one.by) for one in self.gone if one.item is not None]

    def apply(self, edit: Edit, source: Source) -> None:
        """Make one edit.

        Raises:
            ToolError: a text is missing, or `old` is not that of exactly one entry.
        """
        match edit.action:
            case "add":
                self._add(_filled(edit.text, "text"), edit.kind, source)
            case "replace":
                old = self._named(edit.old)
                fresh = _filled(edit.text, "text")
                place = self.entries.index(old)
                if fresh == old:
                    self.confirmed.append(old)
                elif plain(fresh) == plain(old):
                    self.drop(old, "superseded", by=fresh)
                    self._insert(place, fresh, edit.kind, source)
                else:
                    self._add(fresh, edit.kind or self._kind_of(old), source, place)
                    self.drop(old, "superseded", by=fresh)
                    self._keep_pin(old, fresh)
            case "remove":
                self.drop(self._named(edit.old), "forgotten")

    def drop(self, text: str, ending: Ending, *, by: str = "", reason: str = "") -> None:
        """Take an entry out."""
        self.entries.remove(text)
        self.learnt.pop(text, None)
        item = self.items.get(text)
        self.gone.append(Gone(text, ending, reason, by, item and item.id))

    def put_back(self, item: MemoryItem) -> None:
        """Let an item that had ended count again."""
        self.entries.append(item.text)
        self.restored.append(item)
        self._note_contradictions(item.text)

    def merge(self, text: str, inputs: Sequence[MemoryItem], source: Source) -> None:
        """Let one entry take the place of several."""
        if any(text == one.text for one in inputs):
            self.confirmed.append(text)
        else:
            place = self.entries.index(inputs[0].text)
            self._insert(place, text, inputs[0].kind, source)
        for one in inputs:
            if one.text != text:
                self.drop(one.text, "superseded", by=text, reason="merged")

    def _add(self, text: str, kind: Kind | None, source: Source, place: int | None = None) -> None:
        known = next((entry for entry in self.entries if plain(entry) == plain(text)), None)
        if known is not None:
            self.confirmed.append(known)
            return
        for old in list(self.entries):
            if supersedes(text, old) and not self._is_pinned(old) and place is None:
                self.drop(old, "superseded", by=text)
        self._insert(len(self.entries) if place is None else place, text, kind, source)
        if place is None:
            self._note_contradictions(text)

    def _insert(self, place: int, text: str, kind: Kind | None, source: Source) -> None:
        self.entries.insert(place, text)
        self.learnt[text] = Learnt(text, kind or guessed_kind(text, self.target), source)

    def _note_contradictions(self, text: str) -> None:
        for other in self.entries:
            if other != text and (reason := contradiction(text, other)):
                self.notes.append(f"It may contradict {other!r} ({reason}).")

    def _named(self, old: str) -> str:
        wanted = _filled(old, "old")
        found = [entry for entry in self.entries if wanted in entry or old.strip() in entry]
        exact = [entry for entry in found if entry == wanted]
        if len(exact or found) != 1:
            count = f"{len(found)} entries contain" if found else "No entry contains"
            listed = "\n".join(f"- {entry}" for entry in self.entries) or "(none)"
            raise ToolError(
                f"{count} {old!r}.", hint=f"Pass text of exactly one entry of:\n{listed}"
            )
        return (exact or found)[0]

    def _kind_of(self, text: str) -> Kind | None:
        item = self.items.get(text)
        return item.kind if item else None

    def _is_pinned(self, text: str) -> bool:
        item = self.items.get(text)
        return item is not None and item.is_pinned

    def _keep_pin(self, old: str, new: str) -> None:
        if self._is_pinned(old) and new in self.learnt:
            one = self.learnt[new]
            self.learnt[new] = Learnt(one.text, one.kind, one.source, is_pinned=True)


def _filled(value: str, name: str) -> str:
    text = one_entry(value)
    if not text:
        raise ToolError(f"`{name}` is empty.", hint=f"Pass {name}.")
    return text
