"""The tasks a skill is measured on: `evals/evals.json` (agentskills.io), read and laid out.

An object with `skill_name` and `evals`, a list of `id`, `prompt`, `expected_output`, `files` and
`assertions`. An assertion is a sentence that a model judges, or an object with a `kind` and what
that needs, such as `{"kind": "file_exists", "path": "joined.csv"}`.
"""

import re
import shutil
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta, Struct

from hermes_tui.config.files import read_regular
from hermes_tui.config.paths import shown
from hermes_tui.core.errors import ConfigError, HermesError
from hermes_tui.safety.risk import Risk, assess_command

FOLDER = "evals"
FILE = "evals/evals.json"
INPUTS = "evals/files"
"""Where inputs lie by custom; they are laid out as they lie below it."""
MAX_BYTES = 1024 * 1024
MAX_INPUT_BYTES = 64 * 1024 * 1024
"""Of all the inputs of one task."""
EXAMPLE = (
    '{"skill_name": "NAME", "evals": [{"id": 1, "prompt": "…", "files": ["evals/files/in.csv"], '
    '"assertions": [{"kind": "file_exists", "path": "out.csv"}]}]}'
)

Line = Annotated[str, Meta(min_length=1, max_length=4_000)]


class _Assertion(Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    pass


class FileExists(_Assertion, frozen=True, tag="file_exists"):
    """A file or folder is there; `path` may have `*` in it."""

    path: Line

    @property
    def label(self) -> str:
        return f"{self.path} exists"


class FileContains(_Assertion, frozen=True, tag="file_contains"):
    """A file has `text` in it, letter for letter."""

    path: Line
    text: Line

    @property
    def label(self) -> str:
        return f"{self.path} contains {self.text!r}"


class CommandSucceeds(_Assertion, frozen=True, tag="command_succeeds"):
    """A shell command run where the work was done ends with 0."""

    command: Line

    @property
    def label(self) -> str:
        return f"`{self.command}` succeeds"


class OutputContains(_Assertion, frozen=True, tag="output_contains"):
    """The last answer has `text` in it, whatever the case."""

    text: Line

    @property
    def label(self) -> str:
        return f"the answer contains {self.text!r}"


class OutputMatches(_Assertion, frozen=True, tag="output_matches"):
    """A Python regular expression is found in the last answer."""

    pattern: Line

    @property
    def label(self) -> str:
        return f"the answer matches {self.pattern!r}"


class Sentence(Struct, frozen=True):
    """Something only a reader can tell."""

    label: str


Check = FileExists | FileContains | CommandSucceeds | OutputContains | OutputMatches
Assertion = Check | Sentence


class Task(Struct, frozen=True):
    """Something to do, and how to tell that it was done."""

    id: str
    prompt: str
    expected: str
    """What a good outcome is, in words."""
    files: tuple[tuple[Path, str], ...]
    """Where each input is, and where it goes below the working directory."""
    assertions: tuple[Assertion, ...]


class _Eval(Struct, frozen=True):
    id: int | Annotated[str, Meta(min_length=1, max_length=80)]
    prompt: Annotated[str, Meta(min_length=1, max_length=100_000)]
    expected_output: str = ""
    files: list[Line] = []
    assertions: list[Line | dict[str, Any]] = []
    expectations: list[Line] = []
    """What skill-creator calls assertions."""


class _File(Struct, frozen=True):
    evals: Annotated[list[_Eval], Meta(min_length=1, max_length=200)]
    skill_name: str = ""


def read_tasks(file: Path, *, skill: str) -> tuple[Task, ...]:
    """The tasks in `file`; inputs are looked for beside its `evals` folder, else beside it.

    Raises:
        ConfigError: it is not there, malformed, for another skill, or names inputs that are not
            there or lie elsewhere; says where in it.
    """
    name = shown(file)
    try:
        content = read_regular(file, max_bytes=MAX_BYTES).content
    except FileNotFoundError:
        raise ConfigError(
            f"There are no tasks to measure {skill!r} on: {name} is not there.",
            hint=f"Write it as {EXAMPLE}, or name a file with --tasks FILE.",
        ) from None
    try:
        read = msgspec.json.decode(content, type=_File)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(
            f"{name} cannot be used: {error}.", hint=f"Write it as {EXAMPLE}."
        ) from None
    if read.skill_name not in {"", skill}:
        raise ConfigError(
            f"{name} is for the skill {read.skill_name!r}, not {skill!r}.",
            hint="Name another file with --tasks FILE, or correct its skill_name.",
        )
    root = file.parent.parent if file.parent.name == FOLDER else file.parent
    try:
        tasks = tuple(_task(one, at, root) for at, one in enumerate(read.evals))
    except _TaskError as wrong:
        raise ConfigError(f"{name} cannot be used: {wrong.message}", hint=wrong.hint) from None
    twice = [one.id for at, one in enumerate(tasks) if one.id in {t.id for t in tasks[:at]}]
    if twice:
        raise ConfigError(f"{name} has two tasks {twice[0]!r}.", hint="Give each an id of its own.")
    return tasks


def lay_out(task: Task, folder: Path) -> None:
    """Copy the inputs of `task` into `folder`, which is there.

    Raises:
        HermesError: one cannot be read any more, or all are too large.
    """
    left = MAX_INPUT_BYTES
    for source, place in task.files:
        target = folder / place
        try:
            source.stat()
            for file in sorted(source.rglob("*")) if source.is_dir() else [source]:
                if file.is_symlink() or not file.is_file():
                    continue
                left -= file.stat().st_size
                if left < 0:
                    raise HermesError(
                        f"The inputs of task {task.id!r} have more than "
                        f"{MAX_INPUT_BYTES // 2**20} MiB.",
                        hint="Make them smaller, or let the prompt have them made.",
                    )
                copy = target / file.relative_to(source) if source.is_dir() else target
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, copy)
        except OSError as error:
            raise HermesError(
                f"The input {place!r} of task {task.id!r} cannot be copied: {error.strerror}."
            ) from error


