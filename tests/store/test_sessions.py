import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hermes_tui.core.errors import NotFoundError, StoreError
from hermes_tui.core.messages import user
from hermes_tui.core.ports import Prefix, ToolSpec
from hermes_tui.core.usage import Usage
from hermes_tui.store.sessions import ID_ALPHABET, SessionRecord
from hermes_tui.store.store import Store
from tests.store.conftest import begin


async def test_a_new_session_is_stored_with_all_it_was_given(store: Store, path: Path) -> None:
    before = datetime.now(UTC)
    made = await store.sessions.create(
        cwd="/src", model="openai/x", environment="docker", source="screen", title="Fix"
    )
    async with Store.open(path) as again:
        found = await again.sessions.get(made.id)
    assert found == made
    assert (found.title, found.cwd, found.model) == ("Fix", "/src", "openai/x")
    assert (found.environment, found.source, found.message_count) == ("docker", "screen", 0)
    assert found.usage == Usage()
    assert before - timedelta(seconds=1) < found.created_at <= datetime.now(UTC)
    assert len(found.id) == 8
    assert set(found.id) <= set(ID_ALPHABET)


async def test_a_session_is_found_by_the_beginning_of_its_id(
    store: Store, session: SessionRecord
) -> None:
    assert await store.sessions.get(session.id[:6]) == session
    assert await store.sessions.get(f" {session.id.upper()}\n") == session


async def test_letters_mistaken_for_digits_in_an_id_are_read_as_meant(
    store: Store, session: SessionRecord, path: Path
) -> None:
    execute(path, "UPDATE sessions SET id = '10a1b0cd'")
    assert (await store.sessions.get("loaIbOcd")).id == "10a1b0cd"


async def test_an_ambiguous_beginning_names_the_candidates(store: Store, path: Path) -> None:
    first, second = await begin(store, title="One"), await begin(store)
    execute(path, "UPDATE sessions SET id = 'aaaa' || key")
    with pytest.raises(NotFoundError, match=r"aaaa2, aaaa1 \(One\)") as caught:
        await store.sessions.get("aaaa")
    assert caught.value.hint
    assert first.id != second.id


@pytest.mark.parametrize("name", ["nothing", "", "  ", "%", "'; --", "\udc80"])
async def test_an_unknown_id_says_how_to_list_sessions(
    store: Store, session: SessionRecord, name: str
) -> None:
    with pytest.raises(NotFoundError) as caught:
        await store.sessions.get(name)
    assert "sessions list" in caught.value.hint


async def test_the_session_used_last_comes_first(store: Store) -> None:
    first, second, third, _unused = [await begin(store, cwd=f"/{n}") for n in "abaa"]
    for used in (first, second, third, first):
        await store.messages.append(used.id, user("again"))
    assert [s.id for s in await store.sessions.newest()] == [first.id, third.id, second.id]
    assert [s.id for s in await store.sessions.newest(limit=1, offset=1)] == [third.id]
    latest = await store.sessions.latest()
    assert latest is not None
    assert (latest.id, latest.message_count) == (first.id, 2)
    assert latest.updated_at > latest.created_at
    in_b = await store.sessions.latest("/b")
    assert in_b is not None
    assert in_b.id == second.id
    assert await store.sessions.latest("/nowhere") is None


async def test_a_list_can_be_narrowed_by_what_titles_and_folders_say(store: Store) -> None:
    for title, cwd in (("Repair 100% of it", "/srv/web"), ("Other", "/home")):
        made = await begin(store, title=title, cwd=cwd)
        await store.messages.append(made.id, user("hello"))
    assert [s.title for s in await store.sessions.newest(text="repair")] == ["Repair 100% of it"]
    assert [s.title for s in await store.sessions.newest(text="/srv")] == ["Repair 100% of it"]
    assert [s.title for s in await store.sessions.newest(text="0%")] == ["Repair 100% of it"]
    assert await store.sessions.newest(text="_") == []


async def test_a_session_is_called_by_its_first_prompt_until_it_gets_a_name(store: Store) -> None:
    made = await begin(store)
    await store.messages.append(made.id, user("  fix   the\tport\nand more"))
    await store.messages.append(made.id, user("something else"))
    assert (await store.sessions.get(made.id)).title == "fix the port"


