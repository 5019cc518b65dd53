"""What a model is told of the skills there are, and which of them may be used where it is."""

import sys
from collections.abc import Collection, Mapping, Sequence

from hermes_tui.core.skills import Found, Skill

CATALOG_CHARS = 6_000
"""About 1,500 tokens, however many skills there are."""
DESCRIPTION_CHARS = 90
"""Of a description in the catalogue; few skills have theirs whole."""
HINT_RELEVANCE = 0.75
"""Least relevance at which a skill is pointed out unasked; see `bench/skills.py`."""
MAX_HINTS = 3
_PLATFORMS = {"linux": {"linux"}, "darwin": {"macos", "darwin"}, "win32": {"windows"}}


def obstacle(skill: Skill, toolsets: Collection[str]) -> str:
    """Why `skill` cannot be used with these toolsets on this machine; empty when it can."""
    if missing := [name for name in skill.words("requires-toolsets") if name not in toolsets]:
        return f"It needs {', '.join(missing)}, which is not there."
    if better := [name for name in skill.words("fallback-for-toolsets") if name in toolsets]:
        return f"It stands in for {', '.join(better)}, which is there."
    platforms = skill.words("platforms")
    if platforms and not _PLATFORMS.get(sys.platform, set()) & set(platforms):
        return f"It is for {', '.join(platforms)} only."
    return ""


def catalog(
    skills: Sequence[Skill],
    *,
    room: int = CATALOG_CHARS,
    worth: Mapping[str, float] | None = None,
) -> str:
    """The list of skills for the prompt, at most `room` characters; empty without skills.

    Args:
        worth: By name, what goes first where not all have room: confidence and recent use.
    """
    if not skills:
        return ""
    worth = worth or {}
    ranked = sorted(
        skills,
        key=lambda skill: (
            not skill.is_pinned,
            skill.origin != "project",
            -worth.get(skill.name, 0.0),
            skill.name,
        ),
    )
    for limit, share in ((1024, room // 4), (DESCRIPTION_CHARS, room)):
        lines = [_line(skill, limit) for skill in ranked]
        if sum(len(line) + 1 for line in lines) <= share:
            return "\n".join(sorted(lines))
    rest = "and {count:,} more: find them with skill_search"
    room -= len(rest) + 8
    kept: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    return "\n".join([*sorted(kept), rest.format(count=len(skills) - len(kept))])


def has_room_for_all(skills: Sequence[Skill], room: int = CATALOG_CHARS) -> bool:
    """Whether a catalogue of that size leaves none out, whatever their order."""
    return sum(len(_line(skill, DESCRIPTION_CHARS)) + 1 for skill in skills) <= room


def hinted(found: Sequence[Found], skills: Mapping[str, Skill]) -> list[Skill]:
    """Those of the `found` ones that are worth pointing out, the best first."""
    return [
        skills[one.name] for one in found if one.relevance >= HINT_RELEVANCE and one.name in skills
    ][:MAX_HINTS]


def hint_text(skills: Sequence[Skill]) -> str:
    """What is said to the model beside a prompt these may help with; empty without any."""
    if not skills:
        return ""
    lines = [_line(skill, DESCRIPTION_CHARS) for skill in skills]
    return "Skills that may fit (read one with skill_load before you start):\n" + "\n".join(lines)


def _line(skill: Skill, limit: int) -> str:
    description = skill.description
    if len(description) > limit:
        description = description[: limit - 1].rsplit(" ", 1)[0].rstrip(";,:") + " …"
    return f"- {skill.name}: {description}"
