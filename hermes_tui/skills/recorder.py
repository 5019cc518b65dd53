"""What is on disk becomes versions: the person's own edits first, then a change of ours."""

import os
import stat
import time
from collections.abc import Container, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from hermes_tui.core.errors import HermesError, NotFoundError
from hermes_tui.skills.commit_stream import (
    HERMES,
    Part,
    Planned,
    archived,
    part_of,
    tag_name,
)
from hermes_tui.skills.git_folder import GitFailedError, GitFolder
from hermes_tui.skills.histories import Histories, candidates
from hermes_tui.skills.skill import FILE
from hermes_tui.skills.skill_files import (
    Files,
    checked_path,
    put_files,
    read_files,
    remove_empty_folders,
    sync_files,
)
from hermes_tui.skills.trailers import commit_message
from hermes_tui.skills.versions import Action, Change, Version

ADOPTED_AT_ONCE = 200
"""Skills in one stream to git, which bounds the memory it takes."""
ATTEMPTS = 3
RETRY_SECONDS = 0.3
"""At a commit, should a person's git be at work in the same moment."""


class Recorder:
    """Compares a skill on disk with the newest commit, and commits what differs.

    Whoever calls holds the side lock.
    """

    def __init__(self, store: GitFolder, histories: Histories) -> None:
        self.store = store
        self.histories = histories
        self.left_out: dict[str, str] = {}
        """Skills that cannot have versions, each with the reason."""

    def record(self, change: Change) -> Version:
        """Commit the skill as it is on disk, also when nothing differs.

        Raises:
            HermesError: it cannot be read, or git fails.
        """
        return self._commit([change], must_differ=False)[0]

    def adopt(self, skills: Iterable[str], *, interrupted: Container[str] = ()) -> list[Version]:
        """Commit those of `skills` that were changed by hand, each by itself, as the person's.

        Those in `interrupted` Hermes changed without recording it, as when it died.

        Raises:
            GitFailedError: git fails; a skill that cannot be read is only left out.
        """
        tip = self.histories.refresh()
        changes: list[Change] = []
        for skill in skills:
            try:
                differences = self._differences(skill, tip)
            except GitFailedError:
                raise
            except HermesError as error:
                self.left_out[skill] = error.message
                continue
            self.left_out.pop(skill, None)
            if differences:
                changes.append(_found(skill, differences, is_ours=skill in interrupted))
        made: list[Version] = []
        for at in range(0, len(changes), ADOPTED_AT_ONCE):
            made += self._commit(changes[at : at + ADOPTED_AT_ONCE], must_differ=True)
        return made

    def changed_skills(self) -> list[str]:
        """Skills on disk or in the newest commit that may differ.

        Raises:
            GitFailedError: git fails.
        """
        tip = self.histories.refresh()
        known: dict[str, bool] = {}
        found: dict[str, None] = {}
        for path in self.store.changed_paths():
            for file in self._skill_files_below(path) if path.endswith("/") else [path]:
                for place, skill in candidates(file):
                    if place not in known:
                        known[place] = self._is_skill(tip, place, skill)
                    if known[place]:
                        found[skill] = None
                        break
        return list(found)

    def _skill_files_below(self, folder: str) -> Iterable[str]:
        for here, folders, files in os.walk(self.store.folder / folder):
            if FILE in files:
                folders.clear()
                yield (Path(here) / FILE).relative_to(self.store.folder).as_posix()

    def put_back(self, skill: str) -> None:
        """Make the disk hold what the newest commit has of the skill.

        Raises:
            HermesError: git fails.
            OSError: it cannot be written.
        """
        tip = self.store.tip()
        for place in (skill, archived(skill)):
            files = self.store.files(self.store.tree(tip, place))
            if files or (self.store.folder / place).exists():
                put_files(self.store.folder / place, files)
                if not files:
                    remove_empty_folders(self.store.folder / place, below=self.store.folder)

    def places_in(self, commit: str, skill: str) -> dict[str, Files]:
        """What a commit holds of the skill, by folder: its own, the archived one, or none."""
        trees = {place: self.store.tree(commit, place) for place in (skill, archived(skill))}
        return {place: self.store.files(tree) for place, tree in trees.items() if tree}

    def files_of(self, skill: str, version: int | str) -> Files:
        """What a version holds.

        Raises:
            NotFoundError: there is no such skill or version, or it holds nothing.
        """
        found = self.histories.find(skill, version)
        if not (places := self.places_in(found.commit, skill)):
            raise NotFoundError(
                f"Version {found.number} of the skill {skill!r} is that it was deleted.",
                hint=f"Choose an earlier one, like {found.number - 1}.",
            )
        return next(iter(places.values()))

    def newest_files(self, skill: str) -> Files:
        """What it last held; nothing where it never held anything."""
        for version in reversed(self.histories.of(skill)):
            if places := self.places_in(version.commit, skill):
                return next(iter(places.values()))
        return {}

    def refresh_index(self, skills: Iterable[str]) -> None:
        """Let git's cache know that the skills on disk are as committed."""
        paths: list[str] = []
        for skill in skills:
            for place in (skill, archived(skill)):
                paths += [f"{place}/{name}" for name in read_files(self.store.folder / place)]
        if paths:
            self.store.refresh(paths)

    def _commit(self, changes: Sequence[Change], *, must_differ: bool) -> list[Version]:
        for attempt in range(1, ATTEMPTS + 1):
            tip = self.histories.refresh()
            parts = {change.skill: self._differences(change.skill, tip) for change in changes}
            changes = [change for change in changes if parts[change.skill] or not must_differ]
            planned = [self._planned(change, parts[change.skill]) for change in changes]
            if not planned:
                return []
            if not must_differ:
                self._sync(parts[changes[0].skill])
            try:
                commits = self.store.commit(planned, onto=tip)
            except GitFailedError as error:
                is_locked = ".lock" in error.message
                if attempt == ATTEMPTS or (self.store.tip() == tip and not is_locked):
                    raise
                self.store.clear_stale_locks(of_the_dead=False)
                time.sleep(RETRY_SECONDS if is_locked else 0)
                continue
            self.store.refresh(
                f"{part.folder}/{path}"
                for each in planned
                for part in each.parts
                for path in [*part.gone, *part.put]
            )
            return self.histories.add(commits, onto=tip)
        raise AssertionError("the last attempt returns or raises")

    def _planned(self, change: Change, parts: Sequence[Part]) -> Planned:
        number = self.histories.next_number(change.skill)
        author = self.store.person if change.by_user else HERMES
        tag = tag_name(change.skill, number)
        return Planned(commit_message(change, number), author, tag, parts)

    def _differences(self, skill: str, tip: str) -> list[Part]:
        parts: list[Part] = []
        for place in (skill, archived(skill)):
            before = self.store.entries(self.store.tree(tip, place))
            part = part_of(place, before, read_files(self.store.folder / place))
            if part is not None:
                parts.append(part)
        return parts

    def _sync(self, parts: Iterable[Part]) -> None:
        for part in parts:
            sync_files(self.store.folder / part.folder, part.put)

    def _is_skill(self, tip: str, place: str, skill: str) -> bool:
        try:
            checked_path(skill)
            found = os.lstat(self.store.folder / place / FILE)
        except (HermesError, OSError, ValueError):
            is_there = False
        else:
            is_there = stat.S_ISREG(found.st_mode)
        return is_there or self.store.has_file(tip, f"{place}/{FILE}")


def unrecorded(change: Change) -> Version:
    """What a change is that was made without a history."""
    told = msgspec.structs.asdict(change)
    at = datetime.fromtimestamp(int(time.time()), UTC)
    return Version(number=0, commit="", at=at, **told)


def _found(skill: str, parts: Sequence[Part], *, is_ours: bool) -> Change:
    action, reason = _what_happened(skill, parts)
    if is_ours:
        reason = "A change of Hermes that had not been recorded."
    return Change(skill=skill, action=action, reason=reason, by_user=not is_ours)


def _what_happened(skill: str, parts: Sequence[Part]) -> tuple[Action, str]:
    came = {part.folder for part in parts if part.came}
    went = {part.folder for part in parts if part.went}
    match skill in came, archived(skill) in came, skill in went:
        case True, _, _ if archived(skill) in went:
            return "restore", "Restored by hand."
        case _, True, True:
            return "archive", "Archived by hand."
        case True, _, _:
            return "create", "Added by hand."
        case _, _, True:
            return "edit", "Deleted by hand."
        case _:
            return "edit", "Changed by hand."
