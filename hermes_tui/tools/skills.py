"""`skill_search`, `skill_load` and `skill_save`: procedures read when they are needed."""

import shlex
from typing import Annotated, Any

import anyio.to_thread
from msgspec import Meta, Struct

from hermes_tui.core.errors import HermesError, ToolError
from hermes_tui.core.messages import Diff
from hermes_tui.safety.risk import Assessment, worst
from hermes_tui.skills.lint import Draft
from hermes_tui.skills.skills import Loaded, Saved, Skills, body_of, read_files_of
from hermes_tui.skills.slots import with_outputs
from hermes_tui.tools.registry import HARMLESS, Outcome, Say, Tool
from hermes_tui.tools.workplace import Workplace

SHELL_SECONDS = 20
SHELL_CHARS = 4_000
DESCRIPTION_CHARS = 200
COPIED_BYTES = 1024 * 1024
CACHE = 'printf %s "${XDG_CACHE_HOME:-$HOME/.cache}"'


class SkillSearchArgs(Struct, frozen=True):
    """Find skills (tested procedures) for a task; the prompt lists only some."""

    query: str
    limit: Annotated[int, Meta(ge=1, le=30)] = 8


class SkillLoadArgs(Struct, frozen=True):
    """Read a skill before doing what it is for, or one `file` of it."""

    name: str
    arguments: str = ""
    file: str = ""


class SkillSaveArgs(Struct, frozen=True):
    """Keep a procedure that worked and will be needed again, or improve a skill: general steps,
    pitfalls, how to verify; no diary. Give all of `body`, or change a passage by `old`, `new`."""  # noqa: D205, D209

    name: Annotated[str, Meta(description="lower-case-with-hyphens")]
    reason: str
    description: Annotated[str, Meta(description="what it does and when to use it")] = ""
    body: str = ""
    old: str = ""
    new: str = ""
    files: dict[str, str] = {}


def skill_tools(skills: Skills, workplace: Workplace, *, session_id: str) -> list[Tool[Any]]:
    """All three, for one session."""
    loading = _Loading(skills, workplace, session_id)
    saving = _Saving(skills, session_id)
    searching = _Searching(skills)
    return [
        Tool("skill_search", SkillSearchArgs, searching.run, parallel_safe=True),
        Tool(
            "skill_load", SkillLoadArgs, loading.run,
            assess=loading.assess, describe=loading.describe,
        ),
        Tool("skill_save", SkillSaveArgs, saving.run),
    ]  # fmt: skip


class _Searching:
    def __init__(self, skills: Skills) -> None:
        self._skills = skills

    async def run(self, args: SkillSearchArgs, say: Say) -> str:
        del say
        found = await self._skills.find(args.query, limit=args.limit)
        if not found:
            count = len((await self._skills.shelf()).skills)
            return f"None of {count:,} skills has these words. Try others."
        return "\n".join(
            f"- {skill.name}: {skill.description[:DESCRIPTION_CHARS]}" for skill, _ in found
        )


