"""One line of `hermes doctor`."""

from typing import Literal, Self

from msgspec import Struct

from hermes_tui.core.errors import HermesError


class Finding(Struct, frozen=True):
    """Something that was looked at, and how it is."""

    name: str
    state: Literal["ok", "warning", "failure"]
    """A warning leaves something out; a failure keeps Hermes from working."""
    detail: str
    hint: str = ""

    @classmethod
    def of(cls, name: str, error: HermesError, *, hint: str = "") -> Self:
        return cls(name, "failure", error.message, hint or error.hint)
