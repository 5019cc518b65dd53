"""The skills of a home, joined to their history, their index and the record of their use."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from hermes_tui.config.paths import Paths
from hermes_tui.config.schema import Config
from hermes_tui.core.ports import Model
from hermes_tui.core.skills import Skill
from hermes_tui.skills.contradictions import losers
from hermes_tui.skills.library import Library, list_skills
from hermes_tui.skills.roots import find_project, project_folders, trusted_roots
from hermes_tui.skills.skills import Skills
from hermes_tui.store.store import Store

VERDICTS = "verdicts.json"

# A session that neither learns, installs nor trusts imports none of these.
if TYPE_CHECKING:
    from hermes_tui.learning.audit.auditor import Auditor
    from hermes_tui.learning.audit.conflicts import SkillConflicts
    from hermes_tui.learning.proposals import Proposals
    from hermes_tui.skills.install import Installer
    from hermes_tui.skills.repository import SkillRepository
    from hermes_tui.skills.skill_files import Files
    from hermes_tui.skills.trust import Trust


def open_skills(
    paths: Paths,
    config: Config,
    *,
    store: Store | None = None,
    toolsets: Callable[[], Collection[str]] = tuple,
    folder: Path | None = None,
) -> Skills:
    """Nothing is read or written yet, but for whether the project around `folder` is trusted.

    Args:
        store: Where uses are kept and words looked up; None for neither.
        folder: Where one is; skills of its project are read once the person trusts that.
    """

    def repository() -> "SkillRepository":
        from hermes_tui.skills.repository import SkillRepository  # few sessions need the history

        return SkillRepository(paths.skills_dir, keep_versions=config.skills.keep_versions)

    def trusted_files(skill: Skill) -> "Files | None":
        return open_trust(paths).trusted_files(skill)

    return Skills(
        Library(
            trusted_roots(paths, folders=config.skills.folders, folder=folder),
            cache=paths.run_dir / "skills.heads",
        ),
        repository,
        folder=paths.skills_dir,
        index=store.skill_words if store else None,
        uses=store.skill_uses if store else None,
        toolsets=toolsets,
        trusted_files=trusted_files,
        losers=lambda stamps: losers(paths.audits_dir / VERDICTS, stamps),
    )


def unread_skills(paths: Paths, folder: Path | None) -> list[Skill]:
    """Skills of the project around `folder` that are not read, because nobody trusts it."""
    project = find_project(folder, paths) if folder else None
    if project is None or open_trust(paths).is_trusted_project(project):
        return []
    return list_skills(*project_folders(project, paths))


def open_trust(paths: Paths) -> "Trust":
    """Which skills may run what they bring, and which projects' skills are read."""
    from hermes_tui.skills.trust import Trust

    return Trust(paths.trust_file)


def open_installer(paths: Paths, skills: Skills) -> "Installer":
    """What takes skills from elsewhere."""
    from hermes_tui.skills.install import Installer
    from hermes_tui.skills.quarantine import Quarantine

    return Installer(skills, Quarantine(paths.quarantine_dir))


def open_proposals(paths: Paths) -> "Proposals":
    """The changes to skills that wait for the person's word."""
    from hermes_tui.learning.proposals import Proposals

    return Proposals(paths.proposals_dir)


def open_auditor(
    paths: Paths,
    config: Config,
    *,
    store: Store,
    skills: Skills,
    model: Callable[[], Model | None],
) -> "Auditor":
    """What looks over the skills, as often as the configuration says."""
    from hermes_tui.learning.audit.auditor import Auditor

    return Auditor(
        store=store,
        skills=skills,
        folder=paths.audits_dir,
        model=model,
        every=config.skills.audit_every,
        prunes=config.skills.prune_old_skills,
    )


def open_conflicts(
    paths: Paths,
    *,
    store: Store | None,
    skills: Skills,
    model: Callable[[], Model | None],
) -> "SkillConflicts":
    """What finds skills that contradict each other, judged pairs remembered."""
    from hermes_tui.learning.audit.conflicts import SkillConflicts

    return SkillConflicts(skills, paths.audits_dir / VERDICTS, model=model, store=store)
