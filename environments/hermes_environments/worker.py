"""The one-shot worker: what bash is told, and how its answer is read.

A worker is a fresh bash that reads its script from stdin, takes over the shell state, runs
one command, prints a trailer and exits. The state lives here, in memory, so no command can
break the session by `exit`, `exec`, `set -e` or by being killed.

What a worker prints, M being the byte 0x1e and 32 hex digits nobody can guess:

    M cd-status newline options M exported-names M
    ...the command's output...
    M exit-code M cwd M options M option-commands M exports M functions M aliases M
"""

import re
import secrets
from collections.abc import Mapping
from functools import lru_cache

import msgspec
from msgspec import Struct

from hermes_tui.core.errors import ToolError

EXEC_ID = "HERMES_EXEC_ID"
STATE_LIMIT = 256 * 1024
"""Bytes of shell state kept between commands."""

# `read -N` takes exactly what is meant for us, without a fork; stdin's rest is the command's.
# bash before 4.1 (macOS) has no -N; it refuses the option before reading anything.
_READ = (
    'IFS= LC_ALL=C read -r -N "$hermes_{0}_bytes" hermes_{0} 2>/dev/null ||'
    " IFS= LC_ALL=C read -r -d '' -n \"$hermes_{0}_bytes\" hermes_{0}"
)
# One line, and the command in an `eval` of its own: so bash counts the command's lines from 1.
# Unquoted, too: bash takes 15 s to parse a megabyte of quoted quotes.
BOOTSTRAP = (
    "shopt -s expand_aliases;"
    ' IFS=" " read -r hermes_script_bytes hermes_command_bytes &&'
    f" {{ {_READ.format('script')}; }} && {{ {_READ.format('command')}; }} &&"
    ' { \\eval "$hermes_script"; \\eval "$hermes_run"; }'
)

# Prints `left` and how many processes are. POSIX sh, because images without bash have one too.
# The id is given as an argument, never in this shell's environment, or it would find itself.
SWEEP = r"""
marked() { grep -l "HERMES_EXEC_ID=$1" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3; }
nap() { sleep "$1" 2>/dev/null || sleep 1; }
p=$(marked "$1"); [ -n "$p" ] && kill -TERM $p 2>/dev/null && kill -CONT $p 2>/dev/null
for t in 0.02 0.05 0.1 0.15 0.2; do p=$(marked "$1"); [ -z "$p" ] && break; nap $t; done
for t in 0.01 0.01 0.02 0.05 0.1 0.2 0.4 0.8; do
  p=$(marked "$1"); [ -z "$p" ] && break
  kill -KILL $p 2>/dev/null; nap $t
done
set -- $(marked "$1"); echo "left $#"
"""

# The same, at once and without starting a process: for a place where none can be started.
# Reads what is in /proc by itself; the processes it found count as left.
SWEEP_ALONE = r"""
n=0
for f in /proc/[0-9]*/environ; do
  while IFS= read -r e || [ -n "$e" ]; do
    case $e in
      *"HERMES_EXEC_ID=$1"*) p=${f%/environ}; kill -KILL "${p#/proc/}"; n=$((n + 1)); break ;;
    esac
  done <"$f"
done 2>/dev/null
echo "left $n"
"""
LEFT = re.compile(rb"^left (\d+)$", re.MULTILINE)

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_EXPORTED = re.compile(rb"^declare -[A-Za-z]+ ([A-Za-z_][A-Za-z0-9_]*)(?:=|$)", re.MULTILINE)
# These make every later worker useless: one reads no further, the other stops after a line.
_FATAL_OPTIONS = re.compile(rb"^set -o (?:noexec|onecmd)\n?", re.MULTILINE)
_OWN_ID = re.compile(rb"^declare -[A-Za-z]+ HERMES_EXEC_ID(?:=.*)?\n?", re.MULTILINE)


