"""Skills at odds: found by wording, judged once, and which of the two counts."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.core.errors import ModelUnavailableError
from hermes_tui.learning.audit.choices import CHOICES, clash, directives
from hermes_tui.learning.audit.conflicts import Conflict, SkillConflicts
from hermes_tui.models.scripted import ScriptedModel, says
from hermes_tui.skills.contradictions import losers
from hermes_tui.skills.lint import Draft
from tests.learning.skill_desk import SkillDesk, skill_desk

STEPS = "\n\n1. Do it, and then look whether it worked with `git status`.\n"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Indent with tabs.", "Use four spaces for indentation."),
        ("Indent with tabs.", "Never use tabs."),
        ("Always use pnpm.", "Install packages with `npm install`."),
        ("Use `uv` instead of pip.", "Always use pip for packages."),
        ("Prefer rebase over merge.", "Always merge, do not rebase."),
        ("We only use pytest.", "Write tests with unittest, and run unittest."),
        ("Don't use docker, use podman.", "Use docker for every build."),
        ("The package manager is pnpm.", "Always use yarn."),
        ("Always restart the queue workers.", "Never restart the queue workers."),
        ("You must squash the commits.", "Do not squash the commits."),
    ],
)
def test_directives_that_cannot_both_be_followed_clash(one: str, other: str) -> None:
    assert any(clash(a, b) for a in directives(one) for b in directives(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Use pnpm.", "Use npm if there is a package-lock.json."),
        ("Use pnpm.", "```\nnpm install\n```"),
        ("Use pnpm.", "Use pytest."),
        ("Never push with `--force`.", "Use `--force-with-lease`."),
        ("Never `docker system prune --volumes` without looking.", "Use docker."),
        ("Always read the log first.", "Never restart the database by hand."),
        ("Use tabs.", "Use tabs."),
        ("npm is a package manager.", "Use yarn."),
        ("When in Rome use tabs.", "Use spaces."),
    ],
)
def test_directives_that_fit_together_do_not_clash(one: str, other: str) -> None:
    assert not any(clash(a, b) for a in directives(one) for b in directives(other))


@given(st.text(max_size=200))
def test_any_text_has_directives_quoted_from_it(text: str) -> None:
    for directive in directives(text):
        assert directive.topic in {"", *CHOICES}
        assert all(word in " ".join(text.split()) for word in directive.quote.split())


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncGenerator[SkillDesk, None]:
    async with skill_desk(tmp_path) as desk:
        yield desk


async def write(
    desk: SkillDesk, name: str, body: str, *, about: str = "", by_user: bool = False,
    outcome: str = "",
) -> None:  # fmt: skip
    about = about or f"Set up a {name} frontend project. Use when packages are installed."
    await desk.skills.save(
        Draft(name, about, body + STEPS), reason="r", by_user=by_user, outcome=outcome
    )


async def found(desk: SkillDesk, tmp_path: Path, **given: int) -> list[Conflict]:
    file = tmp_path / "audits" / "verdicts.json"
    conflicts = SkillConflicts(desk.skills, file, model=lambda: desk.model, store=desk.store)
    return await conflicts.find(**given)


async def test_a_contradiction_is_told_with_its_quotes(desk: SkillDesk, tmp_path: Path) -> None:
    await write(desk, "vue", "Always use pnpm.")
    await write(desk, "react", "Always use yarn.")
    await write(desk, "bread", "Always use npm.", about="Bake bread when hungry, with an oven.")
    (one,) = await found(desk, tmp_path)
    assert (one.pair.one, one.pair.other, one.verdict.kind) == ("react", "vue", "contradiction")
    assert one.pair.quotes == ("Always use yarn.", "Always use pnpm.")
    assert "yarn" in one.verdict.reason


async def test_a_verdict_is_remembered_until_a_skill_changes(
    desk: SkillDesk, tmp_path: Path
) -> None:
    await write(desk, "vue", "Always use pnpm.")
    await write(desk, "react", "Always use yarn.")
    model = desk.answers({"verdict": "scoped", "reason": "Different projects."})
    assert await found(desk, tmp_path) == []
    assert await found(desk, tmp_path) == []
    assert len(model.requests) == 1
    assert (await desk.store.usage.by_day(desk.now - timedelta(days=1)))[0].usage.input_tokens > 0
    await write(desk, "react", "Always use bun.")
    model = desk.answers({"verdict": "contradiction", "reason": "The same place."})
    (one,) = await found(desk, tmp_path)
    assert (one.verdict.reason, one.verdict.by) == ("The same place.", "small")


async def test_a_model_is_asked_a_bounded_number_of_times(desk: SkillDesk, tmp_path: Path) -> None:
    for name, tool in (("vue", "pnpm"), ("react", "yarn"), ("svelte", "npm")):
        await write(desk, name, f"Always use {tool}.")
    verdict = {"verdict": "none", "reason": "Fine."}
    model = desk.answers(verdict, verdict, verdict)
    assert len(await found(desk, tmp_path, judged=2)) == 1
    assert len(model.requests) == 2
    assert await found(desk, tmp_path, judged=2) == []


@pytest.mark.parametrize("line", [ModelUnavailableError("Down."), says("well, both?")])
async def test_where_the_model_fails_the_wording_decides(
    desk: SkillDesk, tmp_path: Path, line: ModelUnavailableError
) -> None:
    await write(desk, "vue", "Always use pnpm.")
    await write(desk, "react", "Always use yarn.")
    desk.model = ScriptedModel(line)
    (one,) = await found(desk, tmp_path)
    assert (one.verdict.kind, one.verdict.by) == ("contradiction", "")


@pytest.mark.parametrize(
    ("why", "because"),
    [
        ("person", "its words are the person's"),
        ("correction", "a correction shaped it"),
        ("confidence", "it has done better"),
    ],
)
async def test_which_of_two_to_go_by(
    desk: SkillDesk, tmp_path: Path, why: str, because: str
) -> None:
    outcome = "correction" if why == "correction" else ""
    await write(desk, "vue", "Always use pnpm.", by_user=why == "person", outcome=outcome)
    await write(desk, "react", "Always use yarn.")
    if why == "confidence":
        await desk.store.skill_uses.record("vue", version=1, session="s", how="loaded")
        (use,) = await desk.store.skill_uses.of_session("s")
        await desk.store.skill_uses.judge(use.id, "verified")
    (one,) = await found(desk, tmp_path)
    assert (one.winner, one.because) == ("vue", because)


async def test_two_skills_with_nearly_the_same_description_are_duplicates(
    desk: SkillDesk, tmp_path: Path
) -> None:
    about = "Find what fills a disk and free space. Use when a disk is full."
    await write(desk, "disk-full", "Look.", about=about)
    await write(desk, "full-disk", "Look.", about=about.replace("Find", "Look for"))
    await write(desk, "bread", "Look.", about="Bake bread when hungry, with an oven.")
    (one,) = await found(desk, tmp_path)
    assert (one.pair.one, one.pair.other) == ("disk-full", "full-disk")
    assert one.verdict.kind == "duplicate"


ALIKE = "Restart the orders database after a change. Use when its settings changed."


@pytest.mark.parametrize(
    ("one", "other"),
    [("Always use pnpm.", "Never use pnpm."), ("Use tabs.", "Use spaces."),
     ("1. Restart the database.", "Do not restart the database."),
     ("Always check the replica first.", "Avoid: check the replica first.")],
)  # fmt: skip
async def test_skills_that_read_alike_and_contradict_each_other_are_no_duplicates(
    desk: SkillDesk, tmp_path: Path, one: str, other: str
) -> None:
    await write(desk, "orders-restart", one, about=ALIKE)
    await write(desk, "restart-orders", other, about=ALIKE)
    (found_one,) = await found(desk, tmp_path)
    assert (found_one.pair.kind, found_one.verdict.kind) == ("contradiction", "contradiction")
    assert all(found_one.pair.quotes)


async def test_a_model_cannot_make_a_duplicate_of_a_clash(desk: SkillDesk, tmp_path: Path) -> None:
    await write(desk, "orders-restart", "Always use pnpm.", about=ALIKE)
    await write(desk, "restart-orders", "Always use yarn.", about=ALIKE)
    desk.answers({"verdict": "duplicate", "reason": "The same."})
    for _ in range(2):
        (one,) = await found(desk, tmp_path)
        assert (one.verdict.kind, one.verdict.by) == ("contradiction", "small")


async def stamps(desk: SkillDesk) -> dict[str, str]:
    return {skill.name: skill.stamp for skill in (await desk.skills.shelf()).skills}


async def test_the_loser_of_an_open_contradiction_is_known_until_either_changes(
    desk: SkillDesk, tmp_path: Path
) -> None:
    file = tmp_path / "audits" / "verdicts.json"
    assert losers(file) == frozenset()
    await write(desk, "vue", "Always use pnpm.", by_user=True)
    await write(desk, "react", "Always use yarn.")
    await found(desk, tmp_path)
    assert losers(file) == losers(file, await stamps(desk)) == {"react"}
    assert losers(file, {"react": (await stamps(desk))["react"]}) == frozenset()
    await write(desk, "vue", "Use pnpm if there is a lock file.", by_user=True)
    assert losers(file, await stamps(desk)) == frozenset()
    assert losers(file) == {"react"}
    await found(desk, tmp_path)
    assert losers(file) == frozenset()


async def test_a_verdict_that_settles_a_contradiction_opens_the_way_for_both(
    desk: SkillDesk, tmp_path: Path
) -> None:
    await write(desk, "vue", "Always use pnpm.")
    await write(desk, "react", "Always use yarn.")
    await found(desk, tmp_path)
    file = tmp_path / "audits" / "verdicts.json"
    assert len(losers(file)) == 1
    desk.answers({"verdict": "scoped", "reason": "Different projects."})
    await found(desk, tmp_path)
    assert losers(file) == frozenset()
    file.write_text("{oops")
    assert losers(file) == frozenset()


async def test_a_damaged_memory_of_verdicts_is_begun_anew(desk: SkillDesk, tmp_path: Path) -> None:
    await write(desk, "vue", "Always use pnpm.")
    await write(desk, "react", "Always use yarn.")
    (tmp_path / "audits").mkdir()
    (tmp_path / "audits" / "verdicts.json").write_text("{oops")
    desk.answers({"verdict": "alternative", "reason": "Either."})
    assert await found(desk, tmp_path) == []
