"""The figures of memory: search, size, appending, several writers, what is found.

    just bench memory [--quick] [--locomo FILE] [--only PART]

`--quick` does everything on a tenth or less. `--locomo` names the file of that data set
(https://github.com/snap-research/locomo), which is not part of this repository. Figures hold
within one run on one machine; the load average is printed with them.
"""

import argparse
import os
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec

from bench.dialogues import make_dialogues
from bench.kernel import row
from bench.retrieval import Dialogue, locomo, measure
from hermes_tui.agent.approvals import Nobody
from hermes_tui.core.memory import Source
from hermes_tui.core.messages import Message, Text, user
from hermes_tui.models.scripted import ScriptedModel, says
from hermes_tui.runtime.runtime import Overrides, open_runtime
from hermes_tui.skills.lint import Draft
from hermes_tui.store.import_forms import Said
from hermes_tui.store.store import Store
from hermes_tui.store.vectors import nearest

PARTS = ("large", "middle", "append", "writers", "remembering", "prefix", "retrieval", "vectors")
MESSAGES_PER_SESSION = 50
SENTENCES = 20_000
BATCH = 10_000
RARE = 10
"""One message in this many has a word no other has."""
QUERIES = 60
"""Of each kind."""
WRITERS = 8
APPENDED = 150
REMEMBERED = 40
TURNS = 20


class Prose:
    """Text whose words are as unevenly common as in a language (Zipf)."""

    def __init__(self, seed: int = 7) -> None:
        self.chance = random.Random(seed)
        syllables = [
            f"{a}{b}{c}"
            for a in ("b", "c", "d", "f", "gr", "h", "l", "m", "n", "p", "r", "st", "t", "v")
            for b in "aeiou"
            for c in ("", "", "n", "r", "s", "t")
        ]
        words: dict[str, None] = {}
        while len(words) < 30_000:
            words["".join(self.chance.choices(syllables, k=self.chance.randrange(2, 5)))] = None
        self.words = list(words)
        weights = [1 / (rank + 2) for rank in range(len(self.words))]
        self.sentences = [
            " ".join(self.chance.choices(self.words, weights, k=self.chance.randrange(8, 22)))
            for _ in range(SENTENCES)
        ]

    def message(self, number: int) -> str:
        chosen = self.chance.choices(self.sentences, k=self.chance.randrange(2, 9))
        rare = f" unique{number}" if number % RARE == 0 else ""
        return f"{'. '.join(chosen)}{rare}"

    def queries(self, messages: int) -> dict[str, list[str]]:
        """Queries of each kind the goal names, and such as people type."""
        pick, span = self.chance.choice, self.chance.randrange
        some = [pick(self.sentences).split() for _ in range(QUERIES)]
        when = ("last week", "yesterday", "in the last 3 months", "since last Monday")
        return {
            "common": [" ".join(self.chance.sample(self.words[:30], 2)) for _ in range(QUERIES)],
            "rare": [
                f"unique{span(messages // RARE) * RARE} {pick(self.words[9000:])}"
                for _ in range(QUERIES)
            ],
            "phrase": [f'"{one[0]} {one[1]}"' for one in some],
            "common phrase": [f'"{a} {b}"' for a, b in pairwise(self.words[:QUERIES])],
            "prefix": [f"{pick(self.words[:500])[:3]}*" for _ in range(QUERIES)],
            "dated": [f"{pick(self.words[:50])} {pick(when)}" for _ in range(QUERIES)],
            "question": [f"what did we say about {' '.join(one[:6])}?" for one in some],
        }


def said(prose: Prose, messages: int) -> Iterator[list[Said]]:
    """Two years of messages up to now, in batches."""
    start = datetime.now(UTC) - timedelta(days=730)
    step = timedelta(days=730) / messages
    batch: list[Said] = []
    for number in range(messages):
        session = f"talk {number // MESSAGES_PER_SESSION}"
        role = "assistant" if number % 2 else "user"
        message = Message(role, (Text(prose.message(number)),))
        batch.append(Said(session, "", message, start + step * number))
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


async def filled(path: Path, prose: Prose, messages: int) -> float:
    """Fill a store; returns the size of its file by that of the text."""
    text_bytes = 0
    started = time.monotonic()
    async with Store.open(path) as store:
        importer = store.importer()
        for batch in said(prose, messages):
            text_bytes += sum(len(one.message.text.encode()) for one in batch)
            await importer.take(batch)
    size = sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))
    seconds = time.monotonic() - started
    print(f"({messages:,} messages, {text_bytes / 1e6:.0f} MB of text, in {seconds:.0f} s)")
    return size / text_bytes


