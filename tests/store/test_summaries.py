import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hermes_tui.core.errors import StoreError
from hermes_tui.core.messages import assistant, user
from hermes_tui.store.sessions import SessionRecord
from hermes_tui.store.store import Store
from hermes_tui.store.summaries import Note
from tests.store.conftest import begin

NOTE = Note(
    summary="They chose a port.",
    topics=("port", "server"),
    decisions=("Use 9090.",),
    files=("config.yaml",),
    open_items=("Open the firewall.",),
)


async def test_a_note_is_kept_with_what_it_covers(store: Store, session: SessionRecord) -> None:
    last = await store.messages.append(session.id, user("Which port?"))
    assert await store.summaries.get(session.id) is None
    await store.summaries.put(session.id, NOTE, upto=last, method="openai/small")
    stored = await store.summaries.get(session.id)
    assert stored is not None
    assert (stored.note, stored.upto, stored.method) == (NOTE, last, "openai/small")
    assert abs(stored.at - datetime.now(UTC)) < timedelta(minutes=1)
    assert [one.session_id for one in await store.summaries.newest()] == [session.id]


def test_a_note_reads_as_lines() -> None:
    assert NOTE.text == (
        "They chose a port.\nTopics: port, server\nDecisions: Use 9090.\n"
        "Files: config.yaml\nOpen: Open the firewall."
    )


async def test_sessions_wait_for_a_summary_until_it_covers_them(store: Store) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=1)
    session, empty = await begin(store), await begin(store)
    await store.messages.append(session.id, user("Which port?"))
    last = await store.messages.append(session.id, assistant("9090."))
    assert await store.summaries.pending(soon) == [session.id]
    assert await store.summaries.pending(soon - timedelta(hours=1)) == []
    await store.summaries.put(session.id, NOTE, upto=last, method="extractive")
    assert await store.summaries.pending(soon) == []
    await store.messages.append(session.id, user("And now?"))
    assert await store.summaries.pending(soon) == [session.id]
    await store.sessions.delete(session.id)
    assert await store.summaries.pending(soon, at_least=1) == []
    assert empty.message_count == 0


async def test_a_session_that_is_gone_gets_no_note(store: Store) -> None:
    with pytest.raises(StoreError, match="no longer stored"):
        await store.summaries.put("nothing1", NOTE, upto=1, method="m")


async def test_the_index_of_summaries_holds_no_more_than_there_are(
    store: Store, session: SessionRecord, path: Path
) -> None:
    other = await begin(store)
    for text in ("first", "second"):
        for one in (session, other):
            await store.summaries.put(one.id, Note(summary=text), upto=1, method="m")
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(
            "INSERT INTO summaries_fts5 (summaries_fts5, rank) VALUES ('integrity-check', 1)"
        )
    indexed = connection.execute("SELECT id FROM summaries_fts5_docsize").fetchall()
    assert indexed == connection.execute("SELECT id FROM summaries ORDER BY id").fetchall()
    connection.close()
