"""Skills, sessions and a scripted model, to learn from tasks with."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from hermes_tui.core.messages import Message
from hermes_tui.core.skills import Outcome
from hermes_tui.learning.proposals import Proposals
from hermes_tui.learning.skill_learner import SkillLearner
from hermes_tui.models.scripted import Line, ScriptedModel, says
from hermes_tui.skills.library import Library, Root
from hermes_tui.skills.lint import Draft
from hermes_tui.skills.repository import SkillRepository
from hermes_tui.skills.skill import skill_text
from hermes_tui.skills.skills import Skills
from hermes_tui.store.store import Store

BODY = """\
## When to use
A service answers with 502 behind nginx.

## Steps
1. Run `nginx -t`; a syntax error explains most of them.
2. Look at the upstream with `curl -f http://localhost:<port>/health`.
3. Restart the upstream, then reload nginx with `systemctl reload nginx`.

## Pitfalls
- A reload with a broken configuration keeps the old one: read what `nginx -t` says.

## Verify
`curl -fsS http://<host>/` succeeds.
"""
DESCRIPTION = "Find why nginx answers 502 Bad Gateway, and mend it. Use when a site shows 502."


class SkillDesk:
    """A learner of skills with all it works on."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.bundled = folder / "bundled"
        self.skills = Skills(
            Library([Root(folder / "skills", "person"), Root(self.bundled, "bundled")]),
            lambda: SkillRepository(folder / "skills"),
            folder=folder / "skills",
            index=store.skill_words,
            uses=store.skill_uses,
        )
        self.proposals = Proposals(folder / "proposals")
        self.model: ScriptedModel | None = None
        self.now = datetime.now(UTC)
        self.learner = SkillLearner(
            store=store,
            skills=self.skills,
            proposals=self.proposals,
            model=lambda: self.model,
            now=lambda: self.now,
        )

    def answers(self, *lines: Line | dict[str, Any]) -> ScriptedModel:
        """What the model says from now on."""
        told = [
            says(msgspec.json.encode(line).decode()) if isinstance(line, dict) else line
            for line in lines
        ]
        self.model = ScriptedModel(*told, name="small")
        return self.model

    async def session(self, messages: Sequence[Message]) -> str:
        record = await self.store.sessions.create(
            cwd="/", model="m", environment="local", source="run"
        )
        await self.say(record.id, messages)
        return record.id

    async def say(self, session: str, messages: Sequence[Message]) -> None:
        for message in messages:
            await self.store.messages.append(session, message)

    async def write(self, name: str, body: str = BODY, *, by_user: bool = False) -> None:
        await self.skills.save(
            Draft(name, DESCRIPTION, body), reason="As a test wants it.", by_user=by_user
        )

    def bundle(self, name: str, body: str = BODY, description: str = DESCRIPTION) -> None:
        (self.bundled / name).mkdir(parents=True)
        (self.bundled / name / "SKILL.md").write_text(skill_text(name, description, body))

    async def used(self, skill: str, session: str, outcome: Outcome, note: str = "") -> None:
        """A use of a skill, and what came of it."""
        uses = self.store.skill_uses
        await uses.record(skill, version=1, session=session, how="loaded")
        *_, latest = await uses.of_session(session)
        await uses.judge(latest.id, outcome, note)

    async def outcomes(self, skill: str) -> list[tuple[str | None, str]]:
        return [(use.outcome, use.note) for use in await self.store.skill_uses.of(skill)]

    async def names(self) -> list[str]:
        return [skill.name for skill in (await self.skills.shelf()).skills]

    async def body(self, name: str) -> str:
        return (await self.skills.load(name)).body


@asynccontextmanager
async def skill_desk(folder: Path) -> AsyncGenerator[SkillDesk, None]:
    async with Store.open(folder / "hermes.db") as store:
        desk = SkillDesk(store, folder)
        try:
            yield desk
        finally:
            desk.skills.repository.close()
