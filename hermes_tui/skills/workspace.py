"""The folder of skills and its history together, worked on under the lock, in one thread."""

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct

from hermes_tui.core.errors import HermesError, NotFoundError
from hermes_tui.skills.commit_stream import archived
from hermes_tui.skills.folder_lock import FolderLock
from hermes_tui.skills.git_folder import GitFailedError, GitFolder
from hermes_tui.skills.histories import Histories
from hermes_tui.skills.obstacles import MAIN, is_harmlessly_detached, obstacle
from hermes_tui.skills.recorder import Recorder, unrecorded
from hermes_tui.skills.skill_files import (
    ARCHIVE,
    Files,
    checked_path,
    has_linked_part,
    holds_files,
    neighbour,
    put_files,
    read_files,
    remove_empty_folders,
)
from hermes_tui.skills.versions import Change, Version

NO_SKILL = "."
"""What the lock says of work on no skill in particular."""


class Step(Struct, frozen=True):
    """A change, and what makes it on disk."""

    change: Change
    make: Callable[[], None]


Prepare = Callable[[Recorder | None], Step | None]
"""Decides on a change once hand edits are in; None when there is nothing to do."""


class Workspace:
    """Reads and changes skills. What keeps it from recording is in `failure`, one sentence."""

    def __init__(self, folder: Path, open_store: Callable[[Path], GitFolder]) -> None:
        self.folder = folder
        self.failure = ""
        self.recorder: Recorder | None = None
        self._open_store = open_store
        self._unrecorded: set[str] = set()
        """Skills we changed while there could be no history."""
        self._lock = FolderLock(folder.with_name(f"{folder.name}.lock"))

    def problem(self) -> str:
        return obstacle(self.folder) or self.failure

    def change(self, skill: str, prepare: Prepare) -> Version | None:
        """Record hand edits, make the change on disk, record it; None when there is none.

        Where there can be no history, the change is made all the same.

        Raises:
            HermesError: the change cannot be made; then the skill's folder is as before. So
                where another skill lies above or below it, which would become a part of it.
        """
        checked_path(skill)
        with self._changing(skill) as (opened, interrupted):
            if any(has_linked_part(self.folder, place) for place in (skill, archived(skill))):
                raise HermesError(
                    f"{self.folder / skill} is reached through a symbolic link.",
                    hint="Put a real folder there.",
                )
            self._refuse_neighbours(skill)
            recorder = self._adopted(opened, {skill, *interrupted}, interrupted)
            step = prepare(recorder)
            if step is None:
                return None
            self._make(step, recorder)
            return self._recorded(step.change, recorder)

    def adopt(self) -> list[Version]:
        """Record what was changed by hand; nothing where there can be no history."""
        if not self.folder.is_dir():
            return []
        with self._changing(NO_SKILL) as (recorder, interrupted):
            if recorder is None:
                return []
            try:
                skills = recorder.changed_skills()
                made = recorder.adopt([*skills, *interrupted], interrupted=interrupted)
                same = set(skills) - {version.skill for version in made}
                recorder.refresh_index(same - recorder.left_out.keys())
            except GitFailedError as error:
                self.failure = error.message
                return []
            self.failure = ""
            self._unrecorded.clear()
            return made

    @contextmanager
    def recording(self) -> Generator[Recorder | None, None, None]:
        """Hold the lock for work on the repository itself; None where there is none."""
        with self._changing(NO_SKILL) as (recorder, _):
            yield recorder

    def reader(self) -> Recorder | None:
        """For reading, up to date; None where there is no history, or none can be had."""
        recorder = self._opened(may_create=False)
        if recorder is not None:
            try:
                recorder.histories.refresh()
            except GitFailedError as error:
                self.failure = error.message
                return None
        return recorder

    def needed(self, recorder: Recorder | None, skill: str) -> Recorder:
        """`recorder`, or the reason why there is none.

        Raises:
            HermesError: history cannot be had.
            NotFoundError: there simply is none yet.
        """
        if recorder is not None:
            return recorder
        if problem := self.problem():
            raise HermesError(problem, hint="The skills themselves are all there.")
        raise NotFoundError(f"No skill {skill!r} has a history.", hint="None has one yet.")

    def place(self, skill: str) -> str:
        """Where it lies: its own path, the archived one, or nowhere (empty)."""
        checked_path(skill)
        for place in (skill, archived(skill)):
            if not has_linked_part(self.folder, place) and holds_files(self.folder / place):
                return place
        return ""

    def on_disk(self, skill: str) -> Files:
        """Its files as they are; none where it is nowhere."""
        place = self.place(skill)
        return read_files(self.folder / place) if place else {}

    def put(self, skill: str, wanted: dict[str, Files]) -> None:
        """Make the skill's own and its archived folder hold exactly what is `wanted`."""
        for place in (skill, archived(skill)):
            here = self.folder / place
            if place in wanted or here.exists():
                put_files(here, wanted.get(place, {}))
            if place not in wanted:
                remove_empty_folders(here, below=self.folder)

    def move(self, skill: str, *, to_archive: bool, recorder: Recorder | None) -> None:
        """Move its folder into the archive or out of it, over an older one the history has.

        An older one that no history has is kept beside it, with a number.
        """
        source, target = self.folder / skill, self.folder / archived(skill)
        if not to_archive:
            source, target = target, source
        if recorder is None or skill in recorder.left_out:
            _set_aside(target)
        else:
            put_files(target, {})
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)
        remove_empty_folders(source.parent, below=self.folder)

    def not_there(self, skill: str, *, in_archive: bool) -> NotFoundError:
        """Names the skills there are, or those in the archive."""
        root = self.folder / ARCHIVE if in_archive else self.folder
        found = sorted(
            file.parent.relative_to(root).as_posix()
            for file in [*root.glob("*/SKILL.md"), *root.glob("*/*/SKILL.md")]
            if in_archive or ARCHIVE not in file.parts
        )
        where = "in the archive" if in_archive else f"in {self.folder}"
        listed = ", ".join(found[:10]) + (f" and {len(found) - 10} more" if found[10:] else "")
        return NotFoundError(
            f"There is no skill {skill!r} {where}.",
            hint=f"There are: {listed}." if found else "It is empty.",
        )

    def _refuse_neighbours(self, skill: str) -> None:
        for root in (self.folder, self.folder / ARCHIVE):
            if other := neighbour(root, skill):
                where = "is archived" if root.name == ARCHIVE else "lies"
                place = "above" if skill.startswith(f"{other}/") else "below"
                raise HermesError(
                    f"{skill!r} cannot be a skill: the skill {other!r} {where} {place} it.",
                    hint="Take another name, or move that one first.",
                )

    @contextmanager
    def _changing(self, work: str) -> Generator[tuple[Recorder | None, frozenset[str]], None, None]:
        """Hold the lock; gives the recorder, and the skills we left unrecorded, also in dying."""
        with self._lock.held(work) as held:
            died = held.interrupted
            recorder = self._opened(may_create=True)
            if recorder is None:
                yield None, frozenset()
                return
            recorder.store.lock = held.descriptor
            try:
                if died:
                    recorder.store.clear_stale_locks(of_the_dead=True)
                left = {died} if _is_skill_path(died) else set[str]()
                yield recorder, frozenset(left | self._unrecorded)
            finally:
                recorder.store.lock = None

    def _opened(self, *, may_create: bool) -> Recorder | None:
        if obstacle(self.folder):
            return None
        is_there = (self.folder / ".git" / "HEAD").exists()
        if not is_there:
            self.recorder = None
        if not is_there and not may_create:
            return None
        try:
            if self.recorder is None:
                self.folder.mkdir(parents=True, exist_ok=True)
                store = self._open_store(self.folder)
                self.recorder = Recorder(store, Histories(store))
            if may_create and is_harmlessly_detached(self.folder):
                self.recorder.store.run("symbolic-ref", "HEAD", MAIN)
        except GitFailedError as error:
            self.failure = error.message
            return None
        return self.recorder

    def _adopted(
        self, recorder: Recorder | None, skills: set[str], interrupted: frozenset[str]
    ) -> Recorder | None:
        """The recorder once hand edits are in; None where they cannot be recorded."""
        if recorder is None:
            return None
        try:
            recorder.adopt(skills, interrupted=interrupted)
        except GitFailedError as error:
            self.failure = error.message
            return None
        self._unrecorded.clear()
        return recorder

    def _make(self, step: Step, recorder: Recorder | None) -> None:
        try:
            step.make()
        except BaseException as error:
            if recorder is not None:
                with suppress(HermesError, OSError):
                    recorder.put_back(step.change.skill)
            if not isinstance(error, OSError):
                raise
            raise HermesError(
                f"The skill {step.change.skill!r} cannot be changed: {error.strerror}.",
                hint="Check who may write there and how much space is left.",
            ) from error

    def _recorded(self, change: Change, recorder: Recorder | None) -> Version:
        if recorder is None:
            self._unrecorded.add(change.skill)
            return unrecorded(change)
        try:
            version = recorder.record(change)
        except GitFailedError as error:
            self.failure = error.message
            self._unrecorded.add(change.skill)
            return unrecorded(change)
        except HermesError as error:
            recorder.left_out[change.skill] = error.message
            return unrecorded(change)
        self.failure = ""
        return version


def _set_aside(folder: Path) -> None:
    """Give a folder that holds something a name with the next free number."""
    if not folder.exists():
        return
    number = 2
    while os.path.lexists(beside := folder.with_name(f"{folder.name}-{number}")):
        number += 1
    folder.rename(beside)


def _is_skill_path(text: str) -> bool:
    try:
        return bool(checked_path(text))
    except HermesError:
        return False
