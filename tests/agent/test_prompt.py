from datetime import date
from pathlib import Path

from hermes_tui.agent.context_files import context_files
from hermes_tui.agent.prompt import IDENTITY, PromptParts, system_prompt
from hermes_tui.memory.files import MemoryFile
from hermes_tui.skills.library import list_skills


def parts(tmp_path: Path, *, soul: str = "", user: str = "", memory: str = "") -> PromptParts:
    return PromptParts(
        soul=soul,
        user=MemoryFile("USER.md", tmp_path / "USER.md", user, 1375),
        memory=MemoryFile("MEMORY.md", tmp_path / "MEMORY.md", memory, 2200),
        skills=[],
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


def test_skills_are_listed_by_category_and_unreadable_ones_left_out(tmp_path: Path) -> None:
    good = tmp_path / "ops" / "deploy"
    good.mkdir(parents=True)
    (good / "SKILL.md").write_text("---\nname: deploy\ndescription: Ship it.\n---\nDo.\n", "utf-8")
    bad = tmp_path / "broken"
    bad.mkdir()
    (bad / "SKILL.md").write_text("no head", "utf-8")
    (entry,) = list_skills(tmp_path, tmp_path / "absent")
    assert (entry.name, entry.category, entry.description) == ("deploy", "ops", "Ship it.")
