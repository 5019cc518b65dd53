"""Figures of an audit: how long one takes, and how long it holds up everything else."""

import hashlib
import time
from datetime import UTC, datetime
from pathlib import Path

from bench.kernel import row
from bench.skill_history import Pulse
from hermes_tui.core.messages import (
    Message,
    Text,
    ToolCall,
    ToolResult,
    assistant,
    tool_results,
    user,
)
from hermes_tui.learning.audit.auditor import Auditor
from hermes_tui.skills.library import Library, Root
from hermes_tui.skills.repository import SkillRepository
from hermes_tui.skills.skills import Skills
from hermes_tui.store.store import Store

SESSIONS = 50
CALLS = 60
"""Of each session."""
USED = 800
"""Times a skill was read, and failed in a way of its own."""
AT_ODDS = ("Always use pnpm.", "Always use yarn.") * 10
"""What as many of the skills say."""


async def measure(folder: Path, home: Path) -> None:
    """Print what audits of the skills in `folder` cost, by rule, without a model.

    Once they are the person's, with a history, and once another tool's, with none.
    """
    async with Store.open(home / "audit.db") as store:
        own, empty = Root(folder, "person"), home / "empty"
        empty.mkdir()
        shelf = Library([own]).load()
        for skill, said in zip(shelf.skills[100:], AT_ODDS, strict=False):
            with (skill.path / "SKILL.md").open("a", encoding="utf-8") as file:
                file.write(f"\n{said}\n")
        await _talk(store)
        for number, skill in enumerate(shelf.skills[:USED]):
            session = str(number)
            await store.skill_uses.record(skill.name, version=1, session=session, how="loaded")
            (use,) = await store.skill_uses.of_session(session)
            await store.skill_uses.judge(use.id, "failure", _unlike(number))
        await _audit(store, own, folder, home / "audits")
        await _audit(store, Root(folder, "foreign"), empty, home / "audits-of-others")


async def _audit(store: Store, root: Root, folder: Path, reports: Path) -> None:
    skills = Skills(
        Library([root], cache=reports.with_suffix(".heads")),
        lambda: SkillRepository(folder),
        folder=folder, index=store.skill_words, uses=store.skill_uses,
    )  # fmt: skip
    try:
        await skills.repository.adopt()
        auditor = Auditor(store=store, skills=skills, folder=reports)
        async with Pulse() as pulse:
            started = time.perf_counter()
            audit = await auditor.run()
            took = time.perf_counter() - started
    finally:
        skills.close()
    found = f"{audit.tasks} tasks, {len(audit.conflicts):,} conflicts"
    row(f"audit of {len(audit.skills):,} skills ({root.origin}), {found}", f"{took:.1f} s", "-")
    row("    event loop held up", f"{pulse.worst * 1000:.0f} ms", "<= 50 ms")


def _unlike(number: int) -> str:
    """Three words no other number has."""
    return " ".join(hashlib.sha256(f"{number} {at}".encode()).hexdigest()[:12] for at in range(3))


async def _talk(store: Store) -> None:
    """Sessions in which commands failed over and over."""
    for number in range(SESSIONS):
        record = await store.sessions.create(cwd="/", model="m", environment="local", source="run")
        messages: list[Message] = [user(f"Mend the build, part {number}")]
        for call in range(CALLS):
            asked = ToolCall("call_1", "terminal", f'{{"command": "make part-{call}"}}')
            failed = "x.c:3: error: expected ';'\n" * 60 + "[Exit code 2.]"
            messages += [
                Message("assistant", (Text(""), asked)),
                tool_results([ToolResult("call_1", failed, is_error=True)]),
            ]
        for message in [*messages, assistant(f"Done at {datetime.now(UTC):%H:%M}.")]:
            await store.messages.append(record.id, message)
