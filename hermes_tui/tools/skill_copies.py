"""The files of a skill, put beside the commands that will use them."""

import shlex
from collections.abc import Sequence

import anyio.to_thread

from hermes_tui.core.environment import CommandResult, Environment
from hermes_tui.core.errors import HermesError, ToolError
from hermes_tui.skills.skills import Loaded, SkillFile, Skills, read_files_of
from hermes_tui.tools.workplace import Workplace

SECONDS = 20
MAX_FILES = 200
MAX_BYTES = 1024 * 1024
"""Of one skill together."""
CACHE = 'printf %s "${XDG_CACHE_HOME:-$HOME/.cache}"'
OWN = frozenset({"bundled", "person", "agent"})
"""Whose skills are copied unasked for trust: nobody else had a hand in them."""

State = tuple[tuple[str, int, int], ...]


class Copies:
    """Which skills' files are where commands run; each is copied once, and after a change."""

    def __init__(self, skills: Skills, workplace: Workplace) -> None:
        self._skills = skills
        self._workplace = workplace
        self._made: dict[tuple[str, str], tuple[Environment, State, str]] = {}
        """By environment and skill: where, of which files, and in which folder."""

    async def are_needed(self, loaded: Loaded) -> bool:
        """Whether `place` would copy something."""
        if self._workplace.name == "local" or not loaded.files:
            return False
        state = await anyio.to_thread.run_sync(_state, loaded)
        return not self._made_of(loaded, state) and await self._may_be_copied(loaded)

    async def place(self, loaded: Loaded) -> str:
        """What to say of where the skill's files are for a command that runs now."""
        folder = str(loaded.skill.path)
        if self._workplace.name != "local":
            try:
                folder = await self._copied(loaded)
            except HermesError as error:
                return f"Its files are not in this environment: {error.message}"
        return f"Folder (SKILL in its commands): {folder}"

    async def _copied(self, loaded: Loaded) -> str:
        """Put the files there; returns their folder."""
        state = await anyio.to_thread.run_sync(_state, loaded)
        if folder := self._made_of(loaded, state):
            return folder
        name = loaded.skill.name
        if not await self._may_be_copied(loaded):
            raise ToolError(f"the person has to trust them first (hermes skills trust {name}).")
        if len(loaded.files) > MAX_FILES:
            raise ToolError(f"they are {len(loaded.files):,}; at most {MAX_FILES} are copied.")
        files = await anyio.to_thread.run_sync(lambda: read_files_of(loaded, max_bytes=MAX_BYTES))
        environment = self._workplace.environment
        folder = f"{await self._cache(environment)}/hermes/skills/{name}"
        await _put(environment, folder, files)
        self._made[self._workplace.name, name] = environment, state, folder
        return folder

    async def _cache(self, environment: Environment) -> str:
        cache = _done(await environment.run(CACHE, timeout=SECONDS, keep_state=False))
        if not cache.startswith("/"):
            raise ToolError(f"{cache!r} is no folder for caches.")
        return cache.rstrip("/")

    async def _may_be_copied(self, loaded: Loaded) -> bool:
        return loaded.skill.origin in OWN or await self._skills.is_trusted(loaded.skill)

    def _made_of(self, loaded: Loaded, state: State) -> str:
        """The folder with a copy of exactly these files; empty where there is none."""
        environment, copied, folder = self._made.get(
            (self._workplace.name, loaded.skill.name), (None, (), "")
        )
        is_there = environment is self._workplace.environment and copied == state
        return folder if is_there else ""


async def _put(environment: Environment, folder: str, files: Sequence[SkillFile]) -> None:
    for one in files:
        await environment.write_file(f"{folder}/{one.path}", one.content)
    programs = shlex.join(f"{folder}/{one.path}" for one in files if one.is_program)
    if programs:
        command = f"chmod +x -- {programs}"
        _done(await environment.run(command, timeout=SECONDS, keep_state=False))


def _done(result: CommandResult) -> str:
    text = result.output.text.strip()
    if result.exit_code != 0:
        raise ToolError(f"exit code {result.exit_code}: {text[:200]}")
    return text


def _state(loaded: Loaded) -> State:
    """What changes when one of the files does."""
    found: list[tuple[str, int, int]] = []
    for path in loaded.files:
        try:
            status = (loaded.skill.path / path).lstat()
        except OSError:
            continue
        found.append((path, status.st_size, status.st_mtime_ns))
    return tuple(found)