async def test_a_renamed_session_keeps_its_name(store: Store, session: SessionRecord) -> None:
    await store.sessions.rename(session.id, "Übung")
    assert (await store.sessions.get(session.id)).title == "Übung"
    with pytest.raises(NotFoundError):
        await store.sessions.rename("nothing1", "x")


async def test_a_deleted_session_is_hidden_until_it_is_restored(
    store: Store, session: SessionRecord
) -> None:
    await store.messages.append(session.id, user("hello"))
    await store.sessions.delete(session.id)
    assert await store.sessions.newest() == []
    assert await store.sessions.latest() is None
    assert (await store.search.find("hello")).total == 0
    with pytest.raises(NotFoundError, match="was deleted"):
        await store.sessions.get(session.id)
    with pytest.raises(NotFoundError):
        await store.sessions.delete(session.id)

    await store.sessions.restore(session.id)
    assert (await store.sessions.get(session.id)).message_count == 1
    assert (await store.search.find("hello")).total == 1
    with pytest.raises(NotFoundError, match="no deleted session"):
        await store.sessions.restore(session.id)


@pytest.mark.parametrize("fts", ["fts5", "fts4", "like"])
async def test_what_was_deleted_a_month_ago_is_gone_at_the_next_start(path: Path, fts: str) -> None:
    async with Store.open(path, fts=fts) as store:  # pyright: ignore[reportArgumentType]
        old, recent, kept = [await begin(store) for _ in range(3)]
        for session in (old, recent, kept):
            await store.sessions.set_prefix(session.id, Prefix(session.id, ()))
            await store.messages.append(session.id, user(f"words of {session.id}"))
            await store.usage.record(session.id, Usage(input_tokens=7), "m")
        await store.sessions.delete(old.id)
        await store.sessions.delete(recent.id)
        await store.search.find("words")
    month = timedelta(days=30, seconds=1) // timedelta(microseconds=1)
    execute(path, f"UPDATE sessions SET deleted_at = deleted_at - {month} WHERE id = '{old.id}'")

    async with Store.open(path, fts=fts) as store:  # pyright: ignore[reportArgumentType]
        with pytest.raises(NotFoundError):
            await store.sessions.restore(old.id)
        await store.sessions.restore(recent.id)
        with pytest.raises(StoreError):
            await store.messages.append(old.id, user("late"))
        assert (await store.search.find("words")).total == 2
        # What was paid stays in the accounts.
        since = datetime.now(UTC) - timedelta(days=1)
        assert [day.usage.input_tokens for day in await store.usage.by_day(since)] == [21]
    assert execute(path, "SELECT count(*) FROM prefixes") == [(2,)]
    if fts != "like":
        execute(path, f"INSERT INTO messages_{fts} (messages_{fts}) VALUES ('integrity-check')")
        hits = execute(path, f"SELECT rowid FROM messages_{fts} WHERE body MATCH '{old.id}'")
        assert hits == []


async def test_a_prefix_comes_back_as_it_was_and_is_kept_once(store: Store, path: Path) -> None:
    spec = ToolSpec("terminal", "Runs é.", {"type": "object", "b": 1, "a": [None, 1.5]})
    prefix = Prefix("You are Hermes.", (spec,))
    sessions = [await begin(store) for _ in range(3)]
    for session in sessions:
        assert await store.sessions.prefix(session.id) is None
        await store.sessions.set_prefix(session.id, prefix)
    for session in sessions:
        found = await store.sessions.prefix(session.id)
        assert found == prefix
        assert found is not None
        assert list(found.tools[0].parameters) == ["type", "b", "a"]
    assert execute(path, "SELECT count(*) FROM prefixes") == [(1,)]

    await store.sessions.set_prefix(sessions[0].id, Prefix("Other", ()))
    assert await store.sessions.prefix(sessions[0].id) == Prefix("Other", ())
    assert await store.sessions.prefix(sessions[1].id) == prefix
    with pytest.raises(NotFoundError):
        await store.sessions.set_prefix("nothing1", prefix)


async def test_a_folder_with_an_undecodable_name_can_be_worked_in(store: Store) -> None:
    made = await begin(store, cwd="/srv/\udcff")
    await store.messages.append(made.id, user("hello"))
    found = await store.sessions.latest("/srv/\udcff")
    assert found is not None
    assert found.id == made.id


def execute(path: Path, statement: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        with connection:
            return connection.execute(statement).fetchall()
    finally:
        connection.close()
