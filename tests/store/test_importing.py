from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.core.errors import NotFoundError
from hermes_tui.core.messages import Message, Text, ToolCall, ToolResult, assistant, user
from hermes_tui.store.import_forms import FormError, NotKept, Said, read_entry
from hermes_tui.store.importing import NO_RESULT, imported_id
from hermes_tui.store.store import Store
from hermes_tui.store.summaries import Note
from tests.store.conftest import begin

AT = datetime(2025, 3, 5, 10, tzinfo=UTC)


def test_a_line_is_a_message() -> None:
    line = {"session": "s", "title": "T", "role": "user", "content": "hi", "time": AT.isoformat()}
    assert list(read_entry(line)) == [Said("s", "T", user("hi"), AT)]


def test_sharegpt_and_openai_conversations_are_read() -> None:
    share = {
        "id": 7,
        "conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}],
    }
    assert list(read_entry(share)) == [
        Said("7", "", user("q"), None),
        Said("7", "", assistant("a"), None),
    ]
    call = {"id": "c", "type": "function", "function": {"name": "ls", "arguments": {"path": "."}}}
    [lost, asked, called, answered] = read_entry(
        {
            "id": "x",
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "list"}, {"type": "x"}]},
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c", "content": "a.txt"},
            ],
        }
    )  # fmt: skip
    assert lost == NotKept("x")
    assert isinstance(asked, Said)
    assert asked.message == user("list")
    assert isinstance(called, Said)
    assert called.message.parts == (ToolCall("c", "ls", '{"path":"."}'),)
    assert isinstance(answered, Said)
    assert answered.message.parts == (ToolResult("c", "a.txt"),)


def test_a_conversation_without_a_name_is_the_same_when_it_comes_again() -> None:
    entry = {"messages": [{"role": "user", "content": "x"}]}
    [one], [other] = read_entry(entry), read_entry(dict(entry))
    assert isinstance(one, Said)
    assert one == other


UNREADABLE: list[tuple[Any, str]] = [
    ([], "is no JSON object"),
    ({}, "neither `role`"),
    ({"role": "robot", "content": "x"}, "unknown role 'robot'"),
    ({"role": "user", "content": 5}, "neither text nor a list"),
    ({"role": "user", "content": "x", "time": "soon"}, "the time 'soon'"),
    ({"role": "user", "content": "x", "time": 1e300}, "the time"),
    ({"role": "assistant", "tool_calls": [{}]}, "without `function`"),
    ({"role": "user", "content": "x", "parts": [{"type": "?"}]}, "`parts`"),
    ({"messages": ["x"]}, "no JSON object"),
]


@pytest.mark.parametrize(("entry", "reason"), UNREADABLE)
def test_what_cannot_be_read_says_why(entry: object, reason: str) -> None:
    [error] = read_entry(entry)
    assert isinstance(error, FormError)
    assert reason in str(error)


@pytest.mark.parametrize("role", ["system", "developer"])
def test_instructions_to_another_model_are_left_out(role: str) -> None:
    [one] = read_entry({"role": role, "content": "Be nice."})
    assert isinstance(one, NotKept)


