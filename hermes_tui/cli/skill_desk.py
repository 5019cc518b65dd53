"""What the subcommands of `hermes skills` work with."""

import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from datetime import datetime
from functools import partial
from typing import Concatenate, ParamSpec

import anyio
from msgspec import Struct

from hermes_tui.agent.approvals import Nobody
from hermes_tui.cli.asking import TerminalHuman
from hermes_tui.cli.diagnostics import Ink
from hermes_tui.cli.printing import count, say
from hermes_tui.config.load import load_config
from hermes_tui.config.paths import Paths, current_folder, find_paths, shown
from hermes_tui.config.schema import Config
from hermes_tui.config.secrets import Secrets, load_secrets
from hermes_tui.core.errors import HermesError, NotFoundError, RefusedError, StoreError
from hermes_tui.core.ports import Human
from hermes_tui.core.skills import Skill, Use
from hermes_tui.runtime.skills import open_skills
from hermes_tui.safety.terminal_text import visible
from hermes_tui.skills.confidence import Confidence
from hermes_tui.skills.library import Library, Root, Shelf
from hermes_tui.skills.skill_files import ARCHIVE
from hermes_tui.skills.skills import Skills
from hermes_tui.store.store import Store
from hermes_tui.tools.toolsets import toolsets_of

Rest = ParamSpec("Rest")
NAME_COLUMNS = 28
NAMED = 5
"""Skills named in a sentence; of more only the number is said."""


class Desk(Struct, frozen=True):
    """What a command works with."""

    paths: Paths
    config: Config
    skills: Skills
    human: Human
    store: Store | None
    """None where it cannot be opened."""
    secrets: Secrets | None = None
    """For commands that ask a model."""

    @property
    def toolsets(self) -> frozenset[str]:
        return toolsets_of(self.config.tools.disabled)

    def archived(self) -> tuple[Skill, ...]:
        """The skills that were put away."""
        return Library([Root(self.skills.folder / ARCHIVE, "person")]).load().skills

    async def skill(self, name: str) -> Skill:
        """The skill called `name`.

        Raises:
            NotFoundError: there is none; says so when it is archived or broken.
        """
        shelf = await self.skills.shelf()
        try:
            return shelf.get(name)
        except NotFoundError:
            for broken in shelf.broken:
                if broken.path.name == name:
                    hint = f"Mend it with `hermes skills edit {name}`."
                    raise NotFoundError(
                        f"{name!r} is broken: {broken.problem}", hint=hint
                    ) from None
            if any(skill.name == name for skill in self.archived()):
                hint = f"Bring it back with `hermes skills restore {name}`."
                raise NotFoundError(f"The skill {name!r} is archived.", hint=hint) from None
            raise

    async def path(self, name: str) -> str:
        """Where the history has `name`: one in use, broken, shadowed, archived or deleted.

        Raises:
            NotFoundError: there is none, or it is kept elsewhere and has no history here.
        """
        shelf = await self.skills.shelf()
        if path := self._own_path(name, shelf):
            return path
        away = self.skills.folder / ARCHIVE
        for one in self.archived():
            if one.name == name:
                return one.path.relative_to(away).as_posix()
        if await self._has_history(name):
            return name
        raise self.kept_elsewhere(await self.skill(name))

    def kept_elsewhere(self, skill: Skill) -> NotFoundError:
        """What to say where a skill's own folder is needed, and it is somebody else's."""
        told = f"{skill.name!r} is kept in {shown(skill.path.parent)} and has no history here."
        if skill.origin == "bundled":
            told = f"{skill.name!r} came with Hermes and was never changed here."
        hint = f"`hermes skills edit {skill.name}` makes a copy of your own, which has a history."
        return NotFoundError(told, hint=hint)

    async def adopt(self, *, needed: bool = True) -> None:
        """Take edits by hand into the history.

        Args:
            needed: Whether there is nothing to do without a history.

        Raises:
            HermesError: there can be no history, and it is needed; says why.
        """
        repository = self.skills.repository
        adopted = await repository.adopt()
        if needed and (problem := repository.problem()):
            raise HermesError(problem, hint="Skills still work; `hermes skills list` has them.")
        if adopted:
            edits = count(len(adopted), "edit") + " by hand"
            say(f"Took {edits} into the history: {listed(one.skill for one in adopted)}.")
        for skill, why in repository.left_out().items():
            say(f"! {skill} has no history: {why}")

    def warn_without_history(self) -> None:
        """Say that what was just written has no history."""
        if problem := self.skills.repository.problem():
            say(f"! It has no history: {problem}")

    async def agree(self, question: str, *, yes: bool, refused: str) -> None:
        """Go on only when the person says so.

        Args:
            yes: They said so on the command line.
            refused: What did not happen, as a sentence.

        Raises:
            RefusedError: they said no, or nobody is there to ask.
        """
        if yes:
            return
        if isinstance(self.human, Nobody):
            raise RefusedError(
                f"Nobody is there to say yes. {refused}", hint="Pass --yes to go ahead."
            )
        if await self.human.ask(question, ["no", "yes"]) != "yes":
            raise RefusedError(refused)

    def _own_path(self, name: str, shelf: Shelf) -> str | None:
        for skill in (*shelf.skills, *shelf.hidden):
            if skill.name == name and (path := self.skills.path_of(skill)):
                return path
        for broken in shelf.broken:
            if broken.path.name == name and broken.path.is_relative_to(self.skills.folder):
                return broken.path.relative_to(self.skills.folder).as_posix()
        return None

    async def _has_history(self, path: str) -> bool:
        try:
            return bool(await self.skills.repository.history(path, limit=1))
        except HermesError:
            return False


