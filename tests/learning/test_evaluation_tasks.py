"""The tasks a skill is measured on, as they stand in evals.json."""

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.core.errors import ConfigError, HermesError
from hermes_tui.learning.evaluation import tasks as evaluation_tasks
from hermes_tui.learning.evaluation.tasks import (
    CommandSucceeds,
    FileExists,
    Sentence,
    Task,
    commands_of,
    lay_out,
    read_tasks,
)

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = st.sampled_from(("id", "prompt", "files", "assertions", "expected_output", "kind", "path"))
KEYS = st.sampled_from(("skill_name", "evals", "else"))
EVALS: st.SearchStrategy[Any] = st.dictionaries(FIELDS, JSON, max_size=5).map(
    lambda one: {"id": 1, "prompt": "p"} | one
)


def written(folder: Path, *evals: dict[str, Any], skill_name: str = "csv-join") -> Path:
    file = folder / "csv-join" / "evals" / "evals.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.encode({"skill_name": skill_name, "evals": evals}))
    return file


def read(folder: Path, *evals: dict[str, Any]) -> tuple[Task, ...]:
    return read_tasks(written(folder, *evals), skill="csv-join")


def test_the_standards_own_form_is_read(tmp_path: Path) -> None:
    inputs = tmp_path / "csv-join" / "evals" / "files" / "data"
    inputs.mkdir(parents=True)
    (inputs / "a.csv").write_text("id\n", "utf-8")
    (task,) = read(
        tmp_path,
        {
            "id": 1, "prompt": "Join them.", "expected_output": "One table.",
            "files": ["evals/files/data/a.csv"],
            "assertions": ["It has a header.", {"kind": "file_exists", "path": "joined.csv"}],
        },
    )  # fmt: skip
    assert (task.id, task.prompt, task.expected) == ("1", "Join them.", "One table.")
    assert task.files == ((inputs / "a.csv", "data/a.csv"),)
    assert task.assertions == (Sentence("It has a header."), FileExists("joined.csv"))


def test_what_skill_creator_calls_expectations_are_sentences(tmp_path: Path) -> None:
    (task,) = read(tmp_path, {"id": "one", "prompt": "p", "expectations": ["It is done."]})
    assert task.assertions == (Sentence("It is done."),)


@pytest.mark.parametrize(
    ("given_eval", "says"),
    [
        ({"id": 1}, "missing required field `prompt` - at `$.evals[0]`"),
        ({"id": 1, "prompt": ""}, "$.evals[0].prompt"),
        ({"id": 1, "prompt": "p", "assertions": [{"path": "x"}]}, "$.evals[0].assertions[0]"),
        ({"id": 1, "prompt": "p", "assertions": [{"kind": "file_excists", "path": "x"}]},
         "Invalid value 'file_excists'"),
        ({"id": 1, "prompt": "p", "assertions": [{"kind": "file_exists", "pth": "x"}]},
         "$.evals[0].assertions[0]"),
        ({"id": 1, "prompt": "p", "assertions": [{"kind": "output_matches", "pattern": "("}]},
         "'(' is no regular expression"),
        ({"id": 1, "prompt": "p", "assertions": [{"kind": "file_exists", "path": "/etc/passwd"}]},
         "not below the working directory"),
        ({"id": 1, "prompt": "p", "assertions": [{"kind": "command_succeeds",
                                                  "command": "rm -rf /"}]}, "No mode allows this"),
        ({"id": 1, "prompt": "p", "files": ["../../secret"]}, "is no path below the skill"),
        ({"id": 1, "prompt": "p", "files": ["/etc/passwd"]}, "is no path below the skill"),
        ({"id": 1, "prompt": "p", "files": ["evals/files/none.csv"]}, "there is no"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(
    tmp_path: Path, given_eval: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError, match=r"evals\.json cannot be used") as refused:
        read(tmp_path, given_eval)
    assert says in refused.value.message


def test_an_input_that_a_link_leads_out_of_the_skill_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path, {"id": 1, "prompt": "p", "files": ["evals/files/a"]})
    (file.parent / "files").mkdir()
    (file.parent / "files" / "a").symlink_to("/etc/hostname")
    with pytest.raises(ConfigError, match="there is no"):
        read_tasks(file, skill="csv-join")


def test_no_file_another_skills_file_and_two_of_a_name_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no tasks to measure 'csv-join'") as missing:
        read_tasks(tmp_path / "none.json", skill="csv-join")
    assert "--tasks FILE" in missing.value.hint
    with pytest.raises(ConfigError, match="is for the skill 'other'"):
        read_tasks(
            written(tmp_path, {"id": 1, "prompt": "p"}, skill_name="other"), skill="csv-join"
        )
    with pytest.raises(ConfigError, match="two tasks '1'"):
        read(tmp_path, {"id": 1, "prompt": "p"}, {"id": "1", "prompt": "q"})
    with pytest.raises(ConfigError, match="cannot be used"):
        read(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"x"', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_evals_json_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "evals.json"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="cannot be used"):
        read_tasks(file, skill="x")


def test_a_pipe_in_the_place_of_the_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "evals.json")
    with pytest.raises(ConfigError, match="not a regular file"):
        read_tasks(tmp_path / "evals.json", skill="x")


@given(st.dictionaries(KEYS, JSON | st.lists(EVALS, max_size=3), max_size=6))
def test_any_json_is_either_tasks_or_one_error(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any]
) -> None:
    file = tmp_path_factory.getbasetemp() / "any-evals.json"
    file.write_bytes(msgspec.json.encode(content))
    try:
        tasks = read_tasks(file, skill="csv-join")
    except ConfigError:
        return
    assert len({task.id for task in tasks}) == len(tasks) > 0


def test_inputs_are_laid_out_as_they_lie_below_their_folder(tmp_path: Path) -> None:
    inputs = tmp_path / "csv-join" / "evals" / "files"
    (inputs / "site" / "css").mkdir(parents=True)
    (inputs / "site" / "css" / "a.css").write_text("x", "utf-8")
    (inputs / "site" / "link").symlink_to("/etc/hostname")
    (inputs / "run.sh").write_text("#!/bin/sh\n", "utf-8")
    (inputs / "run.sh").chmod(0o755)
    files = ["evals/files/site", "evals/files/run.sh"]
    (task,) = read(tmp_path, {"id": 1, "prompt": "p", "files": files})
    (work := tmp_path / "work").mkdir()
    lay_out(task, work)
    assert sorted(one.relative_to(work).as_posix() for one in work.rglob("*")) == [
        "run.sh", "site", "site/css", "site/css/a.css",
    ]  # fmt: skip
    assert os.access(work / "run.sh", os.X_OK)


def test_inputs_without_bounds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation_tasks, "MAX_INPUT_BYTES", 10)
    (tmp_path / "big").write_bytes(b"x" * 11)
    with pytest.raises(HermesError, match="inputs of task '1'"):
        lay_out(Task("1", "p", "", ((tmp_path / "big", "big"),), ()), tmp_path)


def test_commands_that_check_are_named_once() -> None:
    checks = (CommandSucceeds("make test"), FileExists("x"), CommandSucceeds("make test"))
    assert commands_of([Task("1", "p", "", (), checks)] * 2) == ["make test"]
