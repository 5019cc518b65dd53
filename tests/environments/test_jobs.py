"""What every environment promises about background jobs."""

import anyio
import pytest
from hermes_environments import jobs
from hermes_environments.base import BaseEnvironment

from hermes_tui.core.environment import Environment, Job
from hermes_tui.core.errors import ToolError
from tests.environments.checks import exists, is_alive, needs_bash, output, pids, until
from tests.environments.conftest import Make


async def holds(job: Job, text: bytes) -> None:
    async def is_there() -> bool:
        return text in await job.tail()

    await until(is_there)


async def test_a_job_runs_while_other_commands_do_and_reports_its_end(
    environment: Environment,
) -> None:
    job = await environment.start("echo begun; until [ -e go ]; do sleep 0.01; done; exit 3")
    await holds(job, b"begun\n")
    status = await job.status()
    assert status.is_running
    assert status.exit_code is None
    assert status.command.startswith("echo begun;")
    assert status.output_bytes == 6

    await environment.write_file("go", b"")
    status = await job.wait(10)

    assert (status.is_running, status.exit_code) == (False, 3)


async def test_waiting_for_a_job_ends_when_the_time_is_up(environment: Environment) -> None:
    job = await environment.start("sleep 60")

    with anyio.fail_after(10):
        assert (await job.wait(0.1)).is_running
    await job.kill()


@pytest.mark.parametrize(
    ("command", "exit_code"),
    [("exec sh -c 'exit 4'", 4), ("sh -c 'kill -9 $PPID'; :", 137), ("false; true", 0), ("if", 2)],
)
async def test_a_jobs_exit_code_is_its_commands_own(
    environment: Environment, command: str, exit_code: int
) -> None:
    assert (await (await environment.start(command)).wait(10)).exit_code == exit_code


async def test_a_job_sees_the_state_of_the_session(environment: BaseEnvironment) -> None:
    needs_bash(environment)
    await environment.run(
        "mkdir d; cd d; export A=1; f() { echo \"f $A\"; }; alias a='echo alias'; set -e",
        timeout=20,
    )

    job = await environment.start('basename "$PWD"; f; a; false; echo never')
    status = await job.wait(10)

    assert await job.tail() == b"d\nf 1\nalias\n"
    assert status.exit_code == 1


async def test_output_is_read_from_any_offset(environment: Environment) -> None:
    job = await environment.start("printf '0123456789\\377\\0'")
    await job.wait(10)

    assert await job.read(0) == (b"0123456789\xff\0", 12)
    assert await job.read(3, 4) == (b"3456", 7)
    assert await job.read(12) == (b"", 12)
    assert await job.tail(3) == b"9\xff\0"
    assert await job.tail(100) == b"0123456789\xff\0"


async def test_a_job_can_be_talked_to(environment: Environment) -> None:
    job = await environment.start('read a; echo "got $a"; read b; echo "and $b"')
    await job.send(b"one\n")
    await holds(job, b"got one\n")
    await job.send(b"tw")
    await job.send(b"o\n")

    assert (await job.wait(10)).exit_code == 0
    assert await job.tail() == b"got one\nand two\n"
    with pytest.raises(ToolError, match="has ended"):
        await job.send(b"three\n")


async def test_input_a_job_does_not_read_is_an_error_and_no_hang(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "SEND_SECONDS", 0.3)
    job = await environment.start("sleep 60")

    with pytest.raises(ToolError, match="did not take"):
        await job.send(b"x" * 1_000_000)
    await job.kill()


async def test_killing_a_job_ends_all_it_started(environment: Environment) -> None:
    job = await environment.start(
        "sh -c 'echo $PPID' >> pids; (setsid sh -c 'echo $$ >> pids; exec sleep 60' &); sleep 60"
    )
    started = await pids(environment, "pids", 2)

    await job.kill()

    status = await job.status()
    assert not status.is_running
    assert status.exit_code in {137, 143}
    for pid in started:
        assert not await is_alive(environment, pid)


async def test_a_later_hermes_finds_the_jobs_newest_first(
    environment: BaseEnvironment, make: Make
) -> None:
    first = await environment.start("read x; echo got $x")
    second = await environment.start("true")
    await second.wait(10)
    await environment.close()

    later = make()
    try:
        found = await later.jobs()
        assert [job.id for job in found] == [second.id, first.id]
        assert (await found[1].status()).is_running
        await found[1].send(b"it\n")
        assert (await found[1].wait(10)).exit_code == 0
        assert await found[1].tail() == b"got it\n"
    finally:
        await later.close()


