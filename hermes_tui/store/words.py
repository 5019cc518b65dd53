"""Words as the full-text index sees them, and the scripts that do not space theirs.

The index takes a run of letters and digits for one word. Text in Chinese, Japanese or Korean
is therefore spaced before it is indexed, so that every character is a word of its own.
"""

import re
import unicodedata
from functools import cache, lru_cache

_UNSPACED_RANGES = (
    "\u1100-\u11ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\uff66-\uff9d\U00020000-\U0003ffff"
)
_WORD = re.compile(r"[^\W_]+")
_ENDINGS = (("ies", "y"), ("ied", "y"), ("es", ""), ("s", ""), ("ing", ""), ("ed", ""))


@cache
def _unspaced() -> re.Pattern[str]:
    # Takes 4 ms to compile, and most sessions never need it.
    return re.compile(f"[{_UNSPACED_RANGES}]")


def one_line(text: str, limit: int) -> str:
    """`text` without line breaks, cut to `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def has_unspaced(text: str) -> bool:
    """Whether `text` has characters of a script written without spaces."""
    return not text.isascii() and _unspaced().search(text) is not None


def spaced(text: str) -> str:
    """`text` with every such character standing alone, as the index has it."""
    return text if text.isascii() else _unspaced().sub(r" \g<0> ", text)


def unspaced_runs(text: str) -> list[str]:
    """`text` cut where a script without spaces begins or ends."""
    if not has_unspaced(text):
        return [text]
    return [run for run in re.split(f"([{_UNSPACED_RANGES}]+)", text) if run]


def find_words(text: str) -> tuple[str, ...]:
    """The words of `text`, single characters where it is written without spaces."""
    return tuple(_WORD.findall(spaced(text)))


def word_end(text: str, start: int) -> int:
    """Where the word that begins at `start` ends; `start` itself when none begins there."""
    run = _WORD.match(text, start)
    if run is None:
        return start
    if has_unspaced(run[0]):
        first = _unspaced().search(text, start, run.end())
        if first is not None:
            return max(first.start(), start + 1)
    return run.end()


def begins_word(text: str, start: int) -> bool:
    """Whether the letter at `start` is not the continuation of a word."""
    return (
        start == 0
        or not text[start - 1].isalnum()
        or has_unspaced(text[start])
        or has_unspaced(text[start - 1])
    )


def folded(text: str) -> str:
    """`text` in lower case without accents, character for character."""
    if text.isascii():
        return text.lower()
    return text.translate({ord(character): _folded(character) for character in set(text)})


@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """A folded word without its common English endings.

    It joins what the index's Porter stemmer joins often enough to mark matches by it.
    """
    if len(word) <= 3 or not word.isascii():
        return word
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and not word.endswith("ss") and len(word) - len(ending) >= 3:
            word = word[: -len(ending)] + instead
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
        word = word[:-1]
    return word.removesuffix("e")


def root(word: str) -> str:
    """What every word with the same `stem` begins with."""
    stemmed = stem(word)
    return stemmed[:-1] if len(stemmed) > 3 and stemmed.endswith("y") else stemmed


@lru_cache(maxsize=4096)
def _folded(character: str) -> str:
    first, *rest = unicodedata.normalize("NFD", character.lower())
    is_accented = bool(rest) and all(unicodedata.combining(mark) for mark in rest)
    return first if is_accented or not rest else character
