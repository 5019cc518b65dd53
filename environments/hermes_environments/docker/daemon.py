"""What is asked of the Docker daemon: blocking calls, and a sentence when one fails."""

import os
import socket
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

from msgspec import Struct

from hermes_environments import owners
from hermes_environments.channel import ChannelLostError
from hermes_environments.docker.spec import Machine
from hermes_tui.core.errors import EnvironmentUnavailableError

API_SECONDS = 60
"""A daemon that does not answer for so long is taken for dead."""
MINIMUM_API = "1.24"
"""For a client that is not asked anything."""
STOP_SECONDS = 2
PROGRESS_SECONDS = 0.5
LABEL = "hermes"
KEY, OWNER, SPEC, KEEP = "hermes.key", "hermes.owner", "hermes.spec", "hermes.keep"
NAME, HOME = "hermes.name", "hermes.home"
"""The environment a container was made for, and a mark of the Hermes home it belongs to."""
FORGOTTEN_DAYS = 30
"""A kept container nobody has started for so long is removed."""


class ContainerDownError(ChannelLostError):
    """The container is gone, stopped or paused."""


class Container(Struct, frozen=True):
    """A container of ours, as the daemon knows it."""

    id: str
    name: str
    status: str
    """`running`, `exited`, `created`, `paused`, `dead` and the like."""
    image: str
    labels: Mapping[str, str]


