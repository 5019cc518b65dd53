"""Reading and writing files by shell, for environments without anything better."""

from hermes_environments.worker import shell_path
from hermes_tui.core.errors import ToolError

MISSING, IS_FOLDER, DENIED, NOT_REGULAR, FULL = 3, 4, 5, 6, 7
"""Exit codes of the scripts."""

_READ = b"""p=%b
[ -e "$p" ] || exit 3
[ -d "$p" ] && exit 4
[ -f "$p" ] || exit 6
[ -r "$p" ] || exit 5
%b
"""

# Links are followed by hand: busybox's `readlink -f` wants the target to be there.
# The mode of a new file follows the umask, as it does for every other program.
_WRITE = b"""failed() { case $1 in *'No space'*|*'quota exceeded'*) exit 7 ;; esac; exit 5; }
p=%b
n=0
while [ -L "$p" ]; do
  n=$((n + 1)); [ "$n" -le 40 ] || exit 5
  l=$(readlink -- "$p"; printf x); l=${l%%??}
  case $l in /*) p=$l ;; *) d=$(dirname -- "$p"; printf x); p=${d%%??}/$l ;; esac
done
[ -d "$p" ] && exit 4
if [ -e "$p" ] && [ ! -f "$p" ]; then exit 6; fi
d=$(dirname -- "$p"; printf x); d=${d%%??}
e=$(LC_ALL=C mkdir -p -- "$d" 2>&1) || failed "$e"
t=$(LC_ALL=C mktemp "$d/.hermes-XXXXXX" 2>&1) || failed "$t"
trap 'rm -f -- "$t"' EXIT
e=$(LC_ALL=C cat 2>&1 >"$t") || failed "$e"
if [ -f "$p" ]; then m=$(stat -c %%a -- "$p"); else m=$(printf %%o $((0666 & ~$(umask)))); fi
chmod "$m" "$t" && { sync "$t" 2>/dev/null || sync; } && mv -f -- "$t" "$p" || exit 5
"""


def reading(path: str, offset: int, limit: int | None) -> bytes:
    """A script that prints `limit` bytes of the file from byte `offset` on."""
    show = b'cat <"$p"' if offset == 0 else b'tail -c +%d <"$p"' % (offset + 1)
    if limit is not None:
        show = b'head -c %d <"$p"' % limit if offset == 0 else show + b" | head -c %d" % limit
    return _READ % (shell_path(path), show)


def writing(path: str) -> bytes:
    """A script that replaces the file by its stdin, atomically."""
    return _WRITE % shell_path(path)


def failure(path: str, code: int, *, verb: str) -> ToolError:
    """The error for an exit code of the scripts; `verb` is `read` or `written`."""
    fact, hint = _FAILURES.get(code, _FAILURES[DENIED])
    return ToolError(fact.format(path=path, verb=verb), hint=hint)


_FAILURES = {
    MISSING: ("There is no file {path!r}.", "List its folder to see what is there."),
    IS_FOLDER: ("{path!r} is a folder, not a file.", "Name a file inside the folder."),
    NOT_REGULAR: (
        "{path!r} is a device, pipe or socket, not a regular file.",
        "Use a command in the terminal instead.",
    ),
    FULL: (
        "{path!r} could not be {verb}: the disk it is on is full.",
        "Make room by removing what is not needed.",
    ),
    DENIED: (
        "{path!r} may not be {verb}.",
        "Check the permissions of the file and its folder.",
    ),
}
