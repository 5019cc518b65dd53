"""What the subcommands of `hermes env` do."""

import os
import re
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import anyio
import msgspec
from msgspec import Struct

from hermes_tui.agent.approvals import Nobody
from hermes_tui.cli.asking import TerminalHuman
from hermes_tui.cli.command_output import CommandOutput, TerminalText
from hermes_tui.cli.diagnostics import Ink, say
from hermes_tui.cli.stdin import read_piped
from hermes_tui.config.edit import set_value
from hermes_tui.config.hidden import masked
from hermes_tui.config.load import load_config
from hermes_tui.config.paths import Paths, current_folder, find_paths, shown
from hermes_tui.config.schema import Config
from hermes_tui.config.secrets import load_secrets
from hermes_tui.core.environment import CommandResult, Ended
from hermes_tui.core.errors import ConfigError, HermesError, RefusedError
from hermes_tui.core.ports import Human
from hermes_tui.core.tasks import task_group
from hermes_tui.runtime.environments import (
    build_environment,
    environment_choices,
    is_known,
    kind_of,
    left_behind,
)
from hermes_tui.runtime.places import Places
from hermes_tui.safety.terminal_text import visible
from hermes_tui.tools.labelled import LabelledLines

Rest = ParamSpec("Rest")
PROBE_SECONDS = 60
LOOK_SECONDS = 3.0
"""For a place to say how it is."""
LAST_LINE_SECONDS = 1.0
"""For a slow reader to take what a command that was killed had printed last."""
_AS_IT_IS = ("utf-8", "surrogateescape")
"""Bytes that are no text come out as they went in, also when a character is cut in two."""
FOUND_KINDS = ("local", "ssh")
"""Machines that are there without Hermes."""
_PATH_AFTER_TARGET = re.compile(r":(?=~|/(?!/))")
_IMAGE_THEN_PATH = re.compile(r"/[^:]*:[~/]")


class Desk(Struct, frozen=True):
    """What a command works with."""

    paths: Paths
    config: Config
    cwd: Path
    human: Human
    places: Places

    def named(self, name: str) -> str:
        return name or self.config.terminal.backend


def run(
    command: Callable[Concatenate[Desk, Rest], Awaitable[None]],
    *args: Rest.args,
    **kwargs: Rest.kwargs,
) -> None:
    """Read the configuration and run `command`; environments it opens are closed after it."""
    paths, config = _settings()
    paths.create()
    human: Human = TerminalHuman() if sys.stdin.isatty() and sys.stderr.isatty() else Nobody()

    async def work() -> None:
        cwd = _here()
        async with Places.opened(config=config, paths=paths, cwd=cwd, human=human) as places:
            await command(Desk(paths, config, cwd, human, places), *args, **kwargs)

    anyio.run(work)


async def list_environments(desk: Desk, as_json: bool) -> None:
    choices = await desk.places.choices(current=desk.named(""))
    if as_json:
        _json(choices)
        return
    ink = Ink(sys.stdout)
    for place in choices:
        mark = ink.accent("▶") if place.is_current else " "
        health = (ink.good if place.is_usable else ink.dim)(visible(place.health))
        sys.stdout.write(f"{mark} {place.name:<16} {place.kind:<12} {health}\n")


def use(name: str) -> None:
    """Make `name` the environment commands run in, and say if it cannot serve now.

    Raises:
        ConfigError: there is none of that name, or its settings are wrong.
    """
    paths, config = _settings()
    environment = build_environment(name, config=config, paths=paths, cwd=_here())
    paths.create()
    set_value(paths, ("terminal", "backend"), name)
    say(f"Commands run in {name} from now on; {shown(paths.config_file)} says so.")

    async def look() -> None:
        with anyio.move_on_after(LOOK_SECONDS):
            await environment.health()

    try:
        anyio.run(look)
    except HermesError as error:
        say(f"It cannot serve yet: {error}")


def show(name: str, as_json: bool) -> None:
    """Print what is configured for an environment."""
    _, config = _settings()
    name = name or config.terminal.backend
    _check_known(name, config)
    kind = kind_of(name, config)
    settings: dict[str, Any] = {"name": name, "backend": kind}
    settings |= getattr(config.terminal, kind, {})
    settings |= config.environments.get(name, {})
    settings = masked(settings, ("environments", name))
    if as_json:
        _json(settings)
        return
    for key, value in settings.items():
        sys.stdout.write(visible(f"{key}: {value}") + "\n")