class Started(Struct, frozen=True):
    """A process in a container, and the connection it is attached to."""

    id: str
    connection: socket.socket
    received: bytes
    """What came on the connection already."""
    stream: Any
    """docker-py's own hold on the connection."""

    def close(self) -> None:
        """Release the connection; the process goes on."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.stream._response.close()  # noqa: SLF001 - it holds the connection as well
        self.stream.close()
        self.connection.close()


class Daemon:
    """The daemon at `host`, or where the docker command finds it.

    Every method blocks, and raises EnvironmentUnavailableError when it cannot do its work.
    """

    def __init__(self, host: str = "") -> None:
        self._host = host
        self._client: Any = None  # its stubs leave most results unknown
        self._machine = Machine()

    @property
    def machine(self) -> Machine:
        return self._machine

    def connect(self) -> Machine:
        if self._client is None:
            self._client, self._machine = self._connected()
        return self._machine

    def _client_for(self, version: str) -> Any:
        """Where the docker command would go, unless a host is set."""
        import docker

        if self._host:
            return docker.DockerClient(self._host, version=version, timeout=API_SECONDS).api
        return docker.from_env(version=version, timeout=API_SECONDS).api

    def _connected(self) -> tuple[Any, Machine]:
        _check_way(self._host or os.environ.get("DOCKER_HOST", ""))
        with _explained("be asked what it is"):
            path = _socket_path(self._client_for(MINIMUM_API))
            if path:
                _knock(path)
            client = self._client_for("auto")
            facts = client.info()
        _check_way(client.base_url)
        security: list[str] = facts.get("SecurityOptions") or []
        return client, Machine(
            sockets=(path,) if path else (),
            is_local=bool(path),
            is_rootless=any("rootless" in option or "userns" in option for option in security),
            limits=frozenset(
                name
                for name, fact in {
                    "cpus": "CpuCfsQuota",
                    "memory": "MemoryLimit",
                    "pids": "PidsLimit",
                }.items()
                if facts.get(fact)
            )
            | {"network"},
        )

    @property
    def _api(self) -> Any:
        self.connect()
        return self._client

    def find(self, name: str) -> Container | None:
        from docker.errors import NotFound

        with _explained("be asked for its containers"):
            try:
                found = self._api.inspect_container(name)
            except NotFound:
                return None
        return Container(
            id=found["Id"],
            name=found["Name"].removeprefix("/"),
            status=found["State"]["Status"],
            image=found["Config"]["Image"],
            labels=found["Config"].get("Labels") or {},
        )

    def reap(self, own: str = "") -> int:
        """Remove what owners on this machine left when they died; how many that were.

        Containers that are to be kept are stopped when nothing runs in them, and removed when
        they have been stopped for long, but not `own`.
        """
        with _explained("be asked for its containers"):
            passing = self._api.containers(all=True, filters={"label": [f"{KEEP}=no"]})
            kept = self._api.containers(all=True, filters={"label": [f"{KEEP}=yes"]})
        dead = [each for each in passing if owners.is_dead(each["Labels"].get(OWNER, ""))]
        for container in dead:
            self.remove(container["Id"])
        for container in kept:
            labels = container["Labels"]
            if labels.get(KEY) == own or not owners.is_dead(labels.get(OWNER, "")):
                continue
            if container["State"] == "running":
                self._stop_idle(container["Id"])
            elif container["Created"] < _long_ago() and self._is_forgotten(container["Id"]):
                self.remove(container["Id"])
        return len(dead)

    def _is_forgotten(self, container_id: str) -> bool:
        """Whether it has been stopped for long."""
        with suppress(ContainerDownError), _explained("be asked for its containers"):
            state = self._api.inspect_container(container_id)["State"]
            since = datetime.fromisoformat(state["FinishedAt"]).timestamp()
            return state["Status"] in {"exited", "created"} and since < _long_ago()
        return False

    def left_of(self, name: str, home: str) -> list[str]:
        """The ids of all containers made for the environment `name` by Hermes with this home."""
        with _explained("be asked for its containers"):
            labels = [f"{NAME}={name}", f"{HOME}={home}"]
            return [
                each["Id"] for each in self._api.containers(all=True, filters={"label": labels})
            ]

    def retire(self, container: Container) -> None:
        """End one that was brought up for somebody who no longer waits, unless it is in use."""
        with suppress(EnvironmentUnavailableError):
            if container.labels.get(KEEP) == "no":
                self.remove(container.id)
            else:
                self._stop_idle(container.id)

    def _stop_idle(self, container_id: str) -> None:
        if self.is_idle(container_id):
            self.stop(container_id)

    def create(self, name: str, config: Mapping[str, Any]) -> Container:
        """Create and start it, or find the one of that name another Hermes made meanwhile."""
        from docker.errors import APIError

        try:
            with _explained("create a container"):
                self._api.create_container_from_config(config, name)
        except EnvironmentUnavailableError as error:
            is_taken = isinstance(error.__cause__, APIError) and error.__cause__.status_code == 409
            if not is_taken or not (other := self._awaited(name)):
                raise
            return self.start(other)
        created = self.find(name)
        assert created is not None
        try:
            return self.start(created)
        except BaseException:
            self.remove(name)
            raise

    def _awaited(self, name: str) -> Container | None:
        """One that is being made: its name is taken before it can be found."""
        for pause in (0.02, 0.1, *[0.5] * 40):
            if found := self.find(name):
                return found
            time.sleep(pause)
        return None

    def start(self, container: Container) -> Container:
        """See that it runs."""
        with _explained(f"start {container.name}"):
            if container.status == "paused":
                self._api.unpause(container.id)
            else:
                self._api.start(container.id)  # does nothing when it runs
        return self.find(container.id) or container

    def stop(self, container_id: str) -> None:
        with suppress(ContainerDownError), _explained("stop a container"):
            self._api.stop(container_id, timeout=STOP_SECONDS)

    def remove(self, container_id: str) -> None:
        from docker.errors import APIError

        try:
            with suppress(ContainerDownError), _explained("remove a container"):
                self._api.remove_container(container_id, v=True, force=True)
        except EnvironmentUnavailableError as error:
            # Somebody else is removing it at this moment.
            if not (isinstance(error.__cause__, APIError) and error.__cause__.status_code == 409):
                raise

    def is_idle(self, container_id: str) -> bool:
        """Whether nothing runs in it but what keeps it up."""
        with suppress(ContainerDownError), _explained("list processes"):
            return len(self._api.top(container_id)["Processes"] or []) <= 2
        return True

    def has_image(self, image: str) -> bool:
        from docker.errors import NotFound

        with _explained("be asked for its images"):
            try:
                self._api.inspect_image(image)
            except NotFound:
                return False
        return True

    def pull(self, image: str, tell: Callable[[str], None]) -> None:
        """Fetch `image`; `tell` hears how far it is, and may raise to end it."""
        from docker.utils import parse_repository_tag

        repository, tag = parse_repository_tag(image)
        failure = ""
        layers: dict[str, tuple[int, int]] = {}
        told_at = 0.0
        with _explained_pull(image):
            for news in self._api.pull(repository, tag or "latest", stream=True, decode=True):
                failure = failure or str(news.get("error", ""))
                sizes: dict[str, int] = news.get("progressDetail") or {}
                layer = str(news.get("id", ""))
                if news.get("status") == "Downloading" and "total" in sizes:
                    layers[layer] = (sizes["current"], sizes["total"])
                elif news.get("status") == "Download complete" and layer in layers:
                    layers[layer] = (layers[layer][1], layers[layer][1])
                if time.monotonic() - told_at >= PROGRESS_SECONDS:
                    told_at = time.monotonic()
                    tell(_progress(image, layers))
        if failure:
            raise _not_pulled(image, failure)

    def execute(
        self, container_id: str, argv: Sequence[str], *, env: Mapping[str, str], user: str = ""
    ) -> Started:
        """Start a process, its pipes on a connection.

        Raises:
            ContainerDownError: the container is not up.
        """
        with _explained("start a process in the container"):
            created = self._api.exec_create(
                container_id,
                list(argv),
                stdin=True,
                environment=dict(env),
                user=user,
                workdir="/",
            )
            stream: Any = self._api.exec_start(created["Id"], socket=True)
        connection: socket.socket = stream._sock  # noqa: SLF001 - docker-py has no other way
        connection.setblocking(False)
        # What was read along with the headers of the answer would be lost.
        received: bytes = stream._response.raw._fp.fp.peek(1)  # noqa: SLF001
        return Started(created["Id"], connection, received, stream)

    def exit_code(self, exec_id: str) -> int | None:
        """Of a process whose output ended; None when it runs on, or nobody knows.

        Raises:
            ContainerDownError: the container it ran in is gone.
        """
        with _explained("be asked about a process"):
            for pause in (0.01, 0.05, 0.2, 1.0):
                facts = self._api.exec_inspect(exec_id)
                if not facts["Running"]:
                    break
                time.sleep(pause)
            return facts["ExitCode"]

    def last_words(self, container_id: str) -> str:
        """The last line a container printed that does not stay up."""
        with suppress(EnvironmentUnavailableError), _explained("be asked for a log"):
            printed: bytes = self._api.logs(container_id, tail=1)
            return printed.decode(errors="replace").strip()
        return ""

    def ran_out_of_memory(self, container_id: str, *, seconds: float) -> bool:
        """Whether the kernel killed something in the container within the last `seconds`."""
        now = time.time()
        with suppress(EnvironmentUnavailableError), _explained("be asked for events"):
            events = self._api.events(
                since=now - seconds,
                until=now + 0.001,
                filters={"container": container_id, "event": "oom"},
            )
            return bool(list(events))
        return False


def _long_ago() -> float:
    return time.time() - FORGOTTEN_DAYS * 86_400


def _check_way(url: str) -> None:
    """Refuse what docker-py reaches in ways a process cannot be attached by."""
    if url.startswith(("https://", "ssh://", "http+docker://ssh")):
        raise EnvironmentUnavailableError(
            "Hermes talks to a Docker daemon over a socket or plain TCP only.",
            hint="Use an ssh environment on that machine, or forward its socket with ssh -L.",
        )


def _socket_path(client: Any) -> str:
    return getattr(client.get_adapter(client.base_url), "socket_path", "")


def _knock(path: str) -> None:
    """Fail as the daemon's socket does; docker-py would not close the connection then."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(API_SECONDS)
        probe.connect(path)


