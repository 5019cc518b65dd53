"""What the tests of the skills' history share."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from hermes_tui.skills.repository import SkillRepository
from hermes_tui.skills.versions import Action, Change, Version


def git(repository: SkillRepository, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(repository.folder), "-c", "safe.directory=*", *arguments],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def change(skill: str = "bisect", action: Action = "refine", reason: str = "because") -> Change:
    return Change(skill=skill, action=action, reason=reason)


def put(text: str, name: str = "SKILL.md") -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())

    return write


def by_hand(repository: SkillRepository, path: str, text: str) -> None:
    put(text, path)(repository.folder)


async def three_versions(repository: SkillRepository, skill: str = "bisect") -> list[Version]:
    return [
        await repository.write(change(skill, "create"), put("one\n")),
        await repository.write(change(skill), put("one\ntwo\n")),
        await repository.write(change(skill), put("echo three\n", "scripts/run.sh")),
    ]
