"""What every request of a session begins with, put together from all that goes into it."""

import logging
from datetime import datetime
from pathlib import Path

import anyio.to_thread

from hermes_tui.agent.compaction import ASSUMED_WINDOW
from hermes_tui.agent.context_files import MAX_CHARS, context_files
from hermes_tui.agent.personalities import Personality
from hermes_tui.agent.prompt import PromptParts, system_prompt
from hermes_tui.config.files import read_regular
from hermes_tui.config.paths import Paths, shown
from hermes_tui.core.errors import HermesError
from hermes_tui.core.ports import Model, Prefix, Tools
from hermes_tui.memory.files import MemoryFile, MemoryFiles
from hermes_tui.memory.preferences import Preferences
from hermes_tui.skills.catalog import CATALOG_CHARS, catalog, has_room_for_all
from hermes_tui.skills.skills import Skills
from hermes_tui.tools.workplace import Workplace

SOUL_BYTES = 1024 * 1024

LOG = logging.getLogger(__name__)


class Prompts:
    """Builds prefixes from what is on disk and set now."""

    def __init__(
        self,
        *,
        paths: Paths,
        folder: Path,
        workplace: Workplace,
        memory: MemoryFiles,
        preferences: Preferences,
        skills: Skills,
    ) -> None:
        self.personality: Personality | None = None
        self._paths = paths
        self._folder = folder
        self._workplace = workplace
        self._memory = memory
        self._preferences = preferences
        self._skills = skills

    def memory_files(self) -> list[MemoryFile]:
        return [self._memory.read("memory"), self._memory.read("user")]

    def problems(self) -> list[str]:
        """What is wrong with the files prompts are built from, as sentences for the person."""
        found = [problem for file in self.memory_files() for problem in file.problems]
        found.append(_soul(self._paths.soul)[1])
        try:
            self._preferences.applied()
        except HermesError as error:
            found.append(f"Preferences do not count, and nothing is learnt by itself: {error}")
        return [problem for problem in found if problem]

    async def prefix(self, tools: Tools, model: Model) -> Prefix:
        """The prompt and the tools, sized for `model`."""
        shelf = await self._skills.shelf()
        usable, size = self._skills.usable(shelf), room(model, CATALOG_CHARS)
        worth = {} if has_room_for_all(usable, size) else await self._skills.worth(shelf)
        listed = catalog(usable, room=size, worth=worth)
        return await anyio.to_thread.run_sync(self._prefix, tools, model, listed)

    def _prefix(self, tools: Tools, model: Model, skills: str) -> Prefix:
        environment = self._workplace.environment
        parts = PromptParts(
            soul=_soul(self._paths.soul)[0][: room(model, MAX_CHARS)],
            manner=self.personality.text if self.personality else "",
            preferences=self._applied_preferences(),
            user=self._memory.for_prompt("user"),
            memory=self._memory.for_prompt("memory"),
            skills=skills,
            context=context_files(self._folder, limit_chars=room(model, MAX_CHARS)),
            environment=environment.name,
            cwd=environment.cwd,
            today=datetime.now().astimezone().date(),
        )
        return Prefix(system_prompt(parts), tools.specs)

    def _applied_preferences(self) -> dict[str, str]:
        try:
            return self._preferences.applied()
        except HermesError as error:
            LOG.warning("Preferences are left out: %s", error)
            return {}


def room(model: Model, most: int) -> int:
    """Characters one text may take: a tenth of what the model holds, and `most` at most."""
    return min(most, (model.context_window or ASSUMED_WINDOW) * 4 // 10)


def _soul(path: Path) -> tuple[str, str]:
    """What `SOUL.md` says, and a sentence on why it cannot be read, where it is there."""
    try:
        return read_regular(path, max_bytes=SOUL_BYTES).content.decode("utf-8", "replace"), ""
    except FileNotFoundError:
        dead = f"{shown(path)} is a link to a file that is not there; it is left out."
        return "", dead if path.is_symlink() else ""
    except HermesError as error:
        return "", f"{error.message} It is left out."
