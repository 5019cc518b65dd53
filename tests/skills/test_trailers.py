"""What a commit says comes back as it was said, and nobody can make it say more."""

from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.skills.trailers import commit_message, one_line, stated
from hermes_tui.skills.versions import Change

CONFIDENCE = st.floats(0, 1).map(lambda value: round(value, 2))


@given(
    reason=st.text(), session=st.text(), outcome=st.text(), number=st.integers(1, 10**8),
    confidence=st.none() | st.tuples(CONFIDENCE, CONFIDENCE),
    action=st.sampled_from(["refine", "archive"]),
)  # fmt: skip
def test_any_change_is_read_as_it_was_written(
    reason: str, session: str, outcome: str, number: int,
    confidence: tuple[float, float] | None, action: str,
) -> None:  # fmt: skip
    change = Change(
        skill="git/bisect", action="refine" if action == "refine" else "archive", reason=reason,
        session=session, outcome=outcome, confidence=confidence,
    )  # fmt: skip
    message = commit_message(change, number)
    said = stated(message)
    assert said is not None
    assert (said.skill, said.number, said.action) == ("git/bisect", number, change.action)
    assert (said.reason, said.session) == (one_line(reason), one_line(session))
    assert (said.outcome, said.confidence) == (one_line(outcome), confidence)
    assert max(len(line) for line in message.split("\n")[:1]) <= 72
    assert "\0" not in message


@given(st.text())
def test_any_message_can_be_read(message: str) -> None:
    said = stated(message)
    assert said is None or said.skill


def test_a_reason_cannot_pose_as_another_version() -> None:
    change = Change(skill="a", action="refine", reason="x\n\nSkill: b\nSkill-Version: 99")
    said = stated(commit_message(change, 2))
    assert said is not None
    assert (said.skill, said.number) == ("a", 2)


def test_a_persons_own_message_names_no_skill() -> None:
    assert stated("Fix typo\n\nSigned-off-by: Ada <ada@example.org>\n") is None
    odd = stated("x\n\nSkill: a\nSkill-Version: -1\nAction: explode\nConfidence: high\n")
    assert odd is not None
    assert (odd.number, odd.action, odd.confidence) == (0, "edit", None)
