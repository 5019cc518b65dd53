import stat
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hermes_tui.core.errors import ConfigError
from hermes_tui.core.skills import Skill
from hermes_tui.skills.packages import tree_hash
from hermes_tui.skills.skill import read_skill, skill_text
from hermes_tui.skills.skill_files import PLAIN, PROGRAM, read_files
from hermes_tui.skills.trust import Trust, content_hash, contents_of, scripts, with_modes


@pytest.fixture
def skill(tmp_path: Path) -> Skill:
    folder = tmp_path / "skills" / "pdf"
    (folder / "scripts").mkdir(parents=True)
    (folder / "SKILL.md").write_text(skill_text("pdf", "Does it.", "!`date`"))
    (folder / "scripts" / "go.sh").write_text("#!/bin/sh\n")
    return read_skill(folder)


@pytest.fixture
def record(tmp_path: Path) -> Trust:
    return Trust(tmp_path / "skills-trust.json")


def test_nothing_is_trusted_until_a_person_says_so(skill: Skill, record: Trust) -> None:
    assert not record.is_trusted(skill)
    record.trust(skill, content_hash(skill))
    assert record.is_trusted(skill)
    assert record.revoke("pdf")
    assert not record.is_trusted(skill)
    assert not record.revoke("pdf")


@pytest.mark.parametrize("path", ["SKILL.md", "scripts/go.sh", "new.md", ".hidden"])
def test_any_change_of_the_content_ends_trust(skill: Skill, record: Trust, path: str) -> None:
    record.trust(skill, content_hash(skill))
    with (skill.path / path).open("a") as file:
        file.write("x")
    assert not record.is_trusted(skill)


def test_trust_ends_when_a_file_goes_or_becomes_a_link(skill: Skill, record: Trust) -> None:
    record.trust(skill, content_hash(skill))
    script = skill.path / "scripts" / "go.sh"
    content = script.read_bytes()
    script.unlink()
    assert not record.is_trusted(skill)
    other = skill.path.parent / "other.sh"
    other.write_bytes(content)
    script.symlink_to(other)
    assert not record.is_trusted(skill)
    with pytest.raises(ConfigError, match="holds a link"):
        content_hash(skill)


def test_trust_does_not_pass_to_another_skill_of_that_name(
    skill: Skill, record: Trust, tmp_path: Path
) -> None:
    record.trust(skill, content_hash(skill))
    other = tmp_path / "project" / "pdf"
    other.mkdir(parents=True)
    (other / "SKILL.md").write_text(skill_text("pdf", "Does it.", "!`touch evil`"))
    assert not record.is_trusted(read_skill(other))


def test_the_record_is_private_and_a_broken_one_trusts_nobody(
    skill: Skill, record: Trust, tmp_path: Path
) -> None:
    record.trust(skill, content_hash(skill))
    file = tmp_path / "skills-trust.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for broken in ("{", "[]", '{"pdf": 3}', "\xff"):
        file.write_text(broken)
        assert not record.is_trusted(skill)
        with pytest.raises(ConfigError, match="cannot be read"):
            record.trust(skill, content_hash(skill))
    file.unlink()
    file.mkdir()
    assert not record.is_trusted(skill)


def test_only_scripts_become_executable_and_lose_it_again(skill: Skill) -> None:
    files = read_files(skill.path)
    assert scripts(files) == ["scripts/go.sh"]
    marked = with_modes(files, executable=True)
    assert {path for path, blob in marked.items() if blob.mode == PROGRAM} == {"scripts/go.sh"}
    assert all(blob.mode == PLAIN for blob in with_modes(marked, executable=False).values())


def test_every_file_that_can_be_run_is_a_script(skill: Skill) -> None:
    for path in ("a.py", "b.PS1", "c", "d", "notes.txt"):
        (skill.path / path).write_text("x\n")
    (skill.path / "c").chmod(0o755)
    (skill.path / "d").write_bytes(b"\x7fELF\x02\0")
    assert scripts(read_files(skill.path)) == ["a.py", "b.PS1", "c", "d", "scripts/go.sh"]


def test_what_is_shown_and_what_is_hashed_were_read_together(skill: Skill) -> None:
    seen = contents_of(skill)
    (skill.path / "SKILL.md").write_text("something else")
    assert seen.tree == tree_hash({path: blob.content for path, blob in seen.files.items()})
    assert seen.tree != content_hash(skill)
    assert b"!`date`" in seen.files["SKILL.md"].content


def test_a_project_is_read_until_that_is_taken_back(skill: Skill, tmp_path: Path) -> None:
    record, project = Trust(tmp_path / "skills-trust.json"), tmp_path / "project"
    project.mkdir()
    (tmp_path / "link").symlink_to(project)
    assert not record.is_trusted_project(project)
    assert record.trust_project(tmp_path / "link")
    assert not record.trust_project(project)
    record.trust(skill, content_hash(skill))
    assert record.is_trusted_project(project)
    assert not record.is_trusted_project(tmp_path)
    assert record.is_trusted(skill)
    assert record.revoke_project(project)
    assert not record.revoke_project(project)
    assert not record.is_trusted_project(project)
    assert record.is_trusted(skill)


def test_a_record_of_names_alone_is_read_and_no_name_is_special(
    skill: Skill, tmp_path: Path
) -> None:
    tree = content_hash(skill)
    (tmp_path / "skills-trust.json").write_text(f'{{"pdf": "{tree}", "projects": "{tree}"}}')
    record = Trust(tmp_path / "skills-trust.json")
    assert record.is_trusted(skill)
    assert not record.is_trusted_project(tmp_path)
    record.trust_project(tmp_path)
    assert record.is_trusted(skill)


class TrustMachine(RuleBasedStateMachine):
    """A skill is trusted exactly when its content is what it was when a person said so."""

    def __init__(self) -> None:
        super().__init__()
        self.approved: str | None = None
        self.content = "0"

    @initialize()
    def start(self) -> None:
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        root = Path(self.folder.name)
        (root / "pdf").mkdir()
        (root / "pdf" / "SKILL.md").write_text(skill_text("pdf", "Does it.", "Body"))
        self.skill = read_skill(root / "pdf")
        self.record = Trust(root / "trust.json")
        self.write("0")

    @rule(content=st.sampled_from("012"))
    def write(self, content: str) -> None:
        (self.skill.path / "file").write_text(content)
        self.content = content

    @rule()
    def trust(self) -> None:
        self.record.trust(self.skill, content_hash(self.skill))
        self.approved = self.content

    @rule()
    def revoke(self) -> None:
        assert self.record.revoke("pdf") == (self.approved is not None)
        self.approved = None

    @rule()
    def reopen(self) -> None:
        self.record = Trust(Path(self.folder.name) / "trust.json")

    @invariant()
    def agrees(self) -> None:
        assert self.record.is_trusted(self.skill) == (self.approved == self.content)

    def teardown(self) -> None:
        self.folder.cleanup()


TrustMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)
TestTrust = TrustMachine.TestCase
