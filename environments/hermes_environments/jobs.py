"""Background jobs: a folder per job inside the environment, and the shell that handles it.

    cmd      the command, as given           started  seconds since 1970
    out      what it prints                  pid      of the shell that waits for it
    in       a fifo, its stdin               rc       its exit code, once it ended
    kept     older output, after `out` was cut;  base   bytes dropped before `kept`

The folder outlives Hermes, so a later one finds, reads and kills the job. The id is that of
the worker that started it, so one sweep ends it with everything it started.
"""

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

import anyio
from msgspec import Struct

from hermes_environments.worker import quote
from hermes_tui.core.environment import JobStatus
from hermes_tui.core.errors import EnvironmentUnavailableError, ToolError

OUTPUT_LIMIT = 64 * 1024 * 1024
"""Bytes of a job's output kept; when it is read beyond that, the oldest are dropped."""
OUTPUT_KEPT = 16 * 1024 * 1024
EXPIRY_SECONDS = 7 * 86_400
"""Ended jobs are forgotten this long after their start."""
SEND_SECONDS = 10.0

_ID = re.compile(rb"[0-9a-f]{12}")

# A subshell around the command's own, so that `exit` and `exec` in it still leave an `rc`.
_START = b"""(
\\command umask 077 && \\command mkdir -p -- %(folder)b && \\command cd -- %(folder)b &&
\\command mkfifo in && \\command printf %%s %(command)b >|cmd && >|out &&
\\command printf '%%s\\n' "${EPOCHREALTIME:-$(\\command date +%%s)}" >|started.t &&
\\command mv -f started.t started
) || \\command exit 1
(
\\command set +e
( %(set)b\\command eval %(command)b )
(
\\command set -- "$?"; \\command umask 077; \\command cd -- %(folder)b &&
\\command printf '%%s\\n' "$1" >|rc.t && \\command mv -f rc.t rc
)
) 0<>%(folder)b/in 1>>%(folder)b/out 2>&1 &
( \\command umask 077; \\command printf '%%s\\n' "$!" >|%(folder)b/pid )
"""

# A pid may have been given to another process since; the id in its environment tells.
_ALIVE = b"""
alive() {
  kill -0 "$1" 2>/dev/null || return 1
  [ -r "/proc/$1/environ" ] || return 0
  grep -q "HERMES_EXEC_ID=$2" "/proc/$1/environ" 2>/dev/null
}
"""

_LIST = b"""cd -- %b 2>/dev/null || exit 0
for i in %b; do (
  case $i in *[!0-9a-f]*) exit 0 ;; esac
  [ -f "$i/started" ] && [ -p "$i/in" ] || exit 0
  r= p= s= b=0 k=0
  IFS= read -r s <"$i/started"
  [ -f "$i/pid" ] && IFS= read -r p <"$i/pid"
  a=0; [ -n "$p" ] && [ ! -f "$i/rc" ] && alive "$p" "$i" && a=1
  # Looked at last: a job that ended just now has one.
  [ -f "$i/rc" ] && IFS= read -r r <"$i/rc" && a=0
  [ -f "$i/base" ] && IFS= read -r b <"$i/base"
  [ -f "$i/kept" ] && k=$(wc -c <"$i/kept")
  n=$(wc -c <"$i/out")
  printf '%%s\\0' "$i" "$s" "$a" "$r" "$((b + k + n))"
  tr -d '\\000' <"$i/cmd"; printf '\\0'
) done; :
"""

# Prints the offset of what follows, one line, then the bytes.
_READ = b"""cd -- %(folder)b || exit 1
umask 077
base=0 kept=0 offset=%(offset)d
[ -f base ] && IFS= read -r base <base
[ -f kept ] && kept=$(wc -c <kept)
size=$(wc -c <out)
if [ "$size" -gt %(most)d ]; then
  tail -c %(keep)d out >kept.t && : >|out && mv -f kept.t kept
  base=$((base + kept + size - %(keep)d)) kept=%(keep)d size=0
  echo "$base" >|base
fi
[ "$offset" -lt 0 ] && offset=$((base + kept + size + offset))
[ "$offset" -lt "$base" ] && offset=$base
echo "$offset"
at=$((offset - base))
if [ "$at" -lt "$kept" ]; then { tail -c +$((at + 1)) kept; cat out; } | head -c %(limit)d
else tail -c +$((at - kept + 1)) out | head -c %(limit)d; fi
"""


class JobHost(Protocol):
    """What jobs need of their environment."""

    @property
    def jobs_folder(self) -> bytes:
        """Where their folders are, as one shell word."""
        ...

    async def shell(
        self, script: bytes, *, stdin: bytes = b"", timeout: float = ...
    ) -> tuple[int, bytes]:
        """Run `script` in a shell of its own; exit code and all it prints."""
        ...

    async def sweep(self, exec_id: str) -> int: ...


class _Row(Struct, frozen=True):
    status: JobStatus
    is_expired: bool


