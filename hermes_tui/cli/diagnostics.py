"""What goes to stderr, and the code Hermes ends with.

Nothing heavy is imported here: this is loaded before any command runs.
"""

import errno
import os
import sys
import traceback
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from enum import IntEnum
from typing import Never, TextIO

from hermes_tui import __version__
from hermes_tui.core.errors import HermesError, alone


class ExitCode(IntEnum):
    """What the shell is told."""

    DONE = 0
    FAILED = 1
    """It failed, or what was named is not there."""
    USAGE = 2
    """The command line or the configuration is wrong."""
    REFUSED = 3
    """Policy or the person said no."""
    PROVIDER = 4
    """The model's provider refused or failed."""
    INTERRUPTED = 130


class Ink:
    """Colours for one stream: only on a terminal, and never under `NO_COLOR` or `TERM=dumb`."""

    def __init__(self, stream: TextIO) -> None:
        self._is_on = (
            stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        )

    def error(self, text: str) -> str:
        return self._in("31", text)

    def good(self, text: str) -> str:
        return self._in("32", text)

    def warn(self, text: str) -> str:
        return self._in("33", text)

    def accent(self, text: str) -> str:
        return self._in("36", text)

    def dim(self, text: str) -> str:
        return self._in("2", text)

    def _in(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._is_on else text


def say(text: str) -> None:
    """A line on stderr, without anything in it that a terminal would obey."""
    _write(_safe(text))


def report(error: HermesError, *, environ: Mapping[str, str] = os.environ) -> None:
    """Say what is wrong and what to do next, without any key known from `environ` or `.env`."""
    ink = Ink(sys.stderr)
    message, hint = (_safe(_redacted(text, environ)) for text in (error.message, error.hint))
    _write(f"{ink.error('hermes:')} {message}" + (f" {ink.dim(hint)}" if hint else ""))


def fail(error: HermesError, *, environ: Mapping[str, str] = os.environ) -> Never:
    """Report `error` and end with its code."""
    report(error, environ=environ)
    raise SystemExit(error.exit_code)


@contextmanager
def guarded() -> Generator[None, None, None]:
    """End the process with one sentence and the right code when the block fails.

    Nests: the innermost block reports, the others see `SystemExit` go by. With
    `HERMES_DEBUG=1` the traceback of an unexpected error is shown too.
    """
    environ = dict(os.environ)  # as it was before keys were taken out of it
    try:
        yield
        _flush()
    except SystemExit:
        _flush()
        raise
    except BaseException as error:  # noqa: BLE001 - nothing may reach the interpreter's report
        _end(alone(error), environ)


def _end(error: BaseException, environ: Mapping[str, str]) -> Never:
    match error:
        case SystemExit() | GeneratorExit():
            raise error
        case KeyboardInterrupt():
            say("Interrupted.")
            raise SystemExit(ExitCode.INTERRUPTED) from None
        case HermesError():
            fail(error, environ=environ)
        case BrokenPipeError():
            _drop_output()
            raise SystemExit(ExitCode.DONE) from None
        case OSError(errno=errno.EIO) if _has_hung_up():
            _drop_output()
            raise SystemExit(ExitCode.INTERRUPTED) from None
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            _drop_output()
            fail(_no_space(error), environ=environ)
        case _:
            _crash(error, environ)


def _crash(error: BaseException, environ: Mapping[str, str]) -> Never:
    """Keep the traceback of a bug in a file and say where."""
    text = _redacted("".join(traceback.format_exception(error)), environ)
    if environ.get("HERMES_DEBUG"):
        say(text)
    log = _crash_log(text)
    where = f"The traceback is in {log}." if log else "Set HERMES_DEBUG=1 to see the traceback."
    _write(f"{Ink(sys.stderr).error('hermes:')} This is a bug: {type(error).__name__}. {where}")
    raise SystemExit(ExitCode.FAILED) from None


def _crash_log(text: str) -> str:
    """Where the traceback was written; empty when it could not be."""
    from hermes_tui.config.paths import find_paths, shown

    now = datetime.now().astimezone()
    try:
        paths = find_paths(os.environ)
        paths.create()
        log = paths.logs_dir / f"crash-{now:%Y%m%d-%H%M%S}-{os.getpid()}.log"
        with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as out:
            out.write(f"hermes {__version__}, Python {sys.version.split()[0]}, {now:%c}\n{text}")
    except (HermesError, OSError):
        return ""
    return shown(log)


def _redacted(text: str, environ: Mapping[str, str]) -> str:
    from hermes_tui.config.paths import find_paths
    from hermes_tui.config.secrets import Secrets, read_env_file

    filed: dict[str, str] = {}
    with suppress(HermesError):
        filed = read_env_file(find_paths(os.environ))
    return Secrets(environ, filed).redact(text)


def _safe(text: str) -> str:
    from hermes_tui.safety.terminal_text import visible  # compiles a large pattern

    return visible(text)


def _write(line: str) -> None:
    with suppress(OSError, ValueError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def _flush() -> None:
    """Find out here, not at interpreter exit, that stdout does not take what was printed."""
    try:
        sys.stdout.flush()
    except OSError as error:
        _end(error, os.environ)
    except ValueError:
        return  # closed already


def _no_space(error: OSError) -> HermesError:
    what = error.filename or "The output"
    return HermesError(f"{what} cannot be written: {error.strerror}.", hint="Free some space.")


def _has_hung_up() -> bool:
    """Whether the terminal is gone, which makes every write to it an input/output error."""
    import select

    streams = select.poll()
    for number in (1, 2):
        streams.register(number, 0)
    return bool(streams.poll(0))


def _drop_output() -> None:
    """Point stdout at nothing, so that what is left in its buffer cannot fail again."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
