"""What `hermes doctor` finds out about the skills, which it only reads."""

import anyio

from hermes_tui.cli.doctor_finding import Finding
from hermes_tui.cli.printing import count
from hermes_tui.config.paths import Paths, shown
from hermes_tui.config.schema import Config
from hermes_tui.runtime.skills import open_skills


def skills(paths: Paths, config: Config) -> Finding:
    """How many there are, which are broken, and whether changes have a history."""
    opened = open_skills(paths, config)
    shelf = opened.here()
    own = sum(1 for skill in shelf.skills if opened.path_of(skill))
    detail = f"{count(len(shelf.skills), 'skill')}, {own:,} of your own"
    if shelf.broken:
        named = ", ".join(shown(one.path) for one in shelf.broken[:3])
        more = f" and {len(shelf.broken) - 3:,} more" if shelf.broken[3:] else ""
        hint = "See `hermes skills list` for what is wrong with each."
        return Finding("skills", "warning", f"{detail}; broken: {named}{more}", hint)
    histories = anyio.run(opened.repository.histories)
    opened.repository.close()
    if problem := opened.repository.problem():
        return Finding("skills", "warning", f"{detail}; {problem}", "They work without a history.")
    versions = sum(len(versions) for versions in histories.values())
    return Finding("skills", "ok", f"{detail}; {count(versions, 'version')} in their history")
