"""`hermes skills list`, `show` and `search`: what there is."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio.to_thread

from hermes_tui.cli.diagnostics import Ink
from hermes_tui.cli.printing import count, print_json, print_line, say
from hermes_tui.cli.skill_desk import (
    Desk,
    confidence_as_json,
    day,
    listed,
    outcomes_of,
)
from hermes_tui.cli.skill_table import Column, print_rows, say_wrapped
from hermes_tui.config.paths import current_folder, shown
from hermes_tui.core.errors import HermesError, StoreError
from hermes_tui.core.skills import Skill
from hermes_tui.runtime.skills import open_trust, unread_skills
from hermes_tui.safety.terminal_text import visible
from hermes_tui.skills.catalog import obstacle
from hermes_tui.skills.library import Broken, Shelf
from hermes_tui.skills.skill import FILE, read_text
from hermes_tui.skills.skills import Standing, body_of, files_of
from hermes_tui.skills.slots import shell_commands, slots

SHOWN_FILE_BYTES = 100_000


async def list_skills(desk: Desk, everything: bool, category: str, as_json: bool) -> None:
    """Print the skills there are; with `everything` also those that cannot be used now."""
    shelf = await desk.skills.shelf()
    rows = await _rows(desk, shelf)
    if everything:
        rows += [_without_standing(one, "archived") for one in desk.archived()]
        rows += [_without_standing(one, "hidden") for one in shelf.hidden]
        rows += [_broken_row(one) for one in shelf.broken]
    if category:
        rows = [row for row in rows if row["category"] == category]
    if as_json:
        print_json([_as_json(row) for row in rows])
        return
    if not rows:
        say_wrapped(_nothing(shelf, category))
    _print_list(rows)
    if not everything:
        _say_what_is_left_out(desk, shelf)
    if unread := await anyio.to_thread.run_sync(unread_skills, desk.paths, current_folder()):
        are = "is" if len(unread) == 1 else "are"
        say_wrapped(
            f"{count(len(unread), 'skill')} of this project {are} not read; "
            f"`hermes skills trust --project` reads {'it' if len(unread) == 1 else 'them'}."
        )


async def show(desk: Desk, name: str, version: str, with_files: bool, as_json: bool) -> None:
    """Print what is known of a skill, and its text.

    Raises:
        NotFoundError: there is no such skill or version.
        HermesError: an old version is asked for, and there is no history.
    """
    if version:
        await _show_version(desk, name, version, with_files, as_json)
        return
    skill = await desk.skill(name)
    text = await anyio.to_thread.run_sync(read_text, skill.path)
    names = await anyio.to_thread.run_sync(files_of, skill.path)
    facts = await _facts(desk, skill)
    if as_json:
        files = {one: _file(skill.path / one) for one in names} if with_files else names
        print_json({**_as_json(facts), "text": text, "files": files})
        return
    _print_facts(desk, skill, facts, names)
    print_line("")
    print_line(text.rstrip("\n"))
    if with_files:
        _print_files({one: _file(skill.path / one) for one in names})


async def search(desk: Desk, words: Sequence[str], limit: int, as_json: bool) -> None:
    """Print the skills that fit `words` best; ends with 1 when none does.

    Raises:
        StoreError: the index cannot be read or written.
    """
    if desk.store is None:
        raise StoreError(
            "Skills cannot be searched while the store cannot be opened.",
            hint="`hermes skills list` has them all.",
        )
    shelf = await desk.skills.shelf()
    index = desk.store.skill_words
    await index.sync(shelf.skills, body_of)
    found = await index.find(" ".join(words), limit=limit)
    hits = [(skill, one) for one in found if (skill := shelf.find(one.name)) is not None]
    if as_json:
        print_json(
            [
                {
                    "name": skill.name,
                    "relevance": round(one.relevance, 2),
                    "description": skill.description,
                    "path": str(skill.path),
                }
                for skill, one in hits
            ]
        )
    else:
        rows = [
            {
                "name": skill.name,
                "fits": f"{one.relevance:.1f}",
                "description": skill.description,
            }
            for skill, one in hits
        ]
        print_rows((Column("name"), Column("fits", is_right=True)), "description", rows)
    if not hits:
        if not as_json:
            say(f"None of {count(len(shelf.skills), 'skill')} fits {' '.join(words)!r}.")
        raise SystemExit(1)


async def _rows(desk: Desk, shelf: Shelf) -> list[dict[str, Any]]:
    standings = await _standings(desk, shelf)
    versions = await _versions(desk)
    rows: list[dict[str, Any]] = []
    for skill in shelf.skills:
        standing = standings.get(skill.name)
        row = _without_standing(skill, standing.state if standing else "")
        row["version"] = versions.get(desk.skills.path_of(skill) or "")
        row["problem"] = obstacle(skill, desk.toolsets)
        if standing is not None:
            row |= {
                "confidence": standing.confidence,
                "uses": standing.uses,
                "last_used": standing.last_used,
            }
        rows.append(row)
    return rows


def _without_standing(skill: Skill, state: str) -> dict[str, Any]:
    return {
        "name": skill.name,
        "category": skill.category,
        "version": None,
        "origin": skill.origin,
        "state": state,
        "pinned": skill.is_pinned,
        "confidence": None,
        "uses": 0,
        "last_used": None,
        "description": skill.description,
        "path": str(skill.path),
        "problem": "",
        "problems": skill.problems,
    }


def _broken_row(broken: Broken) -> dict[str, Any]:
    name, folder = broken.path.name, broken.path
    skill = Skill(name, "", "", folder)
    return {**_without_standing(skill, "broken"), "problem": broken.problem, "origin": None}


async def _standings(desk: Desk, shelf: Shelf) -> dict[str, Standing]:
    try:
        return await desk.skills.standings(shelf)
    except StoreError as error:
        say(f"Without the record of uses: {error}")
        return {}


async def _versions(desk: Desk) -> dict[str, int]:
    """The newest version's number by path; none where there is no history."""
    try:
        histories = await desk.skills.repository.histories()
    except HermesError:
        return {}
    return {path: versions[0].number for path, versions in histories.items()}


