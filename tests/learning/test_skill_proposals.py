"""Changes to skills that wait for a yes, and the edits they are made of."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.core.errors import ConfigError, NotFoundError, ToolError
from hermes_tui.learning.proposals import MAX_KEPT, MAX_WAITING, Proposal, Proposals
from hermes_tui.learning.refinement import Edit, difference, edited, likeness
from tests.learning.skill_desk import BODY, DESCRIPTION, SkillDesk, skill_desk

EDIT = Edit("1. Run `nginx -t`", "1. As root, run `nginx -t`")


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncGenerator[SkillDesk, None]:
    async with skill_desk(tmp_path) as desk:
        await desk.write("nginx-502", by_user=True)
        yield desk


async def propose(
    desk: SkillDesk, edit: Edit = EDIT, why: str = "Only root may read the keys."
) -> Proposal:
    proposal = await desk.proposals.add(
        "nginx-502", why=why, before=BODY, after=edited(BODY, [edit]),
        description=DESCRIPTION, edits=[edit], session="s1", outcome="failure",
    )  # fmt: skip
    assert proposal is not None
    return proposal


async def small(proposals: Proposals, skill: str) -> None:
    await proposals.add(skill, why="w", before="a", after="b", description="d")


async def test_an_accepted_proposal_is_a_new_version(desk: SkillDesk) -> None:
    proposal = await propose(desk)
    assert proposal.diff.splitlines()[3:] == [
        " A service answers with 502 behind nginx.", " ", " ## Steps",
        "-1. Run `nginx -t`; a syntax error explains most of them.",
        "+1. As root, run `nginx -t`; a syntax error explains most of them.",
        " 2. Look at the upstream with `curl -f http://localhost:<port>/health`.",
        " 3. Restart the upstream, then reload nginx with `systemctl reload nginx`.", " ",
    ]  # fmt: skip
    saved = await desk.proposals.accept(await desk.proposals.get(proposal.id[:4]), desk.skills)
    assert "As root" in await desk.body("nginx-502")
    assert (saved.version.number, saved.version.reason) == (2, proposal.why)
    assert (saved.version.session, saved.version.outcome) == ("s1", "failure")
    assert await desk.proposals.waiting() == []


async def test_a_skill_that_changed_meanwhile_keeps_its_changes(desk: SkillDesk) -> None:
    proposal = await propose(desk)
    await desk.write("nginx-502", BODY.replace("## Verify", "## Check"), by_user=True)
    await desk.proposals.accept(proposal, desk.skills)
    body = await desk.body("nginx-502")
    assert "As root" in body
    assert "## Check" in body


async def test_a_proposal_that_no_longer_fits_is_said_and_stays(desk: SkillDesk) -> None:
    proposal = await propose(desk)
    await desk.write("nginx-502", BODY.replace("nginx -t", "nginx -T"), by_user=True)
    with pytest.raises(ConfigError, match="no longer fits"):
        await desk.proposals.accept(proposal, desk.skills)
    assert await desk.proposals.waiting() == [proposal]


async def test_the_same_is_not_proposed_twice_nor_after_a_no(desk: SkillDesk) -> None:
    proposal = await propose(desk)

    async def again() -> Proposal | None:
        return await desk.proposals.add(
            "nginx-502", why="x", before=BODY, after=proposal.after, description=DESCRIPTION
        )

    assert await again() is None
    await desk.proposals.reject(proposal)
    assert await desk.proposals.waiting() == []
    assert [one.why for one in await desk.proposals.of("nginx-502")] == [proposal.why]
    assert await again() is None


async def test_a_proposal_is_found_by_its_id_or_its_skill(desk: SkillDesk) -> None:
    with pytest.raises(NotFoundError, match="no proposal"):
        await desk.proposals.get("nginx-502")
    proposal = await propose(desk)
    assert await desk.proposals.get("nginx-502") == proposal
    await propose(desk, Edit("## Verify", "## Prove"))
    with pytest.raises(NotFoundError, match="More than one"):
        await desk.proposals.get("nginx-502")
    with pytest.raises(NotFoundError):
        await desk.proposals.get("")


async def test_no_more_than_fifty_are_kept_and_rejected_ones_go_first(desk: SkillDesk) -> None:
    first = await propose(desk)
    await desk.proposals.reject(first)
    for number in range(MAX_KEPT):
        await small(desk.proposals, f"skill-{number}")
    waiting = await desk.proposals.waiting()
    assert len(waiting) == MAX_KEPT
    assert await desk.proposals.of("nginx-502") == []
    await small(desk.proposals, "the-last")
    kept = await desk.proposals.waiting()
    assert len(kept) == MAX_KEPT
    assert waiting[0] not in kept


async def test_of_one_skill_only_the_newest_proposals_wait(desk: SkillDesk) -> None:
    made = [
        await propose(desk, Edit("## Verify", f"## Verify {number}"))
        for number in range(MAX_WAITING + 2)
    ]
    assert await desk.proposals.waiting() == made[2:]


@pytest.mark.parametrize("content", ["", "{", '{"id": "x"}', "[]", "\x00"])
async def test_a_damaged_file_hides_no_other(desk: SkillDesk, content: str) -> None:
    proposal = await propose(desk)
    (desk.proposals.folder / "bad.json").write_text(content)
    assert await desk.proposals.waiting() == [proposal]


async def test_proposals_of_several_writers_are_all_kept(tmp_path: Path) -> None:
    proposals = Proposals(tmp_path / "new" / "proposals", now=lambda: datetime.now(UTC))

    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(small, proposals, f"skill-{number}")
    assert len(await proposals.waiting()) == 10
    assert {file.stat().st_mode & 0o777 for file in proposals.folder.iterdir()} == {0o600}


def test_edits_are_made_one_after_the_other() -> None:
    assert edited("a b", [Edit("a", "b c"), Edit("b c", "d")]) == "d b"
    assert edited("a\n", [Edit("", "## More\n")]) == "a\n\n## More\n"


@pytest.mark.parametrize(("text", "old"), [("a a", "a"), ("abc", "x"), ("", "x")])
def test_a_passage_has_to_stand_there_once(text: str, old: str) -> None:
    with pytest.raises(ToolError):
        edited(text, [Edit(old, "y")])


@given(st.text(alphabet="ab \n", max_size=30), st.text(alphabet="ab \n", max_size=30))
def test_a_diff_is_empty_only_between_equal_texts(one: str, other: str) -> None:
    assert (difference("x", one, other) == "") == (
        one.rstrip().splitlines() == other.rstrip().splitlines()
    )


def test_likeness_is_of_words_and_not_of_endings() -> None:
    assert likeness("restart a service", "restarting services") == 1.0
    assert likeness("restart a service", "bake bread") == 0.0
    assert likeness("", "") == 0.0
