"""Files of JSON lines, or of one JSON list or object, read entry by entry."""

import re
import shutil
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import msgspec

from hermes_tui.store.import_forms import FormError

MAX_WHOLE_BYTES = 512 * 1024 * 1024
"""A file that is one JSON value is read at once."""


def entries_of(name: str) -> Iterator[tuple[int, Any]]:
    """The line each entry begins in, and the entry; a `FormError` in place of what is no JSON.

    `-` is standard input. Pipes are copied into a temporary file first.

    Raises:
        OSError: it cannot be read.
    """
    with _opened(name) as file:
        first = file.read(3)
        file.seek(3 if first == b"\xef\xbb\xbf" else 0)
        if _is_one_value(file):
            yield from _whole(file.read(MAX_WHOLE_BYTES))
            return
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, _decoded(line)


@contextmanager
def _opened(name: str) -> Generator[IO[bytes], None, None]:
    with ExitStack() as stack:
        file: IO[bytes] = sys.stdin.buffer
        if name != "-":
            file = stack.enter_context(Path(name).expanduser().open("rb"))
        if not file.seekable():
            copy = stack.enter_context(tempfile.TemporaryFile())
            shutil.copyfileobj(file, copy)
            copy.seek(0)
            file = copy
        yield file


def _is_one_value(file: IO[bytes]) -> bool:
    """Whether a file is a JSON list, or an object over several lines, rather than JSON lines."""
    start = file.tell()
    head = b""
    while not head and (line := file.readline()):
        head = line.strip()
    file.seek(start)
    if head.startswith(b"["):
        return True
    return head.startswith(b"{") and isinstance(_decoded(head), FormError) and _is_small(file)


def _is_small(file: IO[bytes]) -> bool:
    """Whether a file parses as one value; one that is too large for that does not count."""
    start = file.tell()
    try:
        return not isinstance(_decoded(file.read(MAX_WHOLE_BYTES)), FormError)
    finally:
        file.seek(start)


def _whole(content: bytes) -> Iterator[tuple[int, Any]]:
    """The elements of a list, or the one value that is no list, with the lines they begin in."""
    elements = _decoded(content, list[msgspec.Raw])
    if isinstance(elements, FormError):
        value = _decoded(content)
        is_bad = isinstance(value, FormError)
        yield _line_of(content, str(value)) if is_bad else 1, value
        return
    line, place = 1, 0
    for element in map(bytes, elements):
        start = content.index(element, place)  # between elements there are commas and blanks only
        line += content.count(b"\n", place, start)
        yield line, _decoded(element)
        line, place = line + element.count(b"\n"), start + len(element)


def _line_of(content: bytes, problem: str) -> int:
    """The line of the byte that msgspec names; the last one where it misses the end."""
    found = re.search(r"\(byte (\d+)\)", problem)
    return content.rstrip().count(b"\n", 0, int(found[1]) if found else len(content)) + 1


def _decoded(content: bytes, kind: Any = Any) -> Any:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return FormError(f"is no JSON: {error}")