@contextmanager
def _explained(doing: str) -> Generator[None, None, None]:
    """Errors of docker-py as sentences; `doing` completes "Docker could not …"."""
    from docker.errors import APIError, DockerException
    from requests import RequestException

    try:
        yield
    except APIError as error:
        reason = str(error.explanation or error).strip().rstrip(".")
        if error.status_code == 404 and "container" in reason.lower():
            raise ContainerDownError(f"{reason}.") from error
        # 500 when it ended between the two requests it takes to start a process.
        if error.status_code in {409, 500} and (" not running" in reason or " paused" in reason):
            raise ContainerDownError(f"{reason}.") from error
        raise EnvironmentUnavailableError(
            f"Docker could not {doing}: {reason}.", hint=_advice(reason)
        ) from error
    except (DockerException, RequestException, OSError) as error:
        raise _unreachable(error) from error


@contextmanager
def _explained_pull(image: str) -> Generator[None, None, None]:
    from docker.errors import APIError

    try:
        with _explained("pull an image"):
            yield
    except EnvironmentUnavailableError as error:
        if isinstance(error.__cause__, APIError):
            raise _not_pulled(image, str(error.__cause__.explanation)) from error
        raise


def _not_pulled(image: str, reason: str) -> EnvironmentUnavailableError:
    return EnvironmentUnavailableError(
        f"The image {image!r} is not here and could not be pulled: {reason.strip().rstrip('.')}.",
        hint=f"Check its name and the connection, and try `docker pull {image}`.",
    )


