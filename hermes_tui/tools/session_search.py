"""`session_search`: what was said in earlier conversations."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from hermes_tui.core.errors import ToolError
from hermes_tui.core.messages import Role
from hermes_tui.store.dates import parse_period
from hermes_tui.store.passages import Passage
from hermes_tui.store.results import FoundSession, Hit, Neighbour, SearchResults
from hermes_tui.store.search import Search
from hermes_tui.tools.registry import Say, Tool

WINDOW_MESSAGES = 5
PAGE_CHARS = 8000
MESSAGE_CHARS = 2000


class SessionSearchArgs(Struct, frozen=True):
    """Earlier conversations: what was said, decided or done before.

    search: messages with any of the words, by session; "exact phrases" and dates in plain words
    ("last Tuesday") work. window: the messages around one. read: a session, page by page.
    browse: the sessions of a time or project.
    """

    query: str = ""
    mode: Literal["search", "window", "read", "browse"] = "search"
    alt: Annotated[tuple[str, ...], Meta(description="The query in other words")] = ()
    session: Annotated[str, Meta(description="Session id, to read or to search in")] = ""
    message: Annotated[int, Meta(description="Message id, for window")] = 0
    page: Annotated[int, Meta(ge=1)] = 1
    since: str = ""
    until: str = ""
    role: Role | None = None
    project: Annotated[str, Meta(description="Folder")] = ""
    limit: Annotated[int, Meta(ge=1, le=50)] = 8


def session_search_tool(search: Search, *, but: str = "") -> Tool[SessionSearchArgs]:
    """Searches every session but the one with the id `but`, which the model has before it."""

    async def run(args: SessionSearchArgs, say: Say) -> str:
        del say
        mode = args.mode
        if mode == "search" and not args.query.strip():
            mode = "window" if args.message else "read" if args.session else "browse"
        match mode:
            case "window":
                return _told(await search.around(args.message, size=WINDOW_MESSAGES))
            case "read":
                return _told(await search.page(args.session, args.page, chars=PAGE_CHARS))
            case "browse":
                return _found(await _browsed(search, args, but))
            case "search":
                return _found(await _searched(search, args, but))

    return Tool("session_search", SessionSearchArgs, run, parallel_safe=True)


async def _searched(search: Search, args: SessionSearchArgs, but: str) -> SearchResults:
    after, before = _time(args)
    return await search.find(
        args.query,
        alt=args.alt,
        limit=args.limit,
        role=args.role,
        after=after,
        before=before,
        session=args.session or None,
        cwd=args.project or None,
        but=but,
    )


async def _browsed(search: Search, args: SessionSearchArgs, but: str) -> SearchResults:
    if args.query.strip():
        return await _searched(search, args, but)
    after, before = _time(args)
    return await search.browse(
        after=after, before=before, cwd=args.project or None, but=but, limit=args.limit
    )


def _time(args: SessionSearchArgs) -> tuple[datetime | None, datetime | None]:
    since, until = (_period(text) for text in (args.since, args.until))
    return (since[0] if since else None), (until[1] if until else None)


def _period(text: str) -> tuple[datetime, datetime] | None:
    if not text.strip():
        return None
    period = parse_period(text, now=datetime.now(UTC))
    if period is None:
        raise ToolError(
            f"{text!r} is no date.", hint="Pass one such as 2026-03-05, yesterday or March 2026."
        )
    return period


def _found(results: SearchResults) -> str:
    lines: list[str] = []
    if not results.hits and not results.found_as_asked:
        lines.append("Nothing found.")
    if results.note:
        lines.append(results.note)
    for session in results.sessions:
        lines += _session_lines(session)
    return "\n".join([*lines, f"[{results.report}]"])


def _session_lines(session: FoundSession) -> list[str]:
    day = f"{session.updated_at.astimezone():%Y-%m-%d}"
    lines = [
        f"session {session.id}  {day}  {session.title or '(untitled)'}  "
        f"({session.message_count} message{'' if session.message_count == 1 else 's'}"
        f"{f', {session.cwd}' if session.cwd else ''})"
    ]
    if session.gist:
        lines.append(f"  {session.gist}")
    shown = {hit.message_id for hit in session.hits}
    lines += [_hit_line(one) for hit in session.hits for one in hit.in_context(shown)]
    return lines


def _hit_line(one: Hit | Neighbour) -> str:
    if isinstance(one, Hit):
        at = f"{one.at.astimezone():%Y-%m-%d %H:%M}"
        return f"  #{one.message_id} {at} {one.role}: {one.excerpt}"
    return f"    #{one.message_id} {one.role}: {one.excerpt}"


def _told(passage: Passage) -> str:
    lines = [
        f"session {passage.session.id}  {passage.session.title or '(untitled)'}",
        *(_message_line(passage, place) for place in range(len(passage.messages))),
    ]
    rest = f"messages {passage.first} to {passage.last} of {passage.session.message_count}"
    if passage.next_page:
        rest += f"; go on with mode=read session={passage.session.id} page={passage.next_page}"
    return "\n".join([*lines, f"[{rest}]"])


def _message_line(passage: Passage, place: int) -> str:
    one = passage.messages[place]
    text = one.text if len(one.text) <= MESSAGE_CHARS else f"{one.text[:MESSAGE_CHARS]}…"
    return f"#{one.message_id} {one.at.astimezone():%Y-%m-%d %H:%M} {one.role}: {text.strip()}"
