"""Skills as everything else uses them: found, read, written, and what came of them."""

import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread
from msgspec import Struct

from hermes_tui.config.files import read_regular
from hermes_tui.config.paths import shown
from hermes_tui.core.errors import ConfigError, NotFoundError, StoreError, ToolError
from hermes_tui.core.skills import Found, How, Skill, SkillIndex, SkillUses, Use
from hermes_tui.skills.catalog import hinted, obstacle
from hermes_tui.skills.confidence import Confidence, State, confidence, may_change_at_once, state
from hermes_tui.skills.library import Library, Root, Shelf
from hermes_tui.skills.lint import Draft
from hermes_tui.skills.skill import FILE, decoded, is_name, parted, read_text
from hermes_tui.skills.slots import filled, ready_commands
from hermes_tui.skills.versions import Change, Version

if TYPE_CHECKING:  # 10 ms that a session without a loaded skill need not pay
    from hermes_tui.skills.repository import SkillRepository
    from hermes_tui.skills.revision import Replay, Revision
    from hermes_tui.skills.skill_files import Files

MAX_FILE_BYTES = 200_000
MAX_FILES_LISTED = 40
RECENT_DAYS = 30
MIN_HINTED_WORDS = 3
"""Shorter prompts go on with what was said before, and name no task."""


class Standing(Struct, frozen=True):
    """How a skill has done."""

    confidence: Confidence
    state: State
    uses: int
    """How often it was loaded."""
    last_used: datetime | None


class Saved(Struct, frozen=True):
    """What writing a skill came to."""

    skill: Skill
    version: Version
    is_new: bool
    diff: str
    """Unified, of `SKILL.md`; empty for a new one."""


class Loaded(Struct, frozen=True):
    """A skill as it was at one moment, for one call."""

    skill: Skill
    body: str
    """As it stands in the file."""
    arguments: str
    files: tuple[str, ...]
    """Paths below the skill's folder; tasks to measure it by are left out."""
    commands: tuple[str, ...]
    """What its text has run, as bash is to run it; none where the person does not trust it."""
    missing: tuple[str, ...]
    """Gaps the arguments did not fill."""

    def text(self, outputs: Mapping[str, str] | None = None) -> str:
        """The body for the model, with what commands printed."""
        return filled(self.body, self.arguments, outputs).text


class SkillFile(Struct, frozen=True):
    """A file beside a `SKILL.md`."""

    path: str
    content: bytes
    is_program: bool


