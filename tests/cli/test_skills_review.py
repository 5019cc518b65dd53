"""`hermes skills analyze` and `prune`."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.cli.skill_review_commands import span
from hermes_tui.core.errors import ConfigError
from hermes_tui.core.skills import Outcome, Skill
from hermes_tui.skills.confidence import Confidence
from hermes_tui.skills.pruning import prunable
from hermes_tui.skills.skills import Standing
from tests.cli.conftest import Here
from tests.cli.skill_folders import age, put_skill, use
from tests.cli.terminal import Typed


def test_every_skill_is_told_of_with_how_often_it_worked(here: Here, home: Path) -> None:
    put_skill(home, "car-wash", origin="agent")
    put_skill(home, "bad-car", origin="agent", body="Read scripts/none.sh, then do it.\n")
    (put_skill(home, "no-car") / "SKILL.md").write_text("no head at all", "utf-8")
    use(home, "car-wash", "verified", "success", "interrupted", "correction")
    use(home, "bad-car", "failure", "failure", "failure")
    done = here("skills", "analyze")
    first, second = done.out.splitlines()[:2]
    assert first.split()[:3] == ["car-wash", "active", "4"]
    assert "2 of 3" in first
    assert second.split()[:3] == ["bad-car", "doubtful", "3"]
    assert "! bad-car: It names files it does not have: scripts/none.sh." in done.err
    assert "no-car: It does not begin with a line `---`." in done.err
    told = json.loads(here("skills", "analyze", "--json").out)
    row = told["skills"][0]
    assert row["outcomes"] == {"verified": 1, "success": 1, "interrupted": 1, "correction": 1}
    assert row["success_rate"] == 0.667
    assert row["confidence"]["low"] < row["confidence"]["mean"] < row["confidence"]["high"]
    assert told["broken"][0]["path"].endswith("no-car")
    assert told["prune"] == []


VERIFIED: tuple[Outcome, ...] = ("verified",) * 10


def old_skills(home: Path) -> None:
    age(put_skill(home, "idle-one", origin="agent"), days=200)
    age(put_skill(home, "good-one", origin="agent"), days=200)
    age(put_skill(home, "hub-one", origin="hub"), days=200)
    age(put_skill(home, "my-one"), days=200)
    put_skill(home, "new-one", origin="agent")
    use(home, "good-one", *VERIFIED, days_ago=100)
    use(home, "hub-one", "failure", days_ago=150)
    pinned = put_skill(home, "pin-one", origin="agent")
    text = (pinned / "SKILL.md").read_text("utf-8")
    pinned.joinpath("SKILL.md").write_text(
        text.replace("  hermes-origin", '  hermes-pinned: "true"\n  hermes-origin'), "utf-8"
    )
    age(pinned, days=200)


def test_only_idle_skills_of_hermes_that_seldom_helped_are_archived(here: Here, home: Path) -> None:
    old_skills(home)
    assert json.loads(here("skills", "analyze", "--json").out)["prune"] == ["idle-one"]
    listed = here("skills", "prune", "--dry-run")
    assert [line.split()[0] for line in listed.out.splitlines()] == ["idle-one"]
    assert "idle  200 days  0 uses    confidence 0.43" in listed.out
    assert listed.err == "1 skill would be archived.\n"
    refused = here("skills", "prune")
    assert (refused.code, "Pass --yes" in refused.err) == (3, True)
    assert (home / "skills" / "idle-one").exists()
    done = here("skills", "prune", "--yes")
    assert done.code == 0
    assert done.err.endswith("Archived 1 skill. Bring one back with: hermes skills restore NAME\n")
    assert not (home / "skills" / "idle-one").exists()
    assert "Idle for 200 days, confidence 0.43." in here("skills", "log", "idle-one").out
    assert here("skills", "restore", "idle-one").code == 0


def test_installed_skills_are_pruned_only_when_asked_for(here: Here, home: Path) -> None:
    old_skills(home)
    words = ["skills", "prune", "--dry-run", "--include-hub"]
    names = [line.split()[0] for line in here(*words).out.splitlines()]
    assert names == ["idle-one", "hub-one"]
    wider = here(*words, "--threshold", "0d", "--confidence", "1")
    names = {line.split()[0] for line in wider.out.splitlines()}
    assert names == {"idle-one", "good-one", "hub-one", "new-one"}


def test_nothing_to_prune_is_no_error(here: Here) -> None:
    done = here("skills", "prune")
    assert (done.code, done.err) == (0, "No skill is idle for 90 days and below 0.50.\n")
    assert here("skills", "prune", "--threshold", "soon").code == 2
    assert here("skills", "prune", "--confidence", "2").code == 2


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 3)])
def test_a_person_is_asked_before_skills_are_archived(home: Path, answer: str, code: int) -> None:
    age(put_skill(home, "idle-one", origin="agent"), days=200)
    with Typed("skills", "prune") as terminal:
        terminal.awaits("idle-one")
        terminal.awaits("Archive 1 skill? [y/N] ")
        terminal.types(f"{answer}\n")
        assert terminal.ends() == code
    assert (home / "skills" / "idle-one").exists() == (answer == "n")


@given(st.text(max_size=12))
def test_any_text_is_a_span_of_days_or_refused(text: str) -> None:
    with suppress(ConfigError):
        assert span(text) >= timedelta(0)


@pytest.mark.parametrize(
    ("text", "days"), [("90d", 90), ("90", 90), ("12 weeks", 84), ("6m", 180), ("1Y", 365)]
)
def test_a_span_is_given_in_days_weeks_months_or_years(text: str, days: int) -> None:
    assert span(text) == timedelta(days=days)


@given(
    st.floats(0, 1), st.integers(0, 400), st.integers(0, 400), st.floats(0, 1), st.integers(0, 400)
)
def test_what_is_pruned_is_idle_and_doubtful_and_nothing_else(
    mean: float, used_ago: int, threshold: int, below: float, changed_ago: int
) -> None:
    now = datetime.now(UTC)
    skill = Skill("x", "", "d", Path("/nowhere"), "agent")
    held = Confidence(mean, 1 - mean)
    standing = Standing(held, "active", 1, now - timedelta(days=used_ago))
    changed = {"x": now - timedelta(days=changed_ago)}
    found = prunable(
        [skill], {"x": standing}, now,
        idle=timedelta(days=threshold), confidence=below, changed=changed,
    )  # fmt: skip
    is_idle = min(used_ago, changed_ago) >= threshold
    assert bool(found) == (is_idle and held.mean < below)


def test_what_is_pruned_is_one_object(here: Here, home: Path) -> None:
    assert json.loads(here("skills", "prune", "--json").out) == {"archived": False, "skills": []}
    old_skills(home)
    would = json.loads(here("skills", "prune", "--dry-run", "--json").out)
    assert [one["name"] for one in would["skills"]] == ["idle-one"]
    assert not would["archived"]
    done = json.loads(here("skills", "prune", "--yes", "--json").out)
    assert done["archived"]
    assert done["skills"][0]["idle_days"] >= 200