def _progress(image: str, layers: Mapping[str, tuple[int, int]]) -> str:
    done = sum(current for current, _ in layers.values())
    total = sum(size for _, size in layers.values())
    return f"pulling {image}, {100 * done // total} %" if total else f"pulling {image}"


_ADVICE = {
    "executable file not found": "Choose an image that has `sleep` and `sh`.",
    "docker-init": "Install docker-init (tini) beside the daemon.",
    "invalid reference format": "Write an image as e.g. python:3.12 or registry.org/team/name:tag.",
    "No such image": "Pull it with `docker pull`.",
    "no space left": "Make room with `docker system prune`.",
    "network": "Create it with `docker network create`, or choose none or bridge.",
    "mount": "Correct `mounts` in the configuration.",
}


def _advice(reason: str) -> str:
    found = (hint for words, hint in _ADVICE.items() if words.lower() in reason.lower())
    return next(found, "Look into the daemon's log.")


def _unreachable(error: BaseException) -> EnvironmentUnavailableError:
    """Why the daemon did not answer, out of the errors docker-py wraps in each other."""
    told = "".join(repr(each) for each in _causes(error))
    if "PermissionError" in told or "Permission denied" in told:
        return EnvironmentUnavailableError(
            "Docker's socket may not be used by this user.",
            hint="Add yourself to the group docker (`sudo usermod -aG docker $USER`)"
            " and log in again, or use rootless Docker.",
        )
    if "timed out" in told.lower() or "timeout" in told.lower():
        return EnvironmentUnavailableError(
            f"The Docker daemon did not answer within {API_SECONDS} s.",
            hint="Restart it, e.g. with `sudo systemctl restart docker`.",
        )
    if not any(isinstance(each, OSError) and each.errno for each in _causes(error)):
        reason = str(error).strip().rstrip(".")
        return EnvironmentUnavailableError(
            f"The Docker daemon cannot be reached: {reason}.",
            hint="Correct DOCKER_HOST, `host` or the Docker context.",
        )
    return EnvironmentUnavailableError(
        "There is no Docker daemon running, or not where it is looked for.",
        hint="Start it, e.g. with `sudo systemctl start docker` or Docker Desktop,"
        " or set DOCKER_HOST.",
    )


def _causes(error: BaseException) -> Generator[BaseException, None, None]:
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [each.__cause__, each.__context__]
