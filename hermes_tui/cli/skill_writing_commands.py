"""`hermes skills new`, `edit`, `pin` and `unpin`: what a person writes."""

import sys
from pathlib import Path
from typing import Literal

import anyio.to_thread
from msgspec import Struct

from hermes_tui.agent.approvals import Nobody
from hermes_tui.cli.editor import open_editor
from hermes_tui.cli.printing import print_json, say
from hermes_tui.cli.skill_desk import Desk
from hermes_tui.config.files import replace_file
from hermes_tui.config.paths import shown
from hermes_tui.core.errors import ConfigError, RefusedError
from hermes_tui.core.skills import Skill
from hermes_tui.safety.scanner import blocks, scan
from hermes_tui.skills.pruning import changed_at
from hermes_tui.skills.skill import (
    FILE,
    MAX_BYTES,
    is_name,
    read_skill,
    read_text,
    skill_text,
    with_metadata,
)
from hermes_tui.skills.skill_files import LINK, put_files, read_files
from hermes_tui.skills.versions import Action, Change

TEMPLATE = """\
# {title}

What this is about, in a sentence or two.

## When to use
- What somebody asks for, or what one sees, when this is the way to go.

## Prerequisites
- What has to be there first, and the command that tells whether it is.

## Steps
1. What to do, with the exact command, and what it prints when it went well.

## Pitfalls
- What goes wrong easily, and how one notices.

## Verify
The command that proves the result, and what it prints.
"""


class Written(Struct, frozen=True):
    """A `SKILL.md` about to become a version."""

    name: str
    path: str
    """Below the folder of skills, with `/`."""
    text: str
    copied_from: Path | None = None
    """A folder elsewhere whose other files come along."""


async def new(
    desk: Desk, name: str, description: str, source: str, category: str, as_json: bool
) -> None:
    """Write a new skill: from a file, or from a template that is opened in the editor.

    Raises:
        ConfigError: the name or the description is not allowed, the name is taken, the source is
            empty, or a draft was kept and nobody is there to go on with it.
        RefusedError: the write scan objects, and nobody says to go ahead.
    """
    await desk.skills.check_free(f"{category}/{name}" if category else name)
    draft = _Draft.of(desk, name, "new")
    is_edited = not source and not isinstance(desk.human, Nobody)
    if is_edited and draft.file.exists():
        say(f"This is the draft that was kept; delete {shown(draft.file)} to begin anew.")
        text = await _edited(draft, "")
    elif not source and draft.file.exists():
        raise ConfigError(
            f"A draft of {name!r} was kept in {shown(draft.file)}.",
            hint="Go on with it at a terminal, name it with --from, or delete it.",
        )
    else:
        given = await anyio.to_thread.run_sync(_read_source, source) if source else ""
        text = _new_text(name, description, given)
        text = await _edited(draft, text) if is_edited else text
    path = f"{category}/{name}" if category else name
    await _check(desk, draft, text)
    number = await _keep(desk, Written(name, path, text), "create", "Written by hand.")
    draft.remove()
    if as_json:
        file = str(desk.skills.folder / path / FILE)
        print_json({"name": name, "path": file, "version": number or None})
    say(f"Wrote the skill {name}: {shown(desk.skills.folder / path / FILE)}")
    if not source and not is_edited:
        say(f"It is a template yet; fill it in with: hermes skills edit {name}")


