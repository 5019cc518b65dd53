"""What is particular to Modal: sleep and waking, what it costs, and what can go wrong."""

import os
import socket
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from hermes_environments.cloud import modal_account
from hermes_environments.cloud.modal import ModalEnvironment

from hermes_tui.core.environment import Ended
from hermes_tui.core.errors import ConfigError, EnvironmentUnavailableError
from tests.environments.checks import output, until
from tests.environments.makers_modal import TOKEN, modal_server
from tests.environments.places import Shared

if TYPE_CHECKING:
    from tests.doubles.modal_server import ModalServer


@pytest.fixture
def server(shared: Shared) -> "ModalServer":
    return modal_server(shared)


def unopened(tmp_path: Path, **options: Any) -> ModalEnvironment:
    return ModalEnvironment(
        "cloud",
        cwd=None,
        pass_env=("PASSED",),
        state_dir=str(tmp_path / "run"),
        options={**TOKEN, **options},
    )


@pytest.fixture
def work(tmp_path: Path, server: "ModalServer") -> str:
    """A folder on the sandbox's own disk, which comes and goes with it."""
    return str(server.root / "disks" / unopened(tmp_path)._key / "work")


@pytest.fixture
async def environment(tmp_path: Path, work: str) -> AsyncGenerator[ModalEnvironment, None]:
    environment = unopened(tmp_path, workdir=work)
    yield environment
    await environment.destroy()


def running(server: "ModalServer", environment: ModalEnvironment) -> list[Any]:
    return [sandbox for sandbox in server.running if sandbox.name == environment._key]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown setting": ({"imgae": "x"}, "no setting 'imgae'.*'image'"),
    "a wrong choice": ({"network": "host"}, "'network'"),
    "never going to sleep": ({"idle_seconds": 0}, "'idle_seconds'.*>= 1"),
    "no amount of memory": ({"memory": "lots"}, "'lots' is not an amount of memory"),
    "a relative workdir": ({"workdir": "work"}, "not an absolute path"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_settings_that_are_wrong_are_refused_by_name(tmp_path: Path, what: str) -> None:
    options, fact = REFUSED[what]

    with pytest.raises(ConfigError, match=fact) as refusal:
        unopened(tmp_path, **options)
    assert refusal.value.hint


async def test_without_the_sdk_the_environment_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "modal", None)

    with pytest.raises(EnvironmentUnavailableError, match="SDK is not there") as error:
        await unopened(tmp_path).open()
    assert error.value.hint == "Install hermes-tui[modal]."


async def test_a_wrong_token_is_said_to_be_that(tmp_path: Path, server: "ModalServer") -> None:
    environment = unopened(tmp_path, token_secret="as-wrong")

    for question in (environment.open, environment.health):
        with pytest.raises(EnvironmentUnavailableError, match="did not accept the token") as error:
            await question()
        assert "modal token new" in error.value.hint