async def test_there_are_no_jobs_before_the_first(environment: Environment) -> None:
    assert await environment.jobs() == []


async def test_a_job_nobody_finished_recording_is_ended_without_an_exit_code(
    environment: BaseEnvironment,
) -> None:
    job = await environment.start("sleep 60")
    folder = environment.jobs_folder.decode() + "/" + job.id
    await environment.run(f"kill -9 $(cat {folder}/pid)", timeout=20)

    status = await job.wait(10)

    assert (status.is_running, status.exit_code) == (False, None)
    await job.kill()


async def test_a_pid_given_to_another_process_is_not_taken_for_the_job(
    environment: BaseEnvironment,
) -> None:
    job = await environment.start("true")
    await job.wait(10)
    folder = environment.jobs_folder.decode() + "/" + job.id
    await environment.run(f"sleep 60 & echo $! > {folder}/pid; rm {folder}/rc", timeout=20)

    assert not (await job.status()).is_running
    await environment.run(f"kill $(cat {folder}/pid)", timeout=20)


async def test_jobs_that_ended_long_ago_are_forgotten(environment: BaseEnvironment) -> None:
    old = await environment.start("true")
    running = await environment.start("sleep 60")
    await old.wait(10)
    folder = environment.jobs_folder.decode()
    for job in (old, running):
        await environment.run(f"echo 1000000000 > {folder}/{job.id}/started", timeout=20)

    assert [job.id for job in await environment.jobs()] == [running.id]
    assert not await exists(environment, f"{folder}/{old.id}")
    with pytest.raises(ToolError, match="no background job"):
        await old.status()
    with pytest.raises(ToolError, match="no background job"):
        await old.read(0)
    await running.kill()


async def test_a_log_over_the_limit_loses_its_oldest_bytes_and_keeps_its_offsets(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "OUTPUT_LIMIT", 1000)
    monkeypatch.setattr(jobs, "OUTPUT_KEPT", 100)
    job = await environment.start(
        "for i in $(seq 1 300); do printf '%04d' $i; done; read x; for i in $(seq 301 310); do"
        " printf '%04d' $i; done; read x; for i in $(seq 311 600); do printf '%04d' $i; done"
    )
    whole = b"".join(b"%04d" % number for number in range(1, 601))
    await holds(job, b"0300")

    assert await job.read(0) == (whole[1100:1200], 1200)
    await job.send(b"\n")
    await holds(job, b"0310")
    assert (await job.status()).output_bytes == 1240
    assert await job.read(0) == (whole[1100:1240], 1240)
    assert await job.read(1150, 60) == (whole[1150:1210], 1210)
    assert await job.read(1204, 8) == (whole[1204:1212], 1212)
    await job.send(b"\n")
    await job.wait(10)

    assert await job.read(0) == (whole[2300:2400], 2400)


async def test_jobs_are_found_whatever_the_session_calls_home(environment: Environment) -> None:
    await environment.run('export HOME="$PWD/elsewhere" XDG_STATE_HOME="$PWD/state"', timeout=20)
    job = await environment.start("sleep 60")

    assert [each.id for each in await environment.jobs()] == [job.id]
    assert (await job.status()).is_running
    await job.kill()


async def test_a_folder_that_is_no_jobs_is_left_alone_and_its_name_not_run(
    environment: BaseEnvironment,
) -> None:
    job = await environment.start("true")
    await job.wait(10)
    folder = environment.jobs_folder.decode()
    for name in ("x $(touch PWNED)", "0123456789a", "0123456789ab"):
        await environment.run(
            f"cd {folder}; mkdir '{name}' && cp {job.id}/cmd {job.id}/out '{name}' &&"
            f" mkfifo '{name}/in' && echo 1 > '{name}/started'; : > 0123456789ab/started",
            timeout=20,
            keep_state=False,
        )

    assert [each.id for each in await environment.jobs()] == [job.id]
    names = await output(environment, f"ls {folder}")
    assert b"PWNED" not in names.replace(b"x $(touch PWNED)", b"")
    assert b"x $(touch PWNED)" in names
    await environment.run(f"rm -rf {folder}/x* {folder}/0123*", timeout=20)
