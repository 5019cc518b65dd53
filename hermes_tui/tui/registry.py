"""Every command and key, in one table.

Bindings, the command palette, slash completion, the footer, the F1 help and
`docs/keys.md` are all made from it.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct
from textual.binding import Binding, BindingType

from hermes_tui.tui.ports import SkillEntry

Scope = Literal["everywhere", "prompt", "chat", "lists", "approval", "question"]

SCOPES: dict[Scope, str] = {
    "everywhere": "Everywhere",
    "prompt": "In the prompt",
    "chat": "In the conversation",
    "lists": "In lists and pickers",
    "approval": "When Hermes asks to run something",
    "question": "When Hermes asks a question",
}


class Command(Struct, frozen=True):
    """Something the person can do."""

    id: str
    title: str
    """As the palette shows it: "noun: verb", or a short phrase for a key of one scope."""
    help: str
    """One sentence."""
    keys: tuple[str, ...] = ()
    """As Textual names them; the first one is shown in the footer."""
    slash: str = ""
    argument: str = ""
    """How the slash command's argument is written, e.g. `[title]`."""
    label: str = ""
    """The verb in the footer; empty when it is never shown there."""
    scope: Scope = "everywhere"
    available_during_task: bool = True
    is_bound_here: bool = True
    """False for keys that a widget brings along; here they are only told about."""

    @property
    def is_rebindable(self) -> bool:
        """Whether `tui.keys` may give it other keys."""
        return bool(self.keys) and self.is_bound_here


