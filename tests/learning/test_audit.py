"""Audits: what they find, when they run, and what they leave behind."""

import os
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.core.errors import HermesError
from hermes_tui.core.messages import assistant
from hermes_tui.core.ports import ModelRequest, Reply
from hermes_tui.core.skills import Outcome, Skill, Use
from hermes_tui.core.usage import Usage
from hermes_tui.learning.audit.auditor import EVERY, MAX_MODES, Auditor, failure_modes
from hermes_tui.learning.audit.report import Audit, Health, markdown
from hermes_tui.learning.audit.stale_references import stale_references
from hermes_tui.learning.skill_learner import TASKS
from hermes_tui.models.scripted import ScriptedModel, says
from hermes_tui.skills.confidence import confidence
from hermes_tui.skills.lint import Draft
from hermes_tui.skills.skill import FILE
from tests.learning.skill_desk import BODY, DESCRIPTION, SkillDesk, skill_desk
from tests.learning.talk import NOON, ran, turn

ROUTE = "curl: (7) Failed to connect to shop port 8080"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncGenerator[SkillDesk, None]:
    async with skill_desk(tmp_path) as desk:
        yield desk


def auditor(desk: SkillDesk, tmp_path: Path, *, prunes: bool = False) -> Auditor:
    return Auditor(
        store=desk.store, skills=desk.skills, folder=tmp_path / "audits",
        model=lambda: desk.model, prunes=prunes, now=lambda: desk.now,
    )  # fmt: skip


async def used(desk: SkillDesk, name: str, *outcomes: tuple[Outcome, str]) -> None:
    for number, (outcome, note) in enumerate(outcomes):
        session = f"{name}-{number}"
        await desk.store.skill_uses.record(name, version=1, session=session, how="loaded")
        (use,) = await desk.store.skill_uses.of_session(session)
        await desk.store.skill_uses.judge(use.id, outcome, note)


async def report(audit: Audit | None) -> str:
    assert audit is not None
    assert audit.path is not None
    return await anyio.Path(audit.path).read_text()


async def test_a_report_has_success_rates_failure_modes_and_drift(
    desk: SkillDesk, tmp_path: Path
) -> None:
    await desk.write("nginx-502")
    await used(
        desk, "nginx-502", ("verified", "nginx -t"), ("failure", ROUTE),
        ("failure", "permission denied"), ("correction", ROUTE.replace("shop", "blog")),
        ("interrupted", ""),
    )  # fmt: skip
    audit = await auditor(desk, tmp_path).run()
    (health,) = audit.skills
    assert (health.uses, health.successes, health.failures) == (5, 1, 3)
    assert health.drift < -0.05
    text = await report(audit)
    assert "| nginx-502 | 5 | 25% |" in text
    assert "- 2 times: curl: (7) Failed to connect to blog port 8080 (nginx-502)" in text
    assert "## Drift\n\n- nginx-502: 0.43 →" in text
    assert "1 new version" in text


async def test_tasks_with_many_errors_and_no_skill_are_struggles(
    desk: SkillDesk, tmp_path: Path
) -> None:
    error = ran("make", "x.c:3: error: expected ';'", fails=True)
    session = await desk.session(turn("Build the thing", error, error, error))
    await desk.session(turn("Build another", error))
    audit = await auditor(desk, tmp_path).run()
    assert audit.tasks == 2
    assert [(one.prompt, one.errors) for one in audit.struggles] == [("Build the thing", 3)]
    assert f"- Build the thing (3 errors, session {session})" in await report(audit)


