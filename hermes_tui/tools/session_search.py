"""`session_search`: what was said in earlier conversations."""

from typing import Annotated

from msgspec import Meta, Struct

from hermes_tui.store.search import Search
from hermes_tui.tools.registry import Say, Tool

OWN_HITS = 20
"""How many hits of the running session are looked past."""


class SessionSearchArgs(Struct, frozen=True):
    """Search earlier conversations by words or "exact phrases"."""

    query: str
    limit: Annotated[int, Meta(ge=1, le=50)] = 10


def session_search_tool(search: Search, *, but: str = "") -> Tool[SessionSearchArgs]:
    """Searches every session but the one with the id `but`, which the model has before it."""

    async def run(args: SessionSearchArgs, say: Say) -> str:
        del say
        found = await search.find(args.query, limit=args.limit + OWN_HITS)
        hits = [hit for hit in found.hits if hit.session_id != but][: args.limit]
        searched = f"{found.sessions_searched} sessions searched for: {' '.join(found.terms)}"
        if not hits:
            return f"Nothing found. [{searched}]"
        lines = [
            f"{hit.at:%Y-%m-%d %H:%M}  session {hit.session_id} ({hit.session_title})  {hit.role}: "
            f"{' '.join(hit.excerpt.split())}"
            for hit in hits
        ]
        return "\n".join([*lines, f"[{searched}]"])

    return Tool("session_search", SessionSearchArgs, run, parallel_safe=True)