COMMANDS: tuple[Command, ...] = (
    Command(
        "palette", "Commands: show all", "Lists every command; type to filter.",
        keys=("ctrl+p",), label="commands",
    ),
    Command(
        "help", "Help: keys and commands", "Shows every key and slash command.",
        keys=("f1",), slash="help", label="help",
    ),
    Command(
        "session.new", "Session: new", "Starts an empty session; this one stays stored.",
        keys=("ctrl+n",), slash="new", available_during_task=False,
    ),
    Command(
        "session.pick", "Session: resume or search",
        "Lists stored sessions and searches their text.",
        keys=("ctrl+s",), slash="sessions", label="sessions", available_during_task=False,
    ),
    Command(
        "session.rename", "Session: rename", "Gives this session a title.",
        slash="rename", argument="[title]",
    ),
    Command(
        "session.delete", "Session: delete",
        "Deletes this session and starts an empty one; /restore brings it back.",
        slash="delete", available_during_task=False,
    ),
    Command(
        "session.restore", "Session: restore", "Brings back the session deleted last.",
        slash="restore",
    ),
    Command(
        "model.pick", "Model: switch", "Lists the models that can answer here.",
        slash="model", argument="[name]", available_during_task=False,
    ),
    Command(
        "environment.pick", "Environment: switch", "Lists the places where commands can run.",
        keys=("f6",), slash="env", argument="[name]", label="environment",
        available_during_task=False,
    ),
    Command(
        "reasoning.set", "Reasoning: set", "Lets the model think off, low or high first.",
        slash="reasoning", argument="[off|low|high]", available_during_task=False,
    ),
    Command(
        "memory.undo", "Memory: take back",
        "Takes back what Hermes remembered of its own accord last.",
        keys=("f7",), slash="unlearn",
    ),
    Command(
        "personality.pick", "Personality: take on",
        "Changes the agent's manner for this session; none lays it down.",
        slash="personality", argument="[name]", available_during_task=False,
    ),
    Command(
        "history.compress", "Conversation: compress",
        "Summarises the middle of a long conversation for the model; shows first what would go.",
        slash="compress", argument="[what to keep]", available_during_task=False,
    ),
    Command(
        "theme.pick", "Theme: switch", "Lists colour themes.", slash="theme", argument="[name]",
    ),
    Command(
        "mode.cycle", "Approvals: next mode",
        "Switches between ask, auto-edit, full-auto and read-only, or to the one named.",
        keys=("shift+tab",), slash="mode", argument="[name]",
    ),
    Command(
        "answer.copy", "Answer: copy", "Copies the last answer to the clipboard.", slash="copy",
    ),
    Command(
        "view.clear", "Conversation: clear the view",
        "Empties the view; the session itself keeps everything.",
        keys=("ctrl+l",), slash="clear",
    ),
    Command(
        "queue.edit", "Queue: edit", "Lists the queued prompts; enter takes one back to edit it.",
        slash="queue",
    ),
    Command(
        "turn.interrupt", "Turn: stop", "Stops the agent; what it finished is kept.",
        keys=("ctrl+c",), slash="stop", label="stop",
    ),
    Command(
        "pane.tools", "Pane: live tools", "Goes to the live tool pane; again hides it.",
        keys=("f2",), label="tools",
    ),
    Command(
        "pane.memory", "Pane: memory", "Goes to the memory files; again hides them.",
        keys=("f3",), label="memory",
    ),
    Command(
        "pane.skills", "Pane: skills", "Goes to the skill tree; again hides it.",
        keys=("f4",), label="skills",
    ),
    Command(
        "pane.sessions", "Pane: sessions", "Goes to the recent sessions; again hides them.",
        keys=("f5",), label="sessions",
    ),
    Command(
        "pane.chat", "Pane: conversation only", "Hides the side panes; again shows them.",
        keys=("ctrl+b",), label="zoom",
    ),
    Command(
        "quit", "Hermes: quit", "Leaves; the session is stored.",
        keys=("ctrl+q",), slash="quit", label="quit",
    ),
    Command(
        "prompt.send", "Send", "Sends the prompt; while Hermes works it is queued.",
        keys=("enter",), scope="prompt", label="send",
    ),
    Command(
        "prompt.newline", "New line", "Starts a new line.",
        keys=("ctrl+j", "alt+enter", "shift+enter"), scope="prompt", label="new line",
    ),
    Command(
        "prompt.steer", "Steer or complete",
        "While Hermes works: says it now, without stopping the turn. Else completes a command.",
        keys=("tab",), scope="prompt", label="steer",
    ),
    Command(
        "prompt.back", "Earlier prompt",
        "On the first line: the prompt before; in an empty prompt, the last queued one comes back.",
        keys=("up",), scope="prompt",
    ),
    Command(
        "prompt.forward", "Later prompt", "On the last line: the prompt after.",
        keys=("down",), scope="prompt",
    ),
    Command(
        "prompt.editor", "Edit outside", "Opens the prompt in $VISUAL or $EDITOR.",
        keys=("ctrl+g",), scope="prompt",
    ),
    Command(
        "prompt.escape", "Stop or leave",
        "Closes the list of commands; else stops the turn, asking once more when the prompt has "
        "text; else goes to the conversation.",
        keys=("escape",), scope="prompt",
    ),
    Command(
        "chat.scroll", "Scroll", "A line up or down, half a page, to the start or the end.",
        keys=("k", "j", "u", "d", "g", "G"), scope="chat", is_bound_here=False,
    ),
    Command(
        "chat.step", "Previous and next block", "Marks a message or a tool card.",
        keys=("left_square_bracket", "right_square_bracket"), scope="chat", is_bound_here=False,
        label="block",
    ),
    Command(
        "chat.fold", "Fold", "Opens or closes the marked card.",
        keys=("space", "enter"), scope="chat", is_bound_here=False, label="fold",
    ),
    Command(
        "chat.copy", "Copy", "Copies the marked block, else the last answer.",
        keys=("y",), scope="chat", is_bound_here=False, label="copy",
    ),
    Command(
        "chat.prompt", "Back to the prompt", "Goes back to the prompt.",
        keys=("i", "escape"), scope="chat",
    ),
    Command(
        "list.open", "Open", "Opens the marked line.",
        keys=("enter",), scope="lists", is_bound_here=False,
    ),
    Command(
        "list.back", "Back", "Closes the list and changes nothing.",
        keys=("escape",), scope="lists", is_bound_here=False,
    ),
    Command(
        "approval.once", "Once", "Allows this one call.",
        keys=("o",), scope="approval", label="once",
    ),
    Command(
        "approval.session", "This session",
        "Allows everything the shown pattern covers until the session ends.",
        keys=("s",), scope="approval", label="this session",
    ),
    Command(
        "approval.deny", "Deny", "Refuses, and lets you say why; the agent reads the reason.",
        keys=("d", "enter"), scope="approval", label="deny",
    ),
    Command(
        "approval.refuse", "Deny at once", "Refuses without a reason.",
        keys=("escape",), scope="approval",
    ),
    Command(
        "approval.prompt", "Back to the prompt", "Goes to the prompt and back; the request waits.",
        keys=("tab",), scope="approval",
    ),
    Command("approval.up", "Up", "Scrolls the action.", keys=("up",), scope="approval"),
    Command("approval.down", "Down", "Scrolls the action.", keys=("down",), scope="approval"),
    Command(
        "approval.page_up", "Page up", "Scrolls the action by a page.",
        keys=("pageup",), scope="approval",
    ),
    Command(
        "approval.page_down", "Page down", "Scrolls the action by a page.",
        keys=("pagedown",), scope="approval",
    ),
    Command(
        "question.answer", "Answer", "Sends the answer.",
        keys=("enter",), scope="question", is_bound_here=False,
    ),
    Command(
        "question.skip", "No answer", "Hermes goes on without an answer.",
        keys=("escape",), scope="question",
    ),
)  # fmt: skip

