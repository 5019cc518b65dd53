import os
from datetime import date
from pathlib import Path

from hermes_tui.agent.context_files import context_files
from hermes_tui.agent.prompt import IDENTITY, PromptParts, system_prompt
from hermes_tui.memory.files import MemoryFile


def parts(
    tmp_path: Path, *, soul: str = "", user: str = "", memory: str = "", manner: str = ""
) -> PromptParts:
    return PromptParts(
        soul=soul,
        manner=manner,
        preferences={},
        user=MemoryFile("USER.md", tmp_path / "USER.md", user, 1375),
        memory=MemoryFile("MEMORY.md", tmp_path / "MEMORY.md", memory, 2200),
        skills="",
        context=context_files(tmp_path),
        environment="local",
        cwd=str(tmp_path),
        today=date(2026, 11, 20),
    )


def test_the_parts_come_in_the_promised_order(tmp_path: Path) -> None:
    (tmp_path / "AGENTS.md").write_text("Use tabs.", "utf-8")
    text = system_prompt(parts(tmp_path, soul="I am Ada.", user="Likes tea.", memory="Uses uv."))
    places = [text.index(part) for part in ("I am Ada.", "Likes tea.", "Uses uv.", "Use tabs.")]
    assert places == sorted(places)
    assert IDENTITY not in text


def test_a_manner_comes_after_who_the_agent_is(tmp_path: Path) -> None:
    text = system_prompt(parts(tmp_path, soul="I am Ada.", manner="Rhyme."))
    assert text.startswith("I am Ada.\n\n# Your manner in this session\nRhyme.\n\n# How to work")


def test_an_empty_soul_gets_the_default_identity(tmp_path: Path) -> None:
    assert system_prompt(parts(tmp_path)).startswith(IDENTITY)


def test_the_prompt_has_a_date_and_no_clock_time(tmp_path: Path) -> None:
    text = system_prompt(parts(tmp_path))
    assert "Friday, 20 November 2026" in text
    assert text == system_prompt(parts(tmp_path))


def test_instructions_are_read_from_the_repository_root_down(tmp_path: Path) -> None:
    (tmp_path / "AGENTS.md").write_text("outside", "utf-8")
    root = tmp_path / "repo"
    deep = root / "src" / "deep"
    deep.mkdir(parents=True)
    (root / ".git").mkdir()
    (root / "AGENTS.md").write_text("root", "utf-8")
    (deep / "AGENTS.md").write_text("deep", "utf-8")
    assert [file.text for file in context_files(deep)] == ["root", "deep"]


def test_outside_a_repository_only_the_working_directory_counts(tmp_path: Path) -> None:
    (tmp_path / "AGENTS.md").write_text("above", "utf-8")
    (tmp_path / "here").mkdir()
    assert context_files(tmp_path / "here") == []


def test_instructions_do_not_follow_a_link_out_of_the_repository_or_to_credentials(
    tmp_path: Path,
) -> None:
    root = tmp_path / "repo"
    (root / ".git").mkdir(parents=True)
    (root / ".env").write_text("KEY=1", "utf-8")
    (tmp_path / "outside").write_text("a key", "utf-8")
    (root / "docs").mkdir()
    (root / "docs" / "agents.md").write_text("Use tabs.", "utf-8")
    file = root / "AGENTS.md"
    for target, texts in {
        "docs/agents.md": ["Use tabs."], "../outside": [], ".env": [], "AGENTS.md": [],
        "/dev/zero": [], "docs": [], "absent": [],
    }.items():  # fmt: skip
        file.symlink_to(target)
        assert (target, [found.text for found in context_files(root)]) == (target, texts)
        file.unlink()
    os.mkfifo(file)
    assert context_files(root) == []


def test_instructions_are_read_no_further_than_they_are_shown(tmp_path: Path) -> None:
    with (tmp_path / "AGENTS.md").open("wb") as file:
        file.write("é".encode() * 100)
        file.truncate(50_000_000_000)
    (found,) = context_files(tmp_path, limit_chars=50)
    assert found.text.startswith("é" * 50 + "\n[… cut;")
    assert "50,000,000,000 bytes" in found.text
