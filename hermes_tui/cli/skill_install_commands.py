"""`hermes skills install`, `update` and `validate`: skills from elsewhere."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio.to_thread

from hermes_tui.cli.diagnostics import ExitCode, Ink
from hermes_tui.cli.printing import count, print_json, print_line, say
from hermes_tui.cli.skill_desk import Desk, listed
from hermes_tui.cli.skill_review_text import as_json as review_as_json
from hermes_tui.cli.skill_review_text import show, why_not
from hermes_tui.config.paths import shown
from hermes_tui.core.errors import ConfigError, NotFoundError, RefusedError
from hermes_tui.runtime.skills import open_installer, open_trust
from hermes_tui.safety.terminal_text import visible
from hermes_tui.skills.git_source import with_ref
from hermes_tui.skills.install import Installer
from hermes_tui.skills.library import Shelf
from hermes_tui.skills.review import Review
from hermes_tui.skills.skill import FILE
from hermes_tui.skills.sources import is_bare, parse_source
from hermes_tui.skills.validation import Verdict, validate

HASH_SHOWN = 12


async def install(
    desk: Desk, source: str, name: str, yes: bool, dry_run: bool, as_json: bool
) -> None:
    """Look through the skills `source` holds, and install what the person agrees to.

    What is blocked is never installed from here, also not with `yes`; nor does `yes` replace a
    skill that came from somewhere else. Ends with 1 when some of it was left out.

    Raises:
        ConfigError: the source is no place to install from, is damaged or too large.
        NotFoundError: there is no such place, or no skill in it.
        RefusedError: nothing in it can be installed, or nobody agreed.
    """
    _check_json(yes=yes, dry_run=dry_run, as_json=as_json)
    installer = open_installer(desk.paths, desk.skills)
    wanted = parse_source(source, os.environ)
    if is_bare(source):
        wanted = await with_ref(wanted)
    say(f"Fetching {wanted}")
    look = await installer.look(wanted, name=name, progress=_progress())
    for review in look.reviews:
        if not (as_json or review.is_current):
            show(review)
    for stray in look.strays:
        say(f"! Left out: {stray}")
    await _settle(desk, installer, look.reviews, yes=yes, dry_run=dry_run, as_json=as_json)


async def update(desk: Desk, names: Sequence[str], yes: bool, dry_run: bool, as_json: bool) -> None:
    """Look whether skills from elsewhere have changed there, and take what is agreed to.

    Raises:
        NotFoundError: one of `names` is no skill, or did not come from elsewhere.
        RefusedError: nothing of it can be installed, or nobody agreed.
    """
    _check_json(yes=yes, dry_run=dry_run, as_json=as_json)
    installer = open_installer(desk.paths, desk.skills)
    installed = await installer.installed(names)
    if not installed:
        say("No skill was installed from elsewhere.")
    reviews, failed = await installer.look_again(installed, progress=_progress())
    for review in reviews:
        if not (as_json or review.is_current):
            show(review)
    for line in failed:
        say(f"! {line}")
    await _settle(desk, installer, reviews, yes=yes, dry_run=dry_run, as_json=as_json)
    if failed:
        raise SystemExit(ExitCode.FAILED)


async def check(desk: Desk, targets: Sequence[str], as_json: bool) -> None:
    """Check skills, named or by their folders, against the standard; ends with 1 on errors.

    Raises:
        NotFoundError: there is no such skill or folder.
    """
    shelf = await desk.skills.shelf()

    def judge() -> list[Verdict]:
        return [validate(folder) for folder in _folders(shelf, desk.skills.folder, targets)]

    verdicts = await anyio.to_thread.run_sync(judge)
    if as_json:
        print_json([_verdict_as_json(verdict) for verdict in verdicts])
    else:
        for verdict in verdicts:
            _print_verdict(verdict)
        bad = sum(1 for verdict in verdicts if verdict.errors)
        result = f"{bad:,} with errors" if bad else "all as the standard asks"
        say(f"{count(len(verdicts), 'skill')} checked: {result}.")
    if any(verdict.errors for verdict in verdicts):
        raise SystemExit(ExitCode.FAILED)


async def _settle(
    desk: Desk,
    installer: Installer,
    reviews: Sequence[Review],
    *,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Install what can be and is agreed to; name what is left out."""
    chosen, left = _sorted_out(desk, reviews, yes=yes)
    for review in reviews:
        if review.is_current:
            say(f"{review.name} is up to date.")
    for line in left:
        say(f"! Left out: {line}")
    installed: dict[str, int] = {}
    try:
        if chosen and not dry_run:
            await _agree(desk, chosen, yes=yes)
            for review in chosen:
                installed[review.name] = await _take(desk, installer, review, yes=yes)
    finally:
        if as_json:
            print_json([review_as_json(review, installed) for review in reviews])
    if left and not chosen:
        more = "more " if any(review.is_current for review in reviews) else ""
        raise RefusedError(f"Nothing {more}of it was installed.", hint=_way_out(desk, reviews))
    if dry_run:
        say("Nothing was changed; run it again without --dry-run.")
    if left:
        raise SystemExit(ExitCode.FAILED)


