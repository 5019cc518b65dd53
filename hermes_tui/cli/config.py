"""`hermes config`: show and change settings."""

from typing import Annotated

import typer

from hermes_tui.cli.completion import setting_keys, setting_values

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)

KeyArgument = Annotated[
    str, typer.Argument(help="E.g. models.retries.", autocompletion=setting_keys)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def show(
    origin: Annotated[bool, typer.Option("--origin", help="Where each value comes from.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print every setting with its value."""
    from hermes_tui.cli import config_commands
    from hermes_tui.cli.diagnostics import guarded

    with guarded():
        config_commands.show(origin=origin, as_json=as_json)


@app.command()
def get(key: KeyArgument, as_json: JsonOption = False) -> None:
    """Print one setting or section."""
    from hermes_tui.cli import config_commands
    from hermes_tui.cli.diagnostics import guarded

    with guarded():
        config_commands.get(key, as_json=as_json)


@app.command(name="set")
def set_(
    key: KeyArgument,
    value: Annotated[str, typer.Argument(help="Its new value.", autocompletion=setting_values)],
) -> None:
    """Change one setting; comments in the file stay."""
    from hermes_tui.cli import config_commands
    from hermes_tui.cli.diagnostics import guarded

    with guarded():
        config_commands.change(key, value)


@app.command()
def unset(key: KeyArgument) -> None:
    """Take one setting out of the file, so that its default counts again."""
    from hermes_tui.cli import config_commands
    from hermes_tui.cli.diagnostics import guarded

    with guarded():
        config_commands.remove(key)


@app.command()
def check() -> None:
    """List everything wrong with the files."""
    from hermes_tui.cli import config_commands
    from hermes_tui.cli.diagnostics import guarded

    with guarded():
        config_commands.check()


@app.command()
def path() -> None:
    """Print where the file is."""
    from hermes_tui.cli import config_commands
    from hermes_tui.cli.diagnostics import guarded

    with guarded():
        config_commands.path()


@app.command()
def edit() -> None:
    """Open the file in your editor, and check it afterwards."""
    from hermes_tui.cli import config_commands
    from hermes_tui.cli.diagnostics import guarded

    with guarded():
        config_commands.edit()
