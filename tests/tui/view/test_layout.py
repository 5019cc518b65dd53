from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hermes_tui.tui.view.layout import Layout

HEIGHTS = st.integers(0, 30)


class Pages(RuleBasedStateMachine):
    """A layout beside the plain list of heights it stands for."""

    def __init__(self) -> None:
        super().__init__()
        self.layout = Layout()
        self.heights: list[int | None] = []

    @rule(count=st.integers(0, 40), data=st.data())
    def reset(self, count: int, data: st.DataObject) -> None:
        self.layout.reset(count, data.draw(st.integers(0, count)))
        self.heights = [None] * count

    @rule()
    def append(self) -> None:
        assert self.layout.append() == len(self.heights)
        self.heights.append(None)

    @precondition(lambda self: self.heights)
    @rule(height=HEIGHTS, data=st.data())
    def measure(self, height: int, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(self.heights) - 1))
        before = self.layout.height
        grown = self.layout.measure(index, height)
        assert self.layout.height == before + grown
        self.heights[index] = height

    @rule(data=st.data())
    def place(self, data: st.DataObject) -> None:
        self.layout.place(data.draw(st.integers(0, len(self.heights))))

    @rule()
    def extend(self) -> None:
        first, last = self.layout.first, self.layout.last
        above = below = 0
        while first - above > 0 and self.heights[first - above - 1] is not None:
            above += 1
        while last + below < len(self.heights) and self.heights[last + below] is not None:
            below += 1
        added = self.layout.extend(above=above, below=below)
        assert added == sum(height or 0 for height in self.heights[first - above : first])

    @invariant()
    def every_line_belongs_to_one_block(self) -> None:
        layout = self.layout
        lines = [
            (index, line)
            for index in range(layout.first, layout.last)
            for line in range(self.heights[index] or 0)
        ]
        assert [layout.locate(line) for line in range(layout.height)] == lines
        assert layout.locate(-1) is None
        assert layout.locate(layout.height) is None
        for index in range(layout.first, layout.last):
            assert layout.top(index) == sum(h or 0 for h in self.heights[layout.first : index])


TestPages = Pages.TestCase
