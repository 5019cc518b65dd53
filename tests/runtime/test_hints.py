from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec
import pytest

from hermes_tui.config.paths import Paths
from hermes_tui.config.schema import Config, SkillsConfig, ToolsConfig
from hermes_tui.runtime.hints import SkillHints
from hermes_tui.runtime.skills import open_skills
from hermes_tui.skills.skill import skill_text
from hermes_tui.store.store import Store

NO_OTHERS = SkillsConfig(folders=[])
FULL = "the disk of our server is full, what fills it?"


class Desk:
    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self._paths = Paths(home=folder, config_file=folder / "config.yaml")

    async def hint(self, prompt: str, config: Config | None = None) -> str:
        config = config or Config(skills=NO_OTHERS)
        skills = open_skills(
            self._paths, config, store=self.store, toolsets=lambda: ("terminal", "file")
        )
        try:
            return await SkillHints(skills, self.store.skill_uses, config=config, session_id="s1")(
                prompt
            )
        finally:
            skills.close()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncGenerator[Desk, None]:
    async with Store.open(tmp_path / "hermes.db") as store:
        yield Desk(store, tmp_path)


async def test_a_fitting_skill_is_pointed_out_and_that_is_recorded(desk: Desk) -> None:
    hint = await desk.hint(FULL)
    assert "- disk-full: " in hint
    (use,) = await desk.store.skill_uses.of("disk-full")
    assert (use.how, use.session, use.outcome) == ("hinted", "s1", None)


async def test_a_skill_asked_for_by_name_is_to_be_read(desk: Desk) -> None:
    assert await desk.hint("/disk-full /var is at 99 %") == (
        "Read the skill 'disk-full' with skill_load with the arguments '/var is at 99 %', "
        "then carry it out."
    )


@pytest.mark.parametrize("prompt", ["hi", "go on", "/etc/hosts", "/nosuch please", "", "/"])
async def test_other_prompts_stand_alone(desk: Desk, prompt: str) -> None:
    assert await desk.hint(prompt) == ""


async def test_hints_can_be_switched_off(desk: Desk) -> None:
    off = Config(skills=SkillsConfig(hints=False, folders=[]))
    assert await desk.hint(FULL, off) == ""
    assert (await desk.hint("/disk-full", off)).startswith("Read the skill")
    without = Config(skills=NO_OTHERS, tools=ToolsConfig(disabled=["skill_load"]))
    assert await desk.hint("/disk-full", without) == ""


async def test_a_skill_that_keeps_failing_is_not_pointed_out(desk: Desk) -> None:
    for number in range(3):
        await desk.store.skill_uses.record(
            "disk-full", version=1, session=f"f{number}", how="loaded"
        )
        (use, *_) = [u for u in await desk.store.skill_uses.of("disk-full") if not u.outcome]
        await desk.store.skill_uses.judge(use.id, "failure", "It deleted the wrong files.")
    assert "disk-full" not in await desk.hint(FULL)


async def test_of_two_that_contradict_each_other_only_the_better_is_pointed_out(
    desk: Desk, tmp_path: Path
) -> None:
    for name, how in (("indent-tabs", "tabs"), ("indent-spaces", "spaces")):
        folder = tmp_path / "skills" / name
        folder.mkdir(parents=True)
        text = skill_text(name, f"Indent source files with {how}; use for indentation.", "Do so.")
        (folder / "SKILL.md").write_text(text, "utf-8")
    asked = "fix the indentation of these source files"
    assert "indent-tabs" in await desk.hint(asked)
    config = Config(skills=NO_OTHERS)
    shelf = open_skills(Paths(home=tmp_path, config_file=tmp_path / "c"), config).here()
    stamps = {skill.name: skill.stamp for skill in shelf.skills}
    audits = tmp_path / "audits"
    audits.mkdir()
    verdict = {
        "winner": "indent-spaces", "winner_stamp": stamps["indent-spaces"],
        "loser": "indent-tabs", "loser_stamp": stamps["indent-tabs"],
    }  # fmt: skip
    (audits / "verdicts.json").write_bytes(msgspec.json.encode({"open": [verdict]}))
    hint = await desk.hint(asked)
    assert "indent-spaces" in hint
    assert "indent-tabs" not in hint
