"""Where Hermes keeps its things."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from hermes_tui.core.errors import ConfigError

FOREIGN_DATABASE = "state.db"
FOREIGN_KEY = re.compile(rb"^[\"']?_config_version[\"']?\s*:", re.MULTILINE)
"""What hermes-agent writes into the home and the configuration file of its own."""
SEARCHED_BYTES = 1024 * 1024


class Paths(Struct, frozen=True):
    """The files and folders of one home."""

    home: Path
    config_file: Path
    """`config.yaml`, or `config.yml` where only that one is there."""
    foreign_home: Path | None = None
    """A home of hermes-agent that was passed over for this one."""

    @property
    def env_file(self) -> Path:
        return self.home / ".env"

    @property
    def database(self) -> Path:
        return self.home / "hermes.db"

    @property
    def memory_dir(self) -> Path:
        return self.home / "memory"

    @property
    def skills_dir(self) -> Path:
        return self.home / "skills"

    @property
    def proposals_dir(self) -> Path:
        """Changes to skills that wait for the person's word."""
        return self.home / "proposals"

    @property
    def audits_dir(self) -> Path:
        """Reports on how the skills do."""
        return self.home / "audits"

    @property
    def quarantine_dir(self) -> Path:
        """Skills from elsewhere that nobody has agreed to yet."""
        return self.home / "quarantine"

    @property
    def drafts_dir(self) -> Path:
        """Skills being written, and those that were refused."""
        return self.home / "drafts"

    @property
    def evals_dir(self) -> Path:
        """What was measured of skills."""
        return self.home / "evals"

    @property
    def trust_file(self) -> Path:
        """Which skills may run what they bring, and which projects' skills are read."""
        return self.home / "skills-trust.json"

    @property
    def logs_dir(self) -> Path:
        return self.home / "logs"

    @property
    def run_dir(self) -> Path:
        """Sockets, locks and other things of running processes."""
        return self.home / "run"

    @property
    def preferences_dir(self) -> Path:
        return self.home / "preferences"

    @property
    def personalities_dir(self) -> Path:
        return self.home / "personalities"

    @property
    def soul(self) -> Path:
        return self.home / "SOUL.md"

    @property
    def notice(self) -> str:
        """What the person has to be told about this home; empty once it was said."""
        if self.foreign_home is None or is_there(self._said):
            return ""
        return (
            f"{shown(self.foreign_home)} belongs to hermes-agent and stays as it is; "
            f"Hermes keeps its things in {shown(self.home)}. "
            "`hermes import` is the way to bring memory, skills and sessions over."
        )

    def mark_notice_said(self) -> None:
        """Never give `notice` again, where the home can be written."""
        try:
            self.create()
            self._said.touch(mode=0o600)
        except (ConfigError, OSError):
            return

    def create(self) -> None:
        """Make the home and its folders, readable by their owner only; idempotent.

        Raises:
            ConfigError: the home cannot be made or written.
        """
        try:
            for folder in (
                self.home, self.memory_dir, self.skills_dir, self.logs_dir, self.run_dir
            ):  # fmt: skip
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error.strerror or "unknown error") from None
        if not os.access(self.home, os.W_OK | os.X_OK):
            raise self._unusable("it is read-only")

    @property
    def _said(self) -> Path:
        return self.run_dir / "foreign-home-said"

    def _unusable(self, why: str) -> ConfigError:
        return ConfigError(
            f"Hermes cannot use its home {shown(self.home)}: {why}.",
            hint="Make it writable, or set HERMES_HOME to a folder that is.",
        )


def find_paths(environ: Mapping[str, str]) -> Paths:
    """The home to use: `$HERMES_HOME`, else `~/.hermes`; nothing is created.

    A `~/.hermes` that belongs to hermes-agent is passed over for `~/.hermes-tui`.

    Raises:
        ConfigError: `HERMES_HOME` is not a folder or belongs to hermes-agent.
    """
    if named := environ.get("HERMES_HOME", ""):
        home = absolute(named, environ)
        if is_foreign(home):
            raise ConfigError(
                f"HERMES_HOME is {shown(home)}, which belongs to hermes-agent.",
                hint="Set it to another folder, or unset it to use ~/.hermes-tui.",
            )
        return _paths(home)
    usual = absolute("~/.hermes", environ)
    if is_foreign(usual):
        return _paths(absolute("~/.hermes-tui", environ), foreign_home=usual)
    return _paths(usual)


def is_foreign(home: Path) -> bool:
    """Whether hermes-agent made this home: its database or its configuration is there."""
    if is_there(home / FOREIGN_DATABASE):
        return True
    for name in ("config.yaml", "config.yml"):
        try:
            with (home / name).open("rb") as file:
                if FOREIGN_KEY.search(file.read(SEARCHED_BYTES)):
                    return True
        except OSError:
            continue
    return False


def absolute(text: str, environ: Mapping[str, str]) -> Path:
    """`text` as an absolute path, `~` being `$HOME`."""
    if text == "~" or text.startswith("~/"):
        home = environ.get("HOME") or str(Path.home())
        return Path(home, text[2:]).absolute()
    return Path(text).absolute()


def current_folder() -> Path | None:
    """Where we are; None in a folder that was deleted."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return None


def working_folder() -> Path:
    """Where we are.

    Raises:
        ConfigError: that folder was deleted.
    """
    if (folder := current_folder()) is None:
        raise ConfigError(
            "The current folder is gone.", hint="Change to another one, or pass --cwd."
        )
    return folder


def shown(path: Path) -> str:
    """`path` as people write it, with `~` for their home folder."""
    home = os.environ.get("HOME", "")
    if home not in {"", "/"} and path.is_relative_to(home):
        return str(Path("~") / path.relative_to(home))
    return str(path)


def is_there(path: Path) -> bool:
    """Whether `path` can be seen; one behind a closed folder cannot."""
    try:
        path.stat()
    except OSError:
        return False
    return True


def _paths(home: Path, *, foreign_home: Path | None = None) -> Paths:
    if is_there(home) and not home.is_dir():
        raise ConfigError(
            f"Hermes's home {shown(home)} is not a folder.",
            hint="Set HERMES_HOME to a folder, or move that file away.",
        )
    names = ("config.yaml", "config.yml")
    found = [home / name for name in names if is_there(home / name)]
    if len(found) > 1:
        raise ConfigError(
            f"Both config.yaml and config.yml are in {shown(home)}.", hint="Keep only one of them."
        )
    config_file = found[0] if found else home / names[0]
    return Paths(home=home, config_file=config_file, foreign_home=foreign_home)
