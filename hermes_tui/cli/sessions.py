"""`hermes sessions`: list, show, search, export, rename, delete and restore conversations."""

from typing import Annotated

import typer

from hermes_tui.cli.completion import session_ids

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SessionArgument = Annotated[
    str, typer.Argument(help="Its id, or how the id begins.", autocompletion=session_ids)
]


@app.command("list")
def list_(
    text: Annotated[str, typer.Argument(help="Only those with this in title, id or folder.")] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1)] = 20,
    as_json: JsonOption = False,
) -> None:
    """List sessions, the last used first."""
    from hermes_tui.cli import session_commands

    session_commands.run(session_commands.list_sessions, text, limit, as_json)


@app.command()
def show(session: SessionArgument, as_json: JsonOption = False) -> None:
    """Print a conversation."""
    from hermes_tui.cli import session_commands

    session_commands.run(session_commands.show, session, as_json)


@app.command()
def search(
    query: Annotated[list[str], typer.Argument(help='Words, "exact phrases", or begin*.')],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1)] = 10,
    as_json: JsonOption = False,
) -> None:
    """Search everything ever said."""
    from hermes_tui.cli import session_commands

    session_commands.run(session_commands.search, " ".join(query), limit, as_json)


@app.command()
def export(
    session: SessionArgument,
    to: Annotated[str, typer.Option("--to", "-o", help="A file; stdout when not given.")] = "",
    markdown: Annotated[bool, typer.Option(help="Markdown rather than JSON lines.")] = False,
) -> None:
    """Write a conversation to a file, one message a line."""
    from hermes_tui.cli import session_commands

    session_commands.run(session_commands.export, session, to, markdown)


@app.command()
def rename(session: SessionArgument, title: Annotated[list[str], typer.Argument()]) -> None:
    """Give a session another title."""
    from hermes_tui.cli import session_commands

    session_commands.run(session_commands.rename, session, " ".join(title))


@app.command()
def delete(session: SessionArgument) -> None:
    """Delete a session; `restore` brings it back for 30 days."""
    from hermes_tui.cli import session_commands

    session_commands.run(session_commands.delete, session)


@app.command()
def restore(session: Annotated[str, typer.Argument(help="Its whole id.")]) -> None:
    """Bring back a deleted session."""
    from hermes_tui.cli import session_commands

    session_commands.run(session_commands.restore, session)