def run(
    command: Callable[Concatenate[Desk, Rest], Awaitable[None]],
    *args: Rest.args,
    **kwargs: Rest.kwargs,
) -> None:
    """Run `command` on the skills of this home; without the record of uses when it is broken."""

    async def work() -> None:
        paths = find_paths(os.environ)
        config = load_config(paths, environ=os.environ, cwd=current_folder())
        secrets = load_secrets(paths, os.environ, config)  # children see no keys from here on
        paths.create()
        is_seen = sys.stdin.isatty() and sys.stderr.isatty()
        async with AsyncExitStack() as stack:
            store = None
            try:
                store = await stack.enter_async_context(Store.open(paths.database))
            except StoreError as error:
                say(f"Without the record of uses: {error}")
            toolsets = partial(toolsets_of, config.tools.disabled)
            skills = open_skills(
                paths, config, store=store, toolsets=toolsets, folder=current_folder()
            )
            stack.callback(skills.repository.close)
            human: Human = TerminalHuman() if is_seen else Nobody()
            desk = Desk(paths, config, skills, human, store, secrets)
            await command(desk, *args, **kwargs)

    anyio.run(work)


def listed(names: Iterable[str]) -> str:
    """`a, b and c`; of many only some are named."""
    distinct = list(dict.fromkeys(names))
    if len(distinct) > NAMED:
        return f"{', '.join(distinct[:NAMED])} and {len(distinct) - NAMED:,} more"
    return " and ".join([", ".join(distinct[:-1]), distinct[-1]] if distinct[1:] else distinct)


def confidence_as_json(confidence: Confidence) -> dict[str, float]:
    """`mean`, `low` and `high`, each from 0 to 1."""
    ends = {"mean": confidence.mean, "low": confidence.low, "high": confidence.high}
    return {name: round(value, 3) for name, value in ends.items()}


def outcomes_of(uses: Iterable[Use]) -> dict[str, int]:
    """How often each outcome came of loading a skill."""
    return Counter(use.outcome for use in uses if use.how != "hinted" and use.outcome is not None)


def day(at: datetime | None) -> str:
    return f"{at.astimezone():%Y-%m-%d}" if at else "-"


def author(*, by_user: bool) -> str:
    return "you" if by_user else "Hermes"


def print_diff(text: str) -> None:
    """A unified diff: in colours on a terminal, as it is in a pipe."""
    if not sys.stdout.isatty():
        sys.stdout.write(text)
        return
    ink = Ink(sys.stdout)
    inks = {"+": ink.good, "-": ink.error, "@": ink.accent}
    for line in visible(text).splitlines():
        colour = inks.get(line[:1], str)
        sys.stdout.write(colour(line) + "\n")
