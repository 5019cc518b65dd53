"""Keys and tokens: where they are found, and how they are kept from showing up.

The environment comes first, then `.env` in the home, then, when the configuration
says so, the system's keyring.
"""

import os
import re
from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any, Literal

from msgspec import structs

from hermes_tui.config.files import editing, read_regular, replace_file
from hermes_tui.config.hidden import REFERENCE, configured_secrets, referred
from hermes_tui.config.own_process import close_to_others, forget
from hermes_tui.config.paths import Paths, is_there, shown
from hermes_tui.config.schema import Config
from hermes_tui.core.errors import ConfigError, HermesError

KEYRING_SERVICE = "hermes"
MAX_BYTES = 64 * 1024
MIN_HIDDEN_CHARS = 8
"""Shorter values are not blotted out of texts: they would blot out common words."""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
SECRET_NAME = re.compile(r"(_API_KEY|_KEY|_TOKEN|_SECRET|_PASSWORD)\Z")
TAKEN_NAME = re.compile(r"_API_KEY\Z|\A(HF_TOKEN|WISDOM_GATE_KEY)\Z")
"""Variables that are providers' keys: removed from our environment once read."""
LEFT_FOR_SDKS = frozenset({"AZURE_API_KEY", "DAYTONA_API_KEY"})
"""litellm and environments read these from the environment by themselves."""

ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}

Place = Literal["environment", ".env", "keyring"]


class Secrets(Mapping[str, str]):
    """Keys by the name of their variable; shows names, never values.

    Any variable can be looked up; iterating gives those that look like secrets and
    everything in `.env`. The keyring is asked only for names looked up by name.
    """

    def __init__(
        self, environ: Mapping[str, str], filed: Mapping[str, str], *, uses_keyring: bool = False
    ) -> None:
        self._environ = dict(environ)
        self._filed = dict(filed)
        self._uses_keyring = uses_keyring
        self._from_keyring: dict[str, str | None] = {}
        self._configured: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        value = self._environ.get(name) or self._filed.get(name) or self._keyring_value(name)
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        named = (name for name, value in self._environ.items() if value and is_secret_name(name))
        yield from dict.fromkeys([*named, *self._filed])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<Secrets: {', '.join(self) or 'none'}>"

    def place(self, name: str) -> Place | None:
        """Where the value of `name` comes from; None when there is none."""
        if self._environ.get(name):
            return "environment"
        if self._filed.get(name):
            return ".env"
        return "keyring" if self._keyring_value(name) else None

    def expand(self, text: str, *, where: str) -> str:
        """`text` with each `$NAME` and `${NAME}` replaced by its value.

        Args:
            where: The setting it stands in, for the error.

        Raises:
            ConfigError: a name has no value.
        """

        def value(match: re.Match[str]) -> str:
            name = match[1] or match[2]
            if name not in self:
                raise ConfigError(
                    f"{where} refers to ${name}, which is not set.",
                    hint=f"Export {name}, or put it into .env with `hermes setup`.",
                )
            return self[name]

        return REFERENCE.sub(value, text)

    def fill(self, config: Config, provider: str) -> Config:
        """`config` with the references under `providers.<provider>` replaced by their values.

        Raises:
            ConfigError: a name has no value.
        """
        given = config.providers.get(provider)
        if given is None:
            return config
        where = f"providers.{provider}"
        filled = structs.replace(
            given,
            api_key=self.expand(given.api_key, where=f"{where}.api_key")
            if given.api_key and referred(given.api_key)
            else given.api_key,
            headers={
                name: self.expand(text, where=f"{where}.headers")
                for name, text in given.headers.items()
            },
        )
        told = {"api_key": filled.api_key or ""} | {
            f"headers.{name}": text
            for name, text in filled.headers.items()
            if text != given.headers[name] or re.search("auth|key|token", name, re.IGNORECASE)
        }
        self._configured |= {f"{where}.{name}": text for name, text in told.items()}
        return structs.replace(config, providers={**config.providers, provider: filled})

    def hide(self, setting: str, text: str) -> None:
        """Keep what a setting says, or the variable it refers to, from showing up."""
        name = referred(text)
        value = (self._environ.get(name) or self._filed.get(name, "")) if name else text
        self._configured[name or setting] = value

    @property
    def hidden(self) -> dict[str, str]:
        """What must not show up, by name: keys of every place, the keyring's once asked for."""
        asked = {name: value for name, value in self._from_keyring.items() if value}
        known = {**self._configured, **asked, **self}
        return {name: value for name, value in known.items() if len(value) >= MIN_HIDDEN_CHARS}

    def redact(self, text: str) -> str:
        """`text` with every value known here replaced by its name."""
        for name, value in sorted(self.hidden.items(), key=lambda pair: -len(pair[1])):
            text = text.replace(value, f"[{name}]")
        return text

    def _keyring_value(self, name: str) -> str | None:
        if not self._uses_keyring or not is_secret_name(name):
            return None
        if name not in self._from_keyring:
            self._from_keyring[name] = _ask_keyring(name)
        return self._from_keyring[name]


