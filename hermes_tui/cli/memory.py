"""`hermes memory`: show, edit, check and take back what is remembered."""

from typing import Annotated

import typer

from hermes_tui.cli.completion import memory_items

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ItemArgument = Annotated[int, typer.Argument(help="An item's number.", autocompletion=memory_items)]


def _targets(incomplete: str) -> list[str]:
    return [name for name in ("memory", "user") if name.startswith(incomplete)]


@app.command()
def show(as_json: JsonOption = False) -> None:
    """Print what is remembered now, with numbers and doubts."""
    from hermes_tui.cli import memory_commands

    memory_commands.run(memory_commands.show, as_json)


@app.command()
def edit(
    target: Annotated[
        str, typer.Argument(help="memory or user.", autocompletion=_targets)
    ] = "memory",
) -> None:
    """Open a memory file in your editor."""
    from hermes_tui.cli import memory_commands

    memory_commands.run(memory_commands.edit, target)


@app.command()
def history(
    text: Annotated[str, typer.Argument(help="Only items with this in them.")] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1)] = 50,
    as_json: JsonOption = False,
) -> None:
    """List every item ever held, the newest first."""
    from hermes_tui.cli import memory_commands

    memory_commands.run(memory_commands.history, text, limit, as_json)


@app.command()
def why(item: ItemArgument, as_json: JsonOption = False) -> None:
    """Tell where an item comes from, and what became of it."""
    from hermes_tui.cli import memory_commands

    memory_commands.run(memory_commands.why, item, as_json)


@app.command()
def forget(
    item: ItemArgument,
    hard: Annotated[
        bool, typer.Option("--hard", help="From the history and earlier versions as well.")
    ] = False,
) -> None:
    """Take an item out of its file; `restore` brings it back."""
    from hermes_tui.cli import memory_commands

    memory_commands.run(memory_commands.forget, item, hard)


@app.command()
def restore(item: ItemArgument) -> None:
    """Put an item that was archived, superseded or forgotten back."""
    from hermes_tui.cli import memory_commands

    memory_commands.run(memory_commands.restore, item)


@app.command()
def pin(item: ItemArgument) -> None:
    """Keep an item from ever being archived to make room."""
    from hermes_tui.cli import memory_commands

    memory_commands.run(memory_commands.pin, item, True)


@app.command()
def unpin(item: ItemArgument) -> None:
    """Let an item be archived again when room is needed."""
    from hermes_tui.cli import memory_commands

    memory_commands.run(memory_commands.pin, item, False)


@app.command()
def verify(
    items: Annotated[
        list[int] | None,
        typer.Argument(help="Items you know to be true.", autocompletion=memory_items),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List what may be out of date, or mark items as true."""
    from hermes_tui.cli import memory_commands

    memory_commands.run(memory_commands.verify, items or [], as_json)


@app.command()
def conflicts(as_json: JsonOption = False) -> None:
    """List pairs of items that contradict each other."""
    from hermes_tui.cli import memory_commands

    memory_commands.run(memory_commands.list_conflicts, as_json)


@app.command()
def export(
    to: Annotated[str, typer.Argument(help="A file; stdout when not given.")] = "",
) -> None:
    """Write every item ever held as JSON lines."""
    from hermes_tui.cli import memory_commands

    memory_commands.run(memory_commands.export, to)


@app.command()
def preferences(as_json: JsonOption = False) -> None:
    """Print how you like things, and what speaks for it."""
    from hermes_tui.cli import preference_commands

    preference_commands.show(as_json=as_json)


def _preference_keys(incomplete: str) -> list[str]:
    from hermes_tui.memory.preferences import SUGGESTED_KEYS

    return [key for key in SUGGESTED_KEYS if key.startswith(incomplete)]


KeyArgument = Annotated[
    str, typer.Argument(help="E.g. output_format.", autocompletion=_preference_keys)
]


@app.command()
def prefer(
    key: KeyArgument,
    value: Annotated[list[str], typer.Argument(help="E.g. short bullets.")],
) -> None:
    """Say how you like something; it counts from the next session on."""
    from hermes_tui.cli import preference_commands

    preference_commands.prefer(key, " ".join(value))


@app.command()
def unprefer(key: KeyArgument) -> None:
    """Forget how you like something."""
    from hermes_tui.cli import preference_commands

    preference_commands.unprefer(key)
