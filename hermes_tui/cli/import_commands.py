"""What `hermes import` does."""

import os
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, cast

import anyio
import anyio.to_thread
import msgspec

from hermes_tui.cli.foreign_home import messages_of, settings_of, skills_of
from hermes_tui.cli.printing import count, print_line, say
from hermes_tui.cli.session_transfer import mended
from hermes_tui.config.edit import checked_type, set_value
from hermes_tui.config.files import read_regular
from hermes_tui.config.keys import dotted
from hermes_tui.config.load import load_layers
from hermes_tui.config.paths import Paths, absolute, find_paths, is_foreign, is_there, shown
from hermes_tui.config.secrets import parse_env, read_env_file, write_secret
from hermes_tui.core.errors import ConfigError, HermesError, NotFoundError
from hermes_tui.core.memory import Source
from hermes_tui.memory.files import NAMES, MemoryFiles
from hermes_tui.memory.layout import parse
from hermes_tui.memory.memory import Memory
from hermes_tui.models.catalog import PROVIDERS
from hermes_tui.store.import_forms import FormError, NotKept, Said
from hermes_tui.store.store import Store

BATCH = 1000
MAX_TEXT_BYTES = 1_000_000
MAX_SKILL_BYTES = 5_000_000
MAX_SKILL_FILES = 500


def import_hermes_agent(path: str, *, dry_run: bool, with_keys: bool) -> None:
    """Take over a home of hermes-agent and report what was taken and what was not.

    Raises:
        NotFoundError: there is no such home.
        ConfigError: it is none of hermes-agent's, or our own home cannot be written.
    """
    paths = find_paths(os.environ)
    home = absolute(path or "~/.hermes", os.environ)
    if not home.is_dir():
        raise NotFoundError(f"There is no folder {shown(home)}.", hint="Name hermes-agent's home.")
    if home.resolve() == paths.home.resolve() or not is_foreign(home):
        raise ConfigError(
            f"{shown(home)} is no home of hermes-agent: it has neither its state.db nor its "
            "config.yaml.",
            hint="Name the folder that has them.",
        )
    if not dry_run:
        paths.create()
    anyio.run(_Import(paths, home, is_dry=dry_run, with_keys=with_keys).run)