def load_secrets(paths: Paths, environ: MutableMapping[str, str], config: Config) -> Secrets:
    """What is in `environ`, `.env` and perhaps the keyring.

    Providers' keys are removed from `environ`, so that no child process and no
    library can see them, unless `terminal.pass_env` names them. When `environ` is that
    of this process, other processes can no longer read them from it either.

    Raises:
        ConfigError: `.env` is malformed or others may read it, or there is no keyring.
    """
    if config.secrets.keyring:
        _keyring()
    filed = read_env_file(paths)
    secrets = Secrets(environ, filed, uses_keyring=config.secrets.keyring)
    left = set(LEFT_FOR_SDKS)
    for setting, text in configured_secrets(config).items():
        secrets.hide(setting, text)
        if not setting.startswith("providers."):
            left.add(referred(text))
    in_providers = {
        match[1] or match[2]
        for provider in config.providers.values()
        for text in (provider.api_key or "", *provider.headers.values())
        for match in REFERENCE.finditer(text)
    }
    ours = {
        name
        for name in set(environ).difference(config.terminal.pass_env)
        if TAKEN_NAME.search(name)
        or (is_secret_name(name) and (name in filed or name in in_providers))
    }
    for name in ours - left:
        del environ[name]
    if environ is os.environ:
        forget(ours | left)
        if config.secrets.keyring or len(secrets):
            close_to_others()
    return secrets


def is_secret_name(name: str) -> bool:
    """Whether a variable of this name usually holds a secret."""
    return SECRET_NAME.search(name) is not None


def read_env_file(paths: Paths) -> dict[str, str]:
    """The names and values in `.env`; empty when there is none.

    Raises:
        ConfigError: it is malformed, or somebody else may read it.
    """
    path = paths.env_file
    if not is_there(path):
        return {}
    file = read_regular(path, max_bytes=MAX_BYTES)
    if file.mode & 0o077:
        raise ConfigError(
            f"{shown(path)} holds keys, but others may read it (mode {file.mode:o}).",
            hint=f"Run: chmod 600 {shown(path)}",
        )
    try:
        return parse_env(file.content.decode("utf-8-sig"), shown(path))
    except UnicodeDecodeError:
        raise ConfigError(f"{shown(path)} is not valid UTF-8.", hint="Save it as UTF-8.") from None


def parse_env(text: str, name: str) -> dict[str, str]:
    r"""`NAME=value` lines, with comments, `export`, and quotes as a shell has them.

    Single quotes keep everything as it is; double quotes know `\n`, `\t`, `\r`,
    `\"` and `\\`. Nothing is expanded.

    Raises:
        ConfigError: a line is no such line. The error never quotes it.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip().removeprefix("export ").strip()
        if not stripped or stripped.startswith("#"):
            continue
        variable, equals, rest = stripped.partition("=")
        variable = variable.rstrip()
        value = _unquoted(rest.strip()) if equals and NAME.fullmatch(variable) else None
        if value is None:
            raise ConfigError(
                f"{name} line {number}: this is not NAME=value.",
                hint="Correct it, and quote a value with blanks or # in it.",
            )
        found[variable] = value
    return found


def write_secret(paths: Paths, name: str, value: str) -> None:
    """Put `name` into `.env`, replacing the value it had; other lines stay as they are.

    Raises:
        ConfigError: name or value cannot stand there, or the file cannot be written.
    """
    if not NAME.fullmatch(name):
        raise ConfigError(f"{name!r} is no name of a variable.", hint="Use letters, digits and _.")
    value = value.strip()
    if not value or not value.isprintable():
        raise ConfigError(
            f"The value for {name} is empty or holds control characters.",
            hint="Copy the key again, in one line.",
        )
    paths.create()
    path = paths.env_file
    with editing(path):
        read_env_file(paths)  # refuses a file that others may read, or a malformed one
        text = path.read_text(encoding="utf-8-sig") if is_there(path) else ""
        fresh = f"{name}={_quoted(value)}"
        lines: list[str] = []
        for line in text.splitlines():
            before = line.strip().removeprefix("export ").partition("=")[0].strip()
            if before != name:
                lines.append(line)
            elif fresh not in lines:
                lines.append(fresh)
        if fresh not in lines:
            lines.append(fresh)
        replace_file(path, ("\n".join(lines) + "\n").encode(), mode=0o600)


def _unquoted(text: str) -> str | None:
    """The value written as `text`; None when its quotes do not close."""
    if not text or text[0] not in "'\"":
        return re.split(r"(?:\A|\s)#", text, maxsplit=1)[0].rstrip()
    quote, value, position = text[0], "", 1
    while position < len(text) and text[position] != quote:
        if quote == '"' and text[position] == "\\" and position + 1 < len(text):
            position += 1
            value += ESCAPES.get(text[position], text[position])
        else:
            value += text[position]
        position += 1
    rest = text[position + 1 :].strip()
    is_closed = position < len(text) and (not rest or rest.startswith("#"))
    return value if is_closed else None


def _quoted(value: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_.:/+=@%,~-]+", value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _keyring() -> Any:
    """The `keyring` package, which is an extra.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return import_module("keyring")
    except ImportError:
        raise ConfigError(
            "secrets.keyring is on, but the package keyring is not installed.",
            hint="Install hermes-tui[keyring], or set secrets.keyring to false.",
        ) from None


def _ask_keyring(name: str) -> str | None:
    try:
        value: str | None = _keyring().get_password(KEYRING_SERVICE, name)
    except HermesError:
        raise
    except Exception as error:
        raise ConfigError(
            f"The system's keyring cannot be read: {type(error).__name__}.",
            hint="Unlock it, or set secrets.keyring to false and use .env.",
        ) from error
    return value or None
