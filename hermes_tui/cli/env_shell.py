"""`hermes env shell`: a simple shell in any environment, line by line."""

import sys

import anyio.to_thread

from hermes_tui.cli.diagnostics import Ink, say
from hermes_tui.cli.env_commands import Desk
from hermes_tui.core.environment import Ended
from hermes_tui.core.errors import HermesError, ToolError
from hermes_tui.safety.terminal_text import visible

LONGEST_SECONDS = 86_400


async def shell(desk: Desk, name: str) -> None:
    """Read lines and run each; directory, exported variables and functions carry over.

    There is no terminal in the environment, so full-screen programs do not work.
    """
    name = desk.named(name)
    environment = await desk.places.open(name)
    say(f"In {name}. Full-screen programs do not work here; `exit` or ctrl+d ends it.")
    ink = Ink(sys.stdout)

    async def show(data: bytes) -> None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    while True:
        prompt = f"{ink.accent(visible(name))}:{ink.dim(visible(environment.cwd))}$ "
        try:
            line = await anyio.to_thread.run_sync(input, prompt, abandon_on_cancel=True)
        except EOFError:
            sys.stdout.write("\n")
            return
        if line.strip() in {"exit", "logout"}:
            return
        try:
            result = await environment.run(line, timeout=LONGEST_SECONDS, on_output=show)
        except ToolError as error:
            say(str(error))
            continue
        if result.notice:
            say(result.notice)
        if result.ended is Ended.LOST:
            raise HermesError("The connection was lost.", hint="Open the shell again.")
