"""`skill_search`, `skill_load` and `skill_save`: procedures read when they are needed."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from hermes_tui.core.errors import HermesError, ToolError
from hermes_tui.safety.risk import Assessment, Risk, worst
from hermes_tui.skills.skill import FILE
from hermes_tui.skills.skills import MAX_FILES_LISTED, Loaded, Skills
from hermes_tui.tools.registry import HARMLESS, Say, Tool
from hermes_tui.tools.skill_copies import Copies
from hermes_tui.tools.skill_saving import SkillSaveArgs, SkillSaving
from hermes_tui.tools.workplace import Workplace

SHELL_SECONDS = 20
SHELL_CHARS = 4_000
DESCRIPTION_CHARS = 200


class SkillSearchArgs(Struct, frozen=True):
    """Find skills (tested procedures) for a task; the prompt lists only some."""

    query: str
    limit: Annotated[int, Meta(ge=1, le=30)] = 8


class SkillLoadArgs(Struct, frozen=True):
    """Read a skill before doing what it is for, or one `file` of it (SKILL.md: its bare text)."""

    name: str
    arguments: str = ""
    file: str = ""


def skill_tools(skills: Skills, workplace: Workplace, *, session_id: str) -> list[Tool[Any]]:
    """All three, for one session."""
    known: dict[str, str] = {}
    loading = _Loading(skills, workplace, session_id, known)
    saving = SkillSaving(skills, session_id, known)
    searching = _Searching(skills)
    return [
        Tool("skill_search", SkillSearchArgs, searching.run, parallel_safe=True),
        Tool(
            "skill_load", SkillLoadArgs, loading.run,
            assess=loading.assess, describe=loading.describe,
        ),
        Tool(
            "skill_save", SkillSaveArgs, saving.run,
            assess=saving.assess, describe=saving.describe,
        ),
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


class _Plan(Struct, frozen=True):
    """What reading a skill brings with it, as it was assessed."""

    commands: tuple[str, ...]
    """What its text has run, if the person trusts it as it is."""
    copies: bool
    """Whether its files have to be put where the commands run."""


class _Loading:
    def __init__(
        self, skills: Skills, workplace: Workplace, session_id: str, known: dict[str, str]
    ) -> None:
        self._skills = skills
        self._workplace = workplace
        self._session_id = session_id
        self._copies = Copies(skills, workplace)
        self._known = known
        """The body of each skill as the session last saw it."""
        self._decided: tuple[SkillLoadArgs, _Plan] | None = None

    async def assess(self, args: SkillLoadArgs) -> Assessment:
        """Reading is harmless; what a trusted skill runs when read is judged as commands are."""
        plan = self._taken(args) or (await self._look(args))[1]
        self._decided = args, plan
        judged = [await self._workplace.assess_command(command) for command in plan.commands]
        if plan.copies:
            place = self._workplace.name
            judged.append(
                Assessment(
                    Risk.WRITE,
                    f"It puts the files of {args.name} into {place}; with file={FILE!r} only the "
                    "text is read.",
                    scope=f"copies of skills in {place}",
                )
            )
        return worst(HARMLESS, *judged)

    async def describe(self, args: SkillLoadArgs) -> str:
        _, plan = await self._look(args)
        self._decided = args, plan
        copied = [f"puts its files into {self._workplace.name}"] if plan.copies else []
        runs = [f"runs: {one}" for one in plan.commands]
        return "\n".join([f"skill_load {args.name}", *copied, *runs])

    async def run(self, args: SkillLoadArgs, say: Say) -> str:
        if args.file:
            return await self._skills.read_file(args.name, args.file)
        decided = self._taken(args) or _Plan((), copies=False)
        self._decided = None
        loaded, plan = await self._look(args)
        assert loaded is not None, "no single file was asked for"
        if plan.commands != decided.commands or (plan.copies and not decided.copies):
            raise ToolError(
                f"The skill {args.name!r} has changed since it was looked at.",
                hint="Read it once more.",
            )
        await self._skills.note_use(loaded.skill, session=self._session_id)
        self._known[args.name] = loaded.body
        outputs: dict[str, str] = {}
        for command in decided.commands:
            await say(f"$ {command}\n")
            outputs[command] = await self._printed(command)
        place = await self._copies.place(loaded) if loaded.files else ""
        return _content(loaded, loaded.text(outputs), place)

    def _taken(self, args: SkillLoadArgs) -> _Plan | None:
        """What was decided on for this call; None for nothing."""
        decided = self._decided
        return decided[1] if decided is not None and decided[0] == args else None

    async def _look(self, args: SkillLoadArgs) -> tuple[Loaded | None, _Plan]:
        if args.file:
            return None, _Plan((), copies=False)
        loaded = await self._skills.look(args.name, arguments=args.arguments)
        return loaded, _Plan(loaded.commands, copies=await self._copies.are_needed(loaded))

    async def _printed(self, command: str) -> str:
        try:
            result = await self._workplace.environment.run(
                command, timeout=SHELL_SECONDS, keep_state=False
            )
        except HermesError as error:
            return f"(not run: {error.message})"
        text = result.output.text.strip()[:SHELL_CHARS]
        return text if result.exit_code == 0 else f"{text}\n(exit code {result.exit_code})".strip()


def _content(loaded: Loaded, body: str, place: str) -> str:
    skill = loaded.skill
    lines = [f"<skill_content name={skill.name!r}>", body.strip(), "</skill_content>"]
    if loaded.files:
        more = len(loaded.files) - MAX_FILES_LISTED
        rest = f" and {more:,} more" if more > 0 else ""
        lines += [place, f"Files: {', '.join(loaded.files[:MAX_FILES_LISTED])}{rest}"]
    if loaded.missing:
        lines.append(f"Find out before you start: {', '.join(loaded.missing)}.")
    return "\n".join(lines)
