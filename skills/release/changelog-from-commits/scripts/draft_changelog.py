#!/usr/bin/env python3
"""Draft a changelog from the commits between two revisions, one line per commit.

Usage: draft_changelog.py FROM [TO]
Groups by conventional type, breaking changes first; a commit and its revert are listed together.
Every commit that is no merge appears exactly once.
"""

import re
import subprocess
import sys

GROUPS = (
    ("Breaking", ()),
    ("Security", ("security",)),
    ("Added", ("feat",)),
    ("Changed", ("perf", "change")),
    ("Fixed", ("fix",)),
    ("Removed", ("remove",)),
    ("Reverts: list neither side", ()),
    ("Without a type: read the diff", ()),
    ("Probably not for users",
     ("refactor", "test", "tests", "docs", "build", "ci", "style", "chore")),
)  # fmt: skip
SUBJECT = re.compile(
    r"(?P<type>[a-zA-Z]+)(?:\((?P<scope>[^)]*)\))?(?P<breaking>!)?:\s+(?P<text>.+)"
)


def commits(begin: str, end: str) -> "list[tuple[str, str, str]]":
    """Id, subject and body of each, oldest first."""
    command = ["git", "log", "--no-merges", "--reverse", "--format=%h%x1f%s%x1f%b%x1e"]
    done = subprocess.run([*command, f"{begin}..{end}"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr.strip())
    records = (record.strip("\n") for record in done.stdout.split("\x1e"))
    return [tuple(record.split("\x1f", 2)) for record in records if record]


def group_of(subject: str, body: str, reverted: bool) -> str:
    match = SUBJECT.fullmatch(subject)
    if reverted or subject.startswith("Revert "):
        return "Reverts: list neither side"
    if (match and match["breaking"]) or re.search(r"^BREAKING[ -]CHANGE:", body, re.MULTILINE):
        return "Breaking"
    if match is None:
        return "Without a type: read the diff"
    kind = match["type"].lower()
    return next((name for name, kinds in GROUPS if kind in kinds), "Without a type: read the diff")


def line(sha: str, subject: str, body: str) -> str:
    match = SUBJECT.fullmatch(subject)
    text = subject
    if match:
        text = f"{match['scope']}: {match['text']}" if match["scope"] else match["text"]
    numbers = dict.fromkeys(re.findall(r"#\d+", body))
    more = " ".join(number for number in numbers if number not in text)
    return f"- {text} ({' '.join(filter(None, (more, sha)))})"


def main() -> None:
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    found = commits(sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else "HEAD")
    undone = {sha for _, _, body in found
              for sha in re.findall(r"This reverts commit ([0-9a-f]{7,40})", body)}  # fmt: skip
    grouped = {name: [] for name, _ in GROUPS}
    for sha, subject, body in found:
        reverted = any(whole.startswith(sha) for whole in undone)
        grouped[group_of(subject, body, reverted)].append(line(sha, subject, body))
    for name, lines in grouped.items():
        if lines:
            print(f"## {name}\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
