"""The figures of the kernel: start-up, one-shots, tool calls, the screen and the store.

    just bench kernel [--peer PATH/hermes] [--llm PATH/llm] [--times N]

`--peer` and `--llm` name the commands of `hermes-agent==0.19.0` and `llm`, each
installed in an environment of its own; what is not named is not measured.
Figures are medians of whole processes on this machine, against a local server
that answers at once. Compare within one run only.
"""

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec

from bench.process import Run, median, repeated, timed
from bench.screen import Terminal, resident_mib
from hermes_tui.core.messages import assistant, user
from hermes_tui.store.store import Store
from tests.doubles.openai_server import OpenAIServer, echoes, serve

HERMES = [sys.executable, "-m", "hermes_tui"]
TOOL_CALLS = 50
MESSAGES = 100_000


def row(what: str, measured: str, goal: str) -> None:
    print(f"{what:<52} {measured:>18}   goal {goal}", flush=True)


@asynccontextmanager
async def server(tool_calls: int = 0) -> AsyncGenerator[OpenAIServer, None]:
    async with serve(default=echoes(tool_calls) if tool_calls else None) as running:
        yield running


def environment(home: Path, url: str = "") -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {
        **kept, "HERMES_HOME": str(home), "TERM": "xterm-256color", "COLORTERM": "truecolor",
        "OPENAI_BASE_URL": url, "OPENAI_API_KEY": "sk-bench",
    }  # fmt: skip


async def in_thread(command: Sequence[str], env: dict[str, str], times: int) -> list[Run]:
    """The server answers on this thread's loop while the command runs on another's."""
    return await anyio.to_thread.run_sync(lambda: repeated(command, times=times, env=env))


async def start_up(home: Path, times: int) -> None:
    env = environment(home)
    for option, goal in (("--version", "<= 0.06 s"), ("--help", "<= 0.13 s")):
        runs = await in_thread([*HERMES, option], env, times)
        row(f"hermes {option}", f"{median(runs, lambda r: r.wall):.3f} s", goal)


async def one_shots(home: Path, times: int, peer: str, llm: str) -> None:
    ask = ["run", "--model", "openai/mock", "--quiet", "hi"]
    async with server() as running:
        env = environment(home, running.url)
        direct = await in_thread([*HERMES, *ask], env, times)
        row("hermes run hi, direct lane", _wall_and_peak(direct), "<= 0.28 s, <= 64 MiB")
        request = running.requests[0]
        row("first request", f"{len(msgspec.json.encode(request)) / 1000:.1f} KB", "<= 16 KB")
        (home / "config.yaml").write_text("models: {lane: litellm}\n", "utf-8")
        through = await in_thread([*HERMES, *ask], env, max(3, times // 2))
        row("hermes run hi, litellm lane", _wall_and_peak(through), "<= 2.0 s")
        (home / "config.yaml").unlink()
        await peers(home.parent, running.url, peer, llm)
    async with server(TOOL_CALLS) as running:
        env = environment(home, running.url)
        command = [*HERMES, "run", "--model", "openai/mock", "--quiet", "--yes", "go"]
        runs = await in_thread(command, env, max(3, times // 2))
        each = (median(runs, lambda r: r.cpu) - median(direct, lambda r: r.cpu)) / TOOL_CALLS
        row(f"CPU per tool call ({TOOL_CALLS} distinct echoes)", f"{each * 1000:.1f} ms", "<= 8 ms")


async def peers(folder: Path, url: str, peer: str, llm: str) -> None:
    """The same question to what others use, each configured in a home of its own."""
    if peer:
        home = folder / "peer"
        home.mkdir()
        model = f"{{default: mock, provider: custom, base_url: '{url}', api_key: sk-bench}}"
        (home / "config.yaml").write_text(f"model: {model}\n", "utf-8")
        runs = await in_thread([peer, "-z", "hi"], environment(home, url), 3)
        row("  beside it: hermes-agent, hermes -z hi", _wall_and_peak(runs), "-")
    if llm:
        home = folder / "llm"
        home.mkdir()
        model = f"{{model_id: mock, model_name: mock, api_base: '{url}'}}"
        (home / "extra-openai-models.yaml").write_text(f"- {model}\n", "utf-8")
        env = environment(home, url) | {"LLM_USER_PATH": str(home)}
        runs = await in_thread([llm, "-m", "mock", "hi"], env, 3)
        row("  beside it: llm hi", _wall_and_peak(runs), "-")


async def screen(home: Path, times: int) -> None:
    painted: list[float] = []
    ready: list[float] = []
    resident: list[float] = []

    def once(url: str) -> None:
        terminal = Terminal([*HERMES, "--model", "openai/mock"], environment(home, url))
        try:
            painted.append(terminal.wait_for("Ask Hermes"))
            ready.append(terminal.wait_for("● idle"))
            for number in range(3):
                terminal.type(f"question {number}\r")
                terminal.wait_for(rf"(?s)question {number}.*hello")
            resident.append(resident_mib(terminal.pid))
        finally:
            terminal.close()

    async with server() as running:
        for _ in range(max(3, times // 2)):
            await anyio.to_thread.run_sync(once, running.url)
    row("screen: first paint", f"{statistics.median(painted):.2f} s", "<= 0.40 s")
    row("screen: ready to type", f"{statistics.median(ready):.2f} s", "<= 0.6 s")
    row("screen: resident after 3 turns", f"{statistics.median(resident):.0f} MiB", "<= 90 MiB")


async def store(folder: Path) -> None:
    chance = random.Random(7)
    words = [f"{a}{b}" for a in ("con", "de", "in", "per", "trans") for b in _ENDINGS]
    path = folder / "bench.db"
    text_bytes = 0
    searches: list[float] = []
    async with Store.open(path) as opened:
        session = ""
        for number in range(MESSAGES):
            if number % 50 == 0:
                record = await opened.sessions.create(
                    cwd="/", model="m", environment="local", source="bench"
                )
                session = record.id
            text = " ".join(chance.choices(words, k=chance.randrange(20, 120)))
            text_bytes += len(text)
            await opened.messages.append(session, (user, assistant)[number % 2](text))
        for _ in range(200):
            query = " ".join(chance.sample(words, 2))
            started = time.monotonic()
            await opened.search.find(query)
            searches.append(time.monotonic() - started)
    size = sum(file.stat().st_size for file in folder.glob("bench.db*"))
    p95 = statistics.quantiles(searches, n=20)[-1]
    row(f"{MESSAGES:,} messages: file / text", f"{size / text_bytes:.2f}", "<= 2.0")
    row(f"{MESSAGES:,} messages: search p95", f"{p95 * 1000:.1f} ms", "<= 25 ms")


_ENDINGS = [
    f"{a}{b}" for a in "abcdefghijklmnopqrstuvwxyz" for b in ("ation", "ing", "ed", "er", "al")
]


def _wall_and_peak(runs: Sequence[Run]) -> str:
    return f"{median(runs, lambda r: r.wall):.3f} s, {median(runs, lambda r: r.peak_mib):.0f} MiB"


async def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the kernel.")
    parser.add_argument("--peer", default="", help="the command of hermes-agent")
    parser.add_argument("--llm", default="", help="the command of llm")
    parser.add_argument("--times", type=int, default=7)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        timed([*HERMES, "run", "--model", "rehearsal", "-q", "hi"], env=environment(home))
        await start_up(home, given.times)
        await one_shots(home, given.times, given.peer, given.llm)
        await screen(home, given.times)
        await store(Path(folder))


if __name__ == "__main__":
    anyio.run(main)
