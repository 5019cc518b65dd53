"""What is particular to Daytona: sleep and waking, its terminal, and what can go wrong."""

import hashlib
import os
import socket
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from hermes_environments.cloud import daytona_account
from hermes_environments.cloud import sandbox as cloud
from hermes_environments.cloud.daytona import DaytonaEnvironment
from hermes_environments.file_lock import FileLock

from hermes_tui.core.environment import Ended
from hermes_tui.core.errors import ConfigError, EnvironmentUnavailableError
from tests.environments.checks import output, until
from tests.environments.makers_daytona import account, daytona_server
from tests.environments.places import Shared

if TYPE_CHECKING:
    from tests.doubles.daytona_server import DaytonaServer

CREATE = "POST /api/sandbox"
STOP = "POST /api/sandbox/{id}/stop"
TERMINAL = "GET /toolbox/{id}/process/pty/create-connect"
LIVE = os.environ.get("HERMES_LIVE_DAYTONA")


@pytest.fixture
def server(shared: Shared) -> "DaytonaServer":
    return daytona_server(shared)


@pytest.fixture
def short_minutes(server: "DaytonaServer", monkeypatch: pytest.MonkeyPatch) -> None:
    """A second is a minute, to Daytona and to us."""
    monkeypatch.setattr(server, "minute", 1.0)
    monkeypatch.setattr(daytona_account, "MINUTE", 1.0)


def unopened(tmp_path: Path, shared: Shared | None = None, **options: Any) -> DaytonaEnvironment:
    return DaytonaEnvironment(
        "cloud",
        cwd=None,
        pass_env=("PASSED",),
        state_dir=str(tmp_path / "run"),
        options={**(account(shared) if shared else {}), **options},
    )


@pytest.fixture
def work(tmp_path: Path, server: "DaytonaServer") -> str:
    """A folder on the sandbox's own disk, which goes when it is deleted."""
    return str(server.root / "disks" / unopened(tmp_path)._key / "work")


@pytest.fixture
async def environment(
    tmp_path: Path, shared: Shared, work: str
) -> AsyncGenerator[DaytonaEnvironment, None]:
    environment = unopened(tmp_path, shared, workdir=work)
    yield environment
    await environment.destroy()


def sandboxes(server: "DaytonaServer", environment: DaytonaEnvironment) -> list[Any]:
    return [
        sandbox
        for sandbox in server.sandboxes
        if sandbox.name == environment._key and sandbox.state != "destroyed"
    ]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown setting": ({"imgae": "x"}, "no setting 'imgae'.*'image'"),
    "a wrong choice": ({"network": "host"}, "'network'"),
    "never going to sleep": ({"idle_minutes": 0}, "'idle_minutes'.*>= 1"),
    "no amount of memory": ({"image": "x", "memory": "lots"}, "'lots' is not an amount"),
    "a limit without an image": ({"cpus": 2}, "'cpus' of 'cloud' needs an image"),
    "an image and a snapshot": ({"image": "x", "snapshot": "y"}, "both an image and a snapshot"),
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
    monkeypatch.setitem(sys.modules, "daytona", None)

    with pytest.raises(EnvironmentUnavailableError, match="SDK is not there") as error:
        await unopened(tmp_path).open()
    assert error.value.hint == "Install hermes-tui[daytona]."


async def test_a_wrong_key_or_none_is_said_to_be_that(
    tmp_path: Path, shared: Shared, server: "DaytonaServer"
) -> None:
    wrong = unopened(tmp_path, shared, api_key="dtn_wrong")
    none = unopened(tmp_path, api_url=server.url)

    for question, fact in (
        (wrong.open, "did not accept the key"),
        (wrong.health, "did not accept the key"),
        (none.open, r"\$DAYTONA_API_KEY, which is not set"),
    ):
        with pytest.raises(EnvironmentUnavailableError, match=fact) as error:
            await question()
        assert "DAYTONA_API_KEY" in error.value.hint


