"""Modal's control plane and command router, as far as sandboxes need them.

The SDK talks to it unmodified: `MODAL_SERVER_URL=http://127.0.0.1:PORT`. Sandboxes are folders
and processes of this machine; a sandbox's disk is found by its name and only there while the
sandbox runs. What is not implemented answers UNIMPLEMENTED and is noted in `unknown`.
"""

import asyncio
import base64
import contextlib
import inspect
import json
import re
import secrets
import shutil
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from grpclib import GRPCError, Status
from grpclib.server import Server
from modal_proto import api_grpc, api_pb2, task_command_router_grpc
from modal_proto import task_command_router_pb2 as router_pb2

from tests.doubles.machine import Machine, copy

TOKEN = ("ak-good", "as-good")
TICK = 0.05
_SNAKE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
Result = api_pb2.GenericResult


class Sandbox:
    """A machine with a beginning and an end."""

    def __init__(self, definition: Any, name: str, disk: Path) -> None:
        self.id = f"sb-{secrets.token_hex(16)}"
        self.task_id = f"ta-{secrets.token_hex(8)}V"
        self.name = name
        self.definition = definition
        self.machine = Machine(disk)
        self.status = Result.GENERIC_STATUS_UNSPECIFIED
        self.exit_image = ""
        self.started_at = time.monotonic()

    @property
    def is_running(self) -> bool:
        return self.status == Result.GENERIC_STATUS_UNSPECIFIED

    @property
    def result(self) -> Any:
        return Result(status=self.status)


