import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from hermes_tui.core.errors import StoreError
from hermes_tui.core.messages import (
    Message,
    Text,
    ToolCall,
    ToolResult,
    assistant,
    tool_results,
    user,
)
from hermes_tui.store import indexes
from hermes_tui.store.database import stamp
from hermes_tui.store.indexes import IndexKind
from hermes_tui.store.store import Store
from tests.store.conftest import begin

LOREM = ["lorem", "ipsum", "dolor", "sit", "amet", "consectetur", "adipiscing", "elit"]


async def fill(store: Store, texts: Iterable[str]) -> str:
    session = await begin(store, title="A talk")
    for text in texts:
        await store.messages.append(session.id, user(text))
    return session.id


async def found(store: Store, query: str) -> list[str]:
    """Excerpts without marks, the best first."""
    results = await store.search.find(query)
    return [hit.excerpt.replace("«", "").replace("»", "") for hit in results.hits]


async def test_a_hit_says_where_and_when_it_was_said(searchable: Store) -> None:
    session = await begin(searchable, title="Moving")
    number = await searchable.messages.append(session.id, assistant("The server moved to Bonn."))
    [stored] = await searchable.messages.of_session(session.id)
    results = await searchable.search.find("When did we move the server?")
    [hit] = results.hits
    assert (hit.session_id, hit.session_title) == (session.id, "Moving")
    assert (hit.message_id, hit.role, hit.at) == (number, "assistant", stored.at)
    assert hit.excerpt == "The «server» «moved» to Bonn."
    assert (results.total, results.is_capped, results.sessions_searched) == (1, False, 1)
    assert results.terms == ("move", "server")
    assert results.dropped == ("When", "did", "we", "the")


async def test_finding_nothing_says_what_was_looked_for_and_where(searchable: Store) -> None:
    await fill(searchable, ["one"])
    await fill(searchable, ["two"])
    results = await searchable.search.find("absent thing")
    assert results.hits == ()
    assert results.sessions_searched == 2
    assert results.terms == ("absent", "thing")


async def test_rare_words_count_more_than_common_ones(searchable: Store) -> None:
    filler = [f"{word} {'python' if n % 4 == 0 else word}" for n in range(5) for word in LOREM]
    for text in ("python kubernetes", "kubernetes lorem"):
        await fill(searchable, [text])
    await fill(searchable, filler)
    ranked = await found(searchable, "python kubernetes")
    assert ranked[:2] == ["python kubernetes", "kubernetes lorem"]
    assert len(ranked) == 18


async def test_equal_matches_come_newest_first(searchable: Store) -> None:
    filler = [f"{word} filler" for word in LOREM]
    session = await fill(searchable, ["needle same", "needle same", *filler])
    results = await searchable.search.find("needle")
    stored = await searchable.messages.of_session(session)
    assert [hit.message_id for hit in results.hits] == [stored[1].id, stored[0].id]


async def test_what_people_wrote_comes_before_what_tools_printed(searchable: Store) -> None:
    session = await begin(searchable)
    for word in LOREM:
        await searchable.messages.append(session.id, user(word))
    await searchable.messages.append(session.id, user("needle and thread"))
    await searchable.messages.append(
        session.id, tool_results([ToolResult("c", "needle and thread")])
    )
    results = await searchable.search.find("needle")
    assert [hit.role for hit in results.hits] == ["user", "tool"]


async def test_a_phrase_must_stand_together(searchable: Store) -> None:
    await fill(searchable, ["error in the handler", "the error handler"])
    assert await found(searchable, '"error handler"') == ["the error handler"]
    nearest = await searchable.search.find('"handler error"')
    assert (len(nearest.hits), nearest.found_as_asked) == (2, False)
    assert nearest.note == "No message has these words; these have words that begin like them."


async def test_a_star_stands_for_the_rest_of_a_word(searchable: Store) -> None:
    await fill(searchable, ["kubernetes", "kubectl", "cube", "ku"])
    assert sorted(await found(searchable, "kub*")) == ["kubectl", "kubernetes"]
    assert sorted(await found(searchable, "ku*")) == ["ku", "kubectl", "kubernetes"]


async def test_a_file_name_is_one_thing_until_nothing_has_it(searchable: Store) -> None:
    await fill(searchable, ["see top.txt", "at the top", "a txt file"])
    assert await found(searchable, "top.txt") == ["see top.txt"]
    assert sorted(await found(searchable, "txt/top")) == ["a txt file", "at the top", "see top.txt"]
    assert (await searchable.search.find("txt/top")).terms == ("txt", "top")


async def test_common_words_are_looked_for_when_there_are_no_others(searchable: Store) -> None:
    await fill(searchable, ["to be", "or else"])
    assert await found(searchable, "to be") == ["to be"]


async def test_chinese_japanese_and_korean_words_are_found(searchable: Store) -> None:
    await fill(
        searchable, ["我们昨天迁移了数据库。", "サーバーを移動した", "서버를 옮겼다", "据数"]
    )
    assert await found(searchable, "数据库") == ["我们昨天迁移了数据库。"]
    assert await found(searchable, "数据") == ["我们昨天迁移了数据库。"]
    assert await found(searchable, "移動") == ["サーバーを移動した"]
    assert await found(searchable, "서버") == ["서버를 옮겼다"]
    assert (await found(searchable, "昨天迁移数据库了吗"))[0] == "我们昨天迁移了数据库。"


async def test_words_after_a_line_break_in_a_tool_calls_json_are_found(searchable: Store) -> None:
    session = await begin(searchable)
    call = ToolCall("c", "write_file", r'{"content": "alpha\nbravo\tcharlie"}')
    await searchable.messages.append(session.id, Message("assistant", (Text("Writing."), call)))
    for word in ("alpha", "bravo", "charlie", "writing"):
        [hit] = (await searchable.search.find(word)).hits
        assert f"«{word}»" in hit.excerpt.lower()


