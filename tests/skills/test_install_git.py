"""Fetching from git repositories, hostile ones among them, with real git."""

import os
import subprocess
from pathlib import Path

import anyio
import pytest
from anyio.abc import SocketAttribute

from hermes_tui.core.errors import ConfigError, HermesError, NotFoundError
from hermes_tui.skills import git_source
from hermes_tui.skills.fetching import package_of
from hermes_tui.skills.packages import Package
from hermes_tui.skills.sources import parse_source

SKILL = "---\nname: good\ndescription: Does it.\n---\nBody\n"


def git(folder: Path, *words: str, stdin: bytes = b"") -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=x", "-c", "user.email=x@x", *words],
        cwd=folder, input=stdin, capture_output=True, check=True,
        env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"},
    )  # fmt: skip
    return done.stdout.decode().strip()


def repository(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    commit(folder, files)
    return folder


def commit(folder: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "add", "-A", "--force")
    git(folder, "commit", "-q", "-m", "x")
    return git(folder, "rev-parse", "HEAD")


async def fetched(text: str) -> Package:
    with anyio.fail_after(50):
        return await package_of(parse_source(text, os.environ))


async def test_a_folder_of_a_repository_is_fetched_at_a_branch_tag_or_commit(
    tmp_path: Path,
) -> None:
    folder = repository(tmp_path / "r", {"s/a/SKILL.md": SKILL, "s/b/SKILL.md": SKILL, "x": ""})
    git(folder, "tag", "-a", "v1", "-m", "x")
    old = git(folder, "rev-parse", "HEAD")
    commit(folder, {"s/a/new.md": "new"})
    address = f"file://{folder}"
    assert [parcel.folder for parcel in (await fetched(address)).parcels] == ["s/a", "s/b"]
    (newest,) = (await fetched(f"{address}#s/a")).parcels
    assert set(newest.files) == {"SKILL.md", "new.md"}
    for ref in ("v1", old):
        (parcel,) = (await fetched(f"{address}#{ref}:s/a")).parcels
        assert set(parcel.files) == {"SKILL.md"}
    with pytest.raises(NotFoundError, match="has no nothing"):
        await fetched(f"{address}#nothing:s")
    with pytest.raises(NotFoundError, match=r"no SKILL\.md"):
        await fetched(f"{address}#missing")


async def test_hooks_filters_attributes_and_submodules_of_a_package_do_nothing(
    tmp_path: Path,
) -> None:
    spoilt = tmp_path / "spoilt"
    folder = repository(
        tmp_path / "r",
        {
            "good/SKILL.md": SKILL,
            "good/.gitattributes": "* filter=evil diff=evil",
            ".gitattributes": "* filter=evil",
            ".gitmodules": f'[submodule "x"]\n\tpath = x\n\turl = ext::sh -c "touch {spoilt}"\n',
            "sub/SKILL.md": SKILL,
        },
    )
    for name in ("post-checkout", "post-merge", "reference-transaction", "post-index-change"):
        hook = folder / ".git" / "hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch {spoilt}\n")
        hook.chmod(0o755)
    head = git(folder, "rev-parse", "HEAD")
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{head},sub/module")
    git(folder, "commit", "-q", "-m", "x")
    spoilt.unlink(missing_ok=True)
    git(folder, "config", "filter.evil.smudge", f"touch {spoilt}")
    git(folder, "config", "core.fsmonitor", f"touch {spoilt}")
    git(folder, "config", "uploadpack.packObjectsHook", f"touch {spoilt}; exec")
    found = await fetched(f"file://{folder}")
    assert not spoilt.exists()
    good, sub = found.parcels
    assert set(good.files) == {"SKILL.md"}
    assert sub.faults == ("'module' is a submodule.",)