class Skills:
    """Joins the folders, their history, the index and the record of uses.

    Args:
        repository: Called when their history is first needed.
        index: Finds skills by words; without one only names are compared.
        losers: By their stamps, those of some skills that contradict a better one.
        uses: What came of them; without it nothing is recorded.
        trusted_files: What is in a skill's folder if the person trusts exactly that; else None.
    """

    def __init__(
        self,
        library: Library,
        repository: "Callable[[], SkillRepository]",
        *,
        folder: Path,
        index: SkillIndex | None = None,
        uses: SkillUses | None = None,
        toolsets: Callable[[], Collection[str]] = tuple,
        trusted_files: "Callable[[Skill], Files | None]" = lambda _skill: None,
        losers: Callable[[Mapping[str, str]], frozenset[str]] = lambda _stamps: frozenset(),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._open_repository = repository
        self.folder = folder
        """Where the person's and Hermes's own skills are."""
        self.toolsets = toolsets
        self._library = library
        self._index = index
        self._uses = uses
        self._trusted_files = trusted_files
        self._losers = losers
        self._seen: Shelf | None = None
        self._indexed: Shelf | None = None
        self._now = now

    @cached_property
    def repository(self) -> "SkillRepository":
        """Their history."""
        return self._open_repository()

    def close(self) -> None:
        """End what the history keeps running, if it was looked at."""
        if "repository" in vars(self):
            self.repository.close()

    def here(self) -> Shelf:
        """What is on disk now. Blocks for as long as reading folders takes."""
        return self._library.load()

    async def shelf(self) -> Shelf:
        """What is on disk now."""
        self._seen = await anyio.to_thread.run_sync(self._library.load)
        return self._seen

    def usable(self, shelf: Shelf) -> list[Skill]:
        """Those the tools and the machine there are allow for."""
        toolsets = self.toolsets()
        return [skill for skill in shelf.skills if not obstacle(skill, toolsets)]

    async def find(self, words: str, *, limit: int = 10) -> list[tuple[Skill, Found]]:
        """Usable skills that fit `words`, the best first.

        Raises:
            StoreError: the index cannot be read or written.
        """
        shelf = await self.shelf()
        usable = {skill.name: skill for skill in self.usable(shelf)}
        found = await self._found(shelf, words, limit=limit + len(shelf.skills) - len(usable))
        return [(usable[one.name], one) for one in found if one.name in usable][:limit]

    async def hints(self, prompt: str) -> list[Skill]:
        """Skills worth pointing out to whoever is to answer `prompt`; few, and often none."""
        if len(prompt.split()) < MIN_HINTED_WORDS:
            return []
        # What was there when somebody last looked will do: this is in the way of an answer.
        shelf = self._seen or await self.shelf()
        found = await self._found(shelf, prompt, limit=10)
        toolsets = self.toolsets()
        fitting = {one.name: skill for one in found if (skill := shelf.find(one.name)) is not None}
        beaten = self._losers({skill.name: skill.stamp for skill in shelf.skills})
        usable = {
            name: one
            for name, one in fitting.items()
            if name not in beaten and not obstacle(one, toolsets)
        }
        return [skill for skill in hinted(found, usable) if not await self._is_doubtful(skill)]

    async def look(self, name: str, *, arguments: str = "") -> Loaded:
        """A skill as it is now; nothing is recorded.

        Raises:
            NotFoundError: there is no such skill.
            ConfigError: its file cannot be read any more.
        """
        skill = (await self.shelf()).get(name)
        return await anyio.to_thread.run_sync(self._looked_at, skill, arguments)

    async def load(self, name: str, *, session: str = "", arguments: str = "") -> Loaded:
        """A skill as it is now, for use: that is recorded.

        Raises:
            NotFoundError: there is no such skill.
            ConfigError: its file cannot be read any more.
        """
        loaded = await self.look(name, arguments=arguments)
        await self.note_use(loaded.skill, session=session)
        return loaded

    async def note_use(self, skill: Skill, *, session: str, how: How = "loaded") -> None:
        """Record that a skill came into play.

        Raises:
            StoreError: the record cannot be written.
        """
        if self._uses is not None:
            version = await self.version_of(skill)
            await self._uses.record(skill.name, version=version, session=session, how=how)

    async def read_file(self, name: str, path: str) -> str:
        """One of the files beside a `SKILL.md`.

        Raises:
            NotFoundError: there is no such skill or file.
            ToolError: it is too large or no text.
        """
        skill = (await self.shelf()).get(name)
        return await anyio.to_thread.run_sync(_file_text, skill, path)

    async def is_trusted(self, skill: Skill) -> bool:
        """Whether the person trusts exactly what is in the skill's folder now."""
        return await anyio.to_thread.run_sync(self._trusted_files, skill) is not None

    async def may_change_at_once(self, skill: Skill) -> bool:
        """Whether Hermes may change a skill without asking; see `may_change_at_once`.

        Raises:
            StoreError: the record of its uses cannot be read.
        """
        path = self.path_of(skill)
        if path is None or skill.origin != "agent" or skill.is_pinned:
            return False
        uses = await self._uses.of(skill.name) if self._uses else []
        versions = await self.repository.history(path)
        return may_change_at_once(skill, self._standing(skill, uses).state, versions)

    async def check_free(self, path: str, replacing: Skill | None = None) -> None:
        """Refuse a place below `folder` where a skill cannot be put.

        Args:
            path: With `/`, its category before it, as in `git/bisect`.
            replacing: The skill whose next version, or whose copy, is to lie there.

        Raises:
            ConfigError: a word of the path is no name, the skill's name is taken, or something
                else lies there, above or below.
        """
        shelf = await self.shelf()
        await anyio.to_thread.run_sync(self._check_free, path, replacing, shelf)

    async def save(
        self,
        draft: Draft,
        *,
        reason: str,
        session: str = "",
        outcome: str = "",
        by_user: bool = False,
        before: str | None = None,
        replay: "Replay | None" = None,
    ) -> Saved:
        """Write a new skill, or a new version of one; one commit.

        A skill that came with Hermes or from another tool is copied first, and the copy changed.

        Args:
            before: The body the draft was made for, empty for a new skill; None for any.
            replay: Makes the change on what the body has become since; without it that is refused.

        Raises:
            ToolError: a name or a text is not allowed, or the skill has changed since.
            ConfigError: the description is not allowed, or the place is taken.
            RefusedError: the write scan blocks the text.
            HermesError: it cannot be written.
        """
        from hermes_tui.skills.revision import Revision

        old = (await self.shelf()).find(draft.name)
        path = self.path_of(old) if old else None
        revision = Revision(
            draft, old, is_copy=path is None, by_user=by_user, before=before, replay=replay
        )
        await anyio.to_thread.run_sync(revision.plan)
        if old and revision.text == revision.was and not draft.files:
            raise ToolError(f"The skill {draft.name!r} says exactly that already.")
        if path is None:
            await self.check_free(draft.name, replacing=old)
        version = await self.repository.write(
            Change(
                skill=path or draft.name,
                action="refine" if old else "create",
                reason=reason,
                session=session,
                outcome=outcome,
                confidence=await self._confidence_after(old, revision) if old else None,
                by_user=by_user,
            ),
            revision.put,
        )
        skill = (await self.shelf()).get(draft.name)
        diff = "".join(
            difflib.unified_diff(
                revision.was.splitlines(keepends=True), revision.text.splitlines(keepends=True),
                f"a/{draft.name}/{FILE}", f"b/{draft.name}/{FILE}",
            )
        ) if old else ""  # fmt: skip
        return Saved(skill, version, old is None, diff)

    async def standings(self, shelf: Shelf | None = None) -> dict[str, Standing]:
        """How every skill has done, by name.

        Raises:
            StoreError: the record cannot be read.
        """
        shelf = shelf or await self.shelf()
        uses = await self._uses.all() if self._uses else {}

        def stood() -> dict[str, Standing]:
            return {one.name: self._standing(one, uses.get(one.name, ())) for one in shelf.skills}

        return await anyio.to_thread.run_sync(stood)

    async def worth(self, shelf: Shelf) -> dict[str, float]:
        """What goes first into a catalogue that has no room for all, by name."""
        try:
            standings = await self.standings(shelf)
        except StoreError:
            return {}
        now = self._now()

        def recency(one: Standing) -> float:
            if one.last_used is None:
                return 0.3
            return 0.5 ** ((now - one.last_used).days / RECENT_DAYS) + 0.3

        return {name: one.confidence.mean * recency(one) for name, one in standings.items()}

    async def version_of(self, skill: Skill) -> int:
        """The number of the version on disk; 1 for a skill without a history here."""
        if (path := self.path_of(skill)) is None:
            return 1
        try:
            newest = await self.repository.history(path, limit=1)
        except NotFoundError:
            return 1
        return newest[0].number if newest else 1

    def path_of(self, skill: Skill) -> str | None:
        """Where it lies below `folder`, as its history has it; None for one kept elsewhere."""
        if skill.path.is_relative_to(self.folder):
            return skill.path.relative_to(self.folder).as_posix()
        return None

    async def _is_doubtful(self, skill: Skill) -> bool:
        if self._uses is None:
            return False
        return self._standing(skill, await self._uses.of(skill.name)).state == "doubtful"

    async def _found(self, shelf: Shelf, words: str, *, limit: int) -> list[Found]:
        if self._index is None:
            return [Found(skill.name, 1.0, 1.0) for skill in shelf.skills if skill.name in words]
        if shelf is not self._indexed:
            await self._index.sync(shelf.skills, body_of)
            self._indexed = shelf
        return await self._index.find(words, limit=limit)

    def _looked_at(self, skill: Skill, arguments: str) -> Loaded:
        body = parted(read_text(skill.path))[1]
        commands: list[str] = []
        if ready_commands(body, arguments) and (files := self._trusted_files(skill)) is not None:
            # Text and trust are of the same bytes: what is run is what was trusted.
            body = parted(decoded(files[FILE].content))[1]
            commands = ready_commands(body, arguments)
        paths = [path for path in files_of(skill.path) if not path.startswith("evals/")]
        missing = filled(body, arguments).missing
        return Loaded(skill, body, arguments, tuple(paths), tuple(commands), missing)

    def _check_free(self, path: str, replacing: Skill | None, shelf: Shelf) -> None:
        from hermes_tui.skills.skill_files import ARCHIVE, neighbour

        *categories, name = path.split("/")
        for word, what in ((name, "skill"), *((one, "category") for one in categories)):
            if not is_name(word):
                raise ConfigError(
                    f"A {what} cannot be called {word!r}.",
                    hint="Use lower-case letters, digits and single hyphens, at most 64.",
                )
        if replacing is not None and replacing.path == self.folder / path:
            return
        taken = shelf.find(name)
        if taken is not None and (replacing is None or taken.path != replacing.path):
            raise ConfigError(
                f"There is a skill {name!r} already: {shown(taken.path)}.",
                hint=f"Change it with `hermes skills edit {name}`.",
            )
        archive = Library([Root(self.folder / ARCHIVE, "person")])
        if replacing is None and archive.load().find(name):
            raise ConfigError(
                f"A skill {name!r} is archived.",
                hint=f"Bring it back with `hermes skills restore {name}`, or take another name.",
            )
        if other := neighbour(self.folder, path) or neighbour(self.folder / ARCHIVE, path):
            raise ConfigError(
                f"The skill {other!r} lies in the way of {path!r}.", hint="Take another name."
            )
        folder = self.folder / path
        if folder.exists() or folder.is_symlink():
            raise ConfigError(f"{shown(folder)} is in the way.", hint="Move it away first.")

    async def _confidence_after(
        self, skill: Skill, revision: "Revision"
    ) -> tuple[float, float] | None:
        """Before a change and right after it; None for a skill nothing is known of."""
        uses = await self._uses.of(skill.name) if self._uses else []
        loaded = [use for use in uses if use.how != "hinted"]
        if not loaded:
            return None
        now = self._now()
        before = self._standing(skill, loaded).confidence
        changed = skill.changed_at if revision.text == revision.was else now
        after = confidence(revision.origin, loaded, now, changed=changed)
        return round(before.mean, 2), round(after.mean, 2)

    def _standing(self, skill: Skill, uses: Sequence[Use]) -> Standing:
        loaded = [use for use in uses if use.how != "hinted"]
        return Standing(
            confidence(skill.origin, loaded, self._now(), changed=skill.changed_at),
            state(skill, loaded),
            len(loaded),
            loaded[-1].at if loaded else None,
        )


def body_of(skill: Skill) -> str:
    """The text of a skill below its head; empty when it cannot be read."""
    try:
        return parted(read_text(skill.path))[1]
    except ConfigError:
        return ""


def files_of(folder: Path) -> list[str]:
    """Paths of the files beside `SKILL.md`, below `folder`, in order; links are left out."""
    found: list[str] = []
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder)
        if file.is_symlink() or not file.is_file() or any(p.startswith(".") for p in inside.parts):
            continue
        if inside.as_posix() != FILE:
            found.append(inside.as_posix())
    return found


