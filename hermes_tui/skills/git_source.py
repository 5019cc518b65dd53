"""Skills from a git repository somewhere else, read without ever checking it out.

What is fetched stays a pack of objects: no hook, filter, attribute or submodule of it can take
effect, and links are only names. The person's own git configuration has no say either.
"""

import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import anyio
import anyio.to_thread
from anyio.abc import ByteReceiveStream, Process

from hermes_tui.core.errors import ConfigError, HermesError, NotFoundError
from hermes_tui.core.spawn import child_environment
from hermes_tui.safety.terminal_text import visible_line
from hermes_tui.skills.packages import MAX_PACKAGE_BYTES, Entry
from hermes_tui.skills.sources import Source, as_ref

FETCH_SECONDS = 120
LOOK_SECONDS = 0.1
"""Between two looks at how much has come."""
MAX_TOLD_BYTES = 4_096
_PASSED = (
    "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
_SETTINGS = (
    "core.hooksPath=/dev/null", "core.attributesFile=/dev/null", "core.fsmonitor=false",
    "core.symlinks=false", "core.bigFileThreshold=8m", "core.askPass=", "credential.helper=",
    "fetch.recurseSubmodules=false", "fetch.unpackLimit=1", "submodule.recurse=false",
    "maintenance.auto=false", "gc.auto=0", "pack.threads=1", "protocol.allow=never",
)  # fmt: skip

Progress = Callable[[int], Awaitable[None]]
"""Told now and then how many bytes have come."""


class Fetched:
    """A commit of a repository, as long as its folder is there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def entries(self, inside: str) -> Generator[Iterator[Entry], None, None]:
        """What the commit holds below `inside`; contents can be read until the block ends."""
        reader = _Objects(self._folder)
        try:
            yield _listed(self._folder, inside, reader)
        finally:
            reader.close()


async def fetch(source: Source, folder: Path, progress: Progress | None = None) -> Fetched:
    """The newest commit of `source`, without its history, into a new bare repository.

    Raises:
        HermesError: git is not there, the server refuses, or it takes too long.
        ConfigError: it is too large.
        NotFoundError: there is no such repository, branch, tag or commit.
    """
    await anyio.to_thread.run_sync(_make, folder)
    way = _way(source.place)
    arguments = [
        "fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-commit-graph",
        "--no-auto-maintenance", "--end-of-options", source.place, source.ref or "HEAD",
    ]  # fmt: skip
    process = await _started(folder, *arguments, way=way)
    told = b""
    try:
        with anyio.fail_after(FETCH_SECONDS):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_watch, process, folder, progress)
                told = await _told(process.stderr)
                await process.wait()
                tasks.cancel_scope.cancel()
    except TimeoutError:
        raise HermesError(
            f"{source.place} did not answer within {FETCH_SECONDS} seconds.",
            hint="Try again, or clone it yourself and name the folder.",
        ) from None
    finally:
        await _end(process)
    if _size(folder) > MAX_PACKAGE_BYTES:
        raise ConfigError(
            f"{source.place} has more than {MAX_PACKAGE_BYTES // 2**20} MB.",
            hint="Clone it yourself and name the folder a skill is in.",
        )
    if process.returncode != 0:
        raise _refused(source, told)
    return Fetched(folder)


async def with_ref(source: Source) -> Source:
    """`source` at the branch or tag its folder is the name of, if there is one; else as it is.

    A whole commit's name is taken for one. What cannot be asked is left for `fetch` to say.
    """
    wanted = as_ref(source)
    if wanted is None:
        return source
    ref = wanted.ref
    if len(ref) in {40, 64} and not ref.strip("0123456789abcdef"):
        return wanted
    names = [f"refs/heads/{ref}", f"refs/tags/{ref}"]
    arguments = ["ls-remote", "--quiet", "--end-of-options", source.place, *names]
    told = b""
    with anyio.move_on_after(FETCH_SECONDS):
        try:
            process = await _started(
                Path(os.devnull), *arguments, way=_way(source.place), stdout=subprocess.PIPE
            )
        except FileNotFoundError:
            return source
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_told, process.stderr)
                told = await _told(process.stdout)
                await process.wait()
        finally:
            await _end(process)
    found = {line.partition("\t")[2] for line in told.decode("utf-8", "replace").splitlines()}
    return wanted if found & set(names) else source


def environment(way: str) -> dict[str, str]:
    """What git gets to see: nothing that could change what it does.

    Args:
        way: The only protocol it may use.
    """
    return child_environment(os.environ, pass_env=_PASSED) | {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_ALLOW_PROTOCOL": way,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "SSH_ASKPASS": "true",
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=20 -oPermitLocalCommand=no",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "LC_ALL": "C",
    }


def _way(place: str) -> str:
    scheme, mark, _ = place.partition("://")
    return scheme.lower() if mark else "ssh"


def _command(folder: Path, *arguments: str) -> list[str]:
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    return ["git", "--git-dir", str(folder), *settings, *arguments]


def _make(folder: Path) -> None:
    try:
        done = subprocess.run(
            ["git", "init", "--quiet", "--bare", "--template=", str(folder)],
            stdin=subprocess.DEVNULL, capture_output=True, check=False, env=environment("none"),
        )  # fmt: skip
    except FileNotFoundError:
        raise HermesError(
            "There is no git here to fetch with.", hint="Install git, or name a folder."
        ) from None
    if done.returncode != 0:
        raise HermesError(f"git does not work: {_line(done.stderr)}.", hint="See `git --version`.")


async def _started(
    folder: Path, *arguments: str, way: str, stdout: int = subprocess.DEVNULL
) -> Process:
    return await anyio.open_process(
        _command(folder, *arguments),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        env=environment(way),
        cwd=folder.parent,
        start_new_session=True,
    )


async def _told(stream: ByteReceiveStream | None) -> bytes:
    """The beginning of what it says; the rest is read and dropped, so that it can go on."""
    told = b""
    if stream is not None:
        async for chunk in stream:
            told += chunk[: MAX_TOLD_BYTES - len(told)]
    return told


async def _watch(process: Process, folder: Path, progress: Progress | None) -> None:
    """End the process as soon as more has come than is taken."""
    while True:
        await anyio.sleep(LOOK_SECONDS)
        size = await anyio.to_thread.run_sync(_size, folder)
        if size > MAX_PACKAGE_BYTES:
            _kill(process)
            return
        if progress is not None:
            await progress(size)


async def _end(process: Process) -> None:
    if process.returncode is None:
        _kill(process)
    with anyio.CancelScope(shield=True):
        await process.wait()
        await process.aclose()


def _kill(process: Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _size(folder: Path) -> int:
    """Bytes below `folder`; what comes and goes meanwhile may be missed."""
    size = 0
    for here, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                size += os.lstat(os.path.join(here, name)).st_size  # noqa: PTH118 - in a hot loop
    return size


def _refused(source: Source, told: bytes) -> HermesError:
    text = told.decode("utf-8", "replace")
    if "couldn't find remote ref" in text or "not our ref" in text:
        return NotFoundError(
            f"{source.place} has no {source.ref or 'commit'}.", hint="Name a branch, tag or commit."
        )
    return NotFoundError(
        f"git cannot fetch {source.place}: {_line(told)}.",
        hint="See whether `git ls-remote` with that address works; a private repository needs an "
        "SSH address.",
    )


def _line(told: bytes) -> str:
    lines = told.decode("utf-8", "replace").strip().splitlines() or ["it says nothing"]
    cause = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[0])
    return visible_line(cause.partition(": ")[2] or cause, limit=200).rstrip(".")


def _listed(folder: Path, inside: str, reader: "_Objects") -> Iterator[Entry]:
    """The commit's names; git is stopped when nobody wants more of them."""
    arguments = ["ls-tree", "-r", "-z", "--full-tree", "FETCH_HEAD"]
    with subprocess.Popen(
        _command(folder, *arguments, "--", *([inside] if inside else [])),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment("none") | {"GIT_LITERAL_PATHSPECS": "1"},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            for record in _records(process.stdout):
                head, _, name = record.partition(b"\t")
                mode, kind, oid = head.decode("ascii").split(" ")
                path = name.decode("utf-8", "surrogateescape")
                if kind == "commit":
                    yield Entry(path, "submodule", reader.nothing)
                elif mode == "120000":
                    yield Entry(path, "link", reader.nothing)
                else:
                    yield Entry(path, "file", reader.of(oid))
        finally:
            process.kill()


def _records(stream: IO[bytes]) -> Iterator[bytes]:
    """What stands before each NUL."""
    left = b""
    while chunk := stream.read(65_536):
        *records, left = (left + chunk).split(b"\0")
        yield from records


class _Objects:
    """Contents by object id, one git process for all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def of(self, oid: str) -> Callable[[int], bytes]:
        return lambda size: self._read(oid, size)

    def nothing(self, size: int) -> bytes:
        del size
        return b""

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def _read(self, oid: str, size: int) -> bytes:
        if self._process is None:
            self._process = subprocess.Popen(
                _command(self._folder, "cat-file", "--batch"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment("none"),
            )
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None
        assert answers is not None
        asked.write(f"{oid}\n".encode())
        asked.flush()
        head = answers.readline().split()
        if len(head) != 3 or head[1] != b"blob":
            raise ValueError("It is missing from the repository.")
        left = int(head[2]) + 1  # a line feed ends it
        content = answers.read(min(left - 1, size))
        left -= len(content)
        while left > 0 and (skipped := answers.read(min(left, 65_536))):
            left -= len(skipped)
        return content
