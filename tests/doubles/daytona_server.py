"""Daytona's API and toolbox, as far as an environment needs them.

The SDK talks to it unmodified: `api_url=http://127.0.0.1:PORT/api`. Sandboxes are folders and
processes of this machine. Like the real daemon, it cuts off a terminal's client that reads too
slowly, and stops a sandbox nobody has talked to for its interval.
"""

import asyncio
import base64
import contextlib
import fcntl
import json
import os
import pty
import secrets
import shutil
import struct
import subprocess
import termios
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from tests.doubles.machine import Machine

KEY = "dtn_good"
TICK = 0.05
SLOW_CHUNKS = 256
"""Of 32 KiB each, waiting for a client; then it is cut off (the daemon's own limit)."""
READ_BYTES = 32 * 1024


class Sandbox:
    """A machine that can be stopped and started."""

    def __init__(self, wanted: dict[str, Any], disk: Path) -> None:
        self.id = f"sandbox-{secrets.token_hex(8)}"
        self.name = wanted.get("name") or self.id
        self.wanted = wanted
        self.machine = Machine(disk)
        self.state = "started"
        self.active_at = time.monotonic()
        self.terminals: dict[str, Terminal] = {}

    def described(self, url: str) -> dict[str, Any]:
        return {
            "id": self.id, "organizationId": "org", "name": self.name, "user": "daytona",
            "env": {}, "labels": self.wanted.get("labels") or {}, "public": False,
            "networkBlockAll": bool(self.wanted.get("networkBlockAll")), "kvm": False,
            "target": "here", "cpu": self.wanted.get("cpu") or 1, "gpu": 0,
            "memory": self.wanted.get("memory") or 1, "disk": self.wanted.get("disk") or 3,
            "state": self.state, "toolboxProxyUrl": f"{url}/toolbox",
            "autoStopInterval": self.wanted.get("autoStopInterval"),
        }  # fmt: skip


