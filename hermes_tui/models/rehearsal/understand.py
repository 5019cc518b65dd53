"""From what a person wrote to the steps it asks for."""

import re

from msgspec import Struct

from hermes_tui.models.rehearsal.phrases import PHRASES, Step

_QUOTED = re.compile(r"`[^`]*`|\"[^\"]*\"|(?<![\w])'[^']*'(?![\w])|\u201c[^\u201d]*\u201d")
_VERBS = (
    "run|list|show|read|write|save|put|search|find|remember|replace|change|create|summari[sz]e"
    "|tell me|explain|recall|print|store|open|grep|forget"
)
_STRONG = r"[\s,;.]*\b(?:and\s+)?(?:then|after that|afterwards|next|finally)\b[\s,]*"
_WEAK = rf"\s*;\s*|\s*\n+\s*|[.!]\s+(?=[A-Z])|,?\s+and\s+(?=(?:{_VERBS})\b)|,\s+(?=(?:{_VERBS})\b)"
_BORDER = re.compile(rf"(?P<strong>{_STRONG})|(?P<weak>{_WEAK})", re.IGNORECASE)
_POLITE = re.compile(
    r"^(?:(?:please|kindly|now|also|first|ok(?:ay)?|hey|hermes|so|and|then|just)[,:]?\s+"
    r"|(?:can|could|would|will) you (?:please )?|i (?:want|need|would like|'d like) you to "
    r"|let us |let's )+",
    re.IGNORECASE,
)
_TRAILING = re.compile(r"(?:[\s,]+(?:please|for me|thanks|thank you))*[\s.!?,]*$", re.IGNORECASE)


class _Piece(Struct):
    """A part of the request, with the border before it."""

    border: str
    is_strong: bool
    text: str


def steps_in(request: str) -> list[Step]:
    """The steps a request asks for, in order; one that is not understood says so."""
    whole = _step(request)
    if whole is not None and whole.tool in {"todo", "clarify"}:
        return [whole]
    steps: list[Step] = []
    texts: list[str] = []
    for piece in _pieces(request):
        step = _step(piece.text)
        if step is None and steps and _takes_more(steps[-1], piece):
            joined = texts[-1] + piece.border + piece.text
            if (longer := _step(joined)) is not None:
                steps[-1], texts[-1] = longer, joined
                continue
        steps.append(step or Step(piece.text.strip(), talk="unknown"))
        texts.append(piece.text)
    return steps


def attached_text(request: str) -> tuple[str, str]:
    """The first paragraph, and what follows it, such as piped input."""
    head, _, rest = request.strip().partition("\n\n")
    return head, rest


def _step(text: str) -> Step | None:
    """The step one clause asks for."""
    clean = text.strip()
    if not re.fullmatch(r"`[^`]*`", clean):
        clean = _POLITE.sub("", clean)
        clean = _TRAILING.sub("", clean) or clean
    for phrase in PHRASES:
        if (step := phrase.step(clean)) is not None:
            return step
    return None


def _takes_more(step: Step, piece: _Piece) -> bool:
    """Whether words that ask for nothing may belong to the step before them."""
    if step.tool == "memory":
        return True
    return step.tool in {"terminal", "write_file", "search_files"} and not piece.is_strong


def _pieces(request: str) -> list[_Piece]:
    """The request cut at "then", semicolons and the like, but not inside quotes."""
    masked = _QUOTED.sub(lambda quoted: "\0" * len(quoted[0]), request)
    pieces: list[_Piece] = []
    start, border, is_strong = 0, "", False
    for found in _BORDER.finditer(masked):
        if request[start : found.start()].strip():
            pieces.append(_Piece(border, is_strong, request[start : found.start()]))
            border, is_strong = found[0], False
        is_strong = is_strong or found["strong"] is not None
        border = request[found.start() : found.end()]
        start = found.end()
    if request[start:].strip():
        pieces.append(_Piece(border, is_strong, request[start:]))
    return pieces
