"""The message of a skill's commit: a subject, then trailers (git-interpret-trailers)."""

import math
import re
import unicodedata
from typing import cast, get_args

from msgspec import Struct

from hermes_tui.skills.versions import Action, Change

SUBJECT_COLUMNS = 72
_CONFIDENCE = re.compile(r"(\d(?:\.\d+)?) -> (\d(?:\.\d+)?)")


class Stated(Struct, frozen=True):
    """What a message says."""

    skill: str
    number: int
    """0 where it names none."""
    action: Action
    reason: str
    session: str
    outcome: str
    confidence: tuple[float, float] | None


def commit_message(change: Change, number: int) -> str:
    """The message that makes `change` version `number`; every value on a line of its own."""
    reason = one_line(change.reason)
    subject = f"{change.action} {change.skill}" + (f": {reason}" if reason else "")
    if len(subject) > SUBJECT_COLUMNS:
        subject = subject[: SUBJECT_COLUMNS - 1] + "…"
    fields = {
        "Skill": change.skill,
        "Skill-Version": str(number),
        "Action": change.action,
        "Reason": reason,
        "Session-Id": one_line(change.session),
        "Outcome": one_line(change.outcome),
        "Confidence": _confidence_text(change.confidence),
    }
    trailers = "".join(f"{name}: {value}\n" for name, value in fields.items() if value)
    return f"{subject}\n\n{trailers}"


def stated(message: str) -> Stated | None:
    """What the last paragraph of `message` says; None where it names no skill."""
    paragraph = message.rstrip().rpartition("\n\n")[2]
    fields: dict[str, str] = {}
    for line in paragraph.split("\n"):
        name, found, value = line.partition(": ")
        if found:
            fields.setdefault(name, value.strip())
    skill = fields.get("Skill", "")
    if not skill:
        return None
    number, action = fields.get("Skill-Version", ""), fields.get("Action", "")
    return Stated(
        skill=skill,
        number=int(number) if re.fullmatch(r"[0-9]{1,9}", number) else 0,
        action=cast("Action", action) if action in get_args(Action) else "edit",
        reason=fields.get("Reason", ""),
        session=fields.get("Session-Id", ""),
        outcome=fields.get("Outcome", ""),
        confidence=_confidence(fields.get("Confidence", "")),
    )


def one_line(text: str) -> str:
    """`text` without line ends, control characters and half characters, spaces single."""
    plain = "".join(" " if unicodedata.category(each) in {"Cc", "Cs"} else each for each in text)
    return " ".join(plain.split())


def _confidence_text(confidence: tuple[float, float] | None) -> str:
    if confidence is None or not all(math.isfinite(value) for value in confidence):
        return ""
    before, after = (min(max(value, 0.0), 1.0) for value in confidence)
    return f"{before:.2f} -> {after:.2f}"


def _confidence(text: str) -> tuple[float, float] | None:
    match = _CONFIDENCE.fullmatch(text)
    return (float(match[1]), float(match[2])) if match else None
