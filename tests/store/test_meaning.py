"""Finding what was said in other words."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from hermes_tui.core.memory import Source
from hermes_tui.core.messages import assistant, user
from hermes_tui.learning.learner import Learner
from hermes_tui.memory.files import MemoryFiles
from hermes_tui.memory.memory import Memory
from hermes_tui.memory.preferences import Preferences
from hermes_tui.models.embedder import HttpEmbedder, open_embedder
from hermes_tui.models.resolve import ProviderSettings
from hermes_tui.store.meaning import QUERY_SECONDS, Meaning
from hermes_tui.store.store import Store
from hermes_tui.store.summaries import Note
from hermes_tui.tools.session_search import SessionSearchArgs, session_search_tool
from tests.doubles.openai_server import Answer, OpenAIServer, error, serve

SUMMARIES = {
    "postgres": "Moved postgres to a new server.",
    "letters": "Wrote dunning letters for overdue bills.",
    "soup": "Cooked a soup of red lentils and cumin.",
}
PARAPHRASE = "relocating the database to another machine"


class Desk:
    """A store with three noted sessions, and the server its vectors come from."""

    def __init__(self, store: Store, server: OpenAIServer, folder: Path) -> None:
        self.store = store
        self.server = server
        self.ids: dict[str, str] = {}
        self.opened: list[HttpEmbedder] = []
        self.memory = Memory(MemoryFiles(folder / "memory"), store.memory_items)
        self.learner = Learner(
            store=store,
            memory=self.memory,
            preferences=Preferences(folder / "preferences"),
            model=lambda: None,
        )

    def use(self, model: str, *, query_seconds: float = 10.0) -> Meaning:
        providers = {"ollama": ProviderSettings(base_url=self.server.url)}
        embedder = open_embedder(f"ollama/{model}", providers=providers, secrets={})
        self.opened.append(embedder)
        self.store.search_by_meaning(lambda: embedder)
        meaning = self.store.search.meaning
        assert meaning is not None
        meaning._query_seconds = query_seconds
        return meaning

    async def note(self, title: str, summary: str, *said: str) -> None:
        record = await self.store.sessions.create(
            cwd="/w", model="m", environment="local", source="run", title=title
        )
        for number, text in enumerate(said or ("hello", "Done.")):
            await self.store.messages.append(record.id, (user, assistant)[number % 2](text))
        note = Note(summary=summary)
        await self.store.summaries.put(record.id, note, upto=10**6, method="extractive")
        self.ids[title] = record.id

    async def titles(self, query: str, *, limit: int = 20) -> list[str]:
        found = await self.store.search.find(query, limit=limit)
        return [session.title for session in found.sessions]


@pytest.fixture
async def desk(store: Store, tmp_path: Path) -> AsyncGenerator[Desk, None]:
    async with serve() as server:
        desk = Desk(store, server, tmp_path)
        for title, summary in SUMMARIES.items():
            await desk.note(title, summary)
        desk.use("small")
        with anyio.fail_after(20):
            yield desk
        for embedder in desk.opened:
            await embedder.aclose()


async def test_a_paraphrase_without_a_shared_word_finds_the_session(desk: Desk) -> None:
    await desk.learner.embed_pending()
    found = await desk.store.search.find(PARAPHRASE)
    (session,) = found.sessions
    assert (session.title, session.by_meaning, session.hits) == ("postgres", True, ())
    assert session.about == SUMMARIES["postgres"]
    assert found.found_as_asked
    assert found.note.startswith("Nothing has these words; sessions found by meaning")
    assert found.report.startswith("1 of 3 sessions; 1 by meaning; ")
    assert await desk.titles("reminder for the customer whose invoice is late") == ["letters"]


async def test_nothing_is_near_to_what_was_never_said(desk: Desk) -> None:
    await desk.learner.embed_pending()
    found = await desk.store.search.find("quarterly taxes")
    assert [one.by_meaning for one in found.sessions] == [False] * 3
    assert found.note == "Nothing has these words; these are the last sessions."


async def test_words_and_meaning_are_shown_together_and_words_come_first(desk: Desk) -> None:
    await desk.note("aloud", "About lunch.", "What about relocating to Rome?", "Why not.")
    await desk.learner.embed_pending()
    found = await desk.store.search.find(PARAPHRASE)
    shown = [(one.title, one.by_meaning) for one in found.sessions]
    assert shown == [("aloud", False), ("postgres", True)]
    assert (found.note, found.sessions_found) == ("", 2)


async def test_meaning_never_drops_what_words_find(desk: Desk) -> None:
    for number in range(6):
        await desk.note(f"exact {number}", "About lunch.", "relocating", "Relocating it is.")
        await desk.note(f"near {number}", f"Moved the postgres tables of box {number}.")
    desk.store.search.meaning = None
    plain = set(await desk.titles(PARAPHRASE, limit=4))
    hits = (await desk.store.search.find(PARAPHRASE, limit=4)).hits
    desk.use("small")
    await desk.learner.embed_pending()
    joined = await desk.store.search.find(PARAPHRASE, limit=4)
    titles = {session.title for session in joined.sessions}
    assert plain < titles
    assert len(titles) == len(plain) + 3
    assert joined.hits == hits


async def test_a_server_that_is_down_leaves_the_words_and_a_note(desk: Desk) -> None:
    await desk.learner.embed_pending()
    desk.server.embeddings = [error(503, "loading the model")] * 2
    found = await desk.store.search.find("soup")
    assert [session.title for session in found.sessions] == ["soup"]
    assert found.found_as_asked
    assert found.note.startswith("Only words were compared: Ollama cannot answer now: loading")
    nothing = await desk.store.search.find(PARAPHRASE)
    assert nothing.note.startswith("Nothing has these words; these are the last sessions. Only")


async def test_a_key_that_is_missing_leaves_the_words(desk: Desk) -> None:
    def refuse() -> HttpEmbedder:
        return open_embedder("openai/any", providers={}, secrets={})

    desk.store.search_by_meaning(refuse)
    found = await desk.store.search.find("soup")
    assert [session.title for session in found.sessions] == ["soup"]
    assert found.note.startswith("Only words were compared: OpenAI needs an API key")
    assert await desk.learner.embed_pending() == 0


async def test_a_search_waits_for_a_vector_no_longer_than_it_may(desk: Desk) -> None:
    await desk.learner.embed_pending()
    desk.use("small", query_seconds=QUERY_SECONDS)
    desk.server.embeddings = [Answer(stall_after=0)]
    with anyio.fail_after(2):
        found = await desk.store.search.find("soup")
    assert [session.title for session in found.sessions] == ["soup"]
    assert found.note == "Only words were compared: Ollama sent no vectors for 0.4 seconds."


async def test_before_there_are_vectors_nothing_is_sent_and_the_note_says_why(desk: Desk) -> None:
    found = await desk.store.search.find("soup")
    assert "nothing has a vector of ollama/small yet" in found.note
    assert desk.server.embedded == []


async def test_another_model_embeds_everything_anew(desk: Desk) -> None:
    source = Source("person")
    await desk.memory.add("memory", "The wiki runs on port 9000.", source=source)
    assert await desk.learner.embed_pending() == 4
    assert await desk.learner.embed_pending() == 0
    desk.use("large")
    assert "no message" not in (await desk.store.search.find(PARAPHRASE)).note.lower()
    assert await desk.titles(PARAPHRASE) != ["postgres"]
    assert await desk.learner.embed_pending() == 4
    assert await desk.titles(PARAPHRASE) == ["postgres"]
    assert [one["model"] for one in desk.server.embedded] == ["small", "large", "large"]


async def test_a_changed_summary_is_found_by_what_it_says_now(desk: Desk) -> None:
    await desk.learner.embed_pending()
    note = Note(summary="Wrote a poem.")
    await desk.store.summaries.put(desk.ids["postgres"], note, upto=9, method="extractive")
    await desk.learner.embed_pending()
    assert await desk.titles(PARAPHRASE) != ["postgres"]


async def test_a_model_that_fails_in_idle_time_is_asked_again_later(desk: Desk) -> None:
    desk.server.embeddings = [error(503, "loading the model")]
    assert await desk.learner.embed_pending() == 0
    assert await desk.learner.embed_pending() == 3


async def test_a_text_the_model_cannot_hold_does_not_keep_the_others_out(desk: Desk) -> None:
    too_long = error(400, "input is too long")
    desk.server.embeddings = [too_long, too_long]  # all three, then the newest alone
    assert await desk.learner.embed_pending() == 3
    assert await desk.titles(PARAPHRASE) == ["postgres"]
    assert await desk.learner.embed_pending() == 0


async def test_deleted_sessions_and_other_folders_are_not_near(desk: Desk) -> None:
    await desk.learner.embed_pending()
    assert not (await desk.store.search.find(PARAPHRASE, cwd="/elsewhere")).sessions
    later = datetime.now(UTC) + timedelta(days=1)
    found = await desk.store.search.find(PARAPHRASE, after=later)
    assert not any(session.by_meaning for session in found.sessions)
    await desk.store.sessions.delete(desk.ids["postgres"])
    assert "postgres" not in await desk.titles(PARAPHRASE)


async def test_only_one_role_or_no_words_asks_no_server(desk: Desk) -> None:
    await desk.learner.embed_pending()
    desk.server.embedded.clear()
    await desk.store.search.find("soup", role="user")
    await desk.store.search.find("what did we do today?")
    await desk.store.search.find("soup", by_meaning=False)
    assert desk.server.embedded == []


async def test_dates_and_filters_are_not_part_of_what_is_meant(desk: Desk) -> None:
    await desk.learner.embed_pending()
    found = await desk.store.search.find(f"{PARAPHRASE} today project:w", alt=["new host"])
    assert found.sessions[0].title == "postgres"
    assert desk.server.embedded[-1]["input"] == [f"{PARAPHRASE}\nnew host"]


async def test_what_vectors_cost_is_in_the_ledger(desk: Desk) -> None:
    await desk.learner.embed_pending()
    await desk.store.search.find(PARAPHRASE)
    days = await desk.store.usage.by_day(datetime.now(UTC) - timedelta(days=1))
    assert [(day.model, day.calls) for day in days] == [("ollama/small", 2)]
    assert days[0].usage.input_tokens == sum(
        len(text.split()) for one in desk.server.embedded for text in one["input"]
    )


async def test_the_tool_marks_what_meaning_found(desk: Desk) -> None:
    await desk.learner.embed_pending()

    async def say(chunk: str) -> None: ...

    told = await session_search_tool(desk.store.search).run(SessionSearchArgs(PARAPHRASE), say)
    assert isinstance(told, str)
    assert f"  by meaning: {SUMMARIES['postgres']}" in told
    assert "1 by meaning" in told
