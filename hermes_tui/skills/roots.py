"""Where skills are looked for, the first to have a name counting."""

from collections.abc import Sequence
from pathlib import Path

from hermes_tui.config.paths import Paths, absolute, is_there
from hermes_tui.skills.library import Root

PROJECT_FOLDERS = (".hermes/skills", ".agents/skills", ".claude/skills")
_PACKAGE = Path(__file__).parents[1]


def roots(
    paths: Paths, *, folders: Sequence[str] = (), project: Path | None = None
) -> tuple[Root, ...]:
    """The project's, the person's, other tools', and those that came with Hermes.

    Args:
        folders: Of other tools, e.g. `~/.agents/skills`.
        project: A folder whose skills the person trusts; None for none.
    """
    found = [Root(one, "project") for one in project_folders(project, paths)] if project else []
    found.append(Root(paths.skills_dir, "person"))
    found += [Root(absolute(name, {}), "foreign") for name in folders]
    found.append(Root(bundled(), "bundled"))
    return tuple(found)


def trusted_roots(
    paths: Paths, *, folders: Sequence[str] = (), folder: Path | None = None
) -> tuple[Root, ...]:
    """`roots` for whoever is in `folder`: with its project's once the person trusts that."""
    project = find_project(folder, paths) if folder else None
    if project is not None:
        from hermes_tui.skills.trust import Trust  # few folders belong to such a project

        if not Trust(paths.trust_file).is_trusted_project(project):
            project = None
    return roots(paths, folders=folders, project=project)


def find_project(folder: Path, paths: Paths) -> Path | None:
    """The nearest folder with skills from `folder` up to the root of its git repository.

    Outside a repository only `folder` itself is looked at. The person's home is no project:
    what lies there are their own skills and those of other tools.
    """
    chain = [folder, *folder.parents]
    root = next((place for place in chain if is_there(place / ".git")), folder)
    for place in chain[: chain.index(root) + 1]:
        if place not in {Path.home(), paths.home} and project_folders(place, paths):
            return place
    return None


def project_folders(project: Path, paths: Paths) -> list[Path]:
    """Where a project keeps skills."""
    found = [project / name for name in PROJECT_FOLDERS]
    return [one for one in found if one != paths.skills_dir and one.is_dir()]


def bundled() -> Path:
    """The skills that came with Hermes: in the wheel, else in the checkout."""
    shipped = _PACKAGE / "_bundled" / "skills"
    return shipped if shipped.is_dir() else _PACKAGE.parent / "skills"