def _as_json(row: Mapping[str, Any]) -> dict[str, Any]:
    confidence = row["confidence"]
    return {**row, "confidence": confidence and confidence_as_json(confidence)}


_COLUMNS = (
    Column("name"),
    Column("version", is_right=True, rank=4),
    Column("from", rank=3),
    Column("state"),
    Column("conf", is_right=True, rank=2),
    Column("uses", is_right=True, rank=1),
    Column("last used", rank=5),
)


def _print_list(rows: Sequence[Mapping[str, Any]]) -> None:
    told: list[dict[str, str]] = []
    for row in rows:
        state = "pinned" if row["pinned"] and row["state"] == "active" else row["state"] or "-"
        text = row["description"]
        if row["problem"] and row["state"] == "broken":
            text = row["problem"]
        elif row["problem"]:
            state, text = "left out", f"{_left_out(row['problem'])} {text}"
        told.append(
            {
                "name": row["name"],
                "version": f"v{row['version']}" if row["version"] else "-",
                "from": row["origin"] or "-",
                "state": state,
                "conf": f"{row['confidence'].mean:.2f}" if row["confidence"] else "-",
                "uses": f"{row['uses']}",
                "last used": day(row["last_used"]),
                "description": text,
                "category": row["category"],
            }
        )
    is_grouped = len({row["category"] for row in told}) > 1
    print_rows(_COLUMNS, "description", told, by="category" if is_grouped else "")


def _left_out(problem: str) -> str:
    """`left out: it needs web, …` of why a skill cannot be used here."""
    return f"left out: {problem[0].lower()}{problem[1:]}"


def _nothing(shelf: Shelf, category: str) -> str:
    if not category:
        return "There are no skills yet. Write one with `hermes skills new NAME`."
    known = sorted({skill.category for skill in shelf.skills if skill.category})
    return f"No skill is in the category {category!r}. There is: {', '.join(known) or 'none'}."


def _say_what_is_left_out(desk: Desk, shelf: Shelf) -> None:
    for broken in shelf.broken:
        say_wrapped(f"! {shown(broken.path)}: {broken.problem}")
    # One's own copy of a skill that came with Hermes is meant to take its place.
    shadowed = [one.name for one in shelf.hidden if one.origin != "bundled"]
    left = [("shadowed by another of the same name", shadowed)]
    left.append(("archived", [one.name for one in desk.archived()]))
    for why, names in left:
        if names:
            say_wrapped(f"Not listed, because {why}: {listed(names)}. --all lists them too.")


