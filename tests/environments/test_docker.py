"""Docker: the container around the commands, from its making to its end."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path
from typing import Any

import anyio
import pytest
from hermes_environments import owners
from hermes_environments.docker import DockerEnvironment
from hermes_environments.docker import daemon as docker_daemon
from hermes_environments.docker.daemon import Daemon
from msgspec import Struct

from hermes_tui.core.environment import Ended, NoAttendant
from hermes_tui.core.errors import EnvironmentUnavailableError, ToolError
from tests.doubles import registry
from tests.environments.checks import exists, is_alive, output, pids, until
from tests.environments.services import required


class Audience(NoAttendant):
    """Notes the progress it hears of."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    async def progress(self, text: str) -> None:
        self.heard.append(text)


class Dock(Struct):
    """Makes environments, and removes their containers after the test."""

    folder: Path
    image: str
    made: list[DockerEnvironment]

    def unopened(
        self, name: str = "box", *, attendant: Audience | None = None, **options: Any
    ) -> DockerEnvironment:
        environment = DockerEnvironment(
            name,
            cwd=None,
            pass_env=("PASSED",),
            state_dir=str(self.folder / "run"),
            options={"image": self.image, "network": "none", **options},
            attendant=attendant,
        )
        self.made.append(environment)
        return environment

    async def opened(self, name: str = "box", **options: Any) -> DockerEnvironment:
        environment = self.unopened(name, **options)
        await environment.open()
        return environment


@pytest.fixture
async def dock(tmp_path: Path) -> AsyncGenerator[Dock, None]:
    dock = Dock(tmp_path, required("HERMES_TEST_DOCKER_IMAGE"), [])
    yield dock
    for environment in dock.made:
        await environment.destroy()


def docker(*args: str) -> str:
    return subprocess.run(
        ["docker", *args], check=True, capture_output=True, text=True
    ).stdout.strip()


def inspected(environment: DockerEnvironment) -> dict[str, Any]:
    return json.loads(docker("inspect", environment.container_name))[0]


def status(name: str) -> str:
    return docker("ps", "-a", "--filter", f"name=^{name}$", "--format", "{{.State}}")


# How it is shut in.


async def test_a_container_has_few_rights_and_cannot_get_more(dock: Dock) -> None:
    environment = await dock.opened()

    rights = (await output(environment, "cat /proc/self/status")).decode()
    first = await output(environment, "tr '\\0' ' ' </proc/1/cmdline")

    assert "NoNewPrivs:\t1" in rights
    # CHOWN, DAC_OVERRIDE, FOWNER, KILL, SETGID and SETUID.
    assert f"CapBnd:\t{0b1110_1011:016x}" in rights
    assert b"init" in first
    assert await output(environment, "ls /sys/class/net") == b"lo\n"


async def test_dead_children_of_nobody_are_buried(dock: Dock) -> None:
    environment = await dock.opened()

    await environment.run("for i in 1 2 3; do (setsid true &); done", timeout=20)

    async def none_is_left() -> bool:
        states = await output(environment, "cat /proc/[0-9]*/stat 2>/dev/null | cut -d' ' -f3")
        return b"Z" not in states

    await until(none_is_left)


async def test_processes_over_the_limit_do_not_start_and_the_session_goes_on(dock: Dock) -> None:
    environment = await dock.opened(pids=40)

    result = await environment.run("for i in $(seq 60); do sleep 30 & done; wait", timeout=2)

    assert b"Resource temporarily unavailable" in result.output.head
    assert result.ended is Ended.TIMEOUT
    assert "the container may have 40 at once. Raise `pids`" in result.notice
    assert inspected(environment)["HostConfig"]["PidsLimit"] == 40
    assert await output(environment, "pidof sleep | wc -w") == b"1\n"


async def test_a_container_in_which_nothing_can_be_started_is_said(dock: Dock) -> None:
    environment = await dock.opened(pids=40)
    filling = "while :; do sleep 60 & done"
    subprocess.run(
        ["docker", "exec", environment.container_name, "sh", "-c", filling], capture_output=True
    )

    with pytest.raises(EnvironmentUnavailableError, match="No more processes") as refusal:
        await environment.run("true", timeout=20)
    assert "hermes env stop" in refusal.value.hint
    await environment.stop()
    assert await output(environment, "echo on") == b"on\n"


