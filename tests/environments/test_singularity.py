"""What is particular to apptainer: its settings, its instances, and what can go wrong."""

import os
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import anyio
import pytest
from hermes_environments.singularity import SingularityEnvironment
from hermes_environments.singularity.program import Program
from hermes_environments.singularity.spec import possible_limits

from hermes_tui.core.environment import NoAttendant
from hermes_tui.core.errors import ConfigError, EnvironmentUnavailableError
from tests.doubles import registry
from tests.environments.checks import output, until
from tests.environments.makers_singularity import end
from tests.environments.services import required

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="apptainer runs on Linux only")


class Audience(NoAttendant):
    """Notes the progress it hears of."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    async def progress(self, text: str) -> None:
        self.heard.append(text)


def unopened(
    tmp_path: Path, *, attendant: Audience | None = None, **options: Any
) -> SingularityEnvironment:
    return SingularityEnvironment(
        "box",
        cwd=None,
        pass_env=("PASSED",),
        state_dir=str(tmp_path / "run"),
        options=options,
        attendant=attendant,
    )


@pytest.fixture
def sif(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("APPTAINER_CONFIGDIR", str(tmp_path / "apptainer"))
    return required("HERMES_TEST_SIF")


@pytest.fixture
async def environment(tmp_path: Path, sif: str) -> AsyncGenerator[SingularityEnvironment, None]:
    environment = unopened(tmp_path, image=sif)
    yield environment
    await environment.close()
    end(environment._instance_name)


async def names(environment: SingularityEnvironment) -> list[str]:
    return [instance.name for instance in await Program.find().instances(environment._key)]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown setting": ({"imgae": "x"}, "no setting 'imgae'.*'image'"),
    "a wrong type": ({"image": "x", "mounts": "a:/b"}, "'mounts'.*expected array"),
    "a wrong choice": ({"image": "x", "network": "bridge"}, "'network'"),
    "no image": ({}, "has no image"),
    "another instance": ({"image": "instance://x"}, "cannot be an instance"),
    "a relative workdir": ({"image": "x", "workdir": "work"}, "not an absolute path"),
    "half a mount": ({"image": "x", "mounts": ["/srv"]}, "is not `source:destination`"),
    "a relative destination": ({"image": "x", "mounts": ["/srv:srv"]}, "is not `source"),
    "a comma in a mount": ({"image": "x", "mounts": ["/a,b:/c"]}, "comma"),
    "the whole machine": ({"image": "x", "mounts": ["/:/host"]}, "whole machine"),
    "the whole machine by a detour": ({"image": "x", "mounts": ["/usr/..:/host"]}, "whole"),
    "the whole machine as the image": ({"image": "/"}, "whole machine"),
    "an overlay of its settings": ({"image": "x", "overlay": "/etc"}, "settings"),
    "its sockets": ({"image": "x", "mounts": ["/run:/r"]}, "sockets"),
    "its sockets by their old name": ({"image": "x", "mounts": ["/var/run:/r:ro"]}, "sockets"),
    "its passwords": ({"image": "x", "mounts": ["/etc:/e:ro"]}, "passwords"),
    "its processes": ({"image": "x", "mounts": ["/proc:/p"]}, "every process"),
    "its devices": ({"image": "x", "mounts": ["/dev:/d"]}, "disks"),
    "a mount over the image": ({"image": "x", "mounts": ["/srv://"]}, "replace the image"),
    "a daemon's socket": (
        {"image": "x", "mounts": ["/var/run/docker.sock:/s"]},
        "daemon's socket",
    ),
    "short ones together": ({"image": "x", "extra_args": ["-eB/:/host"]}, "open this machine"),
    "a program of this machine": ({"image": "x", "extra_args": ["--fusemount=c"]}, "'--fusemount'"),
    "writing to the image": ({"image": "x", "extra_args": ["-w"]}, "'-w'"),
    "what is ours undone": ({"image": "x", "extra_args": ["--containall=false"]}, "containall"),
    "another image": ({"image": "x", "extra_args": ["y.sif"]}, "'y.sif'"),
    "a flag without its value": ({"image": "x", "extra_args": ["--dns"]}, "has no value"),
    "a mount among the arguments": ({"image": "x", "extra_args": ["--bind=/:/x"]}, "'--bind'"),
    "a short one": ({"image": "x", "extra_args": ["-B/:/x"]}, "open this machine"),
    "more rights": ({"image": "x", "extra_args": ["--keep-privs"]}, "open this machine"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_settings_that_are_wrong_or_dangerous_are_refused_by_name(
    tmp_path: Path, what: str
) -> None:
    options, fact = REFUSED[what]

    with pytest.raises(ConfigError, match=fact) as refusal:
        unopened(tmp_path, **options)
    assert refusal.value.hint


async def test_without_apptainer_the_environment_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(EnvironmentUnavailableError, match="Neither apptainer nor singularity"):
        await unopened(tmp_path, image="x.sif").open()


async def test_an_image_that_is_missing_or_none_is_said(tmp_path: Path, sif: str) -> None:
    (tmp_path / "text.sif").write_text("no image", encoding="utf-8")

    with pytest.raises(EnvironmentUnavailableError, match=r"no image '/nowhere\.sif'"):
        await unopened(tmp_path, image="/nowhere.sif").open()
    with pytest.raises(EnvironmentUnavailableError, match=r"apptainer refused: .*text\.sif"):
        await unopened(tmp_path, image=str(tmp_path / "text.sif")).open()
    with pytest.raises(EnvironmentUnavailableError, match=r"mount source /nowhere") as error:
        await unopened(tmp_path, image=sif, mounts=["/nowhere:/x"]).open()
    assert error.value.hint


async def test_the_older_command_serves_as_well(
    environment: SingularityEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/singularity").symlink_to(shutil.which("apptainer") or "")
    tools = [tool for tool in ("sh", "sleep", "squashfuse_ll", "newuidmap") if shutil.which(tool)]
    for tool in tools:
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or "")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    assert await output(environment, "echo hi") == b"hi\n"


async def test_nothing_of_this_machine_is_inside_but_what_was_named(
    tmp_path: Path, sif: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("APPTAINERENV_SNEAKED", "sk-secret")
    monkeypatch.setenv("APPTAINER_BIND", f"{tmp_path}:/sneaked")
    monkeypatch.setenv("PASSED", "needed")
    (tmp_path / "user/mine").write_text("mine", encoding="utf-8")
    (tmp_path / "shown").mkdir()
    environment = unopened(
        tmp_path,
        image=sif,
        env={"MODE": "test"},
        mounts=[f"{tmp_path}/shown:/shown:ro"],
        network="none",
    )

    everything = await output(environment, "env; set; cat /proc/*/environ; ls ~ / /home; true")
    assert b"sk-secret" not in everything
    assert b"mine" not in everything.split()
    assert b"sneaked" not in everything
    assert await output(environment, "echo $PASSED $MODE $TERM $PWD") == (
        b"needed test dumb /workspace\n"
    )
    assert (await environment.run("touch /shown/x", timeout=20)).exit_code == 1
    assert await output(environment, "grep -c : /proc/net/dev; echo $PPID") == b"1\n0\n"
    assert "network" in environment.capabilities.limits
    await environment.close()
    end(environment._instance_name)


async def test_files_outlive_the_instance_and_go_only_when_it_is_destroyed(
    tmp_path: Path, environment: SingularityEnvironment
) -> None:
    await output(environment, "echo kept | tee /note ~/note /tmp/note note")
    assert await environment.health() == f"{await Program.find().version()}, running"

    await environment.stop()

    assert await names(environment) == []
    assert (await environment.health()).endswith("not running")
    assert await output(environment, "cat /note ~/note /tmp/note note") == b"kept\n" * 4

    await environment.destroy()

    assert not (tmp_path / "run/singularity" / environment._key).exists()
    assert (await environment.run("cat /note", timeout=20)).exit_code == 1


async def test_changes_are_kept_in_memory_when_asked_for(tmp_path: Path, sif: str) -> None:
    environment = unopened(tmp_path, image=sif, overlay="memory")
    await output(environment, "touch /note")
    await environment.stop()

    assert (await environment.run("test -e /note", timeout=20)).exit_code == 1
    await environment.destroy()


async def test_an_instance_nobody_uses_is_stopped_without_anybody_waiting_for_it(
    environment: SingularityEnvironment,
) -> None:
    await output(environment, "true")
    instance = environment._instance
    assert instance is not None

    await environment.close()
    assert instance.is_alive

    async def is_gone() -> bool:
        return await names(environment) == []

    await until(is_gone)
    assert await output(environment, "echo again") == b"again\n"


async def test_an_instance_with_a_job_or_another_user_goes_on(
    environment: SingularityEnvironment, tmp_path: Path, sif: str
) -> None:
    neighbour = unopened(tmp_path, image=sif, workdir="/tmp", env={"A": "1"})
    async with anyio.create_task_group() as group:  # both find none and start one
        group.start_soon(environment.open)
        group.start_soon(neighbour.open)
    assert await names(environment) == [environment._instance_name]

    await environment.close()
    assert await output(neighbour, "echo $A; pwd") == b"1\n/tmp\n"
    job = await neighbour.start("until [ -e go ]; do sleep 0.05; done; echo done")
    instance = neighbour._instance
    await neighbour.close()

    (found,) = await environment.jobs()
    assert environment._instance == instance
    assert found.id == job.id
    await environment.write_file("/tmp/go", b"")
    assert (await found.wait(10)).exit_code == 0


async def test_an_instance_that_is_gone_is_started_again_and_the_model_is_told(
    environment: SingularityEnvironment,
) -> None:
    await output(environment, "export A=1; touch here")
    subprocess.run(
        ["apptainer", "-q", "instance", "stop", "-F", environment._instance_name], check=True
    )

    result = await environment.run("echo $A; ls", timeout=20)

    assert result.output.head == b"1\nhere\n"
    assert "was gone and has been started anew" in result.notice
    assert (await environment.run("true", timeout=20)).notice == ""


async def test_an_instance_that_ends_under_a_command_is_said(
    environment: SingularityEnvironment,
) -> None:
    async def on_output(data: bytes) -> None:
        await anyio.run_process(
            ["apptainer", "-q", "instance", "stop", "-F", environment._instance_name]
        )

    result = await environment.run("echo on; sleep 60", timeout=20, on_output=on_output)

    assert result.exit_code != 0
    assert "ended while the command ran" in result.notice


async def test_other_settings_mean_another_instance_unless_it_is_in_use(
    environment: SingularityEnvironment, tmp_path: Path, sif: str
) -> None:
    changed = unopened(tmp_path, image=sif, network="none")
    await output(environment, "touch kept")

    with pytest.raises(EnvironmentUnavailableError, match="other settings"):
        await changed.open()
    job = await environment.start("sleep 60")
    await environment.close()
    result = await changed.run("ls", timeout=20)

    assert result.output.head == b"kept\n"
    assert "settings of box have changed" in result.notice
    assert await names(changed) == [changed._instance_name]
    assert [found.id for found in await changed.jobs()] == [job.id]
    await changed.destroy()


async def test_a_limit_that_would_be_none_is_refused(tmp_path: Path, sif: str) -> None:
    environment = unopened(tmp_path, image=sif, memory="64M")

    if "memory" in possible_limits():
        result = await environment.run("head -c 200000000 /dev/zero | tail", timeout=20)
        assert result.exit_code != 0
        await environment.destroy()
    else:
        with pytest.raises(EnvironmentUnavailableError, match="cannot limit memory") as error:
            await environment.open()
        assert error.value.hint


@pytest.fixture
def image_server(sif: str) -> Generator[registry.Registry, None, None]:
    folders = ["bin", "etc", "lib", "lib64", "usr"]
    layer = subprocess.run(
        ["apptainer", "-q", "exec", "--userns", "--containall", sif, "tar", "c", "-C/", *folders],
        check=True,
        capture_output=True,
    )
    with registry.serve(layer.stdout) as server:
        yield server


async def test_a_docker_image_is_built_once_with_progress(
    tmp_path: Path, image_server: registry.Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPTAINER_NOHTTPS", "1")
    monkeypatch.setenv("APPTAINER_CACHEDIR", str(tmp_path / "cache"))
    audience = Audience()
    reference = f"docker://{image_server.address}/tools/box:1"
    environment = unopened(tmp_path, attendant=audience, target=reference)

    assert await output(environment, "echo $FROM_IMAGE") == b"yes\n"
    assert audience.heard[0] == f"building {reference}"
    assert len(audience.heard) > 3
    assert f"built {reference}" in audience.heard
    await environment.stop()
    asked = len(image_server.requests)
    assert await output(environment, "echo again") == b"again\n"
    assert len(image_server.requests) == asked
    await environment.destroy()

    missing = f"docker://{image_server.address}/missing/box"
    with pytest.raises(EnvironmentUnavailableError, match=r"could not be built.*manifest unknown"):
        await unopened(tmp_path, target=missing).open()
    assert [path.suffix for path in (tmp_path / "run/singularity/images").iterdir()] == [".sif"]


@pytest.mark.skipif(os.geteuid() != 0, reason="everything else is tested as a normal user already")
async def test_a_normal_user_needs_no_rights(
    tmp_path: Path, sif: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unprivileged = unopened(tmp_path, image=sif, workdir="/made/for/it")
    apptainer = shutil.which("apptainer")
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin/apptainer"
    command.write_text(
        f'#!/bin/sh\nexec setpriv --reuid 65534 --regid 65534 --clear-groups {apptainer} "$@"\n',
        encoding="utf-8",
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    for folder in ("run/singularity", "apptainer"):
        (tmp_path / folder).mkdir(parents=True)
    for path in (tmp_path, *tmp_path.parents):
        if not path.stat().st_mode & 0o001:
            path.chmod(0o711)
    await anyio.run_process(["chown", "-R", "65534:65534", str(tmp_path)])
    unprivileged._make_folders()
    await anyio.run_process(["chown", "-R", "65534:65534", str(tmp_path)])

    assert await output(unprivileged, "id -u; touch /x ~/x /tmp/x x && echo ok") == b"65534\nok\n"
    await unprivileged.destroy()


def test_arguments_that_open_nothing_are_passed_on(tmp_path: Path) -> None:
    unopened(tmp_path, image="x", extra_args=["--nv", "--dns", "1.1.1.1", "--hostname=box"])