BY_ID = {command.id: command for command in COMMANDS}
BY_SLASH = {command.slash: command for command in COMMANDS if command.slash}

SKILLS_OFFERED = 20

KEY_NAMES = {
    "escape": "esc", "up": "↑", "down": "↓",
    "left_square_bracket": "[", "right_square_bracket": "]",
}  # fmt: skip


def commands_of(scope: Scope) -> list[Command]:
    return [command for command in COMMANDS if command.scope == scope]


def palette_commands() -> list[Command]:
    """What the palette offers; keys of one widget make no sense there."""
    return commands_of("everywhere")


def bindings_of(scope: Scope, *, priority: bool = False) -> list[BindingType]:
    """Textual bindings of a scope; each runs the action `command('<id>')` of its owner."""
    return [
        Binding(
            ",".join(command.keys),
            f"command({command.id!r})",
            command.label or command.title,
            id=command.id,
            show=False,
            priority=priority,
            tooltip=command.help,
        )
        for command in commands_of(scope)
        if command.is_rebindable
    ]


def key_name(key: str) -> str:
    """A key as people read it: `esc`, `ctrl+p`, `F1`."""
    name = KEY_NAMES.get(key, key)
    return name.upper() if name[0] == "f" and name[1:].isdigit() else name


def slash_matches(text: str) -> list[Command]:
    """Slash commands for what stands in the prompt: those beginning so, then those holding it.

    Empty when `text` is no beginning of a slash command.
    """
    if not text.startswith("/") or any(character in text for character in " \n\t"):
        return []
    typed = text[1:].lower()
    begins = [command for name, command in BY_SLASH.items() if name.startswith(typed)]
    begins.sort(key=lambda command: command.slash != typed)
    holds = [
        command
        for name, command in BY_SLASH.items()
        if typed in name and not name.startswith(typed)
    ]
    return begins + holds


def skill_matches(text: str, skills: Sequence[SkillEntry]) -> list[Command]:
    """Skills to run by what stands in the prompt; a command of the same name goes before."""
    if not text.startswith("/") or len(text) < 2 or any(blank in text for blank in " \n\t"):
        return []
    typed = text[1:].lower()
    fitting = [one for one in skills if typed in one.name and one.name not in BY_SLASH]
    fitting.sort(key=lambda skill: not skill.name.startswith(typed))
    return [
        Command("skill.run", skill.name, skill.description, slash=skill.name, argument="[task]")
        for skill in fitting[:SKILLS_OFFERED]
    ]


def parse_slash(text: str) -> tuple[str, str] | None:
    """The name and argument of a slash command; None when `text` is a prompt.

    A path such as `/etc/hosts` is a prompt.
    """
    first, _, argument = text.strip().partition(" ")
    if not first.startswith("/") or "/" in first[1:] or "\n" in text.strip() or first == "/":
        return None
    return first[1:].lower(), argument.strip()


def keys_page() -> str:
    """The text of `docs/keys.md`."""
    lines = [
        "# Keys and commands",
        "",
        "Made from the table in `hermes_tui/tui/registry.py`; a test keeps it current.",
        "Every command of the first table is also in the palette (`ctrl+p`).",
        "",
        "What has a name can get other keys in the configuration, several separated by commas:",
        "`tui: {keys: {turn.interrupt: f8}}`. `hermes config check` finds names that do not exist.",
    ]
    for scope, title in SCOPES.items():
        commands = commands_of(scope)
        lines += ["", f"## {title}", "", "| keys | name | command | what it does |"]
        lines += ["| --- | --- | --- | --- |"]
        lines += [_row(command) for command in commands]
    return "\n".join(lines) + "\n"


def _row(command: Command) -> str:
    slash = f" `/{command.slash}{' ' if command.argument else ''}{command.argument}`"
    keys = ", ".join(f"`{key_name(key)}`" for key in command.keys)
    waits = "" if command.available_during_task else " Waits until the turn is over."
    name = command.title + (slash if command.slash else "")
    own = f"`{command.id}`" if command.is_rebindable else ""
    return f"| {keys} | {own} | {name} | {command.help}{waits} |"


def conflicts(commands: Iterable[Command]) -> list[tuple[str, str, str]]:
    """Keys that two commands of one scope share, as (key, id, id)."""
    seen: dict[tuple[Scope, str], str] = {}
    found: list[tuple[str, str, str]] = []
    for command in commands:
        for key in command.keys:
            if (command.scope, key) in seen:
                found.append((key, seen[command.scope, key], command.id))
            seen[command.scope, key] = command.id
    return found
