"""`hermes sessions`: list, show, search, export, import, rename and delete conversations."""

from enum import StrEnum
from typing import Annotated

import typer

from hermes_tui.cli.completion import session_ids

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)


class RoleName(StrEnum):
    """Who said something."""

    user = "user"
    assistant = "assistant"
    tool = "tool"


JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SessionArgument = Annotated[
    str, typer.Argument(help="Its id, or how the id begins.", autocompletion=session_ids)
]


@app.command("list")
def list_(
    text: Annotated[str, typer.Argument(help="Only those with this in title, id or folder.")] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1)] = 20,
    archived: Annotated[bool, typer.Option("--archived", help="Those put away for age.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List sessions, the last used first."""
    from hermes_tui.cli import session_commands

    session_commands.run(session_commands.list_sessions, text, limit, as_json, archived)


@app.command()
def show(session: SessionArgument, as_json: JsonOption = False) -> None:
    """Print a conversation."""
    from hermes_tui.cli import session_commands

    session_commands.run(session_commands.show, session, as_json)


@app.command()
def search(
    query: Annotated[
        list[str],
        typer.Argument(help='Words, "exact phrases", begin*, and dates such as "last Tuesday".'),
    ],
    role: Annotated[
        RoleName | None, typer.Option(help="Only what one of them said: user, assistant or tool.")
    ] = None,
    project: Annotated[
        str, typer.Option(help="Only sessions begun in this folder: a path, or a name.")
    ] = "",
    since: Annotated[str, typer.Option(help="A date; that day counts.")] = "",
    until: Annotated[str, typer.Option(help="A date; that day counts.")] = "",
    session: Annotated[
        str, typer.Option(help="Only in this one.", autocompletion=session_ids)
    ] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1)] = 10,
    as_json: JsonOption = False,
) -> None:
    """Search everything ever said."""
    from hermes_tui.cli import session_commands, session_finding

    session_commands.run(
        session_finding.search,
        " ".join(query),
        limit=limit,
        as_json=as_json,
        role=role.value if role else None,
        project=project,
        since=since,
        until=until,
        session=session,
    )


@app.command()
def export(
    session: Annotated[
        str,
        typer.Argument(
            help="Its id, or how the id begins; all when not given.", autocompletion=session_ids
        ),
    ] = "",
    to: Annotated[str, typer.Option("--to", "-o", help="A file; stdout when not given.")] = "",
    markdown: Annotated[bool, typer.Option(help="Markdown rather than JSON lines.")] = False,
) -> None:
    """Write conversations to a file, one message a line; `import` reads it back."""
    from hermes_tui.cli import session_commands, session_transfer

    session_commands.run(session_transfer.export, session, to, markdown)


@app.command("import")
def import_(
    file: Annotated[
        str, typer.Argument(help="JSON lines of messages, or ShareGPT or OpenAI conversations.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Take in conversations from a file; what is here already is not taken twice."""
    from hermes_tui.cli import session_commands, session_transfer

    session_commands.run(session_transfer.import_, file, as_json)


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
def restore(
    session: Annotated[str, typer.Argument(help="Its id, or how the id begins.")],
) -> None:
    """Bring back a deleted or archived session."""
    from hermes_tui.cli import session_commands

    session_commands.run(session_commands.restore, session)
