"""Which host is meant, and which keys are its own: `~/.ssh/config` and known_hosts."""

import base64
import getpass
import hashlib
import hmac
import ipaddress
import os
import re
import secrets
import shlex
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from hermes_tui.core.errors import ConfigError, EnvironmentUnavailableError

DEFAULT_PORT = 22
JUMPS = 8

# Nothing that a shell or an option parser could take for more than a name.
_ADDRESS = re.compile(
    r"(?:ssh://)?(?:(?P<user>[\w.][\w.+\\$@-]*)@)?"
    r"(?P<host>\w[\w.-]*|\[[\w:.%]+\]|[\w:.%]*:[\w:.%]*:[\w:.%]*)"
    r"(?::(?P<port>\d{1,5}))?"
)

Standing = Literal["known", "unknown", "changed", "revoked"]


class SshOptions(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The settings of an environment of the kind ssh."""

    target: str = ""
    """`[user@]host[:port]` from the command line; wins over the settings below."""
    host: str = ""
    """A name from `~/.ssh/config`, a DNS name or an address."""
    port: int | None = None
    user: str = ""
    identity_file: str | list[str] = ""
    """Private keys; with one given, no others are tried."""
    known_hosts: str | list[str] = ""
    """Files with the keys of known hosts; new ones go into the first."""
    proxy_jump: str = ""
    """`[user@]host[:port]` of the hosts in between, separated by commas; `none` for none."""
    workdir: str = "~"
    """Where the first command starts; it must be there."""
    connect_timeout: float = 15.0
    """Seconds, for each host on the way."""
    env: dict[str, str] = {}
    """Variables for commands; they are on no command line and on no disk."""


class Address(Struct, frozen=True):
    """`[user@]host[:port]`, taken apart."""

    host: str
    user: str = ""
    port: int | None = None


class Target(Struct, frozen=True, kw_only=True):
    """A host and everything needed to log in there."""

    host: str
    port: int
    user: str
    known_as: str
    """Its name in known_hosts, e.g. `[box]:2222`."""
    known_hosts: tuple[Path, ...]
    """The person's own; a new key goes into the first."""
    shared_known_hosts: tuple[Path, ...] = ()
    identity_files: tuple[Path, ...] = ()
    are_others_tried: bool = True
    """Keys of the agent that are none of `identity_files`."""
    has_agent: bool = True
    may_ask: bool = True
    """An unknown key is asked about; otherwise it is refused (StrictHostKeyChecking yes)."""
    hashes_names: bool = False
    """New lines in known_hosts do not name the host (HashKnownHosts)."""
    via: "Target | None" = None

    @property
    def label(self) -> str:
        port = "" if self.port == DEFAULT_PORT else f" port {self.port}"
        return f"{self.user}@{self.host}{port}"


def parse_address(text: str) -> Address:
    """`[user@]host[:port]`, with brackets around an IPv6 address that has a port.

    Raises:
        ConfigError: it is none.
    """
    found = _ADDRESS.fullmatch(text.strip())
    port = int(found["port"]) if found and found["port"] else None
    host = found["host"].strip("[]") if found else ""
    if not found or not _is_port(port) or (":" in host and not _is_ipv6(host)):
        raise ConfigError(
            f"{text!r} does not name a host.", hint="Write it as user@host or user@host:port."
        )
    return Address(host, found["user"] or "", port)


def _is_port(port: int | None) -> bool:
    return port is None or 0 < port < 65_536


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def _port(text: str) -> int:
    if not text.isdecimal() or not _is_port(int(text)):
        raise ConfigError(f"{text!r} is no port.", hint="Choose a number from 1 to 65535.")
    return int(text)


def resolve(options: SshOptions, *, environment: str) -> Target:
    """The host the options mean, completed from `~/.ssh/config`; reads files, so it blocks.

    Raises:
        ConfigError: no host is named, or `~/.ssh/config` cannot be understood.
    """
    if not (options.target or options.host):
        raise ConfigError(
            f"The environment {environment!r} names no host.",
            hint="Set 'host', or use --env ssh:user@host.",
        )
    return _Resolver(options).target(_chosen(options))


def _chosen(options: SshOptions) -> Address:
    address = parse_address(options.target or options.host)
    if options.user:
        parse_address(f"{options.user}@host")
    if options.port is not None:
        _port(str(options.port))
    if options.target:
        user, port = address.user or options.user, address.port or options.port
    else:
        user, port = options.user or address.user, options.port or address.port
    return Address(address.host, user, port)


class _Resolver:
    def __init__(self, options: SshOptions) -> None:
        from hermes_environments.ssh.config import PersonalConfig  # imports paramiko

        self._options = options
        self._folder = Path.home() / ".ssh"
        self._config = PersonalConfig.load(self._folder)

    def target(
        self, address: Address, *, jump: str | None = None, seen: Sequence[str] = ()
    ) -> Target:
        found = self._config.settings(address.host)
        port = address.port or _port(str(found.get("port", DEFAULT_PORT)))
        host = str(found.get("hostname", address.host))
        known_as = str(found.get("hostkeyalias", "")).lower() or name_with_port(host, port)
        is_first = not seen
        if jump is None:
            jump = (self._options.proxy_jump if is_first else "") or str(found.get("proxyjump", ""))
        if found.get("proxycommand") and not jump:
            raise ConfigError(
                f"~/.ssh/config has a ProxyCommand for {address.host}, which is not supported.",
                hint="Use ProxyJump, or set proxy_jump for the environment.",
            )
        named = self._identities()
        files = named or [Path(text).expanduser() for text in found.get("identityfile", [])]
        return Target(
            host=host,
            port=port,
            user=address.user or str(found.get("user", "")) or getpass.getuser(),
            known_as=known_as,
            **self._known_hosts(found),
            identity_files=tuple(files or self._default_identities()),
            are_others_tried=not named and found.get("identitiesonly", "no").lower() != "yes",
            has_agent=str(found.get("identityagent", "")).lower() != "none",
            may_ask=found.get("stricthostkeychecking", "ask").lower() != "yes",
            hashes_names=found.get("hashknownhosts", "no").lower() == "yes",
            via=self._via(jump, address.host, seen),
        )

    def _via(self, jump: str, host: str, seen: Sequence[str]) -> Target | None:
        if not jump or jump.lower() == "none":
            return None
        if len(seen) == JUMPS:
            raise ConfigError(
                f"The way to {seen[0]} goes over more than {JUMPS} hosts, or in a circle.",
                hint="Correct ProxyJump in ~/.ssh/config or proxy_jump.",
            )
        *before, last = (part.strip() for part in jump.split(","))
        address = parse_address(last)
        if address.host == host and not before:
            return None  # `Host *` with a ProxyJump matches the host in between as well
        # The hosts before the last are the way to it, whatever its own configuration says.
        return self.target(parse_address(last), jump=",".join(before) or None, seen=(*seen, host))

    def _identities(self) -> list[Path]:
        paths = [Path(text).expanduser() for text in _listed(self._options.identity_file)]
        for path in paths:
            if not path.is_file():
                raise ConfigError(
                    f"There is no key file {str(path)!r}.", hint="Correct identity_file."
                )
        return paths

    def _default_identities(self) -> list[Path]:
        paths = [self._folder / name for name in ("id_ed25519", "id_ecdsa", "id_rsa")]
        return [path for path in paths if path.is_file()]

    def _known_hosts(self, found: Mapping[str, Any]) -> dict[str, tuple[Path, ...]]:
        if named := _listed(self._options.known_hosts):
            return {"known_hosts": _paths(named)}
        own = shlex.split(str(found.get("userknownhostsfile", ""))) or [
            "~/.ssh/known_hosts",
            "~/.ssh/known_hosts2",
        ]
        shared = shlex.split(str(found.get("globalknownhostsfile", ""))) or [
            "/etc/ssh/ssh_known_hosts"
        ]
        return {"known_hosts": _paths(own), "shared_known_hosts": _paths(shared)}


def _paths(texts: Sequence[str]) -> tuple[Path, ...]:
    return tuple(Path(text).expanduser() for text in texts if text.lower() != "none")


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) and value else list(value)


