"""What may be claimed of measured runs, and how they are kept for others to read."""

import math
import random
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hermes_tui.core.errors import ConfigError, HermesError
from hermes_tui.core.messages import Message, ToolCall, ToolResult, assistant, tool_results, user
from hermes_tui.core.usage import Usage
from hermes_tui.learning.evaluation import files as evaluation_files
from hermes_tui.learning.evaluation.evaluation import Arm, Run, Work
from hermes_tui.learning.evaluation.files import (
    Identity,
    Results,
    check_writable,
    evaluations_folder,
    latest_evidence,
    remember,
    stamp_of,
    told_evidence,
)
from hermes_tui.learning.evaluation.grading import Grade
from hermes_tui.learning.evaluation.report import Evidence, compared, report, summaries
from hermes_tui.learning.evaluation.tasks import FileExists, Sentence, Task, seen
from hermes_tui.skills.skill import read_skill

Json = dict[str, Any]

TASKS = (
    Task("7", "Join the tables.", "", (), (FileExists("out.csv"), Sentence("It is sorted."))),
    Task("9", "Join them again.", "", (), (FileExists("out.csv"), Sentence("It is sorted."))),
)
WORK = Work(
    messages=(
        user("Join the tables."),
        Message("assistant", (ToolCall("1", "terminal", '{"command": "join"}'),)),
        tool_results([ToolResult("1", "ok")]),
        assistant("Done."),
    ),
    usage=Usage(), seconds=1.0, model_calls=2, stop="done",
)  # fmt: skip


def run(
    arm: Arm, number: int, *, tokens: int, passed: Sequence[bool | None] = (True,),
    task: str = "7", seconds: float = 10.0, cached: int = 0,
) -> Run:  # fmt: skip
    return Run(
        task=task, number=number, arm=arm,
        usage=Usage(input_tokens=tokens - 100, output_tokens=100, cached_tokens=cached),
        judging=Usage(), seconds=seconds, model_calls=2, tool_calls={"terminal": 1},
        tool_errors=0, stop="done", is_loaded=arm != "without_skill",
        grades=tuple(Grade(f"check {at}", one, "seen") for at, one in enumerate(passed)),
    )  # fmt: skip


def pairs(
    n: int, *, factor: float, passed: Sequence[bool | None] = (True,),
    before: Sequence[bool | None] = (True,), arm: Arm = "with_skill", base: Arm = "without_skill",
) -> list[Run]:  # fmt: skip
    chance = random.Random(3)
    made: list[Run] = []
    for number in range(1, n + 1):
        tokens = chance.randrange(8_000, 20_000)
        noise = chance.uniform(0.95, 1.05)
        made += [
            run(arm, number, tokens=int(tokens * factor * noise), passed=passed),
            run(base, number, tokens=tokens, passed=before),
        ]
    return made


def told(runs: Sequence[Run], arm: Arm = "with_skill", base: Arm = "without_skill") -> str:
    found = compared(runs, arm, base)
    return found.text if found else ""


def evidence(runs: Sequence[Run], **changes: Any) -> Evidence:
    found = Evidence(
        skill="csv-join", version=3, stamp="s", at=datetime(2026, 3, 4, tzinfo=UTC),
        model="openai/mock", seed=5, ending="complete", spent_tokens=99_000, catalog_tokens=25,
        body_tokens=300, summaries=summaries(runs),
        effect=compared(runs, "with_skill", "without_skill"),
        change=compared(runs, "with_skill", "old_skill"),
    )  # fmt: skip
    return msgspec.structs.replace(found, **changes)


def test_a_saving_is_claimed_with_eight_pairs_and_not_with_seven() -> None:
    assert told(pairs(8, factor=0.68)).startswith("helps: -3")
    assert told(pairs(8, factor=0.68)).endswith(" % tokens (n=8)")
    assert told(pairs(7, factor=0.68)) == "insufficient evidence (n=7)"
    assert told([]) == ""


def test_what_may_be_chance_is_no_difference() -> None:
    chance = random.Random(1)
    runs = [
        run(arm, number, tokens=chance.randrange(5_000, 20_000))
        for number in range(1, 13)
        for arm in ("with_skill", "without_skill")
    ]
    assert told(runs) == "no difference shown (n=12)"


def test_a_saving_does_not_count_where_less_was_done() -> None:
    half = pairs(12, factor=0.6, passed=[True] * 9 + [False], before=[True] * 10)
    assert told(half).startswith("unproven: -4")
    assert "-10 points passed (n=12)" in told(half)
    a_little = pairs(12, factor=0.6, passed=[True] * 24 + [False], before=[True] * 25)
    assert told(a_little).startswith("helps: -4")


