from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hermes_tui.core.skills import Origin, Outcome, Skill, Use
from hermes_tui.skills.confidence import State, confidence, may_change_at_once, state
from hermes_tui.skills.versions import Version

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def uses(*outcomes: Outcome, ago: int = 0, sessions: int = 99) -> list[Use]:
    return [
        Use(at, "s", 1, f"session-{at % sessions}", NOW - timedelta(days=ago), "loaded", outcome)
        for at, outcome in enumerate(outcomes)
    ]


@pytest.mark.parametrize(
    ("outcomes", "ago", "expected"),
    [
        ((), 0, 0.43),
        (("verified",) * 2, 0, 0.64),
        (("failure",) * 2, 0, 0.27),
        (("verified",) * 3 + ("failure",) * 2, 0, 0.53),
        (("verified",) * 10 + ("failure",), 90, 0.68),
        (("interrupted",) * 5, 0, 0.43),
    ],
)
def test_confidence_follows_what_came_of_it(
    outcomes: tuple[Outcome, ...], ago: int, expected: float
) -> None:
    found = confidence("agent", uses(*outcomes, ago=ago), NOW)
    assert found.mean == pytest.approx(expected, abs=0.01)
    assert found.low < found.mean < found.high


def test_more_evidence_narrows_the_band() -> None:
    proof: list[Outcome] = ["verified"]
    few, many = (confidence("agent", uses(*proof * count), NOW) for count in (1, 20))
    assert many.high - many.low < few.high - few.low


@pytest.mark.parametrize(
    ("origin", "outcomes", "sessions", "expected"),
    [
        ("agent", ("success",), 99, "candidate"),
        ("agent", ("success", "success"), 1, "candidate"),
        ("agent", ("success", "success"), 99, "active"),
        ("person", (), 99, "active"),
        ("bundled", ("failure",) * 3, 99, "doubtful"),
        ("bundled", ("failure", "interrupted", "failure", "correction"), 99, "doubtful"),
        ("agent", ("success", "success", "failure", "failure", "failure", "success"), 99, "active"),
    ],
)
def test_a_skill_proves_itself_and_falls_into_doubt(
    origin: Origin, outcomes: tuple[Outcome, ...], sessions: int, expected: str
) -> None:
    skill = Skill("s", "", "x", Path("s"), origin)
    assert state(skill, uses(*outcomes, sessions=sessions)) == expected


def test_a_use_of_an_earlier_version_counts_half() -> None:
    known = uses("failure", "failure", ago=1)
    whole = confidence("person", known, NOW)
    assert confidence("person", known, NOW, changed=NOW - timedelta(days=2)) == whole
    half = confidence("person", known, NOW, changed=NOW)
    assert half.b - 2 == pytest.approx((whole.b - 2) / 2)


@pytest.mark.parametrize("why", ["", "pinned", "active", "bundled", "by hand"])
def test_only_what_hermes_alone_wrote_and_nothing_proved_may_change_at_once(why: str) -> None:
    pinned = {"hermes-pinned": "true"} if why == "pinned" else {}
    skill = Skill("s", "", "x", Path("s"), "bundled" if why == "bundled" else "agent", pinned)
    version = Version(
        skill="s", number=1, commit="", at=NOW, by_user=why == "by hand", action="edit", reason=""
    )
    stands: State = "active" if why == "active" else "candidate"
    assert may_change_at_once(skill, stands, [version]) == (why == "")
