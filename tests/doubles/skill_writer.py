"""A process of its own that refines skills, and what a kill of it leaves."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

WRITER = """
import sys
from pathlib import Path
import anyio
from hermes_tui.skills.repository import SkillRepository
from hermes_tui.skills.versions import Change

async def main(folder, skill, times):
    repository = SkillRepository(folder)
    for number in range(times):
        change = Change(skill=skill, action="refine", reason=f"round {number}")
        text = f"---\\nname: {skill}\\n---\\nround {number} of {skill}\\n" * 200
        version = await repository.write(change, lambda f: (f / "SKILL.md").write_text(text))
        print(version.commit, flush=True)

anyio.run(main, Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
"""
"""A process that refines one skill and prints each commit once it is acknowledged."""


def start_writer(folder: Path, skill: str, times: int) -> "subprocess.Popen[str]":
    """Start a writer in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), skill, str(times)],
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def survives_kill(folder: Path, *, after_lines: int, delay_seconds: float) -> tuple[int, int]:
    """Kill a writer and its gits; commits it had acknowledged, and those lost of them.

    `delay_seconds` after its last awaited acknowledgement, so that the kill falls anywhere.

    Raises:
        RuntimeError: the repository is of no use afterwards.
    """
    writer = start_writer(folder, "killed", 10_000)
    assert writer.stdout is not None
    said = [writer.stdout.readline() for _ in range(after_lines)]
    time.sleep(delay_seconds)
    os.killpg(writer.pid, signal.SIGKILL)
    said += writer.stdout.readlines()
    writer.wait()
    writer.stdout.close()
    acknowledged = [line.strip() for line in said if len(line) == 41]
    reachable = git(folder, "rev-list", "HEAD").split()
    lost = len(set(acknowledged) - set(reachable))
    again = start_writer(folder, "killed", 1)
    printed, _ = again.communicate(timeout=60)
    if len(printed.strip()) != 40 or git(folder, "fsck", "--no-dangling").strip():
        raise RuntimeError(f"{folder} is of no use after a kill: {printed!r}")
    return len(acknowledged), lost


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout + done.stderr
