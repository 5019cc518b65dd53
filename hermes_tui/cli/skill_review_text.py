"""How a skill from elsewhere is shown to the person who is to judge it."""

import sys
from collections.abc import Mapping
from typing import Any

from hermes_tui.cli.diagnostics import Ink
from hermes_tui.cli.printing import count, print_line
from hermes_tui.cli.skill_desk import print_diff
from hermes_tui.config.paths import shown
from hermes_tui.safety.terminal_text import visible
from hermes_tui.skills.review import Finding, Review

MAX_SHOWN = 40
"""Files or findings of a skill that are printed; of more only the number is said."""
MAX_DIFF_CHARS = 60_000


def why_not(review: Review) -> str:
    if review.faults:
        return " ".join(review.faults)
    first = review.blocked[0]
    where = shown(review.folder) if review.folder else ""
    rest = f" (and {len(review.blocked) - 1} more)" if len(review.blocked) > 1 else ""
    return f"{first.path}:{first.line}: {first.reason}{rest} It stays in {where}."


def show(review: Review) -> None:
    """Print what the person judges by."""
    ink = Ink(sys.stdout)
    sys.stdout.write(f"{ink.accent(visible(review.name))}  {visible(review.source)}\n")
    if review.description:
        print_line(f"  {review.description}")
    for fault in review.faults:
        sys.stdout.write(f"  {ink.error('refused')}  {visible(fault)}\n")
    if review.folder is not None:
        size = sum(file.bytes for file in review.files)
        print_line(
            f"  {count(len(review.files), 'file')}, {size:,} bytes, tree {review.tree}\n"
            f"  to look at: {shown(review.folder)}"
        )
    _show_files(review)
    for problem in review.problems:
        print_line(f"  note     {problem}")
    _show_findings(ink, review)
    if review.diff:
        print_diff(review.diff[:MAX_DIFF_CHARS])
        if len(review.diff) > MAX_DIFF_CHARS:
            print_line("The diff is longer than that; compare the folders.")


def _show_files(review: Review) -> None:
    for file in review.files[:MAX_SHOWN]:
        kind = "" if file.kind == "text" else f"  {file.kind}"
        print_line(f"    {file.bytes:>9,}  {file.path}{kind}")
    if (rest := len(review.files) - MAX_SHOWN) > 0:
        print_line(f"    and {count(rest, 'more file')}")


def _show_findings(ink: Ink, review: Review) -> None:
    findings = sorted(review.findings, key=lambda one: one.severity)
    for finding in findings[:MAX_SHOWN]:
        _show_finding(ink, finding)
    if (rest := len(findings) - MAX_SHOWN) > 0:
        print_line(f"  and {count(rest, 'more finding')}")


def _show_finding(ink: Ink, finding: Finding) -> None:
    mark = ink.error("BLOCKED") if finding.severity == "block" else ink.warn("warning")
    place = f"{finding.path}:{finding.line}" if finding.line else finding.path
    excerpt = f"  {finding.excerpt!r}" if finding.excerpt else ""
    sys.stdout.write(f"  {mark}  {visible(f'{place}  {finding.reason}{excerpt}')}\n")


def as_json(review: Review, installed: Mapping[str, int]) -> dict[str, Any]:
    """A review as `--json` prints it.

    Args:
        installed: Numbers of the versions just made, by name.
    """
    return {
        "name": review.name,
        "description": review.description,
        "source": review.source,
        "tree": review.tree,
        "folder": str(review.folder) if review.folder else None,
        "files": review.files,
        "findings": review.findings,
        "problems": review.problems,
        "faults": review.faults,
        "replaces": review.replaces is not None,
        "up_to_date": review.is_current,
        "diff": review.diff,
        "installed": review.name in installed,
        "version": installed.get(review.name),
    }
