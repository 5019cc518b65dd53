"""The write scan for files somebody else wrote: what was found, line by line.

A skill is instructions with scripts, so more deserves a look than in a memory: root's rights,
deletion, other programs' settings, text that only shows in the source.
"""

import re
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from hermes_tui.core.fences import marked
from hermes_tui.safety.scan_rules import Rule, compiled
from hermes_tui.safety.scanner import Finding, Severity, blocks, scan, short

Language = Literal["markdown", "code"]

WINDOW_LINES = 120
OVERLAP_LINES = 10
PIECE_CHARS = 4_000
"""Of a longer line."""
OVERLAP_CHARS = 400
MAX_WARNINGS = 100
"""Of a text; more of them say nothing more. What blocks is counted without bound."""

_SETTINGS = (
    r"(?:claude|agents|gemini|soul|memory|user)\.md\b|\.(?:hermes|claude|codex|cursor|gemini)/|"
    r"\.cursorrules\b|copilot-instructions\b|mcp\.json\b|skills-trust\.json\b"
)
RULES: tuple[Rule, ...] = (
    Rule(
        "encoded",
        r"\b(?:base64\s+(?:-d|-D|--decode)|xxd\s+-r|openssl\s+(?:base64|enc)\b[^\n|]*\s-d)[^\n|]*\|\s*"
        r"(?:sudo\s+)?(?:(?:ba|z|da|k)?sh|python3?|perl|ruby|node)\b"
        r"|\b(?:exec|eval)\s*\(\s*(?:[\w.]+\(\s*){0,4}(?:base64\.\w*decode|b64decode|codecs\.decode|"
        r"zlib\.decompress|bytes\.fromhex|marshal\.loads|atob|Buffer\.from)\b",
        "It decodes something and runs it.",
    ),
    Rule(
        "remote",
        r"/dev/(?:tcp|udp)/[\w.$-]+/|\b(?:nc|ncat|netcat)\b[^\n]*\s-(?:e|c)\s*\S*sh\b"
        r"|\bsocat\b[^\n]*exec:|\bpty\.spawn\s*\(",
        "It opens a shell to another machine.",
    ),
    Rule(
        "privilege",
        r"(?m)(?:^|[|;&(`$]|\bthen|\bdo)\s*(?:sudo|doas|pkexec)\s",
        "It asks for the rights of root.",
        "warn",
    ),
    Rule(
        "deletion",
        r"\brm\s+(?:-\S+\s+)*-\w*r\w*\b|\bshutil\.rmtree\s*\(|\bmkfs\b|\bdd\s+[^\n]*\bof=/dev/",
        "It deletes more than one file.",
        "warn",
    ),
    Rule(
        "credentials",
        r"(?:~|\$home|\$\{home\}|/root|expanduser[^\n]{0,20})/?\.(?:ssh|aws|netrc|gnupg|kube|docker/config|"
        r"config/gcloud|npmrc|pypirc|git-credentials)\b|\bid_(?:rsa|ed25519)\b|/etc/shadow\b"
        r"|\blogin keychain\b|\bsecurity\s+find-\w+-password\b",
        "It names files that hold secrets.",
        "warn",
    ),
    Rule(
        "key",
        r"\b(?:curl|wget|http)\b[^\n]*(?:authorization|x-api-key|api-key)\s*:",
        "It sends a key along.",
        "warn",
    ),
    Rule(
        "agent",
        rf"(?:>>?|\btee\b|\bappend\w*|\badd\b|\bwrite\w*|\bedit\w*|\bmodif\w+|\bupdat\w+|\bcp\b|\bmv\b)"
        rf"[^\n]{{0,80}}(?:{_SETTINGS})",
        "It changes what agents are told or allowed.",
        "warn",
    ),
)
"""Matched against text in lower case, unless it says otherwise itself."""
MARKDOWN_RULES: tuple[Rule, ...] = (
    Rule(
        "comment",
        r"<!--",
        "It holds a comment that a rendered page does not show.",
        "warn",
    ),
    Rule(
        "shell",
        r"(?<![\w`])!`[^`\n]+`",
        "It runs a command when the skill is loaded, once the skill is trusted.",
        "warn",
    ),
)  # fmt: skip
LONG_CODE = Rule(
    "encoded", r"[A-Za-z0-9+/]{400,}={0,2}", "It holds a long encoded text.", "warn"
)  # fmt: skip


class Located(Struct, frozen=True):
    """A finding and where it is."""

    line: int
    """From 1; the first one of what spans several."""
    kind: str
    severity: Severity
    excerpt: str
    reason: str


class _Window(Struct, frozen=True):
    """Some lines in a row, blank ones left out."""

    lines: tuple[tuple[int, str, bool], ...]
    """Number, text, and whether it is inside fenced code."""

    @property
    def text(self) -> str:
        parts: list[str] = []
        for index, (_, line, is_code) in enumerate(self.lines):
            if is_code and index == 0:
                parts.append("```")
            parts.append(line)
        if self.lines[-1][2]:
            parts.append("```")
        return "\n".join(parts)

    def part(self, start: int, end: int) -> "_Window":
        return _Window(self.lines[start:end])


