"""Skills as everything else uses them: found, read, written, and what came of them."""

import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import anyio.to_thread
from msgspec import Struct

from hermes_tui.core.errors import ConfigError, NotFoundError, RefusedError, StoreError, ToolError
from hermes_tui.core.skills import Found, How, Skill, SkillIndex, SkillUses, Use
from hermes_tui.safety.scanner import blocks, scan
from hermes_tui.skills.catalog import hinted, obstacle
from hermes_tui.skills.confidence import Confidence, State, confidence, state
from hermes_tui.skills.library import Library, Shelf
from hermes_tui.skills.lint import Draft
from hermes_tui.skills.skill import FILE, is_name, name_like, parted, read_text, skill_text
from hermes_tui.skills.slots import filled, shell_commands
from hermes_tui.skills.versions import Change, Version

if TYPE_CHECKING:  # 10 ms that a session without a loaded skill need not pay
    from hermes_tui.skills.repository import SkillRepository

MAX_FILE_BYTES = 200_000
MAX_FILES_LISTED = 40
FILE_FOLDERS = ("scripts", "references", "assets", "evals")
RECENT_DAYS = 30


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
    """A skill as the model is given it."""

    skill: Skill
    body: str
    files: tuple[str, ...]
    """Paths below the skill's folder, some at most."""
    missing: tuple[str, ...]
    """Gaps the arguments did not fill."""


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
        uses: What came of them; without it nothing is recorded.
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
        is_trusted: Callable[[Skill], bool] = lambda _skill: False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._open_repository = repository
        self.folder = folder
        """Where the person's and Hermes's own skills are."""
        self.toolsets = toolsets
        self._library = library
        self._index = index
        self._uses = uses
        self._is_trusted = is_trusted
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
        return await anyio.to_thread.run_sync(self._library.load)

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
        shelf = await self.shelf()
        usable = {skill.name: skill for skill in self.usable(shelf)}
        doubtful = {
            name for name, one in (await self.standings(shelf)).items() if one.state == "doubtful"
        }
        found = await self._found(shelf, prompt, limit=10)
        return hinted(found, {n: skill for n, skill in usable.items() if n not in doubtful})

    async def load(
        self, name: str, *, session: str = "", how: How = "loaded", arguments: str = ""
    ) -> Loaded:
        """The body of a skill, its gaps filled; the use is recorded.

        Raises:
            NotFoundError: there is no such skill.
            ConfigError: its file cannot be read any more.
        """
        skill = (await self.shelf()).get(name)
        _, body = parted(await anyio.to_thread.run_sync(read_text, skill.path))
        files = [
            path
            for path in await anyio.to_thread.run_sync(files_of, skill.path)
            if not path.startswith("evals/")  # what a task expects is not for whoever does it
        ]
        if self._uses is not None:
            version = await self.version_of(skill)
            await self._uses.record(skill.name, version=version, session=session, how=how)
        text = filled(body, arguments)
        return Loaded(skill, text.text, tuple(files[:MAX_FILES_LISTED]), text.missing)

    async def read_file(self, name: str, path: str) -> str:
        """One of the files beside a `SKILL.md`.

        Raises:
            NotFoundError: there is no such skill or file.
            ToolError: it is too large or no text.
        """
        skill = (await self.shelf()).get(name)
        return await anyio.to_thread.run_sync(_file_text, skill, path)

    async def trusted_commands(self, name: str) -> list[str]:
        """Commands in the text of a skill whose content the person trusts; none of any other.

        Raises:
            NotFoundError: there is no such skill.
        """
        skill = (await self.shelf()).get(name)
        commands = shell_commands(await anyio.to_thread.run_sync(body_of, skill))
        if commands and await anyio.to_thread.run_sync(self._is_trusted, skill):
            return commands
        return []

    async def save(
        self,
        draft: Draft,
        *,
        reason: str,
        session: str = "",
        outcome: str = "",
        by_user: bool = False,
    ) -> Saved:
        """Write a new skill, or a new version of one; one commit.

        A skill that came with Hermes or from another tool is copied first, and the copy changed.

        Raises:
            ToolError: the name or a file's path is not allowed.
            ConfigError: the description is not allowed.
            RefusedError: the write scan blocks the text.
            HermesError: it cannot be written.
        """
        old = (await self.shelf()).find(draft.name)
        text = _text(draft, old, by_user=by_user)
        await anyio.to_thread.run_sync(_refuse, draft, text)
        before = await anyio.to_thread.run_sync(read_text, old.path) if old else ""
        path = self.path_of(old) if old else None

        def write(folder: Path) -> None:
            if old is not None and path is None:
                _copy(old.path, folder)
            _put(folder / FILE, text)
            for name, content in draft.files.items():
                _put(folder / name, content)

        before_after = await self._confidence_after(old)
        version = await self.repository.write(
            Change(
                skill=path or draft.name,
                action="refine" if old else "create",
                reason=reason,
                session=session,
                outcome=outcome,
                confidence=before_after,
                by_user=by_user,
            ),
            write,
        )
        skill = (await self.shelf()).get(draft.name)
        diff = "".join(
            difflib.unified_diff(
                before.splitlines(keepends=True), text.splitlines(keepends=True),
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
        return {
            skill.name: self._standing(skill, uses.get(skill.name, ())) for skill in shelf.skills
        }

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

    async def _found(self, shelf: Shelf, words: str, *, limit: int) -> list[Found]:
        if self._index is None:
            return [Found(skill.name, 1.0, 1.0) for skill in shelf.skills if skill.name in words]
        await self._index.sync(shelf.skills, body_of)
        return await self._index.find(words, limit=limit)

    async def _confidence_after(self, skill: Skill | None) -> tuple[float, float] | None:
        """Before a change and right after it, when what failed has been seen to."""
        if skill is None or self._uses is None:
            return None
        uses = await self._uses.of(skill.name)
        if not uses:
            return None
        now = self._now()
        return (
            round(confidence(skill.origin, uses, now).mean, 2),
            round(confidence(skill.origin, (), now).mean, 2),
        )

    def _standing(self, skill: Skill, uses: Sequence[Use]) -> Standing:
        loaded = [use for use in uses if use.how != "hinted"]
        return Standing(
            confidence(skill.origin, loaded, self._now()),
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


def read_files_of(loaded: Loaded) -> list[SkillFile]:
    """The files of a loaded skill.

    Raises:
        ToolError: one cannot be read.
    """
    found: list[SkillFile] = []
    for path in loaded.files:
        file = loaded.skill.path / path
        try:
            found.append(SkillFile(path, file.read_bytes(), bool(file.stat().st_mode & 0o100)))
        except OSError as error:
            raise ToolError(f"{path} cannot be read: {error.strerror}.") from error
    return found


def _file_text(skill: Skill, path: str) -> str:
    files = files_of(skill.path)
    if path not in files:
        raise NotFoundError(
            f"The skill {skill.name!r} has no file {path!r}.",
            hint=f"It has: {', '.join(files[:MAX_FILES_LISTED])}." if files else "It has none.",
        )
    content = (skill.path / path).read_bytes()
    if len(content) > MAX_FILE_BYTES:
        raise ToolError(
            f"{path} has {len(content):,} bytes; at most {MAX_FILE_BYTES:,} are read.",
            hint=f"Look at {skill.path / path} with the terminal.",
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise ToolError(f"{path} is no text.") from None


def _text(draft: Draft, old: Skill | None, *, by_user: bool) -> str:
    if not is_name(draft.name):
        raise ToolError(
            f"A skill cannot be called {draft.name!r}.",
            hint=f"Use lower-case letters, digits and hyphens: "
            f"{name_like(draft.name) or 'disk-full'!r}.",
        )
    for path in draft.files:
        parts = PurePosixPath(path).parts
        if len(parts) < 2 or parts[0] not in FILE_FOLDERS or ".." in parts or "\\" in path:
            raise ToolError(
                f"A skill cannot have a file {path!r}.",
                hint=f"Put it below {', '.join(FILE_FOLDERS)}.",
            )
    origin = old.origin if old else ("person" if by_user else "agent")
    metadata: Mapping[str, str] = old.metadata if old else {}
    return skill_text(
        draft.name, draft.description, draft.body,
        metadata={**metadata, "hermes-origin": origin},
    )  # fmt: skip


def _refuse(draft: Draft, text: str) -> None:
    for name, content in {FILE: text, **draft.files}.items():
        if len(content.encode()) > MAX_FILE_BYTES:
            raise ToolError(f"{name} has more than {MAX_FILE_BYTES:,} bytes.")
        if found := blocks(scan(content)):
            raise RefusedError(
                f"The skill is not written, because of {name}: {found[0].reason}",
                hint="Say it in other words, without that.",
            )


def _copy(source: Path, target: Path) -> None:
    for path in files_of(source):
        copied = target / path
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_bytes((source / path).read_bytes())
        copied.chmod((source / path).stat().st_mode & 0o755)


def _put(file: Path, content: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.new")
    beside.write_text(content, encoding="utf-8", newline="")
    beside.replace(file)
