"""Questions the environment tests ask, and bounded waiting for their answers."""

from collections.abc import Awaitable, Callable

import anyio
import pytest
from hermes_environments.base import BaseEnvironment

from hermes_tui.core.environment import Environment


def needs_bash(environment: BaseEnvironment) -> None:
    """Skip the test where commands run in plain sh, which cannot do what it is about."""
    if not environment.capabilities.has_bash:
        pytest.skip("there is no bash in this place")


async def output(environment: Environment, command: str) -> bytes:
    """What a command that must succeed prints."""
    result = await environment.run(command, timeout=20)
    assert result.exit_code == 0, result
    return result.output.head


async def is_alive(environment: Environment, pid: int) -> bool:
    """Whether a process lives inside the environment; a zombie does not."""
    question = f"s=$(cut -d' ' -f3 /proc/{pid}/stat 2>/dev/null) && [ \"$s\" != Z ]"
    result = await environment.run(question, timeout=20, keep_state=False)
    return result.exit_code == 0


async def exists(environment: Environment, path: str) -> bool:
    result = await environment.run(f"[ -e {path} ]", timeout=20, keep_state=False)
    return result.exit_code == 0


async def until(question: Callable[[], Awaitable[bool]]) -> None:
    with anyio.fail_after(20):
        while not await question():
            await anyio.sleep(0.02)


async def pids(environment: Environment, path: str, count: int) -> list[int]:
    """The first `count` process ids written to a file, one per line, once they are there."""
    found: list[int] = []

    async def are_there() -> bool:
        if await exists(environment, path):
            found[:] = [int(line) for line in (await environment.read_file(path)).split()]
        return len(found) >= count

    await until(are_there)
    return found
