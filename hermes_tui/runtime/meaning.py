"""Searching by meaning, as far as the configuration asks for it."""

from contextlib import AsyncExitStack
from functools import cache

from hermes_tui.config.schema import Config
from hermes_tui.config.secrets import Secrets
from hermes_tui.core.embedding import Embedder
from hermes_tui.runtime.models import provider_settings
from hermes_tui.store.store import Store


def search_by_meaning(
    store: Store, *, config: Config, secrets: Secrets, closing: AsyncExitStack
) -> None:
    """Let `store` find what was said in other words, if there is a model for it.

    The model is opened when it is first needed and closed with `closing`.
    """
    name = config.memory.embeddings
    if name is None:
        return

    @cache
    def embedder() -> Embedder:
        from hermes_tui.models.embedder import open_embedder  # httpx, which few searches need

        filled = secrets.fill(config, name.partition("/")[0])
        opened = open_embedder(name, providers=provider_settings(filled), secrets=secrets)
        closing.push_async_callback(opened.aclose)
        return opened

    store.search_by_meaning(embedder)
