"""`hermes skills eval`, run as its users do against a server that speaks the real protocol."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import msgspec
import pytest

from hermes_tui.learning.evaluation.files import latest_evidence
from hermes_tui.skills.skill import read_skill
from hermes_tui.skills.trust import Trust, content_hash
from tests.cli.conftest import Here
from tests.cli.terminal import ROOT, Typed, hermes
from tests.doubles.openai_server import Answer, OpenAIServer, error, serve

Json = dict[str, Any]

SKILL = """\
---
name: csv-join
description: "Joins CSV files. Use when two tables have to be put together."
---

The magic word is xyzzy.
"""
CHECKS = [
    {"kind": "command_succeeds", "command": "grep -q xyzzy out.csv"},
    "The table was joined.",
]
SLOW = ("cat a.csv", "ls", "wc -l a.csv", "echo wrong > out.csv")


@pytest.fixture
def skill(home: Path) -> Path:
    folder = home / "skills" / "csv-join"
    (folder / "evals" / "files").mkdir(parents=True)
    (folder / "SKILL.md").write_text(SKILL, "utf-8")
    (folder / "evals" / "files" / "a.csv").write_text("id,x\n1,a\n", "utf-8")
    write_tasks(folder / "evals" / "evals.json")
    return folder


def write_tasks(file: Path, *, tasks: int = 1, **changes: Any) -> Path:
    evals = [
        {"id": number, "prompt": "Join the tables.", "expected_output": "A joined table.",
         "files": ["evals/files/a.csv"], "assertions": CHECKS, **changes}
        for number in range(1, tasks + 1)
    ]  # fmt: skip
    file.write_bytes(msgspec.json.encode({"skill_name": "csv-join", "evals": evals}))
    return file


def used(text: str, calls: tuple[tuple[str, str], ...] = (), *, step: int = 0) -> Answer:
    usage = {
        "prompt_tokens": 1_000 + 200 * step, "completion_tokens": 20, "total_tokens": 1_020,
        "prompt_tokens_details": {"cached_tokens": 500 if step else 0},
    }  # fmt: skip
    return Answer(text, calls=calls, usage=usage)


def pupil(request: Json) -> Answer:
    """Quick and right with the skill, slow and wrong without it; and a judge who quotes."""
    if not request.get("tools"):
        verdict = {"n": 1, "passed": True, "quote": "It is joined."}
        return used(msgspec.json.encode({"verdicts": [verdict]}).decode())
    step = sum(1 for message in request["messages"] if message["role"] == "assistant")
    if "csv-join" in request["messages"][0]["content"]:
        steps = [("skill_load", '{"name": "csv-join"}')]
        steps += [("terminal", '{"command": "echo xyzzy > out.csv"}')]
    else:
        steps = [("terminal", f'{{"command": "{line}"}}') for line in SLOW]
    if step < len(steps):
        return used("", (steps[step],), step=step)
    return used("It is joined.", step=step)


def keys(server: OpenAIServer) -> dict[str, str]:
    return {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-test-0123456789"}


async def test_a_skill_that_helps_is_shown_to_help(skill: Path, home: Path) -> None:
    async with serve(default=pupil) as server:
        done = await hermes(
            "skills", "eval", "csv-join", "--runs", "8", "--yes", "--seed", "3", "-m",
            "openai/mock",
            env=keys(server),
        )  # fmt: skip
    assert done.code == 0, done.err
    assert "8 times each" in done.err
    assert "16 runs in random order (seed 3)" in done.err
    assert "Checks the outcome with: grep -q xyzzy out.csv" in done.err
    assert "16/16  task 1" in done.err
    lines = done.out.splitlines()
    assert lines[-1].startswith("csv-join: helps: +50 points passed, -4")
    assert lines[-1].endswith("(n=8).")
    found = latest_evidence(home / "evals", "csv-join")
    assert found is not None
    assert found.effect is not None
    assert found.text in lines[-1]
    assert (found.model, found.seed, found.ending) == ("openai/mock", 3, "complete")
    helped, alone = found.summaries[1], found.summaries[0]
    assert (helped.arm, helped.loaded, helped.pass_rate) == ("with_skill", 8, 1.0)
    assert (alone.arm, alone.loaded, alone.pass_rate) == ("without_skill", 0, 0.5)
    assert helped.cached_tokens == 1_000
    assert helped.uncached_tokens == 2_600
    folder = home / "evals" / "csv-join" / "iteration-1"
    assert (folder / "benchmark.json").exists()
    assert (folder / "eval-1" / "with_skill" / "run-8" / "outputs" / "out.csv").exists()
    assert msgspec.json.decode((folder / "evidence.json").read_bytes())["skill"] == "csv-join"


async def test_the_model_never_sees_what_is_expected(skill: Path) -> None:
    hidden = {"kind": "command_succeeds", "command": "! find $HERMES_HOME | grep -q evals"}
    write_tasks(skill / "evals" / "evals.json", assertions=[hidden, CHECKS[1]])
    async with serve(default=pupil) as server:
        done = await hermes(
            "skills", "eval", "csv-join", "--runs", "1", "-m", "openai/mock", "-y", "--json",
            env=keys(server),
        )  # fmt: skip
        asked = [request for request in server.requests if request.get("tools")]
        judged = [request for request in server.requests if not request.get("tools")]
    runs = msgspec.json.decode(done.out)["runs"]
    assert [run["grades"][0]["passed"] for run in runs] == [True, True]
    assert (len(asked), len(judged)) == (8, 2)
    for request in asked:
        assert "The table was joined." not in str(request)
    for request in judged:
        assert "csv-join" not in str(request)


async def test_json_has_the_evidence_and_every_run(skill: Path, tmp_path: Path) -> None:
    tasks = write_tasks(skill / "evals" / "other.json", tasks=2, assertions=CHECKS[:1])
    async with serve(default=pupil) as server:
        done = await hermes(
            "skills", "eval", "csv-join", "--tasks", str(tasks), "--runs", "1", "--json", "--yes",
            "-m", "openai/mock", "--out", str(tmp_path / "out"), env=keys(server),
        )  # fmt: skip
    assert done.code == 0, done.err
    found = msgspec.json.decode(done.out)
    assert found["text"] == "insufficient evidence (n=2)"
    assert found["effect"]["tasks"] == 2
    assert sorted((run["task"], run["arm"]) for run in found["runs"]) == [
        ("1", "with_skill"), ("1", "without_skill"), ("2", "with_skill"), ("2", "without_skill"),
    ]  # fmt: skip
    assert (tmp_path / "out" / "iteration-1" / "benchmark.json").exists()


async def test_an_older_version_is_measured_beside_the_new_one(skill: Path, home: Path) -> None:
    assert (await hermes("skills", "log", "csv-join")).code == 0  # takes version 1 in
    (skill / "SKILL.md").write_text(SKILL + "\nVersion two.\n", "utf-8")
    async with serve(default=pupil) as server:
        done = await hermes(
            "skills", "eval", "csv-join", "--old", "v1", "--runs", "1", "-y", "-m", "openai/mock",
            env=keys(server),
        )  # fmt: skip
        texts = [str(request["messages"]) for request in server.requests if request.get("tools")]
    assert done.code == 0, done.err
    assert "csv-join (version 2)" in done.err
    assert "without skill, with skill, with version 1: 3 runs" in done.err
    assert "Against version 1: insufficient evidence (n=1)." in done.out
    assert any("Version two." in text for text in texts)
    assert any("xyzzy" in text and "Version two." not in text for text in texts)
    against = home / "evals" / "csv-join" / "iteration-1" / "against-v1" / "eval-1"
    assert sorted(one.name for one in against.iterdir() if one.is_dir()) == [
        "new_skill",
        "old_skill",
    ]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["csv-jion"], 1, "Did you mean csv-join?"),
        (["csv-join", "--old", "two"], 2, "--old 'two' is no version."),
        (["csv-join", "--old", "v9"], 1, "v9" ),
        (["csv-join", "--tasks", "/no/such.json"], 2, "no tasks to measure 'csv-join' on"),
        (["csv-join", "--model", "opnai/gpt"], 2, "There is no model provider 'opnai'."),
        (["csv-join", "--runs", "0"], 2, "--runs"),
        (["csv-join", "-m", "rehearsal"], 3, "Nobody is there to say yes. Nothing was run."),
    ],
)  # fmt: skip
def test_bad_input_gets_one_sentence_and_its_code(
    skill: Path, here: Here, words: list[str], code: int, says: str
) -> None:
    done = here("skills", "eval", *words)
    assert (done.code, done.out) == (code, "")
    assert says.removeprefix("v") in done.err
    assert "Traceback" not in done.err
    assert not (skill.parents[1] / "evals").exists()


def test_a_skill_without_tasks_or_with_broken_ones_says_how_to_write_them(
    skill: Path, here: Here
) -> None:
    file = skill / "evals" / "evals.json"
    file.write_text('{"evals": [{"id": 1}]}', "utf-8")
    broken = here("skills", "eval", "csv-join", "--yes", "-m", "rehearsal")
    assert (broken.code, "missing required field `prompt`" in broken.err) == (2, True)
    file.unlink()
    missing = here("skills", "eval", "csv-join", "--yes", "-m", "rehearsal")
    assert (missing.code, "--tasks FILE" in missing.err) == (2, True)


def test_a_skill_that_cannot_be_used_here_is_not_measured(skill: Path, here: Here) -> None:
    needy = SKILL.replace('"\n---', '"\nmetadata:\n  hermes-requires-toolsets: memory\n---')
    (skill / "SKILL.md").write_text(needy, "utf-8")
    done = here("skills", "eval", "csv-join", "--yes", "-m", "rehearsal")
    assert (done.code, "It needs memory" in done.err) == (2, True)


def test_a_rehearsal_tries_the_tasks_out_and_is_no_evidence(
    skill: Path, home: Path, here: Here
) -> None:
    write_tasks(skill / "evals" / "evals.json", prompt="run `echo xyzzy > out.csv`")
    done = here("skills", "eval", "csv-join", "--yes", "-m", "rehearsal", "--runs", "1")
    assert done.code == 0, done.err
    assert "REHEARSAL: no LLM answers" in done.err
    assert done.out.splitlines()[-1].startswith("REHEARSAL, no evidence: csv-join")
    assert "Not graded, so neither passed nor failed: 2 assertions." in done.out
    assert latest_evidence(home / "evals", "csv-join") is None


async def test_a_provider_that_refuses_is_told_and_leaves_no_folder(
    skill: Path, home: Path
) -> None:
    async with serve(default=error(401, "bad key")) as server:
        done = await hermes(
            "skills", "eval", "csv-join", "--yes", "-m", "openai/mock", env=keys(server)
        )
    assert done.code == 4
    assert "Nothing was measured." in done.err
    assert "OPENAI_API_KEY" in done.err
    assert list((home / "evals" / "csv-join").iterdir()) == []


async def test_ctrl_c_ends_it_and_what_was_measured_is_printed_and_kept(
    skill: Path, home: Path
) -> None:
    def slow_in_the_end(request: Json) -> Answer:
        answer = pupil(request)
        is_late = len(server.requests) > 25
        return msgspec.structs.replace(answer, stall_after=1) if is_late else answer

    async with serve(default=slow_in_the_end) as server:
        process = await anyio.open_process(
            [sys.executable, "-m", "hermes_tui", "skills", "eval", "csv-join", "--yes", "--runs",
             "20", "-m", "openai/mock"],
            stdin=subprocess.DEVNULL, cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **keys(server)},
        )  # fmt: skip
        with anyio.fail_after(60):
            await server.stalled.wait()
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 130
        assert process.stdout is not None
        printed = (await process.stdout.receive(100_000)).decode()
        await process.aclose()
    assert "It was interrupted; what was measured until then counts." in printed
    found = latest_evidence(home / "evals", "csv-join")
    assert found is not None
    assert found.effect is not None
    assert found.effect.pairs >= 2


async def test_a_person_is_asked_first_and_may_say_no(skill: Path) -> None:
    def answers_no() -> int:
        with Typed("skills", "eval", "csv-join", "-m", "rehearsal") as terminal:
            terminal.awaits("nothing confines them to that folder.")
            terminal.awaits("it ends at")
            terminal.awaits("Go ahead? [y/N]")
            terminal.types("n\n")
            terminal.awaits("Nothing was run.")
            return terminal.ends()

    assert await anyio.to_thread.run_sync(answers_no) == 3


def made_by_somebody_else(skill: Path) -> None:
    foreign = SKILL.replace('"\n---', '"\nmetadata:\n  hermes-origin: hub\n---')
    (skill / "SKILL.md").write_text(foreign, "utf-8")


def trust(folder: Path, home: Path) -> None:
    skill = read_skill(folder)
    Trust(home / "skills-trust.json").trust(skill, content_hash(skill))


def test_somebody_elses_skill_runs_nothing_with_yes_alone(
    skill: Path, home: Path, here: Here
) -> None:
    made_by_somebody_else(skill)
    words = ("skills", "eval", "csv-join", "--yes", "-m", "rehearsal", "--runs", "1")
    done = here(*words)
    assert (done.code, done.out) == (3, "")
    assert "you have not trusted it as it is. Nothing was run." in done.err
    assert "hermes skills trust csv-join" in done.err
    trust(skill, home)
    assert here(*words).code == 0
    (skill / "notes.md").write_text("Changed since.", "utf-8")
    assert here(*words).code == 3


def test_trust_in_somebody_elses_skill_does_not_cover_its_older_versions(
    skill: Path, home: Path, here: Here
) -> None:
    made_by_somebody_else(skill)
    assert here("skills", "log", "csv-join").code == 0
    trust(skill, home)
    done = here("skills", "eval", "csv-join", "--old", "1", "--yes", "-m", "rehearsal")
    assert (done.code, "never covers its older versions" in done.err) == (3, True)


async def test_a_person_at_a_terminal_is_asked_about_somebody_elses_skill_despite_yes(
    skill: Path,
) -> None:
    made_by_somebody_else(skill)

    def answers_no() -> int:
        with Typed("skills", "eval", "csv-join", "--yes", "-m", "rehearsal") as terminal:
            terminal.awaits("csv-join is somebody else's")
            terminal.awaits("Go ahead all the same? [y/N]")
            terminal.types("n\n")
            terminal.awaits("Nothing was run.")
            return terminal.ends()

    assert await anyio.to_thread.run_sync(answers_no) == 3
