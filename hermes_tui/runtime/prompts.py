"""What every request of a session begins with, put together from all that goes into it."""

import logging
from datetime import datetime
from pathlib import Path

import anyio.to_thread

from hermes_tui.agent.compaction import ASSUMED_WINDOW
from hermes_tui.agent.context_files import MAX_CHARS, context_files
from hermes_tui.agent.personalities import Personality
from hermes_tui.agent.prompt import PromptParts, system_prompt
from hermes_tui.config.paths import Paths
from hermes_tui.core.errors import HermesError
from hermes_tui.core.ports import Model, Prefix, Tools
from hermes_tui.memory.files import MemoryFile, MemoryFiles
from hermes_tui.memory.preferences import Preferences
from hermes_tui.skills.library import SkillEntry, list_skills
from hermes_tui.tools.workplace import Workplace

SKILLS_CHARS = 12_000

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
    ) -> None:
        self.personality: Personality | None = None
        self._paths = paths
        self._folder = folder
        self._workplace = workplace
        self._memory = memory
        self._preferences = preferences

    def memory_files(self) -> list[MemoryFile]:
        return [self._memory.read("memory"), self._memory.read("user")]

    def skills(self) -> list[SkillEntry]:
        return list_skills(self._paths.skills_dir)

    async def prefix(self, tools: Tools, model: Model) -> Prefix:
        """The prompt and the tools, sized for `model`."""
        return await anyio.to_thread.run_sync(self._prefix, tools, model)

    def _prefix(self, tools: Tools, model: Model) -> Prefix:
        environment = self._workplace.environment
        parts = PromptParts(
            soul=_text_of(self._paths.soul)[: room(model, MAX_CHARS)],
            manner=self.personality.text if self.personality else "",
            preferences=self._applied_preferences(),
            user=self._memory.for_prompt("user"),
            memory=self._memory.for_prompt("memory"),
            skills=self.skills(),
            skills_chars=room(model, SKILLS_CHARS),
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


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
