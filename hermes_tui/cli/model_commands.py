"""What `hermes model` does."""

import os
import sys

import anyio
import msgspec

from hermes_tui.cli.diagnostics import Ink, say
from hermes_tui.config.edit import set_value
from hermes_tui.config.load import load_config
from hermes_tui.config.paths import find_paths, shown
from hermes_tui.config.secrets import load_secrets
from hermes_tui.runtime.models import build_model, current_model_name, model_choices, served_here
from hermes_tui.safety.terminal_text import visible


def choose(name: str) -> None:
    """Make `name` the default model, if it can be built with what is configured.

    Raises:
        ConfigError: there is no such provider, or the configuration cannot be written.
        ModelAuthError: it needs a key that is not there.
    """
    paths = find_paths(os.environ)
    config = load_config(paths, environ=os.environ)
    build_model(name, config=config, secrets=load_secrets(paths, os.environ, config))
    paths.create()
    set_value(paths, ("model",), name)
    say(f"{name} answers from now on; {shown(paths.config_file)} says so.")


def list_models(*, show_all: bool, as_json: bool) -> None:
    """Print the models that can answer now, those on this machine included."""
    paths = find_paths(os.environ)
    config = load_config(paths, environ=os.environ)
    secrets = load_secrets(paths, os.environ, config)
    choices = [
        *anyio.run(served_here),
        *model_choices(secrets, config),
    ]
    shown_choices = [choice for choice in choices if show_all or choice.is_ready]
    if as_json:
        sys.stdout.write(msgspec.json.encode(shown_choices).decode() + "\n")
        return
    ink = Ink(sys.stdout)
    current = current_model_name(config, secrets)
    width = max(len(choice.name) for choice in shown_choices)
    for choice in shown_choices:
        mark = ink.accent("▶") if choice.name == current else " "
        name = visible(choice.name).ljust(width)
        sys.stdout.write(f"{mark} {name}  {ink.dim(visible(choice.summary))}\n")
    hidden = len(choices) - len(shown_choices)
    more = f" {hidden} more are not ready: `hermes model --all`." if hidden else ""
    say(f"Any other works too: provider/model.{more} Choose with `hermes model NAME`.")
