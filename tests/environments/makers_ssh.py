"""SSH for the tests: servers of our own on this machine, which may be frozen and cut."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from hermes_environments.base import BaseEnvironment
from hermes_environments.ssh import SshEnvironment

from hermes_tui.core.environment import Attendant, NoAttendant
from tests.environments.places import Place
from tests.environments.services import unavailable


class Sshd:
    """An OpenSSH server on a port of its own, for whoever runs the tests."""

    def __init__(
        self, folder: Path, *, lines: Iterable[str] = (), variables: Mapping[str, str] = {}
    ) -> None:
        """`lines` go into its configuration before the defaults; `variables` are a login's."""
        self.folder = folder
        self.port = free_port()
        self.known_hosts = folder / "known_hosts"
        self._program = program("sshd")
        folder.mkdir(exist_ok=True)
        self.identity = make_key(folder / "identity")
        self.host_key = make_key(folder / "host")
        # What the person's own shell does at a login takes its time and is not ours to test.
        login = {"HOME": str(folder), **variables}
        config = [
            *lines,
            "SetEnv " + " ".join(f'"{name}={value}"' for name, value in login.items()),
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {self.host_key}",
            f"PidFile {folder}/pid",
            f"AuthorizedKeysFile {self.identity}.pub",
            "PermitRootLogin yes",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "UsePAM no",
            "StrictModes no",
            "MaxSessions 10",
            "MaxStartups 100",
        ]
        if not any(line.startswith("Subsystem") for line in config):  # it may be there only once
            config.append("Subsystem sftp internal-sftp")
        (folder / "config").write_text("\n".join(config) + "\n", encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None
        self.know()
        self.start()

    @property
    def options(self) -> dict[str, object]:
        """Settings of an environment on it."""
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "user": getpass.getuser(),
            "identity_file": str(self.identity),
            "known_hosts": str(self.known_hosts),
        }

    def know(self) -> None:
        """Make its present key the known one."""
        key = " ".join(Path(f"{self.host_key}.pub").read_text(encoding="utf-8").split()[:2])
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {key}\n", encoding="utf-8")

    def start(self) -> None:
        log = self.folder / "log"
        self._process = subprocess.Popen(
            [self._program, "-D", "-f", str(self.folder / "config"), "-E", str(log)],
            stdin=subprocess.DEVNULL,
        )
        end = time.monotonic() + 10
        while not is_listening(self.port):
            if self._process.poll() is not None or time.monotonic() > end:
                said = log.read_text(encoding="utf-8") if log.exists() else ""
                unavailable(f"sshd does not start: {said}")
            time.sleep(0.01)

    def stop(self) -> None:
        """End it with all its connections."""
        if self._process is not None:
            processes = self.processes()
            self.thaw()
            for pid in (self._process.pid, *processes):
                _signal(pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def cut(self) -> None:
        """End its connections but not it."""
        for pid in self.processes():
            _signal(pid, signal.SIGKILL)

    def freeze(self) -> None:
        """Let nothing of it run; the system goes on taking what is sent to it."""
        assert self._process is not None
        for pid in (self._process.pid, *self.processes()):
            _signal(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        for pid in (self._process.pid, *self.processes()):
            _signal(pid, signal.SIGCONT)

    def processes(self) -> list[int]:
        """The processes that serve its connections."""
        assert self._process is not None
        parents: dict[int, int] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                head, _, rest = (folder / "stat").read_text(encoding="utf-8").rpartition(") ")
            except OSError:
                continue
            if "(sshd" in head:
                parents[int(folder.name)] = int(rest.split()[1])
        found = {self._process.pid}
        for _ in range(4):
            found |= {pid for pid, parent in parents.items() if parent in found}
        return sorted(found - {self._process.pid})


def program(name: str) -> str:
    """Where it is; without it the test is skipped, or fails where services are due."""
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/bin")
    return path or unavailable(f"{name} is not installed")


def make_key(path: Path, *, passphrase: str = "", kind: str = "ed25519") -> Path:
    if not path.exists():
        arguments = ["-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", str(path)]
        subprocess.run([program("ssh-keygen"), *arguments], check=True)
    return path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def is_listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def make_ssh(place: Place) -> BaseEnvironment:
    """An environment on a server all tests of this process share, with a home of its own."""
    folder = place.shared.folder / "sshd"
    if folder not in SERVERS:
        SERVERS[folder] = Sshd(folder)
        place.shared.after.callback(SERVERS[folder].stop)
    return connected_to(
        SERVERS[folder],
        state_dir=place.state_dir,
        options={"workdir": str(place.workspace), "env": {"HOME": str(place.home)}},
    )


def connected_to(
    server: Sshd,
    *,
    state_dir: Path,
    options: Mapping[str, object] = {},
    attendant: Attendant | None = None,
) -> SshEnvironment:
    return SshEnvironment(
        "ssh",
        cwd=None,
        pass_env=(),
        state_dir=str(state_dir),
        options={**server.options, **options},
        attendant=attendant or NoAttendant(),
    )


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


SERVERS: dict[Path, Sshd] = {}
