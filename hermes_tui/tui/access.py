"""Ways around what Textual leaves untyped."""

from textual.app import App
from textual.message_pump import MessagePump


def app_of(node: MessagePump) -> App[object]:
    """The app a screen or widget belongs to."""
    return node.app  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
