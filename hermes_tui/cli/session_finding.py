"""`hermes sessions search`: what was found, for people and for scripts."""

import os
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

from hermes_tui.cli.printing import count, print_json, print_line, say
from hermes_tui.config.load import load_config
from hermes_tui.config.paths import current_folder, find_paths
from hermes_tui.config.secrets import load_secrets
from hermes_tui.core.errors import ConfigError
from hermes_tui.core.messages import Role
from hermes_tui.store.dates import parse_period
from hermes_tui.store.results import Hit, SearchResults
from hermes_tui.store.store import Store


async def search(
    store: Store,
    query: str,
    *,
    limit: int,
    as_json: bool,
    role: Role | None,
    project: str,
    since: str,
    until: str,
    session: str,
) -> None:
    first, last = _period(since, "--since"), _period(until, "--until")
    async with AsyncExitStack() as closing:
        _search_by_meaning(store, closing)
        found = await store.search.find(
            query,
            limit=limit,
            role=role,
            after=first[0] if first else None,
            before=last[1] if last else None,
            session=(await store.sessions.get(session)).id if session else None,
            cwd=_folder(project) or None,
        )
    if as_json:
        print_json(found.hits or (found.sessions if found.found_as_asked else ()))
    else:
        _show(found)
    if found.note:
        say(found.note)
    say(f"{found.report}.")
    if not found.hits and not found.found_as_asked:
        raise SystemExit(1)


def _search_by_meaning(store: Store, closing: AsyncExitStack) -> None:
    """As configured; a configuration that is wrong leaves the words."""
    paths = find_paths(os.environ)
    try:
        config = load_config(paths, environ=os.environ, cwd=current_folder())
        if config.memory.embeddings is None:
            return
        from hermes_tui.runtime.meaning import search_by_meaning

        secrets = load_secrets(paths, os.environ, config)
        search_by_meaning(store, config=config, secrets=secrets, closing=closing)
    except ConfigError as error:
        say(f"Only words are compared: {error}")


def _period(text: str, option: str) -> tuple[datetime, datetime] | None:
    if not text.strip():
        return None
    period = parse_period(text, now=datetime.now(UTC))
    if period is None:
        raise ConfigError(
            f"{option} {text!r} is no date.",
            hint="Give one such as 2026-03-05, yesterday, 'last Tuesday' or 'March 2026'.",
        )
    return period


def _folder(project: str) -> str:
    """A path made absolute; a bare name stays one."""
    if project.startswith((".", "~")) or "/" in project:
        return str(Path(project).expanduser().resolve())
    return project


def _show(found: SearchResults) -> None:
    for session in found.sessions:
        print_line(
            f"{session.id}  {_when(session.updated_at)}  {session.title or '(untitled)'}"
            f"  ({count(session.message_count, 'message')})"
        )
        if session.gist:
            print_line(f"    {session.gist}")
        shown = {hit.message_id for hit in session.hits}
        for hit in session.hits:
            for one in hit.in_context(shown):
                mark = f"  ▸ {_when(one.at)}  " if isinstance(one, Hit) else "      "
                print_line(f"{mark}{one.role}: {one.excerpt}")
    sys.stdout.flush()


def _when(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M}"
