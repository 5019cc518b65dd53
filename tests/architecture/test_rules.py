"""Rules about the code itself that no linter checks."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [
    path
    for folder in ("hermes_tui", "environments", "tests", "bench", "scripts")
    for path in sorted((ROOT / folder).rglob("*.py"))
]

HEAVY = (
    "anyio",
    "asyncio",
    "git",
    "httpx",
    "litellm",
    "msgspec",
    "rich",
    "sqlite3",
    "textual",
    "yaml",
)
"""Packages `hermes --help` may not pay for."""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_too_long(path: Path) -> None:
    limit = 800 if "tests" in path.relative_to(ROOT).parts else 500
    assert len(path.read_text("utf-8").splitlines()) <= limit


def loaded_by(*arguments: str) -> set[str]:
    """Which heavy packages are in memory when `hermes ARGUMENTS` ends."""
    probe = (
        f"import sys; sys.argv = ['hermes', *{list(arguments)!r}]\n"
        "from hermes_tui.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=ROOT,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return set(re.findall(r"'(\w+)'", done.stderr.strip().splitlines()[-1]))


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("run", "--help")])
def test_help_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert loaded_by(*arguments) == set()


def test_a_one_shot_loads_neither_the_screen_nor_litellm() -> None:
    assert loaded_by("run", "--model", "rehearsal", "--quiet", "hi") <= {
        "anyio", "asyncio", "msgspec", "sqlite3", "yaml",
    }  # fmt: skip


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    reasons = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    for dependency in project["dependencies"]:
        name = re.split(r"[<>=\[; ]", dependency)[0]
        assert f"`{name}`" in reasons, name


def test_every_document_is_reachable_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    for document in sorted((ROOT / "docs").glob("*.md")):
        assert f"docs/{document.name}" in readme, document.name