class ShellState(Struct, frozen=True):
    """What one command hands to the next, as commands bash itself printed."""

    cwd: str
    exports: bytes = b""
    is_complete: bool = False
    """`exports` are all there are; otherwise they are in addition to the worker's own."""
    functions: bytes = b""
    aliases: bytes = b""
    options: bytes = b""
    """`shopt` lines, then `set` lines."""
    options_key: bytes = b""
    """$BASHOPTS:$SHELLOPTS, equal exactly when the options are."""


class Baseline(Struct, frozen=True):
    """How a worker stands before any state is restored, the same for all of an environment."""

    options_key: bytes = b""
    names: bytes = b""
    """Exported names, one per line."""


class Header(Struct, frozen=True):
    """What the worker says before it runs the command."""

    is_in_cwd: bool
    baseline: Baseline


class Trailer(Struct, frozen=True):
    """What the worker says after the command."""

    exit_code: int
    state: ShellState | None
    """None when the command was not to change it."""
    is_state_too_large: bool = False


class Script(Struct, frozen=True, kw_only=True):
    """One command and everything it runs under."""

    command: bytes
    state: ShellState
    baseline: Baseline | None = None
    env: Mapping[str, str] = {}
    """For this command only."""
    cwd: str | None = None
    """Instead of the state's."""
    has_stdin: bool = False
    keeps_state: bool = True

    def render(self, nonce: bytes) -> bytes:
        """What the worker reads before the command's own input."""
        # Both descriptors are pointed at the pipe through each other, so that bash restores
        # them even after the command redirected its own shell with `exec`.
        run = b'\\builtin unset -v hermes_run; %b\\eval "$hermes_command"%b 2>&1 >&2' % (
            assignments(self.env),
            b"" if self.has_stdin else b" </dev/null",
        )
        script = b"".join(
            (
                b"\\builtin unset -v hermes_script_bytes hermes_command_bytes hermes_script\n",
                _header(self.cwd if self.cwd is not None else self.state.cwd, nonce),
                restoring(self.state, self.baseline),
                b"\\builtin trap '\\builtin exit 129' HUP\n",
                b"\\builtin trap '\\builtin exit 130' INT\n",
                b"\\builtin trap '\\builtin exit 143' TERM\n",
                b"\\builtin trap " + quote(self._trailer(nonce)) + b" EXIT\n",
                b"hermes_run=" + quote(run) + b"\n",
            )
        )
        return b"%d %d\n%b%b" % (len(script), len(self.command), script, self.command)

    def _trailer(self, nonce: bytes) -> bytes:
        mark = b"\\036" + nonce
        if not self.keeps_state:
            return b"{ \\builtin printf '" + mark + b"%s" + mark * 7 + b'\' "$?"; } 2>/dev/null'
        say = b"\\builtin printf '" + mark + b"'\n"
        key = b"${BASHOPTS-}:$SHELLOPTS"
        body = b"".join(
            (
                b"\\builtin pwd\n\\builtin printf '" + mark + b"%s" + mark + b'\' "$2"\n',
                b"[[ $2 == " + quote(self.state.options_key) + b" ]] || ",
                b"{ \\builtin shopt -p; \\builtin set +o; ",
                # A substitution runs without it.
                b"[[ :$2: != *:errexit:* ]] || \\builtin printf 'set -o errexit\\n'; }\n",
                say,
                # Each worker has its own; restored, they would hide the new ones.
                b"\\builtin unset -v HERMES_EXEC_ID PWD SHLVL _\n\\builtin declare -px\n",
                say,
                b"\\builtin declare -f\n",
                say,
                b"\\builtin alias -p\n",
                say,
            )
        )
        return b"".join(
            (
                b'{\n\\builtin set -- "$?" "' + key + b'"\n',
                b"\\builtin trap - DEBUG RETURN ERR\n",
                # With a child in the background all is printed at once, although it costs a
                # fork: what the child prints meanwhile must not become state.
                b'if [[ ${!-} ]]; then \\builtin set -- "$1" "$2" "$(\n' + body + b')"\n',
                b"\\builtin printf '" + mark + b"%s" + mark + b'%s\' "$1" "$3"\n',
                b"else \\builtin printf '" + mark + b"%s" + mark + b'\' "$1"\n' + body + b"fi\n",
                b"} 2>/dev/null",
            )
        )


