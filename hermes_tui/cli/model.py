"""`hermes model`: which models there are, and choosing the one to use."""

from typing import Annotated

import typer

from hermes_tui.cli.completion import model_names

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def model(
    name: Annotated[
        str, typer.Argument(help="Use this one from now on.", autocompletion=model_names)
    ] = "",
    show_all: Annotated[bool, typer.Option("--all", help="Also those without a key.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List models, or choose the default one: hermes model provider/name."""
    from hermes_tui.cli.model_commands import choose, list_models

    if name:
        choose(name)
    else:
        list_models(show_all=show_all, as_json=as_json)
