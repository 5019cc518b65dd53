"""Nothing in the person's git, in the environment or in a skill gets in the way of history."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hermes_tui.core.errors import HermesError
from hermes_tui.skills.repository import SkillRepository
from tests.skills.repositories import by_hand, change, git, put, three_versions


@pytest.fixture
def repository(home: Path) -> Iterator[SkillRepository]:
    repository = SkillRepository(home / "skills")
    yield repository
    repository.close()


@pytest.fixture
def hostile_git(tmp_path: Path) -> Path:
    """A global configuration that breaks, signs, converts and runs things; gives what it ran."""
    ran = tmp_path / "ran"
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("pre-commit", "commit-msg", "post-commit", "reference-transaction"):
        (hooks / name).write_text(f"#!/bin/sh\necho {name} >> {ran}\nexit 1\n")
        (hooks / name).chmod(0o755)
    shutil.copytree(hooks, tmp_path / "template" / "hooks")
    (Path.home() / ".gitconfig").write_text(
        f"[core]\n\thooksPath = {hooks}\n\tautocrlf = true\n\tfsmonitor = touch {ran}\n"
        f"\texcludesFile = {tmp_path / 'ignore'}\n\tattributesFile = {tmp_path / 'attributes'}\n"
        "[commit]\n\tgpgSign = true\n[gpg]\n\tprogram = /bin/false\n"
        f"[init]\n\ttemplateDir = {tmp_path / 'template'}\n\tdefaultBranch = trunk\n"
        "\tdefaultObjectFormat = sha256\n"
        f'[filter "evil"]\n\tclean = touch {ran}; tr a-z A-Z\n\tsmudge = touch {ran}; rev\n'
        f"[diff]\n\texternal = touch {ran}\n[log]\n\tshowSignature = true\n"
        "[blame]\n\tignoreRevsFile = /nowhere/revs\n"
        "[safe]\n\tdirectory =\n[user]\n\tuseConfigOnly = true\n"
    )
    (tmp_path / "ignore").write_text("*\n")
    (tmp_path / "attributes").write_text("* filter=evil text\n")
    return ran


async def test_the_persons_global_configuration_runs_and_changes_nothing(
    repository: SkillRepository, hostile_git: Path
) -> None:
    text = "one\r\ntwo\n$Id$\n"
    await repository.write(change(action="create"), put(text))
    own_hook = repository.folder / ".git/hooks/reference-transaction"
    own_hook.parent.mkdir()
    own_hook.write_text(f"#!/bin/sh\necho own >> {hostile_git}\nexit 1\n")
    own_hook.chmod(0o755)
    by_hand(repository, "bisect/notes.md", "by hand\n")
    assert len(await repository.adopt()) == 1
    await repository.roll_back("bisect", 1)
    assert len(await repository.blame("bisect")) == 3
    assert (repository.folder / "bisect/SKILL.md").read_bytes() == text.encode()
    assert await repository.files("bisect", 1) == {"SKILL.md": text.encode()}
    assert await repository.diff("bisect", 1, 2)
    await repository.tidy()
    assert repository.problem() == ""
    assert not hostile_git.exists()
    assert [path.name for path in own_hook.parent.iterdir()] == [own_hook.name]


async def test_attributes_and_filters_inside_a_skill_have_no_effect(
    repository: SkillRepository, hostile_git: Path
) -> None:
    evil = "* filter=evil text eol=crlf working-tree-encoding=UTF-16 ident -diff\n"
    by_hand(repository, ".gitattributes", evil)
    by_hand(repository, "bisect/.gitattributes", evil)
    await repository.write(change(action="create"), put("one\r\n$Id$\n"))
    await repository.write(change(), put("two\r\n$Id$\n"))
    git_own = ["git", "-C", str(repository.folder)]
    subprocess.run([*git_own, "config", "filter.evil.clean", f"touch {hostile_git}"], check=True)
    by_hand(repository, "bisect/SKILL.md", "six\r\n$Id$\n")
    assert [version.number for version in await repository.adopt()] == [4]
    assert "-two" in await repository.diff("bisect", 3, 4)
    await repository.roll_back("bisect", 3)
    assert (repository.folder / "bisect/SKILL.md").read_bytes() == b"two\r\n$Id$\n"
    assert not hostile_git.exists()


async def test_variables_of_another_repository_are_not_heeded(
    repository: SkillRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    subprocess.run(["git", "init", "-q", str(other)], check=True)
    for name, value in {
        "GIT_DIR": other / ".git", "GIT_WORK_TREE": other, "GIT_INDEX_FILE": other / "index",
        "GIT_OBJECT_DIRECTORY": other / "objects", "GIT_COMMON_DIR": other / ".git",
        "GIT_NAMESPACE": "x", "GIT_QUARANTINE_PATH": other / "q", "GIT_AUTHOR_NAME": "Eve",
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.bare", "GIT_CONFIG_VALUE_0": "true",
        "GIT_TRACE": tmp_path / "trace", "GIT_DEFAULT_HASH": "sha256", "GIT_PREFIX": "a/",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, str(value))
    await three_versions(repository)
    await repository.roll_back("bisect", 1)
    by_hand(repository, "bisect/SKILL.md", "by hand")
    await repository.adopt()
    assert [version.number for version in await repository.history("bisect")] == [5, 4, 3, 2, 1]
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    assert git(repository, "rev-list", "--count", "main").strip() == "5"
    refs = subprocess.run(["git", "-C", str(other), "show-ref"], capture_output=True)
    assert refs.stdout == b""
    assert not (tmp_path / "trace").exists()


async def test_a_dotfiles_repository_above_is_left_alone(home: Path) -> None:
    home.mkdir()
    subprocess.run(["git", "init", "-q", str(home)], check=True)
    repository = SkillRepository(home / "skills")
    await three_versions(repository)
    assert (home / "skills/.git/HEAD").exists()
    heads = subprocess.run(["git", "-C", str(home), "show-ref"], capture_output=True)
    assert heads.stdout == b""
    repository.close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
async def test_a_folder_of_another_owner_is_served(repository: SkillRepository) -> None:
    await three_versions(repository)
    for path in [repository.folder, *repository.folder.rglob("*")]:
        os.chown(path, 65534, 65534)
    anew = SkillRepository(repository.folder)
    assert (await anew.roll_back("bisect", 1)).number == 4
    anew.close()


async def test_links_pipes_and_nested_repositories_are_neither_followed_nor_lost(
    repository: SkillRepository, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    await repository.write(change(action="create"), put("one"))
    folder = repository.folder / "bisect"
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "folder-link").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "s"))
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    subprocess.run(["git", "init", "-q", str(folder / "vendor")], check=True)
    by_hand(repository, "bisect/vendor/code.py", "pass\n")
    by_hand(repository, "bisect/.gitmodules", '[submodule "x"]\n\tpath = x\n\turl = /tmp\n')

    version = (await repository.adopt())[0]
    assert set(await repository.files("bisect", version.number)) == {
        "SKILL.md", ".gitmodules", "vendor/code.py",
    }  # fmt: skip
    modes = git(repository, "ls-tree", "-r", "HEAD").splitlines()
    assert sum(line.startswith("120000") for line in modes) == 2
    assert not any(line.startswith("160000") for line in modes)
    await repository.roll_back("bisect", 1)
    assert not (folder / "link").is_symlink()
    assert not (folder / "vendor/code.py").exists()
    assert (folder / ".git/HEAD").exists()
    assert (folder / "pipe").exists()
    await repository.roll_back("bisect", version.number)
    assert (folder / "link").readlink() == tmp_path / "secret"
    assert (tmp_path / "secret").read_text() == "secret"
    assert await repository.adopt() == []


async def test_a_skill_reached_through_a_link_is_not_written(
    repository: SkillRepository, tmp_path: Path
) -> None:
    await three_versions(repository)
    (tmp_path / "elsewhere").mkdir()
    (repository.folder / "linked").symlink_to(tmp_path / "elsewhere")
    for skill in ("linked", "linked/inner"):
        with pytest.raises(HermesError, match="symbolic link"):
            await repository.write(change(skill), put("x"))
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize(
    "skill",
    [
        "",
        "/etc",
        "../x",
        "a/../b",
        "a//b",
        ".git",
        ".archive/a",
        "a/.Git",
        "git~1",
        "a\nb",
        "x" * 300,
    ],
)
async def test_a_path_no_skill_can_have_is_refused(repository: SkillRepository, skill: str) -> None:
    with pytest.raises(HermesError, match="cannot be the path"):
        await repository.write(change(skill), put("x"))
    assert not (repository.folder.parent / "x").exists()


async def test_names_of_any_bytes_and_of_either_case_are_kept(repository: SkillRepository) -> None:
    names = ["new\nline", 'qu"ote\\', "ünï", "-rf", "README.md", "readme.md", " ", "a\tb", "*",
             os.fsdecode(b"\xff\xfe"), ":(top)x"]  # fmt: skip

    def write(folder: Path) -> None:
        for name in ["SKILL.md", *names]:
            (folder / name).write_text(name, errors="surrogateescape")

    await repository.write(change(action="create"), write)
    assert set(await repository.files("bisect", 1)) == {"SKILL.md", *names}
    await repository.write(change(), shutil.rmtree)
    assert not (repository.folder / "bisect").exists()
    await repository.roll_back("bisect", 1)
    assert {path.name for path in (repository.folder / "bisect").iterdir()} == {"SKILL.md", *names}
    assert await repository.adopt() == []
    assert git(repository, "status", "--porcelain") == ""


async def test_a_file_may_become_a_folder_and_back(repository: SkillRepository) -> None:
    await repository.write(change(action="create"), put("one", "thing"))

    def grow(folder: Path) -> None:
        (folder / "thing").unlink()
        put("deep", "thing/deep/file")(folder)

    await repository.write(change(), grow)
    await repository.roll_back("bisect", 1)
    await repository.roll_back("bisect", 2)
    assert (repository.folder / "bisect/thing/deep/file").read_text() == "deep"
    assert git(repository, "status", "--porcelain") == ""


async def test_a_skill_too_large_for_versions_is_named_and_the_others_go_on(
    repository: SkillRepository,
) -> None:
    await three_versions(repository)
    for number in range(2_001):
        by_hand(repository, f"huge/{number}", "")
    by_hand(repository, "huge/SKILL.md", "huge")
    by_hand(repository, "small/SKILL.md", "small")
    assert [version.skill for version in await repository.adopt()] == ["small"]
    assert "too large" in repository.left_out()["huge"]
    version = await repository.write(change("huge"), put("still written"))
    assert version.commit == ""
    assert (repository.folder / "huge/SKILL.md").read_text() == "still written"
    assert repository.problem() == ""


async def test_a_lock_left_behind_is_removed_when_it_is_old(repository: SkillRepository) -> None:
    await three_versions(repository)
    for name in ("index.lock", "HEAD.lock", "refs/heads/main.lock"):
        lock = repository.folder / ".git" / name
        lock.touch()
        os.utime(lock, (time.time() - 90, time.time() - 90))
    assert (await repository.write(change(), put("four"))).number == 4
    assert not list((repository.folder / ".git").rglob("*.lock"))
    assert git(repository, "status", "--porcelain") == ""


async def test_a_git_that_is_at_work_in_the_index_does_not_keep_us_from_committing(
    repository: SkillRepository,
) -> None:
    await three_versions(repository)
    (repository.folder / ".git/index.lock").touch()
    assert (await repository.write(change(), put("four"))).number == 4
    (repository.folder / ".git/index.lock").unlink()
    assert await repository.adopt() == []
    assert git(repository, "status", "--porcelain") == ""
