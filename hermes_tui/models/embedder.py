"""Vectors from any OpenAI-compatible server: `POST {base_url}/embeddings`."""

import math
from collections.abc import Mapping, Sequence

import anyio
import msgspec
from msgspec import Struct

from hermes_tui.core.embedding import Embedded, Purpose
from hermes_tui.core.errors import ConfigError, ModelError, ModelUnavailableError
from hermes_tui.core.usage import Usage, estimated_tokens
from hermes_tui.models import errors
from hermes_tui.models.direct import failure_reason, load_httpx, open_client
from hermes_tui.models.prices import accounted
from hermes_tui.models.resolve import ProviderSettings, find_target
from hermes_tui.models.target import Target

BATCH = 64
"""Texts in one request."""
MAX_CHARS = 8000
"""Of each text; the rest is left out. Many models hold 2,048 tokens."""
CONNECT_SECONDS = 10.0
_HINT = "Check the setting `memory.embeddings`."


class Instruction(Struct, frozen=True):
    """What a family of models wants before each text, as its model card says."""

    family: str
    """Part of the model's name."""
    query: str
    text: str = ""


INSTRUCTIONS = (
    Instruction("nomic-embed-text", "search_query: ", "search_document: "),
    Instruction("mxbai-embed", "Represent this sentence for searching relevant passages: "),
    Instruction("multilingual-e5", "query: ", "passage: "),
)


class _Vector(Struct):
    embedding: list[float]
    index: int = 0


class _Tokens(Struct):
    prompt_tokens: int = 0


class _Answer(Struct):
    data: list[_Vector]
    usage: _Tokens | None = None


def open_embedder(
    name: str, *, providers: Mapping[str, ProviderSettings], secrets: Mapping[str, str]
) -> "HttpEmbedder":
    """The embedder called `name`, `provider/model`; nothing is connected yet.

    Raises:
        ConfigError: there is no such provider, or it has no OpenAI-compatible address.
        ModelAuthError: a hosted provider's key is missing.
    """
    target = find_target(name, providers=providers, secrets=secrets)
    if not target.base_url:
        raise ConfigError(
            f"{target.title} has no OpenAI-compatible address, which `memory.embeddings` needs.",
            hint="Name a model of another provider, e.g. ollama/nomic-embed-text.",
        )
    return HttpEmbedder(target)


class HttpEmbedder:
    """A model of vectors behind an OpenAI-compatible address.

    Implements `core.embedding.Embedder`. Its connections stay open until `aclose`.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._client = open_client(target, connect_seconds=CONNECT_SECONDS)
        self._instruction = next(
            (one for one in INSTRUCTIONS if one.family in target.model), Instruction("", "")
        )

    @property
    def name(self) -> str:
        return self._target.name

    async def aclose(self) -> None:
        await self._client.aclose()

    async def embed(
        self, texts: Sequence[str], *, purpose: Purpose = "text", seconds: float = 60.0
    ) -> Embedded:
        """Vectors of `texts`; each request may take so many seconds.

        Raises:
            ModelError: nothing answered, or not with vectors.
        """
        first = self._instruction.query if purpose == "query" else self._instruction.text
        vectors: list[tuple[float, ...]] = []
        usage = Usage()
        for start in range(0, len(texts), BATCH):
            batch = [first + text[:MAX_CHARS] for text in texts[start : start + BATCH]]
            answer = await self._ask(batch, seconds)
            vectors += self._checked(answer, len(batch))
            tokens = answer.usage.prompt_tokens if answer.usage else 0
            usage += await accounted(
                Usage(input_tokens=tokens or sum(map(estimated_tokens, batch))), self._target
            )
        if len({len(vector) for vector in vectors}) > 1:
            raise self._no_vectors("vectors of different lengths")
        return Embedded(tuple(vectors), usage)

    async def _ask(self, batch: list[str], seconds: float) -> _Answer:
        target, httpx = self._target, load_httpx()
        headers = {"content-type": "application/json"}
        if target.api_key:
            headers["authorization"] = f"Bearer {target.api_key}"
        try:
            with anyio.fail_after(seconds):
                response = await self._client.post(
                    f"{target.base_url}/embeddings",
                    content=msgspec.json.encode({"model": target.model, "input": batch}),
                    headers=headers | target.headers,
                )
        except TimeoutError:
            raise _hinted(errors.timed_out(target, "no vectors", seconds)) from None
        except httpx.ConnectTimeout:
            reason = f"no connection within {CONNECT_SECONDS:g} seconds"
            raise _hinted(errors.unreachable(target, reason)) from None
        except (httpx.ConnectError, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise _hinted(errors.unreachable(target, failure_reason(error))) from None
        except httpx.HTTPError:
            raise _hinted(errors.cut_off(target)) from None
        if not response.is_success:
            raise _hinted(
                errors.error_for(
                    target,
                    status=response.status_code,
                    body=response.text[: errors.MAX_QUOTE_CHARS * 8],
                    headers=response.headers,
                )
            )
        return self._decoded(response.content)

    def _decoded(self, body: bytes) -> _Answer:
        try:
            return msgspec.json.decode(body, type=_Answer)
        except msgspec.DecodeError:
            raise self._no_vectors("something that is no list of vectors") from None

    def _checked(self, answer: _Answer, count: int) -> list[tuple[float, ...]]:
        """The vectors in the order of their texts, of length 1."""
        ordered = sorted(answer.data, key=lambda one: one.index)
        if len(ordered) != count:
            raise self._no_vectors(f"{len(ordered)} vectors for {count} texts")
        return [self._normalised(one.embedding) for one in ordered]

    def _normalised(self, vector: list[float]) -> tuple[float, ...]:
        length = math.hypot(*vector)
        if not length or not math.isfinite(length):
            raise self._no_vectors("a vector without direction")
        return tuple(value / length for value in vector)

    def _no_vectors(self, what: str) -> ModelUnavailableError:
        return ModelUnavailableError(f"{self._target.title} sent {what}.", hint=_HINT)


def _hinted(error: ModelError) -> ModelError:
    """The same error, with a hint that is about vectors rather than answers."""
    error.hint = _HINT
    return error
