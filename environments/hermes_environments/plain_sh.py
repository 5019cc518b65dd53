"""The worker for places without bash: the same protocol in POSIX sh, e.g. dash or busybox ash.

What sh cannot list it cannot hand on: functions are gone after the command that defined
them, and so is the `readonly` of a variable. All else is as with bash.
"""

import re

from hermes_environments.worker import (
    EXEC_ID,
    Baseline,
    Script,
    ShellState,
    assignments,
    quote,
    shell_path,
)

# Without `read -N`: two lines, script and command, in the escapes of printf's %b.
_DECODE = 'hermes_{0}=$(printf %b "$hermes_{0}"; echo .); hermes_{0}=${{hermes_{0}%.}}'
BOOTSTRAP = (
    "IFS= read -r hermes_script && IFS= read -r hermes_command &&"
    f" {{ {_DECODE.format('script')}; {_DECODE.format('command')};"
    ' eval "$hermes_script"; eval "$hermes_run"; }'
)

# One assignment, however many lines its value has: sh prints values in quotes of both kinds.
_ENTRY = re.compile(rb"(?:'[^']*'|\"[^\"]*\"|[^'\"\n])+")
_EXPORT = re.compile(rb"(?:export|declare -x) ([A-Za-z_][A-Za-z0-9_]*)")
_SWITCHED_ON = re.compile(rb"^set -o (?!interactive|stdin|monitor)\w+$", re.MULTILINE)
_TAKE_BACK = (
    b'case $hermes_was_%b in x*) \\command export %b="${hermes_was_%b#x}";;'
    b" *) \\command unset %b;; esac\n"
)
_OWN = frozenset({b"PWD", b"SHLVL", b"_", EXEC_ID.encode()})


class PlainScript(Script, frozen=True, kw_only=True):
    """One command for a worker in sh."""

    def render(self, nonce: bytes) -> bytes:
        # Not with `command`: in busybox a failing subshell would then go on as a second worker.
        run = b'unset hermes_run; %b\\eval "$hermes_command"%b 2>&1 >&2' % (
            b"export %b; " % assignments(self.env) if self.env else b"",
            b"" if self.has_stdin else b" </dev/null",
        )
        script = b"".join(
            (
                b"unset hermes_script\n",
                _header(self.cwd if self.cwd is not None else self.state.cwd, nonce),
                _restoring(self.state, self.baseline),
                *(b"hermes_was_%b=${%b+x$%b}\n" % (name, name, name) for name in self._passing),
                b"trap 'exit 129' HUP\ntrap 'exit 130' INT\ntrap 'exit 143' TERM\n",
                b"trap " + quote(self._ending(nonce)) + b" EXIT\n",
                b"hermes_run=" + quote(run) + b"\n",
            )
        )
        return b"%b\n%b\n" % (_escaped(script), _escaped(self.command))

    @property
    def _passing(self) -> list[bytes]:
        return [name.encode() for name in self.env]

    def _ending(self, nonce: bytes) -> bytes:
        mark = b"\\036" + nonce
        if not self.keeps_state:
            return b"{ \\command printf '" + mark + b"%s" + mark * 7 + b'\' "$?"; } 2>/dev/null'
        say = b"\\command printf '" + mark
        return b"".join(
            (
                b'{\nset -- "$?" "$-"\n',
                *(_TAKE_BACK % (name, name, name, name) for name in self._passing),
                # Printed at once: children in the background may be printing too. In busybox a
                # substitution runs without `set -e`.
                b'set -- "$1" "$(\n\\command pwd\n' + say + mark + b"'\n\\command set +o\n",
                b"case $2 in (*e*) \\command echo set -o errexit;; esac\n",
                say + b"'\n\\command export -p\n" + say + mark + b"'\n\\command alias\n",
                say + b"'\n)\"\n" + say + b"%s" + mark + b'%s\' "$@"\n',
                b"} 2>/dev/null",
            )
        )


def _header(cwd: str, nonce: bytes) -> bytes:
    mark = b"\\036" + nonce
    return b"".join(
        (
            b"cd -- " + shell_path(cwd) + b" 2>/dev/null || {\n",
            b"printf '" + mark + b"1\\n" + mark * 2 + b"'\nexit 1\n}\n",
            b"printf '" + mark + b"0\\n" + mark + b"'\nexport -p\nprintf '" + mark + b"'\n",
            # Where the worker was started means nothing to `cd -`.
            b"unset OLDPWD\nexport OLDPWD\n",
        )
    )


def _restoring(state: ShellState, baseline: Baseline | None) -> bytes:
    exports = {name: entry for entry in _entries(state.exports) if (name := _name(entry))}
    inherited = _entries(baseline.names) if baseline and state.is_complete else []
    gone = sorted({name for entry in inherited if (name := _name(entry))} - set(exports) - _OWN)
    return b"".join(
        (
            b"unset " + b" ".join(gone) + b"\n" if gone else b"",
            *(
                b"export " + entry.removeprefix(b"declare -x ").removeprefix(b"export ") + b"\n"
                for name, entry in exports.items()
                if name not in _OWN
            ),
            *(b"alias " + entry + b"\n" for entry in _entries(state.aliases)),
            *(option + b"\n" for option in _SWITCHED_ON.findall(state.options)),
        )
    )


def _entries(printed: bytes) -> list[bytes]:
    return _ENTRY.findall(printed)


def _name(entry: bytes) -> bytes:
    found = _EXPORT.match(entry)
    return found[1] if found else b""


def _escaped(text: bytes) -> bytes:
    return text.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")
