"""What texts tell a reader to choose, where only one of several can be chosen."""

import re
from collections.abc import Iterator, Mapping
from functools import cache

from msgspec import Struct

from hermes_tui.core.fences import prose
from hermes_tui.learning.refinement import telling_words

CHOICES: Mapping[str, Mapping[str, str]] = {
    "indentation": {"tabs": r"tabs?", "spaces": r"(?:(?:one|two|three|four|eight|\d+) )?spaces"},
    "JavaScript packages": {"npm": r"npm", "pnpm": r"pnpm", "yarn": r"yarn", "bun": r"bun"},
    "Python packages": {
        "pip": r"pip3?", "uv": r"uv", "poetry": r"poetry", "conda": r"(?:ana|mini)?conda|mamba",
        "pipenv": r"pipenv", "pdm": r"pdm",
    },
    "Python tests": {"pytest": r"pytest", "unittest": r"unittest", "nose": r"nose2?"},
    "Python formatting": {"black": r"black", "ruff": r"ruff format", "yapf": r"yapf"},
    "Python types": {"mypy": r"mypy", "pyright": r"(?:based)?pyright"},
    "JavaScript tests": {"jest": r"jest", "vitest": r"vitest", "mocha": r"mocha"},
    "merging": {"merge": r"merge(?: commits?)?", "rebase": r"rebas(?:e|ing)", "squash": r"squash"},
    "containers": {"docker": r"docker", "podman": r"podman", "apptainer": r"apptainer"},
    "compose": {"docker compose": r"docker compose", "docker-compose": r"docker-compose"},
    "quotes": {"single quotes": r"single quotes?", "double quotes": r"double quotes?"},
    "default branch": {"main": r"main(?= branch|\b)", "master": r"master"},
    "commits": {
        "one commit": r"(?:one|a single) commit", "small commits": r"(?:small|many) commits",
    },
    "tests first": {
        "tests first": r"tests? (?:first|before)", "tests after": r"tests? (?:after|last)",
    },
    "editor": {"vim": r"n?vim", "emacs": r"emacs", "nano": r"nano"},
    "search": {"ripgrep": r"rg|ripgrep", "grep": r"grep"},
    "shell": {"bash": r"bash", "POSIX sh": r"(?:posix )?sh", "zsh": r"zsh"},
    "firewall": {"ufw": r"ufw", "nftables": r"nft(?:ables)?", "iptables": r"iptables"},
    "transfer": {"rsync": r"rsync", "scp": r"scp"},
    "force pushing": {
        "--force": r"--force(?!-with)\b", "--force-with-lease": r"--force-with-lease",
    },
}  # fmt: skip
"""By what is chosen, the values that rule each other out, and how they are written."""

_SENTENCE = re.compile(r"(?<=[.!;])\s+|\n(?=\s*(?:[-*+#>]|\d+[.)]|\n))|\n\n")
MAX_SENTENCE_CHARS = 300
MIN_SHARED = 0.6
"""Share of words "always" and "never" must have in common to be about the same."""


class Directive(Struct, frozen=True):
    """What a sentence tells one to do, or not to do."""

    topic: str
    """Of `CHOICES`; empty for what is said with "always" or "never" of anything else."""
    value: str
    is_for: bool
    quote: str
    words: frozenset[str] = frozenset()
    """Of the sentence; only where there is no topic."""


def directives(text: str) -> list[Directive]:
    """What the prose of `text` tells one to choose, outside code and without conditions."""
    found: list[Directive] = []
    for sentence in _sentences(text):
        if _conditions().search(sentence):
            continue
        chosen = list(_chosen(sentence))
        found += chosen
        if not chosen and (match := _absolute().search(sentence)):
            rest = telling_words(sentence[match.end() :])
            if len(rest) >= 2:
                is_for = match[0].casefold() in {"always", "must"}
                found.append(Directive("", "", is_for, sentence, rest))
    return list(dict.fromkeys(found))


