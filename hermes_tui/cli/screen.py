"""Opening the screen, in a child process whose parent looks after the terminal."""

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from hermes_tui.cli.launcher import supervise

if TYPE_CHECKING:
    from hermes_tui.core.ports import Human
    from hermes_tui.runtime.runtime import Overrides, Runtime


def open_screen(
    *, model: str, environment: str, cwd: str, mode: str, yes: bool, resume: str, continues: bool
) -> int:
    """Show the screen until it is left; returns the exit code.

    Options are as on the command line; empty ones were not given. Everything heavy
    is imported in the child, so that the parent stays small.
    """

    def child() -> int:
        from hermes_tui.cli.diagnostics import guarded
        from hermes_tui.cli.options import overrides

        with guarded():
            given = overrides(model=model, environment=environment, cwd=cwd, mode=mode, yes=yes)
            return _show(given, resume=resume, continues=continues)
        return 1

    return supervise(child)


def _show(given: "Overrides", *, resume: str, continues: bool) -> int:
    from hermes_tui.runtime.runtime import open_runtime
    from hermes_tui.tui.app import run_app

    def opened(human: "Human") -> "AbstractAsyncContextManager[Runtime]":
        return open_runtime(human=human, source="screen", overrides=given)

    return run_app(opened, resume=resume or None, continues=continues)