class ShellJob:
    """A job known by its id; every question is one command in the environment."""

    def __init__(self, host: JobHost, job_id: str) -> None:
        self._host = host
        self._id = job_id

    @property
    def id(self) -> str:
        return self._id

    @property
    def _folder(self) -> bytes:
        return self._host.jobs_folder + b"/" + self._id.encode()

    async def status(self) -> JobStatus:
        rows = await _list(self._host, self._id.encode())
        if not rows:
            raise ToolError(
                f"There is no background job {self._id!r} any more.",
                hint="List the jobs to see which there are.",
            )
        return rows[0].status

    async def read(self, offset: int, limit: int = 65_536) -> tuple[bytes, int]:
        return await self._read(max(0, offset), limit)

    async def tail(self, limit: int = 65_536) -> bytes:
        return (await self._read(-limit, limit))[0] if limit > 0 else b""

    async def send(self, data: bytes) -> None:
        """Write to the job's stdin.

        Raises:
            ToolError: it ended, or does not read what it was sent.
        """
        if not (await self.status()).is_running:
            raise ToolError(
                f"Job {self._id} has ended; nothing reads its input.", hint="Start it again."
            )
        script = b"cat 1<>" + self._folder + b"/in"
        code, _ = await self._host.shell(script, stdin=data, timeout=SEND_SECONDS)
        if code:
            raise ToolError(
                f"Job {self._id} did not take all {len(data):,} bytes in {SEND_SECONDS:.0f} s.",
                hint="Read its output to see whether it expects input.",
            )

    async def wait(self, timeout: float) -> JobStatus:
        end = anyio.current_time() + timeout
        pause = 0.02
        while (status := await self.status()).is_running:
            left = end - anyio.current_time()
            if left <= 0:
                break
            await anyio.sleep(min(pause, left))
            pause = min(pause * 2, 0.5)
        return status

    async def kill(self) -> None:
        was_running = (await self.status()).is_running
        left = await self._host.sweep(self._id)
        if left:
            raise ToolError(
                f"{left} processes of job {self._id} could not be stopped.",
                hint="Stop them by hand; they may belong to another user.",
            )
        if was_running:
            # The shell that would have recorded it was killed too.
            script = b"cd -- %b && [ ! -f rc ] && umask 077 && echo 137 >|rc" % self._folder
            await self._host.shell(script)

    async def _read(self, offset: int, limit: int) -> tuple[bytes, int]:
        numbers = {"offset": offset, "limit": limit, "most": OUTPUT_LIMIT, "keep": OUTPUT_KEPT}
        values = {name.encode(): value for name, value in numbers.items()}
        code, printed = await self._host.shell(_READ % {b"folder": self._folder, **values})
        if code:
            raise ToolError(
                f"There is no background job {self._id!r} any more.",
                hint="List the jobs to see which there are.",
            )
        start, _, data = printed.partition(b"\n")
        return data, int(start) + len(data)


def starting(folder: bytes, command: bytes, *, exits_on_error: bool) -> bytes:
    """The command that starts `command` in the background; `folder` is one shell word."""
    return _START % {
        b"folder": folder,
        b"command": quote(command),
        b"set": b"\\builtin set -e; " if exits_on_error else b"",
    }


async def list_jobs(host: JobHost) -> list[ShellJob]:
    """All jobs, newest first; forgets those that ended long ago."""
    rows = await _list(host, b"*")
    expired = [row.status.id.encode() for row in rows if row.is_expired]
    if expired:
        await host.shell(b"cd -- %b && rm -rf -- %b" % (host.jobs_folder, b" ".join(expired)))
    rows = [row for row in rows if not row.is_expired]
    rows.sort(key=lambda row: row.status.started_at, reverse=True)
    return [ShellJob(host, row.status.id) for row in rows]


async def any_runs(host: JobHost) -> bool:
    return any(row.status.is_running for row in await _list(host, b"*"))


async def _list(host: JobHost, pattern: bytes) -> list[_Row]:
    code, printed = await host.shell(_ALIVE + _LIST % (host.jobs_folder, pattern))
    if code:
        raise EnvironmentUnavailableError("The background jobs could not be listed.")
    fields = printed.split(b"\0")[:-1]
    rows = (_row(fields[at : at + 6]) for at in range(0, len(fields), 6))
    return [row for row in rows if row is not None]


def _row(fields: Sequence[bytes]) -> _Row | None:
    """What is known of a job; None for a folder that is none of ours, or was tampered with."""
    if not _ID.fullmatch(fields[0]):
        return None
    try:
        return _read_row(fields)
    except (ValueError, OverflowError, OSError):
        return None


def _read_row(fields: Sequence[bytes]) -> _Row:
    job_id, started, is_running, code, size, command = fields
    seconds = float(started.replace(b",", b"."))
    status = JobStatus(
        id=job_id.decode(),
        command=command.decode("utf-8", "surrogateescape"),
        started_at=datetime.fromtimestamp(seconds, UTC),
        is_running=is_running == b"1",
        exit_code=int(code) if code else None,
        output_bytes=int(size),
    )
    is_expired = not status.is_running and time.time() - seconds > EXPIRY_SECONDS
    return _Row(status=status, is_expired=is_expired)
