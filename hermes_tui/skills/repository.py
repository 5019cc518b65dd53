"""The skills' own git repository: every change a commit, every version kept. GitPython's door.

Skills work without it. Where git is missing, or the repository is damaged or in the middle of
something, changes are still made on disk and `SkillRepository.problem` says why they have no
history; what is there is never reset or deleted.
"""

import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import anyio
import anyio.to_thread

from hermes_tui.core.errors import HermesError, NotFoundError
from hermes_tui.skills.commit_stream import Author, tags_beyond
from hermes_tui.skills.git_folder import GitFailedError, GitFolder
from hermes_tui.skills.recorder import Recorder
from hermes_tui.skills.skill_files import LINK, checked_path, export_files
from hermes_tui.skills.trailers import one_line
from hermes_tui.skills.versions import BlamedLine, Change, Version
from hermes_tui.skills.workspace import Step, Workspace

if TYPE_CHECKING:
    from git import Git

T = TypeVar("T")

YOU = Author("You", "you@localhost")
# Above every .gitattributes in a skill (gitattributes(5)): no filter, no conversion, and no
# hiding of a change as "binary", also for a person's own git commands in the folder.
ATTRIBUTES = "* -text -filter -ident -working-tree-encoding !diff !merge -export-subst"
SETTINGS = (
    "core.hooksPath=/dev/null", "core.fsmonitor=false", "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null", "core.autocrlf=false", "core.fsync=all",
    "core.fsyncMethod=fsync", "core.untrackedCache=true", "commit.gpgSign=false",
    "gc.auto=0", "protocol.allow=never",
)  # fmt: skip
COLLECT_ABOVE = 1_000
"""Loose objects; fewer are not worth the seconds `git gc` takes."""


