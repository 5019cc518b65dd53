"""What of a docker environment's settings reaches the daemon, and what never does."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest
from hermes_environments.docker import DockerEnvironment
from hermes_environments.docker import spec as docker_spec
from hermes_environments.docker.spec import Machine, container_config, spec_id

from hermes_tui.core.errors import ConfigError


def config(machine: Machine | None = None, **options: Any) -> dict[str, Any]:
    read = docker_spec.read(options, environment="box")
    return container_config(read, machine or Machine(), environment="box")


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "the socket": ({"mounts": ["/var/run/docker.sock:/s"]}, "daemon's socket"),
    "the socket, read only": ({"mounts": ["/run/docker.sock:/s:ro"]}, "daemon's socket"),
    "the socket, by detours": ({"mounts": ["/var/../run//docker.sock:/s"]}, "daemon's socket"),
    "another daemon's socket": ({"mounts": ["/x/podman.sock:/s"]}, "daemon's socket"),
    "the socket's folder": ({"mounts": ["/var/run:/r"]}, "sockets"),
    "the machine": ({"mounts": ["/:/host:ro"]}, "whole machine"),
    "the machine, by detours": ({"mounts": ["/home/..:/host"]}, "whole machine"),
    "the machine, as one string": ({"mounts": "/:/host"}, "whole machine"),
    "its processes' files": ({"mounts": ["/proc/1/root:/host"]}, "every process"),
    "its passwords": ({"mounts": ["/etc:/e:ro"]}, "passwords"),
    "a mount over the image": ({"mounts": ["data:/"]}, "replace the image"),
    "privileged": ({"privileged": True}, "every right"),
    "privileged by a flag": ({"extra_args": ["--privileged"]}, "every right"),
    "privileged by a valued flag": ({"extra_args": "--privileged=true"}, "every right"),
    "its network": ({"network": "host"}, "listen on"),
    "its network by a flag": ({"extra_args": ["--net", "host"]}, "listen on"),
    "another container's network": ({"network": "container:x"}, "another container's"),
    "its processes": ({"pid": "host"}, "stop the machine's own processes"),
    "its processes by a flag": ({"extra_args": "--pid=host"}, "stop the machine's own processes"),
    "its shared memory": ({"extra_args": ["--ipc host"]}, "share memory"),
    "its name": ({"extra_args": ["--uts=host"]}, "rename"),
    "its users": ({"extra_args": ["--userns=host"]}, "own root"),
    "its control groups": ({"extra_args": ["--cgroupns=host"]}, "control groups"),
    "a mount by a flag": ({"extra_args": ["-v", "/:/host"]}, "whole machine"),
    "a capability": ({"capabilities": ["sys_admin"]}, "machine's root"),
    "all capabilities": ({"extra_args": ["--cap-add=ALL"]}, "machine's root"),
    "a prefixed capability": ({"extra_args": ["--cap-add", "CAP_SYS_MODULE"]}, "machine's root"),
    "no system call filter": ({"extra_args": ["--security-opt=seccomp=unconfined"]}, "protection"),
    "new privileges": ({"extra_args": ["--security-opt no-new-privileges=false"]}, "protection"),
    "new privileges, by 0": ({"extra_args": ["--security-opt=no-new-privileges=0"]}, "protection"),
    "new privileges, by False": ({"extra_args": "--security-opt no-new-privileges:False"}, "prot"),
    "new privileges, by f": ({"extra_args": ["--security-opt no-new-privileges=f"]}, "protection"),
    "a filter of one's own": ({"extra_args": ["--security-opt=seccomp={}"]}, "protection"),
    "nothing hidden": ({"extra_args": "--security-opt systempaths=unconfined"}, "protection"),
    "its devices": ({"extra_args": ["--device=/dev"]}, "all devices"),
    "its password file": ({"mounts": ["/etc/shadow:/s:ro"]}, "passwords"),
    "who may do what": ({"mounts": ["/etc/sudoers.d:/s"]}, "passwords"),
    "another daemon's folder": ({"mounts": ["/run/containerd:/c"]}, "sockets"),
    "its jobs": ({"mounts": ["/var/spool/cron:/c"]}, "jobs"),
    "its start": ({"mounts": ["/boot/grub:/b"]}, "starts from"),
    "its programs": ({"mounts": ["/usr:/u"]}, "programs"),
    "its libraries": ({"mounts": ["/lib64:/l"]}, "programs"),
    "root's keys": ({"mounts": ["/root/.ssh:/r"]}, "machine's root"),
    "certificates, to be written": ({"mounts": ["/etc/ssl/certs:/c"]}, "settings"),
    "a mount over the image, by a detour": ({"mounts": ["data://"]}, "replace the image"),
    "its memory": ({"extra_args": ["--device=/dev/mem"]}, "machine's memory"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_way_to_the_machine_is_refused_with_the_reason(what: str, tmp_path: Path) -> None:
    options, reason = REFUSED[what]

    with pytest.raises(ConfigError, match=f"'box' is refused: .*{reason}") as refusal:
        DockerEnvironment(
            "box", cwd=None, pass_env=(), state_dir=str(tmp_path / "run"), options=options
        )

    assert refusal.value.hint


def test_a_link_to_what_is_refused_is_refused(tmp_path: Path) -> None:
    (tmp_path / "innocent").symlink_to("/")

    with pytest.raises(ConfigError, match="whole machine"):
        config(mounts=[f"{tmp_path}/innocent:/x"])


def test_a_folder_that_holds_the_daemons_socket_is_refused(tmp_path: Path) -> None:
    where = tmp_path / "somewhere/engine"
    machine = Machine(sockets=(str(where),))

    for folder in (where, where.parent, tmp_path):
        with pytest.raises(ConfigError, match="holds the daemon's socket"):
            config(machine, mounts=[f"{folder}:/x"])
    config(machine, mounts=[f"{tmp_path}/elsewhere:/x"])


def test_the_daemons_socket_is_known_from_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/engine")

    with pytest.raises(ConfigError, match="holds the daemon's socket"):
        DockerEnvironment(
            "box",
            cwd=None,
            pass_env=(),
            state_dir=str(tmp_path / "run"),
            options={"mounts": [f"{tmp_path}:/x"]},
        )


def test_by_default_a_container_is_shut_in() -> None:
    made = config()
    host = made["HostConfig"]

    assert made["Image"] == docker_spec.DEFAULT_IMAGE
    assert host["Init"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["PidsLimit"] == 512
    assert host["NetworkMode"] == "bridge"
    assert not host["Binds"]


def test_settings_reach_the_daemon_in_its_own_words(tmp_path: Path) -> None:
    made = config(
        target="debian:12",
        mounts=[f"{tmp_path}:/src:ro", "cache:/cache"],
        user=1234,
        network="none",
        read_only=True,
        memory="1.5g",
        cpus=0.5,
        pids=64,
        tmpfs=["/scratch:size=1m"],
        capabilities=[],
        workdir="/src/here",
    )
    host = made["HostConfig"]

    assert made["Image"] == "debian:12"
    assert made["User"] == "1234"
    assert host["Binds"] == [f"{tmp_path}:/src:ro", "cache:/cache"]
    assert host["Memory"] == host["MemorySwap"] == 1_610_612_736
    assert host["NanoCpus"] == 500_000_000
    assert host["CapAdd"] == []
    assert host["Tmpfs"]["/scratch"] == "size=1m"
    assert host["ReadonlyRootfs"] is True
    assert {"/tmp", "/home/hermes"} < set(host["Tmpfs"])
    assert "/src/here" not in host["Tmpfs"]


FLAGS: dict[str, tuple[str, object]] = {
    "--gpus all": ("DeviceRequests", [{"Capabilities": [["gpu"]], "Count": -1}]),
    "--gpus=device=0,2": (
        "DeviceRequests",
        [{"Capabilities": [["gpu"]], "DeviceIDs": ["0", "2"]}],
    ),
    "--device=/dev/null:/dev/x:r": (
        "Devices",
        [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/x", "CgroupPermissions": "r"}],
    ),
    "-p 127.0.0.1:8080:80": (
        "PortBindings",
        {"80/tcp": [{"HostPort": "8080", "HostIp": "127.0.0.1"}]},
    ),
    "-p 53/udp": ("PortBindings", {"53/udp": [{"HostPort": "", "HostIp": ""}]}),
    "--shm-size 1g": ("ShmSize", 2**30),
    "--add-host=a:1.2.3.4 --add-host b:1.2.3.5": ("ExtraHosts", ["a:1.2.3.4", "b:1.2.3.5"]),
    "--ulimit nofile=10:20": ("Ulimits", [{"Name": "nofile", "Soft": 10, "Hard": 20}]),
    "--sysctl net.core.somaxconn=9": ("Sysctls", {"net.core.somaxconn": "9"}),
    "--tmpfs /a:size=2m": ("Tmpfs", {"/a": "size=2m"}),
    "--cpus 1.5": ("NanoCpus", 1_500_000_000),
    "-m 64m": ("Memory", 2**26),
    "--read-only --init -d": ("ReadonlyRootfs", True),
}


@pytest.mark.parametrize("flags", FLAGS)
def test_a_flag_of_docker_run_reaches_the_daemon(flags: str) -> None:
    key, value = FLAGS[flags]

    made = config(extra_args=flags)["HostConfig"][key]

    assert made == value or (isinstance(value, dict) and value.items() <= made.items())
    assert config(extra_args=flags.split()) == config(extra_args=flags)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown setting": ({"imagee": "x"}, r"no setting 'imagee'.*'image'"),
    "a wrong type": ({"pids": "many"}, "'pids'"),
    "a relative folder to work in": ({"workdir": "src"}, "'workdir'"),
    "an unknown flag": ({"extra_args": ["--gpu", "all"]}, "'--gpu' .*'--gpus'"),
    "a flag without its value": ({"extra_args": ["--gpus"]}, "no value"),
    "a flag with a wrong value": ({"extra_args": "--ulimit nofile=x"}, "'nofile=x' is no value"),
    "a size": ({"memory": "lots"}, "'lots' is not an amount"),
    "a flag's size": ({"extra_args": "--shm-size lots"}, "'lots' is not a size"),
    "the name of a variable": ({"env": {"A;B": "x"}}, "'env'"),
    "a flag that is a setting": ({"extra_args": ["-e", "A=1"]}, "setting `env`"),
    "a mount without a place": ({"mounts": ["/home"]}, "not understood"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_setting_is_named(what: str) -> None:
    options, complaint = WRONG[what]

    with pytest.raises(ConfigError, match=complaint):
        config(**options)


def test_what_is_switched_off_needs_no_refusal() -> None:
    config(privileged=False, pid="", userns="private")


def test_a_mounted_folder_is_written_out_and_has_to_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    made = config(mounts=[".:/here", "~/x:/home", "./y:/y"])

    assert made["HostConfig"]["Binds"] == [
        f"{tmp_path}:/here",
        f"{tmp_path}/me/x:/home",
        f"{tmp_path}/y:/y",
    ]
    with pytest.raises(ConfigError, match=r"There is no '.*/me/x' to mount"):
        docker_spec.check_sources(made, environment="box")


def test_with_a_folder_of_the_person_commands_run_as_the_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    monkeypatch.setattr(os, "getgid", lambda: 100)
    mounts = [f"{tmp_path}:/work"]

    assert config(mounts=mounts)["User"] == "1000:100"
    assert config(mounts=["cache:/work"])["User"] == ""
    assert config(mounts=mounts, user="root")["User"] == "root"
    # Root inside is the person outside.
    assert config(Machine(is_rootless=True), mounts=mounts)["User"] == ""


def test_what_commands_see_is_not_what_the_daemon_is_told() -> None:
    assert "hunter2" not in repr(config(env={"PASSWORD": "hunter2"}))


def test_two_containers_are_the_same_exactly_when_they_are_asked_for_the_same() -> None:
    assert spec_id(config(pids=100)) == spec_id(config(pids=100, env={"A": "1"}, workdir="/x"))
    assert spec_id(config(pids=100)) != spec_id(config(pids=101))


def test_a_disk_is_refused_and_another_device_is_not(tmp_path: Path) -> None:
    disks = [path for path in Path("/dev").iterdir() if path.is_block_device()]
    for disk in disks[:1]:
        with pytest.raises(ConfigError, match="disk of the machine"):
            config(extra_args=[f"--device={disk}"])
    config(extra_args=["--device=/dev/null"])
    config(extra_args=[f"--device={tmp_path}/absent"])


def test_a_socket_that_is_no_daemons_may_be_mounted(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(tmp_path / "agent"))
        config(mounts=[f"{tmp_path}/agent:/agent"])


@pytest.mark.parametrize(
    "mount",
    ["/var/tmp:/t", "/etc/localtime:/l:ro", "/etc/ssl/certs:/c:ro", "/dev/null:/n", "/srv/x:/x"],
)
def test_what_work_needs_of_the_machine_may_be_mounted(mount: str) -> None:
    config(mounts=[mount])


def test_a_folder_with_any_daemons_socket_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "user/.docker/run").mkdir(parents=True)
    (tmp_path / "user/.docker/run/docker.sock").touch()

    for folder in ("user", "user/.docker/run"):
        with pytest.raises(ConfigError, match="holds the daemon's socket"):
            config(mounts=[f"{tmp_path}/{folder}:/x"])
    config(mounts=[f"{tmp_path}/user/project:/x"])


def test_a_switch_is_read_as_docker_reads_it() -> None:
    assert config(extra_args=["--read-only=F"])["HostConfig"]["ReadonlyRootfs"] is False
    assert config(extra_args=["--security-opt=no-new-privileges=T"])
    with pytest.raises(ConfigError, match="neither true nor false"):
        config(extra_args=["--read-only=perhaps"])
