"""A store per test, on each kind of index where it matters."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import cast

import pytest

from hermes_tui.store.indexes import IndexKind
from hermes_tui.store.sessions import SessionRecord
from hermes_tui.store.store import Store


@pytest.fixture
def path(home: Path) -> Path:
    return home / "hermes.db"


@pytest.fixture
async def store(path: Path) -> AsyncGenerator[Store, None]:
    async with Store.open(path) as store:
        yield store


@pytest.fixture(params=["fts5", "fts4", "like"])
async def searchable(path: Path, request: pytest.FixtureRequest) -> AsyncGenerator[Store, None]:
    """The same store on FTS5, on FTS4 and without an index."""
    async with Store.open(path, fts=cast("IndexKind", request.param)) as store:
        store.search._deadline_seconds = 30
        yield store


@pytest.fixture
async def session(store: Store) -> SessionRecord:
    return await begin(store)


async def begin(store: Store, *, title: str = "", cwd: str = "/home/u") -> SessionRecord:
    return await store.sessions.create(
        cwd=cwd, model="rehearsal", environment="local", source="run", title=title
    )
