"""The memory files and how full they are."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from hermes_tui.tui.panes.pane import Pane
from hermes_tui.tui.ports import MemoryFile
from hermes_tui.tui.text import meter


class MemoryPane(Pane):
    """One line and one meter per file; enter shows the text."""

    class Opened(Message):
        """A file is to be shown."""

        def __init__(self, file: MemoryFile) -> None:
            super().__init__()
            self.file = file

    def __init__(self) -> None:
        super().__init__(id="memory")
        self._list = OptionList(markup=False)
        self._files: Sequence[MemoryFile] = ()

    def compose(self) -> ComposeResult:
        self.entitle("Memory")
        yield self._list

    def show(self, files: Sequence[MemoryFile]) -> None:
        self._files = files
        marked = self._list
        kept = marked.highlighted
        marked.set_options(Option(_lines(file)) for file in files)
        marked.highlighted = kept if kept is not None and kept < len(files) else None

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.post_message(self.Opened(self._files[event.option_index]))


def _lines(file: MemoryFile) -> Content:
    share = file.size / file.limit if file.limit else 0.0
    return Content.assemble(
        f"{file.name:<11}",
        (f"{file.size:>5}/{file.limit} ", "$muted"),
        meter(share, 8),
    )
