from collections.abc import Sequence
from datetime import timedelta
from time import monotonic

import pytest

from hermes_tui.core.errors import ToolError
from hermes_tui.core.memory import Source
from hermes_tui.memory.draft import Edit
from hermes_tui.memory.memory import Change
from hermes_tui.memory.report import told
from hermes_tui.memory.subjects import scalars
from tests.memory.conftest import AGENT, Room

LONG = "and this is said at such length that the file is full before long, as files are"


async def fill(room: Room, count: int = 20) -> None:
    """Almost all of the 2,200 characters."""
    for number in range(count):
        await room.memory.add("memory", f"Fact {number:02} holds, {LONG}.", source=AGENT)
    assert len(room.text()) > 1800


def archived(change: Change) -> list[str]:
    return [one.text for one in change.gone if one.ending == "archived"]


async def test_a_full_file_makes_room_and_says_what_went(room: Room) -> None:
    await fill(room)
    change = await room.memory.add("memory", f"New is {LONG * 4}.", source=AGENT)
    assert change.file.size <= 0.8 * 2200
    assert archived(change)[0].startswith("Fact 00")
    assert "Archived to make room: 'Fact 00" in told(change)
    assert f"New is {LONG * 4}." in room.text()


async def test_nothing_is_ever_lost(room: Room) -> None:
    for number in range(60):
        await room.memory.add("memory", f"Fact {number:02} holds, {LONG}.", source=AGENT)
    ever = await room.ever()
    assert len(ever) == 60
    assert all(item.ended_at is None or item.ending == "archived" for item in ever.values())
    await room.memory.restore(1)
    assert "Fact 00" in room.text()


async def test_what_is_pinned_is_never_archived(room: Room) -> None:
    await fill(room)
    await room.memory.pin(1)
    change = await room.memory.add("memory", f"New is {LONG * 4}.", source=AGENT)
    assert archived(change)[0].startswith("Fact 01")
    assert "Fact 00" in room.text()


async def test_when_all_is_pinned_a_new_entry_is_refused_with_the_figures(room: Room) -> None:
    await fill(room)
    for item in await room.memory.items():
        await room.memory.pin(item.id)
    before = room.text()
    with pytest.raises(ToolError, match="it holds 2,200 even without all that may be archived"):
        await room.memory.add("memory", f"New is {LONG * 4}.", source=AGENT)
    assert room.text() == before


async def test_entries_said_twice_go_before_others(room: Room) -> None:
    await room.memory.add("memory", "The billing service is written in Go.", source=AGENT)
    await room.memory.add("memory", "The billing service is written in Go, and", source=AGENT)
    await room.memory.add("memory", "The billing service now is written in Go.", source=AGENT)
    await fill(room, 19)
    change = await room.memory.add("memory", f"New is {LONG * 4}.", source=AGENT)
    first, *_ = change.gone
    assert (first.ending, first.reason) == ("archived", "said twice")
    assert first.text.startswith("The billing service")


async def test_fleeting_things_fade_first(room: Room) -> None:
    await room.memory.add("memory", "A preference of old.", source=AGENT, kind="preference")
    await room.memory.add("memory", "The branch of today.", source=AGENT, kind="task")
    await fill(room, 19)
    room.clock.ahead = timedelta(days=24)
    change = await room.memory.add("memory", f"New is {LONG * 4}.", source=AGENT)
    assert (change.gone[0].text, change.gone[0].reason) == ("The branch of today.", "faded")
    assert "A preference of old." in room.text()


async def test_what_proved_useful_stays_longer(room: Room) -> None:
    await fill(room)
    await room.memory.confirm(1)
    change = await room.memory.add("memory", f"New is {LONG * 4}.", source=AGENT)
    assert archived(change)[0].startswith("Fact 01")


async def test_a_stale_path_goes_before_what_is_sound(room: Room) -> None:
    await fill(room)
    await room.memory.add("memory", "Notes are in ~/no/such/folder.", source=Source("person"))
    change = await room.memory.add("memory", f"New is {LONG * 4}.", source=AGENT)
    assert change.gone[0].text == "Notes are in ~/no/such/folder."
    assert change.gone[0].reason == "~/no/such/folder is not on this machine."


async def test_a_clock_set_back_archives_nothing_by_itself(room: Room) -> None:
    await fill(room)
    room.clock.ahead = timedelta(days=-400)
    change = await room.memory.add("memory", f"New is {LONG * 4}.", source=AGENT)
    assert {one.reason for one in change.gone} == {"least important"}


async def test_a_file_filled_by_hand_is_squeezed_with_the_next_write_only(room: Room) -> None:
    entries = [f"By hand {number:02}: {LONG}" for number in range(40)]
    room.write("\n§\n".join(entries).encode())
    assert len(await room.memory.items()) == 40
    assert room.memory.files.read("memory").size > 2200
    change = await room.memory.add("memory", "New.", source=AGENT)
    assert change.file.size <= 0.8 * 2200
    assert room.text().endswith("§\nNew.\n")


async def test_of_what_was_written_by_hand_at_once_the_lowest_goes_first(room: Room) -> None:
    entries = [f"By hand {number:02}: {LONG}" for number in range(25)]
    room.write("\n§\n".join(entries).encode())
    shown = room.memory.files.for_prompt("memory").entries
    change = await room.memory.add("memory", "New.", source=AGENT)
    assert archived(change) == entries[len(change.file.entries) - 1 :][::-1]
    assert set(change.file.entries) - {"New."} <= set(shown)


