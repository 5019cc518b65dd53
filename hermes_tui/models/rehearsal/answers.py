"""What the rehearsal model says about results: only what stands in them."""

import re
from collections.abc import Callable, Sequence, Set

from hermes_tui.core.messages import ToolResult
from hermes_tui.models.rehearsal.phrases import EXAMPLES, Step, code_span

LABEL = "rehearsal model: no LLM; set a key or start Ollama"
SHOWN_LINES = 12
SHOWN_NAMES = 20

# `list_files` prints size, date, time and name.
_ROW = re.compile(r"\s*([\d,]+)\s+\d{4}-\d\d-\d\d \d\d:\d\d\s+(.+)")
_MATCH = re.compile(r"([^\s:][^:\n]*):\d+:")
_NOTE = re.compile(r"\[[^\]]*\]")
# `terminal` says so in a line of its own, below what the command printed.
_EXIT = re.compile(r"^\[Exit code (\d+)\.\]\s*(?:\[[^\]\n]*\]\s*)*\Z", re.MULTILINE)


def greeting(tools: Set[str]) -> str:
    return f"Hello. I am the {LABEL}.\n\n{understood(tools)}"


def unknown(text: str, tools: Set[str]) -> str:
    shown = text if len(text) <= 80 else text[:79] + "…"
    return f"I do not understand {shown!r}: I am the {LABEL}.\n\n{understood(tools)}"


def understood(tools: Set[str]) -> str:
    """What to say to it while it has these `tools`."""
    lines = "\n".join(f"- {example}" for example, tool in EXAMPLES.items() if tool in tools)
    return f"I carry out plain requests like these with the real tools:\n\n{lines}"


def missing(step: Step) -> str:
    return f"I cannot {step.intent}: this session has no `{step.tool}` tool."


def names_in(result: str) -> list[str]:
    """The file names in a tool's result."""
    lines = body_of(result).splitlines()
    rows = [row[2] for line in lines if (row := _ROW.fullmatch(line))]
    if rows:
        return rows
    matches = [found[1] for line in lines if (found := _MATCH.match(line))]
    if matches:
        return list(dict.fromkeys(matches))
    return [line.split()[-1] for line in lines if line.strip() and not line.startswith("total ")]


_SHORTENED = re.compile(r"\[… .*output:[a-z0-9]{8}.* …\]$")
"""Stands where tools leave out the middle of a long result."""


def body_of(result: str) -> str:
    """A result without the bracketed remarks below it."""
    lines = result.rstrip().splitlines()
    while lines and (_NOTE.fullmatch(lines[-1].strip()) or not lines[-1].strip()):
        lines.pop()
    return "\n".join(lines)


def told(step: Step, result: ToolResult) -> str:
    """What came of a step, in words."""
    exit_code = _EXIT.search(result.content) if step.tool == "terminal" else None
    if result.is_error and exit_code is None:
        return f"I could not {step.intent}: {_first_words(result.content)}"
    return _TELLERS.get(step.tool, _plainly)(step, result.content)


def summary(result: str) -> str:
    """What a result holds: how much, how it begins and ends."""
    body = body_of(result)
    lines = [line for line in body.splitlines() if line.strip()]
    if not lines:
        return "It printed nothing."
    words = sum(len(line.split()) for line in lines)
    count = f"{_count(len(lines), 'line')}, {_count(words, 'word')}"
    said = f"In short ({count}): it begins with `{_clipped(lines[0])}`"
    if len(lines) > 1:
        said += f" and ends with `{_clipped(lines[-1])}`"
    if exit_code := _EXIT.search(result):
        said += f"; the exit code was {exit_code[1]}"
    return said + "."


def _list_told(step: Step, content: str) -> str:
    names = [row for line in body_of(content).splitlines() if (row := _ROW.fullmatch(line))]
    if not names:
        return _first_words(content)
    shown = "\n".join(f"- `{row[2]}` ({row[1]} bytes)" for row in names[:SHOWN_NAMES])
    more = f"\n- … and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    what = step.intent.removeprefix("list ").removeprefix("find ")
    order = ", largest first" if step.arguments.get("sort") == "size" else ""
    if step.arguments.get("sort") == "modified":
        order = ", newest first"
    return f"{_capital(what)}{order}:\n\n{shown}{more}"