async def test_long_tool_output_is_found_by_its_beginning_and_end(searchable: Store) -> None:
    session = await begin(searchable)
    output = "alpha " + "x " * 5000 + "bravo " + "x " * 5000 + "charlie"
    await searchable.messages.append(session.id, tool_results([ToolResult("c", output)]))
    assert (await searchable.search.find("alpha")).total == 1
    assert (await searchable.search.find("bravo")).total == 0
    [hit] = (await searchable.search.find("charlie")).hits
    assert hit.excerpt.endswith("«charlie»")


async def test_a_search_can_be_narrowed(searchable: Store, path: Path) -> None:
    here = await begin(searchable, cwd="/here")
    there = await begin(searchable, cwd="/there")
    ids = [
        await searchable.messages.append(here.id, user("needle")),
        await searchable.messages.append(here.id, assistant("needle")),
        await searchable.messages.append(there.id, user("needle")),
    ]
    noon = datetime(2026, 5, 4, 12, tzinfo=UTC)
    set_times(path, {ids[0]: noon, ids[1]: noon + timedelta(days=1), ids[2]: noon})

    async def hits(**where: object) -> list[int]:
        results = await searchable.search.find("needle", **where)  # pyright: ignore[reportArgumentType]
        return sorted(hit.message_id for hit in results.hits)

    assert await hits() == ids
    assert await hits(role="assistant") == [ids[1]]
    assert await hits(session=there.id) == [ids[2]]
    assert await hits(cwd="/here") == ids[:2]
    assert await hits(after=noon + timedelta(seconds=1)) == [ids[1]]
    assert await hits(after=noon, before=noon + timedelta(days=1)) == [ids[0], ids[2]]
    assert await hits(before=noon) == []
    assert await hits(after=noon + timedelta(days=9)) == []
    assert await hits(session="nothing1") == []
    assert len((await searchable.search.find("needle", limit=2)).hits) == 2
    assert (await searchable.search.find("needle", cwd="/here")).sessions_searched == 1


@pytest.mark.parametrize(("fts", "cap"), [("fts5", 2000), ("fts4", 1000)])
async def test_a_search_says_when_there_may_be_older_matches(
    path: Path, fts: IndexKind, cap: int
) -> None:
    async with Store.open(path, fts="like") as store:
        session = await begin(store)
        first = await store.messages.append(session.id, user("needle first"))
    copy_message(path, first, times=cap)
    async with Store.open(path, fts=fts) as store:
        results = await store.search.find("needle")
        assert (results.total, results.is_capped) == (cap, True)
        assert (await store.search.find("needle", before=datetime.now(UTC))).is_capped


@pytest.mark.parametrize("fts", ["fts5", "fts4"])
async def test_what_was_written_without_this_index_is_found_all_the_same(
    path: Path, fts: IndexKind
) -> None:
    async with Store.open(path, fts=fts) as store:
        session = await begin(store)
        await store.messages.append(session.id, user("first needle"))
        async with Store.open(path, fts="like") as other:
            await other.messages.append(session.id, user("second needle"))
        await store.messages.append(session.id, user("third needle"))
        assert (await store.search.find("needle")).total == 3
        async with Store.open(path, fts="like") as other:
            await other.messages.append(session.id, user("fourth needle"))
        assert (await store.search.find("needle")).total == 4


async def test_a_sqlite_without_the_best_index_uses_the_next(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    best, *others = indexes._KINDS
    # No SQLite has such a module, as a small build has no FTS5.
    missing = structs.replace(best, kind="fts99")
    monkeypatch.setattr(indexes, "_KINDS", (missing, *others))
    async with Store.open(path) as store:
        assert store.index_kind == "fts4"
    monkeypatch.setattr(indexes, "_KINDS", (missing,))
    async with Store.open(path) as store:
        assert store.index_kind == "like"
    with pytest.raises(StoreError, match="has no FTS99"):
        async with Store.open(path, fts="fts99"):  # pyright: ignore[reportArgumentType]
            pass


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.text() | st.text("\"*'()^:-+ ANDORNTE数é_.", min_size=1), min_size=1))
@pytest.mark.parametrize("fts", ["fts5", "fts4", "like"])
def test_nothing_that_can_be_typed_is_an_error(
    path: Path, fts: IndexKind, queries: list[str]
) -> None:
    async def search_for_all() -> None:
        async with Store.open(path, fts=fts) as store:
            for query in queries:
                results = await store.search.find(query)
                assert bool(results.terms) or not results.hits

    anyio.run(search_for_all)


def set_times(path: Path, times: dict[int, datetime]) -> None:
    connection = sqlite3.connect(path)
    with connection:
        for number, at in times.items():
            connection.execute("UPDATE messages SET at = ? WHERE id = ?", (stamp(at), number))
            connection.execute(
                "INSERT INTO days VALUES (?, 0) ON CONFLICT DO NOTHING", (stamp(at) // 86400000000,)
            )
    connection.close()


def copy_message(path: Path, number: int, *, times: int) -> None:
    connection = sqlite3.connect(path)
    with connection:
        for _ in range(times):
            connection.execute(
                "INSERT INTO messages (session, role, at, text) "
                "SELECT session, role, at, text FROM messages WHERE id = ?",
                (number,),
            )
        connection.execute("INSERT INTO days SELECT day, 1 FROM days")
        connection.execute("INSERT INTO days SELECT day, 2 FROM days WHERE block = 0")
    connection.close()
