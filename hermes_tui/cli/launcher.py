"""A small parent process that puts the terminal back however the screen ends.

No process can tidy up after its own SIGKILL, and Textual does not after SIGTERM,
SIGHUP or SIGQUIT. So the screen runs in a child, and this parent waits for it: it
imports nothing that could fail, and forgets the keys it was started with. It has to be
called before anything heavy is imported and before any thread is started.
"""

import os
import select
import signal
import sys
import termios
import threading
import time
from collections.abc import Callable
from types import FrameType

from hermes_tui.config.own_process import close_to_others, forget

MODES_OFF = (
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l"  # mouse
    "\x1b[?1004l"  # focus reports
    "\x1b[?2004l"  # bracketed paste
    "\x1b[?2026l"  # synchronized output
    "\x1b[?25h"  # cursor
    "\x1b[0m"
)
"""Harmless when nothing was on."""
SCREEN_OFF = "\x1b[<u\x1b[?1049l"
"""Kitty's keyboard protocol and the alternate screen: only for a child that left them on, since
each undoes one more level of what another program may have set."""

FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
HELD = (*FORWARDED, signal.SIGINT)
"""What waits while there is nobody yet to pass it to."""
FOLLOW_SECONDS = 3
"""How long the screen may take to leave when its terminal is gone."""
GRACE_SECONDS = 5
"""A child that is still there so long after a forwarded signal is killed."""


def supervise(child: Callable[[], int]) -> int:
    """Run `child` in a process of its own; its exit status, 128+n when signal n ended it.

    Without a terminal there is nothing to put back, and `child` runs in this process.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return child()
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _run_child(child, writer)
    os.close(writer)
    forget()
    close_to_others()
    status = _wait(pid)
    has_tidied_up = _has_byte(reader)
    _restore(terminal, before, has_tidied_up=has_tidied_up)
    if os.WIFSIGNALED(status):
        _say_why(os.WTERMSIG(status))
        return 128 + os.WTERMSIG(status)
    return os.WEXITSTATUS(status)


def _run_child(child: Callable[[], int], writer: int) -> None:
    """Run `child` and end this process; its Python ending means Textual has tidied up."""
    code = 1
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
        watched = (sys.stdin.fileno(), writer)
        threading.Thread(target=_follow, args=watched, daemon=True).start()
        code = child()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1 if error.code else 0
    except KeyboardInterrupt:
        code = 130
    except BaseException as error:  # noqa: BLE001 - the process ends here, after saying why
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
            os.write(writer, b"k")
        finally:  # the terminal or the launcher may be gone; nothing may run on from here
            os._exit(code & 0xFF)


def _follow(terminal: int, writer: int) -> None:
    """End this process when the terminal or the launcher is gone.

    Painting into a terminal that hung up blocks for ever, so a signal alone is not enough.
    """
    gone = select.poll()
    gone.register(terminal, 0)  # hang-up and error are reported all the same
    gone.register(writer, 0)
    gone.poll()
    os.kill(os.getpid(), signal.SIGHUP)
    time.sleep(FOLLOW_SECONDS)
    os._exit(128 + signal.SIGHUP)


def _wait(pid: int) -> int:
    """Wait for the child, passing signals on and stopping with it."""

    def forward(number: int, _frame: FrameType | None) -> None:
        _kill(pid, number)
        signal.alarm(GRACE_SECONDS)

    def give_up(_number: int, _frame: FrameType | None) -> None:
        _kill(pid, signal.SIGKILL)

    for number in FORWARDED:
        signal.signal(number, forward)
    signal.signal(signal.SIGALRM, give_up)
    # The child has the keyboard; an interrupt typed into its editor is not for us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
    while True:
        _, status = os.waitpid(pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            signal.alarm(0)
            return status
        # Ctrl+z: the shell takes over once all of the job has stopped.
        os.kill(os.getpid(), signal.SIGSTOP)
        _kill(pid, signal.SIGCONT)


def _has_byte(reader: int) -> bool:
    """Whether the child wrote its mark; a process it left behind may still hold the pipe."""
    os.set_blocking(reader, False)
    try:
        return os.read(reader, 1) != b""
    except BlockingIOError:
        return False
    finally:
        os.close(reader)


def _kill(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _restore(terminal: int, before: list[int | list[bytes | int]], *, has_tidied_up: bool) -> None:
    try:
        os.write(
            sys.stdout.fileno(), (MODES_OFF if has_tidied_up else MODES_OFF + SCREEN_OFF).encode()
        )
        # Mouse reports that nobody read must not reach the shell.
        when = termios.TCSADRAIN if has_tidied_up else termios.TCSAFLUSH
        termios.tcsetattr(terminal, when, before)
    except (OSError, termios.error):
        return  # the terminal itself is gone


def _say_why(number: int) -> None:
    name = signal.Signals(number).name
    try:
        sys.stderr.write(
            f"Hermes was ended by {name}. The session is stored; hermes --continue goes on.\n"
        )
        sys.stderr.flush()
    except OSError:
        return