async def test_what_a_skill_names_and_is_gone_is_told(desk: SkillDesk, tmp_path: Path) -> None:
    body = (
        f"{BODY}\nSee references/limits.md and the skill `gone-skill`. Read `~/nginx/old.conf`.\n"
        "```bash\nno-such-command-here --now | sort\n```\n"
    )
    await desk.write("nginx-502", body)
    audit = await auditor(desk, tmp_path).run()
    text = await report(audit)
    assert "- nginx-502: It names files it does not have: references/limits.md." in text
    assert "- nginx-502: It names skills that are gone: gone-skill." in text
    assert "- nginx-502: It names paths this machine does not have: ~/nginx/old.conf." in text
    assert "no-such-command-here." in text
    assert "sort" not in text
    assert audit.summary == "Audit of 1 skill: 1 to mend."
    assert audit.notice == f"{audit.summary} Report: {audit.path}"


async def test_long_bodies_dull_descriptions_and_broken_skills_are_told(
    desk: SkillDesk, tmp_path: Path
) -> None:
    await desk.write("nginx-502", BODY + "\n- Look at it again.\n" * 600)
    await desk.skills.save(Draft("dull", "Nginx things.", BODY), reason="r", by_user=True)
    (desk.skills.folder / "broken").mkdir()
    (desk.skills.folder / "broken" / FILE).write_text("no head")
    text = await report(await auditor(desk, tmp_path).run())
    assert "- nginx-502: The body is long" in text
    assert "- dull: The description does not say when to use it." in text
    assert "- broken: It does not begin with a line" in text


async def test_a_skill_pointed_out_and_never_read_is_told(desk: SkillDesk, tmp_path: Path) -> None:
    await desk.write("nginx-502")
    for session in ("a", "b", "c"):
        await desk.store.skill_uses.record("nginx-502", version=1, session=session, how="hinted")
    text = await report(await auditor(desk, tmp_path).run())
    assert "- nginx-502: It was pointed out 3 times, and never read." in text


async def test_contradictions_and_duplicates_are_in_the_report(
    desk: SkillDesk, tmp_path: Path
) -> None:
    for name, tool in (("vue", "pnpm"), ("react", "yarn")):
        about = f"Set up a frontend project with {name}. Use when packages are installed."
        body = f"{BODY}\n\nAlways use {tool}.\n"
        await desk.skills.save(Draft(name, about, body), reason="r")
    audit = await auditor(desk, tmp_path).run()
    text = await report(audit)
    assert "1 contradiction" in text
    assert "- react and vue: One chooses yarn, the other pnpm" in text


async def test_idle_skills_that_seldom_help_are_listed_or_put_away(
    desk: SkillDesk, tmp_path: Path
) -> None:
    await desk.write("nginx-502")
    old = datetime.now(UTC) - timedelta(days=100)
    file = desk.skills.folder / "nginx-502" / FILE
    os.utime(file, (old.timestamp(), old.timestamp()))
    listed = await auditor(desk, tmp_path).run()
    assert (listed.prunable, listed.is_pruned) == (("nginx-502",), False)
    assert "hermes skills prune" in await report(listed)
    pruned = await auditor(desk, tmp_path, prunes=True).run()
    assert pruned.is_pruned
    assert "hermes skills restore" in await report(pruned)
    assert await desk.names() == []
    assert (await desk.skills.repository.history("nginx-502"))[0].action == "archive"


async def test_a_model_reads_the_report_and_is_paid_for_it(desk: SkillDesk, tmp_path: Path) -> None:
    await desk.write("nginx-502")
    desk.answers(says("Mend nginx-502:\nits port is wrong."))
    audit = await auditor(desk, tmp_path).run()
    assert audit.reading == "Mend nginx-502: its port is wrong."
    assert "> Mend nginx-502: its port is wrong." in await report(audit)
    assert await desk.store.usage.by_day(desk.now - timedelta(days=1))


async def test_an_audit_is_due_after_fifteen_tasks_and_then_no_more(
    desk: SkillDesk, tmp_path: Path
) -> None:
    auditing = auditor(desk, tmp_path)
    await desk.store.skill_uses.count(TASKS, EVERY - 1)
    assert await auditing.run_if_due() is None
    await desk.learner.review(await desk.session(turn("hi")))
    assert await auditing.run_if_due() is not None
    assert await auditing.run_if_due() is None
    assert len(list((tmp_path / "audits").glob("*.md"))) == 1


