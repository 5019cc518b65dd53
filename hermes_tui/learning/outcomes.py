"""How a task went, told from what was said and done, without any model."""

import re
from functools import cache

from msgspec import Struct

from hermes_tui.agent.session import CLOSING_NOTES
from hermes_tui.core.history import INTERRUPTED
from hermes_tui.core.skills import Outcome
from hermes_tui.learning.checks import CHANGING_TOOLS, outcome_of_checks, steps
from hermes_tui.learning.corrections import is_correction
from hermes_tui.learning.tasks import Call, Task
from hermes_tui.store.words import one_line

NOTE_CHARS = 160
_ENDED_BADLY = tuple(CLOSING_NOTES[stop] for stop in ("error", "loop", "step_limit"))


class Judgement(Struct, frozen=True):
    """How a task went, and what says so."""

    outcome: Outcome
    note: str = ""
    """What went wrong, or what proved it right; one line."""


def outcome_of(task: Task, next_prompt: str = "") -> Judgement:
    """How `task` went.

    Args:
        next_prompt: What the person said next; empty while they have said nothing.
    """
    ending = task.messages[-1].text.rstrip()
    if note := next((note for note in _ENDED_BADLY if ending.endswith(note)), ""):
        return Judgement("failure", one_line(_last_error(task) or note.strip("()"), NOTE_CHARS))
    if is_correction(next_prompt, answer=task.answer):
        return Judgement("correction", one_line(next_prompt, NOTE_CHARS))
    if not task.is_over or ending.endswith(CLOSING_NOTES["cancelled"]) or _is_cut_off(task):
        return Judgement("interrupted")
    if _is_given_up(task):
        return Judgement("failure", one_line(_last_error(task), NOTE_CHARS))
    if command := verified_by(task):
        return Judgement("verified", one_line(command, NOTE_CHARS))
    return Judgement("success")


def verified_by(task: Task) -> str:
    """The command that proved the last change right; empty without one.

    A check counts when nothing was changed after it and no check failed after it. One that
    ran without any change counts too: then looking was the task.
    """
    proof = ""
    for call in task.calls:
        if call.name in CHANGING_TOOLS and not call.is_error:
            proof = ""
        for passed in outcome_of_checks(call.command, call.result, is_error=call.is_error):
            proof = call.command if passed else ""
    return proof


def has_changed(task: Task) -> bool:
    """Whether anything was different after it, as far as its calls tell."""
    return any(
        (call.name in CHANGING_TOOLS and not call.is_error)
        or None in outcome_of_checks(call.command, call.result, is_error=call.is_error)
        for call in task.calls
    )


def _is_cut_off(task: Task) -> bool:
    """Whether it ended with a call nobody let finish."""
    return bool(task.calls) and task.calls[-1].result == INTERRUPTED and not task.answer.strip()


def _is_given_up(task: Task) -> bool:
    """Whether the last thing tried failed, or the answer says that the task did."""
    if _giving_up().search(task.answer):
        return True
    last = _last_try(task)
    if last is None or not last.is_error:
        return False
    return _has_failed(last, task.answer) or bool(_admitting().search(task.answer))


def _has_failed(call: Call, answer: str) -> bool:
    """Whether a command came to an exit code other than 0 that is no answer by itself.

    Commands that look for something or compare have one for having found nothing.
    """
    ended = call.result.rstrip().rpartition("\n")[2]
    if not call.command or not ("Exit code " in ended or "Killed after " in ended):
        return False  # refused or stopped by the person
    said = [step.text for step in steps(call.command)]
    return not answer.strip() or not said or _asking().match(said[-1]) is None


def _last_try(task: Task) -> Call | None:
    """The last call that did something, rather than talk or look things up."""
    tries = [call for call in task.calls if call.command or call.name in CHANGING_TOOLS]
    return tries[-1] if tries else task.calls[-1] if task.calls else None


def _last_error(task: Task) -> str:
    """What the last call that failed said last, before its exit code."""
    for call in reversed(task.calls):
        if call.is_telling_failure:
            lines = [line for line in call.result.splitlines() if line.strip()]
            told = [line for line in lines if not line.startswith("[")]
            return (told or lines)[-1]
    return ""


@cache
def _admitting() -> re.Pattern[str]:
    return re.compile(
        r"\b(?:could|can|was|were|am|is|are|do|does|did|have|has)(?:n['\u2019]t| ?not) "
        r"(?:be |been |yet )?(?:able|work\w*|succeed\w*|finish\w*|complet\w*|possible|pass\w*"
        r"|fix\w*"
        r"|solv\w*|resolv\w*|find|found|get|install\w*|reach\w*|connect\w*|run|start\w*|manage\w*"
        r"|do|build|determine|verif\w*)"
        r"|\bunable to\b|\bfail(?:s|ed|ing|ure)?\b|\bunsuccessful\b|\bno luck\b|\bgav?e up\b"
        r"|\bimpossible\b|\bblocked\b|\bstuck\b|\bstill (?:broken|red|wrong|crash\w*|an? error)\b"
        r"|\bnicht (?:möglich|gelungen|geklappt)\b|\bgescheitert\b|\bfehlgeschlagen\b",
        re.IGNORECASE,
    )


@cache
def _giving_up() -> re.Pattern[str]:
    """Said of the whole task, so also where the last command ended well."""
    return re.compile(
        r"\A\W*(?:sorry\W+)?(?:it|this|that|the (?:task|command|attempt)) "
        r"(?:has |have )?(?:failed|did(?:n['\u2019]t| not) (?:work|succeed))\s*(?:[.;!:\n]|\Z)"
        r"|\bI (?:could(?:n['\u2019]t| not)|can(?:['\u2019]t|not)|(?:was|am) (?:unable|not able) to"
        r"|was(?:n['\u2019]t) able to|failed to|did(?:n['\u2019]t| not) manage to) "
        r"(?:do|complete|finish|fix|solve|resolve|accomplish|achieve) (?:it|this|that|the task|so)"
        r"\s*(?:[.;!:\n]|\Z)"
        r"|\bI (?:gave|give|had to give) up\b",
        re.IGNORECASE,
    )


@cache
def _asking() -> re.Pattern[str]:
    return re.compile(
        r"(?:sudo )?(?:[efz]?grep|rg|ag|ack|diff|cmp|comm|test|\[\[?|which|type|command -v|pgrep"
        r"|pidof|ls|stat|ping|host|getent|git (?:grep|diff|check-ignore|show-ref|ls-remote)"
        r"|systemctl (?:is-\w+|status)|service \S+ status|dpkg -[ls]|rpm -q"
        r"|(?:docker|podman) inspect)(?:\s|\Z)"
    )
