"""Whether settings name what is there; for the screen's own, Textual is loaded if some are set."""

from hermes_tui.config.check import nearest
from hermes_tui.config.keys import Key, dotted
from hermes_tui.config.load import Loaded
from hermes_tui.config.schema import Config
from hermes_tui.core.errors import ConfigError, HermesError
from hermes_tui.runtime.named_settings import located, problem_with


def wrong_names(loaded: Loaded) -> list[HermesError]:
    """What is wrong with what somebody set, each with its place."""
    found = [(wrong_name(key, loaded.config), origin) for key, origin in loaded.origins.items()]
    return [located(error, origin) for error, origin in found if error]


def wrong_name(key: Key, config: Config) -> ConfigError | None:
    """What is wrong with what the setting at `key` names, if anything."""
    match key:
        case ("tui", "keys", name):
            from hermes_tui.tui.registry import COMMANDS

            ids = [command.id for command in COMMANDS if command.is_rebindable]
            return _not_on_screen(key, "command", name, ids)
        case ("tui", "theme") if config.tui.theme is not None:
            from hermes_tui.tui.themes import theme_names

            return _not_on_screen(key, "theme", config.tui.theme, theme_names())
        case _:
            return problem_with(key, config)


def _not_on_screen(key: Key, what: str, name: str, known: list[str]) -> ConfigError | None:
    if name in known:
        return None
    return ConfigError(
        f"{dotted(key)!r} names no {what} of the screen.",
        hint=nearest(name, key[:-1], tuple(known)),
    )
