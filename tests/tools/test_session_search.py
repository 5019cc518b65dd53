"""What the model reads of earlier conversations."""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from hermes_tui.core.errors import HermesError
from hermes_tui.core.messages import assistant, user
from hermes_tui.store.import_forms import Said
from hermes_tui.store.importing import imported_id
from hermes_tui.store.store import Store
from hermes_tui.tools.session_search import SessionSearchArgs, session_search_tool

Ask = Callable[..., Awaitable[str]]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[Store, None]:
    async with Store.open(tmp_path / "hermes.db") as store:
        yesterday = datetime.now(UTC) - timedelta(days=1)
        said = [
            Said("ports", "", user("Which port for the wiki?"), yesterday),
            Said("ports", "", assistant("Port 8080 is free."), yesterday),
            Said("ports", "", user("Take it."), yesterday),
            Said("own", "", user("A port of my own"), yesterday),
        ]
        await store.importer().take(said)
        yield store


@pytest.fixture
def ask(store: Store) -> Ask:
    tool = session_search_tool(store.search, but=imported_id("own"))

    async def say(chunk: str) -> None: ...

    async def run(**arguments: object) -> str:
        args = msgspec.convert(arguments, SessionSearchArgs)
        result = await tool.run(args, say)
        assert isinstance(result, str)
        return re.sub(r"\d{4}-\d\d-\d\d( \d\d:\d\d)?", "DATE", result)

    return run


async def test_hits_come_by_session_with_their_neighbours_and_ids(ask: Ask) -> None:
    assert await ask(query="which port is free?") == (
        f"session {imported_id('ports')}  DATE  ports  (3 messages)\n"
        "  #2 DATE assistant: «Port» 8080 is «free».\n"
        "    #3 user: Take it.\n"
        "  #1 DATE user: Which «port» for the wiki?\n"
        "[1 of 1 session; terms used: port, free; left out: which, is]"
    )


async def test_nothing_found_says_where_and_offers_the_nearest(ask: Ask) -> None:
    text = await ask(query="kubernetes", role="user")
    assert text.startswith(
        "Nothing found.\nNothing has these words; these are the last sessions.\n"
    )
    assert f"session {imported_id('ports')}" in text
    assert text.endswith("[0 of 1 session; terms used: kubernetes]")


async def test_a_message_and_a_session_can_be_opened(ask: Ask) -> None:
    whole = await ask(mode="read", session=imported_id("ports"))
    assert whole.splitlines()[1:] == [
        "#1 DATE user: Which port for the wiki?",
        "#2 DATE assistant: Port 8080 is free.",
        "#3 DATE user: Take it.",
        "[messages 1 to 3 of 3]",
    ]
    assert await ask(mode="window", message=2) == whole
    assert await ask(session=imported_id("ports")) == whole


async def test_browsing_lists_the_sessions_of_a_time(ask: Ask) -> None:
    for arguments in ({"since": "yesterday"}, {"query": "yesterday", "mode": "browse"}):
        text = await ask(**arguments)
        assert f"session {imported_id('ports')}" in text
        assert "  Which port for the wiki? · Take it." in text
        assert imported_id("own") not in text
    assert "no session of that time" in await ask(mode="browse", until="3 weeks ago")


async def test_what_cannot_be_opened_is_explained(ask: Ask) -> None:
    for arguments, message in (
        ({"mode": "window", "message": 99}, "There is no message 99"),
        ({"mode": "read", "session": "nothing1"}, "There is no session 'nothing1'"),
        ({"mode": "read", "session": imported_id("ports"), "page": 9}, "has 1 page"),
        ({"query": "x", "since": "sometime"}, "'sometime' is no date"),
    ):
        with pytest.raises(HermesError, match=message):
            await ask(**arguments)


async def test_the_schema_is_small(store: Store) -> None:
    spec = session_search_tool(store.search).spec
    assert len(msgspec.json.encode(spec)) < 1600
