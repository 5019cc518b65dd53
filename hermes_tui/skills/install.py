"""Taking skills from elsewhere: fetched, looked through, approved as one exact tree, committed."""

import posixpath
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import anyio.to_thread
from msgspec import Struct, structs

from hermes_tui.core.errors import HermesError, NotFoundError, RefusedError
from hermes_tui.core.skills import Skill
from hermes_tui.skills.fetching import Progress, package_of
from hermes_tui.skills.library import Shelf
from hermes_tui.skills.packages import Package
from hermes_tui.skills.quarantine import Quarantine
from hermes_tui.skills.review import Review, Reviewer, prepared
from hermes_tui.skills.skill import FILE, decoded, parsed
from hermes_tui.skills.skill_files import Files, put_files
from hermes_tui.skills.skills import Skills
from hermes_tui.skills.sources import Source, parse_source
from hermes_tui.skills.versions import Change, Version


class Look(Struct, frozen=True):
    """What a source holds."""

    source: Source
    reviews: tuple[Review, ...]
    strays: tuple[str, ...] = ()
    """What is wrong with names that belong to no skill."""


class Installer:
    """Joins quarantine and skills; nothing gets from one to the other without an approved hash."""

    def __init__(self, skills: Skills, quarantine: Quarantine) -> None:
        self._skills = skills
        self._quarantine = quarantine

    async def look(
        self, source: Source, *, name: str = "", progress: Progress | None = None
    ) -> Look:
        """Fetch what `source` holds into quarantine and look through it.

        Args:
            name: Of several skills only this one; a single one is to be called so.

        Raises:
            NotFoundError: there is no such place, no skill in it, or none of that name.
            ConfigError: it is too large or damaged, or the quarantine cannot be written.
            HermesError: it cannot be reached in time.
        """
        package = await package_of(source, progress)
        shelf = await self._skills.shelf()
        reviews = await self._reviewed(package, source, shelf, name)
        wanted = {one.metadata.get("hermes-source-tree", "") for one in shelf.skills}
        wanted |= {review.tree for review in reviews}
        await anyio.to_thread.run_sync(self._quarantine.sweep, wanted)
        return Look(source, _once_each(reviews), package.strays)

    async def look_again(
        self, installed: Sequence[Skill], *, progress: Progress | None = None
    ) -> tuple[list[Review], list[str]]:
        """What the sources of `installed` hold now, and why some cannot be looked at.

        Skills of one place are fetched together; a place that fails leaves the others alone.
        """
        groups: dict[Source, list[tuple[str, Skill]]] = {}
        reviews: list[Review] = []
        failed: list[str] = []
        for skill in installed:
            try:
                source = parse_source(skill.metadata["hermes-source"], {})
            except HermesError as error:
                failed.append(f"{skill.name}: {error}")
                continue
            place = structs.replace(source, inside="")
            groups.setdefault(place, []).append((source.inside, skill))
        for place, wanted in groups.items():
            source = structs.replace(
                place, inside=posixpath.commonpath([inside for inside, _ in wanted])
            )
            try:
                package = await package_of(source, progress)
            except HermesError as error:
                failed += [f"{skill.name}: {error}" for _, skill in wanted]
                continue
            there = {
                posixpath.join(source.inside, parcel.folder).rstrip("/"): parcel
                for parcel in package.parcels
            }
            reviewer = Reviewer(self._quarantine, source)
            for inside, skill in wanted:
                if (parcel := there.get(inside)) is None:
                    failed.append(f"{skill.name}: it is no longer in {source}.")
                    continue
                if skill.metadata.get("hermes-source-tree") == parcel.tree:
                    reviews.append(_current(skill, parcel.tree))
                    continue
                work = partial(reviewer.review, parcel, {skill.name: skill}.get, name=skill.name)
                reviews.append(await anyio.to_thread.run_sync(work))
        return reviews, failed

    async def install(self, review: Review, *, approved: str) -> Version:
        """Put a reviewed skill among the person's; one commit, nothing in it executable.

        Args:
            approved: The tree hash the person agreed to.

        Raises:
            RefusedError: it is blocked, or not what was approved.
            ConfigError: its head cannot be made right.
            HermesError: it cannot be written.
        """
        if review.folder is None or not review.can_install or approved != review.tree:
            raise RefusedError(f"{review.name} was not installed: it is not what was approved.")
        folder = review.folder

        def approved_files() -> Files:
            raw = self._quarantine.files(folder, approved)
            skill = parsed(decoded(raw[FILE]), folder)
            return prepared(raw, skill, name=review.name, source=review.source, tree=approved)

        files = await anyio.to_thread.run_sync(approved_files)
        path = self._skills.path_of(review.replaces) if review.replaces else None
        change = Change(
            skill=path or review.name, action="install", by_user=True,
            reason=f"From {review.source}, tree {approved[:12]}.",
        )  # fmt: skip

        def write(target: Path) -> None:
            put_files(target, files)

        return await self._skills.repository.write(change, write)

    async def installed(self, names: Sequence[str]) -> list[Skill]:
        """The skills that came from elsewhere, or those of them called `names`.

        Raises:
            NotFoundError: there is no such skill, or it did not come from elsewhere.
        """
        shelf = await self._skills.shelf()
        if not names:
            return [skill for skill in shelf.skills if _comes_from_elsewhere(skill)]
        found = [shelf.get(name) for name in dict.fromkeys(names)]
        for skill in found:
            if not _comes_from_elsewhere(skill):
                raise NotFoundError(
                    f"{skill.name} was not installed from elsewhere, so there is no newer one.",
                    hint="`hermes skills install` says where to get one from.",
                )
        return found

    async def _reviewed(
        self, package: Package, source: Source, shelf: Shelf, name: str
    ) -> list[Review]:
        reviewer = Reviewer(self._quarantine, source)
        is_single = len(package.parcels) == 1
        new_name = name if is_single else ""
        reviews: list[Review] = []
        for parcel in package.parcels:  # one by one, as the scan of each takes up to seconds
            work = partial(reviewer.review, parcel, shelf.find, name=new_name)
            reviews.append(await anyio.to_thread.run_sync(work))
        if name and not is_single:
            wanted = [review for review in reviews if review.name == name]
            if not wanted:
                raise NotFoundError(
                    f"There is no skill {name!r} in it.",
                    hint=f"It has: {', '.join(review.name for review in reviews[:20])}.",
                )
            return wanted
        return reviews


def _current(skill: Skill, tree: str) -> Review:
    return Review(
        name=skill.name, description=skill.description, source=skill.metadata["hermes-source"],
        tree=tree, replaces=skill, is_current=True,
    )  # fmt: skip


def _comes_from_elsewhere(skill: Skill) -> bool:
    return skill.origin == "hub" and "hermes-source" in skill.metadata


def _once_each(reviews: Sequence[Review]) -> tuple[Review, ...]:
    """Of several skills of one name only the first can be installed."""
    seen: dict[str, str] = {}
    found: list[Review] = []
    for review in reviews:
        first = seen.setdefault(review.name, review.source)
        if first != review.source:
            fault = f"There is another skill of that name in it: {first}."
            found.append(structs.replace(review, faults=(*review.faults, fault)))
        else:
            found.append(review)
    return tuple(found)