class SkillRepository:
    """The versions of the skills in a folder.

    A skill is named by the path of its folder, as in `git/bisect`; one that was archived
    keeps that name and lies in `.archive/git/bisect`. All work is done in one thread at a time,
    changes under a lock that other processes respect; a change once begun is finished even
    when its caller is cancelled.
    """

    def __init__(self, folder: Path, *, keep_versions: int = 5) -> None:
        self.folder = folder
        self._keep_versions = keep_versions
        self._turn = anyio.CapacityLimiter(1)
        self._work = Workspace(folder, open_store)

    async def write(self, change: Change, write: Callable[[Path], None]) -> Version:
        """Let `write` change the skill's folder, which is made if need be, and commit that.

        `write` runs in the worker thread. When it raises, the folder is put back.

        Raises:
            HermesError: the path cannot be a skill's, leads through a link or lies above or below
                another skill, it cannot be written, or others hold the lock for too long.
        """
        folder = self.folder / checked_path(change.skill)

        def make() -> None:
            folder.mkdir(parents=True, exist_ok=True)
            write(folder)

        return await self._changed(change.skill, lambda _: Step(change, make))

    async def adopt(self) -> list[Version]:
        """Commit what people changed by hand, each skill by itself, as theirs."""
        return await self._in_thread(self._work.adopt)

    async def history(self, skill: str, *, limit: int | None = None) -> list[Version]:
        """The versions of a skill, newest first; none where `problem` says why.

        Raises:
            NotFoundError: there is neither a history nor a folder of it.
        """
        return (await self._in_thread(lambda: self._history(skill)))[:limit]

    async def histories(self) -> dict[str, list[Version]]:
        """The versions of every skill by path, newest first; none where `problem` says why."""

        def read() -> dict[str, list[Version]]:
            recorder = self._work.reader()
            if recorder is None:
                return {}
            known = recorder.histories
            return {skill: known.of(skill)[::-1] for skill in known.names()}

        return await self._in_thread(read)

    async def diff(self, skill: str, old: int | str, new: int | str | None = None) -> str:
        """A unified diff of two versions, or of one and what is on disk (`new` is None).

        Raises:
            NotFoundError: there is no such skill or version.
            HermesError: history cannot be had.
        """

        def read() -> str:
            recorder = self._needed(skill)
            before = recorder.files_of(skill, old)
            after = self._work.on_disk(skill) if new is None else recorder.files_of(skill, new)
            return recorder.store.diff(before, after)

        return await self._in_thread(read)

    async def files(self, skill: str, version: int | str) -> dict[str, bytes]:
        """What the files of a version held, by path; links are left out.

        Raises:
            NotFoundError: there is no such skill or version.
            HermesError: history cannot be had.
        """

        def read() -> dict[str, bytes]:
            files = self._needed(skill).files_of(skill, version)
            return {path: blob.content for path, blob in files.items() if blob.mode != LINK}

        return await self._in_thread(read)

    async def blame(self, skill: str, file: str = "SKILL.md") -> list[BlamedLine]:
        """Which version each line of a file came with, as of the newest version.

        Raises:
            NotFoundError: there is no such skill or file.
            HermesError: history cannot be had.
        """
        return await self._in_thread(lambda: self._blame(skill, file))

    async def roll_back(
        self, skill: str, version: int | str, *,
        reason: str = "", by_user: bool = True, session: str = "",
    ) -> Version:  # fmt: skip
        """Make a new version that holds exactly what an old one held.

        Raises:
            NotFoundError: there is no such skill or version.
            HermesError: history cannot be had, or the files cannot be written.
        """

        def prepare(recorder: Recorder | None) -> Step:
            recorder = self._work.needed(recorder, skill)
            old = recorder.histories.find(skill, version)
            files = recorder.files_of(skill, version)
            place = self._work.place(skill) or skill
            change = Change(
                skill=skill, action="rollback", reason=reason or f"Back to version {old.number}.",
                session=session, by_user=by_user,
            )  # fmt: skip
            return Step(change, lambda: self._work.put(skill, {place: files}))

        return await self._changed(skill, prepare)

    async def archive(
        self, skill: str, *, reason: str, session: str = "", by_user: bool = False
    ) -> Version:
        """Put a skill away: its folder moves to `.archive`.

        Raises:
            NotFoundError: there is no such skill to put away.
            HermesError: its folder cannot be moved.
        """

        def prepare(recorder: Recorder | None) -> Step:
            if self._work.place(skill) != skill:
                raise self._work.not_there(skill, in_archive=False)
            change = Change(
                skill=skill, action="archive", reason=reason, session=session, by_user=by_user
            )
            return Step(change, lambda: self._work.move(skill, to_archive=True, recorder=recorder))

        return await self._changed(skill, prepare)

    async def restore(
        self, skill: str, *, reason: str = "", session: str = "", by_user: bool = True
    ) -> Version:
        """Bring back a skill that was archived, or deleted: then its newest version.

        Raises:
            NotFoundError: there is none to bring back.
            HermesError: there is one of that name now, or it cannot be written.
        """

        def prepare(recorder: Recorder | None) -> Step:
            change = Change(
                skill=skill, action="restore", reason=reason, session=session, by_user=by_user
            )
            if self._work.place(skill) == skill:
                raise HermesError(
                    f"The skill {skill!r} is there already.", hint="Archive or rename it first."
                )
            if self._work.place(skill):
                return Step(
                    change, lambda: self._work.move(skill, to_archive=False, recorder=recorder)
                )
            if recorder is None or not (files := recorder.newest_files(skill)):
                raise self._work.not_there(skill, in_archive=True)
            return Step(change, lambda: self._work.put(skill, {skill: files}))

        return await self._changed(skill, prepare)

    async def export(self, skill: str, target: Path, *, version: int | str | None = None) -> None:
        """Write a skill's files, as they are or as of a version, to a new or empty folder.

        Raises:
            NotFoundError: there is no such skill or version.
            HermesError: the folder holds something, or cannot be written.
        """

        def write() -> None:
            if version is None:
                files = self._work.on_disk(skill)
                if not files:
                    raise self._work.not_there(skill, in_archive=False)
            else:
                files = self._needed(skill).files_of(skill, version)
            export_files({path: blob for path, blob in files.items() if blob.mode != LINK}, target)

        await self._in_thread(write)

    async def undo(self, version: Version) -> Version | None:
        """Take back exactly that change, if it is still the newest of its skill; else None.

        A skill the change created is archived.

        Raises:
            HermesError: history cannot be had, or the files cannot be written.
        """
        skill = version.skill

        def prepare(recorder: Recorder | None) -> Step | None:
            recorder = self._work.needed(recorder, skill)
            versions = recorder.histories.of(skill)
            if not versions or versions[-1].commit != version.commit:
                return None
            before = recorder.places_in(f"{version.commit}^", skill)
            change = Change(
                skill=skill, action="rollback" if before else "archive", by_user=True,
                reason=f"Version {version.number} was taken back.", session=version.session,
            )  # fmt: skip
            if before:
                return Step(change, lambda: self._work.put(skill, before))
            return Step(change, lambda: self._work.move(skill, to_archive=True, recorder=recorder))

        return await self._in_thread(lambda: self._work.change(skill, prepare))

    async def tidy(self) -> None:
        """Drop tags beyond `keep_versions` and pack what is loose; takes seconds, in idle time.

        Of each skill the first version and the newest keep their tags. No commit is dropped.
        """
        await self._in_thread(self._drop_tags)
        if (recorder := self._work.recorder) is None or self.problem():
            return
        collecting = recorder.store.start_collecting(above=COLLECT_ABOVE)
        try:
            await anyio.to_thread.run_sync(collecting.wait, abandon_on_cancel=True)
        finally:
            with suppress(ProcessLookupError):
                collecting.terminate()

    def problem(self) -> str:
        """Why history cannot be had, in one sentence; empty when all is well."""
        return self._work.problem()

    def left_out(self) -> Mapping[str, str]:
        """Skills found to be too large or unreadable to have versions, each with the reason."""
        return dict(self._work.recorder.left_out) if self._work.recorder else {}

    def close(self) -> None:
        """End the process that reads git's objects; another is started when needed."""
        if self._work.recorder:
            self._work.recorder.store.close()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(work, limiter=self._turn)

    async def _changed(self, skill: str, prepare: Callable[[Recorder | None], Step]) -> Version:
        version = await self._in_thread(lambda: self._work.change(skill, prepare))
        assert version is not None, "there is always a step"
        return version

    def _needed(self, skill: str) -> Recorder:
        return self._work.needed(self._work.reader(), skill)

    def _history(self, skill: str) -> list[Version]:
        recorder = self._work.reader()
        if recorder is not None and (versions := recorder.histories.of(skill)):
            return versions[::-1]
        if self._work.place(skill) or self._work.problem():
            return []
        raise self._work.not_there(skill, in_archive=False)

    def _blame(self, skill: str, file: str) -> list[BlamedLine]:
        recorder = self._needed(skill)
        versions = {version.commit: version for version in self._history(skill)}
        newest = next(iter(versions), "")
        for place in recorder.places_in(newest, skill) if newest else ():
            if recorder.store.has_file(newest, f"{place}/{file}"):
                lines = recorder.store.blame(list(versions), f"{place}/{file}")
                return [_blamed(versions[commit], text) for commit, text in lines]
        raise NotFoundError(
            f"The skill {skill!r} has no file {file!r} with a history.",
            hint=f"Its files: {', '.join(sorted(self._work.on_disk(skill))[:10]) or 'none'}.",
        )

    def _drop_tags(self) -> None:
        with self._work.recording() as recorder:
            if recorder is None:
                return
            with suppress(GitFailedError):
                recorder.store.remove_tags(tags_beyond(recorder.store.tags(), self._keep_versions))
                recorder.store.run("pack-refs", "--all", "--prune")


