"""The search tools in every environment, whichever programs it has."""

from collections.abc import AsyncGenerator

import pytest
from hermes_environments.base import BaseEnvironment

from hermes_tui.core.environment import Environment
from hermes_tui.core.errors import ToolError
from hermes_tui.tools.search import SearchFilesArgs, search_files_tool
from hermes_tui.tools.workplace import Workplace

FILES = {
    "a.py": b"one\nneedle 1\n",
    "sp ace.txt": b"needle 2\n",
    "sub/b.py": b"needle 3\n",
    ".env": b"KEY=needle\n",
    "sub/.ssh/id": b"needle\n",
    "sub/.git/config": b"needle\n",
}


@pytest.fixture
async def folder(environment: BaseEnvironment) -> AsyncGenerator[str, None]:
    made = (await environment.run("mktemp -d", timeout=20)).output.text.strip()
    for name, data in FILES.items():
        await environment.write_file(f"{made}/{name}", data)
    yield made
    await environment.run(f"rm -rf {made}", timeout=20)


async def search(environment: BaseEnvironment, path: str, pattern: str, glob: str = "") -> str:
    async def nowhere(name: str) -> Environment:
        raise AssertionError(name)

    async def say(chunk: str) -> None:
        raise AssertionError(chunk)

    tool = search_files_tool(Workplace(environment, home="/", open_other=nowhere))
    found = await tool.run(SearchFilesArgs(pattern=pattern, path=path, glob=glob), say)
    return str(found)


async def test_files_are_searched_but_not_credentials(
    environment: BaseEnvironment, folder: str
) -> None:
    found = await search(environment, folder, "needle [0-9]|KEY")
    expected = ["a.py:2:needle 1", "sp ace.txt:1:needle 2", "sub/b.py:1:needle 3"]
    assert sorted(found.split("\n")) == [f"{folder}/{line}" for line in expected]
    assert (await search(environment, folder, "n", "*.py")).count("\n") == 1 + 1
    assert await search(environment, folder, "absent") == (f"Nothing matches 'absent' in {folder}.")


async def test_what_is_wrong_with_a_search_is_said(
    environment: BaseEnvironment, folder: str
) -> None:
    for path, pattern in ((f"{folder}/nowhere", "x"), (folder, "(")):
        with pytest.raises(ToolError) as refusal:
            await search(environment, path, pattern)
        assert refusal.value.hint == "Correct the pattern or the path."
