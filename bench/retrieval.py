"""How much of what answers a question is among the first results."""

import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from hermes_tui.core.messages import Message, Text
from hermes_tui.store.import_forms import Said
from hermes_tui.store.importing import imported_id
from hermes_tui.store.store import Store

FIRST = 10


@dataclass
class Question:
    """A question with the messages that answer it, by their place in the dialogue."""

    text: str
    answers: tuple[int, ...]


@dataclass
class Dialogue:
    """A long acquaintance: sessions of messages, and questions about them."""

    said: list[Said] = field(default_factory=list[Said])
    questions: list[Question] = field(default_factory=list[Question])


@dataclass
class Recall:
    """Means over questions, each between 0 and 1."""

    by_message: float
    """Of the messages that answer a question, the share among the first ten hits."""
    with_neighbours: float
    """The same, counting the messages shown beside the hits."""
    by_session: float
    """Of the sessions that answer it, the share among the first ten sessions."""
    first_message: float
    """The share whose first hit is among the messages that answer."""
    questions: int


async def measure(folder: Path, dialogues: Sequence[Dialogue]) -> Recall:
    """Ask every dialogue's questions in a store of its own."""
    sums = [0.0, 0.0, 0.0, 0.0]
    count = 0
    for number, dialogue in enumerate(dialogues):
        async with Store.open(folder / f"dialogue-{number}.db") as store:
            await store.importer().take(dialogue.said)
            places: dict[int, int] = {}
            for session in dict.fromkeys(one.session for one in dialogue.said):
                stored = await store.messages.of_session(imported_id(session))
                wanted = [p for p, one in enumerate(dialogue.said) if one.session == session]
                places.update(zip((one.id for one in stored), wanted, strict=True))
            for question in dialogue.questions:
                found = await store.search.find(question.text, limit=FIRST)
                hits = [places[hit.message_id] for hit in found.hits]
                beside = [
                    places[near.message_id]
                    for hit in found.hits
                    for near in (hit.before, hit.after)
                    if near
                ]
                answers = set(question.answers)
                sessions = {imported_id(dialogue.said[place].session) for place in answers}
                sums[0] += len(answers.intersection(hits)) / len(answers)
                sums[1] += len(answers.intersection([*hits, *beside])) / len(answers)
                sums[2] += len(sessions.intersection(one.id for one in found.sessions)) / len(
                    sessions
                )
                sums[3] += bool(hits) and hits[0] in answers
                count += 1
    return Recall(*(total / max(count, 1) for total in sums), questions=count)


def locomo(path: Path) -> list[Dialogue]:
    """The dialogues of a LoCoMo file: one JSON list, or a zip of one file each."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".json")]
            entries = [json.loads(archive.read(name)) for name in sorted(names)]
    else:
        entries = json.loads(path.read_text("utf-8"))
    return [_dialogue(entry) for entry in entries]


def _dialogue(entry: dict[str, Any]) -> Dialogue:
    spoken: dict[str, Any] = entry.get("conversation", entry)
    made = Dialogue()
    places: dict[str, int] = {}
    for session, turns in _sessions(spoken):
        told = f"{spoken[f'{session}_date_time']} +0000"
        at = datetime.strptime(told, "%I:%M %p on %d %B, %Y %z")
        for turn in turns:
            places[turn["dia_id"]] = len(made.said)
            role = "user" if turn["speaker"] == spoken["speaker_a"] else "assistant"
            text = f"{turn['speaker']}: {turn['text']}"
            if turn.get("blip_caption"):
                text += f" [{turn['blip_caption']}]"
            made.said.append(Said(session, session, Message(role, (Text(text),)), at))
    for asked in entry["qa"]:
        evidence: list[str] = asked.get("evidence") or []
        ids = [one for name in evidence for one in name.replace(";", " ").replace(",", " ").split()]
        answers = tuple(dict.fromkeys(places[one] for one in ids if one in places))
        # Category 5 has no answer in the dialogue.
        if answers and asked.get("category") != 5:
            made.questions.append(Question(asked["question"], answers))
    return made


def _sessions(spoken: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    number = 1
    while f"session_{number}_date_time" in spoken:
        if spoken.get(f"session_{number}"):
            yield f"session_{number}", spoken[f"session_{number}"]
        number += 1
