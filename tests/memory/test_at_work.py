"""Memory as sessions see it."""

import contextlib
from pathlib import Path

from hermes_tui.agent.approvals import Nobody
from hermes_tui.core.memory import Source
from hermes_tui.runtime.runtime import Overrides, Runtime, open_runtime


def opened(folder: Path) -> contextlib.AbstractAsyncContextManager[Runtime]:
    overrides = Overrides(cwd=folder, model="rehearsal", mode="full-auto")
    return open_runtime(human=Nobody(), source="test", overrides=overrides)


async def test_a_session_keeps_the_memory_it_began_with(tmp_path: Path, home: Path) -> None:
    async with opened(tmp_path) as runtime:
        await runtime.memory.add("memory", "Before.", source=Source())
        session = await runtime.new_session()
        prefix = session.prefix
        await runtime.memory.add("memory", "After.", source=Source())
        (home / "memory" / "USER.md").write_text("By hand.\n", "utf-8")
        assert session.prefix is prefix
        assert "Before." in prefix.system
        assert "After." not in prefix.system
        assert [file.text for file in runtime.memory_files()] == ["Before.\n§\nAfter.", "By hand."]
        assert await runtime.store.sessions.prefix(session.id) == prefix


async def test_a_broken_memory_file_is_said_and_stops_nothing(tmp_path: Path, home: Path) -> None:
    (home / "memory" / "MEMORY.md").mkdir(parents=True)
    (home / "memory" / "USER.md").write_text("§\n".join(["x" * 900 + "\n"] * 3), "utf-8")
    async with opened(tmp_path) as runtime:
        said = [notice.text for notice in runtime.notices]
        assert any("is a folder, not a file." in text for text in said)
        assert any("of 1,375 characters" in text for text in said)
        system = (await runtime.new_session()).prefix.system
        assert system.count("x" * 900) == 1
