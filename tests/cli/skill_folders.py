"""Skills on disk, and what came of using them, for tests of `hermes skills`."""

import os
import sqlite3
import sys
import time
from pathlib import Path

import anyio

from hermes_tui.core.skills import Outcome
from hermes_tui.store.store import Store

BODY = "# Steps\n\n1. Do it.\n\n## Verify\nLook at it.\n"
DESCRIPTION = "Wash the car by hand; use when the car is dirty."


def put_skill(
    home: Path, name: str, *, description: str = DESCRIPTION, body: str = BODY, origin: str = ""
) -> Path:
    """A skill in the person's own folder, without a history yet."""
    folder = home / "skills" / name
    folder.mkdir(parents=True, exist_ok=True)
    metadata = f'metadata:\n  hermes-origin: "{origin}"\n' if origin else ""
    head = f'---\nname: {folder.name}\ndescription: "{description}"\n{metadata}---\n\n'
    (folder / "SKILL.md").write_text(head + body, "utf-8")
    return folder


def use(home: Path, name: str, *outcomes: Outcome, days_ago: int = 0) -> None:
    """Record one use per outcome, each in a session of its own."""

    async def work() -> None:
        async with Store.open(home / "hermes.db") as store:
            for number, outcome in enumerate(outcomes):
                session = f"{name}-{number}"
                await store.skill_uses.record(name, version=1, session=session, how="loaded")
                (latest, *_) = reversed(await store.skill_uses.of_session(session))
                await store.skill_uses.judge(latest.id, outcome)

    home.mkdir(parents=True, exist_ok=True)
    anyio.run(work)
    with sqlite3.connect(home / "hermes.db") as connection:
        connection.execute(
            "UPDATE skill_uses SET at = at - ? WHERE skill = ?", (days_ago * 86_400_000_000, name)
        )
    connection.close()


def age(folder: Path, *, days: int) -> None:
    """Let a skill look as if it was written that long ago."""
    then = time.time() - days * 86_400
    os.utime(folder / "SKILL.md", (then, then))


def editor(folder: Path, script: str) -> str:
    """A command for `$EDITOR` that runs Python on `path`, the file to be edited."""
    file = folder / "editor.py"
    file.write_text(f"import sys, pathlib\npath = pathlib.Path(sys.argv[1])\n{script}\n", "utf-8")
    return f"{sys.executable} {file}"