async def test_a_server_nobody_answers_at_is_said_to_be_that(
    tmp_path: Path, server: "ModalServer", monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("MODAL_SERVER_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setattr(modal_account, "ANSWER_SECONDS", 1.0)

    with anyio.fail_after(5), pytest.raises(EnvironmentUnavailableError, match="be reached"):
        await unopened(tmp_path).open()


async def test_an_image_that_cannot_be_built_is_said_to_be_that(
    tmp_path: Path, server: "ModalServer"
) -> None:
    with pytest.raises(EnvironmentUnavailableError, match="could not start a sandbox"):
        await unopened(tmp_path, target="missing:latest").open()


async def test_settings_reach_modal_as_hard_limits(
    tmp_path: Path, server: "ModalServer", work: str
) -> None:
    environment = unopened(
        tmp_path, workdir=work, image="python:3.12", cpus=0.5, memory="1.5G", network="none",
        idle_seconds=60, region="eu",
    )  # fmt: skip
    await environment.open()
    (sandbox,) = running(server, environment)
    definition = sandbox.definition
    await environment.destroy()

    assert definition.resources.milli_cpu == definition.resources.milli_cpu_max == 500
    assert definition.resources.memory_mb == definition.resources.memory_mb_max == 1536
    assert definition.network_access.network_access_type == 2  # BLOCKED
    assert definition.idle_timeout_secs == 60
    assert definition.timeout_secs == 86_400
    assert list(definition.scheduler_placement.regions) == ["eu"]
    assert "FROM python:3.12" in server.image_texts[-1]


async def test_a_command_sees_what_it_is_meant_to_and_no_secret_is_an_argument(
    environment: ModalEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("PASSED", "a-passed-word")
    passing = unopened(tmp_path, workdir=work, env={"MODE": "test"})

    everything = await output(passing, "env; set; cat /proc/$PPID/cmdline /proc/$$/cmdline")
    arguments = await output(passing, "cat /proc/$$/cmdline")
    await passing.close()

    assert b"sk-secret" not in everything
    assert b"as-good" not in everything
    assert b"PASSED=a-passed-word" in everything.splitlines()
    assert b"MODE=test" in everything.splitlines()
    assert b"a-passed-word" not in arguments


async def test_a_sandbox_nothing_runs_in_costs_nothing_and_wakes_with_its_files(
    tmp_path: Path, server: "ModalServer", work: str
) -> None:
    environment = unopened(tmp_path, workdir=work, idle_seconds=1)
    await output(environment, "export A=1; cd; echo note > note")
    (sandbox,) = running(server, environment)

    async def nothing_is_open() -> bool:
        return sandbox.machine.running == 0 and server.open_streams == 0

    async def is_asleep() -> bool:
        return not running(server, environment)

    await until(nothing_is_open)
    await until(is_asleep)
    assert sandbox.machine.awake_seconds < 10
    assert await environment.health() == "asleep"

    result = await environment.run("echo $A; cat note", timeout=20)

    assert result.output.head == b"1\nnote\n"
    assert "is awake again; what ran in it has ended" in result.notice
    assert (await environment.run("true", timeout=20)).notice == ""
    assert await environment.health() == "running"
    await environment.destroy()


async def test_closing_puts_the_sandbox_to_sleep_and_the_next_one_finds_its_files(
    environment: ModalEnvironment, tmp_path: Path, server: "ModalServer", work: str
) -> None:
    assert await environment.health() == "not created yet"
    await output(environment, "mkfifo pipe; ln -s nowhere link; echo kept > file")

    await environment.close()
    assert running(server, environment) == []
    assert await environment.health() == "asleep"

    later = unopened(tmp_path, workdir=work)
    result = await later.run("cat file; ls", timeout=20)
    assert result.output.head == b"kept\nfile\nlink\npipe\n"
    assert result.notice == ""
    await later.stop()
    assert running(server, environment) == []

    await environment.destroy()
    assert await environment.health() == "not created yet"
    assert await output(environment, "ls") == b""


async def test_a_hermes_that_was_killed_left_nothing_behind_but_the_files(
    tmp_path: Path, server: "ModalServer", work: str
) -> None:
    killed = unopened(tmp_path, workdir=work, idle_seconds=1)
    await output(killed, "echo kept > file")
    killed._users.release()  # as its end does

    async def is_asleep() -> bool:
        return not running(server, killed)

    await until(is_asleep)
    later = unopened(tmp_path, workdir=work)
    assert await output(later, "cat file") == b"kept\n"
    await later.destroy()


async def test_a_sandbox_somebody_else_uses_goes_on(
    environment: ModalEnvironment, tmp_path: Path, server: "ModalServer", work: str
) -> None:
    neighbour = unopened(tmp_path, workdir=work)
    async with anyio.create_task_group() as group:  # both find none and create one
        group.start_soon(environment.open)
        group.start_soon(neighbour.open)
    assert len(running(server, environment)) == 1

    await environment.close()

    assert await output(neighbour, "echo on") == b"on\n"
    await neighbour.close()
    assert running(server, environment) == []


async def test_a_job_keeps_the_sandbox_awake_until_it_ends(
    tmp_path: Path, server: "ModalServer", work: str
) -> None:
    environment = unopened(tmp_path, workdir=work, idle_seconds=1)
    job = await environment.start("until [ -e go ]; do sleep 0.05; done; echo done")
    await environment.close()
    (sandbox,) = running(server, environment)

    async def was_idle_too_long() -> bool:
        return sandbox.machine.awake_seconds > 2.5

    await until(was_idle_too_long)
    assert sandbox.is_running
    (found,) = await environment.jobs()
    assert found.id == job.id
    await environment.write_file("go", b"")
    assert (await found.wait(10)).exit_code == 0
    assert await found.tail() == b"done\n"

    async def is_asleep() -> bool:
        return not sandbox.is_running

    await until(is_asleep)
    await environment.destroy()


async def test_interrupting_a_command_never_ends_the_sandbox(
    environment: ModalEnvironment, server: "ModalServer"
) -> None:
    await output(environment, "true")
    before = server.calls["SandboxTerminateV2"]

    late = await environment.run("sleep 60", timeout=0.2)
    with anyio.move_on_after(0.2):
        await environment.run("sleep 60", timeout=60)

    assert late.ended is Ended.TIMEOUT
    assert server.calls["SandboxTerminateV2"] == before
    assert len(running(server, environment)) == 1


async def test_a_command_cancelled_before_it_ran_leaves_no_shell_waiting_at_our_cost(
    environment: ModalEnvironment, server: "ModalServer"
) -> None:
    await output(environment, "true")
    (sandbox,) = running(server, environment)

    for pause in (0, 0.001, 0.002, 0.004, 0.008, 0.016):
        with anyio.move_on_after(pause):
            await environment.run("sleep 60", timeout=60)

    async def is_idle() -> bool:
        return sandbox.machine.running == 0

    await until(is_idle)


async def test_a_sandbox_that_ends_under_a_command_loses_it_and_comes_back(
    environment: ModalEnvironment, server: "ModalServer"
) -> None:
    async def on_output(data: bytes) -> None:
        (sandbox,) = running(server, environment)
        server.call(lambda: server.terminate(sandbox, 3))

    result = await environment.run(
        "echo x >> ran; echo on; sleep 60", timeout=20, on_output=on_output
    )

    assert (result.ended, result.exit_code) == (Ended.LOST, None)
    assert await output(environment, "cat ran") == b"x\n", "it must not run again by itself"


async def test_a_connection_that_breaks_is_taken_up_where_it_was(
    environment: ModalEnvironment, server: "ModalServer"
) -> None:
    from grpclib import GRPCError, Status

    await output(environment, "true")
    server.failures["mid-stream"] = [GRPCError(Status.UNAVAILABLE, "gone") for _ in range(3)]

    result = await environment.run("seq 100000; exit 3", timeout=20)

    assert server.failures["mid-stream"] == []
    assert result.exit_code == 3
    assert result.output.total_bytes == 588_895


async def test_files_modal_has_lost_are_told_of(
    environment: ModalEnvironment, server: "ModalServer"
) -> None:
    await output(environment, "touch kept")
    await environment.close()
    kept = dict(server.images)
    for image in kept:
        if image != "im-base":
            server.images.pop(image)

    result = await environment.run("ls", timeout=20)

    assert result.output.head == b""
    assert "no files of cloud any more" in result.notice


async def test_the_sdk_asked_for_nothing_the_double_does_not_know(
    environment: ModalEnvironment, server: "ModalServer"
) -> None:
    await output(environment, "true")
    await environment.stop()
    await environment.health()

    assert server.unknown == set()


@pytest.mark.live
@pytest.mark.timeout(600)
async def test_modal_itself(tmp_path: Path) -> None:
    """With an account: `HERMES_LIVE_MODAL=1 pytest -m live tests/environments/test_modal.py`."""
    if not LIVE:
        pytest.skip("HERMES_LIVE_MODAL is not set")
    environment = ModalEnvironment(
        "live-test", cwd=None, pass_env=(), state_dir=str(tmp_path), options={}
    )
    try:
        assert await output(environment, "export A=1; cd /tmp; echo kept > file") == b""
        assert await output(environment, "echo $A; pwd") == b"1\n/tmp\n"
        late = await environment.run("setsid sleep 60 & sleep 60", timeout=2)
        assert (late.ended, late.notice) == (Ended.TIMEOUT, "")
        await environment.stop()
        assert await environment.health() == "asleep"
        assert await output(environment, "cat file") == b"kept\n"
    finally:
        await environment.destroy()


LIVE = os.environ.get("HERMES_LIVE_MODAL")