class Transcript:
    """Takes a worker's output apart as it arrives, whatever the chunk borders.

    Holds back at most the bytes that could begin a marker.
    """

    def __init__(self, nonce: bytes, state: ShellState, *, keeps_state: bool = True) -> None:
        self._mark = b"\x1e" + nonce
        self._state = state
        self._keeps_state = keeps_state
        self._held = b""
        self._fields: list[bytes] = []
        self._field = bytearray()
        self._field_bytes = 0
        self._reads_output = False
        self.header: Header | None = None
        self.trailer: Trailer | None = None

    @property
    def is_over(self) -> bool:
        """Nothing that follows matters: there is a trailer, or the command will not run."""
        return self.trailer is not None or (self.header is not None and not self.header.is_in_cwd)

    def feed(self, data: bytes) -> bytes:
        """The command's own output within `data`; empty after the trailer."""
        output = b""
        data = self._held + data
        self._held = b""
        while data and self.trailer is None:
            at = data.find(self._mark)
            if at < 0:
                self._held = self._possible_mark(data)
                data = data[: len(data) - len(self._held)]
                return output + self._take(data)
            output += self._take(data[:at])
            data = data[at + len(self._mark) :]
            self._on_mark()
        return output

    def finish(self) -> bytes:
        """The held-back bytes, which turned out to be output: there is no trailer."""
        held, self._held = self._held, b""
        return self._take(held) if self.trailer is None else b""

    def _possible_mark(self, data: bytes) -> bytes:
        # 0x1e occurs in a marker only at its start, so the last one decides.
        at = data.rfind(b"\x1e", max(0, len(data) - len(self._mark) + 1))
        return data[at:] if at >= 0 and self._mark.startswith(data[at:]) else b""

    def _take(self, data: bytes) -> bytes:
        if self._reads_output:
            return data
        self._field_bytes += len(data)
        if self._field_bytes <= STATE_LIMIT:
            self._field += data
        return b""

    def _on_mark(self) -> None:
        if self._reads_output:
            self._reads_output = False
            return
        self._fields.append(bytes(self._field))
        self._field.clear()
        if self.header is not None:
            if len(self._fields) == 7:
                self.trailer = self._read_trailer()
        elif len(self._fields) == 1:
            # What came before the header is none of it: a greeting, a locale warning.
            self._field_bytes = 0
        elif len(self._fields) == 3:
            self.header = _read_header(self._fields[1], self._fields[2])
            self._fields.clear()
            self._field_bytes = 0
            self._reads_output = self.header.is_in_cwd

    def _read_trailer(self) -> Trailer:
        code, cwd, key, options, exports, functions, aliases = self._fields
        exit_code = int(code)
        if not self._keeps_state:
            return Trailer(exit_code, state=None)
        where = cwd.removesuffix(b"\n").decode("utf-8", "surrogateescape") or self._state.cwd
        if self._field_bytes > STATE_LIMIT:
            kept = msgspec.structs.replace(self._state, cwd=where)
            return Trailer(exit_code, state=kept, is_state_too_large=True)
        state = ShellState(
            cwd=where,
            # Declared readonly it cannot be unset; restored, it would blind the sweep.
            exports=_OWN_ID.sub(b"", exports) if b"HERMES_EXEC_ID" in exports else exports,
            is_complete=True,
            functions=functions,
            aliases=aliases,
            options=_FATAL_OPTIONS.sub(b"", options) if options else self._state.options,
            options_key=key,
        )
        return Trailer(exit_code, state=state)


def new_id() -> str:
    """48 random bits, in the environment of every process a worker starts."""
    return secrets.token_hex(6)


