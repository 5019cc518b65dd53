"""The figures of the environments: time, memory and what is left of ended commands.

    just bench env [--times N] [local docker ssh singularity]

`.ci/services up; . /tmp/hermes-ci/env` starts what the last three need; what is not there is
skipped. Each row has the plain tool measured in turn with ours, on the same place. Compare
within one run only, and on a machine that does nothing else.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from hermes_environments.base import BaseEnvironment
from hermes_environments.docker import DockerEnvironment
from hermes_environments.local import LocalEnvironment
from hermes_environments.singularity import SingularityEnvironment
from hermes_environments.ssh import SshEnvironment
from msgspec import Struct

from bench.process import timed

PAUSE_SECONDS = 0.3
"""Between two commands, as between two calls of a model."""
GIGABYTE = 1_000_000_000
STATE = "cd /tmp; export A=1 B='two words'; f() { echo $A; }; alias l='ls -l'; shopt -s extglob"
# Prints a pid for each process that an end of only the shell, its group or its session misses.
TREE = """echo $$; (setsid sh -c 'echo $$; exec sleep 60' &)
sh -c 'echo $$; exec sleep 60' &
while :; do :; done"""


class AbsentError(Exception):
    """What an environment needs is not there."""


class Bench(Struct):
    """A kind of environment, and the tool one would use without it."""

    make: Callable[[str], BaseEnvironment]
    plain: Callable[[BaseEnvironment, str], list[str]]
    """The command for `echo hi` in an open environment; both get a folder of their own."""
    goal: str


def service(variable: str) -> str:
    if value := os.environ.get(variable, ""):
        return value
    raise AbsentError(f"{variable} is not set; see .ci/services")


def local(folder: str) -> BaseEnvironment:
    return LocalEnvironment("local", cwd=folder, pass_env=(), state_dir=folder, options={})


def docker(folder: str) -> BaseEnvironment:
    options = {"image": service("HERMES_TEST_DOCKER_IMAGE"), "network": "none"}
    return DockerEnvironment("bench", cwd=None, pass_env=(), state_dir=folder, options=options)


def docker_exec(environment: BaseEnvironment, _: str) -> list[str]:
    assert isinstance(environment, DockerEnvironment)
    return ["docker", "exec", environment.container_name, "bash", "-c", "echo hi"]


def ssh(folder: str) -> BaseEnvironment:
    names = {"host": "HOST", "port": "PORT", "user": "USER", "identity_file": "KEY"}
    options: dict[str, object] = {
        key: service(f"HERMES_TEST_SSH_{at}") for key, at in names.items()
    }
    options["port"] = int(str(options["port"]))
    options["known_hosts"] = service("HERMES_TEST_SSH_KNOWN_HOSTS")
    return SshEnvironment("bench", cwd=None, pass_env=(), state_dir=folder, options=options)


def control_master(_: BaseEnvironment, folder: str) -> list[str]:
    command = [
        "ssh", "-F", "/dev/null", "-i", service("HERMES_TEST_SSH_KEY"),
        "-p", service("HERMES_TEST_SSH_PORT"), "-l", service("HERMES_TEST_SSH_USER"),
        "-o", f"UserKnownHostsFile={service('HERMES_TEST_SSH_KNOWN_HOSTS')}",
        "-o", "ControlMaster=auto", "-o", f"ControlPath={folder}/master",
        "-o", "ControlPersist=15",
        service("HERMES_TEST_SSH_HOST"), "bash -c 'echo hi'",
    ]  # fmt: skip
    # The master keeps the output it was started with.
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return command


def singularity(folder: str) -> BaseEnvironment:
    os.environ["APPTAINER_CONFIGDIR"] = f"{folder}/apptainer"
    options = {"image": service("HERMES_TEST_SIF")}
    return SingularityEnvironment("bench", cwd=None, pass_env=(), state_dir=folder, options=options)


def instance_exec(environment: BaseEnvironment, _: str) -> list[str]:
    assert isinstance(environment, SingularityEnvironment)
    return ["apptainer", "-q", "exec", environment.address, "bash", "-c", "echo hi"]


BENCHES = {
    "local": Bench(local, lambda _, __: ["bash", "-c", "echo hi"], "<= 4"),
    "docker": Bench(docker, docker_exec, "<= 8"),
    "ssh": Bench(ssh, control_master, "<= 6"),
    "singularity": Bench(singularity, instance_exec, "<= 8"),
}


def row(what: str, measured: str, goal: str = "-") -> None:
    print(f"{what:<46} {measured:>34}   goal {goal}", flush=True)


@asynccontextmanager
async def opened(name: str) -> AsyncGenerator[tuple[BaseEnvironment, str], None]:
    """An environment of its own, in a folder of its own, both gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        environment = BENCHES[name].make(folder)
        await environment.open()
        try:
            yield environment, folder
        finally:
            await environment.destroy()