async def test_the_persons_own_git_settings_have_no_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoilt = tmp_path / "spoilt"
    folder = repository(tmp_path / "r", {"SKILL.md": SKILL})
    (tmp_path / "user" / ".gitconfig").write_text(
        f'[core]\n\thooksPath = {tmp_path}\n[url "ext::touch {spoilt} "]\n\tinsteadOf = file://\n'
        "[protocol]\n\tallow = always\n"
    )
    template = tmp_path / "template" / "hooks"
    template.mkdir(parents=True)
    (template / "reference-transaction").write_text(f"#!/bin/sh\ntouch {spoilt}\n")
    (template / "reference-transaction").chmod(0o755)
    for name, value in {
        "GIT_DIR": str(tmp_path / "other"), "GIT_WORK_TREE": str(tmp_path),
        "GIT_TEMPLATE_DIR": str(template.parent), "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "protocol.ext.allow", "GIT_CONFIG_VALUE_0": "always",
        "GIT_SSH_COMMAND": f"touch {spoilt}", "GIT_PROXY_COMMAND": f"touch {spoilt}",
        "GIT_EXEC_PATH": str(tmp_path), "GIT_ALLOW_PROTOCOL": "ext:file",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    assert len((await fetched(f"file://{folder}")).parcels) == 1
    assert not spoilt.exists()
    assert not (tmp_path / "other").exists()


async def test_links_and_hostile_names_in_a_tree_rule_out_their_skill(tmp_path: Path) -> None:
    folder = repository(tmp_path / "r", {"good/SKILL.md": SKILL, "link/SKILL.md": SKILL})
    (folder / "link" / "x").symlink_to("/etc/passwd")
    commit(folder, {"case/SKILL.md": SKILL, "case/Readme": "", "case/README": ""})
    found = await fetched(f"file://{folder}")
    faults = {parcel.folder: " ".join(parcel.faults) for parcel in found.parcels}
    assert "is a link" in faults["link"]
    assert "one file elsewhere" in faults["case"]
    assert faults["good"] == ""


async def test_what_cannot_be_fetched_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="does not appear to be a git repository"):
        await fetched(f"file://{tmp_path}")
    with pytest.raises(NotFoundError, match="cannot fetch https://localhost:1/x"):
        await fetched("https://localhost:1/x")
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "-q")
    with pytest.raises(HermesError):
        await fetched(f"file://{empty}")


async def test_without_git_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HermesError, match="no git here"):
        await fetched("https://localhost:1/x")


async def test_a_repository_that_is_too_large_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = repository(tmp_path / "r", {"SKILL.md": SKILL})
    (folder / "noise").write_bytes(os.urandom(400_000))
    commit(folder, {})
    monkeypatch.setattr(git_source, "MAX_PACKAGE_BYTES", 200_000)
    with pytest.raises(ConfigError, match="has more than"):
        await fetched(f"file://{folder}")


async def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git_source, "FETCH_SECONDS", 0.5)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)
    async with listener:
        with pytest.raises(HermesError, match="did not answer within"):
            await fetched(f"https://127.0.0.1:{port}/x")


async def test_a_tree_that_unfolds_without_end_stops_early(tmp_path: Path) -> None:
    folder = repository(tmp_path / "r", {"SKILL.md": SKILL})
    blob = git(folder, "hash-object", "-w", "--stdin", stdin=b"x")
    leaves = "".join(f"100644 blob {blob}\tf{n}\n" for n in range(10))
    tree = git(folder, "mktree", stdin=leaves.encode())
    for _ in range(9):
        listing = "".join(f"040000 tree {tree}\td{n}\n" for n in range(10))
        tree = git(folder, "mktree", stdin=listing.encode())
    made = git(folder, "commit-tree", tree, "-m", "x")
    git(folder, "update-ref", "refs/heads/main", made)
    with pytest.raises(ConfigError, match="more than 20,000 files"):
        await fetched(f"file://{folder}")


async def test_a_bare_word_is_a_branch_tag_or_commit_if_there_is_one_else_a_folder(
    tmp_path: Path,
) -> None:
    folder = repository(tmp_path / "r", {"v1/SKILL.md": SKILL, "pdf/SKILL.md": SKILL})
    git(folder, "tag", "v1")
    git(folder, "branch", "topic/pdf")
    head, address = git(folder, "rev-parse", "HEAD"), f"file://{folder}"

    async def meant(word: str) -> tuple[str, str]:
        with anyio.fail_after(50):
            source = await git_source.with_ref(parse_source(f"{address}#{word}", os.environ))
        return source.ref, source.inside

    assert await meant("v1") == ("v1", "")
    assert await meant("topic/pdf") == ("topic/pdf", "")
    assert await meant(head) == (head, "")
    assert await meant("pdf") == ("", "pdf")
    assert await meant("v1:pdf") == ("v1", "pdf")
    assert await meant("a*b") == ("", "a*b")
    gone = parse_source(f"file://{tmp_path}/gone#v1", os.environ)
    assert await git_source.with_ref(gone) == gone