class _Loading:
    def __init__(self, skills: Skills, workplace: Workplace, session_id: str) -> None:
        self._skills = skills
        self._workplace = workplace
        self._session_id = session_id

    async def assess(self, args: SkillLoadArgs) -> Assessment:
        """Reading is harmless; what a trusted skill runs when read is judged as commands are."""
        commands = await self._commands(args)
        judged = [await self._workplace.assess_command(command) for command in commands]
        return worst(HARMLESS, *judged)

    async def describe(self, args: SkillLoadArgs) -> str:
        commands = await self._commands(args)
        return "\n".join([f"skill_load {args.name}", *(f"runs: {one}" for one in commands)])

    async def run(self, args: SkillLoadArgs, say: Say) -> str:
        if args.file:
            return await self._skills.read_file(args.name, args.file)
        loaded = await self._skills.load(
            args.name, session=self._session_id, arguments=args.arguments
        )
        outputs: dict[str, str] = {}
        for command in await self._commands(args):
            await say(f"$ {command}\n")
            outputs[command] = await self._printed(command)
        place = await self._place(loaded) if loaded.files else ""
        return _content(loaded, with_outputs(loaded.body, outputs), place)

    async def _commands(self, args: SkillLoadArgs) -> list[str]:
        """What the skill's text wants run, if the person trusts it as it is."""
        if args.file:
            return []
        return await self._skills.trusted_commands(args.name)

    async def _printed(self, command: str) -> str:
        try:
            result = await self._workplace.environment.run(
                command, timeout=SHELL_SECONDS, keep_state=False
            )
        except HermesError as error:
            return f"(not run: {error.message})"
        text = result.output.text.strip()[:SHELL_CHARS]
        return text if result.exit_code == 0 else f"{text}\n(exit code {result.exit_code})".strip()

    async def _place(self, loaded: Loaded) -> str:
        """Where the skill's files are for a command that runs now."""
        folder = str(loaded.skill.path)
        if self._workplace.name != "local":
            try:
                folder = await self._copied(loaded)
            except HermesError as error:
                return f"Its files are not in this environment: {error.message}"
        return f"Folder (SKILL in its commands): {folder}"

    async def _copied(self, loaded: Loaded) -> str:
        """Put the files beside the commands that will use them; returns that folder."""
        environment = self._workplace.environment
        files = await anyio.to_thread.run_sync(read_files_of, loaded)
        if sum(len(one.content) for one in files) > COPIED_BYTES:
            raise ToolError(f"together they have more than {COPIED_BYTES:,} bytes.")
        cache = await environment.run(CACHE, timeout=SHELL_SECONDS, keep_state=False)
        folder = f"{cache.output.text.strip()}/hermes/skills/{loaded.skill.name}"
        for one in files:
            await environment.write_file(f"{folder}/{one.path}", one.content)
        programs = shlex.join(f"{folder}/{one.path}" for one in files if one.is_program)
        if programs:
            command = f"chmod +x -- {programs}"
            await environment.run(command, timeout=SHELL_SECONDS, keep_state=False)
        return folder


class _Saving:
    def __init__(self, skills: Skills, session_id: str) -> None:
        self._skills = skills
        self._session_id = session_id

    async def run(self, args: SkillSaveArgs, say: Say) -> Outcome:
        del say
        saved = await self._skills.save(
            await self._draft(args), reason=args.reason, session=self._session_id
        )
        return Outcome(_told(saved), display=Diff(f"{args.name}/SKILL.md", saved.diff))

    async def _draft(self, args: SkillSaveArgs) -> Draft:
        skill = (await self._skills.shelf()).find(args.name)
        body, description = args.body, args.description
        if skill is not None:
            description = description or skill.description
            body = body or body_of(skill)
        if args.old:
            if body.count(args.old) != 1:
                raise ToolError(
                    f"`old` occurs {body.count(args.old)} times in the body of {args.name!r}.",
                    hint="Copy a passage that occurs once.",
                )
            body = body.replace(args.old, args.new)
        if not body.strip() or not description.strip():
            raise ToolError("A new skill needs `description` and `body`.")
        return Draft(args.name, description, body, args.files)


def _content(loaded: Loaded, body: str, place: str) -> str:
    skill = loaded.skill
    lines = [f"<skill_content name={skill.name!r}>", body.strip(), "</skill_content>"]
    if loaded.files:
        lines += [place, f"Files: {', '.join(loaded.files)}"]
    if loaded.missing:
        lines.append(f"Find out before you start: {', '.join(loaded.missing)}.")
    return "\n".join(lines)


def _told(saved: Saved) -> str:
    what = "Wrote the new skill" if saved.is_new else f"Version {saved.version.number} of"
    undo = f"`hermes skills undo {saved.skill.name}` takes it back."
    return " ".join([f"{what} {saved.skill.name!r}. {undo}", *saved.skill.problems])
