"""What a child process may see of our environment variables."""

from collections.abc import Iterable, Mapping

PASSED = frozenset(
    {
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR",
        "TERM", "COLORTERM", "NO_COLOR", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR",
    }
)  # fmt: skip


def child_environment(own: Mapping[str, str], *, pass_env: Iterable[str] = ()) -> dict[str, str]:
    """The variables of `own` a child process gets: an allow-list, never a block-list.

    `pass_env` adds names the person listed under `terminal.pass_env`.
    """
    allowed = PASSED | set(pass_env)
    return {name: value for name, value in own.items() if name in allowed or name.startswith("LC_")}
