"""Output of several places at once: whole lines, each under the name of its place."""

LONGEST_LINE = 8_192
"""Characters kept back for a line that does not end; then it is shown as one."""


class LabelledLines:
    """Makes lines of one place's output, however it is cut into pieces."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._rest = ""

    def take(self, text: str) -> str:
        """The lines that are complete with `text`."""
        *lines, self._rest = (self._rest + text).split("\n")
        shown = "".join(f"{self._label}: {line}\n" for line in lines)
        return shown + self.end() if len(self._rest) > LONGEST_LINE else shown

    def end(self) -> str:
        """What no line end came after, as a line."""
        rest, self._rest = self._rest, ""
        return f"{self._label}: {rest}\n" if rest else ""
