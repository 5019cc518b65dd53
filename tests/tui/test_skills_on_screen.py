"""Skills where people type and read."""

from pathlib import Path

from hermes_tui.models.scripted import says
from tests.tui.stage import on_stage


async def test_an_audit_made_in_idle_time_is_told_of(home: Path) -> None:
    async with on_stage(home) as stage:
        stage.runtime.idle_notice = "12 skills audited: 1 fails often."
        stage.app.chat._look_after()
        await stage.sees("12 skills audited: 1 fails often.")


async def test_a_skill_runs_by_its_name_and_is_offered_while_typing(home: Path) -> None:
    async with on_stage(home, says("Refactored.")) as stage:
        await stage.until(lambda: stage.app.chat.completion.skills)
        await stage.type("/python-r")
        await stage.sees("/python-refactor")
        await stage.pilot.press("tab")
        assert stage.app.chat.prompt.text == "/python-refactor "
        await stage.type("all of it")
        await stage.pilot.press("enter")
        await stage.sees("Refactored.")
        assert stage.runtime.session is not None
        assert stage.runtime.session.history[0].text == "/python-refactor all of it"