def _blamed(version: Version, text: str) -> BlamedLine:
    return BlamedLine(version.number, version.by_user, version.at, text)


def open_store(folder: Path) -> GitFolder:
    """The repository in `folder`, made if there is none.

    Raises:
        GitFailedError: GitPython or git does not work, or the disk is full.
    """
    try:
        git = _git_in(folder.resolve())
        store = GitFolder(git, folder, _person(folder))
        if not (folder / ".git" / "HEAD").exists():
            store.run("init", "--quiet", "--template=", "--initial-branch=main", str(folder))
        attributes = folder / ".git" / "info" / "attributes"
        if not attributes.exists() or ATTRIBUTES not in attributes.read_text(errors="replace"):
            attributes.parent.mkdir(exist_ok=True)
            with attributes.open("a", encoding="utf-8") as file:
                file.write(ATTRIBUTES + "\n")
    except (ImportError, OSError) as error:
        raise GitFailedError(f"The history of skills cannot be opened: {error}") from error
    return store


def _git_in(folder: Path) -> "Git":
    """GitPython's `Git`, deaf to the person's configuration and to git's own variables."""
    from git import Git

    own = [
        f"GIT_DIR={folder / '.git'}", f"GIT_WORK_TREE={folder}", "GIT_CONFIG_GLOBAL=/dev/null",
        "GIT_CONFIG_NOSYSTEM=1", "GIT_ATTR_NOSYSTEM=1", "GIT_LITERAL_PATHSPECS=1",
        "GIT_NO_REPLACE_OBJECTS=1", "GIT_TERMINAL_PROMPT=0",
    ]  # fmt: skip
    settings = [word for setting in SETTINGS for word in ("-c", setting)]

    class OwnGit(Git):
        def execute(self, command: Any, *arguments: Any, **options: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
            # A hook that starts Hermes has GIT_DIR and its like set, for another repository.
            foreign = [name for name in os.environ if name.startswith("GIT_")]
            clean = ["env", *(f"--unset={name}" for name in foreign), *own]
            whole = [*clean, command[0], *settings, *command[1:]]
            return cast("Any", super().execute(whole, *arguments, **options))

    return OwnGit(folder)


def _person(folder: Path) -> Author:
    """Whom the person's own git makes commits as, or somebody called You."""
    from git import Git

    where = [f"--unset={name}" for name in os.environ if re.match(r"GIT_(?!CONFIG)", name)]
    said = Git(folder).execute(
        ["env", *where, "git", "config", "--global", "--includes", "-z", "--get-regexp",
         r"^user\.(name|email)$"],
        with_exceptions=False, stdout_as_string=True,
    )  # fmt: skip
    pairs = (each.partition("\n") for each in str(said).split("\0"))
    fields = {name: value for name, _, value in pairs}
    name, email = (
        re.sub(r"[<>]", "", one_line(fields.get(f"user.{field}", ""))).strip()
        for field in ("name", "email")
    )
    return Author(name or YOU.name, email or YOU.email)