def new_nonce() -> bytes:
    return secrets.token_hex(16).encode()


def quote(text: bytes) -> bytes:
    return b"'" + text.replace(b"'", b"'\\''") + b"'"


def encode(text: str) -> bytes:
    """Bytes for the shell; surrogate escapes stand for invalid UTF-8.

    Raises:
        ToolError: it has a NUL byte or is not valid text.
    """
    if "\0" in text:
        raise ToolError(
            "A command, path or variable cannot contain a NUL byte.",
            hint="Write the bytes to a file, or print them with printf '\\0'.",
        )
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise ToolError(
            f"The text has an unpaired surrogate at position {error.start}.",
            hint="Send the character itself instead of half of a \\u escape pair.",
        ) from error


def shell_path(path: str) -> bytes:
    """`path` as one shell word, with a leading `~` standing for the home folder."""
    if path == "~" or path.startswith("~/"):
        return b'"$HOME"' + (quote(encode(path[1:])) if path[1:] else b"")
    return quote(encode(path))


def restoring(state: ShellState, baseline: Baseline | None) -> bytes:
    """Commands that bring a fresh worker to `state`; empty when there is nothing to restore."""
    shopts, sets = b"", b""
    if baseline is None or state.options_key != baseline.options_key:
        shopts, sets = _split_options(state.options)
    names = baseline.names if baseline and state.is_complete else b""
    variables = _restoring_variables(names, state.exports)
    # Function bodies may need extglob to parse; aliases would be expanded in them; and with
    # `set -e` or `set -u` in force the restoring itself could end the worker.
    return b"".join((shopts, variables, state.functions, state.aliases, sets))


def _header(cwd: str, nonce: bytes) -> bytes:
    mark = b"\\036" + nonce
    key = b'"${BASHOPTS-}:$SHELLOPTS"'
    return b"".join(
        (
            b"\\builtin cd -- " + shell_path(cwd) + b" 2>/dev/null || {\n",
            b"\\builtin printf '" + mark + b"1\\n" + mark * 2 + b"'\n\\builtin exit 1\n}\n",
            b"\\builtin printf '" + mark + b"0\\n%s" + mark + b"' " + key + b"\n",
            b"\\builtin compgen -e\n\\builtin printf '" + mark + b"'\n",
            # Where the worker was started means nothing to `cd -`.
            b"\\builtin unset -v OLDPWD\n\\builtin export OLDPWD\n",
        )
    )


def _read_header(status: bytes, names: bytes) -> Header:
    code, _, key = status.partition(b"\n")
    return Header(is_in_cwd=code == b"0", baseline=Baseline(options_key=key, names=names))


def assignments(env: Mapping[str, str]) -> bytes:
    """`A='1' B='2' `, which bash undoes after the command that follows."""
    for name in env:
        if not _NAME.fullmatch(name):
            raise ToolError(
                f"{name!r} cannot be the name of a variable.",
                hint="Use letters, digits and underscores only.",
            )
    return b"".join(
        b"%b=%b " % (name.encode(), quote(encode(value))) for name, value in env.items()
    )


def exporting(variables: Mapping[str, str]) -> bytes:
    """Commands that export `variables`, in the form a worker reports its own."""
    return b"".join(
        b"declare -x %b=%b\n" % (encode(name), quote(encode(value)))
        for name, value in variables.items()
    )


def _split_options(options: bytes) -> tuple[bytes, bytes]:
    at = options.find(b"\nset ") + 1
    return (options[:at], options[at:]) if at else (options, b"")


@lru_cache(maxsize=8)
def _restoring_variables(names: bytes, exports: bytes) -> bytes:
    kept = set(_EXPORTED.findall(exports)) | {b"PWD", b"SHLVL", b"_", EXEC_ID.encode()}
    gone = [name for name in names.split() if name not in kept]
    return (b"\\builtin unset -v " + b" ".join(gone) + b"\n" if gone else b"") + exports
