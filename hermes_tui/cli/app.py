"""The options of bare `hermes`, and the commands below it."""

import os
import sys
from typing import Annotated, Any

import typer
from typer.main import get_command, get_install_completion_arguments

from hermes_tui.cli import declared
from hermes_tui.cli.completion import COMPLETE_VARIABLE
from hermes_tui.cli.lazy import LazyGroup

EPILOG = 'A first word with a blank in it is a prompt: hermes "what is in this folder?"'

app = typer.Typer(
    name="hermes",
    cls=LazyGroup,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EPILOG,
)


def command() -> Any:
    """The whole command line, ready to be called with its words."""
    if COMPLETE_VARIABLE in os.environ:
        get_install_completion_arguments()  # makes Typer know the shells
    return get_command(app)


@app.callback(invoke_without_command=True)
def hermes(
    ctx: typer.Context,
    model: declared.Model = "",
    env: declared.Env = None,
    cwd: declared.Cwd = "",
    continue_: declared.Continue = False,
    resume: declared.Resume = "",
    mode: declared.Mode = "",
    yes: declared.Yes = False,
    version: Annotated[bool, typer.Option("--version", "-V", help="Print the version.")] = False,
) -> None:
    """Hermes, an AI agent for the terminal. Without a command it opens the screen."""
    if version:
        from hermes_tui import __version__

        sys.stdout.write(f"hermes {__version__}\n")
        raise typer.Exit
    if ctx.invoked_subcommand is not None:
        _refuse_options_before(ctx)
        return
    from hermes_tui.cli.screen import open_screen

    code = open_screen(
        model=model,
        environment=env,
        cwd=cwd,
        mode=mode,
        yes=yes,
        resume=resume,
        continues=continue_,
    )
    raise SystemExit(code)


def _refuse_options_before(ctx: typer.Context) -> None:
    """An option before a command would be lost: those are the screen's."""
    from hermes_tui.core.errors import ConfigError

    given = [name for name, value in ctx.params.items() if value]
    if given:
        option = f"--{given[0].strip('_')}"
        raise ConfigError(
            f"{option} stands before {ctx.invoked_subcommand!r}, where it has no effect.",
            hint=f"Write it after the command: hermes {ctx.invoked_subcommand} {option} …",
        )