def seen(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time in ns of every file below `folder`, by its path."""
    found: dict[str, tuple[int, int]] = {}
    for file in folder.rglob("*"):
        with suppress(OSError):  # a file may go while one looks
            status = file.lstat()
            if stat.S_ISREG(status.st_mode):
                found[file.relative_to(folder).as_posix()] = (status.st_size, status.st_mtime_ns)
    return found


def commands_of(tasks: Sequence[Task]) -> list[str]:
    """The commands assertions run, each once."""
    found = (
        one.command for task in tasks for one in task.assertions if isinstance(one, CommandSucceeds)
    )
    return list(dict.fromkeys(found))


class _TaskError(HermesError):
    """Something is wrong with one task; the file is not known here."""


def _task(one: _Eval, at: int, root: Path) -> Task:
    where = f"$.evals[{at}]"
    return Task(
        str(one.id),
        one.prompt,
        one.expected_output,
        tuple(_input(name, f"{where}.files", root) for name in one.files),
        tuple(
            _assertion(given, f"{where}.assertions[{number}]")
            for number, given in enumerate([*one.assertions, *one.expectations])
        ),
    )


def _input(name: str, where: str, root: Path) -> tuple[Path, str]:
    """An input and its place; it lies below `root`, links included."""
    path = PurePosixPath(name)
    source = root / path
    if path.is_absolute() or ".." in path.parts or "\0" in name or path == PurePosixPath():
        raise _TaskError(
            f"{where}: {name!r} is no path below the skill.", hint="Put the file there."
        )
    if not source.exists() or not source.resolve().is_relative_to(root.resolve()):
        raise _TaskError(
            f"{where}: there is no {name!r} in {shown(root)}.", hint=f"Put it into {INPUTS}/."
        )
    if path.is_relative_to(INPUTS):
        path = path.relative_to(INPUTS)
    return source, path.as_posix()


def _assertion(given: str | dict[str, Any], where: str) -> Assertion:
    if isinstance(given, str):
        return Sentence(given)
    try:
        found = cast("Check", msgspec.convert(given, Check))
    except msgspec.ValidationError as error:
        raise _TaskError(
            f"{where}: {error}.",
            hint="The kinds are file_exists, file_contains, command_succeeds, output_contains and "
            "output_matches; a plain sentence is judged by the model.",
        ) from None
    match found:
        case OutputMatches(pattern=pattern):
            try:
                re.compile(pattern)
            except (re.error, OverflowError, RecursionError) as error:
                raise _TaskError(
                    f"{where}: {pattern!r} is no regular expression: {error}."
                ) from None
        case FileExists(path=path) | FileContains(path=path):
            if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
                raise _TaskError(f"{where}: {path!r} is not below the working directory.")
        case CommandSucceeds(command=command):
            assessed = assess_command(command, cwd="/", home=str(Path.home()))
            if assessed.risk is Risk.FORBIDDEN:
                raise _TaskError(f"{where}: {assessed.reason} No mode allows this.")
        case _:
            pass
    return found