async def doctor(desk: Desk, name: str) -> None:
    """Open the place, run a command, write a file and read it back, each with its time."""
    name = desk.named(name)
    ink = Ink(sys.stdout)

    async def step(what: str, work: Callable[[], Awaitable[str]]) -> None:
        started = time.monotonic()
        try:
            told = await work()
        except HermesError:
            sys.stdout.write(f"{ink.error('✗')} {what}\n")
            raise
        seconds = time.monotonic() - started
        sys.stdout.write(f"{ink.good('✓')} {what}: {visible(told)} {ink.dim(f'{seconds:.2f} s')}\n")

    async def reach() -> str:
        return f"{(await desk.places.open(name)).name} is there"

    async def command() -> str:
        environment = await desk.places.open(name)
        result = await environment.run("uname -sm; id -un; pwd", timeout=PROBE_SECONDS)
        if result.exit_code != 0:
            raise HermesError(f"A command ended with {result.exit_code}: {result.output.text}")
        return ", ".join(result.output.text.split("\n")[:3])

    async def file() -> str:
        environment = await desk.places.open(name)
        path = f"/tmp/hermes-doctor-{os.getpid()}"  # noqa: S108 - a path in the environment
        await environment.write_file(path, b"written by hermes env doctor\n")
        data = await environment.read_file(path)
        await environment.run(f"rm -f {path}", timeout=PROBE_SECONDS)
        return f"{len(data)} bytes written and read back"

    await step("reachable", reach)
    await step("runs commands", command)
    await step("keeps files", file)


async def run_command(
    desk: Desk, command: str, on: str | None, timeout: float, as_json: bool
) -> None:
    """Run `command` everywhere asked for; ends with 1 if it failed anywhere.

    Raises:
        ConfigError: `on` names nothing.
    """
    names = [desk.named("")] if on is None else _named(on)
    stdin = await read_piped()
    results: dict[str, CommandResult | HermesError] = {}
    output = CommandOutput()

    async def one(name: str) -> None:
        text = _Shown(name if len(names) > 1 else "", is_terminal=output.is_terminal)

        async def show_output(data: bytes) -> None:
            if not as_json:
                await output.write(text.take(data))

        try:
            environment = await desk.places.open(name)
            results[name] = await environment.run(
                command, timeout=timeout, stdin=stdin, on_output=show_output
            )
        except HermesError as error:
            results[name] = error
        with anyio.move_on_after(LAST_LINE_SECONDS):
            await output.write(text.end())

    async with task_group() as tasks:
        for name in names:
            tasks.start_soon(one, name)
    if as_json:
        _json([_result(name, results[name]) for name in names])
    codes = [_told(name, results[name], is_alone=len(names) == 1) for name in names]
    raise SystemExit(codes[0] if len(codes) == 1 else int(any(codes)))


def _named(on: str) -> list[str]:
    """The names in `on`, each once.

    Raises:
        ConfigError: there are none.
    """
    names = list(dict.fromkeys(name for part in on.split(",") if (name := part.strip())))
    if not names:
        raise ConfigError(
            "--on names no environment.", hint="Name one, or several with commas, or leave it out."
        )
    return names


class _Shown:
    """What a command in one place prints, as it goes to stdout."""

    def __init__(self, label: str, *, is_terminal: bool) -> None:
        """Lines begin with `label` if it is not empty."""
        # Colours would run on into the lines of other places.
        self._text = TerminalText(keeps_colours=not label) if is_terminal else None
        self._lines = LabelledLines(label) if label else None

    def take(self, data: bytes) -> bytes:
        if self._text is None and self._lines is None:
            return data
        text = self._text.take(data) if self._text else data.decode(*_AS_IT_IS)
        return self._labelled(text).encode(*_AS_IT_IS)

    def end(self) -> bytes:
        text = self._labelled(self._text.end() if self._text else "")
        return (text + (self._lines.end() if self._lines else "")).encode(*_AS_IT_IS)

    def _labelled(self, text: str) -> str:
        return self._lines.take(text) if self._lines else text


def _told(name: str, result: CommandResult | HermesError, *, is_alone: bool) -> int:
    """The exit code of one place, after saying on stderr how it went there."""
    if isinstance(result, HermesError):
        say(f"{name}: {result}")
        return result.exit_code
    if result.notice:
        say(f"{name}: {result.notice}")
    if result.ended is Ended.TIMEOUT:
        say(f"{name}: killed when its time was up.")
    elif result.ended is Ended.LOST and not result.notice:
        say(f"{name}: the connection was lost; nobody knows whether it finished.")
    elif result.exit_code is not None and not is_alone:
        say(f"{name}: exit code {result.exit_code}, {result.seconds:.1f} s")
    return 1 if result.exit_code is None else result.exit_code


def _result(name: str, result: CommandResult | HermesError) -> dict[str, object]:
    if isinstance(result, HermesError):
        return {"name": name, "error": str(result)}
    return {
        "name": name,
        "exit_code": result.exit_code,
        "ended": result.ended,
        "output": result.output.text,
        "seconds": result.seconds,
    }


