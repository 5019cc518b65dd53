from pathlib import Path

from hermes_tui.core.memory import Source
from hermes_tui.learning.consolidation import consolidated
from hermes_tui.memory.files import MemoryFiles
from hermes_tui.memory.memory import Memory
from hermes_tui.models.scripted import ScriptedModel, says
from hermes_tui.store.store import Store


async def test_only_lines_that_name_their_entries_count() -> None:
    model = ScriptedModel(says("Here you are:\n[1,2] Uses uv and just.\n- [3] bullet\n"))
    lines, usage = await consolidated(model, ["Uses uv.", "Uses just.", "Likes tea."], 100)
    assert lines == ["[1,2] Uses uv and just."]
    assert usage.input_tokens > 0
    prompt = model.requests[0].messages[0].text
    assert "[2] Uses just." in prompt
    assert "at most 100 characters" in model.requests[0].prefix.system


async def test_a_full_file_is_said_shorter_by_the_model(tmp_path: Path) -> None:
    facts = [f"Service number {n} listens on port {7000 + n} of host olive{n}." for n in range(42)]

    async def shorter(entries: list[str], room: int) -> list[str]:
        numbers = ",".join(str(n) for n in range(1, len(entries) + 1))
        reply = f"[{numbers}] Services listen on ports of hosts."
        lines, _ = await consolidated(ScriptedModel(says(reply)), entries, room)
        return lines

    async with Store.open(tmp_path / "hermes.db") as store:
        memory = Memory(
            MemoryFiles(tmp_path / "memory"),
            store.memory_items,
            consolidate=lambda entries, room: shorter(list(entries), room),
        )
        for fact in facts:
            await memory.add("memory", fact, source=Source("agent", "s1", "quoted"))
        assert memory.files.read("memory").size <= 2_200
        assert len(await memory.items(with_ended=True)) >= len(facts)
