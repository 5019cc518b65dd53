"""What every environment promises about ending commands, and what it leaves alone."""

import asyncio

import anyio
import pytest

from hermes_tui.core.environment import Ended, Environment
from tests.environments.checks import exists, is_alive, output, pids, until

TREES = {
    "a child": "sleep 60 & echo $! >> pids; wait",
    "a child that left the session": "setsid sh -c 'echo $$ >> pids; exec sleep 60' & wait",
    "a daemon": "(setsid sh -c 'echo $$ >> pids; exec sleep 60' &) ; sleep 60",
    "a busy loop in the shell": "echo $$ >> pids; while :; do :; done",
    "a busy loop after its daemon": (
        "(setsid sh -c 'echo $$ >> pids; sleep 60; :' &) ; while :; do :; done"
    ),
    "one that ignores TERM": "sh -c 'trap \"\" TERM; echo $$ >> pids; while :; do sleep 1; done'",
    "one that ignores TERM itself": "trap '' TERM; echo $$ >> pids; while :; do sleep 1; done",
    "one that was exec'd": "echo $$ >> pids; exec sleep 60",
    "a stopped one": "sleep 60 & echo $! >> pids; kill -STOP $!; wait",
    "a pipeline": "sleep 60 | (sh -c 'echo $PPID' >> pids; cat)",
    "one that breeds": "echo $$ >> pids; while :; do (sleep 60 & echo $! >>pids); sleep 0.01; done",
}


@pytest.mark.parametrize("tree", TREES)
async def test_a_cancelled_command_leaves_nothing_behind(
    environment: Environment, tree: str
) -> None:
    task = asyncio.create_task(environment.run(TREES[tree], timeout=60))
    await pids(environment, "pids", 1)

    task.cancel()
    with anyio.fail_after(10), pytest.raises(asyncio.CancelledError):
        await task

    for line in (await environment.read_file("pids")).split()[:20]:
        assert not await is_alive(environment, int(line))
    assert await output(environment, "echo on") == b"on\n"


async def test_a_cancel_scope_around_a_command_ends_it_too(environment: Environment) -> None:
    with anyio.move_on_after(0.2) as scope:
        await environment.run("echo $$ > pids; sleep 60", timeout=60)

    assert scope.cancelled_caught
    assert not await is_alive(environment, (await pids(environment, "pids", 1))[0])


async def test_a_command_over_its_time_is_killed_and_what_it_printed_is_kept(
    environment: Environment,
) -> None:
    command = "echo $$; trap 'echo last words; exit 0' TERM; while :; do sleep 0.05; done"

    result = await environment.run(command, timeout=0.3)

    assert (result.exit_code, result.ended) == (124, Ended.TIMEOUT)
    first, *rest = result.output.head.splitlines()
    assert rest[-1] == b"last words"
    assert result.notice == ""
    assert not await is_alive(environment, int(first))
    assert 0.3 <= result.seconds < 3


async def test_a_command_held_back_by_its_reader_can_be_killed(environment: Environment) -> None:
    async def never(data: bytes) -> None:
        await anyio.sleep_forever()

    with anyio.fail_after(10):
        result = await environment.run("echo $$ > pids; yes", timeout=0.3, on_output=never)

    assert result.ended is Ended.TIMEOUT
    assert not await is_alive(environment, (await pids(environment, "pids", 1))[0])


async def test_a_command_that_reads_no_input_can_be_killed(environment: Environment) -> None:
    with anyio.fail_after(10):
        result = await environment.run("sleep 60", timeout=0.2, stdin=b"x" * 1_000_000)

    assert result.ended is Ended.TIMEOUT


async def test_a_task_cancelled_twice_still_ends_its_command(environment: Environment) -> None:
    command = "echo $$ > pids; trap '' TERM; while :; do sleep 0.1; done"
    task = asyncio.create_task(environment.run(command, timeout=60))
    (pid,) = await pids(environment, "pids", 1)

    task.cancel()
    await anyio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not await is_alive(environment, pid)


async def test_killing_touches_no_other_command(environment: Environment) -> None:
    earlier = await environment.run("sleep 60 & echo $!", timeout=20)
    left_behind = int(earlier.output.head)
    command = "touch started; until [ -e go ]; do sleep 0.01; done; echo done"
    neighbour = asyncio.create_task(environment.run(command, timeout=20, keep_state=False))
    await until(lambda: exists(environment, "started"))

    late = await environment.run("sleep 60", timeout=0.1)
    await environment.write_file("go", b"")

    assert late.ended is Ended.TIMEOUT
    assert (await neighbour).output.head == b"done\n"
    assert await is_alive(environment, left_behind)
    await environment.run(f"kill {left_behind}", timeout=20)


async def test_every_command_has_a_mark_of_its_own_even_when_one_fixes_it(
    environment: Environment,
) -> None:
    await environment.run("readonly HERMES_EXEC_ID; export HERMES_EXEC_ID", timeout=20)
    first = await output(environment, "echo $HERMES_EXEC_ID")
    second = await output(environment, "echo $HERMES_EXEC_ID")

    assert len(first) == len(second) == 13
    assert first != second
