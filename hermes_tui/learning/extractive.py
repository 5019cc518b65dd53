"""A session's note made of its own sentences, without a model.

Sentences are scored by how often their words occur in the session (SumBasic's idea, with the
logarithm damping what is merely repeated); decisions, problems and open items are told by the
phrases people and models introduce them with. The same messages give the same note.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, cast

import msgspec
from msgspec import Struct

from hermes_tui.core.messages import Message, Role, ToolCall
from hermes_tui.store.summaries import Note
from hermes_tui.store.terms import STOP_WORDS
from hermes_tui.store.words import find_words, folded, one_line, stem

METHOD = "extractive"
"""What `Summaries.put` notes as the method."""

MAX_SENTENCES = 4000
"""Of a longer session the first and the last half of this many are read."""
SENTENCE_CHARS = 240
SUMMARY_SENTENCES = 4
TOPICS = 6
ITEMS = 8
FILES = 20
_TOO_ALIKE = 0.6
_MIN_WORDS = 4
_ENDS = ".!?:\u2026\u3002\uff01\uff1f"
_PATH_ARGUMENTS = ("path", "file_path", "file", "filename", "target")
_CALLS_THAT_WRITE = re.compile(r"write|edit|patch|create|move|delete")
_FILLERS = frozenset(
    """
    actually also back could first good great hello help here hey hi know like make many maybe
    need new now okay one please quite really right see set sure take thank thanks thing things
    think time two use using want way well work would yes yet
    """.split()  # noqa: SIM905  a list of quoted words is no easier to read
)


class _Sentence(Struct, frozen=True):
    role: Role
    text: str
    stems: tuple[str, ...]


def extract(messages: Sequence[Message]) -> Note:
    """The note of a session; its summary is empty when nothing was said in words."""
    sentences = _sentences(messages)
    frequency = Counter(one for sentence in sentences for one in set(sentence.stems))
    return Note(
        summary=" ".join(_gist(sentences, frequency)),
        topics=_topics(messages, frequency),
        decisions=_saying(sentences, _cues().decision),
        problems=_saying(sentences, _cues().problem),
        files=_files(call for message in messages for call in message.tool_calls),
        open_items=_open_items(messages, sentences),
    )


def _sentences(messages: Sequence[Message]) -> list[_Sentence]:
    found: list[_Sentence] = []
    for message in messages:
        if message.role == "tool":
            continue
        for line in _prose_lines(message.text):
            for text in _cues().sentence_end.split(line):
                shown = one_line(text, SENTENCE_CHARS)
                if shown:
                    found.append(_Sentence(message.role, shown, _stems(shown)))
    if len(found) <= MAX_SENTENCES:
        return found
    return found[: MAX_SENTENCES // 2] + found[-MAX_SENTENCES // 2 :]


def _prose_lines(text: str) -> Iterable[str]:
    """Lines outside fenced code, without the marks of lists and headings."""
    in_code = False
    for line in text.splitlines():
        if line.lstrip().startswith(("```", "~~~")):
            in_code = not in_code
        elif not in_code and not line.lstrip().startswith(("|", ">")):
            yield _cues().list_mark.sub("", line)


def _stems(text: str) -> tuple[str, ...]:
    return tuple(
        stem(word)
        for word in find_words(folded(text))
        if word not in STOP_WORDS and word not in _FILLERS and not word.isdigit()
    )


def _gist(sentences: Sequence[_Sentence], frequency: Counter[str]) -> list[str]:
    """What was asked first, and the sentences that say most, in the order they were said."""
    first = next((place for place, one in enumerate(sentences) if one.role == "user"), None)
    chosen = [] if first is None else [first]

    def weight(place: int) -> float:
        one = sentences[place]
        told = sum(math.log1p(frequency[word]) for word in set(one.stems))
        return told / math.sqrt(len(one.stems) + _MIN_WORDS)

    ranked = sorted(
        (place for place, one in enumerate(sentences) if len(one.stems) >= _MIN_WORDS),
        key=lambda place: (-weight(place), place),
    )
    for place in ranked:
        if len(chosen) >= SUMMARY_SENTENCES:
            break
        if not any(_alike(sentences[place], sentences[other]) for other in chosen):
            chosen.append(place)
    return [_ended(sentences[place].text) for place in sorted(set(chosen))]


def _alike(one: _Sentence, other: _Sentence) -> bool:
    words, others = set(one.stems), set(other.stems)
    return len(words & others) >= _TOO_ALIKE * max(min(len(words), len(others)), 1)


def _ended(text: str) -> str:
    return text if text[-1] in _ENDS else f"{text}."


def _topics(messages: Sequence[Message], frequency: Counter[str]) -> tuple[str, ...]:
    """The commonest words, each in the form it was mostly written in."""
    forms: dict[str, Counter[str]] = {}
    for message in messages:
        if message.role != "tool":
            for word in _cues().word.findall(message.text):
                key = stem(folded(word))
                if key in frequency:
                    forms.setdefault(key, Counter())[word.lower()] += 1
    ranked = sorted(
        (key for key in forms if frequency[key] > 1 and len(key) > 2),
        key=lambda key: (-frequency[key], key),
    )
    return tuple(_commonest(forms[key]) for key in ranked[:TOPICS])


def _commonest(forms: Counter[str]) -> str:
    return max(forms.items(), key=lambda form: (form[1], form[0]))[0]


def _saying(sentences: Sequence[_Sentence], cue: re.Pattern[str]) -> tuple[str, ...]:
    """The last sentences with `cue` that are no questions, none twice."""
    said = [one.text for one in sentences if not one.text.endswith("?") and cue.search(one.text)]
    return tuple(dict.fromkeys(said))[-ITEMS:]


def _open_items(messages: Sequence[Message], sentences: Sequence[_Sentence]) -> tuple[str, ...]:
    """What is still to be done, and the question the session ends with."""
    items = list(_saying(sentences, _cues().open_item))
    if messages and messages[-1].role != "tool" and sentences and sentences[-1].text.endswith("?"):
        items.append(sentences[-1].text)
    return tuple(dict.fromkeys(items))[-ITEMS:]


def _files(calls: Iterable[ToolCall]) -> tuple[str, ...]:
    """Files named in tool calls, those that were changed first."""
    changed: dict[str, None] = {}
    seen: dict[str, None] = {}
    for call in calls:
        try:
            arguments = msgspec.json.decode(call.arguments)
        except msgspec.DecodeError:
            continue
        if not isinstance(arguments, dict):
            continue
        for name in _PATH_ARGUMENTS:
            path = cast("dict[str, Any]", arguments).get(name)
            if isinstance(path, str) and path.strip(". /"):
                (changed if _CALLS_THAT_WRITE.search(call.name) else seen).setdefault(path)
    return tuple(dict.fromkeys((*changed, *seen)))[:FILES]


class _Cues(Struct, frozen=True):
    sentence_end: re.Pattern[str]
    list_mark: re.Pattern[str]
    word: re.Pattern[str]
    decision: re.Pattern[str]
    problem: re.Pattern[str]
    open_item: re.Pattern[str]


@cache
def _cues() -> _Cues:
    def any_of(*phrases: str) -> re.Pattern[str]:
        return re.compile(rf"\b(?:{'|'.join(phrases)})\b", re.IGNORECASE)

    return _Cues(
        sentence_end=re.compile(r"(?<=[.!?])\s+|(?<=[\u3002\uff01\uff1f])"),
        list_mark=re.compile(r"^\s*(?:#{1,6}\s+|[-*+•]\s+(?:\[[ xX]\]\s+)?|\d+[.)]\s+)"),
        word=re.compile(r"[^\W\d_][\w-]*[^\W_]"),
        decision=any_of(
            r"decided?", r"decision", r"(?:we|i)(?:'ll| will) (?:use|go|keep|take|stay|stick)",
            r"let's (?:use|go|keep|take|stay|stick|do)", r"(?:go|going|went) with", r"agreed",
            r"chose", r"settled on", r"switch(?:ed|ing)? to", r"from now on", r"instead of",
            r"the plan is", r"prefers?",
        ),
        problem=any_of(
            r"(?:the )?(?:root )?cause (?:is|was)", r"turn(?:s|ed) out", r"fixed", r"the fix",
            r"solved", r"resolved", r"fail(?:s|ed|ing|ure)", r"crash(?:es|ed)?", r"broken",
            r"bug", r"traceback", r"(?:an |the )?error (?:is|was|came|comes)", r"workaround",
        ),
        open_item=any_of(
            r"to-?do", r"still (?:needs?|have|has|to|missing|open)", r"remain(?:s|ing)?",
            r"not (?:yet|done)", r"next steps?", r"follow[- ]up", r"left to do", r"open question",
            r"later", r"tomorrow", r"(?:need|have|has|want)s? to be (?:done|fixed|written|checked)",
        ),
    )  # fmt: skip
