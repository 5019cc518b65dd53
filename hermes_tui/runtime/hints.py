"""What a model is told beside a prompt: skills that fit it, or the one asked for by name."""

from hermes_tui.config.schema import Config
from hermes_tui.skills.catalog import hint_text
from hermes_tui.skills.skills import Skills
from hermes_tui.store.skill_uses import Uses


class SkillHints:
    """The hints of one session. Implements `agent.session.Hints`."""

    def __init__(self, skills: Skills, uses: Uses, *, config: Config, session_id: str) -> None:
        self._skills = skills
        self._uses = uses
        self._config = config
        self._session_id = session_id

    async def __call__(self, prompt: str) -> str:
        """For `/name …` an order to read that skill; else skills that may help, mostly none.

        Raises:
            StoreError: they cannot be looked up.
        """
        if "skill_load" in self._config.tools.disabled:
            return ""
        if asked := await self._asked_for(prompt.strip()):
            return asked
        if not self._config.skills.hints:
            return ""
        found = await self._skills.hints(prompt)
        for skill in found:
            # Its version would take a look at the history, which is in the way of an answer.
            await self._uses.record(skill.name, version=0, session=self._session_id, how="hinted")
        return hint_text(found)

    async def _asked_for(self, prompt: str) -> str:
        name, _, arguments = prompt.removeprefix("/").partition(" ")
        if not prompt.startswith("/") or (await self._skills.shelf()).find(name) is None:
            return ""
        given = f" with the arguments {arguments.strip()!r}" if arguments.strip() else ""
        return f"Read the skill {name!r} with skill_load{given}, then carry it out."