async def test_only_one_of_two_audits_at_once_runs(desk: SkillDesk, tmp_path: Path) -> None:
    await desk.write("nginx-502")
    await desk.store.skill_uses.count(TASKS, EVERY * 2)
    reached, go_on = anyio.Event(), anyio.Event()

    class Slow(ScriptedModel):
        async def stream(self, request: ModelRequest) -> AsyncGenerator[Reply, None]:
            reached.set()
            await go_on.wait()
            yield Reply(assistant("Well."), Usage())

    desk.model = Slow()
    first, second = auditor(desk, tmp_path), auditor(desk, tmp_path)
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(first.run_if_due)
            await reached.wait()
            assert await second.run_if_due() is None
            with pytest.raises(HermesError, match="right now"):
                await second.run()
            go_on.set()
        assert await second.run_if_due() is not None


async def test_a_cancelled_audit_is_due_again(desk: SkillDesk, tmp_path: Path) -> None:
    await desk.write("nginx-502")
    await desk.store.skill_uses.count(TASKS, EVERY)
    reached = anyio.Event()

    class Silent(ScriptedModel):
        async def stream(self, request: ModelRequest) -> AsyncGenerator[Reply, None]:
            reached.set()
            await anyio.sleep_forever()
            yield Reply(assistant(""), Usage())

    desk.model = Silent()
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(auditor(desk, tmp_path).run_if_due)
            await reached.wait()
            tasks.cancel_scope.cancel()
    assert list((tmp_path / "audits").glob("*.md")) == []
    desk.model = None
    assert await auditor(desk, tmp_path).run_if_due() is not None


async def test_two_audits_of_one_minute_leave_two_reports(desk: SkillDesk, tmp_path: Path) -> None:
    paths = [(await auditor(desk, tmp_path).run()).path for _ in range(2)]
    names = [path.name for path in paths if path]
    stamp = desk.now.astimezone().strftime("%Y-%m-%d-%H%M")
    assert names == [f"{stamp}.md", f"{stamp}-2.md"]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in paths if path)


async def test_without_skills_there_is_a_report_all_the_same(
    desk: SkillDesk, tmp_path: Path
) -> None:
    audit = await auditor(desk, tmp_path).run()
    assert audit.summary == "Audit of no skills: nothing to mend."
    assert (await report(audit)).startswith("# Audit of the skills, ")


def use(skill: str, note: str, *, outcome: Outcome = "failure", number: int = 1) -> Use:
    return Use(number, skill, 1, "s", NOON, "loaded", outcome, note)


def test_failures_alike_are_told_together_and_the_commonest_first() -> None:
    uses = {
        "a": [use("a", "no route to host", number=1), use("a", "permission denied", number=3)],
        "b": [use("b", "No route to the host shop", number=2), use("b", "", number=4)],
        "c": [use("c", "fine", outcome="success", number=5)],
    }
    modes = failure_modes(uses, NOON - timedelta(days=1))
    assert [(mode.example, mode.count, mode.skills) for mode in modes] == [
        ("No route to the host shop", 2, ("a", "b")), ("permission denied", 1, ("a",)),
    ]  # fmt: skip
    assert failure_modes(uses, NOON + timedelta(days=1)) == []


STALE = Skill("nginx-502", "", DESCRIPTION, Path("/nowhere"))