async def edit(desk: Desk, name: str, reason: str, as_json: bool) -> None:
    """Open a skill in the editor, and make what comes out a new version.

    A skill that is kept elsewhere is copied first. What is refused stays as a draft, with
    which the next call goes on.

    Raises:
        NotFoundError: there is no such skill.
        ConfigError: what was written is no skill; the draft is kept.
        RefusedError: the write scan objects, and nobody says to go ahead.
    """
    before, skill = await _editable(desk, name)
    draft = _Draft.of(desk, name, "edit")
    is_resumed = draft.file.exists()
    if is_resumed:
        say(f"This is the draft that was kept; delete {shown(draft.file)} to begin anew.")
        if skill is not None and changed_at(skill).timestamp() > draft.file.stat().st_mtime:
            say(f"! {name} was changed after it.")
    text = await _edited(draft, before.text)
    if text == before.text:
        draft.remove()
        if as_json:
            print_json({"name": name, "changed": False})
        say("Nothing was changed.")
        return
    if (await _editable(desk, name))[0].text != before.text:
        raise draft.refusal(f"{name!r} was changed by somebody else in the meantime.")
    problems = await _check(desk, draft, text)
    written = Written(name, before.path, text, before.copied_from)
    number = await _keep(desk, written, "edit", reason or "Edited by hand.")
    draft.remove()
    if as_json:
        told = {"name": name, "changed": True, "version": number or None}
        file = str(desk.skills.folder / before.path / FILE)
        print_json({**told, "path": file, "problems": problems})
    if before.copied_from is not None and skill is not None:
        say(f"It is a copy of your own now: {shown(desk.skills.folder / before.path)}")
    for problem in problems:
        say(f"! {problem}")
    say(f"Wrote v{number} of {name}." if number else f"Wrote {name}.")


async def pin(desk: Desk, name: str, is_pinned: bool, as_json: bool) -> None:
    """Keep a skill first in the catalogue and safe from pruning, or no longer.

    Raises:
        NotFoundError: there is no such skill.
    """
    skill = await desk.skill(name)
    told = {"name": name, "pinned": is_pinned}
    if skill.is_pinned == is_pinned:
        if as_json:
            print_json({**told, "changed": False})
        say(f"{name} is {'pinned already' if is_pinned else 'not pinned'}.")
        return
    before, _ = await _editable(desk, name)
    changes = {"hermes-pinned": "true" if is_pinned else None}
    if before.copied_from is not None:
        changes["hermes-origin"] = skill.origin
    text = with_metadata(before.text, changes)
    reason = "Pinned." if is_pinned else "Unpinned."
    written = Written(name, before.path, text, before.copied_from)
    number = await _keep(desk, written, "edit", reason)
    if as_json:
        print_json({**told, "changed": True, "version": number or None})
    say(f"{name} is {'pinned' if is_pinned else 'no longer pinned'}.")
    if before.copied_from is not None:
        say(f"It is a copy of your own now: {shown(desk.skills.folder / before.path)}")


class _Draft(Struct, frozen=True):
    """What is being written, where it survives being refused."""

    name: str
    file: Path
    command: Literal["new", "edit"]
    """What goes on with it."""

    @classmethod
    def of(cls, desk: Desk, name: str, command: Literal["new", "edit"]) -> "_Draft":
        return cls(name, desk.paths.drafts_dir / name / FILE, command)

    def put(self, text: str) -> None:
        self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(self.file, text.encode(), mode=0o600)

    def remove(self) -> None:
        self.file.unlink(missing_ok=True)
        for folder in self.file.parents[:2]:
            try:
                folder.rmdir()
            except OSError:
                return

    def refusal(self, problem: str) -> ConfigError:
        return ConfigError(
            problem,
            hint=f"Your text is kept in {shown(self.file)}; "
            f"`hermes skills {self.command} {self.name}` at a terminal goes on with it.",
        )


async def _edited(draft: _Draft, text: str) -> str:
    """What the person made of `text`, or of the draft that was kept."""
    if not draft.file.exists():
        await anyio.to_thread.run_sync(draft.put, text)
    try:
        await anyio.to_thread.run_sync(open_editor, draft.file)
        return await anyio.to_thread.run_sync(read_text, draft.file.parent)
    except ConfigError as error:
        if _holds(draft.file, text):
            draft.remove()
            raise
        hint = f"Your text is kept in {shown(draft.file)}."
        raise ConfigError(error.message, hint=error.hint or hint) from error


def _holds(file: Path, text: str) -> bool:
    try:
        return file.read_bytes() == text.encode()
    except OSError:
        return True


