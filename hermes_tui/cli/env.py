"""`hermes env`: the places where commands run."""

from typing import Annotated

import typer

from hermes_tui.cli.completion import environment_names

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)

NameArgument = Annotated[
    str,
    typer.Argument(
        help="A kind, a configured place, or kind:target.", autocompletion=environment_names
    ),
]
OptionalName = Annotated[
    str,
    typer.Argument(help="The one in use when not given.", autocompletion=environment_names),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List environments with how they are."""
    from hermes_tui.cli import env_commands

    env_commands.run(env_commands.list_environments, as_json)


@app.command()
def use(name: NameArgument) -> None:
    """Run commands there from now on."""
    from hermes_tui.cli import env_commands

    env_commands.use(name)


@app.command()
def show(name: OptionalName = "", as_json: JsonOption = False) -> None:
    """Show an environment's settings."""
    from hermes_tui.cli import env_commands

    env_commands.show(name, as_json)


@app.command()
def doctor(name: OptionalName = "") -> None:
    """Test an environment: is it reachable, does a command run, can a file be written."""
    from hermes_tui.cli import env_commands

    env_commands.run(env_commands.doctor, name)


@app.command()
def run(
    command: Annotated[list[str], typer.Argument(help="The command, quoted or not.")],
    on: Annotated[
        str | None, typer.Option("--on", "-e", help="Where: one, or several with commas.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds at most.")] = 3600,
    as_json: JsonOption = False,
) -> None:
    """Run a command in one environment or in several at once; each gets what is piped in."""
    from hermes_tui.cli import env_commands

    env_commands.run(env_commands.run_command, " ".join(command), on, timeout, as_json)


@app.command()
def shell(name: OptionalName = "") -> None:
    """Work in an environment line by line; `exit` or ctrl+d ends it, ctrl+c a command."""
    from hermes_tui.cli import env_commands, env_shell

    env_commands.run(env_shell.shell, name)


@app.command()
def cp(
    source: Annotated[str, typer.Argument(help="A file here, or NAME:PATH.")],
    target: Annotated[str, typer.Argument(help="A file here, or NAME:PATH.")],
) -> None:
    """Copy a file into, out of or between environments: hermes env cp a.txt prod:/tmp/a.txt."""
    from hermes_tui.cli import env_commands

    env_commands.run(env_commands.copy, source, target)


@app.command()
def stop(name: NameArgument) -> None:
    """End what runs in an environment, and what it costs; its files stay where they can."""
    from hermes_tui.cli import env_commands

    env_commands.run(env_commands.stop, name)


@app.command()
def clean(
    name: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove an environment Hermes made, with all its files."""
    from hermes_tui.cli import env_commands

    env_commands.run(env_commands.clean, name, yes)
