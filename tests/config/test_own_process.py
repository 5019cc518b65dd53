"""What other processes of the same person can find out about ours."""

import os
import pty
import select
import subprocess
import sys
from pathlib import Path
from time import monotonic

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")

ROOT = Path(__file__).parents[2]
KEYS = {
    "OPENAI_API_KEY": "canary-0123456789",
    "AZURE_API_KEY": "canary-1123456789",
    "MY_TOKEN": "canary-2123456789",
}
CONFIG = "providers: {own: {base_url: 'http://127.0.0.1:1', api_key: $MY_TOKEN}}\n"

WORK = """
import os, sys
from pathlib import Path

import anyio

from hermes_tui.config.load import load_config
from hermes_tui.config.paths import find_paths
from hermes_tui.config.secrets import load_secrets
from hermes_tui.runtime.environments import build_environment


async def work():
    paths = find_paths(os.environ)
    config = load_config(paths, environ=os.environ)
    secrets = load_secrets(paths, os.environ, config)
    place = build_environment("local", config=config, paths=paths, cwd=Path.cwd())
    await place.open()
    for line in (
        "grep -saoz '[A-Z_]*=canary-[0-9]*' /proc/[0-9]*/environ | tr '\\\\0' '\\\\n'",
        "sleep 60 & cat /proc/$!/environ >/dev/null && echo own",
    ):
        print((await place.run(line, timeout=20)).output.text)
    killed = await place.run("sleep 60", timeout=0.3)
    job = await place.start("echo from the job")
    await job.wait(10)
    print(killed.ended, (await job.tail()).decode())
    print(secrets["MY_TOKEN"], os.environ["AZURE_API_KEY"])
    await place.close()
    import ctypes
    print("dumpable", ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), "done", flush=True)


def child():
    anyio.run(work)
    return 0

"""
ALONE = WORK + "sys.exit(child())"
SUPERVISED = WORK + "from hermes_tui.cli.launcher import supervise\nsys.exit(supervise(child))"


def environ(home: Path) -> dict[str, str]:
    home.mkdir(parents=True)
    (home / "config.yaml").write_text(CONFIG, "utf-8")
    kept = {name: value for name, value in os.environ.items() if name not in KEYS}
    return {**kept, **KEYS, "HERMES_HOME": str(home), "PYTHONPATH": str(ROOT)}


def check(printed: str) -> None:
    assert "done" in printed
    assert "=canary" not in printed
    assert "own" in printed
    assert "timeout from the job" in " ".join(printed.split())
    assert "canary-2123456789 canary-1123456789" in printed
    assert "dumpable 0" in printed


def test_no_command_can_read_a_providers_key_from_any_process(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALONE], env=environ(tmp_path / "h"), cwd=ROOT,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    check(done.stdout + done.stderr)


def test_the_launcher_of_the_screen_forgets_the_keys_too(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISED], env=environ(tmp_path / "h"), cwd=ROOT,
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    printed, deadline = "", monotonic() + 60
    while "done" not in printed:
        ready, _, _ = select.select([master], [], [], max(deadline - monotonic(), 0))
        assert ready, printed
        printed += os.read(master, 65_536).decode("utf-8", "replace")
    check(printed)
    assert process.wait(20) == 0
    os.close(master)
