import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.core.errors import StoreError
from hermes_tui.core.messages import (
    Checklist,
    Diff,
    Hint,
    Message,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
    assistant,
    tool_results,
    user,
)
from hermes_tui.core.ports import Journal
from hermes_tui.core.usage import Usage
from hermes_tui.store.layout import from_row, storable, to_row
from hermes_tui.store.sessions import SessionRecord
from hermes_tui.store.store import Store
from tests.store.conftest import begin

CALLS = Message(
    "assistant",
    (
        Reasoning("First look.", "signed"),
        Text("Looking."),
        ToolCall("c1", "terminal", '{"command": "ls"}'),
        ToolCall("c2", "read_file", "{not json"),
    ),
)

texts = st.text(st.characters(exclude_categories=["Cs"]))
displays = st.none() | st.builds(Diff, texts, texts) | st.just(Checklist((("done", "x"),)))
parts: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, texts),
    st.builds(Reasoning, texts, st.none() | texts),
    st.builds(Hint, texts),
    st.builds(ToolCall, texts, texts, texts),
    st.builds(ToolResult, texts, texts, st.booleans(), displays),
)
messages = st.builds(
    Message, st.sampled_from(["user", "assistant", "tool"]), st.lists(parts).map(tuple)
)


@given(messages)
def test_every_message_lies_in_its_row_without_loss(message: Message) -> None:
    row = to_row(message)
    assert from_row(1, row.role, row.text, row.layout) == message


@given(st.text())
def test_every_string_can_be_stored_and_whole_ones_stay_as_they_are(text: str) -> None:
    stored = storable(user(text))
    stored.text.encode()
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert stored == user(text)


async def test_a_conversation_comes_back_as_it_was(
    store: Store, session: SessionRecord, path: Path
) -> None:
    diff = Diff("a.py", "-a\n+b")
    conversation = [
        user("What is here?\0 é 数据 🎉"),
        CALLS,
        tool_results([ToolResult("c1", "a\nb"), ToolResult("c2", "bad", True, diff)]),
        assistant(""),
        Message("assistant", ()),
    ]
    ids = [await store.messages.append(session.id, message) for message in conversation]
    assert ids == sorted(set(ids))
    async with Store.open(path) as again:
        stored = await again.messages.of_session(session.id)
    assert [entry.message for entry in stored] == conversation
    assert [entry.id for entry in stored] == ids
    assert (await store.sessions.get(session.id)).updated_at == stored[-1].at


async def test_messages_can_be_read_from_the_end_page_by_page(
    store: Store, session: SessionRecord
) -> None:
    other = await begin(store)
    for number in range(5):
        await store.messages.append(session.id, user(str(number)))
        await store.messages.append(other.id, user("other"))
    page = await store.messages.of_session(session.id, limit=2)
    assert [entry.message.text for entry in page] == ["3", "4"]
    page = await store.messages.of_session(session.id, before=page[0].id, limit=2)
    assert [entry.message.text for entry in page] == ["1", "2"]
    page = await store.messages.of_session(session.id, before=page[0].id)
    assert [entry.message.text for entry in page] == ["0"]


async def test_a_half_surrogate_is_replaced_not_fatal(store: Store, session: SessionRecord) -> None:
    broken = Message("assistant", (Text("a\ud800b"), ToolCall("c\udfff", "t", "{}")))
    await store.messages.append(session.id, broken)
    [stored] = await store.messages.of_session(session.id)
    assert stored.message == Message(
        "assistant", (Text("a\ufffdb"), ToolCall("c\ufffd", "t", "{}"))
    )


async def test_the_session_that_is_gone_is_named(store: Store) -> None:
    with pytest.raises(StoreError, match="nothing1"):
        await store.messages.append("nothing1", user("hi"))
    with pytest.raises(StoreError, match="nothing1"):
        await store.usage.record("nothing1", Usage(), "m")