def test_a_saving_does_not_count_where_nobody_knows_whether_the_work_was_done() -> None:
    for ungraded in ((), (None,)):
        runs = pairs(12, factor=0.6, passed=ungraded, before=ungraded)
        assert told(runs).startswith("unproven: -4")
        assert "nothing was graded" in told(runs)


def test_doing_more_helps_even_at_a_price_and_doing_less_hurts() -> None:
    better = told(pairs(12, factor=1.3, passed=[True], before=[False]))
    assert better.startswith("helps: +100 points passed, +3")
    assert told(pairs(12, factor=0.5, passed=[False], before=[True])) == (
        "hurts: -100 points passed (n=12)"
    )
    assert told(pairs(12, factor=1.3)).startswith("costs: +3")


def test_assertions_count_only_where_both_runs_were_graded() -> None:
    runs = pairs(12, factor=1.0, passed=[True, None], before=[True, False])
    found = compared(runs, "with_skill", "without_skill")
    assert found is not None
    assert found.pass_rate is not None
    assert found.pass_rate.value == 0


def test_a_run_without_its_partner_is_in_no_pair() -> None:
    runs = [*pairs(3, factor=0.5), run("with_skill", 9, tokens=10)]
    found = compared(runs, "with_skill", "without_skill")
    assert found is not None
    assert (found.pairs, found.tasks) == (3, 1)


def test_where_no_usage_is_reported_tokens_are_not_known() -> None:
    silent = [msgspec.structs.replace(one, usage=Usage()) for one in pairs(8, factor=1.0)]
    found = compared(silent, "with_skill", "without_skill")
    assert found is not None
    assert (found.tokens, found.saved_tokens) == (None, None)
    assert "  tokens  not known" in report(evidence(silent))


def test_a_report_says_what_its_figures_are_worth() -> None:
    runs = pairs(12, factor=0.5, passed=[True, None], before=[True, None])
    runs[0] = msgspec.structs.replace(runs[0], is_loaded=False)
    lines = report(evidence(runs, ending="interrupted"))
    text = "\n".join(lines)
    assert lines[-1].startswith("csv-join: helps: -")
    for words in (
        "12 pairs of 1 task, 95 % intervals",
        "25 tokens in every prompt, 300 when read",
        "It was read in 11 of 12 runs",
        "Not graded, so neither passed nor failed: 24 assertions.",
        "All pairs come from 1 task",
        "It was interrupted",
        "would pay for its line in the prompts of",
    ):
        assert words in text
    rehearsed = report(evidence(runs, model="rehearsal"))
    assert rehearsed[-1].startswith("REHEARSAL, no evidence: csv-join")


def test_an_older_version_is_compared_on_its_own() -> None:
    runs = [*pairs(8, factor=0.5), *pairs(8, factor=0.9, base="old_skill")[1::2]]
    found = evidence(runs, old_version=2)
    assert found.change is not None
    assert any(line.startswith("Against version 2: ") for line in report(found))


def test_evidence_is_remembered_and_told_with_what_has_changed_since(tmp_path: Path) -> None:
    folder = tmp_path / "csv-join"
    folder.mkdir()
    file = folder / "SKILL.md"
    file.write_text('---\nname: csv-join\ndescription: "Joins."\n---\n\nUse join.\n', "utf-8")
    skill = read_skill(folder)
    assert latest_evidence(tmp_path, "csv-join") is None
    assert told_evidence(tmp_path, skill) == ""
    found = evidence(pairs(12, factor=0.68), stamp=stamp_of(folder))
    remember(tmp_path, found)
    assert latest_evidence(tmp_path, "csv-join") == found
    assert told_evidence(tmp_path, skill) == f"{found.text}, openai/mock"
    file.write_text(file.read_text("utf-8") + "More.\n", "utf-8")
    assert told_evidence(tmp_path, skill).endswith("openai/mock, of an earlier text")


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"skill": 3}'])
def test_evidence_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    folder = evaluations_folder(tmp_path, "csv-join")
    folder.mkdir(parents=True)
    (folder / "latest.json").write_bytes(content)
    assert latest_evidence(tmp_path, "csv-join") is None


