"""Options the screen and `hermes run` share, as Typer declares them."""

from typing import Annotated

import typer

from hermes_tui.cli.completion import environment_names, model_names, modes, session_ids

Model = Annotated[
    str, typer.Option("--model", "-m", help="Which model answers.", autocompletion=model_names)
]
Env = Annotated[
    str | None,
    typer.Option("--env", "-e", help="Where commands run.", autocompletion=environment_names),
]
Cwd = Annotated[str, typer.Option("--cwd", help="Start in this folder.")]
Continue = Annotated[
    bool, typer.Option("--continue", "-c", help="Go on with the latest session here.")
]
Resume = Annotated[
    str, typer.Option("--resume", "-r", help="Go on with this one.", autocompletion=session_ids)
]
Mode = Annotated[
    str,
    typer.Option("--mode", help="read-only, ask, auto-edit or full-auto.", autocompletion=modes),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Same as --mode full-auto.")]
