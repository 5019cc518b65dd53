"""`hermes doctor`: check that everything Hermes needs is in place."""

from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no server.")] = False,
) -> None:
    """Check that everything Hermes needs is in place. Ends with 1 when something is missing."""
    from hermes_tui.cli.diagnostics import guarded
    from hermes_tui.cli.doctor_report import examine

    with guarded():
        raise SystemExit(examine(as_json=as_json, offline=offline))