class Terminal:
    """A shell on a pseudo-terminal, and its one client."""

    def __init__(self, machine: Machine, env: dict[str, str], cwd: str | None) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        os.set_blocking(self.master, False)
        try:
            self.shell = subprocess.Popen(
                ["setsid", "-c", "bash", "--norc", "-i"],
                stdin=slave, stdout=slave, stderr=slave,
                cwd=cwd or machine.disk / "home",
                env=machine.environment({"TERM": "xterm-256color", **env}),
            )  # fmt: skip
        finally:
            os.close(slave)
        self._loop = asyncio.get_running_loop()
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue()
        self._ended = asyncio.Event()
        self._pidfd = os.pidfd_open(self.shell.pid)
        self._loop.add_reader(self._pidfd, self._ended.set)
        self._loop.add_reader(self.master, self._read)

    async def serve(self, socket: web.WebSocketResponse) -> None:
        await socket.send_json({"type": "control", "status": "connected"})
        writing = asyncio.create_task(self._write(socket))
        try:
            async for message in socket:
                if message.type == WSMsgType.BINARY:
                    await self._type(message.data)
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    def kill(self) -> None:
        if self.shell.poll() is None:
            self.shell.kill()
            self.shell.wait()
        if self.master >= 0:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._loop.remove_reader(self.master)
            os.close(self.master)
            self.master = -1
        self._ended.set()

    async def _write(self, socket: web.WebSocketResponse) -> None:
        ended = asyncio.create_task(self._ended.wait())
        try:
            while not ended.done() or self._read() or not self._chunks.empty():
                if self._chunks.qsize() > SLOW_CHUNKS:
                    await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"slow consumer")
                    return
                chunk = asyncio.create_task(self._chunks.get())
                await asyncio.wait({chunk, ended}, return_when=asyncio.FIRST_COMPLETED)
                if chunk.done():
                    await socket.send_bytes(chunk.result())
                else:
                    chunk.cancel()
            code = self.shell.wait()
            reason = json.dumps({"exitCode": code if code >= 0 else 128 - code})
            await socket.close(code=WSCloseCode.OK, message=reason.encode())
        finally:
            ended.cancel()

    def _read(self) -> bool:
        """Whether there was something."""
        if self.master < 0:
            return False
        try:
            data = os.read(self.master, READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:  # nobody has the terminal open any more
            self._loop.remove_reader(self.master)
            return False
        self._chunks.put_nowait(data)
        return bool(data)

    async def _type(self, data: bytes) -> None:
        view = memoryview(data)
        while view and self.master >= 0:
            try:
                view = view[os.write(self.master, view) :]
            except BlockingIOError:
                await asyncio.sleep(0.001)
            except OSError:
                return


class DaytonaServer:
    """Everything the double knows; use it from other threads for reading only, or by `call`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sandboxes: list[Sandbox] = []
        self.calls: Counter[str] = Counter()
        self.unknown: set[str] = set()
        self.failures: dict[str, list[int]] = {}
        """HTTP statuses the next requests of a kind are answered with."""
        self.minute = 60.0
        """Seconds in a minute of an auto-stop interval."""
        self.open_sockets = 0
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def awake(self) -> list[Sandbox]:
        return [sandbox for sandbox in self.sandboxes if sandbox.machine.is_awake]

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(20)

    def call(self, work: Callable[[], Any]) -> Any:
        """Do something on the server's own thread."""

        async def doing() -> Any:
            return work()

        return asyncio.run_coroutine_threadsafe(doing(), self._loop).result(20)

    def put_to_sleep(self, sandbox: Sandbox) -> None:
        for terminal in list(sandbox.terminals.values()):
            terminal.kill()
        sandbox.terminals.clear()
        sandbox.machine.sleep()
        sandbox.state = "stopped"

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stopping = asyncio.Event()
        app = web.Application(middlewares=[self._guarded], client_max_size=1 << 30)
        app.add_routes(
            [
                web.post("/api/sandbox", self._create),
                web.get("/api/sandbox/{id}", self._get),
                web.post("/api/sandbox/{id}/start", self._start),
                web.post("/api/sandbox/{id}/stop", self._stop),
                web.post("/api/sandbox/{id}/last-activity", self._touch),
                web.delete("/api/sandbox/{id}", self._delete),
                web.post("/toolbox/{id}/process/execute", self._execute),
                web.get("/toolbox/{id}/process/pty/create-connect", self._terminal),
                web.delete("/toolbox/{id}/process/pty/{session}", self._kill_terminal),
            ]
        )
        runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        janitor = asyncio.create_task(self._stop_idle_ones())
        self._ready.set()
        await self._stopping.wait()
        janitor.cancel()
        for sandbox in self.sandboxes:
            self.put_to_sleep(sandbox)
        await runner.cleanup()

    async def _stop_idle_ones(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            for sandbox in self.awake:
                if sandbox.terminals:
                    sandbox.active_at = time.monotonic()
                interval = (sandbox.wanted.get("autoStopInterval") or 0) * self.minute
                if interval and time.monotonic() - sandbox.active_at > interval:
                    self.put_to_sleep(sandbox)

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Any) -> web.StreamResponse:
        resource = request.match_info.route.resource
        if resource is None:
            if "socket.io" not in request.path:  # the SDK asks for events, and does without
                self.unknown.add(f"{request.method} {request.path}")
            return web.json_response({"message": "Not found"}, status=404)
        kind = f"{request.method} {resource.canonical}"
        self.calls[kind] += 1
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return web.json_response({"message": "Invalid API key"}, status=401)
        if self.failures.get(kind):
            status = self.failures[kind].pop(0)
            return web.json_response({"message": f"failed with {status}"}, status=status)
        return await handler(request)

    def _find(self, request: web.Request) -> Sandbox:
        wanted = request.match_info["id"]
        for sandbox in self.sandboxes:
            if wanted in {sandbox.id, sandbox.name} and sandbox.state != "destroyed":
                return sandbox
        raise web.HTTPNotFound(
            text='{"message": "Sandbox not found"}', content_type="application/json"
        )

    def _awake(self, request: web.Request) -> Sandbox:
        sandbox = self._find(request)
        if not sandbox.machine.is_awake:
            raise web.HTTPBadRequest(
                text='{"message": "The sandbox is not running"}', content_type="application/json"
            )
        sandbox.active_at = time.monotonic()
        return sandbox

    def _described(self, sandbox: Sandbox) -> web.Response:
        return web.json_response(sandbox.described(self.url))

    async def _create(self, request: web.Request) -> web.StreamResponse:
        wanted = await request.json()
        name = wanted.get("name")
        if any(one.name == name and one.state != "destroyed" for one in self.sandboxes):
            return web.json_response({"message": f"{name} already exists"}, status=409)
        if "missing" in json.dumps(wanted.get("buildInfo")):
            return web.json_response({"message": "manifest unknown"}, status=400)
        sandbox = Sandbox(wanted, self.root / "disks" / name)
        self.sandboxes.append(sandbox)
        await sandbox.machine.wake()
        return self._described(sandbox)

    async def _get(self, request: web.Request) -> web.StreamResponse:
        return self._described(self._find(request))

    async def _start(self, request: web.Request) -> web.StreamResponse:
        sandbox = self._find(request)
        if not sandbox.machine.is_awake:
            await sandbox.machine.wake()
            sandbox.state = "started"
            sandbox.active_at = time.monotonic()
        return self._described(sandbox)

    async def _stop(self, request: web.Request) -> web.StreamResponse:
        sandbox = self._find(request)
        self.put_to_sleep(sandbox)
        return self._described(sandbox)

    async def _touch(self, request: web.Request) -> web.StreamResponse:
        self._awake(request)
        return web.Response(status=201)

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        sandbox = self._find(request)
        self.put_to_sleep(sandbox)
        sandbox.state = "destroyed"
        shutil.rmtree(sandbox.machine.disk, ignore_errors=True)
        return self._described(sandbox)

    async def _execute(self, request: web.Request) -> web.StreamResponse:
        machine = self._awake(request).machine
        wanted = await request.json()
        process = await machine.start(
            secrets.token_hex(4),
            ["bash", "-c", wanted["command"]],
            wanted.get("envs") or {},
            cwd=wanted.get("cwd"),
        )
        printed = b""
        async with contextlib.aclosing(process.read(0)) as chunks:
            async for data in chunks:
                printed += data
        code = await process.wait()
        return web.json_response({"exitCode": code, "result": printed.decode("utf-8", "replace")})

    async def _terminal(self, request: web.Request) -> web.StreamResponse:
        sandbox = self._awake(request)
        env: dict[str, str] = {}
        header = request.headers.get("Sec-WebSocket-Protocol", "")
        offered = [protocol.strip() for protocol in header.split(",")]
        for protocol in offered:
            if protocol.startswith("X-Daytona-Pty-Envs~"):
                text = protocol.partition("~")[2]
                env = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        socket = web.WebSocketResponse(protocols=offered[:1], max_msg_size=0)
        await socket.prepare(request)
        session = request.query["id"]
        terminal = Terminal(sandbox.machine, env, request.query.get("cwd"))
        sandbox.terminals[session] = terminal
        self.open_sockets += 1
        try:
            await terminal.serve(socket)
        finally:
            self.open_sockets -= 1
            if terminal.shell.poll() is not None:
                terminal.kill()
                sandbox.terminals.pop(session, None)
        return socket

    async def _kill_terminal(self, request: web.Request) -> web.StreamResponse:
        terminal = self._awake(request).terminals.pop(request.match_info["session"], None)
        if terminal is None:
            return web.json_response({"message": "PTY session not found"}, status=404)
        terminal.kill()
        return web.json_response({"message": "killed"})


@contextmanager
def serve(root: Path) -> Generator[DaytonaServer, None, None]:
    server = DaytonaServer(root)
    server.start()
    try:
        yield server
    finally:
        server.stop()