async def copy(desk: Desk, source: str, target: str) -> None:
    """Copy one file; either side may be in an environment."""
    data = await _read(desk, source)
    name, path = split_place(target, desk.config)
    if name:
        await (await desk.places.open(name)).write_file(path, data)
    else:
        # As in every place: whole or not at all, with the mode of the file that was there.
        here = build_environment("local", config=Config(), paths=desk.paths, cwd=desk.cwd)
        await here.write_file(path, data)
    say(f"Copied {len(data):,} bytes to {target}.")


async def _read(desk: Desk, source: str) -> bytes:
    name, path = split_place(source, desk.config)
    if name:
        return await (await desk.places.open(name)).read_file(path)
    try:
        return await anyio.Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error


def split_place(text: str, config: Config) -> tuple[str, str]:
    """An environment's name, empty for this machine, and a path in it.

    A path that is not absolute may have a colon only where the place has no target.

    Raises:
        ConfigError: what is before the colon is no environment.
    """
    word, colon, rest = text.partition(":")
    if not colon or word.startswith((".", "/", "~")):
        return "", text
    _check_known(word, config)
    if word in config.environments or kind_of(word, config) == "local":
        return word, rest
    if rest.startswith(("/", "~")) and not _IMAGE_THEN_PATH.match(rest):
        return word, rest
    found = _PATH_AFTER_TARGET.search(rest)
    at = found.start() if found else rest.rfind(":")
    target, path = rest[: max(at, 0)], rest[at + 1 :]
    return (f"{word}:{target}" if target else word), path


def _check_known(name: str, config: Config) -> None:
    """Refuse a name that is neither an installed kind nor a configured place.

    Raises:
        ConfigError: it is neither.
    """
    if not is_known(name, config):
        choices = ", ".join(environment_choices(config))
        raise ConfigError(f"There is no environment {name!r}.", hint=f"Choose one of: {choices}.")


async def stop(desk: Desk, name: str) -> None:
    if await desk.places.unopened(name).stop() is False:
        say(f"Nothing of Hermes runs in {name}, so there was nothing to stop.")
    else:
        say(f"Stopped {name}.")


async def clean(desk: Desk, name: str, yes: bool) -> None:
    """Remove the place, after asking; also what a place left that is configured no more.

    Raises:
        ConfigError: Hermes did not make it, or there is none of that name.
        RefusedError: the person did not say yes.
    """
    if not is_known(name, desk.config) and name.strip():
        await _clean_left(desk, name, yes)
        return
    environment = desk.places.unopened(name)
    if kind_of(name, desk.config) in FOUND_KINDS:
        raise ConfigError(
            f"{name!r} is not of Hermes's making, so there is nothing to remove.",
            hint=f"End background jobs there with `hermes env stop {name}`.",
        )
    await _agreed(desk, f"Remove {name} with all its files?", yes=yes)
    if await environment.destroy() is False:
        say(f"There is nothing of {name} to remove.")
    else:
        say(f"Removed {name}.")


async def _clean_left(desk: Desk, name: str, yes: bool) -> None:
    left = left_behind(name, config=desk.config, paths=desk.paths, cwd=desk.cwd)
    try:
        count = await left.count_all()
    except HermesError:  # without a daemon there is nothing of that name
        count = 0
    if not count:
        _check_known(name, desk.config)
    containers = "the container" if count == 1 else f"{count} containers"
    what = f"{containers} of {name}, which is configured no more,"
    await _agreed(desk, f"Remove {what} with all files?", yes=yes)
    await left.destroy_all()
    say(f"Removed {containers} of {name}.")


async def _agreed(desk: Desk, question: str, *, yes: bool) -> None:
    """Go on if the person says yes to `question`, or said so beforehand.

    Raises:
        RefusedError: they do not.
    """
    if yes:
        return
    if isinstance(desk.human, Nobody):
        raise RefusedError(
            "Nobody is there to say yes, so nothing was removed.", hint="Pass --yes to go ahead."
        )
    if await desk.human.ask(question, ["no", "yes"]) != "yes":
        raise RefusedError("Nothing was removed.")


def _settings() -> tuple[Paths, Config]:
    paths = find_paths(os.environ)
    config = load_config(paths, environ=os.environ, cwd=current_folder())
    load_secrets(paths, os.environ, config)  # takes the keys out of what children see
    return paths, config


def _here() -> Path:
    """Where commands of this machine start.

    Raises:
        ConfigError: the folder was deleted.
    """
    folder = current_folder()
    if folder is None:
        raise ConfigError("The current folder is gone.", hint="Change to another one.")
    return folder


def _json(value: Any) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
