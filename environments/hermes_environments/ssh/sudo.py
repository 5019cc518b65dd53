"""sudo on an SSH host: its password is asked for on screen and handed over, never kept.

sudo runs the program in SUDO_ASKPASS, which prints the password. That program is a script in
a folder of its own; it asks through a fifo, our listener passes the question on, and the
answer comes back through another. The password is in no file, no variable of a command and
no argument; it passes the host's memory only, as it would from a keyboard.
"""

import asyncio
import re
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from hermes_environments.channel import ChannelLostError
from hermes_tui.core.environment import Attendant
from hermes_tui.core.errors import EnvironmentUnavailableError, RefusedError

if TYPE_CHECKING:
    from hermes_environments.ssh.channel import SshChannel

START_SECONDS = 10.0
QUESTION_BYTES = 1_000

# `<>` opens a fifo without waiting for the other side, which may be gone. Only root's own
# programs get an answer, as sudo is one; where there is no /proc, they are those that may not be
# sent a signal.
_ASKPASS = r"""#!/bin/sh
d=${0%%/*} r=$$ u= p=/proc/$PPID
[ -r "$p/status" ] && while read -r k _ e _; do [ "$k" = Uid: ] && u=$e; done <"$p/status"
[ "$u" ] || case $(LC_ALL=C kill -0 "$PPID" 2>&1) in *ermitted*) u=0 ;; esac
[ "$u" = 0 ] || exit 1
c=$(tr '\0' ' ' <"$p/cmdline" 2>/dev/null || ps -o args= -p "$PPID")
umask 077
mkfifo "$d/r.$r" || exit 1
exec 3<>"$d/r.$r"
printf '%%s %%.200s (for: %%.600s)\n' "$r" "$(printf %%s "$1" | tr '\n' ' ')" \
  "$(printf %%s "$c" | tr '\n' ' ')" >"$d/ask.%s"
IFS= read -r a <&3
rm -f "$d/r.$r"
case $a in p*) printf '%%s\n' "${a#p}" ;; *) exit 1 ;; esac
"""

# Arguments: folder, name of this listener, the script above. Another listener may take the
# folder over while this one notices that its connection is gone, so only one of them at a time
# makes or removes it. A lock that is held for two seconds is nobody's.
LISTENER = r"""
umask 077
d=$1 g=$2
lock() {
  t=0
  until mkdir "$d.lock" 2>/dev/null || [ "$t" -ge 20 ]; do
    t=$((t + 1)); sleep 0.1 2>/dev/null || sleep 1
  done
}
case $(command -V printf) in *builtin*) ;; *) exit 1 ;; esac
mkdir -p "${d%/*}"; lock
mkdir -p "$d" && [ -O "$d" ] && [ ! -L "$d" ] && mkfifo "$d/ask.$g" &&
  printf %s "$3" >"$d/new.$g" && chmod 700 "$d/new.$g" && mv -f "$d/new.$g" "$d/askpass"
made=$?; rmdir "$d.lock"; [ "$made" = 0 ] || exit 1
( exec 3<>"$d/ask.$g" </dev/null; while IFS= read -r l <&3; do printf '%s\n' "$l"; done ) &
c=$!
echo ready
while IFS= read -r r && IFS= read -r a; do
  [ -p "$d/r.$r" ] && printf '%s\n' "$a" 1<>"$d/r.$r"
done
kill "$c"
for r in "$d"/r.*; do [ -p "$r" ] && echo 1<>"$r"; done
rm -f "$d/ask.$g"
lock
grep -q "ask.$g" "$d/askpass" 2>/dev/null && rm -rf "$d"
rmdir "$d.lock"
exit 0
"""

_QUESTION = re.compile(rb"(\d+) ([^\n]*)")


class SudoQuestions:
    """Passes sudo's questions on to the person, one after the other."""

    def __init__(self, where: str, attendant: Attendant) -> None:
        """`where` is how the person knows the host."""
        self._where = where
        self._attendant = attendant
        self._name = f"hermes-{secrets.token_hex(8)}"
        self._serving: asyncio.Task[None] | None = None
        self._channel: SshChannel | None = None

    @property
    def is_listening(self) -> bool:
        channel, serving = self._channel, self._serving
        return bool(channel and serving and not (channel.is_lost or serving.done()))

    def program(self, runtime_dir: str) -> str:
        """What SUDO_ASKPASS has to be, in a folder for what is gone after a restart."""
        return f"{runtime_dir}/{self._name}/askpass"

    def argv(self, runtime_dir: str) -> list[str]:
        """The listener, to be started on the host."""
        name = secrets.token_hex(4)
        folder = f"{runtime_dir}/{self._name}"
        return ["sh", "-c", LISTENER, "sh", folder, name, _ASKPASS % name]

    async def listen(self, channel: "SshChannel") -> None:
        """Serve the listener that runs on `channel` from now on.

        Raises:
            EnvironmentUnavailableError: it does not start.
        """
        printed = b""
        with anyio.move_on_after(START_SECONDS):
            while not printed.endswith(b"ready\n"):
                data = await channel.recv()
                if not data:
                    break
                printed += data
        if not printed.endswith(b"ready\n"):
            await channel.close()
            raise EnvironmentUnavailableError("sudo's questions cannot be passed on.")
        self._channel = channel
        self._serving = asyncio.create_task(self._serve(channel))

    async def close(self) -> None:
        """No more questions are answered; the listener removes what it made."""
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.wait({self._serving})
        if self._channel is not None:
            await self._channel.close()

    async def _serve(self, channel: "SshChannel") -> None:
        printed = b""
        with suppress(ChannelLostError):
            while data := await channel.recv():
                *lines, printed = (printed + data).split(b"\n")
                printed = printed[:QUESTION_BYTES]
                for line in lines:
                    if found := _QUESTION.fullmatch(line[:QUESTION_BYTES]):
                        answer = await self._answer(found[2].decode("utf-8", "replace").strip())
                        await channel.send(b"%b\n%b\n" % (found[1], answer))

    async def _answer(self, prompt: str) -> bytes:
        try:
            # A command's words come with it, and could be anything.
            shown = "".join(each if each.isprintable() else "?" for each in prompt)
            password = await self._attendant.secret(f"{self._where}: {shown}")
        except RefusedError:
            return b""
        return b"" if "\n" in password else b"p" + password.encode()
