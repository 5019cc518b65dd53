"""The environment tools work in, which a person may switch while they do."""

import shlex
from collections.abc import Awaitable, Callable, Sequence

from hermes_tui.core.environment import CommandResult, Environment, Spot
from hermes_tui.core.errors import ToolError
from hermes_tui.safety.risk import Assessment, assess_read, assess_write

Opener = Callable[[str], Awaitable[Environment]]


class Workplace:
    """Holds the current environment; every tool asks here rather than keeping its own.

    Others can be open beside it: a command may name where it is to run.
    """

    def __init__(self, environment: Environment, *, home: str, open_other: Opener) -> None:
        """`open_other` opens an environment by name, once; it stays open until the end."""
        self.environment = environment
        self.home = home
        """The home directory credentials are looked for in."""
        self._open_other = open_other

    @property
    def name(self) -> str:
        return self.environment.name

    async def at(self, name: str) -> Environment:
        """The environment called `name`, opened if it was not; the current one for an empty name.

        Raises:
            ConfigError: there is none of that name.
            EnvironmentUnavailableError: it cannot serve.
        """
        if name in {"", self.environment.name}:
            return self.environment
        return await self._open_other(name)

    async def spot(self, names: Sequence[str] = ()) -> Spot:
        """Where a call works that names these environments; the current one for none."""
        if len(names) > 1:
            return Spot(", ".join(names), "each at its own working directory")
        environment = await self.at(names[0] if names else "")
        return Spot(names[0] if names else environment.name, environment.cwd)

    def assess_read(self, path: str) -> Assessment:
        return assess_read(path, cwd=self.environment.cwd, home=self.home)

    def assess_write(self, path: str) -> Assessment:
        return assess_write(path, cwd=self.environment.cwd, home=self.home)

    async def query(self, script: str, *, timeout: float = 60) -> CommandResult:
        """Run a script of our own that only looks; it leaves the shell's state alone.

        Raises:
            ToolError: it did not finish in `timeout` seconds.
        """
        result = await self.environment.run(script, timeout=timeout, keep_state=False)
        if result.exit_code == 124:
            raise ToolError(
                f"Looking took longer than {timeout:g} s.", hint="Name a smaller folder."
            )
        return result


def quoted_path(path: str) -> str:
    """`path` for a shell script, with a leading `~` left to the shell and no option look-alikes."""
    if path == "~" or path.startswith("~/"):
        return '"$HOME"' + shlex.quote(path[1:])
    return shlex.quote(f"./{path}" if path.startswith("-") else path)
