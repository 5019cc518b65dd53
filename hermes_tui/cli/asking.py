"""A person at a plain terminal, asked line by line."""

import sys
from collections.abc import Sequence

import anyio.to_thread

from hermes_tui.core.errors import RefusedError
from hermes_tui.core.events import Approval, ApprovalRequest
from hermes_tui.safety.terminal_text import visible


class TerminalHuman:
    """Asks on stderr and reads the answer from stdin. Anything but a clear yes is a no."""

    async def tell(self, text: str) -> None:
        sys.stderr.write(visible(text) + "\n")

    async def secret(self, question: str) -> str:
        from getpass import getpass

        def ask() -> str:
            return getpass(f"{visible(question)} ", stream=sys.stderr)

        if answer := await anyio.to_thread.run_sync(ask, abandon_on_cancel=True):
            return answer
        raise RefusedError("Nothing was typed.", hint="Try again and type it.")

    async def approve(self, request: ApprovalRequest) -> Approval:
        choices = "y = once, s = this session, anything else = no" if request.scope else "y = once"
        answer = await _ask(
            f"\n{visible(request.action)}\n"
            f"{request.reason} Runs in {request.environment}, {visible(request.cwd)}.\n"
            f"Allow? [{choices}] "
        )
        match answer.strip().lower():
            case "y" | "yes":
                return Approval("once")
            case "s" if request.scope:
                return Approval("session")
            case _:
                return Approval("deny")

    async def ask(self, question: str, choices: Sequence[str] = ()) -> str:
        listed = "".join(f"\n  {n}. {visible(c)}" for n, c in enumerate(choices, 1))
        answer = (await _ask(f"\n{visible(question)}{listed}\n> ")).strip()
        if answer.isdigit() and 1 <= int(answer) <= len(choices):
            return choices[int(answer) - 1]
        return answer


async def _ask(prompt: str) -> str:
    sys.stderr.write(prompt)
    sys.stderr.flush()
    # A thread that sits in readline would keep the process alive after ctrl+c.
    await anyio.wait_readable(sys.stdin)
    return sys.stdin.readline()
