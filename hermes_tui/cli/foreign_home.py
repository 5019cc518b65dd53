"""What a home of hermes-agent holds, read without changing a byte of it.

Layout as of hermes-agent 0.19.0: `memories/{MEMORY,USER}.md` with `§` between entries,
`skills/**/SKILL.md`, `SOUL.md`, `config.yaml`, `.env`, and `state.db` with the tables `sessions`
and `messages`; structured content there begins with NUL and `json:`.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import msgspec

from hermes_tui.config.keys import Key
from hermes_tui.core.errors import HermesError
from hermes_tui.store.import_forms import FormError, NotKept, Said, read_entry

STRUCTURED = "\0json:"

SETTINGS: dict[str, Key] = {
    "terminal.backend": ("terminal", "backend"),
    "terminal.timeout": ("terminal", "timeout_seconds"),
    "terminal.env_passthrough": ("terminal", "pass_env"),
    "terminal.docker_image": ("terminal", "docker", "image"),
    "terminal.singularity_image": ("terminal", "singularity", "image"),
    "terminal.modal_image": ("terminal", "modal", "image"),
    "terminal.daytona_image": ("terminal", "daytona", "image"),
    "terminal.ssh_host": ("terminal", "ssh", "host"),
    "terminal.ssh_user": ("terminal", "ssh", "user"),
    "terminal.ssh_port": ("terminal", "ssh", "port"),
    "terminal.ssh_key": ("terminal", "ssh", "identity_file"),
    "agent.max_turns": ("agent", "max_steps"),
}
"""Settings that mean the same in both; `model` is told by `model_of`."""
OWN_PROVIDERS = frozenset({"custom", "openai"})


def settings_of(config: Mapping[str, Any]) -> tuple[dict[Key, Any], list[str]]:
    """Our settings with their values, and the names of those that have no counterpart."""
    taken: dict[Key, Any] = {}
    left: list[str] = []
    for name, value in _leaves(config):
        if name in SETTINGS:
            taken[SETTINGS[name]] = value
        elif not name.startswith(("model", "_config_version")):
            left.append(name)
    taken.update(model_of(config.get("model")))
    return taken, left


def model_of(given: Any) -> dict[Key, Any]:
    """The model there as our settings."""
    if isinstance(given, str):
        return {("model",): given} if "/" in given else {}
    if not isinstance(given, dict):
        return {}
    fields = cast("dict[str, Any]", given)
    name, provider = str(fields.get("default") or ""), str(fields.get("provider") or "")
    if not name:
        return {}
    found: dict[Key, Any] = {}
    if base_url := fields.get("base_url"):
        provider = provider if provider and provider != "auto" else "custom"
        found["providers", provider, "base_url"] = base_url
    found["model",] = f"{provider}/{name}" if provider and provider != "auto" else name
    return found if "/" in found["model",] else {}


def messages_of(database: Path) -> Iterator[Said | NotKept | FormError]:
    """What was said in all its sessions, in order.

    Raises:
        HermesError: it is no database of hermes-agent, or is damaged.
    """
    try:
        # Batches are read by whichever thread is free, one at a time.
        with closing(
            sqlite3.connect(f"file:{database}?mode=ro", uri=True, check_same_thread=False)
        ) as connection:
            connection.row_factory = sqlite3.Row
            connection.text_factory = _decoded
            rows = connection.execute(
                "SELECT m.*, s.cwd AS session_cwd, coalesce(nullif(s.title, ''), "
                "(SELECT substr(content, 1, 60) FROM messages WHERE session_id = s.id "
                "AND role = 'user' ORDER BY id LIMIT 1)) AS session_title FROM messages m "
                "JOIN sessions s ON s.id = m.session_id WHERE m.active = 1 ORDER BY m.id"
            )
            for row in rows:
                yield from _read(row)
    except sqlite3.Error as error:
        raise HermesError(
            f"{database} cannot be read: {error}.", hint="Close hermes-agent and try again."
        ) from error


def skills_of(folder: Path) -> Iterator[Path]:
    """The folders of its skills."""
    for file in sorted(folder.glob("**/SKILL.md")):
        if not any(part.startswith(".") for part in file.relative_to(folder).parts):
            yield file.parent


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _read(row: sqlite3.Row) -> Iterator[Said | NotKept | FormError]:
    try:
        entry = _entry(row)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        yield FormError(f"is no JSON: {error}")
        return
    yield from read_entry(entry)


def _entry(row: sqlite3.Row) -> dict[str, Any]:
    content = row["content"]
    if isinstance(content, str) and content.startswith(STRUCTURED):
        content = msgspec.json.decode(content[len(STRUCTURED) :])
    calls = row["tool_calls"]
    return {
        "session": str(row["session_id"]),
        "title": row["session_title"] or "",
        "cwd": row["session_cwd"] or "",
        "role": row["role"],
        "content": content,
        "tool_calls": msgspec.json.decode(calls) if calls else None,
        "tool_call_id": row["tool_call_id"] or "",
        "time": row["timestamp"],
    }


def _leaves(config: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, dict) and value:
            yield from _leaves(cast("dict[str, Any]", value), f"{before}{name}.")
        elif value not in ("", None, [], {}):
            yield f"{before}{name}", value
