"""`terminal` and `process`: commands in the foreground and in the background."""

import codecs
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from hermes_tui.core.environment import CommandResult, Ended, Environment, Job, JobStatus
from hermes_tui.core.errors import HermesError, ToolError
from hermes_tui.core.tasks import task_group
from hermes_tui.safety.risk import Assessment, Risk, worst
from hermes_tui.tools.labelled import LabelledLines
from hermes_tui.tools.output import OutputShelf
from hermes_tui.tools.registry import HARMLESS, Outcome, Say, Tool
from hermes_tui.tools.workplace import Workplace

MAX_TIMEOUT_SECONDS = 3600


class TerminalArgs(Struct, frozen=True):
    """Run a command in a persistent bash shell (working directory, variables and functions carry
    over). Output is stdout and stderr together. There is no terminal and no stdin: avoid
    interactive programs. Use background=true for servers and anything long; see `process`."""  # noqa: D205, D209

    command: str
    timeout: Annotated[int, Meta(ge=1, description="seconds; default 120")] | None = None
    background: bool = False
    env: Annotated[
        str, Meta(description="run in this environment instead; several with commas")
    ] = ""

    @property
    def places(self) -> list[str]:
        return [name for part in self.env.split(",") if (name := part.strip())]


class ProcessArgs(Struct, frozen=True):
    """Look after background commands: list them, poll status and recent output, wait, write to
    stdin, kill."""  # noqa: D205, D209

    action: Literal["list", "poll", "wait", "tail", "write", "kill"]
    id: str = ""
    text: Annotated[str, Meta(description="for write; add \\n to press enter")] = ""
    timeout: Annotated[int, Meta(description="seconds, for wait")] = 60
    env: Annotated[str, Meta(description="where it was started, if elsewhere")] = ""


def terminal_tool(
    workplace: Workplace, shelf: OutputShelf, *, timeout_seconds: int
) -> Tool[TerminalArgs]:
    return Tool(
        "terminal",
        TerminalArgs,
        _Terminal(workplace, shelf, timeout_seconds=timeout_seconds).run,
        assess=lambda args: workplace.assess_command(args.command, args.places),
        describe=_described,
        where=lambda args: workplace.spot(args.places),
    )


async def _described(args: TerminalArgs) -> str:
    return args.command


class _Terminal:
    """Runs commands in the current environment, another one, or several at the same time."""

    def __init__(self, workplace: Workplace, shelf: OutputShelf, *, timeout_seconds: int) -> None:
        self._workplace = workplace
        self._shelf = shelf
        self._timeout_seconds = timeout_seconds

    async def run(self, args: TerminalArgs, say: Say) -> Outcome:
        if not args.command.strip():
            raise ToolError("The command is empty.", hint="Give a command to run.")
        if len(args.places) > 1:
            return await self._run_on_several(args, say)
        environment = await self._workplace.at(args.places[0] if args.places else "")
        if args.background:
            job = await environment.start(args.command)
            return Outcome(f"Started in the background as {job.id}. Use `process` to follow it.")
        return await self._run_in(environment, args, say)

    async def _run_in(self, environment: Environment, args: TerminalArgs, say: Say) -> Outcome:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")

        async def show(chunk: bytes) -> None:
            if text := decoder.decode(chunk):
                await say(text)

        before = environment.cwd
        timeout = min(args.timeout or self._timeout_seconds, MAX_TIMEOUT_SECONDS)
        result = await environment.run(args.command, timeout=timeout, on_output=show)
        moved = result.cwd if result.cwd != before else ""
        told = _told(result, self._shelf, timeout=timeout, moved=moved)
        notes = "".join(f"[{notice}]\n" for notice in self._workplace.take_notices())
        return Outcome(notes + told.content, is_error=told.is_error)

    async def _run_on_several(self, args: TerminalArgs, say: Say) -> Outcome:
        """The command in each place at once; one that fails does not stop the others."""
        if args.background:
            raise ToolError(
                "A background command runs in one environment.", hint="Start it in each by itself."
            )
        outcomes: dict[str, Outcome] = {}

        async def one(place: str) -> None:
            lines = LabelledLines(place)

            async def labelled(chunk: str) -> None:
                if shown := lines.take(chunk):
                    await say(shown)

            try:
                outcomes[place] = await self._run_in(
                    await self._workplace.at(place), args, labelled
                )
            except HermesError as error:
                outcomes[place] = Outcome(str(error), is_error=True)
            if rest := lines.end():
                await say(rest)

        async with task_group() as tasks:
            for place in args.places:
                tasks.start_soon(one, place)
        told = "\n\n".join(f"## {place}\n{outcomes[place].content}" for place in args.places)
        return Outcome(told, is_error=any(outcome.is_error for outcome in outcomes.values()))