def read_back(folder: Path) -> Json:
    """What an aggregator of the public layout makes of it, by the fields its schema names."""
    by_configuration: dict[str, list[Json]] = {}
    for eval_folder in sorted(folder.glob("eval-*")):
        eval_id = load(eval_folder / "eval_metadata.json")["eval_id"]
        for configuration in sorted(one for one in eval_folder.iterdir() if one.is_dir()):
            for run_folder in sorted(configuration.glob("run-*")):
                grading = load(run_folder / "grading.json")
                timing = load(run_folder / "timing.json")
                assert "timing" not in grading
                assert all(
                    {"text", "passed", "evidence"} == set(e) for e in grading["expectations"]
                )
                by_configuration.setdefault(configuration.name, []).append(
                    {
                        "eval_id": eval_id,
                        "run_number": int(run_folder.name.removeprefix("run-")),
                        "pass_rate": grading["summary"]["pass_rate"],
                        "time_seconds": timing["total_duration_seconds"],
                        "tokens": timing["total_tokens"],
                        "tool_calls": grading["execution_metrics"]["total_tool_calls"],
                        "notes": grading["user_notes_summary"]["needs_review"],
                    }
                )
    return by_configuration


def load(file: Path) -> Json:
    return msgspec.json.decode(file.read_bytes())


def kept(folder: Path, runs: Sequence[Run], *, old_version: int | None = None) -> Results:
    identity = Identity("csv-join", "skills/csv-join", "openai/mock", 2, old_version)
    results = Results.begin(folder, identity, TASKS)
    left = folder / "left"
    left.mkdir(exist_ok=True)
    (left / "in.csv").write_text("id\n", "utf-8")
    before = seen(left)
    (left / "sub").mkdir(exist_ok=True)
    (left / "sub" / "out.csv").write_text("id,x\n", "utf-8")
    for one in runs:
        results.keep(one, WORK, left, before)
    results.finish(runs, evidence(runs, old_version=old_version))
    return results


def both_tasks() -> list[Run]:
    return [
        run(arm, number, tokens=1_000 * number + at, passed=(True, None), task=task, seconds=number)
        for task in ("7", "9")
        for number in (1, 2)
        for at, arm in enumerate(("with_skill", "without_skill"))
    ]


def test_results_have_the_shape_the_public_aggregator_reads(tmp_path: Path) -> None:
    results = kept(tmp_path / "out", both_tasks())
    assert results.folder.name == "iteration-1"
    found = read_back(results.folder)
    assert {name: len(runs) for name, runs in found.items()} == {
        "with_skill": 4,
        "without_skill": 4,
    }
    assert {one["eval_id"] for one in found["with_skill"]} == {7, 9}
    assert found["with_skill"][0]["notes"] == ["check 1: seen"]

    benchmark = load(results.folder / "benchmark.json")
    assert set(benchmark) == {"metadata", "runs", "run_summary", "notes"}
    assert set(benchmark["metadata"]) == {
        "skill_name", "skill_path", "executor_model", "analyzer_model", "timestamp", "evals_run",
        "runs_per_configuration",
    }  # fmt: skip
    assert benchmark["metadata"]["evals_run"] == [7, 9]
    for name, runs in found.items():
        for measure in ("pass_rate", "time_seconds", "tokens"):
            values = [one[measure] for one in runs]
            assert benchmark["run_summary"][name][measure] == {
                "mean": round(statistics.fmean(values), 4),
                "stddev": round(statistics.stdev(values), 4),
                "min": min(values),
                "max": max(values),
            }
    assert benchmark["run_summary"]["delta"] == {
        "pass_rate": "+0.00", "time_seconds": "+0.0", "tokens": "-1",
    }  # fmt: skip
    first = benchmark["runs"][0]
    assert set(first) == {
        "eval_id", "eval_name", "configuration", "run_number", "result", "expectations", "notes",
    }  # fmt: skip
    assert set(first["result"]) == {
        "pass_rate", "passed", "failed", "total", "time_seconds", "tokens", "tool_calls", "errors",
    }  # fmt: skip
    assert {one["configuration"] for one in benchmark["runs"]} == {"with_skill", "without_skill"}
    assert "csv-join: insufficient evidence (n=4)." in (results.folder / "benchmark.md").read_text(
        "utf-8"
    )


