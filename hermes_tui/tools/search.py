"""`search_files` and `list_files`: one shell script each, so they work wherever commands run."""

import re
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from hermes_tui.core.errors import ToolError
from hermes_tui.safety.risk import FOLDERS_OF_SECRETS, Assessment, assess_read, worst
from hermes_tui.tools.registry import Say, Tool
from hermes_tui.tools.workplace import Workplace, quoted_path

HIDDEN = (".env", ".env.*", *FOLDERS_OF_SECRETS)
"""Where credentials are; they are not searched."""
SKIPPED_FOLDERS = (".git", "node_modules", ".venv", "__pycache__", ".hg", ".svn")

# ripgrep where it is installed (it honours .gitignore); grep is everywhere, but the one of
# busybox has no --exclude, and takes every file for text.
SEARCH = """\
{{ if command -v rg >/dev/null 2>&1; then
  rg --no-config -nH --no-heading --color never --max-columns 400 --sort path {rg_glob} \\
    -e {pattern} -- {path}
elif printf x | grep -q --exclude=y x 2>/dev/null; then
  grep -rnIEH --color=never {grep_glob} -e {pattern} -- {path}
else
  find -H {path} \\( {pruned} \\) -prune -o -type f {find_glob} \\
    -exec grep -nEH -e {pattern} -- {{}} + | tr -d '\\000'
fi; }} 2>&1 | awk -v n={limit} 'NR<=n {{print substr($0, 1, 500)}} END {{print NR}}'
"""

MATCH = re.compile(r".+?:\d+:")
"""What a found line begins with; anything else is the program complaining."""

# GNU and busybox stat take -c; BSD and macOS take -f.
LIST = """\
[ -e {path} ] || {{ echo missing; exit; }}
if stat -c %s / >/dev/null 2>&1; then f='-c %s %Y %n'; else f='-f %z %m %N'; fi
find -H {path} {depth} \\( {pruned} \\) -prune -o -type f {name} \\
  -exec stat "${{f%% *}}" "${{f#* }}" {{}} + 2>/dev/null \\
  | sort {order} | awk -v n={limit} 'NR<=n {{print}} END {{print NR}}'
"""

ORDERS = {"name": "-k3", "size": "-k1,1nr -k3", "modified": "-k2,2nr -k3"}


class SearchFilesArgs(Struct, frozen=True):
    """Search file contents with a regular expression. Lists `path:line:text`."""

    pattern: str
    path: str = "."
    glob: Annotated[str, Meta(description="only files named like this, e.g. *.py")] = ""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class ListFilesArgs(Struct, frozen=True):
    """List files below a folder with size and date, skipping .git and the like."""

    path: str = "."
    pattern: Annotated[str, Meta(description="file name pattern, e.g. *.py")] = ""
    sort: Literal["name", "size", "modified"] = "name"
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    depth: Annotated[int, Meta(ge=1, description="1 = this folder only")] | None = None


def search_files_tool(workplace: Workplace) -> Tool[SearchFilesArgs]:
    async def run(args: SearchFilesArgs, say: Say) -> str:
        del say
        if not args.pattern:
            raise ToolError("The pattern is empty.", hint="Say what to search for.")
        script = SEARCH.format(
            pattern=shlex.quote(args.pattern),
            path=quoted_path(args.path),
            limit=args.limit,
            rg_glob=_rg_globs(args.glob),
            grep_glob=_grep_globs(args.glob),
            find_glob=f"-name {shlex.quote(args.glob)}" if args.glob else "",
            pruned=_named((*SKIPPED_FOLDERS, *HIDDEN)),
        )
        lines, total = _counted((await workplace.query(script)).output.text)
        if lines and not any(MATCH.match(line) for line in lines):
            said = " ".join(" ".join(lines).split())
            raise ToolError(f"{said}.", hint="Correct the pattern or the path.")
        if not lines:
            return f"Nothing matches {args.pattern!r} in {args.path}."
        return "\n".join(lines) + _rest(len(lines), total, "matches")

    async def assess(args: SearchFilesArgs) -> Assessment:
        searched = await workplace.assess_search(args.path)
        return worst(searched, assess_read(args.glob, cwd="/", home="/"))

    return Tool(
        "search_files", SearchFilesArgs, run, assess=assess,
        parallel_safe=True, where=lambda _: workplace.spot(),
    )  # fmt: skip


def list_files_tool(workplace: Workplace) -> Tool[ListFilesArgs]:
    async def run(args: ListFilesArgs, say: Say) -> str:
        del say
        script = LIST.format(
            path=quoted_path(args.path),
            depth=f"-maxdepth {args.depth}" if args.depth else "",
            pruned=_named(SKIPPED_FOLDERS),
            name=f"-name {shlex.quote(args.pattern)}" if args.pattern else "",
            order=ORDERS[args.sort],
            limit=args.limit,
        )
        lines, total = _counted((await workplace.query(script)).output.text)
        if lines == ["missing"] or total is None:
            raise ToolError(f"There is no {args.path!r}.", hint="List the folder above it.")
        if not lines:
            return f"No files{f' like {args.pattern}' if args.pattern else ''} in {args.path}."
        rows = [row for line in lines if (row := _row(line))]
        return "\n".join(rows) + _rest(len(lines), total, "files")

    return Tool(
        "list_files", ListFilesArgs, run,
        assess=lambda args: workplace.assess_read(args.path),
        parallel_safe=True, where=lambda _: workplace.spot(),
    )  # fmt: skip


def _rg_globs(wanted: str) -> str:
    """Globs for ripgrep, where the last one that fits counts: credentials stay out."""
    globs = [*([wanted] if wanted else []), *(f"!{name}" for name in HIDDEN)]
    return " ".join(f"-g {shlex.quote(glob)}" for glob in globs)


def _grep_globs(wanted: str) -> str:
    """The same for grep, where the last one that fits counts too."""
    names = [shlex.quote(name) for name in HIDDEN]
    return " ".join(
        (
            *([f"--include={shlex.quote(wanted)}"] if wanted else []),
            *(f"--exclude={name}" for name in names),
            *(f"--exclude-dir={name}" for name in (*SKIPPED_FOLDERS, *names)),
        )
    )


def _named(names: Sequence[str]) -> str:
    """What `find` takes for files and folders of these names."""
    return " -o ".join(f"-name {shlex.quote(name)}" for name in names)


def _counted(text: str) -> tuple[list[str], int | None]:
    """The lines of a script's output, and the total it printed last, if it got so far."""
    *lines, last = text.rstrip("\n").split("\n")
    return (lines, int(last)) if last.isdigit() else ([*lines, last], None)


def _rest(shown: int, total: int | None, what: str) -> str:
    if total is None or total <= shown:
        return ""
    return f"\n[{shown:,} of {total:,} {what}; narrow the search or raise limit.]"


def _row(line: str) -> str:
    """A line of `stat` for people; empty for the rest of a name that has a line break in it."""
    size, _, rest = line.partition(" ")
    seconds, _, name = rest.partition(" ")
    if not (size.isdigit() and seconds.isdigit() and name):
        return ""
    when = datetime.fromtimestamp(int(seconds), UTC)
    return f"{int(size):>12,}  {when:%Y-%m-%d %H:%M}  {name.removeprefix('./')}"