def clash(one: Directive, other: Directive) -> str:
    """Why both cannot be followed, a sentence; empty when they can."""
    if one.topic != other.topic:
        return ""
    if not one.topic:
        shared = len(one.words & other.words)
        least = min(len(one.words), len(other.words))
        if one.is_for != other.is_for and shared >= 2 and shared >= MIN_SHARED * least:
            return "One says always, the other never."
        return ""
    if one.value == other.value and one.is_for != other.is_for:
        against = f"One is for {one.value}, the other against it"
        return f"{against} ({one.topic})."
    if one.value != other.value and one.is_for and other.is_for:
        return f"One chooses {one.value}, the other {other.value} ({one.topic})."
    return ""


def opposites(one: str, other: str) -> tuple[str, str] | None:
    """A sentence of each, alike but that one says not to do it; None without such a pair."""
    said: dict[tuple[frozenset[str], bool], str] = {}
    for sentence in _sentences(one):
        if words := _unconditional(sentence):
            said.setdefault((words, _is_negated(sentence)), sentence)
    for sentence in _sentences(other):
        opposite = said.get((_unconditional(sentence), not _is_negated(sentence)))
        if opposite is not None:
            return opposite, sentence
    return None


def _unconditional(sentence: str) -> frozenset[str]:
    """The telling words of a sentence; nothing where they are few or hold in some cases only."""
    words = telling_words(_absolute().sub(" ", _negations().sub(" ", sentence)))
    return frozenset() if len(words) < 2 or _conditions().search(sentence) else words


def _is_negated(sentence: str) -> bool:
    return _negations().search(sentence) is not None


def _chosen(sentence: str) -> Iterator[Directive]:
    for topic, pattern in _values().items():
        mentioned = [(match, str(match.lastgroup)) for match in pattern.finditer(sentence)]
        names = list(CHOICES[topic])
        for match, group in mentioned:
            before = sentence[: match.start()]
            value = names[int(group[1:])]
            if match[0].count("`") == 1 and not _whole().match(sentence, match.end()):
                continue  # a command of one's own that only begins so
            if _against().search(before):
                yield Directive(topic, value, False, sentence)
            elif _towards().search(before):
                yield Directive(topic, value, True, sentence)


def _sentences(text: str) -> Iterator[str]:
    for piece in _SENTENCE.split("\n\n".join(prose(text))):
        sentence = " ".join(piece.strip(" -*+#>\n").split())
        if 8 <= len(sentence) <= MAX_SENTENCE_CHARS:
            yield sentence


@cache
def _values() -> dict[str, re.Pattern[str]]:
    return {
        topic: re.compile(
            r"(?<![\w/.-])`?(?:"
            + "|".join(f"(?P<v{at}>{form})" for at, form in enumerate(values.values()))
            + r")`?(?![\w/-])",
            re.IGNORECASE,
        )
        for topic, values in CHOICES.items()
    }


@cache
def _towards() -> re.Pattern[str]:
    return re.compile(
        r"\b(?:always|only|must|prefer|use|using|run|choose|stick to"
        r"|(?:manager|runner|formatter) is"
        r"|(?:indent|install|manage|test|format|package|build|deploy|search|push|copy|lint"
        r"|check)\w*"
        r"(?: \S+){0,3}? with)(?: \w+){0,2} ?$",
        re.IGNORECASE,
    )


@cache
def _against() -> re.Pattern[str]:
    return re.compile(
        r"\b(?:never|avoid|not|no|instead of|rather than|over|without)(?: \w+){0,3} ?$"
        r"|n't(?: \w+){0,3} ?$",
        re.IGNORECASE,
    )


@cache
def _whole() -> re.Pattern[str]:
    return re.compile(r" (?:install|add|run|test|exec|i)\b")


@cache
def _negations() -> re.Pattern[str]:
    return re.compile(r"\b(?:do not|don't|must not|never|avoid|not)\b", re.IGNORECASE)


@cache
def _absolute() -> re.Pattern[str]:
    return re.compile(r"\b(?:always|never|must not|must|do not|don't)\b", re.IGNORECASE)


@cache
def _conditions() -> re.Pattern[str]:
    return re.compile(
        r"\b(?:if|when|whenever|where|unless|except|in case|depending|either|otherwise|as long as"
        r"|falls? back|fallback|or|instead, in|on (?:older|newer|windows|macos|debian|alpine))\b",
        re.IGNORECASE,
    )
