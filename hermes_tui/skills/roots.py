"""Where skills are looked for, the first to have a name counting."""

from collections.abc import Sequence
from pathlib import Path

from hermes_tui.config.paths import Paths, absolute
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
    found = [Root(project / name, "project") for name in PROJECT_FOLDERS] if project else []
    found.append(Root(paths.skills_dir, "person"))
    found += [Root(absolute(name, {}), "foreign") for name in folders]
    found.append(Root(bundled(), "bundled"))
    return tuple(found)


def bundled() -> Path:
    """The skills that came with Hermes: in the wheel, else in the checkout."""
    shipped = _PACKAGE / "_bundled" / "skills"
    return shipped if shipped.is_dir() else _PACKAGE.parent / "skills"
