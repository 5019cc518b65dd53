"""`hermes skills trust`: what a skill may run, and whether a project's skills are read."""

import os
from pathlib import Path

import anyio.to_thread
from msgspec import Struct

from hermes_tui.agent.approvals import Nobody
from hermes_tui.cli.printing import count, print_json, print_line, say
from hermes_tui.cli.skill_desk import Desk, listed
from hermes_tui.config.paths import absolute, shown, working_folder
from hermes_tui.core.errors import NotFoundError, RefusedError
from hermes_tui.core.skills import Skill
from hermes_tui.runtime.skills import open_trust
from hermes_tui.skills.library import list_skills
from hermes_tui.skills.roots import PROJECT_FOLDERS, find_project, project_folders
from hermes_tui.skills.skill import FILE, decoded, parted
from hermes_tui.skills.skill_files import Files, put_files, read_files
from hermes_tui.skills.slots import shell_commands
from hermes_tui.skills.trust import contents_of, scripts, with_modes
from hermes_tui.skills.versions import Change

HASH_SHOWN = 12
_OTHERS = frozenset({"hub", "foreign", "project"})
"""Origins whose plain files, too, are put where commands run only when trusted."""


class _Runs(Struct, frozen=True):
    """What a skill would be allowed to run."""

    commands: list[str]
    scripts: list[str]


async def trust(desk: Desk, name: str, as_json: bool) -> None:
    """Let a skill run the commands in its text and its scripts, as long as it stays as it is.

    Raises:
        NotFoundError: there is no such skill.
        RefusedError: the person said no, or nobody is at a terminal to say yes.
        ConfigError: it holds links, or the record cannot be written.
    """
    skill = await desk.skill(name)
    seen = await anyio.to_thread.run_sync(contents_of, skill)
    runs = _runs(seen.files)
    is_quiet = not (runs.commands or runs.scripts)
    if is_quiet and (skill.origin not in _OTHERS or len(seen.files) == 1):
        if as_json:
            told = {"name": skill.name, "trusted": False, "changed": False, "tree": seen.tree}
            print_json({**told, "commands": [], "scripts": []})
        say(f"There is nothing to trust in {skill.name}: it has no commands and no scripts.")
        return
    if not as_json:
        for command in runs.commands:
            print_line(f"runs when loaded: {command}")
        for script in runs.scripts:
            print_line(f"may be run: {script}")
    question = f"Let {skill.name} from {shown(skill.path)} run these, as long as it stays as it is?"
    if is_quiet:
        say(f"{skill.name} has no commands and no scripts; trust is for its other files alone.")
        question = (
            f"Let the files of {skill.name} from {shown(skill.path)} be put where commands run, "
            "as long as it stays as it is?"
        )
    await _agree(desk, question, f"trust {name}", refused=f"{skill.name} is not trusted.")
    await _mark_scripts(desk, skill, seen.files, executable=True)
    if (await anyio.to_thread.run_sync(contents_of, skill)).tree != seen.tree:
        raise RefusedError(f"{skill.name} changed meanwhile, so it is not trusted.")
    open_trust(desk.paths).trust(skill, seen.tree)
    if as_json:
        told = {"name": skill.name, "trusted": True, "changed": True, "tree": seen.tree}
        print_json({**told, "commands": runs.commands, "scripts": runs.scripts})
    say(f"{skill.name} is trusted until it changes (tree {seen.tree[:HASH_SHOWN]}).")


async def revoke(desk: Desk, name: str, as_json: bool) -> None:
    """Let a skill run nothing any more.

    Raises:
        NotFoundError: there is no such skill.
        ConfigError: it holds links, or the record cannot be written.
    """
    skill = await desk.skill(name)
    was_trusted = open_trust(desk.paths).revoke(skill.name)
    files = await anyio.to_thread.run_sync(read_files, skill.path)
    await _mark_scripts(desk, skill, files, executable=False)
    if as_json:
        print_json({"name": skill.name, "trusted": False, "changed": was_trusted})
    say(f"{skill.name} {'is no longer' if was_trusted else 'was not'} trusted.")


async def trust_project(desk: Desk, folder: str, as_json: bool) -> None:
    """Read the skills of a project from now on, whoever changes them.

    Args:
        folder: In the project; empty for where we are.

    Raises:
        NotFoundError: there are no skills in it.
        RefusedError: the person said no, or nobody is at a terminal to say yes.
        ConfigError: the record cannot be written.
    """
    project = _project(desk, folder)
    found = await anyio.to_thread.run_sync(list_skills, *project_folders(project, desk.paths))
    names = [skill.name for skill in found]
    if not as_json:
        for skill in found:
            print_line(f"{skill.name}: {skill.description}")
    question = (
        f"Read the {count(len(names), 'skill')} of {shown(project)}, and what they become? "
        "They speak to the model; what they run is trusted one by one."
    )
    wanted = f"trust --project {folder}".rstrip()
    await _agree(desk, question, wanted, refused=f"The skills of {shown(project)} are not read.")
    is_new = open_trust(desk.paths).trust_project(project)
    if as_json:
        told = {"project": str(project), "trusted": True, "changed": is_new, "skills": names}
        print_json(told)
    say(f"Read from now on in {shown(project)}: {listed(names) or 'what will be there'}.")


async def revoke_project(desk: Desk, folder: str, as_json: bool) -> None:
    """Read a project's skills no longer; its folder may be gone.

    Raises:
        ConfigError: the record cannot be read or written.
    """
    place = absolute(folder, os.environ) if folder else working_folder()
    project = find_project(place, desk.paths) or place
    was_read = open_trust(desk.paths).revoke_project(project)
    if as_json:
        print_json({"project": str(project), "trusted": False, "changed": was_read})
    say(f"The skills of {shown(project)} {'are no longer' if was_read else 'were not'} read.")


def _runs(files: Files) -> _Runs:
    _, body = parted(decoded(files[FILE].content)) if FILE in files else ("", "")
    return _Runs(shell_commands(body), scripts(files))


def _project(desk: Desk, folder: str) -> Path:
    place = absolute(folder, os.environ) if folder else working_folder()
    if (project := find_project(place, desk.paths)) is None:
        raise NotFoundError(
            f"{shown(place)} belongs to no project with skills.",
            hint=f"They lie in {', '.join(PROJECT_FOLDERS)} at the root of its repository.",
        )
    return project


async def _agree(desk: Desk, question: str, command: str, *, refused: str) -> None:
    if isinstance(desk.human, Nobody):
        raise RefusedError(
            f"Only a person at a terminal can say so. {refused}",
            hint=f"Run `hermes skills {command}` there yourself.",
        )
    await desk.agree(question, yes=False, refused=refused)


async def _mark_scripts(desk: Desk, skill: Skill, files: Files, *, executable: bool) -> None:
    """Give the scripts of the person's own copy their execute bit, or take it away."""
    path = desk.skills.path_of(skill)
    marked = with_modes(files, executable=executable)
    if path is None or marked == files:
        return
    reason = "Trusted: its scripts can be run." if executable else "No longer trusted."

    def mark(folder: Path) -> None:
        if read_files(folder) != files:
            raise RefusedError(f"{skill.name} changed meanwhile.", hint="Run it again.")
        put_files(folder, marked)

    change = Change(skill=path, action="edit", reason=reason, by_user=True)
    await desk.skills.repository.write(change, mark)
