"""Running `hermes` as its users do: as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import anyio
from msgspec import Struct

ROOT = Path(__file__).parents[2]


class Done(Struct, frozen=True):
    """How a command ended."""

    code: int
    out: str
    err: str


async def hermes(
    *words: str,
    stdin: bytes = b"",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Done:
    """Run `hermes WORDS` without a terminal."""
    with anyio.fail_after(50):
        done = await anyio.run_process(
            [sys.executable, "-m", "hermes_tui", *words],
            input=stdin,
            cwd=cwd or ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
            check=False,
            stderr=subprocess.PIPE,
        )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())