def scan_lines(text: str, *, language: Language) -> tuple[Located, ...]:
    """Everything in `text` that the write scan or the rules for skills know, in order.

    What is quoted in fenced code is judged as a quotation, in code everything is. Takes about
    5 µs per character.
    """
    found: dict[tuple[int, str, str], Located] = {}
    warnings = 0
    for window in _windows(text, language):
        is_full = warnings >= MAX_WARNINGS
        for one in (*_scanned(window, is_full), *_ruled(window, language, is_full)):
            key = (one.line, one.kind, one.reason)
            if one.severity == "block" or (key not in found and warnings < MAX_WARNINGS):
                warnings += one.severity == "warn"
                found[key] = one
    return tuple(sorted(found.values(), key=lambda one: (one.line, one.kind)))


def _windows(text: str, language: Language) -> Iterator[_Window]:
    text = text.removeprefix("\ufeff")
    lines = [piece for line in _lines(text, language) for piece in _pieces(*line)]
    start = 0
    while start < len(lines):
        end, size = start, 0
        while end < len(lines) and end - start < WINDOW_LINES and size < 2 * PIECE_CHARS:
            size += len(lines[end][1])
            end += 1
        yield _Window(tuple(lines[start:end]))
        if end == len(lines):
            return
        start = max(start + 1, end - OVERLAP_LINES)


def _lines(text: str, language: Language) -> Iterator[tuple[int, str, bool]]:
    if language == "code":
        for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
            if line.strip():
                yield number, line, True
        return
    for number, line in enumerate(marked(text), start=1):
        shown = line.info if line.kind == "open" else line.text.rstrip("\r\n")
        if line.kind == "code" and (mark := compiled(r"\s*(?:`{3,}|~{3,})").match(shown)):
            shown = shown[mark.end() :]  # inside other code, and no fence
        if line.kind != "close" and shown.strip():
            yield number, shown, line.kind == "code"


def _pieces(number: int, line: str, is_code: bool) -> Iterator[tuple[int, str, bool]]:
    step = PIECE_CHARS - OVERLAP_CHARS
    for start in range(0, max(len(line) - OVERLAP_CHARS, 1), step):
        yield number, line[start : start + PIECE_CHARS], is_code


def _scanned(window: _Window, only_blocks: bool) -> Iterator[Located]:
    """What the write scan finds in a window, each at its line.

    A line is judged by itself; what only shows across lines stands at the first of them.
    """
    whole = [
        one for one in scan(window.text) if not only_blocks or _located(0, one).severity == "block"
    ]
    if not whole:
        return
    told: set[tuple[str, str]] = set()
    overriding = {(one.kind, one.reason) for one in blocks(whole) if one.kind == "override"}
    for index, (number, _, _) in enumerate(window.lines):
        for one in scan(window.part(index, index + 1).text):
            # A quotation on one line does not speak for words across others.
            if one.severity == "block" or (one.kind, one.reason) not in overriding:
                told.add((one.kind, one.reason))
            yield _located(number, one)
    for one in whole:
        if (one.kind, one.reason) not in told:
            yield _located(_start(window, one), one)


def _located(number: int, one: Finding) -> Located:
    if one.kind == "secret":  # of somebody else: a leak, but not one of the person's
        return Located(number, one.kind, "warn", one.excerpt, "It holds what looks like a secret.")
    return Located(number, one.kind, one.severity, one.excerpt, one.reason)


def _start(window: _Window, sought: Finding) -> int:
    """The last line from which on it is still found."""
    low, high = 0, len(window.lines) - 1
    while low < high:
        middle = (low + high + 1) // 2
        found = scan(window.part(middle, len(window.lines)).text)
        if any(_is_same(one, sought) for one in found):
            low = middle
        else:
            high = middle - 1
    return window.lines[low][0]


def _is_same(one: Finding, sought: Finding) -> bool:
    same = (one.kind, one.reason) == (sought.kind, sought.reason)
    return same and (one.kind != "override" or one.severity == sought.severity)


def _ruled(window: _Window, language: Language, only_blocks: bool) -> Iterator[Located]:
    whole = "\n".join(line for _, line, _ in window.lines)
    lowered = whole.lower()
    for rule in (*RULES, LONG_CODE, *(MARKDOWN_RULES if language == "markdown" else ())):
        if only_blocks and rule.severity != "block":
            continue
        is_lowered = rule in RULES
        pattern = compiled(rule.pattern)
        if not pattern.search(lowered if is_lowered else whole):
            continue
        for number, line, is_code in window.lines:
            if is_code and rule in MARKDOWN_RULES:
                continue
            if match := pattern.search(line.lower() if is_lowered else line):
                excerpt = short(match[0].strip())
                yield Located(number, rule.kind, rule.severity, excerpt, rule.reason)
