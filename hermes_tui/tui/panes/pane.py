"""A titled box."""

from textual.containers import Vertical
from textual.content import Content


class Pane(Vertical):
    """Round and dim; heavy and coloured while the keyboard is in it."""

    def entitle(self, title: str, note: str = "") -> None:
        """Set the title and the note at the lower edge; both may be foreign text."""
        self.border_title = Content(title)
        self.border_subtitle = Content(note) if note else None