def test_runs_with_an_older_version_do_not_mix_with_those_without(tmp_path: Path) -> None:
    old = [run("old_skill", n, tokens=5_000, passed=(True, None)) for n in (1, 2)]
    runs = [*both_tasks(), *old]
    results = kept(tmp_path / "out", runs, old_version=2)
    assert sorted(read_back(results.folder)) == ["with_skill", "without_skill"]
    beside = read_back(results.folder / "against-v2")
    assert {name: len(of) for name, of in beside.items()} == {"new_skill": 4, "old_skill": 2}
    # The aggregator takes the difference of the first two names: the new one comes first.
    benchmark = load(results.folder / "against-v2" / "benchmark.json")
    assert list(benchmark["run_summary"]) == ["new_skill", "old_skill", "delta"]


def test_what_a_run_made_is_kept_and_what_it_was_given_is_not(tmp_path: Path) -> None:
    results = kept(tmp_path / "out", both_tasks()[:1])
    run_folder = results.folder / "eval-1" / "with_skill" / "run-1"
    assert list(seen(run_folder / "outputs")) == ["sub/out.csv"]
    lines = (run_folder / "transcript.jsonl").read_bytes().splitlines()
    assert [msgspec.json.decode(line, type=Message) for line in lines] == list(WORK.messages)


def test_outputs_without_bounds_and_links_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation_files, "MAX_OUTPUT_BYTES", 10)
    left = tmp_path / "left"
    left.mkdir()
    (left / "a").write_bytes(b"x" * 8)
    (left / "b").write_bytes(b"x" * 8)
    (left / "link").symlink_to("/etc/hostname")
    results = Results.begin(tmp_path / "out", Identity("csv-join", "", "m", 1), TASKS)
    results.keep(run("with_skill", 1, tokens=1_000), WORK, left, {})
    outputs = results.folder / "eval-1" / "with_skill" / "run-1" / "outputs"
    assert [one.name for one in outputs.iterdir()] == ["a"]


def test_every_evaluation_has_a_folder_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "iteration-7").mkdir()
    (tmp_path / "iteration-x").mkdir()
    identity = Identity("csv-join", "", "m", 1)
    assert Results.begin(tmp_path, identity, TASKS).folder.name == "iteration-8"
    empty = Results.begin(tmp_path, identity, TASKS)
    assert empty.folder.name == "iteration-9"
    empty.drop()
    assert not empty.folder.exists()


def test_a_place_that_is_no_folder_or_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(HermesError, match="cannot be made"):
            Results.begin(place, Identity("s", "", "m", 1), TASKS)
        with pytest.raises(ConfigError, match="is no folder"):
            check_writable(place)
    check_writable(tmp_path / "new" / "below")
    assert not (tmp_path / "new").exists()


def test_an_evaluation_cut_short_does_not_replace_a_larger_one(tmp_path: Path) -> None:
    large = evidence(pairs(12, factor=0.68))
    small = evidence(pairs(3, factor=0.9), ending="interrupted")
    remember(tmp_path, large)
    remember(tmp_path, small)
    assert latest_evidence(tmp_path, "csv-join") == large
    for other in (
        msgspec.structs.replace(small, stamp="new text"),
        msgspec.structs.replace(small, ending="complete"),
    ):
        remember(tmp_path, other)
        assert latest_evidence(tmp_path, "csv-join") == other
        remember(tmp_path, large)


def test_without_an_effect_little_is_claimed() -> None:
    chance = random.Random(2)
    helps = 0
    for _ in range(400):
        runs: list[Run] = []
        for number in range(1, 13):
            size = chance.gauss(9, 0.6)
            for arm in ("with_skill", "without_skill"):
                tokens, seconds = (math.exp(size + chance.gauss(0, 0.25)) for _ in range(2))
                passed = [chance.random() < 0.8 for _ in range(4)]
                runs.append(run(arm, number, tokens=int(tokens), seconds=seconds, passed=passed))
        helps += told(runs).startswith("helps")
    # Three measures, each wrong in this direction in 2.5 of 100.
    assert helps / 400 < 0.09


def test_words_as_ids_are_numbered_because_the_aggregator_sorts_them(tmp_path: Path) -> None:
    tasks = (Task("join", "p", "", (), ()), Task("2", "p", "", (), ()))
    results = Results.begin(tmp_path / "out", Identity("csv-join", "", "m", 1), tasks)
    for name in ("join", "2"):
        results.keep(run("with_skill", 1, tokens=500, task=name), WORK, tmp_path / "none", {})
    found = [load(results.folder / f"eval-{n}" / "eval_metadata.json") for n in (1, 2)]
    assert [(one["eval_id"], one["eval_name"]) for one in found] == [(1, "join"), (2, "2")]