def _way_out(desk: Desk, reviews: Sequence[Review]) -> str:
    """What to do where nothing could be installed."""
    if all(review.is_current or review.can_install for review in reviews):
        return "Leave --yes out to replace what you have, or give it another --name."
    if any(review.blocked and not review.is_current for review in reviews):
        return (
            "If you know better, look at it and copy its folder into "
            f"{shown(desk.skills.folder)} yourself."
        )
    return "What is left out has to be mended where it comes from."


def _sorted_out(
    desk: Desk, reviews: Sequence[Review], *, yes: bool
) -> tuple[list[Review], list[str]]:
    """What can be installed, and of the rest why not."""
    chosen: list[Review] = []
    left: list[str] = []
    for review in reviews:
        if review.is_current:
            continue
        if not review.can_install:
            left.append(f"{review.name}: {why_not(review)}")
        elif yes and _is_somebody_elses(desk, review):
            left.append(
                f"{review.name}: the one you have did not come from there, and --yes does not "
                "replace it; leave --yes out, or give the new one another --name."
            )
        else:
            chosen.append(review)
    return chosen, left


async def _agree(desk: Desk, reviews: Sequence[Review], *, yes: bool) -> None:
    named = ", ".join(f"{review.name} (tree {review.tree[:HASH_SHOWN]})" for review in reviews)
    own = [review.name for review in reviews if _is_somebody_elses(desk, review)]
    question = f"Install {named}?"
    if own:
        question += f" What you have under the name {listed(own)} is replaced (roll back with git)."
    await desk.agree(question, yes=yes, refused="Nothing was installed.")


async def _take(desk: Desk, installer: Installer, review: Review, *, yes: bool) -> int:
    """Install one skill; the number of its version."""
    was_trusted = review.replaces is not None and await anyio.to_thread.run_sync(
        open_trust(desk.paths).is_trusted, review.replaces
    )
    version = await installer.install(review, approved=review.tree)
    number = f" as version {version.number}" if version.number else ""
    say(f"Installed {review.name}{number}, tree {review.tree[:HASH_SHOWN]}.")
    desk.warn_without_history()
    if yes and review.findings:
        say(f"! {count(len(review.findings), 'warning')} about it accepted by --yes.")
    if was_trusted:
        say(f"! It is no longer trusted; see `hermes skills trust {review.name}`.")
    return version.number


def _is_somebody_elses(desk: Desk, review: Review) -> bool:
    """Whether it replaces a skill in the person's folder that did not come from that source."""
    old = review.replaces
    return old is not None and desk.skills.path_of(old) is not None and not review.comes_from_there


def _folders(shelf: Shelf, own: Path, targets: Sequence[str]) -> list[Path]:
    """The folders of the skills that are meant: all in `own`, or those named."""
    if not targets:
        return _skills_below(own)
    known = {one.path.name: one.path for one in shelf.broken}
    known |= {skill.name: skill.path for skill in shelf.skills}
    found: list[Path] = []
    for target in targets:
        path = Path(target).expanduser()
        if "/" not in target and target in known:
            found.append(known[target])
        elif path.is_dir() and not (path / FILE).exists():
            found += _skills_below(path) or [path]
        elif path.exists():
            found.append(path)
        elif "/" in target:
            raise NotFoundError(f"There is no folder {target!r}.", hint="Check the path.")
        else:
            found.append(shelf.get(target).path)
    return found


def _skills_below(folder: Path) -> list[Path]:
    found = (file.parent for file in folder.rglob(FILE))
    return sorted(
        one for one in found if not any(p.startswith(".") for p in one.relative_to(folder).parts)
    )


def _print_verdict(verdict: Verdict) -> None:
    ink = Ink(sys.stdout)
    mark = ink.error("✗") if verdict.errors else ink.good("✓")
    sys.stdout.write(f"{mark} {visible(shown(verdict.path))}\n")
    for error in verdict.errors:
        print_line(f"    error    {error}")
    for warning in verdict.warnings:
        print_line(f"    warning  {warning}")


def _verdict_as_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "name": verdict.path.name,
        "path": str(verdict.path),
        "valid": not verdict.errors,
        "errors": verdict.errors,
        "warnings": verdict.warnings,
    }


def _check_json(*, yes: bool, dry_run: bool, as_json: bool) -> None:
    if as_json and not (yes or dry_run):
        raise ConfigError(
            "With --json nobody gets to look at it before it is installed.",
            hint="Add --dry-run to look, then --yes to install.",
        )


def _progress() -> Any:
    """Says on a terminal how much has come; None elsewhere."""
    if not sys.stderr.isatty():
        return None

    async def tell(size: int) -> None:
        sys.stderr.write(f"\r{size / 2**20:.1f} MB\x1b[K\r")
        sys.stderr.flush()

    return tell
