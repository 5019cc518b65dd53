"""What a skill names that is no longer there, as far as a look at this machine tells."""

import re
import shutil
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

from hermes_tui.core.fences import fences, marked
from hermes_tui.core.skills import Skill
from hermes_tui.learning.checks import steps

MAX_NAMED = 5
"""Of each kind; a skill about another system names dozens."""
_SHELLS = frozenset(
    {"", "bash", "console", "dash", "ksh", "sh", "shell", "shell-session", "shellsession",
     "sh-session", "terminal", "zsh"}
)  # fmt: skip
_SYSTEM_ROOTS = frozenset(
    {"bin", "etc", "home", "lib", "mnt", "opt", "root", "sbin", "srv", "usr", "Users", "var"}
)
_NO_PROGRAMS = frozenset(
    """
    alias break case cd command continue declare do done echo elif else esac eval exec exit export
    false fi for function getopts hash if in let local popd printf pushd pwd read readonly return
    select set shift shopt source test then time times trap true type typeset ulimit umask unalias
    unset until wait while
    """.split()  # noqa: SIM905  a list of as many quoted words is no easier to read
)
"""What a shell knows by itself, also where no program of that name is installed."""


def stale_references(
    skill: Skill, body: str, *, files: Collection[str], names: Collection[str]
) -> list[str]:
    """What is missing, a sentence for each kind. Looks at the disk.

    Args:
        files: Those beside its `SKILL.md`.
        names: Of all skills there are.
    """
    kinds = (
        ("It names files it does not have", _missing_files(body, files)),
        ("It names skills that are gone", _missing_skills(skill, body, names)),
        ("It names paths this machine does not have", _missing_paths(body)),
        ("It runs commands this machine does not have", _missing_commands(body)),
    )
    return [
        f"{what}: {', '.join(listed[:MAX_NAMED])}"
        f"{f' and {len(listed) - MAX_NAMED} more' if len(listed) > MAX_NAMED else ''}."
        for what, found in kinds
        if (listed := sorted(set(found)))
    ]


def _missing_files(body: str, files: Collection[str]) -> Iterator[str]:
    for path in _forms()["file"].findall(body):
        name = path.rstrip(".,:;")
        is_folder = any(file.startswith(f"{name.rstrip('/')}/") for file in files)
        if name not in files and not is_folder:
            yield name


def _missing_skills(skill: Skill, body: str, names: Collection[str]) -> Iterator[str]:
    for match in _forms()["skill"].finditer(body):
        name = next(group for group in match.groups() if group)
        if name not in names and name != skill.name:
            yield name


def _missing_paths(body: str) -> Iterator[str]:
    for path in _forms()["path"].findall(body):
        name = path.rstrip(".,:;")
        try:
            full = Path(name).expanduser()
            is_here = name.startswith("~/") or full.parts[1] in _SYSTEM_ROOTS
            if is_here and not full.exists():
                yield name
        except (OSError, RuntimeError, IndexError):
            continue


def _missing_commands(body: str) -> Iterator[str]:
    own = set(_forms()["function"].findall(body))
    prose = "".join(line.text for line in marked(body) if line.kind == "prose")
    yield from (
        one for one in _forms()["run"].findall(prose) if one not in own and not _is_known(one)
    )
    for fence in fences(body):
        if fence.language not in _SHELLS:
            continue
        code = fence.code
        defined = set(_forms()["function"].findall(code))
        # A transcript of a console tells commands by their prompt.
        typed = re.findall(r"^\$ (.*)$", code, re.MULTILINE)
        text = _forms()["comment"].sub("", "\n".join(typed) or code.replace("\\\n", " "))
        for step in steps(text):
            match = _forms()["command"].match(step.text)
            name = match[1] if match else ""
            if name and name not in defined and not _is_known(name):
                yield name


def _is_known(name: str) -> bool:
    """Whether a shell here can run it."""
    found = shutil.which(name)  # pyright: ignore[reportDeprecated]  for Windows only
    return name in _NO_PROGRAMS or found is not None


@cache
def _forms() -> dict[str, re.Pattern[str]]:
    return {
        "file": re.compile(r"(?<![\w/.-])(?:scripts|references|assets)/(?![A-Z]{3})[\w./-]*\w"),
        "skill": re.compile(
            r"skill_load\(?[\s\"'`{:name]*[\"'`]([a-z0-9]+(?:-[a-z0-9]+)*)[\"'`]"
            r"|\bskill_load ([a-z0-9]+(?:-[a-z0-9]+)+)\b"
            r"|\b(?i:the|see|load|use|read|follow|apply|with) skills? [\"'`*]{1,2}"
            r"([a-z0-9]+(?:-[a-z0-9]+)*)[\"'`*]"
            r"|\b(?i:skills?):? [\"'`*]{1,2}([a-z0-9]+(?:-[a-z0-9]+)+)[\"'`*]"
            r"|\b(?i:the|see|load|use|read|follow|apply|with) [\"'`*]{1,2}"
            r"([a-z0-9]+(?:-[a-z0-9]+)*)[\"'`*]{1,2} skill\b"
            # Without marks only behind a verb, and not what any skill may be called.
            r"|\b(?i:load|read|use|see|follow|apply|with|from) (?:the )?skills? "
            r"([a-z0-9]+(?:-[a-z0-9]+)+)(?![\w-])"
            r"|\b(?i:load|read|use|see|follow|apply) the (?!(?:built|well|high|low|third|read|user"
            r"|up|long|short|first|second|re|pre|multi|non|self|so)-)"
            r"([a-z0-9]+(?:-[a-z0-9]+)+) skill\b"
        ),
        # With arguments or a hyphen; else it may be a function of some program.
        "run": re.compile(
            r"\b(?i:run|execute|invoke)s? `(?=[^`\n]* |[^`\n]*-)([a-z][\w.+-]*)(?: [^`\n=(]*)?`"
        ),
        # No placeholder, no address, nothing with a variable or a pattern in it.
        "path": re.compile(r"(?<![\w/:.~$>}<@-])(~?/[\w.@+-]+(?:/[\w.@+-]+)+)(?![\w/*<${])"),
        "comment": re.compile(r"(?:^|(?<=\s))#.*", re.MULTILINE),
        "function": re.compile(r"^\s*(?:function )?([\w-]+) ?\(\)", re.MULTILINE),
        "command": re.compile(
            r"(?:sudo (?:-\w+ )*|\w+=[^\s$(`]* +)*([a-z][\w.+-]*)(?=\s+[^\s=(]|\Z)(?!\s*\()"
        ),
    }
