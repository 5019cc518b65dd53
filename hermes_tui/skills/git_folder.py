"""The git repository in a folder of skills, through git's plumbing.

Git never reads or writes a skill's file for us: contents go in as a stream, come out as
objects, and are put on disk by `skill_files`. So no filter, hook, attribute, submodule or
link inside a skill can do anything. The index is kept only for people who run git there,
and as the cache that tells changed files quickly.
"""

import os
import re
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from subprocess import PIPE
from typing import TYPE_CHECKING

from msgspec import Struct

from hermes_tui.core.errors import HermesError
from hermes_tui.skills.commit_stream import IMPORT, Author, Entry, Planned, import_stream
from hermes_tui.skills.skill_files import LINK, PLAIN, PROGRAM, Blob, Files, Mode, put_files, sync

if TYPE_CHECKING:
    from git import Git

STALE_LOCK_SECONDS = 60.0
_STATUS = (
    "status", "--porcelain=v1", "-z", "--untracked-files=normal", "--no-renames",
    "--ignore-submodules=all",
)  # fmt: skip
_DIFF = (
    "diff", "--no-index", "--no-prefix", "--no-color", "--no-ext-diff", "--no-textconv",
    "--no-renames",
)  # fmt: skip
_HEADER = re.compile(r'^diff --git ("?)[ab]/(.*) "?[ab]/\2$', re.MULTILINE)
_TREE, _GITLINK = 0o040000, 0o160000


class GitFailedError(HermesError):
    """A git command failed, or the repository cannot be read."""


class Commit(Struct, frozen=True):
    """A commit of the log."""

    id: str
    at: datetime
    email: str
    """The author's."""
    message: str