async def test_a_key_may_be_the_name_of_a_variable(
    environment: DaytonaEnvironment, tmp_path: Path, shared: Shared, work: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("MY_KEY", "dtn_good")
    named = unopened(tmp_path, shared, workdir=work, api_key="${MY_KEY}")

    assert await output(named, "echo on") == b"on\n"
    await named.close()


async def test_a_server_nobody_answers_at_is_said_to_be_that(
    tmp_path: Path, shared: Shared
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    environment = unopened(tmp_path, shared, api_url=f"http://127.0.0.1:{port}/api")

    with anyio.fail_after(20), pytest.raises(EnvironmentUnavailableError, match="be reached"):
        await environment.open()


async def test_an_image_that_cannot_be_had_is_said_to_be_that(
    tmp_path: Path, shared: Shared
) -> None:
    with pytest.raises(EnvironmentUnavailableError, match=r"could not start.*manifest unknown"):
        await unopened(tmp_path, shared, target="missing:latest").open()


async def test_too_many_requests_are_said_to_be_that(
    tmp_path: Path, shared: Shared, server: "DaytonaServer"
) -> None:
    server.failures[CREATE] = [429]

    with pytest.raises(EnvironmentUnavailableError, match="too many requests") as error:
        await unopened(tmp_path, shared).open()
    assert error.value.hint == "Try again in a minute."


async def test_settings_reach_daytona(
    tmp_path: Path, shared: Shared, server: "DaytonaServer", work: str
) -> None:
    environment = unopened(
        tmp_path, shared, workdir=work, image="python:3.12", cpus=2, memory="1.5G", disk="5G",
        network="none", idle_minutes=7, region="eu",
    )  # fmt: skip
    await environment.open()
    (sandbox,) = sandboxes(server, environment)
    wanted = sandbox.wanted
    await environment.destroy()

    assert (wanted["cpu"], wanted["memory"], wanted["disk"]) == (2, 2, 5)
    assert wanted["networkBlockAll"] is True
    assert wanted["autoStopInterval"] == 7
    assert wanted["target"] == "eu"
    assert wanted["buildInfo"]["dockerfileContent"].startswith("FROM python:3.12")
    assert wanted["labels"]["hermes"] == "environment"


async def test_a_command_sees_what_it_is_meant_to_and_no_secret_is_an_argument(
    tmp_path: Path, shared: Shared, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("PASSED", "a-passed-word")
    environment = unopened(tmp_path, shared, workdir=work, env={"MODE": "test"})

    everything = await output(environment, "env; set; cat /proc/$PPID/cmdline /proc/$$/cmdline")
    arguments = await output(environment, "cat /proc/$PPID/cmdline /proc/$$/cmdline")
    await environment.destroy()

    assert b"sk-secret" not in everything
    assert b"dtn_good" not in everything
    assert b"PASSED=a-passed-word" in everything.splitlines()
    assert b"MODE=test" in everything.splitlines()
    assert b"a-passed-word" not in arguments


async def test_a_sandbox_nothing_runs_in_costs_nothing_and_wakes_with_its_files(
    environment: DaytonaEnvironment, tmp_path: Path, shared: Shared, server: "DaytonaServer",
    work: str, short_minutes: None,
) -> None:  # fmt: skip
    idle = unopened(tmp_path, shared, workdir=work, idle_minutes=1)
    await output(idle, "export A=1; cd; echo note > note")
    (sandbox,) = sandboxes(server, idle)

    async def nothing_is_open() -> bool:
        return not sandbox.terminals and server.open_sockets == 0

    async def is_asleep() -> bool:
        return not sandbox.machine.is_awake

    await until(nothing_is_open)
    await until(is_asleep)
    assert sandbox.machine.awake_seconds < 10
    assert await environment.health() == "asleep"

    result = await idle.run("echo $A; cat note", timeout=20)

    assert result.output.head == b"1\nnote\n"
    assert "is awake again; what ran in it has ended" in result.notice
    assert (await idle.run("true", timeout=20)).notice == ""
    await idle.close()


async def test_closing_puts_the_sandbox_to_sleep_and_the_next_one_finds_its_files(
    environment: DaytonaEnvironment, tmp_path: Path, shared: Shared, server: "DaytonaServer",
    work: str,
) -> None:  # fmt: skip
    assert await environment.health() == "not created yet"
    await output(environment, "echo kept > file")
    assert await environment.health() == "running"

    await environment.close()
    (sandbox,) = sandboxes(server, environment)
    assert not sandbox.machine.is_awake
    assert await environment.health() == "asleep"

    later = unopened(tmp_path, shared, workdir=work)
    result = await later.run("cat file", timeout=20)
    assert (result.output.head, result.notice) == (b"kept\n", "")
    await later.stop()
    assert not sandbox.machine.is_awake

    await environment.destroy()
    assert sandboxes(server, environment) == []
    assert await environment.health() == "not created yet"


async def test_a_sandbox_somebody_else_uses_goes_on(
    environment: DaytonaEnvironment, tmp_path: Path, shared: Shared, server: "DaytonaServer",
    work: str,
) -> None:  # fmt: skip
    neighbour = unopened(tmp_path, shared, workdir=work)
    async with anyio.create_task_group() as group:  # both find none and create one
        group.start_soon(environment.open)
        group.start_soon(neighbour.open)
    (sandbox,) = sandboxes(server, environment)

    await environment.close()

    assert await output(neighbour, "echo on") == b"on\n"
    await neighbour.close()
    assert not sandbox.machine.is_awake


async def test_a_job_keeps_the_sandbox_awake_while_hermes_is_there(
    environment: DaytonaEnvironment, tmp_path: Path, shared: Shared, server: "DaytonaServer",
    work: str, short_minutes: None,
) -> None:  # fmt: skip
    busy = unopened(tmp_path, shared, workdir=work, idle_minutes=1)
    job = await busy.start("until [ -e go ]; do sleep 0.05; done; echo done")
    (sandbox,) = sandboxes(server, environment)
    begun = sandbox.machine.awake_seconds

    async def was_idle_too_long() -> bool:
        return sandbox.machine.awake_seconds > begun + 2.5

    await until(was_idle_too_long)
    await busy.close()
    assert sandbox.machine.is_awake, "a job runs in it"
    (found,) = await busy.jobs()
    assert found.id == job.id
    await busy.write_file("go", b"")
    assert (await found.wait(10)).exit_code == 0
    await busy.close()
    assert not sandbox.machine.is_awake


async def test_interrupting_a_command_never_ends_the_sandbox(
    environment: DaytonaEnvironment, server: "DaytonaServer"
) -> None:
    await output(environment, "true")
    before = server.calls[STOP]

    late = await environment.run("sleep 60", timeout=0.2)
    with anyio.move_on_after(0.2):
        await environment.run("sleep 60", timeout=60)

    assert late.ended is Ended.TIMEOUT
    assert server.calls[STOP] == before
    (sandbox,) = sandboxes(server, environment)
    assert sandbox.machine.is_awake


async def test_a_sandbox_that_stops_under_a_command_loses_it_and_comes_back(
    environment: DaytonaEnvironment, server: "DaytonaServer"
) -> None:
    async def on_output(data: bytes) -> None:
        (sandbox,) = sandboxes(server, environment)
        server.call(lambda: server.put_to_sleep(sandbox))

    command = "echo x >> ran; echo on; sleep 60"
    result = await environment.run(command, timeout=20, on_output=on_output)

    assert (result.ended, result.exit_code) == (Ended.LOST, None)
    assert "was stopped while the command ran" in result.notice
    assert await output(environment, "cat ran") == b"x\n", "it must not run again by itself"


async def test_a_sandbox_that_was_deleted_is_created_anew_and_the_model_told(
    environment: DaytonaEnvironment, server: "DaytonaServer", work: str
) -> None:
    await output(environment, "touch kept")
    (sandbox,) = sandboxes(server, environment)

    def delete() -> None:
        server.put_to_sleep(sandbox)
        sandbox.state = "destroyed"

    server.call(delete)
    result = await environment.run("pwd", timeout=20)

    assert result.output.head == f"{work}\n".encode()
    assert "was gone and was created anew" in result.notice


async def test_a_gateway_that_fails_once_is_a_clear_error_and_the_session_goes_on(
    environment: DaytonaEnvironment, server: "DaytonaServer"
) -> None:
    await output(environment, "export A=1")
    server.failures[TERMINAL] = [502]

    with pytest.raises(EnvironmentUnavailableError, match=r"could not run a command.*502"):
        await environment.run("echo $A", timeout=20)
    assert await output(environment, "echo $A") == b"1\n"


async def test_every_byte_typed_arrives_whatever_it_means_to_a_terminal(
    environment: DaytonaEnvironment,
) -> None:
    special = bytes(range(32)) + b"\x7f\xff"
    data = (special + b"\n" + special * 40 + b"\n\n" + b"\4" * 3000 + b"\x16\x1c\x03" * 3000) * 9

    result = await environment.run("sha256sum", timeout=20, stdin=data)

    assert result.output.head.split()[0] == hashlib.sha256(data).hexdigest().encode()


async def test_output_flows_although_nobody_reads_what_was_typed(
    environment: DaytonaEnvironment,
) -> None:
    result = await environment.run("yes | head -c 3000000", timeout=20, stdin=b"x" * 1_000_000)

    assert (result.exit_code, result.output.total_bytes) == (0, 3_000_000)


async def test_a_reader_slower_than_the_daemon_allows_loses_nothing(
    environment: DaytonaEnvironment,
) -> None:
    waits = iter([0.3] * 3)

    async def on_output(data: bytes) -> None:
        await anyio.sleep(next(waits, 0))

    result = await environment.run("seq 400000", timeout=30, on_output=on_output)

    assert (result.exit_code, result.output.total_bytes) == (0, 2_688_895)


async def test_the_sdk_asked_for_nothing_the_double_does_not_know(
    environment: DaytonaEnvironment, server: "DaytonaServer"
) -> None:
    await output(environment, "true")
    await environment.stop()
    await environment.health()

    assert server.unknown == set()


@pytest.mark.live
@pytest.mark.timeout(600)
async def test_daytona_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an account: `HERMES_LIVE_DAYTONA=KEY pytest -m live tests/environments`."""
    if not LIVE:
        pytest.skip("HERMES_LIVE_DAYTONA is not set")
    environment = DaytonaEnvironment(
        "live-test", cwd=None, pass_env=(), state_dir=str(tmp_path), options={"api_key": LIVE}
    )
    try:
        assert await output(environment, "export A=1; cd /tmp; echo kept > file") == b""
        assert await output(environment, "echo $A; pwd") == b"1\n/tmp\n"
        data = bytes(range(256)) * 1000
        result = await environment.run("cat", timeout=60, stdin=data)
        assert result.output.head + result.output.tail == data[-len(data) :]
        late = await environment.run("setsid sleep 60 & sleep 60", timeout=2)
        assert (late.ended, late.notice) == (Ended.TIMEOUT, "")
        await environment.stop()
        assert await environment.health() == "asleep"
        assert await output(environment, "cat file") == b"kept\n"
    finally:
        await environment.destroy()


async def test_another_hermes_that_starts_for_ever_keeps_nobody_from_leaving(
    environment: DaytonaEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloud, "LEAVE_SECONDS", 0.2)
    await output(environment, "true")
    other = FileLock(environment._home / "starting")
    assert other.try_alone()

    with anyio.fail_after(5):
        await environment.close()
    other.release()
