"""Vectors over the wire."""

import math

import anyio
import pytest

from hermes_tui.core.errors import (
    ConfigError,
    ContextOverflowError,
    ModelAuthError,
    ModelUnavailableError,
)
from hermes_tui.models.embedder import BATCH, MAX_CHARS, HttpEmbedder, open_embedder
from hermes_tui.models.resolve import ProviderSettings
from tests.doubles.openai_server import Answer, OpenAIServer, error, serve


def embedder(server: OpenAIServer, model: str = "small") -> HttpEmbedder:
    return at(server.url, model)


def at(url: str, model: str = "small") -> HttpEmbedder:
    return open_embedder(
        f"ollama/{model}", providers={"ollama": ProviderSettings(base_url=url)}, secrets={}
    )


async def test_vectors_have_length_one_and_come_in_the_order_of_their_texts() -> None:
    async with serve() as server:
        model = embedder(server)
        found = await model.embed(["one", "two", "one"])
        await model.aclose()
    first, second, third = found.vectors
    assert first == third != second
    assert math.hypot(*first) == pytest.approx(1)
    assert (found.usage.input_tokens, found.usage.cost_usd) == (3, 0)


async def test_many_texts_go_in_batches_over_one_connection_and_long_ones_are_cut() -> None:
    async with serve() as server:
        model = embedder(server)
        found = await model.embed(["x" * (MAX_CHARS + 1)] * (BATCH + 1))
        await model.aclose()
    assert [len(one["input"]) for one in server.embedded] == [BATCH, 1]
    assert (len(found.vectors), server.connections) == (BATCH + 1, 1)
    assert {len(text) for text in server.embedded[0]["input"]} == {MAX_CHARS}


async def test_a_model_that_wants_instructions_gets_them() -> None:
    async with serve() as server:
        model = embedder(server, "nomic-embed-text:latest")
        await model.embed(["x"])
        await model.embed(["x"], purpose="query")
        await model.aclose()
    assert [one["input"] for one in server.embedded] == [
        ["search_document: x"],
        ["search_query: x"],
    ]


async def test_a_server_that_is_down_is_named_with_its_address() -> None:
    async with serve() as server:
        url = server.url
    model = at(url)
    with pytest.raises(ModelUnavailableError, match="cannot be reached at http://127") as raised:
        await model.embed(["x"])
    await model.aclose()
    assert raised.value.hint == "Check the setting `memory.embeddings`."


async def test_a_server_that_says_nothing_is_given_up_and_its_socket_closed() -> None:
    async with serve() as server:
        server.embeddings = [Answer(stall_after=0)]
        model = embedder(server)
        with anyio.fail_after(5), pytest.raises(ModelUnavailableError, match=r"for 0\.05 seconds"):
            await model.embed(["x"], seconds=0.05)
        with anyio.fail_after(5):
            await server.gone.wait()
        await model.aclose()


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (Answer(body="<html>"), ModelUnavailableError, "no list of vectors"),
        (Answer(body='{"data": []}'), ModelUnavailableError, "0 vectors for 1 texts"),
        (
            Answer(body='{"data": [{"embedding": [0.0, 0.0]}]}'),
            ModelUnavailableError,
            "without direction",
        ),
        (error(401, "Incorrect API key provided"), ModelAuthError, "rejected"),
        (error(400, "input is too long"), ContextOverflowError, "input is too long"),
    ],
)
async def test_what_is_no_vector_is_an_error_that_says_so(
    answer: Answer, kind: type[Exception], words: str
) -> None:
    async with serve() as server:
        server.embeddings = [answer]
        model = embedder(server)
        with pytest.raises(kind, match=words):
            await model.embed(["x"])
        await model.aclose()


def test_a_provider_without_such_an_address_is_refused_with_one_that_has_it() -> None:
    with pytest.raises(ConfigError, match="no OpenAI-compatible address") as raised:
        open_embedder("gemini/any", providers={}, secrets={"GEMINI_API_KEY": "k"})
    assert "ollama/nomic-embed-text" in raised.value.hint
