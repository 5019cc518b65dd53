"""Connecting to an SSH host: the way there, its key, and a login."""

import socket
from collections.abc import Sequence

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from hermes_environments.ssh.hosts import KnownHosts, Target, fingerprint
from hermes_environments.ssh.link import Link
from hermes_environments.ssh.login import TRIES, Credentials, HungUpError
from hermes_environments.threads import in_thread
from hermes_tui.core.environment import Attendant
from hermes_tui.core.errors import EnvironmentUnavailableError

AUTH_SECONDS = 300.0
"""For a person to answer the server's questions."""
SILENCE_SECONDS = 20.0
"""The system gives up on bytes nobody acknowledged after this long."""


class UnreachableError(EnvironmentUnavailableError):
    """The host did not answer; it may do so later."""


class Dialer:
    """Opens connections to one host; asks each question once."""

    def __init__(self, target: Target, *, timeout: float, attendant: Attendant) -> None:
        """`timeout` in seconds, for each host on the way."""
        self._target = target
        self._timeout = timeout
        self._attendant = attendant
        self._credentials = Credentials(attendant)
        self._trusted: set[tuple[str, bytes]] = set()

    async def connect(self) -> Link:
        """An authenticated connection.

        Raises:
            UnreachableError: the host does not answer.
            EnvironmentUnavailableError: its key or ours was refused.
        """
        return await self._reach(self._target)

    async def _reach(self, target: Target) -> Link:
        # A person may think longer than the server waits; the answer holds for the next.
        for _ in range(2 * TRIES):
            via = await self._reach(target.via) if target.via else None
            try:
                link = await in_thread(_handshake, target, via, self._timeout, undo=Link.close)
            except BaseException:
                if via is not None:
                    via.close()
                raise
            try:
                if await self._trusts(link, target):
                    await self._credentials.log_in(link, target)
                    return link
            except HungUpError:
                pass
            except BaseException:
                link.close()
                raise
            link.close()
        raise EnvironmentUnavailableError(
            f"{target.label} hung up while it waited for your answers.", hint="Try again."
        )

    async def _trusts(self, link: Link, target: Target) -> bool:
        """False after a question that was answered with yes: the server did not wait."""
        host_key = link.get_remote_server_key()
        key = host_key.asbytes()
        known = KnownHosts(target)
        standing = known.standing(key)
        if standing == "known" or (target.known_as, key) in self._trusted:
            return True
        kind = host_key.get_name()
        print_ = fingerprint(key)
        if standing == "revoked":
            raise EnvironmentUnavailableError(
                f"The key of {target.known_as} ({kind} {print_}) was revoked; "
                "nothing was sent there.",
                hint="Ask whoever runs the host what happened to its key.",
            )
        if standing == "changed":
            raise EnvironmentUnavailableError(
                f"The key of {target.known_as} has changed: it is {kind} {print_} now, "
                f"which is not the one in {known.where}. Somebody may be listening in; "
                "nothing was sent there.",
                hint="Only if you know why it changed, remove the old one: "
                f"ssh-keygen -R '{target.known_as}'.",
            )
        link.close()
        question = (
            f"The host {target.known_as} is not known yet. Its {kind} key has the fingerprint\n"
            f"{print_}\nIs that the right key, to be trusted from now on?"
        )
        if not target.may_ask or not await self._attendant.confirm(question):
            raise EnvironmentUnavailableError(
                f"The host {target.known_as} is not known ({kind} {print_}); "
                "nothing was sent there.",
                hint="Compare the fingerprint, then say yes to it, or connect once with `ssh`.",
            )
        self._trusted.add((target.known_as, key))
        await in_thread(known.remember, kind, key)
        return False


def _handshake(target: Target, via: Link | None, timeout: float) -> Link:
    sock = _tunnel(target, via, timeout) if via else _dial(target, timeout)
    link = Link(sock, via)
    link.banner_timeout = link.handshake_timeout = timeout
    link.auth_timeout = AUTH_SECONDS
    options = link.get_security_options()
    first = [kind for known in KnownHosts(target).kinds for kind in _algorithms(known)]
    kinds = [kind for kind in dict.fromkeys(first) if kind in options.key_types]
    options.key_types = [*kinds, *(kind for kind in options.key_types if kind not in kinds)]
    problem: Exception | None = None
    try:
        link.start_client(timeout=timeout)
    except IncompatiblePeer as error:
        raise EnvironmentUnavailableError(
            f"{target.host} and Hermes have no cipher in common: {error}.",
            hint="Update the SSH server there.",
        ) from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        problem = error
    if problem or not link.initial_kex_done:
        link.close()
        sock.close()
        raise UnreachableError(
            f"{target.host} does not answer as an SSH server on port {target.port}.",
            hint="Check the port, and whether the host is overloaded or blocks this address.",
        ) from problem
    return link


def _algorithms(kind: str) -> Sequence[str]:
    return ("rsa-sha2-512", "rsa-sha2-256", kind) if kind == "ssh-rsa" else (kind,)


def _dial(target: Target, timeout: float) -> socket.socket:
    host, port = target.host, target.port
    try:
        sock = socket.create_connection((host, port), timeout)
    except socket.gaierror as error:
        raise UnreachableError(
            f"There is no host {host!r}, or its name cannot be looked up now.",
            hint="Check the spelling, ~/.ssh/config and your network.",
        ) from error
    except ConnectionRefusedError as error:
        raise UnreachableError(
            f"{host} refuses connections on port {port}.",
            hint="Check that an SSH server runs there, on this port.",
        ) from error
    except TimeoutError as error:
        raise UnreachableError(
            f"{host} did not answer on port {port} within {timeout:.0f} s.",
            hint="Check that it is up and no firewall is in between.",
        ) from error
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreachableError(
            f"{host} cannot be reached: {reason}.", hint="Check your network."
        ) from error
    # Nagle's algorithm and delayed acknowledgements cost 40 ms per command.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(SILENCE_SECONDS * 1000))
    return sock


def _tunnel(target: Target, via: Link, timeout: float) -> paramiko.Channel:
    try:
        return via.open_channel(
            "direct-tcpip", (target.host, target.port), ("127.0.0.1", 0), timeout=timeout
        )
    except (paramiko.SSHException, EOFError, OSError) as error:
        via_name = via.get_username() or ""
        via.close()
        between = target.via.label if target.via else via_name
        raise UnreachableError(
            f"{between} could not connect to {target.host} port {target.port}: {error}.",
            hint="Check that the host in between may forward and can reach it.",
        ) from error