async def _facts(desk: Desk, skill: Skill) -> dict[str, Any]:
    from hermes_tui.learning.evaluation.files import told_evidence  # 60 ms a list need not pay

    shelf = Shelf((skill,))
    standing = (await _standings(desk, shelf)).get(skill.name)
    row = _without_standing(skill, standing.state if standing else "")
    row["version"] = (await _versions(desk)).get(desk.skills.path_of(skill) or "")
    row["problem"] = obstacle(skill, desk.toolsets)
    if standing is not None:
        row |= {
            "confidence": standing.confidence,
            "uses": standing.uses,
            "last_used": standing.last_used,
        }
    uses = await desk.store.skill_uses.of(skill.name) if desk.store else ()
    row["outcomes"] = outcomes_of(uses)
    row["trusted"] = open_trust(desk.paths).is_trusted(skill)
    row["evidence"] = told_evidence(desk.paths.evals_dir, skill)
    row["metadata"] = skill.metadata
    return row


def _print_facts(desk: Desk, skill: Skill, facts: Mapping[str, Any], files: Sequence[str]) -> None:
    outcomes = ", ".join(_counted(number, what) for what, number in facts["outcomes"].items())
    uses = count(facts["uses"], "time") if facts["uses"] else "never"
    if facts["last_used"]:
        uses += f", last on {day(facts['last_used'])}"
    state = "left out" if facts["problem"] else facts["state"] or "not known"
    body = body_of(skill)
    commands = shell_commands(body)
    gaps = [
        name if default is None else f"{name}={default}" for name, default in slots(body).items()
    ]
    rows = [
        ("version", f"v{facts['version']}" if facts["version"] else "none kept"),
        ("from", _ORIGINS[skill.origin]),
        ("state", state + (", pinned" if skill.is_pinned else "")),
        ("confidence", str(facts["confidence"] or "not known")),
        ("used", uses + (f": {outcomes}" if outcomes else "")),
        ("evidence", facts["evidence"]),
        ("folder", shown(skill.path)),
        ("files", ", ".join(files)),
        ("arguments", ", ".join(gaps)),
        ("runs", ", ".join(f"`{one}`" for one in commands)),
        ("trusted", "yes, until it changes" if facts["trusted"] else "no" if commands else ""),
        ("left out", facts["problem"]),
        *(("to mend", problem) for problem in skill.problems),
    ]
    print_line(skill.name)
    for name, value in rows:
        if value:
            print_line(f"  {name:<11} {value}")


def _counted(number: int, outcome: str) -> str:
    plurals = {"success": "successes", "failure": "failures", "correction": "corrections"}
    return f"{number:,} {outcome if number == 1 else plurals.get(outcome, outcome)}"


_ORIGINS = {
    "person": "you",
    "agent": "Hermes",
    "hub": "somebody else; it was installed",
    "bundled": "Hermes's makers",
    "foreign": "another tool of yours",
    "project": "the project you are in",
}


async def _show_version(
    desk: Desk, name: str, version: str, with_files: bool, as_json: bool
) -> None:
    await desk.adopt()
    files = await desk.skills.repository.files(await desk.path(name), version)
    texts = {path: _decoded(content) for path, content in files.items()}
    text = texts.pop(FILE, "")
    if as_json:
        print_json(
            {
                "name": name,
                "version": version.removeprefix("v"),
                "text": text,
                "files": texts if with_files else sorted(texts),
            }
        )
        return
    print_line(text.rstrip("\n"))
    if with_files:
        _print_files(texts)


def _file(path: Path) -> str:
    try:
        with path.open("rb") as opened:
            return _decoded(opened.read(SHOWN_FILE_BYTES + 1))
    except OSError as error:
        return f"(cannot be read: {error.strerror})"


def _decoded(content: bytes) -> str:
    if len(content) > SHOWN_FILE_BYTES:
        return f"(more than {SHOWN_FILE_BYTES:,} bytes)"
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return f"({len(content):,} bytes that are no text)"


def _print_files(files: Mapping[str, str]) -> None:
    ink = Ink(sys.stdout)
    for path, text in sorted(files.items()):
        sys.stdout.write(f"\n{ink.accent(visible(f'── {path}'))}\n")
        print_line(text.rstrip("\n"))