class GitFolder:
    """What Hermes does with the repository. One thread at a time."""

    def __init__(self, git: "Git", folder: Path, person: Author) -> None:
        self._git = git
        self.person = person
        """Whom a person's changes are by."""
        self.folder = folder
        self.git_folder = folder / ".git"
        self.lock: int | None = None
        """The descriptor of the side lock while we hold it; git's processes keep it held."""

    def run(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """What a git command printed.

        Raises:
            GitFailedError: it ended with an error.
        """
        inherited = () if self.lock is None else (self.lock,)
        process = self._git.execute(
            ["git", *arguments], istream=PIPE, as_process=True, pass_fds=inherited
        )
        printed, complaint = process.communicate(stdin)
        if process.returncode:
            raise GitFailedError(
                f"git {arguments[0]} failed in {self.folder}: {_reason(complaint)}",
                hint="Run `git status` and `git fsck` there.",
            )
        return printed

    def close(self) -> None:
        """End the process that reads objects; the next read starts another."""
        self._git.clear_cache()

    def tip(self) -> str:
        """The commit HEAD names; empty before the first one.

        Raises:
            GitFailedError: there is a branch, but it or its commit cannot be read.
        """
        found = self._object("HEAD")
        if found is not None and found[1] == "commit":
            return found[0]
        branch = self.branch()
        packed = self.git_folder / "packed-refs"
        is_born = (self.git_folder / branch).exists() or (
            packed.exists() and f" {branch}\n" in packed.read_text(errors="replace")
        )
        if is_born or found is not None:
            raise GitFailedError(
                f"The git repository in {self.folder} is damaged: {branch} cannot be read.",
                hint="Run `git fsck` there; Hermes does not touch it meanwhile.",
            )
        return ""

    def branch(self) -> str:
        """The full name of the branch HEAD stands on; empty when it stands on none."""
        head = (self.git_folder / "HEAD").read_text(encoding="utf-8", errors="replace").strip()
        return head.removeprefix("ref: ") if head.startswith("ref: refs/heads/") else ""

    def tree(self, commit: str, folder: str) -> str:
        """The tree of `folder` in a commit; empty where it has none."""
        found = self._object(f"{commit}:{folder}") if commit else None
        return found[0] if found is not None and found[1] == "tree" else ""

    def has_file(self, commit: str, path: str) -> bool:
        found = self._object(f"{commit}:{path}") if commit else None
        return found is not None and found[1] == "blob"

    def entries(self, tree: str) -> dict[str, Entry]:
        """Every file below a tree, by path; none for an empty name."""
        files: dict[str, Entry] = {}
        waiting = [(tree, "")] if tree else []
        while waiting:
            here, prefix = waiting.pop()
            for mode, name, id_ in _tree_entries(self._known(here, "tree")):
                if mode == _TREE:
                    waiting.append((id_, f"{prefix}{name}/"))
                elif mode != _GITLINK:
                    files[prefix + name] = Entry(mode, id_)
        return files

    def files(self, tree: str) -> Files:
        """Every file below a tree, with its content."""
        return {
            path: Blob(_mode(entry.mode), self._known(entry.id, "blob"))
            for path, entry in self.entries(tree).items()
        }

    def commit(self, planned: Sequence[Planned], *, onto: str) -> list[Commit]:
        """Make commits on the branch HEAD stands on, after `onto`; durable when this returns.

        Raises:
            GitFailedError: the disk is full, or the branch is no longer at `onto`.
        """
        at = int(time.time())
        try:
            stream = import_stream(planned, self.branch(), onto, at)
            ids = self.run(*IMPORT, stdin=stream).decode().split()
        except GitFailedError:
            for report in self.git_folder.glob("fast_import_crash_*"):
                report.unlink(missing_ok=True)
            if not (ids := self._made(planned, onto)):
                raise
            # Only a tag was refused: a killed process can leave one on a commit no branch has.
            for each, id_ in zip(planned, ids, strict=True):
                self.run("update-ref", each.tag, id_)
        # git syncs a reference's file but not the folder it renames it in.
        sync((self.git_folder / self.branch()).parent)
        moment = datetime.fromtimestamp(at, UTC)
        return [
            Commit(id_, moment, each.author.email, each.message)
            for each, id_ in zip(planned, ids, strict=True)
        ]

    def refresh(self, paths: Iterable[str]) -> None:
        """Bring the index in line with what is on disk at `paths`; not being able to is no harm."""
        self.clear_stale_lock(self.git_folder / "index.lock")
        names = b"".join(os.fsencode(path) + b"\0" for path in paths)
        with suppress(GitFailedError):
            if not (self.git_folder / "index").exists():
                self.run("read-tree", "HEAD")
            self.run("update-index", "--add", "--remove", "--replace", "-z", "--stdin", stdin=names)

    def changed_paths(self) -> list[str]:
        """Paths whose content on disk, in the index and in HEAD may differ; a folder ends in `/`.

        A new file that a .gitignore hides is not among them.
        """
        index = self.git_folder / "index"
        self.clear_stale_lock(index.with_name("index.lock"))
        if not index.exists() and self.tip():
            self.run("read-tree", "HEAD")
        try:
            printed = self.run(*_STATUS)
        except GitFailedError as error:
            if "index" not in error.message:
                raise
            # It is a cache; one git cannot read is kept under another name and made anew.
            index.replace(index.with_name("index.damaged"))
            self.run("read-tree", "HEAD")
            printed = self.run(*_STATUS)
        return [os.fsdecode(line[3:]) for line in printed.split(b"\0") if line]

    def log(self, revisions: str) -> tuple[list[Commit], bool]:
        """The commits of a range, newest first, and whether all are on its right-hand side."""
        printed = self.run(
            "log", "-z", "--topo-order", "--encoding=UTF-8", "--no-show-signature",
            "--format=%m%x00%H%x00%at%x00%ae%x00%B", revisions, "--",
        )  # fmt: skip
        fields = printed.decode(errors="replace").split("\0")
        commits: list[Commit] = []
        is_right = True
        for side, id_, at, email, message in zip(*[iter(fields)] * 5, strict=False):
            is_right = is_right and side == ">"
            commits.append(Commit(id_, _moment(at), email, message))
        return commits, is_right

    def touched(self, commits: Sequence[str]) -> dict[str, list[str]]:
        """The paths each commit changed against its first parent; a merge changes none."""
        paths: dict[str, list[str]] = {each: [] for each in commits}
        here: list[str] = []
        printed = self.run(
            "diff-tree", "-r", "--root", "-z", "--name-only", "--no-renames", "--stdin",
            stdin="".join(f"{each}\n" for each in commits).encode(),
        )  # fmt: skip
        for token in re.split(rb"[\0\n]", printed):
            name = os.fsdecode(token)
            if name in paths:
                here = paths[name]
            elif name:
                here.append(name)
        return paths

    def diff(self, old: Files, new: Files) -> str:
        """A unified diff, with paths as `a/…` and `b/…`; empty where they are the same."""
        if old == new:
            return ""
        with tempfile.TemporaryDirectory(prefix="hermes-diff-") as name:
            for side, files in (("a", old), ("b", new)):
                put_files(Path(name) / side, files)
                (Path(name) / side).mkdir(exist_ok=True)  # git needs both, also an empty one
            process = self._git.execute(["git", "-C", name, *_DIFF, "a", "b"], as_process=True)
            printed, complaint = process.communicate()
        if process.returncode not in {0, 1}:
            raise GitFailedError(f"git diff failed: {complaint.decode(errors='replace').strip()}")
        # Of a file only one side has, git writes that side's folder twice.
        return _HEADER.sub(r"diff --git \1a/\2 \1b/\2", printed.decode(errors="replace"))

    def blame(self, commits: Sequence[str], path: str) -> list[tuple[str, str]]:
        """Each line of `path` in the first of `commits`, newest first, and the one it came with."""
        chain = "\n".join(" ".join(commits[at : at + 2]) for at in range(len(commits)))
        with tempfile.NamedTemporaryFile(prefix="hermes-blame-") as file:
            file.write(f"{chain}\n".encode())
            file.flush()
            # Walking only these commits: the others cannot have touched the skill.
            printed = self.run(
                "blame", "--porcelain", "--no-textconv", "-S", file.name, commits[0], "--", path
            )
        lines: list[tuple[str, str]] = []
        commit = ""
        for line in printed.decode(errors="replace").split("\n"):
            if line.startswith("\t"):
                lines.append((commit, line[1:].removesuffix("\r")))
            elif head := re.match(r"([0-9a-f]{40}) \d", line):
                commit = head[1]
        return lines

    def tags(self) -> list[str]:
        """The full names of the tags of skills."""
        return self.run("for-each-ref", "--format=%(refname)", "refs/tags/skills").decode().split()

    def remove_tags(self, tags: Iterable[str]) -> None:
        self.run("update-ref", "--stdin", stdin="".join(f"delete {tag}\n" for tag in tags).encode())

    def start_collecting(self, *, above: int) -> "Git.AutoInterrupt":
        """Start `git gc` if more than about `above` objects are loose. Safe beside anything."""
        settings = ["-c", f"gc.auto={above}", "-c", "gc.autoDetach=false"]
        return self._git.execute(
            ["git", *settings, "gc", "--auto", "--quiet"],
            as_process=True, with_stdout=False,
        )  # fmt: skip

    def clear_stale_lock(self, lock: Path, *, of_the_dead: bool = False) -> None:
        """Remove a lock file no running git holds: one older than a minute, or a dead one's."""
        with suppress(FileNotFoundError):
            if of_the_dead or time.time() - lock.lstat().st_mtime > STALE_LOCK_SECONDS:
                lock.unlink()

    def clear_stale_locks(self, *, of_the_dead: bool) -> None:
        """Remove every such lock file; the side lock is held, so none is of a git we started."""
        for lock in [*self.git_folder.glob("*.lock"), *self.git_folder.glob("refs/**/*.lock")]:
            self.clear_stale_lock(lock, of_the_dead=of_the_dead)

    def _made(self, planned: Sequence[Planned], onto: str) -> list[str]:
        """The commits a failed import put on the branch after all, oldest first; all or none."""
        if self.tip() == onto:
            return []
        commits, _ = self.log(f"{onto}..HEAD" if onto else "HEAD")
        made = list(reversed(commits))
        is_ours = [each.message.strip() for each in made] == [p.message.strip() for p in planned]
        return [each.id for each in made] if is_ours else []

    def _known(self, id_: str, kind: str) -> bytes:
        found = self._object(id_)
        if found is None or found[1] != kind:
            self.close()  # it wrote its complaint where nobody reads, and must not fill that pipe
            raise GitFailedError(
                f"The git repository in {self.folder} is damaged: {kind} {id_} cannot be read.",
                hint="Run `git fsck` there; Hermes does not touch it meanwhile.",
            )
        return found[2]

    def _object(self, name: str) -> tuple[str, str, bytes] | None:
        """The name, type and content of an object; None where there is no such one."""
        try:
            id_, kind, _, content = self._git.get_object_data(name)
        except (ValueError, OSError) as error:
            if " missing" in str(error):
                return None
            self.close()  # it died, or its answers can no longer be told apart
            raise GitFailedError(
                f"The git repository in {self.folder} cannot be read.",
                hint="Run `git fsck` there; Hermes does not touch it meanwhile.",
            ) from error
        return _text(id_), _text(kind), content


def _tree_entries(content: bytes) -> Iterable[tuple[int, str, str]]:
    at = 0
    while at < len(content):
        end = content.index(b"\0", at)
        mode, _, name = content[at:end].partition(b" ")
        at = end + 21
        yield int(mode, 8), os.fsdecode(name), content[end + 1 : at].hex()


def _mode(mode: int) -> Mode:
    return LINK if mode == LINK else PROGRAM if mode == PROGRAM else PLAIN


def _reason(complaint: bytes) -> str:
    lines = complaint.decode(errors="replace").strip().splitlines() or ["no reason given"]
    return next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[-1])


def _text(word: str | bytes) -> str:
    # What GitPython types as str here is what it read from a pipe.
    return word.decode() if isinstance(word, bytes) else word


def _moment(seconds: str) -> datetime:
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)
