"""`read_file`, `write_file` and `edit_file`, in whatever environment is active."""

import itertools
from pathlib import Path
from typing import Annotated

import anyio.to_thread
from msgspec import Meta, Struct

from hermes_tui.core.environment import Environment
from hermes_tui.core.errors import ToolError
from hermes_tui.core.messages import Diff
from hermes_tui.safety.risk import Assessment
from hermes_tui.tools.edit import diff_of, replaced
from hermes_tui.tools.output import REFERENCE, OutputShelf
from hermes_tui.tools.registry import HARMLESS, Outcome, Say, Tool
from hermes_tui.tools.workplace import Workplace, quoted_path

MAX_FILE_BYTES = 10_000_000
DEFAULT_LINES = 1_000


class ReadFileArgs(Struct, frozen=True):
    """Read a text file, or a stored tool output by its `output:ID`."""

    path: str
    offset: Annotated[int, Meta(ge=1, description="first line, from 1")] = 1
    limit: Annotated[int, Meta(ge=1, description="number of lines")] = DEFAULT_LINES


class WriteFileArgs(Struct, frozen=True):
    """Write a whole file; folders are created. To change part of a file use edit_file."""

    path: str
    content: str


class EditFileArgs(Struct, frozen=True):
    """Replace text in a file. `old` must fit one place only (white space may differ a little)."""

    path: str
    old: str
    new: str
    replace_all: bool = False


def file_tools(
    workplace: Workplace, shelf: OutputShelf
) -> tuple[Tool[ReadFileArgs], Tool[WriteFileArgs], Tool[EditFileArgs]]:
    async def read(args: ReadFileArgs, say: Say) -> str:
        del say
        if kept := shelf.find(args.path):
            return await anyio.to_thread.run_sync(_kept_page, kept, args, shelf.limit)
        data = await _bytes_of(workplace.environment, args.path)
        return _page(data.decode("utf-8", "replace"), args)

    async def write(args: WriteFileArgs, say: Say) -> Outcome:
        del say
        before = await _text_before(workplace, args.path)
        await workplace.environment.write_file(args.path, _encoded(args.content))
        lines = len(args.content.splitlines())
        written = f"{args.path} ({lines} line{'' if lines == 1 else 's'})."
        if before is None:
            return Outcome(f"Replaced {written} What it held was no text, or too much to compare.")
        told = f"{'Replaced' if before.is_there else 'Created'} {written}"
        return Outcome(told, display=await _diff(args.path, before.text, args.content))

    async def edit(args: EditFileArgs, say: Say) -> Outcome:
        del say
        data = await _bytes_of(workplace.environment, args.path)
        before = data.decode("utf-8", "surrogateescape")
        after = await anyio.to_thread.run_sync(
            lambda: replaced(before, args.old, args.new, everywhere=args.replace_all)
        )
        if after == before:
            raise ToolError("The edit changes nothing.", hint="`old` and `new` are the same.")
        await workplace.environment.write_file(args.path, _encoded(after))
        diff = await _diff(args.path, _shown(before), _shown(after))
        return Outcome(f"Edited {args.path}.\n{diff.unified}", display=diff)

    async def assess_read(args: ReadFileArgs) -> Assessment:
        return HARMLESS if REFERENCE.match(args.path) else await workplace.assess_read(args.path)

    return (
        Tool(
            "read_file", ReadFileArgs, read,
            assess=assess_read, parallel_safe=True, where=lambda _: workplace.spot(),
            describe=_reading,
        ),
        Tool(
            "write_file", WriteFileArgs, write,
            assess=lambda args: workplace.assess_write(args.path), where=lambda _: workplace.spot(),
            describe=_writing,
        ),
        Tool(
            "edit_file", EditFileArgs, edit,
            assess=lambda args: workplace.assess_write(args.path), where=lambda _: workplace.spot(),
            describe=_editing,
        ),
    )  # fmt: skip


async def _diff(path: str, before: str, after: str) -> Diff:
    return await anyio.to_thread.run_sync(diff_of, path, before, after)


async def _reading(args: ReadFileArgs) -> str:
    return f"read {args.path}"


async def _writing(args: WriteFileArgs) -> str:
    return f"write {args.path}\n\n{args.content}"


async def _editing(args: EditFileArgs) -> str:
    return f"edit {args.path}\n\n{(await _diff(args.path, args.old, args.new)).unified}"


async def _bytes_of(environment: Environment, path: str) -> bytes:
    data = await environment.read_file(path, limit=MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise ToolError(
            f"{path} is larger than {MAX_FILE_BYTES:,} bytes.",
            hint="Use search_files, or the terminal with sed, head or tail.",
        )
    if b"\0" in data[:8192]:
        raise ToolError(
            f"{path} is not text ({len(data):,} bytes).", hint="Use the terminal to inspect it."
        )
    return data


class Before(Struct, frozen=True):
    """What a file held before it was written."""

    is_there: bool
    text: str = ""


async def _text_before(workplace: Workplace, path: str) -> Before | None:
    """None where there is a file that cannot be shown: binary, unreadable or very large."""
    try:
        data = await _bytes_of(workplace.environment, path)
        return Before(is_there=True, text=data.decode("utf-8", "replace"))
    except ToolError:
        looked = await workplace.query(f"[ -e {quoted_path(path)} ]")
        return Before(is_there=False) if looked.exit_code == 1 else None


def _kept_page(path: Path, args: ReadFileArgs, limit_chars: int) -> str:
    """Lines of a stored output, however large it is, short enough to be sent whole."""
    room = limit_chars - 200
    page: list[str] = []
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in itertools.islice(file, args.offset - 1, args.offset - 1 + args.limit):
            if len(line) > room:
                page.append(line[:room] + f" [… {len(line) - room:,} more characters …]\n")
                break
            page.append(line)
            room -= len(line)
    if not page:
        raise ToolError(
            f"{args.path} ends before line {args.offset:,}.", hint="Use a smaller offset."
        )
    return f"{''.join(page).rstrip()}\n[Lines {args.offset:,}-{args.offset + len(page) - 1:,}.]"


def _page(text: str, args: ReadFileArgs) -> str:
    lines = text.splitlines(keepends=True)
    if not lines:
        return "[The file is empty.]"
    if args.offset > len(lines):
        raise ToolError(
            f"{args.path} has {len(lines):,} lines; offset {args.offset:,} is past its end.",
            hint="Pass a smaller offset.",
        )
    page = lines[args.offset - 1 : args.offset - 1 + args.limit]
    last = args.offset - 1 + len(page)
    shown = "".join(page)
    if args.offset == 1 and last == len(lines):
        return shown
    return f"{shown.rstrip()}\n[Lines {args.offset:,}-{last:,} of {len(lines):,}.]"


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _shown(text: str) -> str:
    """Bytes that are no UTF-8 as replacement characters, so that the text can be stored."""
    return _encoded(text).decode("utf-8", "replace")
