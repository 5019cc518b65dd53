"""`hermes setup`: choose a provider and a model, and store its key."""

from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def setup(
    provider: Annotated[str, typer.Option(help="Its name, e.g. openrouter or ollama.")] = "",
    model: Annotated[str, typer.Option("--model", "-m", help="The model to use.")] = "",
    base_url: Annotated[str, typer.Option(help="Where its OpenAI-compatible API is.")] = "",
    api_key_stdin: Annotated[
        bool, typer.Option("--api-key-stdin", help="Read the key from standard input.")
    ] = False,
) -> None:
    """Choose a provider and a model, and store its key. Asks, unless options say it all."""
    from hermes_tui.cli import setup_dialog
    from hermes_tui.cli.diagnostics import guarded

    with guarded():
        if provider or model:
            setup_dialog.from_options(provider, model, base_url, has_key=api_key_stdin)
        else:
            setup_dialog.ask()