async def test_out_of_memory_is_said(dock: Dock) -> None:
    environment = await dock.opened(memory="48m")

    result = await environment.run("x=$(head -c 100000000 /dev/zero | tr '\\0' x)", timeout=20)
    other = await environment.run("exit 3", timeout=20)
    killed = await environment.run("kill -9 $$", timeout=20)

    assert result.exit_code == 137
    assert "Out of memory: the container may use 48m" in result.notice
    assert "Raise `memory`" in result.notice
    assert other.notice == ""
    assert (killed.exit_code, killed.notice) == (137, "")
    assert await output(environment, "echo on") == b"on\n"


async def test_a_read_only_container_still_has_places_to_write(dock: Dock) -> None:
    environment = await dock.opened(read_only=True, user="1234:1234")

    refused = await environment.run("echo x >/usr/x", timeout=20)
    assert b"Read-only file system" in refused.output.head
    for folder in ("/tmp", "/workspace", "/home/hermes"):
        await environment.write_file(f"{folder}/file", b"text")
        assert await environment.read_file(f"{folder}/file") == b"text"
    assert (
        await output(environment, "id -u; echo $HOME; pwd") == b"1234\n/home/hermes\n/workspace\n"
    )
    job = await environment.start("echo job")
    assert (await job.wait(10)).exit_code == 0
    assert [each.id for each in await environment.jobs()] == [job.id]