def name_with_port(host: str, port: int) -> str:
    """A host as known_hosts has it."""
    return host.lower() if port == DEFAULT_PORT else f"[{host.lower()}]:{port}"


def fingerprint(key: bytes) -> str:
    """As OpenSSH shows it."""
    digest = hashlib.sha256(key).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


class _Entry(Struct, frozen=True):
    is_revoked: bool
    kind: str
    key: bytes
    where: str


class KnownHosts:
    """What the known_hosts files say about one host."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._entries = [
            entry
            for path in (*target.known_hosts, *target.shared_known_hosts)
            for entry in _entries(path, target.known_as)
        ]

    @property
    def kinds(self) -> list[str]:
        """The types of its keys, to be asked for first, or a known host could look unknown."""
        return [entry.kind for entry in self._entries if not entry.is_revoked]

    @property
    def where(self) -> str:
        """File and line of the first key that is not revoked."""
        return next((entry.where for entry in self._entries if not entry.is_revoked), "")

    def standing(self, key: bytes) -> Standing:
        if any(entry.is_revoked and entry.key == key for entry in self._entries):
            return "revoked"
        if any(entry.key == key for entry in self._entries):
            return "known"
        return "changed" if self.kinds else "unknown"

    def remember(self, kind: str, key: bytes) -> None:
        """Append a key to the first file, if there is to be one.

        Raises:
            EnvironmentUnavailableError: it cannot be written.
        """
        if not self._target.known_hosts:
            return
        path = self._target.known_hosts[0]
        name = self._target.known_as
        if self._target.hashes_names:
            salt = secrets.token_bytes(20)
            name = f"|1|{base64.b64encode(salt).decode()}|{_hashed(name, salt)}"
        line = f"{name} {kind} {base64.b64encode(key).decode()}\n"
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "rb+") as file:
                if file.seek(0, os.SEEK_END):
                    file.seek(-1, os.SEEK_END)
                    line = line if file.read(1) == b"\n" else "\n" + line
                file.write(line.encode())
        except OSError as error:
            raise EnvironmentUnavailableError(
                f"The host's key cannot be kept in {path}: {error.strerror}.",
                hint="Make the file writable, or name another with known_hosts.",
            ) from error


def _entries(path: Path, name: str) -> Iterator[_Entry]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    except OSError as error:
        # Without the file every changed key would look like a new one.
        raise EnvironmentUnavailableError(
            f"The known hosts in {path} cannot be read: {error.strerror}.",
            hint="Correct the file's permissions.",
        ) from error
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        marker = words.pop(0) if words and words[0].startswith("@") else ""
        if len(words) < 3 or words[0].startswith("#") or marker not in {"", "@revoked"}:
            continue
        try:
            key = base64.b64decode(words[2], validate=True)
        except ValueError:
            continue
        if _matches(words[0], name):
            yield _Entry(marker == "@revoked", words[1], key, f"{path}:{number}")


def _matches(patterns: str, name: str) -> bool:
    if patterns.startswith("|1|"):
        try:
            _, _, salt, wanted = patterns.split("|", 3)
            return _hashed(name, base64.b64decode(salt)) == wanted
        except ValueError:
            return False
    is_match = False
    for pattern in patterns.lower().split(","):
        # Brackets stand for themselves here, not for a set of characters.
        glob_pattern = pattern.removeprefix("!").replace("[", "[[]")
        if fnmatchcase(name, glob_pattern):
            if pattern.startswith("!"):
                return False
            is_match = True
    return is_match


def _hashed(name: str, salt: bytes) -> str:
    return base64.b64encode(hmac.new(salt, name.encode(), "sha1").digest()).decode()
