"""What turns texts into vectors that lie close together when they mean the same."""

from collections.abc import Sequence
from typing import Literal, Protocol

from msgspec import Struct

from hermes_tui.core.usage import Usage

Purpose = Literal["query", "text"]
"""Some models read a question differently from the texts it is to find."""


class Embedded(Struct, frozen=True):
    """Vectors of length 1, all of the same dimension, in the order of the texts."""

    vectors: tuple[tuple[float, ...], ...]
    usage: Usage = Usage()


class Embedder(Protocol):
    """A model of vectors; those of different models cannot be compared."""

    @property
    def name(self) -> str:
        """As the person writes it: `ollama/nomic-embed-text`."""
        ...

    async def embed(
        self, texts: Sequence[str], *, purpose: Purpose = "text", seconds: float = 60.0
    ) -> Embedded:
        """Vectors of `texts`, of which each request may take so many seconds.

        Raises:
            ModelError: nothing answered, or not with vectors.
        """
        ...
