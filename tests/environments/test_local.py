"""What is particular to commands on this machine, and what a broken place looks like."""

import asyncio
import os
import signal
import stat
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path

import anyio
import pytest
from hermes_environments import base, spare
from hermes_environments.channel import Channel, ChannelLostError
from hermes_environments.child import ChildChannel
from hermes_environments.conversation import Worker
from hermes_environments.local import LocalEnvironment

from hermes_tui.core.environment import Ended
from hermes_tui.core.errors import ConfigError, EnvironmentUnavailableError
from tests.environments.checks import is_alive, output, pids, until


def local(tmp_path: Path, workspace: Path, *pass_env: str) -> LocalEnvironment:
    return LocalEnvironment(
        "local",
        cwd=str(workspace),
        pass_env=pass_env,
        state_dir=str(tmp_path / "run"),
        options={},
    )


@pytest.fixture
async def environment(tmp_path: Path, workspace: Path) -> AsyncGenerator[LocalEnvironment, None]:
    environment = local(tmp_path, workspace)
    yield environment
    await environment.close()


async def test_a_command_sees_only_the_variables_it_is_meant_to(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("MY_TOOL", "needed")
    monkeypatch.setenv("BASH_ENV", "/dev/stdin")
    environment = local(tmp_path, workspace, "MY_TOOL")

    names = {line.split(b"=")[0] for line in (await output(environment, "env")).splitlines()}
    everything = await output(environment, "env; set; cat /proc/$PPID/cmdline /proc/$$/cmdline")
    await environment.close()

    assert b"sk-secret" not in everything
    assert {b"MY_TOOL", b"PATH", b"HOME", b"TERM", b"PAGER"} <= names
    assert b"BASH_ENV" not in names


async def test_no_program_waits_for_a_person_at_a_terminal(environment: LocalEnvironment) -> None:
    printed = await output(
        environment, "echo $TERM $PAGER $GIT_PAGER $GIT_TERMINAL_PROMPT; tty; true"
    )

    assert printed == b"dumb cat cat 0\nnot a tty\n"
    assert (await environment.run(": < /dev/tty", timeout=20)).exit_code != 0


async def test_the_command_is_in_no_processs_arguments(environment: LocalEnvironment) -> None:
    printed = await output(environment, ": a-secret-word; cat /proc/$$/cmdline")

    assert b"a-secret-word" not in printed


async def test_a_daemon_that_shed_its_environment_is_killed_as_well(
    environment: LocalEnvironment,
) -> None:
    command = (
        "export -n HERMES_EXEC_ID; (env -i $(command -v setsid) /bin/sh -c"
        " 'echo $$ >> pids; (sleep 60; :); :' &) ; while :; do :; done"
    )
    task = asyncio.create_task(environment.run(command, timeout=60))
    (pid,) = await pids(environment, "pids", 1)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not await is_alive(environment, pid)


async def test_a_spare_worker_that_died_is_replaced_and_the_command_runs_once(
    environment: LocalEnvironment,
) -> None:
    await environment.run("true", timeout=20)
    spare = environment._spare.task
    assert spare is not None
    channel = (await spare).channel
    assert isinstance(channel, ChildChannel)
    os.kill(channel._process.pid, signal.SIGKILL)

    assert await output(environment, "echo $(echo once | tee -a log)") == b"once\n"
    assert await environment.read_file("log") == b"once\n"


async def test_closing_leaves_no_process_of_ours_and_can_be_undone(
    environment: LocalEnvironment,
) -> None:
    await environment.run("true", timeout=20)
    spare = environment._spare.task
    assert spare is not None
    channel = (await spare).channel
    assert isinstance(channel, ChildChannel)

    await environment.close()
    await environment.close()

    assert channel._process.poll() is not None
    assert len(environment._children) == 0
    assert await output(environment, "echo again") == b"again\n"


def open_files() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


async def test_a_hundred_commands_leave_no_pipes_and_no_zombies(
    environment: LocalEnvironment,
) -> None:
    await environment.run("true", timeout=20)
    before = open_files()
    for _ in range(100):
        await environment.run("true", timeout=20)

    async def are_back() -> bool:
        return open_files() <= before + 6 and len(environment._children) <= 2

    await until(are_back)


async def test_what_is_kept_on_disk_is_for_this_user_only(
    environment: LocalEnvironment, tmp_path: Path
) -> None:
    assert not (tmp_path / "run").exists()
    await environment.run("head -c 300000 /dev/zero", timeout=20)
    job = await environment.start("true")
    await job.wait(10)

    for path in (tmp_path / "run", *(tmp_path / "run").rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


async def test_without_bash_the_environment_says_so(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(EnvironmentUnavailableError, match="bash is not on the PATH") as error:
        await local(tmp_path, workspace).open()
    assert error.value.hint


async def test_a_bash_that_does_not_work_is_an_error_and_not_a_result(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bash").write_text("#!/bin/sh\nexit 3\n", encoding="utf-8")
    (tmp_path / "bash").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    environment = local(tmp_path, workspace)

    with pytest.raises(EnvironmentUnavailableError, match="exit code 3"):
        await environment.run("true", timeout=20)
    await environment.close()


async def test_a_folder_that_is_not_there_cannot_be_worked_in(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentUnavailableError, match="There is no folder"):
        await local(tmp_path, tmp_path / "nowhere").open()


async def test_an_unknown_setting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'imgae'"):
        LocalEnvironment(
            "local", cwd=None, pass_env=(), state_dir=str(tmp_path), options={"imgae": "x"}
        )


class CutEnvironment(LocalEnvironment):
    """Loses its connection as soon as a command has printed something."""

    is_cut = False

    async def channel(self, argv: Sequence[str], *, env: Mapping[str, str]) -> Channel:
        channel = await super().channel(argv, env=env)
        assert isinstance(channel, ChildChannel)
        receive = channel.recv

        async def recv() -> bytes:
            data = await receive()
            if self.is_cut and b"before" in data:
                raise ChannelLostError("The connection was cut.")
            return data

        channel.recv = recv
        return channel


async def test_a_lost_connection_is_told_from_an_exit_and_keeps_the_state(
    tmp_path: Path, workspace: Path
) -> None:
    environment = CutEnvironment(
        "cut", cwd=str(workspace), pass_env=(), state_dir=str(tmp_path / "run"), options={}
    )
    await environment.run("export A=1", timeout=20)

    environment.is_cut = True
    result = await environment.run("export A=2; echo before", timeout=20)
    environment.is_cut = False

    assert (result.ended, result.exit_code) == (Ended.LOST, None)
    assert await output(environment, "echo $A") == b"1\n"
    await environment.close()


class StuckEnvironment(LocalEnvironment):
    """Its transports are never let go of, and nothing more starts once it is full."""

    is_full = False

    async def channel(self, argv: Sequence[str], *, env: Mapping[str, str]) -> Channel:
        if self.is_full:
            await anyio.sleep_forever()
        channel = await super().channel(argv, env=env)
        channel.close = anyio.sleep_forever
        return channel


@pytest.fixture
def stuck(tmp_path: Path, workspace: Path) -> StuckEnvironment:
    return StuckEnvironment(
        "stuck", cwd=str(workspace), pass_env=(), state_dir=str(tmp_path / "run"), options={}
    )


async def test_a_transport_that_cannot_be_let_go_of_keeps_nobody(
    stuck: StuckEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "HANG_UP_SECONDS", 0.1)
    monkeypatch.setattr(spare, "HANG_UP_SECONDS", 0.1)

    with anyio.fail_after(10):
        assert (await stuck.run("echo hi", timeout=20)).output.head == b"hi\n"
        assert (await stuck.run("sleep 60", timeout=0.1)).ended is Ended.TIMEOUT
        await stuck.close()


async def test_a_command_that_cannot_be_started_is_not_waited_for_without_end(
    stuck: StuckEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StuckEnvironment, "start_seconds", 0.2)
    stuck.is_full = True

    with pytest.raises(EnvironmentUnavailableError, match="Nothing could be started"):
        await stuck.run("true", timeout=0.1)


class ClosedEnvironment(LocalEnvironment):
    """It comes up, but is of no use, and notes when it is released."""

    was_released = False

    async def _open(self) -> None:
        await super()._open()
        raise EnvironmentUnavailableError("It is of no use.")

    async def _close(self) -> None:
        self.was_released = True
        await super()._close()


async def test_a_place_that_cannot_be_used_is_released(tmp_path: Path, workspace: Path) -> None:
    environment = ClosedEnvironment(
        "closed", cwd=str(workspace), pass_env=(), state_dir=str(tmp_path / "run"), options={}
    )

    with pytest.raises(EnvironmentUnavailableError, match="of no use"):
        await environment.open()
    assert environment.was_released


async def test_of_two_spare_workers_one_is_let_go_of(environment: LocalEnvironment) -> None:
    begun: list[ChildChannel] = []

    async def spawn() -> Worker:
        channel = await environment.channel(["cat"], env={})
        assert isinstance(channel, ChildChannel)
        begun.append(channel)
        return Worker(exec_id="", channel=channel)

    workers = spare.Spare(spawn)
    workers.prepare()
    taking = asyncio.create_task(workers.take())
    await asyncio.sleep(0)
    workers.prepare()
    taking.cancel()
    await asyncio.wait({taking})

    worker = await workers.take()
    assert worker is not None
    await worker.channel.close()

    async def all_have_ended() -> bool:
        return all(channel._process.poll() is not None for channel in begun)

    await until(all_have_ended)


async def test_a_place_on_this_machine_starts_in_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    place = LocalEnvironment(
        "project", cwd="/", pass_env=(), state_dir=str(tmp_path), options={"workdir": str(folder)}
    )
    await place.open()
    assert (await place.run("pwd", timeout=9)).output.text == f"{folder}\n"
    await place.close()
    with pytest.raises(ConfigError, match=r"has no setting 'workdri'\. Did you mean 'workdir'"):
        LocalEnvironment(
            "project", cwd="/", pass_env=(), state_dir=str(tmp_path), options={"workdri": "/"}
        )
