"""What keeps a text from being a skill: a diary, a single case, a lesson from a broken machine.

Applies to what Hermes writes by itself. People may write what they like.
"""

import re
from functools import cache

from msgspec import Struct

MIN_BODY_CHARS = 200
MAX_BODY_CHARS = 12_000
MIN_DESCRIPTION_CHARS = 30


class Draft(Struct, frozen=True):
    """A skill as somebody wants it written."""

    name: str
    description: str
    body: str
    files: dict[str, str] = {}
    """Beside `SKILL.md`, by path below the skill's folder, e.g. `scripts/check.sh`."""


def faults(draft: Draft) -> list[str]:
    """Why `draft` is no general procedure, a sentence each; empty when it is one."""
    found: list[str] = []
    body = draft.body.strip()
    if len(draft.description) < MIN_DESCRIPTION_CHARS:
        found.append("The description does not say what it does and when to use it.")
    if len(body) < MIN_BODY_CHARS:
        found.append("The body is too short to be a procedure.")
    if len(body) > MAX_BODY_CHARS:
        found.append(f"The body has {len(body):,} characters; at most {MAX_BODY_CHARS:,} are read.")
    if not re.search(r"^(?:\d+[.)]|[-*]) ", body, re.MULTILINE):
        found.append("It has no steps.")
    if not re.search(r"\b(?:verif|check|confirm|prove|test|expect)", body, re.IGNORECASE):
        found.append("It does not say how to verify the result.")
    whole = f"{draft.description}\n{body}"
    found += [reason for reason, pattern in _patterns() if pattern.search(whole)]
    return found


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    def form(text: str) -> re.Pattern[str]:
        return re.compile(text, re.IGNORECASE)

    return (
        (
            "It names a path of one machine.",
            form(r"(?<![\w./])(?:/home/(?!user\b|you\b|<)[\w.-]+|/Users/[\w.-]+|/tmp/tmp\w+)"),
        ),
        (
            "It names a day.",
            form(r"\b20\d\d-[01]\d-[0-3]\d\b|\b(?:yesterday|this morning|last week)\b"),
        ),
        (
            "It names one object by its number.",
            form(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-|\b(?=[a-f]*\d)[0-9a-f]{24,64}\b"),
        ),
        (
            "It tells what was done instead of what to do.",
            form(r"\b(?:I|we) (?:ran|tried|noticed|fixed|found|did|then|first|had|was|were)\b"),
        ),
        (
            "It takes a fault of one machine for a rule.",
            form(
                r"\b(?:is|are|was|were) (?:not|n't) (?:installed|available|supported|working) "
                r"(?:here|on this|in this)|\b(?:does(?: not|n't)|can(?:not|'t)) work "
                r"(?:here|on this|in this)|\bcommand not found\b|\bpermission denied, so\b"
            ),
        ),
    )