async def search(folder: Path, messages: int, goal: str, size_goal: str) -> None:
    prose = Prose()
    path = folder / f"search-{messages}.db"
    ratio = await filled(path, prose, messages)
    row(f"{messages:,} messages: file / text", f"{ratio:.2f}", size_goal)
    everything: list[float] = []
    async with Store.open(path) as store:
        await store.search.find("warm up")
        for kind, queries in prose.queries(messages).items():
            taken: list[float] = []
            partial = 0
            for query in queries:
                started = time.monotonic()
                found = await store.search.find(query, limit=10)
                taken.append((time.monotonic() - started) * 1000)
                partial += found.is_partial
            everything += taken
            shown = f"{statistics.median(taken):.0f} / {p95(taken):.0f} ms"
            note = f", {partial} partial" if partial else ""
            row(f"{messages:,}: {kind}, p50 / p95{note}", shown, goal)
    row(f"{messages:,}: all queries, p95", f"{p95(everything):.0f} ms", goal)
    path.unlink()


def p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


async def append(folder: Path, messages: int) -> None:
    """Append one by one, with a bare fsync of the same disk beside each."""
    prose = Prose(8)
    taken: list[float] = []
    bare: list[float] = []
    async with Store.open(folder / "append.db") as store:
        record = await store.sessions.create(cwd="/", model="m", environment="local", source="b")
        for number in range(messages):
            message = user(prose.message(number))
            started = time.monotonic()
            await store.messages.append(record.id, message)
            taken.append((time.monotonic() - started) * 1000)
            bare.append(bare_fsync(folder / "bare"))
    p99 = statistics.quantiles(taken, n=100)[-1]
    row(f"append, p99 of {messages:,}", f"{p99:.2f} ms", "<= 5 ms")
    row("  worst append / worst bare fsync", f"{max(taken):.0f} / {max(bare):.0f} ms", "<= 5 times")


def bare_fsync(path: Path) -> float:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(descriptor, b"x" * 8192)
        started = time.monotonic()
        os.fsync(descriptor)
        return (time.monotonic() - started) * 1000
    finally:
        os.close(descriptor)


WRITER = """
import sys, anyio
from pathlib import Path
from hermes_tui.core.messages import user
from hermes_tui.store.store import Store

async def main(path, session, count):
    async with Store.open(Path(path)) as store:
        for number in range(int(count)):
            await store.messages.append(session, user(f"needle {number} " + "word " * 50))

anyio.run(main, *sys.argv[1:])
"""


def run_together(command: Sequence[str]) -> list[str]:
    """What each of the writers printed as errors."""
    running = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(WRITERS)]
    return [process.communicate()[1].decode() for process in running]


async def writers(folder: Path) -> None:
    """Several processes append to one file at once."""
    path = folder / "writers.db"
    async with Store.open(path) as store:
        record = await store.sessions.create(cwd="/", model="m", environment="local", source="b")
        command = [sys.executable, "-c", WRITER, str(path), record.id, str(APPENDED)]
        errors = await anyio.to_thread.run_sync(run_together, command)
        stored = len(await store.messages.of_session(record.id))
        found = (await store.search.find("needle")).total
    locked = sum("locked" in error for error in errors)
    lost = WRITERS * APPENDED - min(stored, found)
    row(f"{WRITERS} processes, {APPENDED} messages each: lost, locked", f"{lost}, {locked}", "0, 0")


REMEMBERER = """
import sys, anyio
from pathlib import Path
from hermes_tui.core.memory import Source
from hermes_tui.memory.files import MemoryFiles
from hermes_tui.memory.memory import Memory
from hermes_tui.store.store import Store

async def main(path, count):
    folder = Path(path)
    async with Store.open(folder / "memory.db") as store:
        memory = Memory(MemoryFiles(folder / "memory"), store.memory_items)
        for number in range(int(count)):
            text = f"Fact {number} of writer {sys.argv[3]} holds."
            await memory.add("memory", text, source=Source("agent"))

anyio.run(main, *sys.argv[1:3])
"""


