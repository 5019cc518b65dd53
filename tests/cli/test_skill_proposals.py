"""`hermes skills proposals`, `conflicts` and `audit`, as a person runs them."""

import json
from pathlib import Path

import anyio
import pytest

from hermes_tui.learning.proposals import Proposal, Proposals
from hermes_tui.learning.refinement import Edit, edited
from hermes_tui.skills.skill import skill_text
from tests.cli.conftest import Here

BODY = "## Steps\n1. Look at it.\n\n## Verify\n`test -s <file>` succeeds.\n"


def skill(home: Path, name: str, about: str, body: str = BODY) -> None:
    (home / "skills" / name).mkdir(parents=True)
    (home / "skills" / name / "SKILL.md").write_text(skill_text(name, about, body))


@pytest.fixture
def proposal(home: Path) -> Proposal:
    skill(home, "disk-full", "Find what fills a disk. Use when a disk is full.")

    async def work() -> Proposal | None:
        edit = Edit("1. Look at it.", "1. Look at it with `du -x`.")
        return await Proposals(home / "proposals").add(
            "disk-full", why="Mounts were counted.", before=BODY, after=edited(BODY, [edit]),
            description="Find what fills a disk. Use when a disk is full.", edits=[edit],
        )  # fmt: skip

    made = anyio.run(work)
    assert made is not None
    return made


def test_a_proposal_is_listed_shown_and_accepted(
    here: Here, home: Path, proposal: Proposal
) -> None:
    listed = here("skills", "proposals")
    assert listed.out.startswith(proposal.id)
    assert listed.out.endswith("disk-full: Mounts were counted.\n")
    shown = here("skills", "proposals", "show", "disk-full")
    assert "Because: Mounts were counted." in shown.out
    assert "+1. Look at it with `du -x`." in shown.out
    accepted = here("skills", "proposals", "accept", proposal.id[:5])
    assert accepted.err == "The skill disk-full is changed, version 2.\n"
    assert "du -x" in (home / "skills" / "disk-full" / "SKILL.md").read_text()
    assert here("skills", "proposals").err == "No change to a skill waits for your yes.\n"
    newest = json.loads(here("skills", "log", "disk-full", "--json").out)[0]
    assert newest["reason"] == "Mounts were counted."


def test_a_rejected_proposal_is_gone_and_the_skill_as_it_was(
    here: Here, home: Path, proposal: Proposal
) -> None:
    (told,) = json.loads(here("skills", "proposals", "--json").out)
    assert (told["id"], told["skill"]) == (proposal.id, "disk-full")
    assert "+1. Look at it with" in told["diff"]
    done = here("skills", "proposals", "reject", proposal.id)
    assert done.err == f"Rejected: {proposal.id} for the skill disk-full.\n"
    assert json.loads(here("skills", "proposals", "--json").out) == []
    assert "du -x" not in (home / "skills" / "disk-full" / "SKILL.md").read_text()


@pytest.mark.parametrize("decision", ["show", "accept", "reject"])
def test_an_unknown_proposal_is_one_sentence(here: Here, decision: str) -> None:
    done = here("skills", "proposals", decision, "nope")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "There is no proposal 'nope'" in done.err


def test_contradicting_skills_are_told_with_the_one_to_go_by(here: Here, home: Path) -> None:
    for name, tool in (("vue", "pnpm"), ("react", "yarn")):
        about = f"Set up a frontend project with {name}. Use when packages are installed."
        skill(home, name, about, f"{BODY}\nAlways use {tool}.\n")
    told = here("skills", "conflicts")
    assert "contradiction: react and vue. One chooses yarn, the other pnpm" in told.out
    assert "  go by " in told.out
    (one,) = json.loads(here("skills", "conflicts", "--json").out)
    assert one["verdict"]["kind"] == "contradiction"


def test_an_audit_prints_a_summary_and_where_the_report_is(here: Here, home: Path) -> None:
    skill(home, "disk-full", "Disk things.")
    done = here("skills", "audit")
    assert done.code == 0
    assert "1 to mend" in done.err
    (report,) = (home / "audits").glob("*.md")
    assert Path(done.out.strip()).name == report.name
    assert "- disk-full: The description does not say when to use it." in report.read_text()
    told = json.loads(here("skills", "audit", "--json").out)
    (own,) = [one for one in told["skills"] if one["name"] == "disk-full"]
    assert own["problems"] == ["The description does not say when to use it."]
    assert own["confidence"]["mean"] == 0.75
    assert Path(told["path"]).is_file()


@pytest.mark.parametrize("decision", ["accept", "reject"])
def test_a_decision_is_one_object(here: Here, proposal: Proposal, decision: str) -> None:
    told = json.loads(here("skills", "proposals", decision, proposal.id, "--json").out)
    assert (told["id"], told["skill"]) == (proposal.id, "disk-full")
    assert told["decision"] == f"{decision}ed"
