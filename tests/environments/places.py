"""Where the environments under test are made."""

from contextlib import ExitStack
from pathlib import Path

from msgspec import Struct


class Shared(Struct, frozen=True):
    """What tests of one process may share, e.g. a container that takes long to start."""

    folder: Path
    """All folders of all tests lie below its parent."""
    after: ExitStack
    """Closed after the last test."""


class Place(Struct, frozen=True):
    """What a maker is given: folders of this machine, for this test alone, and what is shared."""

    workspace: Path
    state_dir: Path
    home: Path
    """Where `~` should be."""
    shared: Shared