async def test_results_recorded_before_a_crash_are_kept_and_the_rest_is_unknown(
    store: Store, session: SessionRecord, path: Path
) -> None:
    await store.messages.append(session.id, user("go"))
    await store.messages.append(session.id, CALLS)
    result = ToolResult("c2", "No such file", is_error=True, display=Diff("x", ""))
    await store.messages.record_result(session.id, result, 0.25)

    async with Store.open(path) as again:  # as after kill -9
        missing = await again.messages.unanswered(session.id)
        assert missing == [
            ToolResult("c1", "Interrupted; its outcome is unknown.", is_error=True),
            result,
        ]
        await again.messages.append(session.id, tool_results(missing))
        assert await again.messages.unanswered(session.id) == []


async def test_a_partly_answered_message_lacks_only_the_rest(
    store: Store, session: SessionRecord
) -> None:
    await store.messages.append(session.id, CALLS)
    await store.messages.append(session.id, tool_results([ToolResult("c1", "ok")]))
    [missing] = await store.messages.unanswered(session.id)
    assert missing.call_id == "c2"


async def test_a_conversation_without_open_calls_lacks_nothing(
    store: Store, session: SessionRecord
) -> None:
    assert await store.messages.unanswered(session.id) == []
    await store.messages.append(session.id, user("hi"))
    await store.messages.append(session.id, assistant("hello"))
    assert await store.messages.unanswered(session.id) == []


async def test_a_call_id_used_again_later_is_another_call(
    store: Store, session: SessionRecord
) -> None:
    call = Message("assistant", (ToolCall("call_0", "terminal", "{}"),))
    await store.messages.append(session.id, call)
    await store.messages.append(session.id, tool_results([ToolResult("call_0", "first")]))
    await store.messages.append(session.id, call)
    [missing] = await store.messages.unanswered(session.id)
    assert missing.content == "Interrupted; its outcome is unknown."
    await store.messages.record_result(session.id, ToolResult("call_0", "second"), 0.1)
    [missing] = await store.messages.unanswered(session.id)
    assert missing.content == "second"


async def test_two_calls_of_one_message_under_one_id_get_a_result_each(
    store: Store, session: SessionRecord
) -> None:
    call = ToolCall("same", "terminal", "{}")
    await store.messages.append(session.id, Message("assistant", (call, call)))
    await store.messages.record_result(session.id, ToolResult("same", "one"), 0.1)
    await store.messages.record_result(session.id, ToolResult("same", "two"), 0.1)
    assert [r.content for r in await store.messages.unanswered(session.id)] == ["one", "two"]
    with pytest.raises(StoreError, match="no open tool call 'same'"):
        await store.messages.record_result(session.id, ToolResult("same", "three"), 0.1)


async def test_a_result_is_not_kept_twice_once_its_message_is_stored(
    store: Store, session: SessionRecord, path: Path
) -> None:
    await store.messages.append(session.id, CALLS)
    results = [ToolResult("c1", "x" * 9000), ToolResult("c2", "no", is_error=True)]
    await store.messages.record_result(session.id, results[0], 1.5)
    await store.messages.append(session.id, tool_results(results))
    connection = sqlite3.connect(path)
    rows = connection.execute(
        "SELECT call_id, name, status, result, seconds FROM tool_calls ORDER BY position"
    ).fetchall()
    connection.close()
    assert rows == [
        ("c1", "terminal", "finished", None, 1.5),
        ("c2", "read_file", "failed", None, None),
    ]


async def test_a_journal_keeps_a_whole_turn(store: Store, session: SessionRecord) -> None:
    journal: Journal = store.journal(session.id)
    await journal.append(user("go"))
    await journal.append(CALLS)
    await journal.record_result(ToolResult("c1", "ok"), 0.1)
    await journal.record_usage(Usage(10, 5, cost_usd=0.01), "m")
    assert len(await store.messages.of_session(session.id)) == 2
    first, _ = await store.messages.unanswered(session.id)
    assert first.content == "ok"
    assert (await store.usage.of_session(session.id)).cost_usd == 0.01


async def test_a_row_changed_by_another_program_is_named(
    store: Store, session: SessionRecord, path: Path
) -> None:
    number = await store.messages.append(session.id, CALLS)
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE messages SET layout = '[[\"what\"]]'")
    connection.close()
    with pytest.raises(StoreError, match=f"Message {number} is damaged"):
        await store.messages.of_session(session.id)
