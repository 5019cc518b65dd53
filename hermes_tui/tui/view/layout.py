"""Which blocks are on the page and at which line; integers only, no drawing.

Blocks are many, and the height of one is known only once it has been drawn. So
the page holds a run of neighbouring blocks whose heights are all known, and grows
at either end as the reader comes near it. No height is ever guessed.
"""

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate


class Layout:
    """Heights of all blocks, in lines, and the run `first` to `last` that is on the page."""

    def __init__(self) -> None:
        self.first = 0
        self.last = 0
        """One past the last block on the page."""
        self._heights: list[int | None] = []
        self._tops: list[int] = [0]
        """The line each block on the page starts at, and the line after the last one."""

    def __len__(self) -> int:
        return len(self._heights)

    @property
    def height(self) -> int:
        """Lines on the page."""
        return self._tops[-1]

    def reset(self, count: int, at: int) -> None:
        """Forget all heights; the page is empty, before block `at` of `count`."""
        self._heights = [None] * count
        self.first = self.last = at
        self._tops = [0]

    def place(self, at: int) -> None:
        """Empty the page and put it before block `at`; heights stay known."""
        self.first = self.last = at
        self._tops = [0]

    def append(self) -> int:
        """One more block, of unknown height; returns its index."""
        self._heights.append(None)
        return len(self._heights) - 1

    def known(self, index: int) -> int | None:
        return self._heights[index]

    def is_on_page(self, index: int) -> bool:
        return self.first <= index < self.last

    def measure(self, index: int, height: int) -> int:
        """Note a height; returns by how many lines the page grew."""
        before, self._heights[index] = self._heights[index], height
        if not self.is_on_page(index):
            return 0
        grown = height - (before or 0)
        if grown:
            self._retop(index)
        return grown

    def extend(self, *, above: int = 0, below: int = 0) -> int:
        """Take measured blocks onto the page; returns the lines added above."""
        first, last = self.first - above, self.last + below
        added = sum(self._checked(range(first, self.first)))
        self.first, self.last = first, last
        self._tops = [0]
        self._retop(first)
        return added

    def top(self, index: int) -> int:
        """The line at which a block on the page starts."""
        return self._tops[index - self.first]

    def locate(self, line: int) -> tuple[int, int] | None:
        """The block at a line of the page, and the line within it."""
        if not 0 <= line < self.height:
            return None
        place = bisect_right(self._tops, line) - 1
        return self.first + place, line - self._tops[place]

    def _retop(self, index: int) -> None:
        """Add up again from block `index` on."""
        start = index - self.first
        heights = self._checked(range(index, self.last))
        self._tops[start:] = accumulate(heights, initial=self._tops[start] if start else 0)

    def _checked(self, indices: Iterable[int]) -> list[int]:
        heights = [self._heights[index] for index in indices]
        known = [height for height in heights if height is not None]
        assert len(known) == len(heights), "only measured blocks go onto the page"
        return known
