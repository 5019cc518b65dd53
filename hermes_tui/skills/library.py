"""The skills on disk: folders with a `SKILL.md` (agentskills.io)."""

from pathlib import Path

from msgspec import Struct


class SkillEntry(Struct, frozen=True):
    """What a list of skills shows of one."""

    name: str
    category: str
    """The folder it lies in; empty at the top."""
    description: str
    path: Path


def list_skills(*folders: Path) -> list[SkillEntry]:
    """Every readable skill below `folders`, by category and name; an earlier folder wins."""
    found: dict[str, SkillEntry] = {}
    for folder in folders:
        for file in sorted(folder.glob("**/SKILL.md")):
            entry = _entry(file, folder)
            if entry and entry.name not in found:
                found[entry.name] = entry
    return sorted(found.values(), key=lambda entry: (entry.category, entry.name))


def _entry(file: Path, folder: Path) -> SkillEntry | None:
    """The skill in `file`, or None where its head cannot be read."""
    import yaml  # 20 ms that a home without skills need not pay

    try:
        _, head, _ = file.read_text(encoding="utf-8").split("---\n", 2)
        fields = yaml.safe_load(head)
        name, description = str(fields["name"]), str(fields["description"])
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return None
    category = file.parent.parent.relative_to(folder).as_posix()
    return SkillEntry(name, "" if category == "." else category, description, file.parent)