@pytest.mark.parametrize(
    "body",
    [
        "Run `scripts/check.sh`, see references/ and https://example.org/references/x.md.",
        "Load the skill `other` or skill_load(\"other-skill\").",
        "Edit `<file>`, `/etc/<name>.conf`, `/api/v1/users`, /proc/self/status, $HOME/x/y.",
        "```python\nno_such_program()\n```",
        "```bash\nmy_check() { true; }\nmy_check now\nX=1 sort -u  # frobnicate; twiddle it\n```",
        "```console\n$ sort file\nfrobnicate: all is well\n```",
        "```bash\ncat > f <<EOF\nfrobnicate now\nEOF\nif test -f f; then echo yes; fi\n```",
    ],
)  # fmt: skip
def test_what_is_there_or_somewhere_else_is_not_stale(body: str) -> None:
    found = stale_references(
        STALE, body,
        files=["scripts/check.sh", "references/x.md"], names=["other", "other-skill"],
    )  # fmt: skip
    assert found == []


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("```bash\nmissingcmd-xyz --all\n```", "It runs commands this machine does not have"),
        ("```terminal\nmissingcmd-xyz\n```", "It runs commands this machine does not have"),
        ("1. Run `missingcmd-xyz --all`.", "It runs commands this machine does not have"),
        ("Load skill `missingcmd-xyz` first.", "It names skills that are gone"),
        ("See **missingcmd-xyz** skill.", "It names skills that are gone"),
        ("Call skill_load missingcmd-xyz.", "It names skills that are gone"),
        ("Then use the missingcmd-xyz skill.", "It names skills that are gone"),
    ],
)
def test_a_missing_command_or_skill_is_told_however_it_is_named(body: str, told: str) -> None:
    assert stale_references(STALE, body, files=[], names=[]) == [f"{told}: missingcmd-xyz."]


@pytest.mark.parametrize(
    "body",
    [
        "Use the built-in skill. Run `main`. Run `sort -u x`. Use the high-level skill.",
        "Run `my_check now`.\n```bash\nmy_check() { true; }\n```",
        "Run `name = 3` and `<command>`. It takes skill, time and `patience-here`.",
    ],
)
def test_words_that_only_look_like_commands_or_skills_are_passed_over(body: str) -> None:
    assert stale_references(STALE, body, files=[], names=[]) == []


async def test_a_short_description_may_say_when_to_use_it(desk: SkillDesk, tmp_path: Path) -> None:
    for name, description in (("one", "Use when summing."), ("two", "Sums. Use for totals.")):
        await desk.skills.save(Draft(name, description, BODY), reason="r", by_user=True)
    assert "when to use it" not in await report(await auditor(desk, tmp_path).run())


@given(st.text(max_size=300))
def test_any_body_can_be_looked_through(body: str) -> None:
    for line in stale_references(STALE, f"{body}\n```\n{body}\n```", files=[], names=[]):
        assert line.endswith(".")


def test_a_report_on_a_thousand_skills_has_sixty_lines_a_section() -> None:
    skills = tuple(
        Health(
            name=f"skill-{number}", origin="agent", state="candidate",
            confidence=confidence("agent", (), NOON), uses=number, successes=0, failures=0,
            last_used=None, drift=-0.2, versions=0, problems=("It is long.",),
        )
        for number in range(1000)
    )  # fmt: skip
    text = markdown(Audit(at=NOON, since=NOON, tasks=0, skills=skills))
    assert "\n| skill-999 | 999 |  |" in text
    assert text.count("\n") < 3 * 70
    assert "\n940 more." in text


async def test_an_audit_does_without_the_history_of_skills(desk: SkillDesk, tmp_path: Path) -> None:
    await desk.write("nginx-502")
    (desk.skills.folder / ".git" / "HEAD").write_text("damaged")
    audit = await auditor(desk, tmp_path).run()
    assert [one.name for one in audit.skills] == ["nginx-502"]


def test_ever_so_many_unlike_failures_are_bounded_and_the_newest_are_told() -> None:
    many = 2 * MAX_MODES
    notes = [f"w{number}a w{number}b" for number in range(many)]
    uses = {
        "nginx-502": [
            Use(number, "nginx-502", 1, str(number), NOON, "loaded", "failure", note)
            for number, note in enumerate(notes)
        ]
    }
    modes = failure_modes(uses, NOON)
    assert len(modes) == MAX_MODES
    assert notes[-1] in {mode.example for mode in modes}
