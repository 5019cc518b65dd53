"""The environment tools work in, which a person may switch while they do."""

import shlex
from collections.abc import Awaitable, Callable, Collection, Sequence

from hermes_tui.core.environment import CommandResult, Environment, Spot
from hermes_tui.core.errors import ToolError
from hermes_tui.safety.risk import (
    Assessment,
    Risk,
    assess_command,
    assess_operands,
    assess_read,
    assess_search,
    assess_write,
    operands_script,
    worst,
)

Opener = Callable[[str], Awaitable[Environment]]

# `readlink -f` of busybox and macOS wants the target to be there, so what is not yet is set aside.
WHERE_IT_LEADS = """\
p={path} rest=
case $p in /*) ;; *) p=$PWD/$p ;; esac
until [ -e "$p" ] || [ -L "$p" ]; do rest=/${{p##*/}}$rest p=${{p%/*}}; p=${{p:-/}}; done
(cd -- {root} && pwd -P)
t=$(readlink -f -- "$p") && printf '%s\\n' "${{t%/}}$rest"
"""


class Workplace:
    """Holds the current environment; every tool asks here rather than keeping its own.

    Others can be open beside it: a command may name where it is to run.
    """

    def __init__(
        self,
        environment: Environment,
        *,
        home: str,
        open_other: Opener,
        configured: Collection[str] = (),
        own: str = "",
    ) -> None:
        """Start in `environment`, which is open.

        Args:
            home: The home directory credentials are looked for in.
            open_other: Opens an environment by name, once; it stays open until the end.
            configured: Environments the person set up, which need not be asked for.
            own: The folder Hermes keeps its things in.
        """
        self.environment = environment
        self._home = home
        self._open_other = open_other
        self._configured = frozenset(configured)
        self._own = own
        self._others: dict[str, Environment] = {}
        self._roots: dict[str, str] = {}
        self._unsaid: list[str] = []

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
        self._others[name] = await self._open_other(name)
        self._root(self._others[name])
        return self._others[name]

    def spot(self, names: Sequence[str] = ()) -> Spot:
        """Where a call works that names these environments; the current one for none.

        Opens nothing: a call that is refused must not have reached another place.
        """
        if len(names) > 1:
            return Spot(", ".join(names), "each at its own working directory")
        name = names[0] if names else self.name
        self._root(self.environment)
        environment = self.environment if name == self.name else self._others.get(name)
        return Spot(name, environment.cwd if environment else "where it starts")

    def assess_places(self, names: Sequence[str], *, scope: str = "") -> Assessment:
        """How dangerous it is to reach these environments at all."""
        strange = [name for name in names if name not in {self.name, *self._configured}]
        if not strange:
            return Assessment(Risk.READ, "It changes nothing.")
        return Assessment(
            Risk.OUTSIDE, f"It reaches {', '.join(strange)}, which you have not set up.", scope
        )

    async def assess_command(self, command: str, names: Sequence[str] = ()) -> Assessment:
        """How dangerous it is to run `command` in these environments; the current one for none."""
        cwd = "/" if names and names != [self.name] else self.environment.cwd
        assessed = worst(
            assess_command(command, cwd=cwd, home=self._home, own=self._own),
            self.assess_places(names, scope=command),
        )
        script = operands_script(command) if assessed.risk is Risk.READ else ""
        for name in (names or [""]) if script else ():
            result = await self.query(script, name=name)
            is_known = result.exit_code == 0 and result.output.is_complete
            printed = result.output.text.splitlines() if is_known else ["?"]
            assessed = worst(assessed, assess_operands(printed, assessed))
        if assessed.risk is Risk.EXECUTE and not assessed.scope:
            return Assessment(Risk.EXECUTE, assessed.reason, scope=command)
        return assessed

    async def assess_read(self, path: str) -> Assessment:
        return await self._assess(path, assess_read)

    async def assess_search(self, path: str) -> Assessment:
        """How dangerous it is to read all there is below `path`."""
        return await self._assess(path, assess_search)

    async def assess_write(self, path: str) -> Assessment:
        def assess(path: str, *, cwd: str, home: str) -> Assessment:
            return assess_write(path, cwd=cwd, home=home, own=self._own)

        return await self._assess(path, assess)

    async def _assess(self, path: str, assess: Callable[..., Assessment]) -> Assessment:
        """What `assess` says to `path`, as it is written and as links lead."""
        named = assess(path, cwd=self.environment.cwd, home=self._home)
        if named.risk is Risk.SECRETS or "\0" in path:
            return named
        root = quoted_path(self._root(self.environment))
        script = WHERE_IT_LEADS.format(path=quoted_path(path), root=root)
        printed = (await self.query(script)).output.text.split("\n")
        if len(printed) != 3:  # two lines, and what follows the second: nothing
            return Assessment(Risk.OUTSIDE, f"Nobody can say where {path} leads.")
        return assess(printed[1], cwd=printed[0], home=self._home)

    def _root(self, environment: Environment) -> str:
        """Where commands started in `environment`: `cd` needs no permission and gives none."""
        return self._roots.setdefault(environment.name, environment.cwd)

    async def query(self, script: str, *, name: str = "", timeout: float = 60) -> CommandResult:
        """Run a script of our own that only looks; it leaves the shell's state alone.

        Raises:
            ToolError: it did not finish in `timeout` seconds.
        """
        environment = await self.at(name)
        result = await environment.run(script, timeout=timeout, keep_state=False)
        self._unsaid += [result.notice] if result.notice else []
        if result.exit_code == 124:
            raise ToolError(
                f"Looking took longer than {timeout:g} s.", hint="Name a smaller folder."
            )
        return result

    def take_notices(self) -> list[str]:
        """What places had to say to our own scripts, for the model; each is given once."""
        notices, self._unsaid = self._unsaid, []
        return notices


def quoted_path(path: str) -> str:
    """`path` for a shell script, with a leading `~` left to the shell and no option look-alikes."""
    if path == "~" or path.startswith("~/"):
        return '"$HOME"' + shlex.quote(path[1:])
    return shlex.quote(f"./{path}" if path.startswith("-") else path)
