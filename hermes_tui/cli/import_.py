"""`hermes import`: taking over what another program keeps."""

from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)


@app.callback()
def import_() -> None:
    """Take over memory, skills, sessions and settings of another program."""


@app.command("hermes-agent")
def hermes_agent(
    path: Annotated[str, typer.Argument(help="Its home; ~/.hermes when not given.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be taken.")
    ] = False,
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help="Copy providers' API keys too.")
    ] = False,
) -> None:
    """Take over a home of Nous Research's hermes-agent, which stays as it is."""
    from hermes_tui.cli.import_commands import import_hermes_agent

    import_hermes_agent(path, dry_run=dry_run, with_keys=with_keys)