async def test_a_mounted_folder_is_shared_and_may_be_read_only(dock: Dock, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir(mode=0o777)
    (tmp_path / "source/file").write_bytes(b"from outside")
    environment = await dock.opened(mounts=[f"{tmp_path}/source:/src:ro"], workdir="/src")

    assert await output(environment, "cat file") == b"from outside"
    with pytest.raises(ToolError, match="may not be written"):
        await environment.write_file("file", b"x")


async def test_a_full_disk_is_said_and_the_session_goes_on(dock: Dock) -> None:
    environment = await dock.opened(tmpfs=["/small:size=100k"], memory="256m")

    with pytest.raises(ToolError, match="the disk it is on is full"):
        await environment.write_file("/small/file", b"x" * 1_000_000)
    result = await environment.run("cat /dev/zero >/small/other", timeout=20)

    assert b"No space left on device" in result.output.head
    assert result.exit_code == 1
    assert await output(environment, "ls /small; echo on") == b"other\non\n"


async def test_secrets_reach_commands_and_are_nowhere_else(
    dock: Dock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSED", "hunter2")
    monkeypatch.setenv("KEPT", "hunter3")
    environment = await dock.opened(env={"GIVEN": "hunter4"})
    name = environment.container_name

    assert await output(environment, "echo $PASSED $KEPT $GIVEN") == b"hunter2 hunter4\n"
    sleeper = asyncio.create_task(environment.run("touch here; sleep 30", timeout=60))
    await until(lambda: exists(environment, "here"))
    arguments = docker("exec", name, "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    sleeper.cancel()

    assert "sleep 30" in arguments
    assert "hunter" not in arguments + json.dumps(inspected(environment))
    assert "hunter" not in docker("exec", name, "sh", "-c", "grep -rl hunter[24] /tmp /root; true")


# From finding to leaving it.


async def test_a_later_hermes_finds_the_container_and_what_is_in_it(dock: Dock) -> None:
    first = await dock.opened()
    await first.run("echo kept >/root/file", timeout=20)
    before = inspected(first)["Id"]
    await first.close()
    assert status(first.container_name) == "exited"

    second = await dock.opened()
    result = await second.run("cat /root/file", timeout=20)

    assert result.output.head == b"kept\n"
    assert result.notice == ""
    assert inspected(second)["Id"] == before
    assert inspected(second)["Config"]["Labels"]["hermes.keep"] == "yes"


async def test_a_container_in_which_something_runs_is_left_running(dock: Dock) -> None:
    first = await dock.opened()
    job = await first.start("sleep 60")
    await first.close()
    assert status(first.container_name) == "running"

    second = await dock.opened()
    assert (await (await second.jobs())[0].status()).is_running
    await (await second.jobs())[0].kill()
    await second.close()

    assert job.id
    assert status(first.container_name) == "exited"


async def test_one_that_is_not_kept_is_removed_at_the_end_and_is_nobody_elses(dock: Dock) -> None:
    first = await dock.opened(keep=False)
    second = await dock.opened(keep=False)
    names = (first.container_name, second.container_name)

    assert names[0] != names[1]
    await first.close()

    assert [status(name) for name in names] == ["", "running"]
    assert await output(second, "echo on") == b"on\n"
    await second.close()
    assert status(names[1]) == ""


async def test_two_that_open_at_once_share_one_container(dock: Dock) -> None:
    pair = [dock.unopened(), dock.unopened()]

    async with anyio.create_task_group() as group:
        for each in pair:
            group.start_soon(each.open)

    first, second = [await output(each, "hostname") for each in pair]
    assert first == second
    await pair[0].close()
    assert await output(pair[1], "echo on") == b"on\n"


ORPHAN = """
import asyncio, sys
from hermes_environments.docker import DockerEnvironment

async def main():
    options = {"image": sys.argv[2], "keep": False, "network": "none"}
    environment = DockerEnvironment(
        "box", cwd=None, pass_env=(), state_dir=sys.argv[1], options=options
    )
    await environment.open()
    print(environment.container_name, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.fixture
def orphan(dock: Dock) -> Generator[tuple[subprocess.Popen[str], str], None, None]:
    """Another Hermes, and the container it will leave."""
    with subprocess.Popen(
        [sys.executable, "-c", ORPHAN, str(dock.folder / "other"), dock.image],
        stdout=subprocess.PIPE,
        text=True,
    ) as hermes:
        assert hermes.stdout is not None
        yield hermes, hermes.stdout.readline().strip()
        hermes.kill()


async def test_what_a_dead_hermes_left_is_removed_and_what_a_living_one_uses_is_not(
    dock: Dock, orphan: tuple[subprocess.Popen[str], str]
) -> None:
    hermes, name = orphan
    sibling = await dock.opened(keep=False)
    kept = await dock.opened("kept")
    await kept.run("sleep 60 & true", timeout=20)
    await kept.close()
    assert status(name) == "running"

    hermes.send_signal(signal.SIGKILL)
    hermes.wait()
    await dock.opened("another")

    assert status(name) == ""
    assert status(kept.container_name) == "running"
    assert await output(sibling, "echo on") == b"on\n"


async def test_one_removed_behind_our_back_is_made_again_and_the_model_is_told(
    dock: Dock,
) -> None:
    environment = await dock.opened()
    await environment.run("export A=1; touch /root/file; mkdir -p /away; cd /away", timeout=20)
    docker("rm", "-f", environment.container_name)

    with pytest.raises(ToolError, match=r"container is a new one.*'/away' is gone; the command"):
        await environment.run("touch ran", timeout=20)
    result = await environment.run("echo $A; ls /root/file", timeout=20)

    assert result.output.head.startswith(b"1\n")
    assert b"No such file" in result.output.head
    assert result.notice == ""

    docker("rm", "-f", environment.container_name)
    result = await environment.run("pwd", timeout=20)
    assert (result.output.head, result.ended) == (b"/workspace\n", Ended.EXIT)
    assert "installed or written outside its mounts is gone" in result.notice
    assert (await environment.run("pwd", timeout=20)).notice == ""


async def test_one_removed_while_hermes_was_away_is_made_again_and_the_model_is_told(
    dock: Dock,
) -> None:
    first = await dock.opened()
    assert (await first.run("true", timeout=20)).notice == ""
    await first.close()
    docker("rm", "-f", first.container_name)

    second = await dock.opened()

    assert "a new one" in (await second.run("true", timeout=20)).notice


async def test_one_stopped_behind_our_back_is_started_again(dock: Dock) -> None:
    environment = await dock.opened()
    await environment.run("touch /root/file", timeout=20)
    docker("stop", "-t", "0", environment.container_name)

    result = await environment.run("ls /root/file", timeout=20)

    assert result.output.head == b"/root/file\n"
    assert "had been stopped" in result.notice


async def test_one_paused_behind_our_back_is_woken(dock: Dock) -> None:
    environment = await dock.opened()
    docker("pause", environment.container_name)

    result = await environment.run("echo on", timeout=20, keep_state=False)

    assert result.output.head == b"on\n"


async def test_the_home_of_root_in_a_read_only_container_can_be_written(dock: Dock) -> None:
    environment = await dock.opened(read_only=True)
    assert await output(environment, "touch ~/file && echo $HOME") == b"/home/hermes\n"
    job = await environment.start("echo job")
    assert (await job.wait(10)).exit_code == 0


async def test_stop_and_destroy_say_whether_there_was_anything(dock: Dock) -> None:
    environment = dock.unopened()
    assert (await environment.stop(), await environment.destroy()) == (False, False)
    await environment.start("sleep 60")
    assert (await environment.stop(), await environment.stop()) == (True, False)
    assert (await environment.destroy(), await environment.destroy()) == (True, False)


async def test_all_of_one_name_can_be_removed_whatever_their_mounts_were(
    dock: Dock, tmp_path: Path
) -> None:
    first, other = await dock.opened(), await dock.opened("other")
    second = await dock.opened(mounts=[f"{tmp_path}:/here"])
    later = dock.unopened()

    assert await later.count_all() == 2
    assert await later.destroy_all() == 2

    named = [each.container_name for each in (first, second, other)]
    assert list(map(status, named)) == ["", "", "running"]


async def test_one_is_forgotten_when_nobody_has_started_it_for_long(
    dock: Dock, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = await dock.opened()
    name = environment.container_name
    monkeypatch.setattr(docker_daemon, "FORGOTTEN_DAYS", 0)
    assert not environment._daemon._is_forgotten(name)
    await environment.stop()
    assert environment._daemon._is_forgotten(name)
    monkeypatch.setattr(docker_daemon, "FORGOTTEN_DAYS", 1)
    assert not environment._daemon._is_forgotten(name)


async def test_ways_to_a_daemon_that_lead_nowhere_are_said_to(
    dock: Dock, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {
        "ssh://box": "a socket or plain TCP only",
        "https://box:2376": "a socket or plain TCP only",
        "nonsense:/x": "cannot be reached: Invalid bind address protocol: nonsense:/x",
    }
    for host, fact in wrong.items():
        monkeypatch.setenv("DOCKER_HOST", host)
        with pytest.raises(EnvironmentUnavailableError, match=fact):
            await DockerEnvironment(
                "box", cwd=None, pass_env=(), state_dir=str(dock.folder), options={}
            ).open()


async def test_a_name_no_image_can_have_is_said_to_be_that(dock: Dock) -> None:
    environment = dock.unopened(image="Not A Name")
    with pytest.raises(EnvironmentUnavailableError, match="invalid reference format") as refusal:
        await environment.open()
    assert "python:3.12" in refusal.value.hint


@pytest.mark.parametrize(("how", "said"), [(["rm", "-f"], "removed"), (["kill"], "stopped")])
async def test_a_command_whose_container_goes_is_not_run_again(
    dock: Dock, tmp_path: Path, how: list[str], said: str
) -> None:
    (tmp_path / "shared").mkdir(mode=0o777)
    environment = await dock.opened(mounts=[f"{tmp_path}/shared:/shared"])
    command = "echo ran >>/shared/runs; sleep 60"
    running = asyncio.create_task(environment.run(command, timeout=60))
    await until(anyio.Path(tmp_path / "shared/runs").exists)

    docker(*how, environment.container_name)
    with anyio.fail_after(10):
        result = await running

    assert result.exit_code in {137, None}
    assert f"The container was {said} while the command ran." in result.notice
    assert await output(environment, "cat /shared/runs") == b"ran\n"


async def test_other_settings_make_another_container_unless_something_runs_in_it(
    dock: Dock,
) -> None:
    first = await dock.opened(pids=100)
    await first.run("sleep 60 & echo $! >/tmp/pid", timeout=20)
    await first.close()

    with pytest.raises(EnvironmentUnavailableError, match="other settings") as refusal:
        await dock.opened(pids=200)
    assert "hermes env stop box" in refusal.value.hint
    await dock.unopened(pids=200).stop()
    second = await dock.opened(pids=200)

    assert inspected(second)["HostConfig"]["PidsLimit"] == 200
    assert "a new one" in (await second.run("true", timeout=20)).notice


async def test_health_creates_nothing_and_says_how_it_is(dock: Dock) -> None:
    environment = dock.unopened()
    assert await environment.health() == f"ready, {dock.image}"
    assert status(environment.container_name) == ""

    await environment.open()
    assert await environment.health() == f"running, {dock.image}"
    await environment.stop()
    assert await environment.health() == f"exited, {dock.image}"
    await environment.destroy()
    assert status(environment.container_name) == ""
    assert (await dock.unopened(image="no/such:1").health()) == "ready, pulls no/such:1 at first"


# The daemon and the image.


async def test_no_daemon_is_said_with_what_to_do(dock: Dock, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as closed:
        closed.bind(str(tmp_path / "closed"))
    for host in (f"unix://{tmp_path}/absent", f"unix://{tmp_path}/closed", "tcp://127.0.0.1:9"):
        environment = dock.unopened(host=host)
        dock.made.remove(environment)
        with pytest.raises(EnvironmentUnavailableError, match="no Docker daemon") as refusal:
            await environment.open()
        assert "DOCKER_HOST" in refusal.value.hint
        with pytest.raises(EnvironmentUnavailableError, match="no Docker daemon"):
            await environment.health()
        with pytest.raises(EnvironmentUnavailableError, match="no Docker daemon"):
            await environment.run("true", timeout=20)


def test_a_socket_this_user_may_not_use_is_said_with_what_to_do(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "engine"))
        other.listen()
        (tmp_path / "engine").chmod(0)
        was_root = os.geteuid() == 0
        if was_root:
            os.seteuid(65_534)
        try:
            with pytest.raises(EnvironmentUnavailableError, match="may not be used") as refusal:
                Daemon(f"unix://{tmp_path}/engine").connect()
        finally:
            if was_root:
                os.seteuid(0)
    assert "group docker" in refusal.value.hint


@pytest.fixture
def image_server(dock: Dock) -> Generator[registry.Registry, None, None]:
    made = docker("create", dock.image, "true")
    try:
        layer = subprocess.run(["docker", "export", made], check=True, capture_output=True).stdout
    finally:
        docker("rm", made)
    with registry.serve(layer) as server:
        yield server


@pytest.fixture
def pulled(image_server: registry.Registry) -> Generator[Callable[[str], str], None, None]:
    """Names of images on the server; they are removed from the daemon after the test."""
    images: list[str] = []

    def image(name: str) -> str:
        images.append(f"{image_server.address}/{name}")
        return images[-1]

    yield image
    for each in images:
        subprocess.run(["docker", "rmi", "-f", each], capture_output=True)


async def test_an_absent_image_is_pulled_with_progress(
    dock: Dock, pulled: Callable[[str], str]
) -> None:
    image = pulled("tools/box:1")
    audience = Audience()
    environment = dock.unopened(attendant=audience, target=image)

    assert await output(environment, "echo $FROM_IMAGE") == b"yes\n"

    assert audience.heard[0].startswith(f"pulling {image}")
    await environment.destroy()


async def test_an_image_that_cannot_be_pulled_is_said_with_the_reason(
    dock: Dock, image_server: registry.Registry
) -> None:
    for image, reason in {
        f"{image_server.address}/missing/box": "manifest.*unknown",
        "127.0.0.1:9/no/box:1": "connection refused",
    }.items():
        with pytest.raises(EnvironmentUnavailableError, match=rf"could not be pulled:.*{reason}"):
            await dock.opened(image=image)


async def test_a_pull_can_be_interrupted(
    dock: Dock, image_server: registry.Registry, pulled: Callable[[str], str]
) -> None:
    environment = dock.unopened(image=pulled("slow/box:1"))
    opening = asyncio.create_task(environment.open())

    async def is_pulling() -> bool:
        return any("/blobs/" in path for path in image_server.requests)

    await until(is_pulling)

    opening.cancel()
    with anyio.fail_after(5), pytest.raises(asyncio.CancelledError):
        await opening
    image_server.released.set()


async def test_an_image_without_a_shell_is_said(dock: Dock, tmp_path: Path) -> None:
    subprocess.run(
        ["docker", "import", "-", f"hermes-test-{tmp_path.name.replace('_', '')}"],
        input=subprocess.run(["tar", "c", "-T", "/dev/null"], capture_output=True).stdout,
        check=True,
        capture_output=True,
    )
    try:
        with pytest.raises(EnvironmentUnavailableError, match=r"ended as soon as .*sleep") as no:
            await dock.opened(image=f"hermes-test-{tmp_path.name.replace('_', '')}")
        assert "`sh`" in no.value.hint
        assert docker("ps", "-aq", "--filter", "status=created") == ""
    finally:
        docker("rmi", "-f", f"hermes-test-{tmp_path.name.replace('_', '')}")


async def test_a_network_that_is_not_there_is_said(dock: Dock) -> None:
    with pytest.raises(EnvironmentUnavailableError, match=r"network nowhere not found") as refusal:
        await dock.opened(network="nowhere")
    assert "docker network create" in refusal.value.hint


# The connection.


async def test_a_held_back_command_that_is_killed_does_not_jam_the_container(dock: Dock) -> None:
    """dockerd 20.10 keeps back the end of a process whose output nobody takes."""
    environment = await dock.opened()

    async def never(data: bytes) -> None:
        del data
        await anyio.sleep_forever()

    with anyio.fail_after(10):
        late = await environment.run("echo $$ >/tmp/pid; yes", timeout=0.5, on_output=never)
    (pid,) = await pids(environment, "/tmp/pid", 1)

    assert (late.ended, late.notice) == (Ended.TIMEOUT, "")
    assert not await is_alive(environment, pid)
    with anyio.fail_after(5):
        await environment.destroy()


async def test_children_left_behind_do_not_delay_the_end_of_another_command(dock: Dock) -> None:
    """dockerd 20.10 tells of no end for two seconds while they hold an output."""
    environment = await dock.opened()
    await environment.run("sleep 60 & true", timeout=20)
    await environment.run("sleep 60 & true", timeout=20)

    late = await environment.run("sleep 60", timeout=0.2)

    assert late.ended is Ended.TIMEOUT
    assert late.seconds < 2


async def test_what_a_process_prints_at_once_is_not_lost(dock: Dock) -> None:
    environment = await dock.opened()

    for _ in range(8):
        channel = await environment.channel(["echo", "hi"], env={})
        assert await channel.recv() == b"hi\n"
        assert await channel.recv() == b""
        assert await channel.exit_code() == 0
        await channel.close()


async def test_a_command_that_is_cancelled_while_it_starts_leaves_no_connection(
    dock: Dock,
) -> None:
    environment = await dock.opened()

    for _ in range(5):
        starting = asyncio.create_task(environment.channel(["sleep", "60"], env={}))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting

    assert await output(environment, "echo on") == b"on\n"


async def test_plain_sh_will_do_and_is_said_once(dock: Dock) -> None:
    environment = await dock.opened(image=required("HERMES_TEST_DOCKER_IMAGE_SH"))

    first = await environment.run("export A=1; cd /tmp", timeout=20)
    second = await environment.run("echo $A; pwd", timeout=20)

    assert "no bash" in first.notice
    assert (second.output.head, second.notice) == (b"1\n/tmp\n", "")
    assert environment.capabilities.has_bash is False


@pytest.fixture
def silent_daemon(tmp_path: Path) -> Generator[str, None, None]:
    """The address of one that takes connections and never answers."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "silent"))
        listener.listen(100)
        yield f"unix://{tmp_path}/silent"


async def test_a_silent_daemon_is_not_waited_for(tmp_path: Path, silent_daemon: str) -> None:
    environment = DockerEnvironment(
        "box",
        cwd=None,
        pass_env=(),
        state_dir=str(tmp_path / "run"),
        options={"host": silent_daemon},
    )

    with anyio.fail_after(10):
        with pytest.raises(EnvironmentUnavailableError, match="did not answer"):
            await environment.health()
        with anyio.move_on_after(0.1) as scope:
            await environment.open()
    assert scope.cancelled_caught


async def test_a_container_nothing_can_be_done_in_does_not_go_on(
    dock: Dock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def find_no_shell(self: DockerEnvironment) -> None:
        raise EnvironmentUnavailableError("There is no shell.")

    monkeypatch.setattr(DockerEnvironment, "find_shell", find_no_shell)
    kept, passing = dock.unopened("kept"), dock.unopened("passing", keep=False)
    for environment in (kept, passing):
        with pytest.raises(EnvironmentUnavailableError, match="no shell"):
            await environment.open()

    assert status(kept.container_name) == "exited"
    assert status(passing.container_name) == ""


async def test_containers_to_keep_are_stopped_when_their_owner_died_and_they_are_idle(
    dock: Dock, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = f"{owners.this_machine()}:{owners._boot()}:1:0"
    with monkeypatch.context() as patch:
        patch.setattr(owners, "this_process", lambda: dead)
        idle, busy = await dock.opened("idle"), await dock.opened("busy")
    await busy.start("sleep 60")
    await idle._spare.drop()

    await dock.opened("another")

    assert status(idle.container_name) == "exited"
    assert status(busy.container_name) == "running"