class _Import:
    """One import, or a dry run of it; every part goes on when another cannot."""

    def __init__(self, paths: Paths, home: Path, *, is_dry: bool, with_keys: bool) -> None:
        self._paths = paths
        self._home = home
        self._is_dry = is_dry
        self._with_keys = with_keys
        self._left: list[str] = []

    async def run(self) -> None:
        print_line(f"From {shown(self._home)} to {shown(self._paths.home)}:")
        for name, part in (
            ("SOUL.md", self._soul),
            ("its skills", self._skills),
            ("config.yaml", self._settings),
            (".env", self._keys),
        ):
            with self._going_on(name):
                await anyio.to_thread.run_sync(part)
        if self._is_dry:
            await self._count_only()
        else:
            async with Store.open(self._paths.database) as store:
                await self._memory(Memory(MemoryFiles(self._paths.memory_dir), store.memory_items))
                await self._sessions(store)
        for line in self._left:
            print_line(f"  not taken: {line}")
        if self._is_dry:
            say("Nothing was changed; run it again without --dry-run.")

    @contextmanager
    def _going_on(self, name: str) -> Generator[None, None, None]:
        """Name what fails in the block, and go on after it."""
        try:
            yield
        except HermesError as error:
            self._left.append(f"{name}: {error}")
        except OSError as error:
            self._left.append(f"{name}: {error.strerror or error}.")

    def _took(self, what: str) -> None:
        print_line(f"  {'would take' if self._is_dry else 'taken'}: {what}")

    def _soul(self) -> None:
        source = self._home / "SOUL.md"
        if not is_there(source):
            return
        if is_there(self._paths.soul):
            self._left.append("SOUL.md, because there is one already")
            return
        content = read_regular(source, max_bytes=MAX_TEXT_BYTES).content
        if not self._is_dry:
            self._paths.soul.write_bytes(content)
        self._took("SOUL.md")

    def _skills(self) -> None:
        folder = self._home / "skills"
        taken = 0
        for skill in skills_of(folder):
            target = self._paths.skills_dir / skill.relative_to(folder)
            if reason := "there is one already" if is_there(target) else _unfit(skill):
                self._left.append(f"the skill {skill.name}: {reason}")
                continue
            with self._going_on(f"the skill {skill.name}"):
                if not self._is_dry:
                    shutil.copytree(skill, target, symlinks=False)
                taken += 1
        if taken:
            self._took(count(taken, "skill"))

    def _settings(self) -> None:
        source = self._home / "config.yaml"
        if not is_there(source):
            return
        given = _yaml(read_regular(source, max_bytes=MAX_TEXT_BYTES).content)
        taken, left = settings_of(given)
        already = load_layers(self._paths, environ={}).origins
        for key, value in taken.items():
            if key in already:
                self._left.append(f"{dotted(key)}, because it is set already")
                continue
            try:
                fit = msgspec.convert(value, cast("Any", checked_type(key)), strict=False)
                if not self._is_dry:
                    set_value(self._paths, key, fit)
                self._took(f"{dotted(key)} = {fit}")
            except (msgspec.ValidationError, HermesError) as error:
                self._left.append(f"{dotted(key)}: {error}")
        if left:
            shown_names = ", ".join(left[:8]) + (", …" if len(left) > 8 else "")
            self._left.append(f"{count(len(left), 'setting')} without a counterpart: {shown_names}")

    def _keys(self) -> None:
        source = self._home / ".env"
        if not is_there(source):
            return
        text = read_regular(source, max_bytes=MAX_TEXT_BYTES).content.decode("utf-8", "replace")
        known = {name for provider in PROVIDERS for name in provider.key_variables}
        found = {name: value for name, value in parse_env(text, ".env").items() if name in known}
        if not self._with_keys:
            if found:
                self._left.append(f"{count(len(found), 'API key')}; --with-keys takes them too")
            return
        ours = read_env_file(self._paths)
        for name, value in found.items():
            if name in ours:
                self._left.append(f"{name}, because it is set already")
                continue
            if not self._is_dry:
                write_secret(self._paths, name, value)
            self._took(name)

    def _entries(self, name: str) -> list[str]:
        with self._going_on(name), suppress(FileNotFoundError):
            raw = read_regular(self._home / "memories" / name, max_bytes=MAX_TEXT_BYTES).content
            return list(parse(raw).entries)
        return []

    async def _memory(self, memory: Memory) -> None:
        for target, name in NAMES.items():
            taken = 0
            for entry in self._entries(name):
                with self._going_on(f"an entry of {name}, {entry[:40]!r}"):
                    change = await memory.add(target, entry, source=Source("import"))
                    taken += len(change.learnt)
            if taken:
                self._took(_entries_of(taken, name))

    async def _sessions(self, store: Store) -> None:
        database = self._home / "state.db"
        if not is_there(database):
            return
        importer, totals = store.importer(), Counter[str]()
        sessions, deleted = set[str](), set[str]()

        async def take(said: Sequence[Said]) -> None:
            taken = await importer.take(said)
            totals.update(added=taken.added, answered=taken.answered, orphans=taken.orphans)
            deleted.update(taken.deleted)
            sessions.update(taken.sessions)

        await self._read(database, take)
        self._took(f"{count(totals['added'], 'new message')} of {count(len(sessions), 'session')}")
        for line in mended(totals["answered"], totals["orphans"]):
            print_line(f"  {line}")
        if deleted:
            self._left.append(f"{count(len(deleted), 'session')} deleted here; see `restore`")

    async def _count_only(self) -> None:
        for name in NAMES.values():
            if entries := self._entries(name):
                self._took(_entries_of(len(entries), name))
        database = self._home / "state.db"
        if not is_there(database):
            return
        messages = Counter[str]()

        async def take(said: Sequence[Said]) -> None:
            messages.update(one.session for one in said)

        await self._read(database, take)
        self._took(f"{count(messages.total(), 'message')} of {count(len(messages), 'session')}")

    async def _read(
        self, database: Path, take: Callable[[Sequence[Said]], Awaitable[None]]
    ) -> None:
        """Hand over what was said there, and name what is not among it."""
        items, left, damaged = messages_of(database), Counter[str](), 0
        with self._going_on("the rest of its sessions"):
            while batch := await anyio.to_thread.run_sync(lambda: list(islice(items, BATCH))):
                await take([one for one in batch if isinstance(one, Said)])
                left.update(one.reason for one in batch if isinstance(one, NotKept))
                damaged += sum(isinstance(one, FormError) for one in batch)
        if left:
            told = ", ".join(f"{number:,} ({what})" for what, number in left.items())
            self._left.append(f"what its messages hold besides text: {told}")
        if damaged:
            self._left.append(f"{count(damaged, 'message')} that cannot be read")


def _yaml(content: bytes) -> dict[str, Any]:
    """The settings in a file; none where it holds something else.

    Raises:
        ConfigError: it is no YAML.
    """
    import yaml  # only this command reads another program's file

    try:
        given: Any = yaml.safe_load(content)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark, why = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        where = f"line {mark.line + 1}" if mark else "as a whole"
        raise ConfigError(f"It is no YAML, {where}: {why or 'it cannot be read'}.") from None
    return cast("dict[str, Any]", given) if isinstance(given, dict) else {}


def _entries_of(number: int, name: str) -> str:
    return f"{number:,} {'entry' if number == 1 else 'entries'} of {name}"


def _unfit(skill: Path) -> str:
    """Why a skill's folder is not copied; empty when it is."""
    files = list(skill.rglob("*"))
    if any(file.is_symlink() for file in files):
        return "it holds links"
    if len(files) > MAX_SKILL_FILES:
        return f"it holds more than {MAX_SKILL_FILES} files"
    size = sum(file.stat().st_size for file in files if file.is_file())
    return "" if size <= MAX_SKILL_BYTES else f"it is larger than {MAX_SKILL_BYTES:,} bytes"
