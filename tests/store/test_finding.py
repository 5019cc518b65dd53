"""What a search narrows, joins and admits to, on each kind of index."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hermes_tui.core.errors import NotFoundError
from hermes_tui.core.messages import (
    Message,
    Text,
    ToolCall,
    ToolResult,
    assistant,
    tool_results,
    user,
)
from hermes_tui.store.import_forms import Said
from hermes_tui.store.store import Store
from hermes_tui.store.summaries import Note
from tests.store.conftest import begin

TUESDAY = datetime(2026, 5, 12, 10, tzinfo=UTC)
NOW = datetime(2026, 5, 14, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock(searchable: Store) -> None:
    searchable.search._now = lambda: NOW
    searchable.search._zone = UTC


async def tell(store: Store, session: str, *texts: str, at: datetime = TUESDAY) -> None:
    await store.importer().take(
        [
            Said(session, session, user(text), at + timedelta(minutes=minute))
            for minute, text in enumerate(texts)
        ]
    )


async def titles(store: Store, query: str) -> list[str]:
    return [found.title for found in (await store.search.find(query)).sessions]


async def test_a_date_in_a_question_narrows_it_and_is_reported(searchable: Store) -> None:
    await tell(searchable, "then", "the port is 8080")
    await tell(searchable, "later", "the port is 9090", at=NOW)
    found = await searchable.search.find("which port last Tuesday?")
    assert [hit.session_title for hit in found.hits] == ["then"]
    assert found.dates == ("last Tuesday",)
    assert (found.after, found.before) == (
        TUESDAY.replace(hour=0),
        datetime(2026, 5, 13, tzinfo=UTC),
    )
    assert found.report.startswith(
        "1 of 2 sessions; terms used: port; left out: which; dates: last"
    )


async def test_a_date_alone_lists_its_sessions(searchable: Store) -> None:
    await tell(searchable, "then", "the port is 8080")
    await tell(searchable, "later", "the port is 9090", at=NOW)
    found = await searchable.search.find("What did I do last Tuesday?")
    assert [one.title for one in found.sessions] == ["then"]
    assert (found.hits, found.found_as_asked, found.sessions_found) == ((), True, 1)
    assert found.sessions[0].about == "the port is 8080"


async def test_a_time_without_sessions_says_so_and_offers_the_last_ones(searchable: Store) -> None:
    await tell(searchable, "then", "the port is 8080")
    found = await searchable.search.find("what did we talk about yesterday?")
    assert [one.title for one in found.sessions] == ["then"]
    assert found.note == "There is no session of that time; these are the last ones."
    assert not found.found_as_asked


async def test_words_not_said_at_that_time_bring_its_sessions(searchable: Store) -> None:
    await tell(searchable, "then", "the port is 8080")
    found = await searchable.search.find("kubernetes last Tuesday")
    assert found.note == "Nothing in that time has these words; these are its sessions."
    assert [one.title for one in found.sessions] == ["then"]
    assert found.hits == ()


async def test_words_of_a_time_without_sessions_are_found_on_other_days(searchable: Store) -> None:
    await tell(searchable, "then", "the port is 8080")
    found = await searchable.search.find("port yesterday")
    assert [hit.session_title for hit in found.hits] == ["then"]
    assert found.note == "Nothing was said in that time; these are of other days."
    assert found.hits[0].is_nearest


async def test_an_option_is_never_widened(searchable: Store) -> None:
    await tell(searchable, "then", "the port is 8080")
    found = await searchable.search.find("port", after=NOW)
    assert found.hits == ()
    assert found.note == "Nothing has these words; these are the last sessions."


async def test_a_place_that_is_not_known_is_named_and_nothing_else_is_offered(
    searchable: Store,
) -> None:
    await tell(searchable, "then", "the port is 8080")
    for query, note in (
        ("port session:nope", "There is no session 'nope'."),
        ("session:nope last Tuesday", "There is no session 'nope'."),
        ("port project:nope", "No session was begun in a folder 'nope'."),
    ):
        found = await searchable.search.find(query)
        assert (found.hits, found.sessions, found.note) == ((), (), note)
        assert not found.found_as_asked
    assert (await searchable.search.browse(cwd="/nope")).note.endswith("'/nope'.")


async def test_a_session_is_named_in_capitals_as_well(searchable: Store) -> None:
    session = await begin(searchable)
    await searchable.messages.append(session.id, user("the port is 8080"))
    assert (await searchable.search.find(f"port session:{session.id.upper()}")).hits


async def test_words_nobody_used_bring_those_that_begin_like_them(searchable: Store) -> None:
    await tell(searchable, "a", "restart kubectl first")
    found = await searchable.search.find("kubectx")
    assert [hit.session_title for hit in found.hits] == ["a"]
    assert found.hits[0].is_nearest
    assert not found.found_as_asked


async def test_a_hit_comes_with_what_was_said_around_it(searchable: Store) -> None:
    session = await begin(searchable)
    other = await begin(searchable)
    ids = [
        await searchable.messages.append(one.id, message)
        for one, message in (
            (session, user("Which port?")),
            (other, user("between")),
            (session, assistant("Port 8080 needle.")),
            (other, user("between")),
            (session, user("Fine.")),
        )
    ]
    [hit] = (await searchable.search.find("needle")).hits
    assert hit.before is not None
    assert hit.after is not None
    assert (hit.before.message_id, hit.before.excerpt) == (ids[0], "Which port?")
    assert (hit.after.message_id, hit.after.role) == (ids[4], "user")
    assert (hit.place, hit.text) == (2, "Port 8080 needle.")


async def test_an_answer_is_found_by_the_words_of_the_question_before_it(searchable: Store) -> None:
    await tell(searchable, "wanted", "where is the mail server?", "The server is in Lyon.", "Ah.")
    for number in range(5):
        await tell(searchable, f"other {number}", "Hm.", "The server is in Bonn.", "Good.")
    assert (await titles(searchable, "where is the mail server"))[0] == "wanted"
    hits = (await searchable.search.find("mail server")).hits
    assert [hit.text for hit in hits[:2]] == ["where is the mail server?", "The server is in Lyon."]


async def test_hits_are_grouped_by_session(searchable: Store) -> None:
    await tell(searchable, "much", *["needle and thread"] * 6)
    await tell(searchable, "little", "needle")
    found = await searchable.search.find("needle thread")
    assert [(one.title, len(one.hits)) for one in found.sessions] == [("much", 3), ("little", 1)]
    assert (found.total, found.sessions_found) == (7, 2)


async def test_a_session_is_found_by_its_summary_alone(searchable: Store) -> None:
    session = await begin(searchable, title="Choosing")
    last = await searchable.messages.append(session.id, user("Shall we take the first one?"))
    note = Note(summary="They chose PostgreSQL over MySQL.", decisions=("Use PostgreSQL.",))
    await searchable.summaries.put(session.id, note, upto=last, method="extractive")
    found = await searchable.search.find("postgresql decision")
    [one] = found.sessions
    assert (one.id, one.hits) == (session.id, ())
    assert one.about.startswith("They chose PostgreSQL over MySQL.")
    assert found.found_as_asked
    assert found.report.startswith("1 of 1 session;")


async def test_a_newer_summary_replaces_the_older(searchable: Store) -> None:
    session = await begin(searchable)
    for text in ("alpha beta", "我们迁移了数据库"):
        await searchable.summaries.put(session.id, Note(summary=text), upto=1, method="m")
    assert (await searchable.search.find("alpha")).hits == ()
    assert not (await searchable.search.find("alpha")).found_as_asked
    assert (await searchable.search.find("数据库")).sessions[0].id == session.id


async def test_a_summary_lifts_the_messages_of_its_session(searchable: Store) -> None:
    await tell(searchable, "a", "needle one")
    await tell(searchable, "b", "needle two")
    [older] = [one for one in (await searchable.search.find("one")).sessions if one.title == "a"]
    assert (await titles(searchable, "needle"))[0] == "b"
    await searchable.summaries.put(
        older.id, Note(summary="All about the needle."), upto=9, method="m"
    )
    assert (await titles(searchable, "needle"))[0] == "a"


async def test_earlier_searches_come_after_what_they_found(searchable: Store) -> None:
    session = await begin(searchable)
    call = ToolCall("c", "session_search", '{"query": "needle haystack"}')
    for message in (
        user("Do you remember?"),
        Message("assistant", (Text("Looking for needle haystack."), call)),
        tool_results([ToolResult("c", "needle haystack needle haystack")]),
    ):
        await searchable.messages.append(session.id, message)
    await tell(searchable, "told", "There was a needle in some large old haystack, far away.")
    found = await searchable.search.find("needle haystack")
    assert [hit.session_title for hit in found.hits] == [
        "told",
        "Do you remember?",
        "Do you remember?",
    ]


async def test_other_phrasings_are_looked_for_too(searchable: Store) -> None:
    await tell(searchable, "a", "the database moved")
    assert (await searchable.search.find("storage")).hits == ()
    found = await searchable.search.find("storage", alt=["database", "disk yesterday"])
    assert [one.title for one in found.sessions] == ["a"]
    assert found.terms == ("storage", "database", "disk")
    assert found.dates == ()


async def test_a_project_is_a_folder_with_all_in_it_or_a_name(searchable: Store) -> None:
    for cwd in ("/srv/app", "/srv/app/web", "/srv/apple"):
        session = await begin(searchable, title=cwd, cwd=cwd)
        await searchable.messages.append(session.id, user("needle"))
    both = ["/srv/app", "/srv/app/web"]
    assert sorted(await titles(searchable, "needle project:app")) == both
    found = await searchable.search.find("needle", cwd="/srv/app/")
    assert sorted(one.title for one in found.sessions) == both
    assert found.sessions_searched == 2


async def test_the_running_session_is_left_out(searchable: Store) -> None:
    own = await begin(searchable, title="own")
    await searchable.messages.append(own.id, user("needle"))
    await tell(searchable, "other", "needle")
    found = await searchable.search.find("needle", but=own.id)
    assert [hit.session_title for hit in found.hits] == ["other"]
    assert found.sessions_searched == 1


async def test_deleted_sessions_are_neither_found_nor_listed(searchable: Store) -> None:
    await tell(searchable, "a", "needle")
    [one] = (await searchable.search.find("needle")).sessions
    await searchable.sessions.delete(one.id)
    found = await searchable.search.find("needle last Tuesday")
    assert (found.hits, found.sessions, found.total, found.sessions_searched) == ((), (), 0, 0)


async def test_filters_can_be_typed(searchable: Store) -> None:
    session = await begin(searchable)
    await searchable.messages.append(session.id, user("needle"))
    await searchable.messages.append(session.id, assistant("needle"))
    found = await searchable.search.find("needle role:assistant")
    assert [hit.role for hit in found.hits] == ["assistant"]
    assert (await searchable.search.find("needle role:nobody")).terms == ("needle", "role:nobody")


async def test_a_search_out_of_time_gives_the_newest_and_says_so(searchable: Store) -> None:
    if searchable.index_kind == "like":
        pytest.skip("without an index there is nothing newer to fall back on")
    await tell(searchable, "a", *(f"needle {number} " + "word " * 40 for number in range(3000)))
    searchable.search._deadline_seconds = 0
    found = await searchable.search.find("needle word")
    assert found.is_partial
    assert found.hits[0].text.startswith("needle 2999 ")
    assert "partial: time ran out" in found.report


async def test_a_window_and_pages_open_what_was_found(searchable: Store) -> None:
    await tell(searchable, "a", *(f"message {number} " + "x" * 100 for number in range(30)))
    [session] = (await searchable.search.find("message")).sessions
    [hit] = (await searchable.search.find('"message 20"')).hits
    window = await searchable.search.around(hit.message_id, size=2)
    assert [line.text[:10] for line in window.messages] == [f"message {n}" for n in range(18, 23)]
    assert (window.first, window.last) == (19, 23)
    read: list[str] = []
    number: int | None = 1
    while number:
        passage = await searchable.search.page(session.id, number, chars=1000)
        read += [line.text for line in passage.messages]
        assert passage.last == len(read)
        number = passage.next_page
    assert len(read) == 30
    with pytest.raises(NotFoundError, match="pages"):
        await searchable.search.page(session.id, 99, chars=1000)
    with pytest.raises(NotFoundError, match="no message 999"):
        await searchable.search.around(999, size=2)


async def test_a_damaged_index_is_built_again(searchable: Store, path: Path) -> None:
    if searchable.index_kind == "like":
        pytest.skip("there is no index to damage")
    await tell(searchable, "a", *(f"needle {number}" for number in range(50)))
    connection = sqlite3.connect(path)
    with connection:
        if searchable.index_kind == "fts5":
            connection.execute("UPDATE messages_fts5_data SET block = x'00ff00ff' WHERE id > 10")
        else:
            connection.execute("UPDATE messages_fts4_segdir SET root = x'00ff00ff'")
    connection.close()
    assert (await searchable.search.find("needle")).total == 50
    session = await begin(searchable)
    await searchable.messages.append(session.id, user("another needle"))
    assert (await searchable.search.find("needle")).total == 51
