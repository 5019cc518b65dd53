"""What a person is told before the first turn of files that prompts are built from."""

from pathlib import Path

from hermes_tui.agent.approvals import Nobody
from hermes_tui.runtime.runtime import Overrides, open_runtime


async def told(folder: Path) -> list[str]:
    overrides = Overrides(cwd=folder, model="rehearsal")
    async with open_runtime(human=Nobody(), source="test", overrides=overrides) as runtime:
        await runtime.new_session()
        return [notice.text for notice in runtime.notices if "rehearsal" not in notice.text]


async def test_a_home_in_order_needs_no_word(tmp_path: Path, home: Path) -> None:
    home.mkdir()
    (home / "real").write_text("I am Ada.")
    (home / "SOUL.md").symlink_to(home / "real")
    assert await told(tmp_path) == []


async def test_a_soul_that_leads_nowhere_is_named(tmp_path: Path, home: Path) -> None:
    home.mkdir()
    (home / "SOUL.md").symlink_to(home / "none")
    (text,) = await told(tmp_path)
    assert text.endswith("SOUL.md is a link to a file that is not there; it is left out.")


async def test_a_soul_that_is_a_folder_is_named(tmp_path: Path, home: Path) -> None:
    (home / "SOUL.md").mkdir(parents=True)
    (text,) = await told(tmp_path)
    assert text.endswith("SOUL.md is not a regular file. It is left out.")
