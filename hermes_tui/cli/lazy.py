"""The commands of `hermes`, each imported only when it runs."""

from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any, NamedTuple, cast

import typer
from typer.core import TyperGroup
from typer.main import get_command

from hermes_tui.core.errors import ConfigError


class Entry(NamedTuple):
    """A command: the module whose `app` it is, and what `--help` says of it."""

    module: str
    summary: str


COMMANDS: dict[str, Entry] = {
    "run": Entry("hermes_tui.cli.run", "Answer one prompt and exit."),
    "sessions": Entry("hermes_tui.cli.sessions", "List, show, search and export conversations."),
    "memory": Entry("hermes_tui.cli.memory", "Show, mend and take back what is remembered."),
    "skills": Entry("hermes_tui.cli.skills", "Find, write, take back and judge skills."),
    "import": Entry("hermes_tui.cli.import_", "Take over what another program keeps."),
    "model": Entry("hermes_tui.cli.model", "List models, or choose the one to use."),
    "env": Entry("hermes_tui.cli.env", "List, test, use and clean up execution environments."),
    "config": Entry("hermes_tui.cli.config", "Show and change settings."),
    "setup": Entry("hermes_tui.cli.setup", "Choose a provider and model, and store its key."),
    "doctor": Entry("hermes_tui.cli.doctor", "Check that everything Hermes needs is in place."),
    "completion": Entry("hermes_tui.cli.completion", "Print a script that completes commands."),
}


class LazyGroup(TyperGroup):
    """Knows every command's name and summary, and imports the one that is called."""

    # Typer's Context is not public in all its versions, hence Any.
    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        app = cast("typer.Typer", import_module(entry.module).app)
        command = get_command(app)
        command.name = cmd_name
        return command

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, as_command(args, value_options(self.params)))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in COMMANDS and not ctx.resilient_parsing:
            raise unknown_command(args)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])


def as_command(args: Sequence[str], with_value: frozenset[str]) -> list[str]:
    """`args` with `run` put first when the first word is a prompt: empty or with white space."""
    position = 0
    while position < len(args):
        word = args[position]
        if not word.startswith("-") or word == "-":
            break
        if is_prompt(word) and "=" not in word.split()[0]:
            # A prompt that begins with a dash would be read as options.
            return ["run", *args[:position], *args[position + 1 :], "--", word]
        position += 2 if word in with_value else 1
    if position < len(args) and is_prompt(args[position]):
        return ["run", *args]
    return list(args)


def is_prompt(word: str) -> bool:
    """Whether a first word is meant for the model: no command is empty or has white space."""
    return not word or any(character.isspace() for character in word)


def value_options(params: Sequence[Any]) -> frozenset[str]:
    """The options among `params` that are followed by a value."""
    return frozenset(
        option
        for param in params
        if param.param_type_name == "option" and not param.is_flag
        for option in param.opts
    )


def unknown_command(args: Sequence[str]) -> ConfigError:
    """What to say of a first word that is neither a command nor a prompt."""
    word = args[0]
    if close := get_close_matches(word, COMMANDS, n=1, cutoff=0.6):
        hint = f"Did you mean {close[0]!r}?"
    elif len(args) > 1:
        hint = "Put a prompt into quotes, or see `hermes --help` for the commands."
    else:
        hint = f"Send it as a prompt with `hermes run {word}`, or see `hermes --help`."
    return ConfigError(f"There is no command {word!r}.", hint=hint)
