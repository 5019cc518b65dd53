from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec import structs

from hermes_tui.core.memory import Kind, MemoryItem
from hermes_tui.memory.decay import score
from hermes_tui.memory.doubts import conflicts, doubts

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def item(text: str, *, id_: int = 1, days: float = 0, kind: Kind = "fact") -> MemoryItem:
    at = NOW - timedelta(days=days)
    return MemoryItem(id_, "memory", text, kind, "agent", "", "", at, at)


def reason(text: str) -> str:
    return next((doubt.reason for doubt in doubts([item(text)], NOW)), "")


def test_a_path_that_is_gone_is_in_doubt_until_it_is_there() -> None:
    assert reason("Deploy key lives in ~/keys/deploy.") == "~/keys/deploy is not on this machine."
    (Path.home() / "keys").mkdir()
    (Path.home() / "keys" / "deploy").touch()
    assert reason("Deploy key lives in ~/keys/deploy.") == ""


@pytest.mark.parametrize(
    "text",
    [
        "The health check is at /healthz",
        "Docs are at https://example.com/etc/none",
        "Answers yes/no and and/or",
        "In the container, /app/src is mounted",
        "Uses `pytest` and `AGENTS.md`",
        "The flag is `is_ready`",
        "Run `sh -c true` first",
        "Run `cd src` first",
        "`select * from users` is slow",
    ],
)
def test_what_cannot_be_told_is_not_in_doubt(text: str) -> None:
    assert reason(text) == ""


@pytest.mark.parametrize("text", ["Build with `frobnicate9 --all`", "Run `frobnicate9` to build"])
def test_a_command_that_is_not_here_is_in_doubt(text: str) -> None:
    assert reason(text) == "`frobnicate9` is not among the commands of this machine."


def test_a_newer_value_puts_the_older_in_doubt() -> None:
    items = [item("The port is 1", days=2), item("The port is 2", id_=2)]
    (doubt,) = doubts(items, NOW)
    assert (doubt.item.id, doubt.is_replaced) == (1, True)
    assert doubt.reason == "A newer item says otherwise: 'The port is 2'."


def test_an_item_nobody_confirmed_for_four_lives_is_in_doubt() -> None:
    assert not doubts([item("On branch x", days=28, kind="task")], NOW)
    old = item("On branch x", days=29, kind="task")
    assert doubts([old], NOW)[0].reason == "Nothing has confirmed it for 29 days."
    assert not doubts([structs.replace(old, is_pinned=True)], NOW)


def test_conflicts_stand_side_by_side_the_older_first() -> None:
    items = [item("Prefers tabs", id_=2), item("Prefers spaces", days=3), item("Other", id_=3)]
    (pair,) = conflicts(items)
    assert (pair.older.id, pair.newer.id) == (1, 2)


def test_weight_falls_with_time_by_kind_and_strength() -> None:
    task, fact = item("a", days=7, kind="task"), item("b", days=7)
    assert score(task, NOW) == pytest.approx(0.6 / 2.718, rel=1e-3)  # pyright: ignore[reportUnknownMemberType]
    assert score(fact, NOW) > score(task, NOW)
    assert score(structs.replace(task, strength=3), NOW) > score(task, NOW)
    assert score(item("c", days=-10), NOW) == 0.6
