"""`hermes env shell`: a simple shell in any environment, line by line."""

import signal
import sys
from collections.abc import AsyncIterator, Awaitable
from typing import TypeVar

import anyio

from hermes_tui.cli.command_output import CommandOutput, TerminalText
from hermes_tui.cli.diagnostics import Ink, say
from hermes_tui.cli.env_commands import Desk
from hermes_tui.cli.stdin import Lines
from hermes_tui.core.environment import CommandResult, Ended, Environment
from hermes_tui.core.errors import HermesError, ToolError
from hermes_tui.core.tasks import task_group
from hermes_tui.safety.terminal_text import visible

LONGEST_SECONDS = 86_400

T = TypeVar("T")


async def shell(desk: Desk, name: str) -> None:
    """Read lines and run each; directory, exported variables and functions carry over.

    There is no terminal in the environment, so full-screen programs do not work.
    """
    name = desk.named(name)
    environment = await desk.places.open(name)
    if not sys.stdin.isatty():
        await _Dialogue(environment, prompts=False).hold()
        return
    say(f"In {name}. Full-screen programs do not work here; `exit` or ctrl+d ends it.")
    dialogue = _Dialogue(environment, prompts=True)
    with anyio.open_signal_receiver(signal.SIGINT) as interrupts:
        async with task_group() as tasks:
            tasks.start_soon(dialogue.heed, interrupts)
            await dialogue.hold()
            tasks.cancel_scope.cancel()


class _Dialogue:
    """Lines and what they come to, until the last; ctrl+c ends what goes on, and not it."""

    def __init__(self, environment: Environment, *, prompts: bool) -> None:
        self._environment = environment
        self._prompts = prompts
        self._lines = Lines()
        self._output = CommandOutput()
        self._ink = Ink(sys.stdout)
        self._going_on = anyio.CancelScope()

    async def heed(self, interrupts: AsyncIterator[signal.Signals]) -> None:
        """End what goes on whenever one comes."""
        async for _ in interrupts:
            self._going_on.cancel()

    async def hold(self) -> None:
        while True:
            await self._prompt()
            line = await self._unless_interrupted(self._lines.next(), otherwise="")
            if line is None or line.strip() in {"exit", "logout"}:
                break
            try:
                result = await self._unless_interrupted(self._run(line), otherwise=None)
            except ToolError as error:
                say(str(error))
                continue
            if result is None:
                continue
            if result.notice:
                say(result.notice)
            if result.ended is Ended.LOST:
                raise HermesError("The connection was lost.", hint="Open the shell again.")
        if self._prompts and line is None:
            await self._output.write(b"\n")

    async def _prompt(self) -> None:
        if self._prompts:
            name, cwd = visible(self._environment.name), visible(self._environment.cwd)
            await self._output.write(f"{self._ink.accent(name)}:{self._ink.dim(cwd)}$ ".encode())

    async def _unless_interrupted(self, work: Awaitable[T], *, otherwise: T) -> T:
        with anyio.CancelScope() as self._going_on:
            return await work
        await self._output.write(b"\n")
        return otherwise

    async def _run(self, line: str) -> CommandResult | None:
        text = TerminalText(keeps_colours=True)

        async def show(data: bytes) -> None:
            shown = text.take(data).encode() if self._output.is_terminal else data
            await self._output.write(shown)

        try:
            return await self._environment.run(line, timeout=LONGEST_SECONDS, on_output=show)
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                await self._output.write(text.end().encode())
