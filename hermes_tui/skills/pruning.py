"""Which skills are old, idle and of doubtful help, so that they may be put away."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from hermes_tui.core.skills import Skill
from hermes_tui.skills.skill import FILE
from hermes_tui.skills.skills import Standing

IDLE = timedelta(days=90)
CONFIDENCE = 0.5


class Prunable(Struct, frozen=True):
    """A skill that may be archived."""

    skill: Skill
    standing: Standing
    idle_days: int
    """Whole days since it was last used or changed."""


def prunable(
    skills: Sequence[Skill],
    standings: Mapping[str, Standing],
    now: datetime,
    *,
    idle: timedelta = IDLE,
    confidence: float = CONFIDENCE,
    with_hub: bool = False,
    changed: Mapping[str, datetime] | None = None,
) -> list[Prunable]:
    """Those idle for `idle` or longer whose confidence is below `confidence`, the idlest first.

    Only what Hermes wrote itself, and with `with_hub` what was installed; never a pinned one.

    Args:
        changed: When each was last written, by name; as the disk has it where not given.
    """
    origins = {"agent", "hub"} if with_hub else {"agent"}
    found: list[Prunable] = []
    for skill in skills:
        standing = standings.get(skill.name)
        if standing is None or skill.is_pinned or skill.origin not in origins:
            continue
        if standing.confidence.mean < confidence:
            at = (changed or {}).get(skill.name) or changed_at(skill)
            rest = now - max(standing.last_used or at, at)
            if rest >= idle:
                found.append(Prunable(skill, standing, rest.days))
    return sorted(found, key=lambda one: (-one.idle_days, one.skill.name))


def changed_at(skill: Skill) -> datetime:
    """When its `SKILL.md` was last written; now where nobody can tell."""
    try:
        return datetime.fromtimestamp((skill.path / FILE).stat().st_mtime, UTC)
    except OSError:
        return datetime.now(UTC)
