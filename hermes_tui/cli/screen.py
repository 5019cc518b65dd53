"""Opening the screen, in a child process whose parent looks after the terminal."""

import gc
import sys
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from hermes_tui.cli.launcher import supervise

if TYPE_CHECKING:
    from hermes_tui.core.ports import Human
    from hermes_tui.runtime.runtime import Runtime


def open_screen(
    *,
    model: str = "",
    environment: str | None = None,
    cwd: str = "",
    mode: str = "",
    yes: bool = False,
    resume: str = "",
    continues: bool = False,
) -> int:
    """Show the screen until it is left; returns the exit code.

    Options are as on the command line; empty ones were not given. What the screen
    does not need to paint is imported after its first paint, in the child, so that
    the parent stays small.

    Raises:
        ConfigError: there is no terminal.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        from hermes_tui.core.errors import ConfigError

        raise ConfigError(
            "The screen needs a terminal.",
            hint='Use `hermes run "…"` to answer one prompt without it.',
        )

    def opened(human: "Human") -> "AbstractAsyncContextManager[Runtime]":
        from hermes_tui.cli.options import overrides
        from hermes_tui.runtime.runtime import open_runtime

        given = overrides(model=model, environment=environment, cwd=cwd, mode=mode, yes=yes)
        return open_runtime(human=human, source="screen", overrides=given)

    def child() -> int:
        from hermes_tui.cli.diagnostics import guarded

        # What comes before the first paint lives as long as the screen, which collects again.
        gc.disable()
        with guarded():
            from hermes_tui.tui.app import run_app

            return run_app(opened, resume=resume or None, continues=continues)
        return 1

    return supervise(child)
