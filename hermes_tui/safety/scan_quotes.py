"""Quotations of suspicious words in sentences about them, as security notes have them."""

from collections.abc import Iterator

from hermes_tui.safety.scan_forms import forms
from hermes_tui.safety.scan_rules import REPORTING, SENDING, Rule, compiled

_QUOTED = (
    r'"[^"\n]*"|“[^“”\n]*”|„[^„“”\n]*[“”]|«[^«»\n]*»|‘[^‘’\n]*’'  # noqa: RUF001
    r"|(?<!\w)'(?:[^'\n]|(?<=\w)'(?=\w))*'(?!\w)|(?<!`)(`{1,3})(?!`)[^`\n]+\1(?!`)"
)
"""A mark that opens belongs to the next one of its sort on the line, also around nothing."""
MAX_SENTENCE_CHARS = 2_000
"""Of a sentence, looked at on each side of a quotation."""
_SENTENCE_END = r"(?<!e\.g)(?<!i\.e)[.!?]\s|[。！？]"  # noqa: RUF001  full-width marks are meant


def without_reports(rule: Rule, text: str) -> str:
    """`text` without the quotations that only report what `rule` forbids.

    A quotation reports when all that is forbidden stands within its marks, on one line, a word
    such as "blocks" or "attack" comes before it in its sentence, and an override is not
    followed by sending something away.
    """
    lines = text.splitlines(keepends=True)
    return "".join(_line_without_reports(rule, line) for line in lines)


def _line_without_reports(rule: Rule, line: str) -> str:
    kept: list[str] = []
    sentence, last = "", 0
    for start, end in _quotations(line):
        sentence = compiled(_SENTENCE_END).split(f"{sentence} {line[last:start]}")[-1]
        sentence = sentence[-MAX_SENTENCE_CHARS:]
        is_report = _is_report(
            rule, sentence, line[start + 1 : end - 1], line[end:][:MAX_SENTENCE_CHARS]
        )
        kept += (line[last:start], " " if is_report else line[start:end])
        last = end
    return "".join((*kept, line[last:]))


def _quotations(line: str) -> Iterator[tuple[int, int]]:
    """Where quotations begin and end, marks included; not what inch marks or the like enclose."""
    for match in compiled(_QUOTED).finditer(line):
        start, end = match.span()
        is_open = start == 0 or not line[start - 1].isalnum()
        if is_open and (end == len(line) or not line[end].isalnum()):
            yield start, end


def _is_report(rule: Rule, sentence: str, quoted: str, after: str) -> bool:
    """Whether what is `quoted` is reported by the `sentence` so far, and not used by the rest."""
    if not compiled(REPORTING).search(sentence):
        return False
    pattern = compiled(rule.pattern)
    shown = forms(quoted)
    if not any(pattern.search(form) for form in (*shown.squashed, *shown.readable)):
        return False
    rest = f"{quoted} {compiled(_SENTENCE_END).split(after)[0]}"
    return rule.kind != "override" or not compiled(SENDING).search(rest)
