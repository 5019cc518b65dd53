"""Names for groups of tools, as skills and settings use them."""

from collections.abc import Collection

TOOLSETS = {
    "terminal": ("terminal", "process"),
    "file": ("read_file", "write_file", "edit_file", "search_files", "list_files"),
    "todo": ("todo",),
    "clarify": ("clarify",),
    "memory": ("memory",),
    "session_search": ("session_search",),
    "skills": ("skill_search", "skill_load", "skill_save"),
}


def toolsets_of(disabled: Collection[str]) -> frozenset[str]:
    """Toolsets and tools there are when these are not; a set is there if its first tool is."""
    tools = {name for names in TOOLSETS.values() for name in names} - set(disabled)
    sets = {name for name, (main, *_) in TOOLSETS.items() if main in tools}
    return frozenset(tools | sets)
