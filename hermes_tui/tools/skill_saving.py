"""`skill_save`: a procedure that worked, kept as a skill, or a better version of one."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

import anyio.to_thread
from msgspec import Meta, Struct

from hermes_tui.core.errors import ToolError
from hermes_tui.core.messages import Diff
from hermes_tui.core.skills import Skill
from hermes_tui.safety.risk import Assessment, Risk
from hermes_tui.skills.lint import Draft
from hermes_tui.skills.skills import Saved, Skills, body_of
from hermes_tui.tools.edit import diff_of
from hermes_tui.tools.registry import Outcome, Say

SCOPE = "skills Hermes writes"
WHOSE = {
    "person": "is yours",
    "hub": "was installed from elsewhere",
    "bundled": "came with Hermes",
    "foreign": "is another tool's",
}


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


class _Plan(Struct, frozen=True):
    """What a call would do."""

    draft: Draft
    skill: Skill | None
    """The one it changes; None for a new one."""
    was: str
    """Its body now."""
    before: str
    """The body the draft was made for."""
    replay: Callable[[str], str] | None


class SkillSaving:
    """Saves for one session.

    Args:
        known: The body of each skill as the session last saw it.
    """

    def __init__(self, skills: Skills, session_id: str, known: dict[str, str]) -> None:
        self._skills = skills
        self._session_id = session_id
        self._known = known

    async def assess(self, args: SkillSaveArgs) -> Assessment:
        """Whether it is Hermes's own to write: what others have a part in is asked for."""
        skill = (await self._skills.shelf()).find(args.name)
        if skill is None:
            return Assessment(Risk.WRITE, "It writes a new skill.", SCOPE)
        if await self._skills.may_change_at_once(skill):
            return Assessment(Risk.WRITE, "It changes a skill that Hermes wrote.", SCOPE)
        whose = WHOSE.get(skill.origin, "has proved itself, or you had a hand in it")
        if skill.is_pinned:
            whose = "is pinned"
        return Assessment(Risk.EXECUTE, f"It changes the skill {args.name}, which {whose}.")

    async def describe(self, args: SkillSaveArgs) -> str:
        """The text of a new skill, or what changes in one."""
        plan = await self._plan(args)
        draft = plan.draft
        after = f"{draft.description}\n\n{draft.body.strip()}\n"
        told = [f"skill_save {args.name}: {args.reason}"]
        if plan.skill is None:
            told.append(after)
        else:
            before = f"{plan.skill.description}\n\n{plan.was.strip()}\n"
            path = f"{args.name}/SKILL.md"
            told.append((await anyio.to_thread.run_sync(diff_of, path, before, after)).unified)
        told += [f"{args.name}/{path}:\n{content}" for path, content in draft.files.items()]
        return "\n\n".join(told)

    async def run(self, args: SkillSaveArgs, say: Say) -> Outcome:
        del say
        plan = await self._plan(args)
        saved = await self._skills.save(
            plan.draft, reason=args.reason, session=self._session_id,
            before=plan.before, replay=plan.replay,
        )  # fmt: skip
        self._known[args.name] = await anyio.to_thread.run_sync(body_of, saved.skill)
        return Outcome(_told(saved), display=Diff(f"{args.name}/SKILL.md", saved.diff))

    async def _plan(self, args: SkillSaveArgs) -> _Plan:
        """What a call does to the skill as it is now.

        Raises:
            ToolError: something is missing, or it was made for another text.
        """
        skill = (await self._skills.shelf()).find(args.name)
        if skill is None:
            body = _replaced(args, args.body)
            if not body.strip() or not args.description.strip():
                raise ToolError("A new skill needs `description` and `body`.")
            return _Plan(Draft(args.name, args.description, body, args.files), None, "", "", None)
        was = await anyio.to_thread.run_sync(body_of, skill)
        description = args.description if args.description.strip() else skill.description
        if args.body.strip():
            body = _replaced(args, args.body)
            before, replay = self._known.setdefault(args.name, was), None
            if before.strip() != was.strip():
                raise ToolError(
                    f"The skill {args.name!r} has changed since you read it.",
                    hint="Read it again with skill_load, and keep what is new in it.",
                )
        else:
            before, replay = was, partial(_replaced, args)
            body = replay(was)
        if not body.strip():
            raise ToolError(f"Nothing would be left of the body of {args.name!r}.")
        return _Plan(Draft(args.name, description, body, args.files), skill, was, before, replay)


def _replaced(args: SkillSaveArgs, text: str) -> str:
    if not args.old:
        return text
    if text.count(args.old) != 1:
        raise ToolError(
            f"`old` occurs {text.count(args.old)} times in the body of {args.name!r}.",
            hint="Copy a passage that occurs once.",
        )
    return text.replace(args.old, args.new)


def _told(saved: Saved) -> str:
    what = "Wrote the new skill" if saved.is_new else f"Version {saved.version.number} of"
    undo = f"`hermes skills undo {saved.skill.name}` takes it back."
    return " ".join([f"{what} {saved.skill.name!r}. {undo}", *saved.skill.problems])
