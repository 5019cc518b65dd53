"""A person at a plain terminal, asked line by line."""

import os
import sys
import termios
from collections.abc import Sequence

import anyio
import anyio.to_thread

from hermes_tui.core.errors import RefusedError
from hermes_tui.core.events import Approval, ApprovalRequest
from hermes_tui.safety.terminal_text import visible, visible_line

MAX_LINE_BYTES = 4096
"""What a terminal gives at once at most, when it gives lines."""
YES_OR_NO = {"y": "yes", "yes": "yes", "n": "no", "no": "no", "": "no"}
"""What may be typed where the choices are yes and no."""


class TerminalHuman:
    """Asks on stderr, one question at a time, and reads the answer from stdin.

    Anything but a clear yes is a no.
    """

    def __init__(self) -> None:
        self._turn = anyio.Lock()

    async def tell(self, text: str) -> None:
        sys.stderr.write(visible(text) + "\n")

    async def secret(self, question: str) -> str:
        from getpass import getpass

        def ask() -> str:
            return getpass(f"{visible(question)} ", stream=sys.stderr)

        async with self._turn:
            answer = await anyio.to_thread.run_sync(ask, abandon_on_cancel=True)
        if answer:
            return answer
        raise RefusedError("Nothing was typed.", hint="Try again and type it.")

    async def approve(self, request: ApprovalRequest) -> Approval:
        choices = "y = once, anything else = no"
        if request.scope:
            covered = visible_line(request.scope, limit=80)
            choices = f"y = once, s = this session ({covered}), anything else = no"
        place = f"{visible_line(request.environment)}, {visible_line(request.cwd)}"
        answer = await self._ask(
            f"\n{visible(request.action)}\n"
            f"{visible_line(request.reason)} Runs in {place}.\n"
            f"Allow? [{choices}] "
        )
        match answer.lower():
            case "y" | "yes":
                return Approval("once")
            case "s" if request.scope:
                return Approval("session")
            case _:
                return Approval("deny")

    async def ask(self, question: str, choices: Sequence[str] = ()) -> str:
        if set(choices) == set(YES_OR_NO.values()):
            return await self._yes_or_no(question)
        listed = "".join(f"\n  {n}. {visible(c)}" for n, c in enumerate(choices, 1))
        answer = await self._ask(f"\n{visible(question)}{listed}\n> ")
        if answer.isdigit() and 1 <= int(answer) <= len(choices):
            return choices[int(answer) - 1]
        return answer

    async def _yes_or_no(self, question: str) -> str:
        """`yes` or `no`; asks again when what was typed is neither."""
        prompt = f"\n{visible(question)} [y/N] "
        while (answer := (await self._ask(prompt)).lower()) not in YES_OR_NO:
            prompt = "Answer y or n: "
        return YES_OR_NO[answer]

    async def _ask(self, prompt: str) -> str:
        """One line of what is typed after the prompt; empty at the end of the input."""
        terminal = sys.stdin.fileno()
        async with self._turn:
            if os.isatty(terminal):
                # What was typed before the question cannot be an answer to it.
                termios.tcflush(terminal, termios.TCIFLUSH)
            sys.stderr.write(prompt)
            sys.stderr.flush()
            # A thread that sits in a read would keep the process alive after ctrl+c.
            await anyio.wait_readable(terminal)
            return os.read(terminal, MAX_LINE_BYTES).decode("utf-8", "replace").strip()