def _told(result: CommandResult, shelf: OutputShelf, *, timeout: float, moved: str) -> Outcome:
    """A command's end in words: its output, then one bracketed line where there is more to say."""
    printed = result.output
    if not printed.is_complete and printed.path:
        text = shelf.capped(printed.text, whole=Path(printed.path)).rstrip("\n")
    else:
        text = shelf.capped(printed.text.rstrip("\n"))
    notes: list[str] = [result.notice] if result.notice else []
    match result.ended:
        case Ended.TIMEOUT:
            notes.append(f"Killed after {timeout:g} s, with everything it had started.")
        case Ended.LOST:
            notes.append("The connection was lost; nobody knows whether the command finished.")
        case Ended.EXIT if result.exit_code:
            notes.append(f"Exit code {result.exit_code}.")
        case Ended.EXIT if not text:
            notes.append("No output; exit code 0.")
        case Ended.EXIT:
            pass
    if moved:
        notes.append(f"Working directory: {moved}.")
    said = "\n".join([*([text] if text else []), *(f"[{note}]" for note in notes)])
    return Outcome(said, is_error=result.exit_code != 0)


def process_tool(workplace: Workplace) -> Tool[ProcessArgs]:
    async def run(args: ProcessArgs, say: Say) -> str:
        del say
        if args.action == "list":
            jobs = await (await workplace.at(args.env)).jobs()
            lines = [_line(await job.status()) for job in jobs]
            return "\n".join(lines) or "No background commands."
        job = await _find(await workplace.at(args.env), args.id)
        match args.action:
            case "write":
                await job.send(args.text.encode())
                return f"Wrote {len(args.text)} characters to {job.id}."
            case "kill":
                await job.kill()
            case "wait":
                await job.wait(min(args.timeout, MAX_TIMEOUT_SECONDS))
            case _:
                pass
        limit = 65_536 if args.action == "tail" else 4_096
        recent = (await job.tail(limit)).decode("utf-8", "replace").rstrip("\n")
        return f"{_line(await job.status())}\n{recent}".rstrip("\n")

    async def assess(args: ProcessArgs) -> Assessment:
        places = workplace.assess_places([args.env] if args.env else [], scope=args.action)
        typed = await workplace.assess_command(args.text) if args.action == "write" else HARMLESS
        return worst(_assess_action(args), places, typed)

    return Tool(
        "process",
        ProcessArgs,
        run,
        assess=assess,
        where=lambda args: workplace.spot([args.env] if args.env else []),
    )


def _assess_action(args: ProcessArgs) -> Assessment:
    match args.action:
        case "write":
            return Assessment(
                Risk.EXECUTE, "It types into a running program.", f"typing into {args.id}"
            )
        case "kill":
            return Assessment(Risk.EXECUTE, "It ends a running program.", f"ending {args.id}")
        case _:
            return HARMLESS


async def _find(environment: Environment, job_id: str) -> Job:
    jobs = await environment.jobs()
    for job in jobs:
        if job.id == job_id:
            return job
    known = ", ".join(job.id for job in jobs) or "none"
    raise ToolError(f"There is no background command {job_id!r}.", hint=f"Known: {known}.")


def _line(status: JobStatus) -> str:
    if status.is_running:
        state = "running"
    elif status.exit_code is None:
        state = "ended"
    else:
        state = f"exit code {status.exit_code}"
    return f"{status.id}  {state}  {status.output_bytes:,} bytes of output  {status.command}"
