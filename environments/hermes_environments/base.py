"""What every environment has in common: all of the contract, given a byte channel."""

import os
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path

import anyio
import msgspec

from hermes_environments import files, jobs, plain_sh
from hermes_environments.capture import Capture
from hermes_environments.channel import Capabilities, Channel, ChannelLostError, read_all
from hermes_environments.conversation import Conversation, Outcome, Worker
from hermes_environments.spare import HANG_UP_SECONDS, Spare, to_the_end
from hermes_environments.worker import (
    BOOTSTRAP,
    EXEC_ID,
    LEFT,
    SWEEP,
    SWEEP_ALONE,
    Baseline,
    Script,
    ShellState,
    encode,
    exporting,
    new_id,
    quote,
)
from hermes_tui.core.environment import CommandResult, Ended, Job, OnOutput
from hermes_tui.core.errors import EnvironmentUnavailableError, ToolError

KILL_SECONDS = 5.0
"""A cancelled or timed out command is given up after this long."""
FRIENDLY = {"TERM": "dumb", "PAGER": "cat", "GIT_PAGER": "cat", "GIT_TERMINAL_PROMPT": "0"}
"""Nothing may wait for a person at a terminal."""
SHELL_SECONDS = 60.0
"""For our own scripts."""
LAST_WORDS_SECONDS = 0.2
"""For the output of processes that were just killed to arrive."""
SWEEPS, SWEEP_PAUSE = 20, 0.05
"""How often what cannot be ended gently is ended at once, and seconds between."""
TIMEOUT_EXIT_CODE = 124

# A login may say something before. The last line shows that it is a shell that answers.
_LOOK_AROUND = r"""printf '\n%s\n%s\n%s\nsh\n' "$(command -v bash)" "$HOME" "${XDG_STATE_HOME-}" """


