"""The skills of a home, joined to their history, their index and the record of their use."""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from hermes_tui.config.paths import Paths
from hermes_tui.config.schema import Config
from hermes_tui.core.skills import Skill
from hermes_tui.skills.library import Library
from hermes_tui.skills.roots import roots
from hermes_tui.skills.skills import Skills
from hermes_tui.store.store import Store

if TYPE_CHECKING:
    from hermes_tui.skills.repository import SkillRepository


def open_skills(
    paths: Paths,
    config: Config,
    *,
    store: Store | None = None,
    toolsets: Callable[[], Collection[str]] = tuple,
) -> Skills:
    """Nothing is read or written yet.

    Args:
        store: Where uses are kept and words looked up; None for neither.
    """

    def repository() -> "SkillRepository":
        from hermes_tui.skills.repository import SkillRepository  # few sessions need the history

        return SkillRepository(paths.skills_dir, keep_versions=config.skills.keep_versions)

    def is_trusted(skill: Skill) -> bool:
        from hermes_tui.skills.trust import NAME, Trust

        return Trust(paths.home / NAME).is_trusted(skill)

    return Skills(
        Library(roots(paths, folders=config.skills.folders), cache=paths.run_dir / "skills.heads"),
        repository,
        folder=paths.skills_dir,
        index=store.skill_words if store else None,
        uses=store.skill_uses if store else None,
        toolsets=toolsets,
        is_trusted=is_trusted,
    )
