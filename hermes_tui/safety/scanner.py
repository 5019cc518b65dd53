"""What may not be written into memory or a skill, and what deserves a second look.

Both are read back as part of the prompt, so text that speaks to the model, hides from the
person, or carries a secret has no place there. The rules know wordings, not meanings: they
are one layer, below the approval a person gives. Regular expressions are compiled on first use.
"""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from hermes_tui.safety.scan_forms import decoded, forms, hidden
from hermes_tui.safety.scan_quotes import without_reports
from hermes_tui.safety.scan_rules import (
    MARKERS,
    OVERRIDE,
    ROLE_TURN,
    SECRETS,
    WORDINGS,
    Rule,
    compiled,
)

Severity = Literal["block", "warn"]
EXCERPT_CHARS = 60
_STANDS_FOR = (
    r"(?i:x{4}|\.\.\.|…|example|placeholder|redacted|your[_-]|changeme|\*{3}|environ\b|getenv|"
    r"process\.env|^(?:password|postgres|secret|admin|guest|hunter2)$)|^(?:\w+\.)*[A-Z][A-Z0-9]*_[A-Z0-9_]*$"
)
"""Names of secrets, and what manuals write in place of them."""


class Finding(Struct, frozen=True):
    """One thing a text should not hold."""

    kind: str
    """`hidden`, `look-alike`, `marker`, `secret`, `override`, `exfiltration`, `encoded`,
    `oversize`, or what a warning is about."""
    severity: Severity
    excerpt: str
    """Where it is; of a secret only how it begins."""
    reason: str
    """A sentence for the person or the model."""


def scan(text: str, *, limit: int | None = None) -> tuple[Finding, ...]:
    """Everything wrong with `text`; nothing for text that may be written.

    Args:
        limit: Most characters it may have; longer text is not looked into.
    """
    if limit is not None and len(text) > limit:
        reason = f"It has {len(text):,} characters; at most {limit:,} are taken."
        return (Finding("oversize", "block", short(text), reason),)
    found = [Finding(kind, "block", excerpt, reason) for kind, excerpt, reason in hidden(text)]
    found += _secrets(text)
    found += _worded(text)
    if not blocks(found):
        found += _encoded(text)
    found.sort(key=lambda one: one.severity)  # what blocks first, so that no warning stands for it
    return tuple({(one.kind, one.reason): one for one in reversed(found)}.values())[::-1]


def blocks(findings: Sequence[Finding]) -> list[Finding]:
    """Those of `findings` that forbid writing."""
    return [finding for finding in findings if finding.severity == "block"]


def is_blocked(text: str) -> bool:
    return bool(blocks(scan(text)))


def _secrets(text: str) -> list[Finding]:
    found: list[Finding] = []
    for rule in SECRETS:
        for match in compiled(rule.pattern).finditer(text):
            value = match[match.lastindex or 0]
            if _is_placeholder(value):
                continue
            found.append(Finding("secret", "block", f"{value[:4]}…", rule.reason))
    return found


def _is_placeholder(value: str) -> bool:
    """Whether a value stands for a secret rather than being one."""
    inner = value.strip("'\"")
    return (
        inner.startswith(("$", "<", "{", "%", "[", "("))
        or len(set(inner)) < 6
        or compiled(_STANDS_FOR).search(inner) is not None
    )


def _worded(text: str) -> list[Finding]:
    """What the words say, in the text as it is and as a model would also understand it."""
    found: list[Finding] = []
    for rule in MARKERS:
        found += _matches(rule, text)
    found += _matches(ROLE_TURN, text)
    shown = forms(text)
    for form in shown.readable:
        for rule in WORDINGS:
            found += _matches(rule, form)
    for rule in OVERRIDE:
        pattern = compiled(rule.pattern)
        for form in shown.squashed:
            if match := pattern.search(form):
                severity: Severity = rule.severity
                if severity == "block" and not _is_told(rule, without_reports(rule, text)):
                    severity = "warn"
                found.append(Finding(rule.kind, severity, short(match[0]), rule.reason))
                break
    return found


def _matches(rule: Rule, text: str) -> list[Finding]:
    match = compiled(rule.pattern).search(text)
    if match is None:
        return []
    severity: Severity = rule.severity
    if rule.quotable == "reported" and severity == "block":
        outside = without_reports(rule, text)
        if outside != text and not compiled(rule.pattern).search(outside):
            severity = "warn"
    if rule.quotable == "code" and not compiled(rule.pattern).search(
        compiled(r"(?s)```.*?```|`[^`\n]*`").sub(" ", text)
    ):
        severity = "warn"
    return [Finding(rule.kind, severity, short(match[0]), rule.reason)]


def _is_told(rule: Rule, text: str) -> bool:
    """Whether a rule for letters only matches `text` in any of its forms."""
    return any(compiled(rule.pattern).search(form) for form in forms(text).squashed)


def _encoded(text: str) -> list[Finding]:
    found: list[Finding] = []
    for form, plain in decoded(text):
        hard = blocks(_worded(plain))
        if form in {"base64", "hexadecimal"}:
            hard += _secrets(plain)
        if hard:
            reason = f"It hides text in {form} that may not be written: {hard[0].reason}"
            found.append(Finding("encoded", "block", short(plain), reason))
    return found


def short(text: str) -> str:
    """The beginning of `text` on one line."""
    line = " ".join(text.split())
    return line if len(line) <= EXCERPT_CHARS else f"{line[: EXCERPT_CHARS - 1]}…"