async def _check(desk: Desk, draft: _Draft, text: str) -> tuple[str, ...]:
    """What deserves mending in `text`.

    Raises:
        ConfigError: it is no skill of that name; the draft is kept.
        RefusedError: the write scan objects, and nobody says to go ahead.
    """
    await anyio.to_thread.run_sync(draft.put, text)
    try:
        skill = await anyio.to_thread.run_sync(read_skill, draft.file.parent)
    except ConfigError as error:
        raise draft.refusal(f"The text is no skill: {error}") from error
    if is_name(draft.name) and skill.name != draft.name:
        raise draft.refusal(f"The name in it is {skill.name!r}, and the skill is {draft.name!r}.")
    found = blocks(await anyio.to_thread.run_sync(scan, text))
    for finding in found:
        say(f"! {finding.excerpt!r}: {finding.reason}")
    if found:
        if isinstance(desk.human, Nobody):
            raise RefusedError(
                f"The skill is not written: {found[0].reason}",
                hint=f"Your text is kept in {shown(draft.file)}.",
            )
        await desk.agree(
            "A model will read this. Keep it all the same?",
            yes=False, refused=f"Nothing was written; your text is kept in {shown(draft.file)}.",
        )  # fmt: skip
    return skill.problems


async def _keep(desk: Desk, written: Written, action: Action, reason: str) -> int:
    """Write it to disk and into the history; the version's number, 0 without a history."""
    source, repository = written.copied_from, desk.skills.repository
    if source is not None:
        copied = await anyio.to_thread.run_sync(read_files, source)
        copied = {path: blob for path, blob in copied.items() if blob.mode != LINK}
        copy = Change(
            skill=written.path, action="create", reason=f"A copy of {shown(source)}.", by_user=True
        )
        await repository.write(copy, lambda folder: put_files(folder, copied))

    def write(folder: Path) -> None:
        replace_file(folder / FILE, written.text.encode(), mode=0o644)

    change = Change(skill=written.path, action=action, reason=reason, by_user=True)
    version = await repository.write(change, write)
    if not version.commit:
        desk.warn_without_history()
    return version.number


async def _editable(desk: Desk, name: str) -> tuple[Written, Skill | None]:
    """The text of a skill and where its next version goes; no skill where it is broken."""
    shelf = await desk.skills.shelf()
    own = desk.skills.folder
    if (skill := shelf.find(name)) is None:
        for broken in shelf.broken:
            if broken.path.name == name and broken.path.is_relative_to(own):
                text = await anyio.to_thread.run_sync(read_text, broken.path)
                return Written(name, broken.path.relative_to(own).as_posix(), text), None
        skill = await desk.skill(name)
    text = await anyio.to_thread.run_sync(read_text, skill.path)
    if path := desk.skills.path_of(skill):
        return Written(name, path, text), skill
    if skill.origin == "project":
        raise ConfigError(
            f"{name!r} belongs to the project you are in.",
            hint=f"Change {shown(skill.path / FILE)} itself.",
        )
    if (own / name).exists():
        raise ConfigError(f"{shown(own / name)} is in the way.", hint="Move it away first.")
    return Written(name, name, text, skill.path), skill


def _new_text(name: str, description: str, given: str) -> str:
    """A `SKILL.md` from what was given: one, or only a body, or nothing."""
    if given.startswith("---"):
        return with_metadata(given, {"hermes-origin": None}, name=name, description=description)
    if not description:
        raise ConfigError(
            "A skill needs a description.",
            hint="Say with --description what it does and when to use it.",
        )
    title = name.replace("-", " ").capitalize()
    return skill_text(name, description, given.strip() or TEMPLATE.format(title=title))


def _read_source(source: str) -> str:
    """The text of a file, or of what is piped in for `-`.

    Raises:
        ConfigError: it cannot be read, is too long, no text, or empty.
    """
    try:
        if source == "-":
            content = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(source).expanduser().open("rb") as opened:
                content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{source} cannot be read: {error.strerror}.") from error
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{source} has more than {MAX_BYTES:,} bytes.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{source} is no UTF-8 text.") from None
    if not text.strip():
        raise ConfigError(
            "Nothing was piped in." if source == "-" else f"{source} is empty.",
            hint="Give the text of a SKILL.md, or only what goes below its head.",
        )
    return text