async def echo(environment: BaseEnvironment) -> float:
    """Milliseconds."""
    began = time.monotonic()
    result = await environment.run("echo hi", timeout=20)
    assert result.output.head == b"hi\n", result
    return (time.monotonic() - began) * 1000


def spread(milliseconds: Sequence[float]) -> str:
    p95 = statistics.quantiles(milliseconds, n=20)[-1]
    return f"p50 {statistics.median(milliseconds):.1f}, p95 {p95:.1f} ms"


async def latency(name: str, times: int) -> None:
    async with opened(name) as (environment, folder):
        plain = BENCHES[name].plain(environment, folder)
        await environment.run(STATE, timeout=20)
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(times):
            await anyio.sleep(PAUSE_SECONDS)
            ours.append(await echo(environment))
            await anyio.sleep(PAUSE_SECONDS)
            theirs.append(timed(plain).wall * 1000)
        row(f"{name}: echo hi, state restored", spread(ours), BENCHES[name].goal)
        row(f"  beside it: {' '.join(plain[:3])} …"[:46], spread(theirs))
        began = time.monotonic()
        await environment.run("sleep 60 & echo x", timeout=20)
        row(f"{name}: sleep 60 & echo x", f"{(time.monotonic() - began) * 1000:.0f} ms", "at once")


async def memory(name: str) -> None:
    """Peak of a fresh process, so that no earlier peak hides this one."""
    async with opened(name) as (environment, _):
        await environment.run("seq 100000", timeout=20)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.monotonic()
        result = await environment.run(f"yes | head -c {GIGABYTE}", timeout=300)
        assert result.output.total_bytes == GIGABYTE, result
        seconds = time.monotonic() - began
        extra = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        row(
            f"{name}: 1 GB of output, extra memory",
            f"{extra:.0f} MiB in {seconds:.0f} s",
            "<= 64 MiB",
        )


async def leftovers(name: str) -> None:
    async with opened(name) as (environment, _):
        heard = bytearray()

        async def on_output(data: bytes) -> None:
            heard.extend(data)

        async def alive() -> str:
            pids = heard.split()
            assert len(pids) == 3, heard
            # A zombie does not live; on some machines the first process takes long to bury it.
            state = "grep -qs '^State:.[^Z]' /proc/{}/status && echo x"
            asking = "; ".join(state.format(pid.decode()) for pid in pids)
            result = await environment.run(f"{asking}; true", timeout=20)
            heard.clear()
            return str(result.output.head.count(b"x"))

        await environment.run(TREE, timeout=1, on_output=on_output)
        row(f"{name}: processes left by a time-out", await alive(), "0")
        with anyio.move_on_after(1):
            await environment.run(TREE, timeout=60, on_output=on_output)
        row(f"{name}: processes left by an interrupt", await alive(), "0")


async def together(times: int) -> None:
    """Two at once, each as often as alone."""

    async def use(environment: BaseEnvironment, into: list[float]) -> None:
        for _ in range(times):
            await anyio.sleep(PAUSE_SECONDS)
            into.append(await echo(environment))

    async with opened("local") as (first, _), opened("docker") as (second, _):
        alone: list[float] = []
        beside: list[float] = []
        others: list[float] = []
        await use(first, alone)
        async with anyio.create_task_group() as group:
            group.start_soon(use, first, beside)
            group.start_soon(use, second, others)
        row("local: alone", spread(alone))
        row("  with docker in use at the same time", spread(beside), "the same")


PARTS = ("latency", "memory", "leftovers")


async def measure(name: str, part: str, times: int) -> None:
    match part:
        case "latency":
            await latency(name, times)
        case "memory":
            await memory(name)
        case "leftovers":
            await leftovers(name)
        case _:
            await together(max(3, times // 2))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the environments.")
    parser.add_argument("names", nargs="*", choices=[*BENCHES, []], default=[])
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--part", default="", help="only this, in this process")
    given = parser.parse_args()
    names = given.names or list(BENCHES)
    if given.part:
        anyio.run(measure, names[0], given.part, given.times)
        return
    here = [sys.executable, "-m", "bench.env", "--times", str(given.times)]
    there: list[str] = []
    for name in names:
        try:
            with tempfile.TemporaryDirectory() as folder:
                BENCHES[name].make(folder)
        except AbsentError as reason:
            print(f"{name}: skipped, {reason}", flush=True)
            continue
        there.append(name)
        for part in PARTS:
            subprocess.run([*here, "--part", part, name], check=True, cwd=Path(__file__).parents[1])
    if {"local", "docker"} <= set(there):
        subprocess.run([*here, "--part", "together"], check=True, cwd=Path(__file__).parents[1])


if __name__ == "__main__":
    main()