def _terminal_told(step: Step, content: str) -> str:
    body, command = body_of(content), step.arguments.get("command", "")
    exit_code = _EXIT.search(content)
    code = int(exit_code[1]) if exit_code else 0
    ended = f"{code_span(command)} ended with exit code {code}"
    if step.arguments.get("background"):
        return _first_words(content)
    if not body:
        return f"{ended} and printed nothing."
    return f"{ended} and printed {_excerpt(body)}"


def _read_told(step: Step, content: str) -> str:
    body = body_of(content)
    if not body:
        return f"`{step.arguments['path']}` is empty."
    return f"`{step.arguments['path']}` has {_excerpt(body)}"


def _search_told(step: Step, content: str) -> str:
    body = body_of(content)
    lines = [line for line in body.splitlines() if _MATCH.match(line)]
    if not lines:
        return _first_words(content)
    found = _count(len(lines), "match", "matches")
    files = _count(len(names_in(content)), "file")
    return f"Found {found} in {files}:\n\n{_fenced(lines)}"


def _recall_told(step: Step, content: str) -> str:
    topic = step.arguments.get("query", "")
    body = body_of(content)
    if not body or body.startswith("Nothing found"):
        return f"Nothing was said about {topic!r} in earlier sessions."
    return f"Earlier sessions say about {topic!r}:\n\n{_fenced(body.splitlines())}"


def _plainly(step: Step, content: str) -> str:
    del step
    return _first_words(content) or "Done."


def _answer_told(step: Step, content: str) -> str:
    del step
    return f"You answered: {content.strip()}"


def _plan_told(step: Step, content: str) -> str:
    del step
    return f"The plan:\n\n{_fenced(content.splitlines())}"


def _jobs_told(step: Step, content: str) -> str:
    del step
    return f"Background commands:\n\n{_fenced(content.splitlines())}"


def _skills_told(step: Step, content: str) -> str:
    del step
    return f"Skills that fit:\n\n{_fenced(content.splitlines())}"


def _skill_told(step: Step, content: str) -> str:
    name = step.arguments.get("name", "")
    body = content.partition(">\n")[2].partition("</skill_content>")[0]
    return (
        f"The skill `{name}` begins so; carrying it out takes a model:\n\n"
        f"{_fenced(body.strip().splitlines())}"
    )


_TELLERS: dict[str, Callable[[Step, str], str]] = {
    "list_files": _list_told,
    "terminal": _terminal_told,
    "read_file": _read_told,
    "search_files": _search_told,
    "session_search": _recall_told,
    "clarify": _answer_told,
    "todo": _plan_told,
    "process": _jobs_told,
    "skill_search": _skills_told,
    "skill_load": _skill_told,
}


def _excerpt(body: str) -> str:
    """`12 lines; the first ones: …`, for the end of a sentence."""
    lines = body.splitlines()
    if any(_SHORTENED.match(line) for line in lines):
        return f"more than can be shown here; the first lines:\n\n{_fenced(lines[:SHOWN_LINES])}"
    count = _count(len(lines), "line")
    if len(lines) <= SHOWN_LINES:
        return f"{count}:\n\n{_fenced(lines)}"
    return f"{count}; the first {SHOWN_LINES}:\n\n{_fenced(lines[:SHOWN_LINES])}"


def _fenced(lines: Sequence[str]) -> str:
    text = "\n".join(line[:200] for line in lines[:SHOWN_LINES])
    rest = f"\n… and {len(lines) - SHOWN_LINES} more" if len(lines) > SHOWN_LINES else ""
    fence = "~~~" if "```" in text else "```"
    return f"{fence}\n{text}{rest}\n{fence}"


def _first_words(content: str) -> str:
    first = next((line.strip() for line in content.splitlines() if line.strip()), "")
    return _clipped(first, 300)


def _clipped(text: str, limit: int = 100) -> str:
    text = text.strip().replace("`", "'")
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
