"""The tools of a session, joined to what they work on."""

from collections.abc import Collection
from typing import Any

from hermes_tui.core.ports import Human
from hermes_tui.memory.memory import Memory
from hermes_tui.skills.skills import Skills
from hermes_tui.store.search import Search
from hermes_tui.tools.conversation import clarify_tool, todo_tool
from hermes_tui.tools.files import file_tools
from hermes_tui.tools.memory import memory_tool
from hermes_tui.tools.output import OutputShelf
from hermes_tui.tools.registry import Tool
from hermes_tui.tools.search import list_files_tool, search_files_tool
from hermes_tui.tools.session_search import session_search_tool
from hermes_tui.tools.skills import skill_tools
from hermes_tui.tools.terminal import process_tool, terminal_tool
from hermes_tui.tools.workplace import Workplace


def toolbox(
    *,
    workplace: Workplace,
    shelf: OutputShelf,
    search: Search,
    memory: Memory,
    skills: Skills,
    human: Human,
    session_id: str = "",
    timeout_seconds: int,
    disabled: Collection[str] = (),
) -> list[Tool[Any]]:
    """All built-in tools but the `disabled` ones, in the order the model sees them."""
    tools: list[Tool[Any]] = [
        terminal_tool(workplace, shelf, timeout_seconds=timeout_seconds),
        process_tool(workplace),
        *file_tools(workplace, shelf),
        search_files_tool(workplace),
        list_files_tool(workplace),
        todo_tool(),
        clarify_tool(human),
        memory_tool(memory, session_id=session_id),
        session_search_tool(search, but=session_id),
        *skill_tools(skills, workplace, session_id=session_id),
    ]
    return [tool for tool in tools if tool.name not in disabled]
