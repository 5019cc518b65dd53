"""An SSH server one can only log in to, by password; the real one needs an account for that."""

import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
)
from paramiko.server import InteractiveQuery


class LoginServer:
    """Listens on loopback; sessions are refused after the login."""

    def __init__(self, folder: Path, *, method: str, password: str) -> None:
        """`method` is `password` or `keyboard-interactive`."""
        self.logins = 0
        self._method = method
        self._password = password
        self._key = paramiko.RSAKey.generate(2048)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._transports: list[paramiko.Transport] = []
        known = folder / "login-known"
        port = self._socket.getsockname()[1]
        known.write_text(f"[127.0.0.1]:{port} ssh-rsa {self._key.get_base64()}\n", encoding="utf-8")
        self.options: dict[str, object] = {
            "target": f"me@127.0.0.1:{port}",
            "known_hosts": str(known),
        }

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        for transport in self._transports:
            transport.close()
            transport.join(5)

    def _serve(self) -> None:
        with suppress(OSError, paramiko.SSHException, EOFError):
            while True:
                client, _ = self._socket.accept()
                transport = paramiko.Transport(client)
                transport.add_server_key(self._key)
                self._transports.append(transport)
                transport.start_server(
                    event=threading.Event(), server=_Gate(self, self._method, self._password)
                )


class _Gate(paramiko.ServerInterface):
    def __init__(self, server: LoginServer, method: str, password: str) -> None:
        self._server = server
        self._method = method
        self._password = password

    def get_allowed_auths(self, username: str) -> str:
        del username
        return self._method

    def check_auth_password(self, username: str, password: str) -> int:
        if self._method != "password":
            return AUTH_FAILED
        return self._judge(username, password)

    def check_auth_interactive(
        self, username: str, submethods: bytes | str
    ) -> int | InteractiveQuery:
        del username, submethods
        if self._method != "keyboard-interactive":
            return AUTH_FAILED
        return InteractiveQuery("Login", "Say who you are.", ("Password: ", False))

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        return self._judge("me", responses[0] if responses else "")

    def check_channel_request(self, kind: str, chanid: int) -> int:
        del kind, chanid
        return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def _judge(self, username: str, password: str) -> int:
        if (username, password) != ("me", self._password):
            return AUTH_FAILED
        self._server.logins += 1
        return AUTH_SUCCESSFUL
