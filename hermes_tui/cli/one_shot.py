"""Answering one prompt without a screen: what `hermes run` does once its options are read."""

import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import msgspec

from hermes_tui.agent.approvals import Nobody
from hermes_tui.agent.session import Session, Turn
from hermes_tui.cli.asking import TerminalHuman
from hermes_tui.cli.diagnostics import ExitCode
from hermes_tui.cli.render import Printer, printer_for
from hermes_tui.config.files import replace_file
from hermes_tui.core.errors import ConfigError, NotFoundError
from hermes_tui.core.events import ApprovalResolved, Notice, TurnFinished
from hermes_tui.core.ports import Human
from hermes_tui.core.tasks import task_group
from hermes_tui.runtime.runtime import Overrides, Runtime, open_runtime

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""Signals after which no command of the turn may stay behind."""


class OneShot(msgspec.Struct, frozen=True, kw_only=True):
    """The options of one `hermes run`; an empty string means "not given"."""

    prompt: str
    overrides: Overrides
    resume: str
    continues: bool
    as_json: bool
    quiet: bool
    usage_file: str
    learn: bool


async def answer(request: OneShot) -> int:
    """Run the prompt, and whatever it leads to, and say how it ended as an exit code."""
    printer = printer_for(as_json=request.as_json, quiet=request.quiet)
    if request.usage_file:
        _check_writable(request.usage_file)
    async with open_runtime(
        human=_who(request), source="run", overrides=request.overrides
    ) as runtime:
        session = await _session(runtime, request)
        for notice in runtime.notices:
            printer.show(notice)
        code = await _turn(session, request.prompt, printer)
        if request.learn and (learnt := await runtime.look_back(session)).text:
            printer.show(Notice(learnt.text))
        if request.usage_file:
            _write_usage(session, request.usage_file)
    return code


async def _turn(session: Session, prompt: str, printer: Printer) -> int:
    code, is_refused = 1, False
    async with session.turn(prompt) as turn, _cancelled_by_signals(turn):
        async for event in turn:
            printer.show(event)
            match event:
                case ApprovalResolved(approval=approval) if approval.verdict == "deny":
                    is_refused = True
                case TurnFinished(exit_code=code):
                    pass
                case _:
                    pass
    return ExitCode.REFUSED if is_refused and not code else code


@asynccontextmanager
async def _cancelled_by_signals(turn: Turn) -> AsyncGenerator[None, None]:
    """Let Ctrl-C and the like end the turn cleanly; a second one ends the process at once.

    What was ignored when Hermes started, as under `nohup`, stays ignored.
    """
    heeded = [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]

    async def watch() -> None:
        with anyio.open_signal_receiver(*heeded) as signals:
            async for _ in signals:
                turn.cancel()
                for again in heeded:
                    signal.signal(again, signal.SIG_DFL)

    async with task_group() as tasks:
        tasks.start_soon(watch)
        yield
        tasks.cancel_scope.cancel()


def _who(request: OneShot) -> Human:
    """A person who can be asked, if both ends of the terminal are there."""
    if request.as_json or request.quiet or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return Nobody()
    return TerminalHuman()


async def _session(runtime: Runtime, request: OneShot) -> Session:
    if request.resume:
        return await runtime.resume(request.resume)
    if request.continues:
        latest = await runtime.latest_session()
        if latest is None:
            raise NotFoundError(
                "There is no session to continue in this folder.",
                hint="See `hermes sessions list`, then use --resume ID.",
            )
        return await runtime.resume(latest.id)
    return await runtime.new_session()


def _check_writable(path: str) -> None:
    """Find out before the turn, not after it, that its usage cannot be written.

    Raises:
        ConfigError: there is no such folder, or it may not be written.
    """
    folder = Path(path).absolute().parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(
            f"--usage-file {path} cannot be written: {folder} is not there or read-only.",
            hint="Name another file.",
        )


def _write_usage(session: Session, path: str) -> None:
    record = {"session_id": session.id, "model": session.model.name, "usage": session.usage}
    replace_file(Path(path), msgspec.json.encode(record) + b"\n", mode=0o644)
