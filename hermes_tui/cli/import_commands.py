"""What `hermes import` does."""

import os
import shutil
from collections import Counter
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
from hermes_tui.core.memory import Source, Target
from hermes_tui.memory.files import MemoryFiles
from hermes_tui.memory.layout import parse
from hermes_tui.memory.memory import Memory
from hermes_tui.models.catalog import PROVIDERS
from hermes_tui.store.import_forms import FormError, NotKept, Said
from hermes_tui.store.store import Store

BATCH = 1000
MAX_TEXT_BYTES = 1_000_000
MAX_SKILL_BYTES = 5_000_000
MAX_SKILL_FILES = 500
MEMORY: dict[Target, str] = {"memory": "MEMORY.md", "user": "USER.md"}


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
    """One import; every part goes on when another cannot."""

    def __init__(self, paths: Paths, home: Path, *, is_dry: bool, with_keys: bool) -> None:
        self._paths = paths
        self._home = home
        self._is_dry = is_dry
        self._with_keys = with_keys
        self._left: list[str] = []

    async def run(self) -> None:
        print_line(f"From {shown(self._home)} to {shown(self._paths.home)}:")
        await anyio.to_thread.run_sync(self._soul)
        await anyio.to_thread.run_sync(self._skills)
        await anyio.to_thread.run_sync(self._settings)
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

    def _took(self, what: str) -> None:
        print_line(f"  {'would take' if self._is_dry else 'taken'}: {what}")

    def _soul(self) -> None:
        source = self._home / "SOUL.md"
        if not is_there(source):
            return
        if is_there(self._paths.soul):
            self._left.append("SOUL.md, because there is one already")
            return
        try:
            content = read_regular(source, max_bytes=MAX_TEXT_BYTES).content
            if not self._is_dry:
                self._paths.soul.write_bytes(content)
            self._took("SOUL.md")
        except (HermesError, OSError) as error:
            self._left.append(f"SOUL.md: {error}")

    def _skills(self) -> None:
        folder = self._home / "skills"
        taken = 0
        for skill in skills_of(folder):
            target = self._paths.skills_dir / skill.relative_to(folder)
            if reason := "there is one already" if is_there(target) else _unfit(skill):
                self._left.append(f"the skill {skill.name}: {reason}")
                continue
            if not self._is_dry:
                shutil.copytree(skill, target, symlinks=False)
            taken += 1
        if taken:
            self._took(count(taken, "skill"))

    def _settings(self) -> None:
        import yaml  # only this command reads another program's file

        source = self._home / "config.yaml"
        if not is_there(source):
            return
        try:
            given: Any = yaml.safe_load(read_regular(source, max_bytes=MAX_TEXT_BYTES).content)
        except (HermesError, yaml.YAMLError) as error:
            self._left.append(f"config.yaml: {error}")
            return
        taken, left = settings_of(cast("dict[str, Any]", given) if isinstance(given, dict) else {})
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
        self._keys()

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
        try:
            raw = read_regular(self._home / "memories" / name, max_bytes=MAX_TEXT_BYTES).content
        except FileNotFoundError:
            return []
        except HermesError as error:
            self._left.append(f"{name}: {error}")
            return []
        return list(parse(raw).entries)

    async def _memory(self, memory: Memory) -> None:
        for target, name in MEMORY.items():
            taken = 0
            for entry in self._entries(name):
                try:
                    change = await memory.add(target, entry, source=Source("import"))
                    taken += len(change.learnt)
                except HermesError as error:
                    self._left.append(f"an entry of {name}, {entry[:40]!r}: {error}")
            if taken:
                self._took(f"{count(taken, 'entry')} of {name}".replace("entrys", "entries"))

    async def _sessions(self, store: Store) -> None:
        database = self._home / "state.db"
        if not is_there(database):
            return
        importer, added, answered, orphans = store.importer(), 0, 0, 0
        left, sessions, deleted = Counter[type](), set[str](), set[str]()
        items = messages_of(database)
        try:
            while batch := await anyio.to_thread.run_sync(lambda: list(islice(items, BATCH))):
                said = [one for one in batch if isinstance(one, Said)]
                left.update(type(one) for one in batch)
                taken = await importer.take(said)
                added, answered = added + taken.added, answered + taken.answered
                orphans += taken.orphans
                deleted |= taken.deleted
                sessions.update(taken.sessions)
        except HermesError as error:
            self._left.append(f"the rest of its sessions: {error}")
        self._took(f"{count(added, 'new message')} of {count(len(sessions), 'session')}")
        for line in mended(answered, orphans):
            print_line(f"  {line}")
        if deleted:
            self._left.append(f"{count(len(deleted), 'session')} deleted here; see `restore`")
        if left[NotKept]:
            self._left.append(f"{count(left[NotKept], 'message')} that hold no text")
        if left[FormError]:
            self._left.append(f"{count(left[FormError], 'message')} that cannot be read")

    async def _count_only(self) -> None:
        for name in MEMORY.values():
            if entries := self._entries(name):
                self._took(f"{len(entries)} of {name}")
        database = self._home / "state.db"
        if is_there(database):
            said = await anyio.to_thread.run_sync(
                lambda: [one for one in messages_of(database) if isinstance(one, Said)]
            )
            sessions = len({one.session for one in said})
            self._took(f"{count(len(said), 'message')} of {count(sessions, 'session')}")


def _unfit(skill: Path) -> str:
    """Why a skill's folder is not copied; empty when it is."""
    files = list(skill.rglob("*"))
    if any(file.is_symlink() for file in files):
        return "it holds links"
    if len(files) > MAX_SKILL_FILES:
        return f"it holds more than {MAX_SKILL_FILES} files"
    size = sum(file.stat().st_size for file in files if file.is_file())
    return "" if size <= MAX_SKILL_BYTES else f"it is larger than {MAX_SKILL_BYTES:,} bytes"
