"""`~/.ssh/config` as OpenSSH reads it, where paramiko does not: Include and Match exec."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from glob import glob
from pathlib import Path
from typing import Any

from paramiko.config import SSHConfig
from paramiko.ssh_exception import SSHException

from hermes_tui.core.errors import ConfigError

INCLUDE_DEPTH = 16
"""As in OpenSSH."""
MATCH_SECONDS = 10.0

_KEYWORD = re.compile(r"\s*(\w+)(?:\s*=\s*|\s+)(.*)")


class PersonalConfig(SSHConfig):
    """The person's own settings for hosts, then those of the machine; every method may block."""

    @classmethod
    def load(cls, folder: Path) -> "PersonalConfig":
        """Raises ConfigError when it cannot be understood."""
        lines = [
            *_lines(folder / "config", folder),
            "Host *",  # ends the last block of the person's own file
            *_lines(Path("/etc/ssh/ssh_config"), Path("/etc/ssh")),
        ]
        try:
            return cls.from_text("\n".join(lines))
        except (SSHException, ValueError) as error:
            raise unreadable(error) from error

    def settings(self, host: str) -> Mapping[str, Any]:
        """What is set for `host`, keys in lower case.

        Raises:
            ConfigError: it cannot be worked out.
        """
        try:
            return self.lookup(host)
        except (SSHException, ValueError) as error:
            raise unreadable(error) from error

    def _does_match(
        self,
        match_list: Sequence[Mapping[str, Any]],
        target_hostname: str,
        canonical: bool,
        final: bool,
        options: Mapping[str, Any],
    ) -> bool:
        """Runs the commands of `Match exec` last; paramiko would give them our terminal."""
        commands = [criterion for criterion in match_list if criterion["type"] == "exec"]
        others = [criterion for criterion in match_list if criterion["type"] != "exec"]
        parent: Any = super()
        if others and not parent._does_match(others, target_hostname, canonical, final, options):  # noqa: SLF001
            return False
        for criterion in commands:
            command = parent._tokenize(options, target_hostname, "match-exec", criterion["param"])  # noqa: SLF001
            if _succeeds(command) == criterion["negate"]:
                return False
        return bool(match_list)  # a block of Host asks as well, with none


def unreadable(error: Exception | str) -> ConfigError:
    return ConfigError(
        f"~/.ssh/config cannot be understood: {error}.", hint="Correct it; `ssh -G HOST` tells."
    )


def _succeeds(command: str) -> bool:
    try:
        done = subprocess.run(
            ["sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=MATCH_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _lines(path: Path, folder: Path, depth: int = 0) -> Iterator[str]:
    """A file with what it includes; each file's blocks are its own."""
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return
    except OSError as error:
        raise unreadable(error) from error
    block = "Host *"
    for line in text.splitlines():
        found = _KEYWORD.match(line)
        keyword = found[1].lower() if found else ""
        if found and keyword == "include":
            if depth < INCLUDE_DEPTH:
                for included in _included(found[2], folder):
                    yield from _lines(included, folder, depth + 1)
                yield block
            continue
        if keyword in {"host", "match"}:
            block = line
        yield line


def _included(patterns: str, folder: Path) -> Iterator[Path]:
    for pattern in shlex.split(patterns):
        wanted = os.path.expanduser(pattern)  # noqa: PTH111 - a pattern is no path
        for name in sorted(glob(wanted, root_dir=folder)):  # noqa: PTH207 - may be absolute
            yield folder / name
