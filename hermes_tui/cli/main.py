"""The `hermes` command: without a subcommand it opens the screen."""

import gc
import os
import sys
from typing import TYPE_CHECKING, Never

if TYPE_CHECKING:
    from hermes_tui.core.errors import HermesError

VERSION_FLAGS = ("--version", "-V")


def main() -> Never:
    """Run the command line in `sys.argv`; always ends with `SystemExit`."""
    _open_closed_streams()
    _print_what_can_be_printed()
    args = sys.argv[1:]
    if len(args) == 1 and args[0] in VERSION_FLAGS:
        from hermes_tui import __version__

        sys.stdout.write(f"hermes {__version__}\n")
        raise SystemExit(0)
    gc.set_threshold(50_000, 20, 100)  # most of what a start makes lives to the end
    from hermes_tui.cli.diagnostics import guarded

    with guarded():
        raise SystemExit(_run(args))
    raise AssertionError("guarded() never goes on after an error")


def _open_closed_streams() -> None:
    """Give a process started with `>&-` a stream to nowhere in that place.

    Otherwise the next file opened, perhaps the store, would get the stream's number.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123


def _print_what_can_be_printed() -> None:
    """Let an encoding without a character cost that character, not the answer."""
    if change := getattr(sys.stdout, "reconfigure", None):
        change(errors="replace")


def _run(args: list[str]) -> int:
    if not args and "_HERMES_COMPLETE" not in os.environ:
        from hermes_tui.cli.screen import open_screen  # without the 40 ms Typer takes

        return open_screen()
    import typer

    from hermes_tui.cli.app import command

    try:
        code: object = command()(args, prog_name="hermes", standalone_mode=False)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except usage_errors() as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            sys.stderr.write(f"{error}\n")
            return 2
        raise _as_usage(error) from None
    return code if isinstance(code, int) else 0


def usage_errors() -> type[Exception]:
    """What Typer raises for a wrong command line, whichever parser it is built on."""
    import typer

    return typer.BadParameter.__mro__[2]  # BadParameter < UsageError < the base of both


def _as_usage(error: Exception) -> "HermesError":
    """A wrong command line as one of our errors."""
    from hermes_tui.core.errors import ConfigError

    message = str(error.format_message()).strip()  # type: ignore[attr-defined]
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "hermes"
    return ConfigError(
        message if message.endswith((".", "?")) else f"{message}.", hint=f"See `{path} --help`."
    )