class BaseEnvironment(ABC):
    """The contract of `hermes_tui.core.environment.Environment`, on `channel` alone.

    `environments/README.md` says how to write another one.
    """

    capabilities = Capabilities()
    start_seconds = SHELL_SECONDS
    """For a process to be started there, also when the place has to be woken for that."""
    close_seconds = 15.0
    """For the place to be released; what is not by then is left as it is."""

    def __init__(
        self,
        name: str,
        *,
        cwd: str,
        state_dir: str,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """`variables` are exported to every command, in addition to the place's own."""
        self._name = name
        self._first_cwd = cwd
        self._folder = Path(state_dir)
        self._state = ShellState(cwd=cwd, exports=exporting(variables or {}))
        self._baseline: Baseline | None = None
        self._turn = anyio.Lock(fast_acquire=True)
        self._opening = anyio.Lock()
        self._is_open = False
        self._spare = Spare(partial(self._spawn, is_prewarmed=True))
        self._given = dict(variables or {})
        self._jobs_folder = b""
        """One shell word; found out when the place is opened for the first time."""
        self._script_type = Script
        self._notices: list[str] = []

    @property
    def name(self) -> str:
        return self._name

    @property
    def cwd(self) -> str:
        return self._state.cwd

    @property
    def jobs_folder(self) -> bytes:
        """Where background jobs are, as one shell word; known once the place is open."""
        return self._jobs_folder

    @abstractmethod
    async def channel(self, argv: Sequence[str], *, env: Mapping[str, str]) -> Channel:
        """Start a process inside the environment, with `env` (never secret) added to its own.

        Raises:
            EnvironmentUnavailableError: it cannot be started.
        """

    async def _open(self) -> None:  # noqa: B027 - not every place needs it
        """Find, wake or create the place; called once."""

    async def _close(self) -> None:  # noqa: B027 - not every place needs it
        """Release the place, or what there is of it when `_open` came to no end."""

    async def _remark(self, result: CommandResult) -> str:
        """What the place knows about a command that failed, e.g. that memory ran out."""
        del result
        return ""

    async def health(self) -> str:
        """How the place is, in a few words, e.g. `running`; creates and wakes nothing.

        Raises:
            EnvironmentUnavailableError: it cannot serve.
        """
        return "open" if self._is_open else "not in use"

    async def stop(self) -> bool:
        """End all that runs in the place, and what it costs, but keep its files where it can.

        A place that is there without Hermes has background jobs to end. False without any.
        """
        running = [job for job in await self.jobs() if (await job.status()).is_running]
        for job in running:
            await job.kill()
        await self.close()
        return bool(running)

    async def destroy(self) -> bool:
        """Remove the place with all its files, if Hermes made it; False when there is none."""
        await self.close()
        return False

    async def find_shell(self) -> None:
        """For `_open`: where there is no bash, commands run in sh from now on.

        Raises:
            EnvironmentUnavailableError: there is no sh either.
        """
        lines = (await self._ask(["sh", "-c", _LOOK_AROUND])).rstrip(b"\n").split(b"\n")
        if len(lines) < 4 or lines[-1] != b"sh":
            raise EnvironmentUnavailableError(
                f"There is no shell in {self.name}, and commands run in one.",
                hint="Choose one that has bash or sh.",
            )
        if not lines[-4].endswith(b"bash"):
            self.use_plain_sh()
        self.keep_jobs(*(os.fsdecode(line) for line in lines[-3:-1]))

    def keep_jobs(self, home: str, state: str) -> None:
        """Settle where background jobs are: a session's variables may change, jobs do not move.

        Args:
            home: The home folder there.
            state: What XDG_STATE_HOME is there, if anything.
        """
        home = self._given.get("HOME", home)
        state = self._given.get("XDG_STATE_HOME", state) or f"{home}/.local/state"
        self._jobs_folder = quote(encode(f"{state}/hermes-tui/jobs"))

    def use_plain_sh(self) -> None:
        """For `_open`: commands run in sh from now on."""
        self._script_type = plain_sh.PlainScript
        self.capabilities = msgspec.structs.replace(self.capabilities, has_bash=False)
        self.tell("There is no bash here: commands run in plain sh, and functions are not kept.")

    def tell(self, notice: str) -> None:
        """Have the model read this with the next result."""
        if notice not in self._notices:
            self._notices.append(notice)

    async def open(self) -> None:
        async with self._opening:
            if self._is_open:
                return
            try:
                await self._open()
                if not self._jobs_folder:
                    await self.find_shell()
            except BaseException:
                await to_the_end(self._release())
                raise
            self._is_open = True

    async def close(self) -> None:
        async with self._opening:
            await self._spare.drop()
            if self._is_open:
                try:
                    with anyio.move_on_after(self.close_seconds):
                        await self._close()
                finally:
                    self._is_open = False

    async def _release(self) -> None:
        """Let go of a place that could not be opened."""
        await self._spare.drop()
        with suppress(EnvironmentUnavailableError), anyio.move_on_after(self.close_seconds):
            await self._close()

    async def run(
        self,
        command: str,
        *,
        timeout: float,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        on_output: OnOutput | None = None,
        keep_state: bool = True,
    ) -> CommandResult:
        text = encode(command)
        await self._ensure_open()
        async with AsyncExitStack() as stack:
            if keep_state:
                await stack.enter_async_context(self._turn)
            script = self._script_type(
                command=text,
                state=self._state,
                baseline=self._baseline,
                env=env or {},
                cwd=self._absolute(cwd) if cwd is not None else None,
                has_stdin=bool(stdin),
                keeps_state=keep_state,
            )
            return await self._with_notices(await self._run(script, timeout, stdin, on_output))

    async def start(self, command: str) -> Job:
        text = encode(command)
        exits_on_error = b"set -o errexit" in self._state.options
        worker = await self._take_within(SHELL_SECONDS)
        folder = self.jobs_folder + b"/" + worker.exec_id.encode()
        starting = jobs.starting(folder, text, exits_on_error=exits_on_error)
        script = self._script_type(
            command=starting, state=self._state, baseline=self._baseline, keeps_state=False
        )
        result = await self._run(script, SHELL_SECONDS, worker=worker)
        if result.exit_code != 0:
            raise ToolError(
                f"The job could not be started: {result.output.text.strip() or 'no reason given'}.",
                hint="Check that the folder for background jobs can be written.",
            )
        return jobs.ShellJob(self, worker.exec_id)

    async def jobs(self) -> list[Job]:
        await self._ensure_open()
        return [*await jobs.list_jobs(self)]

    async def read_file(self, path: str, *, offset: int = 0, limit: int | None = None) -> bytes:
        path = self._absolute(path)
        code, data = await self.shell(files.reading(path, offset, limit))
        if code:
            raise files.failure(path, code, verb="read")
        return data

    async def write_file(self, path: str, data: bytes) -> None:
        path = self._absolute(path)
        code, _ = await self.shell(files.writing(path), stdin=data)
        if code:
            raise files.failure(path, code, verb="written")

    async def shell(
        self, script: bytes, *, stdin: bytes = b"", timeout: float = SHELL_SECONDS
    ) -> tuple[int, bytes]:
        """Run `script` in a fresh shell, outside the session; exit code and all of stdout.

        The exit code is 124 when it took longer than `timeout` seconds.
        """
        await self._ensure_open()
        printed = bytearray()

        async def keep(data: bytes) -> None:
            printed.extend(data)

        whole = self._script_type(
            command=b"\\command exec 2>/dev/null\n" + script,
            state=ShellState(cwd="/"),
            has_stdin=True,
            keeps_state=False,
        )
        result = await self._run(whole, timeout, stdin, keep, capture=Capture(None))
        if result.exit_code is None:
            raise ChannelLostError(f"The connection to {self._name} was lost.")
        return result.exit_code, bytes(printed)

    async def sweep(self, exec_id: str) -> int:
        """End every process with this id inside the environment; how many are left."""
        left = await self._swept(SWEEP, exec_id)
        if left is not None:
            return left
        # Most likely nothing can be started there for want of processes or memory.
        for _ in range(SWEEPS):
            left = await self._swept(SWEEP_ALONE, exec_id)
            if left == 0:
                return 0
            await anyio.sleep(SWEEP_PAUSE)
        if left is not None:
            return left
        raise ChannelLostError(f"Nothing can be started in {self._name} to end processes.")

    async def _swept(self, script: str, exec_id: str) -> int | None:
        found = LEFT.search(await self._ask(["sh", "-c", script, "sweep", exec_id], until=LEFT))
        return int(found[1]) if found else None

    async def _ask(self, argv: Sequence[str], *, until: re.Pattern[bytes] | None = None) -> bytes:
        """What a program prints that leaves nothing behind, up to the line `until` matches."""
        return await read_all(await self.channel(argv, env={}), until=until)

    def _absolute(self, path: str) -> str:
        if path == "~" or path.startswith(("/", "~/")):
            return path
        return f"{self.cwd.rstrip('/')}/{path}"

    async def _run(
        self,
        script: Script,
        timeout: float,
        stdin: bytes = b"",
        on_output: OnOutput | None = None,
        worker: Worker | None = None,
        capture: Capture | None = None,
    ) -> CommandResult:
        began = time.monotonic()
        capture = capture or Capture(self._folder / "output")
        worker = worker or await self._take_within(timeout)
        outcome, notice = await self._attempt(worker, script, capture, timeout, stdin, on_output)
        if worker.is_prewarmed and outcome and outcome.has_surely_not_run:
            # The spare worker died while it waited.
            worker = await self._spawn()
            outcome, notice = await self._attempt(
                worker, script, capture, timeout, stdin, on_output
            )
        ended, code = self._ending(script, outcome)
        if outcome and outcome.trailer and outcome.trailer.is_state_too_large:
            notice = "The shell's variables and functions are too large and were not kept."
        self._adopt(script, outcome)
        return CommandResult(
            exit_code=code,
            ended=ended,
            output=await capture.output(),
            cwd=self.cwd,
            seconds=time.monotonic() - began,
            notice=notice,
        )

    async def _attempt(
        self,
        worker: Worker,
        script: Script,
        capture: Capture,
        timeout: float,
        stdin: bytes,
        on_output: OnOutput | None,
    ) -> tuple[Outcome | None, str]:
        """What the worker came to, None after a timeout; and a notice."""
        conversation = Conversation(worker, script, capture)
        outcome: Outcome | None = None
        try:
            with anyio.move_on_after(timeout):
                await conversation.begin(stdin)
                self._prewarm()
                outcome = await conversation.hear(on_output)
        except ChannelLostError:
            sent = conversation.was_sent
            outcome = Outcome(exit_code=None, header=None, trailer=None, was_sent=sent)
        except BaseException:
            await to_the_end(self._kill(worker, conversation))
            raise
        if outcome is None:
            return None, await to_the_end(self._kill(worker, conversation))
        await _hang_up(conversation)
        if outcome.header is not None:
            self._baseline = outcome.header.baseline if outcome.header.is_in_cwd else None
        return outcome, ""

    def _adopt(self, script: Script, outcome: Outcome | None) -> None:
        if outcome and outcome.trailer and (state := outcome.trailer.state):
            # A folder for one command is not where the next one starts.
            is_passing = script.cwd is not None
            cwd = script.state.cwd if is_passing else state.cwd
            self._state = msgspec.structs.replace(state, cwd=cwd)

    def _ending(self, script: Script, outcome: Outcome | None) -> tuple[Ended, int | None]:
        if outcome is None:
            return Ended.TIMEOUT, TIMEOUT_EXIT_CODE
        if outcome.exit_code is None:
            return Ended.LOST, None
        if outcome.header is None:
            raise self._not_begun(outcome.exit_code)
        if not outcome.header.is_in_cwd:
            raise self._not_run(script)
        return Ended.EXIT, outcome.exit_code

    def _not_begun(self, exit_code: int) -> EnvironmentUnavailableError:
        """The error for a shell that ended before it ran the command."""
        return EnvironmentUnavailableError(
            f"bash in {self._name} ended with exit code {exit_code} before it ran the command.",
            hint="Check that bash is installed there and starts.",
        )

    def _not_run(self, script: Script) -> ToolError:
        """The error for a folder that is not there; elsewhere the command could do harm."""
        if script.cwd is not None:
            return ToolError(
                f"There is no folder {script.cwd!r}; the command was not run.",
                hint="Pass a cwd that exists.",
            )
        gone = script.state.cwd
        if self.cwd == gone:
            next_cwd = self._first_cwd if gone != self._first_cwd else "/"
            self._state = msgspec.structs.replace(self._state, cwd=next_cwd)
        return ToolError(
            " ".join((*self._take_notices(), f"The working directory {gone!r} is gone;"))
            + " the command was not run.",
            hint=f"Run it again if it is right for {self.cwd!r}, where the next command starts.",
        )

    async def _kill(self, worker: Worker, conversation: Conversation) -> str:
        """End a command with all it started; a notice when that failed."""
        left: int | None = None
        is_over = anyio.Event()

        async def hear_out() -> None:
            await conversation.hear_out()
            is_over.set()

        with anyio.move_on_after(KILL_SECONDS):
            async with anyio.create_task_group() as group:
                group.start_soon(hear_out)
                with suppress(EnvironmentUnavailableError):
                    had_begun = conversation.has_begun
                    left = await self.sweep(worker.exec_id)
                    # One that was still on its way comes after a sweep that found nothing.
                    while not (had_begun or is_over.is_set()):
                        with anyio.move_on_after(LAST_WORDS_SECONDS):
                            await is_over.wait()
                        left = await self.sweep(worker.exec_id)
                group.cancel_scope.deadline = anyio.current_time() + LAST_WORDS_SECONDS
        await _hang_up(conversation)
        if left == 0:
            return ""
        return f"{'Some' if left is None else left} processes of the command may still be running."

    async def _with_notices(self, result: CommandResult) -> CommandResult:
        remark = "" if result.exit_code == 0 else await self._remark(result)
        notices = filter(None, (*self._take_notices(), result.notice, remark))
        return msgspec.structs.replace(result, notice=" ".join(notices))

    def _take_notices(self) -> list[str]:
        notices, self._notices = self._notices, []
        return notices

    async def _ensure_open(self) -> None:
        if not self._is_open:
            await self.open()

    async def _take(self) -> Worker:
        """The spare worker, or a new one."""
        await self._ensure_open()
        return await self._spare.take() or await self._spawn()

    async def _take_within(self, seconds: float) -> Worker:
        """The same, unless nothing can be started there for long."""
        seconds = max(seconds, self.start_seconds)
        with anyio.move_on_after(seconds):
            return await self._take()
        raise EnvironmentUnavailableError(
            f"Nothing could be started in {self.name} within {seconds:.0f} s.",
            hint="Wait for other commands there to end, or try again.",
        )

    def _prewarm(self) -> None:
        """Start the next worker while this command runs and the model thinks."""
        if self.capabilities.prewarm:
            self._spare.prepare()

    async def _spawn(self, *, is_prewarmed: bool = False) -> Worker:
        exec_id = new_id()
        argv = ["bash", "--norc", "--noprofile", "-c", BOOTSTRAP, "bash"]
        if not self.capabilities.has_bash:
            argv = ["sh", "-c", plain_sh.BOOTSTRAP, "sh"]
        channel = await self.channel(argv, env={EXEC_ID: exec_id})
        return Worker(exec_id=exec_id, channel=channel, is_prewarmed=is_prewarmed)


async def _hang_up(conversation: Conversation) -> None:
    # A transport that is stuck keeps nobody from going on.
    with anyio.move_on_after(HANG_UP_SECONDS):
        await conversation.close()