async def test_at_equal_scores_what_was_learnt_first_goes_first(room: Room) -> None:
    await fill(room)
    room.clock.ahead = timedelta(days=-400)
    change = await room.memory.add("memory", f"New is {LONG * 4}.", source=AGENT)
    gone = archived(change)
    assert gone == [f"Fact {number:02} holds, {LONG}." for number in range(len(gone))]


async def test_at_equal_scores_what_was_confirmed_stays(room: Room) -> None:
    room.write("\n§\n".join(f"By hand {number:02}: {LONG}" for number in range(20)).encode())
    *_, last = await room.memory.items()
    await room.memory.confirm(last.id)
    room.clock.ahead = timedelta(days=-400)
    change = await room.memory.add("memory", f"New is {LONG * 4}.", source=AGENT)
    assert change.gone
    assert last.text in change.file.entries


async def test_a_model_may_merge_once_and_only_what_it_was_given(room: Room) -> None:
    await fill(room)
    asked: list[tuple[list[str], int]] = []

    async def merge(entries: Sequence[str], room_left: int) -> list[str]:
        asked.append((list(entries), room_left))
        return ["[1,2] Fact 00 and fact 01 hold.", f"[17] {entries[16]}"]

    memory = room.remembering(merge)
    change = await memory.add("memory", f"New is {LONG * 4}.", source=AGENT)
    ((entries, room_left),) = asked
    assert len(entries) == 20
    assert room_left < 0.8 * 2200 - len(LONG) * 4
    assert change.file.entries == [
        "Fact 00 and fact 01 hold.", entries[16], f"New is {LONG * 4}.",
    ]  # fmt: skip
    ever = await room.ever()
    merged = ever["Fact 00 and fact 01 hold."]
    assert ever[entries[0]].superseded_by == ever[entries[1]].superseded_by == merged.id
    assert ever[entries[2]].ending == "archived"


@pytest.mark.parametrize(
    "answer",
    [
        ["Fact 00 and fact 01 hold."],
        ["[99] Fact 00 holds."],
        ["[1] Fact 00 holds.", "[1] Fact 00 holds."],
        ["[1] Fact 00 holds on port 8443."],
        ["[1] The president resigned yesterday evening."],
        ["[1] " + LONG * 30],
        [],
    ],
)
async def test_a_model_that_invents_or_does_not_cite_is_not_listened_to(
    room: Room, answer: list[str]
) -> None:
    await fill(room)

    async def merge(entries: Sequence[str], room_left: int) -> list[str]:
        return answer

    change = await room.remembering(merge).add("memory", f"New is {LONG * 4}.", source=AGENT)
    assert {one.reason for one in change.gone} == {"least important"}


async def test_a_model_that_fails_costs_nothing_but_its_answer(room: Room) -> None:
    await fill(room)

    async def merge(entries: Sequence[str], room_left: int) -> list[str]:
        raise RuntimeError("no network")

    change = await room.remembering(merge).add("memory", f"New is {LONG * 4}.", source=AGENT)
    assert archived(change)


async def test_what_changed_while_the_model_thought_is_not_overwritten(room: Room) -> None:
    await fill(room)

    async def merge(entries: Sequence[str], room_left: int) -> list[str]:
        edit = Edit("replace", f"Fiat 03 holds, {LONG}.", "Fact 03")
        await room.memory.batch("memory", [edit], source=AGENT)
        return ["[1,2] Fact 00 and fact 01 hold."]

    change = await room.remembering(merge).add("memory", f"New is {LONG * 4}.", source=AGENT)
    assert "Fact 00 and fact 01" not in room.text()
    assert {one.reason for one in change.gone} == {"least important"}


@pytest.mark.parametrize(
    ("answer", "is_kept"),
    [
        ("Deploy on Fridays from mars.", False),
        ("Deploy on Fridays, never from mars.", False),
        ("Never do not deploy on Fridays.", False),
        ("Deploys run from mars. Never deploy on Fridays.", True),
    ],
)
async def test_a_model_may_not_turn_a_fact_round(room: Room, answer: str, is_kept: bool) -> None:
    await room.memory.add("memory", "Never deploy on Fridays.", source=AGENT)
    await room.memory.add("memory", "Deploys run from mars.", source=AGENT)
    await fill(room, 19)

    async def merge(entries: Sequence[str], room_left: int) -> list[str]:
        return [f"[1,2] {answer}"]

    await room.remembering(merge).add("memory", f"New is {LONG * 4}.", source=AGENT)
    assert (answer in room.text()) == is_kept


async def test_a_large_file_by_hand_makes_room_in_no_time(room: Room) -> None:
    room.write("\n§\n".join(f"Note {number} holds well enough." for number in range(1500)).encode())
    began = monotonic()
    await room.memory.add("memory", "New.", source=AGENT)
    assert monotonic() - began < 10
    assert len(room.text()) <= 2200


@pytest.mark.parametrize("piece", ["a-", "1.a-", "1:", "/a", "a1"])
def test_figures_in_one_long_word_are_found_in_no_time(piece: str) -> None:
    began = monotonic()
    scalars(piece * 20_000)
    assert monotonic() - began < 5
