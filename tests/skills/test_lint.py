import pytest

from hermes_tui.skills.lint import Draft, faults

BODY = """## Steps

1. Read the last lines of the log with `journalctl -u NAME -n 50`.
2. Look for the first error, not the last one.
3. Change the unit with `systemctl edit NAME`, reload, and start it again.

## Verify

`systemctl is-active NAME` prints `active`, and stays so for a minute.
"""
DESCRIPTION = "Find out why a systemd unit fails and mend it; use when a service does not start."


def test_a_general_procedure_has_no_faults() -> None:
    assert faults(Draft("unit-fails", DESCRIPTION, BODY)) == []


@pytest.mark.parametrize(
    ("added", "fault"),
    [
        ("See /home/maria/project/notes.txt.", "path of one machine"),
        ("It broke on 2026-03-14.", "names a day"),
        ("Look at request 3f2b8c1e-77aa-4c1d-9d53-0a1b2c3d4e5f.", "by its number"),
        ("First I ran the tests, then we fixed the path.", "what was done"),
        ("ripgrep is not installed here, so use grep.", "fault of one machine"),
    ],
)
def test_what_holds_only_once_is_named(added: str, fault: str) -> None:
    assert any(fault in one for one in faults(Draft("x", DESCRIPTION, BODY + added)))


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("Do it.", "too short"),
        ("Check the thing in prose. " * 20, "no steps"),
        ("1. Do this.\n2. Do that.\n" * 12, "verify"),
        (BODY * 60, "at most"),
    ],
)
def test_what_is_no_procedure_is_named(body: str, fault: str) -> None:
    assert any(fault in one for one in faults(Draft("x", DESCRIPTION, body)))
