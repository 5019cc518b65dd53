"""Searching by meaning as people get it: set in the configuration, made in idle time."""

import sys
from pathlib import Path

import anyio

from hermes_tui.agent.approvals import Nobody
from hermes_tui.core.messages import user
from hermes_tui.runtime.runtime import Overrides, Runtime, open_runtime
from hermes_tui.store.store import Store
from hermes_tui.store.summaries import Note
from tests.cli.terminal import hermes
from tests.doubles.openai_server import serve

SUMMARY = "Moved postgres to a new server."
PARAPHRASE = "relocating the database to another machine"


def configure(home: Path, url: str) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "config.yaml").write_text(
        f"memory:\n  embeddings: ollama/small\nproviders:\n  ollama:\n    base_url: {url}\n",
        encoding="utf-8",
    )


async def noted(home: Path) -> None:
    async with Store.open(home / "hermes.db") as store:
        record = await store.sessions.create(cwd="/w", model="m", environment="local", source="run")
        await store.messages.append(record.id, user("hello"))
        await store.summaries.put(record.id, Note(summary=SUMMARY), upto=1, method="extractive")


async def idle(folder: Path) -> None:
    overrides = Overrides(cwd=folder, model="rehearsal")
    async with open_runtime(human=Nobody(), source="test", overrides=overrides) as runtime:
        await runtime.look_after()
        await _typing_sends_nothing(runtime)


async def _typing_sends_nothing(runtime: Runtime) -> None:
    found = await runtime.search(PARAPHRASE)
    assert not any(session.by_meaning for session in found.sessions)


async def test_idle_time_makes_vectors_and_the_command_line_finds_by_them(
    home: Path, tmp_path: Path
) -> None:
    async with serve() as server:
        configure(home, server.url)
        await noted(home)
        with anyio.fail_after(20):
            await idle(tmp_path)
        assert [one["input"] for one in server.embedded] == [[SUMMARY]]
        done = await hermes("sessions", "search", PARAPHRASE)
        assert server.embedded[-1]["input"] == [PARAPHRASE]
    assert f"    by meaning: {SUMMARY}\n" in done.out
    assert "1 of 1 session; 1 by meaning;" in done.err
    assert done.code == 0
    without = await hermes("sessions", "search", "hello")
    assert "hello" in without.out
    assert "Only words were compared: Ollama cannot be reached at" in without.err


async def test_where_no_model_is_set_nothing_of_it_is_imported(home: Path) -> None:
    await noted(home)
    probe = (
        "import sys; sys.argv = ['hermes', 'sessions', 'search', 'hello']\n"
        "from hermes_tui.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "names = ('store.meaning', 'store.vectors', 'models.embedder', 'runtime.meaning')\n"
        "print([n for n in names if f'hermes_tui.{n}' in sys.modules] + "
        "[n for n in ('httpx', 'numpy') if n in sys.modules])"
    )
    with anyio.fail_after(20):
        done = await anyio.run_process([sys.executable, "-c", probe])
    assert done.stdout.decode().splitlines()[-1] == "[]"


async def test_a_configuration_that_is_wrong_leaves_the_words(home: Path) -> None:
    await noted(home)
    (home / "config.yaml").write_text("memory: {embedings: x}\n", encoding="utf-8")
    done = await hermes("sessions", "search", "hello")
    assert (done.code, "«hello»" in done.out) == (0, True)
    assert "Only words are compared: " in done.err
