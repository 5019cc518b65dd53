"""Which sessions are open in which process, so that no two write the same one."""

import errno
import fcntl
import os
from pathlib import Path

from hermes_tui.core.errors import HermesError


class Claims:
    """Holds a lock on one byte of a file for each open session; the system drops them at the end.

    The file must be opened nowhere else in this process: closing it drops POSIX locks.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def claim(self, session_id: str) -> None:
        """Make the session ours; one that is ours stays so.

        Raises:
            HermesError: another process has it open, or the file system has no locks.
        """
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _place(session_id))
        except OSError as error:
            if error.errno in {errno.EACCES, errno.EAGAIN}:
                raise HermesError(
                    f"Session {session_id} is open in another Hermes.",
                    hint="Close it there, or start a new one.",
                ) from error
            raise HermesError(
                f"Session {session_id} cannot be locked: {error.strerror}.",
                hint="Put Hermes's home on a disk that has locks, with HERMES_HOME.",
            ) from error

    def release(self, session_id: str) -> None:
        """Let other processes open the session."""
        fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _place(session_id))

    def close(self) -> None:
        os.close(self._file)


def _place(session_id: str) -> int:
    """Which byte stands for the session."""
    return int.from_bytes(session_id.encode()[:7])