@pytest.mark.parametrize("time", ["2025-03-05T10:00:00Z", AT.timestamp(), AT.timestamp() * 1000])
def test_times_come_in_several_forms(time: object) -> None:
    [one] = read_entry({"role": "user", "content": "x", "time": time})
    assert isinstance(one, Said)
    assert one.at == AT


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["role", "content", "messages", "conversations", "from", "value"])
            | st.sampled_from(["time", "tool_calls", "function", "parts", "session", "id"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_json_is_read_or_refused(entry: object) -> None:
    for one in read_entry(entry):
        assert isinstance(one, Said | NotKept | FormError)


async def test_what_comes_twice_is_stored_once(store: Store) -> None:
    said = [Said("s", "T", user(text), AT) for text in ("hi", "ok", "ok", "bye")]
    first = await store.importer().take(said)
    assert (first.added, first.known) == (4, 0)
    again = await store.importer().take([*said, Said("s", "T", user("ok"), AT)])
    assert (again.added, again.known) == (1, 4)
    record = await store.sessions.get(imported_id("s"))
    assert (record.title, record.message_count, record.source) == ("T", 5, "import")
    assert (record.created_at, record.updated_at) == (AT, AT)


async def test_a_file_in_two_batches_counts_as_one(store: Store) -> None:
    said = [Said("s", "T", user("ok"), AT)] * 3
    for _ in range(2):
        importer = store.importer()
        for one in said:
            await importer.take([one])
    assert (await store.sessions.get(imported_id("s"))).message_count == 3


async def test_imported_messages_are_found_by_their_own_date(store: Store) -> None:
    await store.importer().take([Said("s", "T", user("needle"), AT)])
    assert (await store.search.find("needle in March 2025")).total == 1
    assert (await store.search.find("needle", after=AT + timedelta(days=1))).total == 0


async def test_a_deleted_session_stays_deleted_and_is_named(store: Store) -> None:
    said = [Said("s", "T", user("needle"), AT), Said("s", "T", user("more"), AT)]
    await store.importer().take(said[:1])
    await store.sessions.delete(imported_id("s"))
    taken = await store.importer().take(said)
    assert (taken.added, taken.known, taken.sessions) == (0, 0, {})
    assert taken.deleted == {imported_id("s")}
    with pytest.raises(NotFoundError, match="was deleted"):
        await store.sessions.get(imported_id("s"))


async def test_an_archived_session_that_grows_is_seen_again(store: Store) -> None:
    said = [Said("s", "T", user("needle"), AT), Said("s", "T", user("more"), AT)]
    await store.importer().take(said[:1])
    key = imported_id("s")
    await store.summaries.put(key, Note(summary="Needles."), upto=1, method="extractive")
    soon = datetime.now(UTC) + timedelta(days=1)
    assert await store.reviews.archive(soon) == 1
    assert (await store.importer().take(said[:1])).known == 1
    assert await store.sessions.newest() == []
    await store.importer().take(said)
    assert [one.id for one in await store.sessions.newest()] == [key]


def called(*ids: str) -> Message:
    return Message("assistant", tuple(ToolCall(one, "ls", "{}") for one in ids))


def answered(call: str, text: str) -> Message:
    return Message("tool", (ToolResult(call, text),))


HALF_ANSWERED = (
    user("list"),
    called("a", "b"),
    answered("a", "one"),
    user("never mind b"),
    answered("b", "two"),
    answered("z", " "),
    assistant("ok"),
)


async def test_calls_and_results_that_do_not_match_are_mended_on_import(store: Store) -> None:
    said = [Said("s", "T", message, AT) for message in HALF_ANSWERED]
    taken = await store.importer().take(said)
    assert (taken.added, taken.answered, taken.orphans) == (6, 1, 2)
    stored = [one.message for one in await store.messages.of_session(imported_id("s"))]
    assert stored == [
        *HALF_ANSWERED[:3],
        Message("tool", (ToolResult("b", NO_RESULT, is_error=True),)),
        HALF_ANSWERED[3],
        Message("tool", (Text("two"),)),
        HALF_ANSWERED[6],
    ]
    importer = store.importer()
    again = [await importer.take([one]) for one in said]
    assert [(one.added, one.answered) for one in again] == [(0, 0)] * len(said)


async def test_an_answer_that_comes_with_a_later_import_finds_its_call(store: Store) -> None:
    said = [Said("s", "T", one, AT) for one in (user("go"), called("a"), answered("a", "1"))]
    await store.importer().take(said[:2])
    assert (await store.importer().take(said)).orphans == 0
    assert await store.messages.unanswered(imported_id("s")) == []


async def test_every_part_of_a_message_survives(store: Store) -> None:
    message = Message("assistant", (Text("Look: "), ToolCall("c", "ls", "{}"), Text("so")))
    entry = {"session": "s", "role": "assistant", "parts": msgspec.to_builtins(message.parts)}
    await store.importer().take([one for one in read_entry(entry) if isinstance(one, Said)])
    [stored] = await store.messages.of_session(imported_id("s"))
    assert stored.message == message
    assert [result.call_id for result in await store.messages.unanswered(imported_id("s"))] == ["c"]


async def test_an_id_of_hermes_stays(store: Store) -> None:
    session = await begin(store)
    assert imported_id(session.id) == session.id
    assert len(imported_id("a name elsewhere")) == 8


@pytest.mark.parametrize(
    ("entry", "lost"),
    [
        ('{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}', "image"),
        ('{"role": "user", "content": [{"type": "input_audio"}, {"text": "q"}]}', "audio"),
        ('{"images": ["a.png", "b.png"], "conversations": []}', "image, image"),
        ('{"image": "a.png", "conversations": []}', "image"),
        ('{"role": "user", "content": [{"type": "text", "text": ""}]}', "no text"),
        ('{"role": "user", "content": [{}, "words"]}', ""),
    ],
)
def test_what_is_no_text_is_named(entry: str, lost: str) -> None:
    read = read_entry(msgspec.json.decode(entry))
    assert ", ".join(one.reason for one in read if isinstance(one, NotKept)) == lost