class ModalServer:
    """Everything the double knows; use it from other threads for reading only, or by `call`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sandboxes: list[Sandbox] = []
        self.images: dict[str, Path | None] = {}
        self.image_texts: list[str] = []
        self.calls: Counter[str] = Counter()
        self.unknown: set[str] = set()
        self.failures: dict[str, list[GRPCError]] = {}
        """Errors the next calls of a method answer with."""
        self.open_streams = 0
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def awake_seconds(self) -> float:
        return sum(sandbox.machine.awake_seconds for sandbox in self.sandboxes)

    @property
    def running(self) -> list[Sandbox]:
        return [sandbox for sandbox in self.sandboxes if sandbox.is_running]

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(20)

    def call(self, work: Callable[[], Any]) -> Any:
        """Do something on the server's own thread."""

        async def doing() -> Any:
            done = work()
            return await done if inspect.isawaitable(done) else done

        return asyncio.run_coroutine_threadsafe(doing(), self._loop).result(20)

    async def terminate(self, sandbox: Sandbox, status: Any) -> None:
        if not sandbox.is_running:
            return
        sandbox.status = status
        sandbox.machine.sleep()
        if sandbox.definition.experimental_options_v2.get("enable_exit_snapshot") == "True":
            sandbox.exit_image = await self.snapshot(sandbox)
        for process in sandbox.machine.processes.values():
            await process.end()
        shutil.rmtree(sandbox.machine.disk, ignore_errors=True)

    async def snapshot(self, sandbox: Sandbox) -> str:
        image = f"im-{secrets.token_hex(8)}"
        await copy(sandbox.machine.disk, self.root / "images" / image)
        self.images[image] = self.root / "images" / image
        return image

    def find(self, *, sandbox_id: str = "", task_id: str = "") -> Sandbox:
        for sandbox in self.sandboxes:
            if sandbox_id == sandbox.id or task_id == sandbox.task_id:
                return sandbox
        raise GRPCError(Status.NOT_FOUND, "Sandbox not found")

    def task(self, task_id: str) -> Sandbox:
        sandbox = self.find(task_id=task_id)
        if not sandbox.is_running:
            raise GRPCError(Status.NOT_FOUND, "The task has shut down")
        return sandbox

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stopping = asyncio.Event()
        control = _handler(api_grpc.ModalClientBase, _Control(self))
        router = _handler(task_command_router_grpc.TaskCommandRouterBase, _Router(self))
        # asyncio sets TCP_NODELAY only where it knows the protocol; without, a call takes 44 ms.
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        server = _HangingUp([control, router])
        await server.start(sock=listening)
        janitor = asyncio.create_task(self._end_idle_ones())
        self._ready.set()
        await self._stopping.wait()
        janitor.cancel()
        for sandbox in self.running:
            await self.terminate(sandbox, Result.GENERIC_STATUS_TERMINATED)
        server.close()
        await server.wait_closed()
        server.hang_up()
        await asyncio.sleep(TICK)  # connections close in a later round of the loop

    async def _end_idle_ones(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            for sandbox in self.running:
                limit = sandbox.definition.idle_timeout_secs
                if limit and sandbox.machine.idle_seconds > limit:
                    await self.terminate(sandbox, Result.GENERIC_STATUS_IDLE_TIMEOUT)
                elif time.monotonic() - sandbox.started_at > sandbox.definition.timeout_secs:
                    await self.terminate(sandbox, Result.GENERIC_STATUS_TIMEOUT)


class _HangingUp(Server):
    """One that does not wait for its clients to close connections."""

    def __init__(self, handlers: list[Any]) -> None:
        super().__init__(handlers)
        self._protocols: list[Any] = []

    def hang_up(self) -> None:
        for protocol in self._protocols:
            if hasattr(protocol, "processor"):  # otherwise it was never connected
                protocol.processor.close("the server ends")

    def _protocol_factory(self) -> Any:
        protocol = super()._protocol_factory()
        self._protocols.append(protocol)
        return protocol


def _handler(protocol: Any, service: Any) -> Any:
    """`service` behind a grpclib `protocol`, with an answer for every method of that."""

    def answering(name: str) -> Callable[..., Any]:
        method = getattr(service, _SNAKE.sub("_", name).lower(), None)
        server: ModalServer = service.server

        async def answer(self: Any, stream: Any) -> None:
            del self
            server.calls[name] += 1
            service.check(dict(stream.metadata))
            if server.failures.get(name):
                raise server.failures[name].pop(0)
            if method is None:
                server.unknown.add(name)
                raise GRPCError(Status.UNIMPLEMENTED, f"The double does not know {name}")
            server.open_streams += 1
            try:
                await method(stream)
            finally:
                server.open_streams -= 1

        return answer

    names: list[str] = sorted(protocol.__abstractmethods__)
    return type("Handler", (protocol,), {name: answering(name) for name in names})()


def _unary(method: Callable[..., Any]) -> Callable[..., Any]:
    async def answer(self: Any, stream: Any) -> None:
        reply = method(self, await stream.recv_message())
        await stream.send_message(await reply if inspect.isawaitable(reply) else reply)

    return answer


def _jwt() -> str:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none'})}.{part({'exp': time.time() + 3600})}.x"


def _variables(sources: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for source in sources:
        found.update(source.env.contents)
    return found


class _Control:
    def __init__(self, server: ModalServer) -> None:
        self.server = server

    def check(self, metadata: dict[str, str]) -> None:
        if (metadata.get("x-modal-token-id"), metadata.get("x-modal-token-secret")) != TOKEN:
            raise GRPCError(Status.UNAUTHENTICATED, "Token ID is malformed")

    @_unary
    def app_get_or_create(self, request: Any) -> Any:
        return api_pb2.AppGetOrCreateResponse(app_id=f"ap-{request.app_name}")

    @_unary
    def environment_get_or_create(self, request: Any) -> Any:
        del request
        settings = api_pb2.EnvironmentSettings(image_builder_version="2025.06")
        metadata = api_pb2.EnvironmentMetadata(name="main", settings=settings)
        return api_pb2.EnvironmentGetOrCreateResponse(environment_id="en-1", metadata=metadata)

    @_unary
    def auth_token_get(self, request: Any) -> Any:
        del request
        return api_pb2.AuthTokenGetResponse(token=_jwt())

    @_unary
    def image_get_or_create(self, request: Any) -> Any:
        text = "\n".join(request.image.dockerfile_commands)
        self.server.image_texts.append(text)
        if "missing" in text:
            result = Result(status=Result.GENERIC_STATUS_FAILURE, exception="manifest unknown")
            return api_pb2.ImageGetOrCreateResponse(image_id="im-missing", result=result)
        self.server.images["im-base"] = None
        return api_pb2.ImageGetOrCreateResponse(
            image_id="im-base",
            result=Result(status=Result.GENERIC_STATUS_SUCCESS),
            metadata=api_pb2.ImageMetadata(image_builder_version="2025.06"),
        )

    @_unary
    def image_from_id(self, request: Any) -> Any:
        if request.image_id not in self.server.images:
            raise GRPCError(Status.NOT_FOUND, "Image not found")
        return api_pb2.ImageFromIdResponse(
            image_id=request.image_id, metadata=api_pb2.ImageMetadata()
        )

    @_unary
    async def sandbox_create_v2(self, request: Any) -> Any:
        name = request.definition.name
        if any(one.name == name for one in self.server.running):
            raise GRPCError(Status.ALREADY_EXISTS, f"Sandbox with name {name!r} already exists")
        sandbox = Sandbox(request.definition, name, self.server.root / "disks" / name)
        self.server.sandboxes.append(sandbox)
        await sandbox.machine.wake(self.server.images[request.definition.image_id])
        return api_pb2.SandboxCreateV2Response(sandbox_id=sandbox.id, task_id=sandbox.task_id)

    @_unary
    def sandbox_get_from_name_v2(self, request: Any) -> Any:
        for sandbox in reversed(self.server.sandboxes):
            if sandbox.name == request.sandbox_name and (
                sandbox.is_running or request.include_terminated
            ):
                return api_pb2.SandboxGetFromNameResponse(sandbox_id=sandbox.id)
        raise GRPCError(Status.NOT_FOUND, "Sandbox not found")

    # An account may still have sandboxes of the first kind; this one has none.
    @_unary
    def sandbox_get_from_name(self, request: Any) -> Any:
        raise GRPCError(Status.NOT_FOUND, f"No sandbox {request.sandbox_name!r}")

    @_unary
    def sandbox_wait_v2(self, request: Any) -> Any:
        sandbox = self.server.find(sandbox_id=request.sandbox_id)
        return api_pb2.SandboxWaitResponse(result=sandbox.result)

    @_unary
    def sandbox_get_task_id_v2(self, request: Any) -> Any:
        sandbox = self.server.find(sandbox_id=request.sandbox_id)
        result = None if sandbox.is_running else sandbox.result
        return api_pb2.SandboxGetTaskIdResponse(task_id=sandbox.task_id, task_result=result)

    @_unary
    def sandbox_get_command_router_access(self, request: Any) -> Any:
        self.server.task(self.server.find(sandbox_id=request.sandbox_id).task_id)
        return api_pb2.SandboxGetCommandRouterAccessResponse(jwt=_jwt(), url=self.server.url)

    @_unary
    async def sandbox_terminate_v2(self, request: Any) -> Any:
        sandbox = self.server.find(sandbox_id=request.sandbox_id)
        await self.server.terminate(sandbox, Result.GENERIC_STATUS_TERMINATED)
        return api_pb2.SandboxTerminateResponse()

    @_unary
    def sandbox_get_exit_snapshot_v2(self, request: Any) -> Any:
        sandbox = self.server.find(sandbox_id=request.sandbox_id)
        kind = api_pb2.SandboxGetExitSnapshotResponse
        if sandbox.exit_image:
            return kind(success=kind.Success(image_id=sandbox.exit_image))
        if sandbox.is_running:
            return kind(pending=kind.Pending())
        return kind(error=kind.Error(error_code=kind.ERROR_CODE_FILESYSTEM_INCONSISTENT))


class _Router:
    def __init__(self, server: ModalServer) -> None:
        self.server = server

    def check(self, metadata: dict[str, str]) -> None:
        if not metadata.get("authorization", "").startswith("Bearer "):
            raise GRPCError(Status.UNAUTHENTICATED, "No token")

    def _process(self, request: Any) -> Any:
        machine = self.server.task(request.task_id).machine
        if request.exec_id not in machine.processes:
            raise GRPCError(Status.NOT_FOUND, "No such exec")
        return machine.processes[request.exec_id]

    @_unary
    async def task_exec_start(self, request: Any) -> Any:
        machine = self.server.task(request.task_id).machine
        if request.exec_id not in machine.processes:
            env = {**_variables(request.secret_sources), **request.env}
            try:
                await machine.start(
                    request.exec_id, request.command_args, env, cwd=request.workdir or None
                )
            except OSError as error:
                raise GRPCError(Status.INVALID_ARGUMENT, f"exec failed: {error}") from error
        return router_pb2.TaskExecStartResponse()

    async def task_exec_stdio_read(self, stream: Any) -> None:
        request = await stream.recv_message()
        if request.file_descriptor != router_pb2.TASK_EXEC_STDIO_FILE_DESCRIPTOR_STDOUT:
            return
        reply = router_pb2.TaskExecStdioReadResponse
        async with contextlib.aclosing(self._process(request).read(request.offset)) as chunks:
            async for data in chunks:
                await stream.send_message(reply(data=data))
                if self.server.failures.get("mid-stream"):
                    raise self.server.failures["mid-stream"].pop(0)
        self.server.task(request.task_id)

    @_unary
    async def task_exec_stdin_write(self, request: Any) -> Any:
        await self._process(request).write(request.data, eof=request.eof)
        return router_pb2.TaskExecStdinWriteResponse()

    @_unary
    async def task_exec_wait(self, request: Any) -> Any:
        code = await self._process(request).wait()
        self.server.task(request.task_id)
        kind = router_pb2.TaskExecWaitResponse
        return kind(code=code) if code >= 0 else kind(signal=-code)

    @_unary
    async def task_snapshot_filesystem(self, request: Any) -> Any:
        image = await self.server.snapshot(self.server.task(request.task_id))
        return router_pb2.TaskSnapshotFilesystemResponse(image_id=image)


@contextmanager
def serve(root: Path) -> Generator[ModalServer, None, None]:
    server = ModalServer(root)
    server.start()
    try:
        yield server
    finally:
        server.stop()