async def remembering(folder: Path) -> None:
    """Several processes add to one memory file at once."""

    def work() -> list[str]:
        command = [sys.executable, "-c", REMEMBERER, str(folder), str(REMEMBERED)]
        running = [
            subprocess.Popen([*command, str(number)], stderr=subprocess.PIPE)
            for number in range(WRITERS)
        ]
        return [process.communicate()[1].decode() for process in running]

    errors = await anyio.to_thread.run_sync(work)
    async with Store.open(folder / "memory.db") as store:
        kept = {item.text for item in await store.memory_items.items(with_ended=True)}
    failed = sum(bool(error) for error in errors)
    what = f"{WRITERS} processes adding {REMEMBERED} memories each: lost, failed"
    row(what, f"{WRITERS * REMEMBERED - len(kept)}, {failed}", "0, 0")


async def prefix(folder: Path) -> None:
    """What a session's requests begin with, memory and skills being written between the turns."""
    os.environ["HERMES_HOME"] = str(folder / "home")
    model = ScriptedModel(*[says("Noted.") for _ in range(TURNS)])
    overrides = Overrides(cwd=folder, model="rehearsal")
    async with open_runtime(human=Nobody(), source="bench", overrides=overrides) as runtime:
        session = await runtime.new_session()
        session.model = model
        for number in range(TURNS):
            async with session.turn(f"prompt {number}") as turn:
                async for _ in turn:
                    pass
            await runtime.memory.add("memory", f"Fact {number} holds.", source=Source("agent"))
            draft = Draft(f"skill-{number}", "Does it; use when asked.", "1. Do it.\n\nCheck it.")
            await runtime.skills.save(draft, reason="bench")
    seen = {msgspec.json.encode(request.prefix) for request in model.requests}
    what = (
        f"different prefixes in {len(model.requests)} turns, memory and skills written in between"
    )
    row(what, f"{len(seen)}", "1")


async def retrieval(folder: Path, name: str, dialogues: Sequence[Dialogue]) -> None:
    folder = folder / name.replace(" ", "-")
    folder.mkdir()
    found = await measure(folder, dialogues)
    what = f"{name}, {found.questions:,} questions: R@10"
    row(f"{what} by message", f"{found.by_message:.3f}", ">= 0.60")
    row("  counting the neighbours shown", f"{found.with_neighbours:.3f}", "-")
    row("  by session", f"{found.by_session:.3f}", ">= 0.88")
    row("  R@1 by message", f"{found.first_message:.3f}", "-")


def vectors(count: int, dims: int) -> None:
    """Compare one vector with `count` others, as a search does in the reader's thread."""
    chance = random.Random(9)
    numbers = [chance.gauss(0, dims**-0.5) for _ in range(20_000)]
    starts = [chance.randrange(20_000 - dims) for _ in range(count)]
    blobs = [struct.pack(f"<{dims}e", *numbers[at : at + dims]) for at in starts]
    taken: list[float] = []
    for _ in range(20):
        started = time.monotonic()
        nearest(numbers[:dims], blobs)
        taken.append((time.monotonic() - started) * 1000)
    shown = f"{statistics.median(taken):.0f} / {p95(taken):.0f} ms"
    row(f"{count:,} vectors of {dims} numbers, p50 / p95", shown, "<= 50 ms")


async def main() -> None:
    parser = argparse.ArgumentParser(description="Measure memory.")
    parser.add_argument("--quick", action="store_true", help="a tenth or less of everything")
    parser.add_argument("--locomo", type=Path, help="the LoCoMo file: JSON, or a zip of JSON")
    parser.add_argument("--only", choices=PARTS, action="append", help="parts to measure")
    given = parser.parse_args()
    parts = given.only or PARTS
    print(f"load average {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "large" in parts:
            await search(folder, 100_000 if given.quick else 1_000_000, "<= 150 ms", "-")
        if "middle" in parts:
            await search(folder, 10_000 if given.quick else 100_000, "<= 25 ms", "<= 2.0")
        if "append" in parts:
            await append(folder, 5_000 if given.quick else 100_000)
        for part, work in {
            "writers": writers,
            "remembering": remembering,
            "prefix": prefix,
        }.items():
            if part in parts:
                await work(folder)
        if "retrieval" in parts:
            made = make_dialogues(3 if given.quick else 10)
            await retrieval(folder, "generated dialogues", made)
            if given.locomo:
                await retrieval(folder, "LoCoMo", locomo(given.locomo))
        if "vectors" in parts:
            for dims in (384, 768, 1536):
                vectors(2_000, dims)
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    anyio.run(main)
