"""The blocks of a transcript, drawn as far as they are looked at."""

from collections import OrderedDict
from collections.abc import Iterable

from msgspec.structs import replace
from textual.strip import Strip

from hermes_tui.tui.render.code import plain
from hermes_tui.tui.view.blocks import AnswerBlock, Block, Drawing
from hermes_tui.tui.view.history import gap_between
from hermes_tui.tui.view.layout import Layout

CACHED_BLOCKS = 400


class Page:
    """Blocks, their layout at one width, and a cache of their strips.

    Until `draw_as` has been called there is no width, and nothing is drawn.
    """

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.layout = Layout()
        self.drawing: Drawing | None = None
        self.drawn = 0
        """How many times a block was drawn: what layout and scrolling cost."""
        self._cache: OrderedDict[int, tuple[int, list[Strip]]] = OrderedDict()
        self._older = 0
        """Blocks from here on have been measured, or are on the page."""

    @property
    def height(self) -> int:
        return self.layout.height

    @property
    def has_end(self) -> bool:
        """Whether the last block is on the page."""
        return self.layout.last == len(self.blocks)

    def show(self, blocks: Iterable[Block]) -> None:
        """Replace all blocks; the page is empty, at their end."""
        self.blocks = list(blocks)
        self.turn_to(len(self.blocks), forget=True)

    def draw_as(self, drawing: Drawing, *, at: int | None = None) -> None:
        """Draw at another width or in other colours; the page is empty, before block `at`."""
        self.drawing = drawing
        self.turn_to(len(self.blocks) if at is None else at, forget=True)

    def turn_to(self, index: int, *, forget: bool = False) -> None:
        """Empty the page and put it before block `index`; known heights stay known."""
        if forget:
            self._cache.clear()
            self.layout.reset(len(self.blocks), index)
        else:
            self.layout.place(index)
        self._older = index

    def add(self, block: Block) -> int:
        """Append a block; it is on the page if the one above is. Returns the lines it has."""
        above = self.blocks[-1] if self.blocks else None
        at_end = self.has_end
        block.gap = gap_between(above, block)
        self.blocks.append(block)
        index = self.layout.append()
        if self.drawing is None:
            return 0
        height = len(self.strips(index))
        self.layout.measure(index, height)
        if at_end:
            self.layout.extend(below=1)
        return height

    def update(self, index: int) -> int:
        """Draw a block again that has changed; returns by how many lines it grew."""
        if self.drawing is None:
            return 0
        before = self.layout.known(index) or 0
        height = len(self.strips(index))
        self.layout.measure(index, height)
        return height - before

    def changed_from(self, index: int) -> int:
        """The first line of the page that the latest drawing of a block may have changed."""
        block = self.blocks[index]
        start = self.layout.top(index)
        return start + block.gap + block.changed_from if isinstance(block, AnswerBlock) else start

    def fill_above(self, lines: int) -> int:
        """Take at least so many lines onto the page from above, as far as there are any."""
        index, added = self.layout.first, 0
        while index > 0 and (added < lines or self.layout.known(index - 1) is not None):
            index -= 1
            added += self.measure(index)
        return self.layout.extend(above=self.layout.first - index)

    def fill_below(self, lines: int) -> None:
        """Take at least so many lines onto the page from below, as far as there are any."""
        index, added = self.layout.last, 0
        while index < len(self.blocks) and (added < lines or self.layout.known(index) is not None):
            added += self.measure(index)
            index += 1
        self.layout.extend(below=index - self.layout.last)

    def measure_older(self) -> bool:
        """Measure one more block above the page; False when all are known."""
        self._older = min(self._older, self.layout.first)
        while self._older > 0:
            self._older -= 1
            if self.layout.known(self._older) is None:
                self.measure(self._older)
                return True
        return False

    def measure(self, index: int) -> int:
        """The height of a block, drawn without syntax colours and not kept if it is unknown."""
        height = self.layout.known(index)
        if height is None and self.drawing is not None:
            self.drawn += 1
            height = len(self.blocks[index].strips(replace(self.drawing, code=plain)))
            self.layout.measure(index, height)
        return height or 0

    def strips(self, index: int) -> list[Strip]:
        """The lines of a block, from the cache if it has not changed since."""
        block = self.blocks[index]
        cached = self._cache.get(index)
        if cached is not None and cached[0] == block.version:
            self._cache.move_to_end(index)
            return cached[1]
        assert self.drawing is not None
        self.drawn += 1
        strips = block.strips(self.drawing)
        self._cache[index] = (block.version, strips)
        self._cache.move_to_end(index)
        if len(self._cache) > CACHED_BLOCKS:
            self._cache.popitem(last=False)
        return strips

    def line(self, line: int) -> Strip | None:
        """One line of the page; None below its end."""
        found = self.layout.locate(line)
        if found is None:
            return None
        index, offset = found
        return self.strips(index)[offset]