def read_files_of(loaded: Loaded, *, max_bytes: int) -> list[SkillFile]:
    """The files of a loaded skill.

    Raises:
        ToolError: one cannot be read, or together they have more than `max_bytes`.
    """
    found: list[SkillFile] = []
    try:
        size = sum((loaded.skill.path / path).lstat().st_size for path in loaded.files)
    except OSError as error:
        raise ToolError(f"they cannot be read: {error.strerror}.") from error
    if size > max_bytes:
        raise ToolError(f"together they have {size:,} bytes; at most {max_bytes:,} are copied.")
    for path in loaded.files:
        try:
            file = read_regular(loaded.skill.path / path, max_bytes=max_bytes)
        except (FileNotFoundError, ConfigError) as error:
            raise ToolError(f"{path} cannot be read: {error}") from error
        found.append(SkillFile(path, file.content, bool(file.mode & 0o100)))
    return found


def _file_text(skill: Skill, path: str) -> str:
    files = files_of(skill.path)
    if path not in {FILE, *files}:
        raise NotFoundError(
            f"The skill {skill.name!r} has no file {path!r}.",
            hint=f"It has: {', '.join(files[:MAX_FILES_LISTED])}." if files else "It has none.",
        )
    try:
        content = read_regular(skill.path / path, max_bytes=MAX_FILE_BYTES).content
    except (FileNotFoundError, ConfigError):
        raise ToolError(
            f"{path} cannot be read, or has more than {MAX_FILE_BYTES:,} bytes.",
            hint=f"Look at {skill.path / path} with the terminal.",
        ) from None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise ToolError(f"{path} is no text.") from None
