"""What each command of the table does."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

import anyio.to_thread
from textual.app import SuspendNotSupported

from hermes_tui.core.errors import ConfigError, NotFoundError
from hermes_tui.tui.access import app_of
from hermes_tui.tui.ports import Runtime
from hermes_tui.tui.registry import key_name, palette_commands
from hermes_tui.tui.screens.chat import Action, ChatScreen
from hermes_tui.tui.text import one_line
from hermes_tui.tui.widgets.header import PaneName


def runtime_of(chat: ChatScreen) -> Runtime:
    assert chat.runtime is not None, "the screen refuses these commands before it is attached"
    return chat.runtime


async def show_palette(chat: ChatScreen, _argument: str) -> None:
    from hermes_tui.tui.screens.picker import Choice, Picker

    choices = [
        Choice(
            id=command.id,
            name=command.title,
            note=command.help,
            key=key_name(command.keys[0]) if command.keys else f"/{command.slash}",
        )
        for command in palette_commands()
        if command.id != "palette"
    ]
    if chosen := await app_of(chat).push_screen_wait(Picker("Commands", choices)):
        chat.action_command(chosen)


async def show_help(chat: ChatScreen, _argument: str) -> None:
    from hermes_tui.tui.screens.help import HelpScreen

    keymap = dict(chat.runtime.config.tui.keys) if chat.runtime else {}
    await app_of(chat).push_screen_wait(HelpScreen(keymap))


async def new_session(chat: ChatScreen, _argument: str) -> None:
    chat.open_session(await runtime_of(chat).new_session())
    chat.prompt.focus()


async def pick_session(chat: ChatScreen, argument: str) -> None:
    from hermes_tui.tui.screens.sessions import LISTED, SessionPicker

    runtime = runtime_of(chat)
    sessions = await runtime.sessions(limit=LISTED)
    session = chat.conversation.session
    picker = SessionPicker(
        runtime, sessions, current=session.id if session else "", now=chat.now, words=argument
    )
    if chosen := await app_of(chat).push_screen_wait(picker):
        await open_session(chat, chosen)


async def open_session(chat: ChatScreen, argument: str) -> None:
    session = chat.conversation.session
    if chat.conversation.is_busy:
        chat.flash("Another session has to wait until the turn is over; esc stops it.")
    elif session is None or session.id != argument:
        chat.open_session(await runtime_of(chat).resume(argument))
    chat.panes.go("chat")


async def rename_session(chat: ChatScreen, argument: str) -> None:
    from hermes_tui.tui.screens.line import Line

    session = chat.conversation.session
    if session is None:
        return
    stored = await runtime_of(chat).sessions(limit=1, text=session.id)
    title = argument or await app_of(chat).push_screen_wait(
        Line("Title of this session", stored[0].title if stored else "", verb="rename")
    )
    if title:
        await runtime_of(chat).rename_session(session.id, title)
        chat.refresh_panes()


async def delete_session(chat: ChatScreen, _argument: str) -> None:
    session = chat.conversation.session
    if session is None or not session.history:
        chat.flash("This session is empty; there is nothing to delete.")
        return
    await runtime_of(chat).delete_session(session.id)
    chat.deleted.append(session.id)
    chat.open_session(await runtime_of(chat).new_session())
    chat.flash("Deleted. /restore brings it back.")


async def restore_session(chat: ChatScreen, _argument: str) -> None:
    if not chat.deleted:
        chat.flash("No session was deleted since Hermes started.")
        return
    session_id = chat.deleted.pop()
    await runtime_of(chat).restore_session(session_id)
    chat.refresh_panes()
    await open_session(chat, session_id)


async def pick_model(chat: ChatScreen, argument: str) -> None:
    from hermes_tui.tui.screens.models import ModelPicker

    runtime, session = runtime_of(chat), chat.conversation.session
    if session is None:
        return
    picker = ModelPicker(runtime.model_choices(), current=session.model.name)
    if name := argument or await app_of(chat).push_screen_wait(picker):
        await runtime.switch_model(session, name)
        chat.flash(f"From now on {name[:60]} answers.")


async def pick_environment(chat: ChatScreen, argument: str) -> None:
    """Switch the place commands run in; opening it may take a while and says how far it is."""
    from hermes_tui.tui.screens.environments import EnvironmentPicker

    runtime, session = runtime_of(chat), chat.conversation.session
    if session is None:
        return
    picker = EnvironmentPicker(await runtime.environment_choices())
    if name := argument or await app_of(chat).push_screen_wait(picker):
        chat.flash(f"Opening {name[:60]} …")
        await runtime.switch_environment(session, name)
        chat.flash(f"Commands run in {name[:60]} from now on.")


async def set_reasoning(chat: ChatScreen, argument: str) -> None:
    from hermes_tui.tui.screens.picker import Choice, Picker

    runtime, session = runtime_of(chat), chat.conversation.session
    if session is None:
        return
    levels = [
        Choice(id="off", name="off", note="answers at once", is_current=runtime.reasoning == "off"),
        Choice(id="low", name="low", note="thinks briefly", is_current=runtime.reasoning == "low"),
        Choice(id="high", name="high", note="thinks long", is_current=runtime.reasoning == "high"),
    ]
    match argument or await app_of(chat).push_screen_wait(Picker("Reasoning", levels)):
        case "off" | "low" | "high" as level:
            await runtime.switch_reasoning(session, level)
            chat.flash(f"Reasoning: {level}, from the next answer on.")
        case None:
            pass
        case other:
            raise ConfigError(f"There is no level {other!r}.", hint="Choose off, low or high.")


async def pick_personality(chat: ChatScreen, argument: str) -> None:
    from hermes_tui.tui.screens.picker import Choice, Picker

    runtime, session = runtime_of(chat), chat.conversation.session
    if session is None:
        return
    choices = [Choice(id="none", name="none", note="as it is", is_current=not runtime.personality)]
    choices += (
        Choice(
            id=one.name,
            name=one.name,
            note="your own" if one.is_own else one_line(one.text, 70),
            is_current=one.name == runtime.personality,
        )
        for one in runtime.personalities()
    )
    picker = Picker("Personality", choices)
    if name := argument or await app_of(chat).push_screen_wait(picker):
        await runtime.switch_personality(session, name)
        chat.flash(f"Personality: {name}, from the next answer on.")


async def pick_theme(chat: ChatScreen, argument: str) -> None:
    from hermes_tui.tui.screens.themes import ThemePicker

    themes = sorted(app_of(chat).available_themes)
    if argument and argument not in themes:
        raise ConfigError(
            f"There is no theme {argument!r}.", hint=f"Choose one of: {', '.join(themes)}."
        )
    name = argument or await app_of(chat).push_screen_wait(ThemePicker(themes, app_of(chat).theme))
    if name:
        app_of(chat).theme = name


async def cycle_mode(chat: ChatScreen, argument: str) -> None:
    """The mode named, or the next looser one; from the loosest back to the strictest."""
    from hermes_tui.safety.modes import MODES

    runtime = runtime_of(chat)
    if argument:
        if argument not in MODES:
            raise ConfigError(
                f"There is no mode {argument!r}.", hint=f"Choose one of: {', '.join(MODES)}."
            )
        runtime.mode = MODES[MODES.index(argument)]
        return
    runtime.mode = MODES[(MODES.index(runtime.mode) + 1) % len(MODES)]


async def copy_answer(chat: ChatScreen, _argument: str) -> None:
    history = chat.conversation.session.history if chat.conversation.session else []
    answers = [message.text for message in history if message.role == "assistant" and message.text]
    if not answers:
        chat.flash("There is no answer to copy yet.")
        return
    app_of(chat).copy_to_clipboard(answers[-1])
    chat.flash(f"Copied {len(answers[-1]):,} characters.")


async def clear_view(chat: ChatScreen, _argument: str) -> None:
    chat.chat.transcript.clear()


async def edit_queue(chat: ChatScreen, _argument: str) -> None:
    from hermes_tui.tui.screens.picker import Choice, Picker

    queued = chat.conversation.queued
    choices = [Choice(id=text, name=text) for text in dict.fromkeys(queued)]
    picker = Picker("Queued prompts", choices, empty="Nothing is queued.")
    chosen = await app_of(chat).push_screen_wait(picker)
    if chosen is not None and chosen in queued:
        queued.remove(chosen)
        chat.prompt.put(chosen)
        chat.prompt.focus()


async def interrupt(chat: ChatScreen, _argument: str) -> None:
    """Ctrl+c: copy a selection, else stop the turn, else empty the prompt."""
    if chat.prompt.has_focus and chat.prompt.selected_text:
        app_of(chat).copy_to_clipboard(chat.prompt.selected_text)
        chat.flash("Copied.")
    elif selected := chat.get_selected_text():
        app_of(chat).copy_to_clipboard(selected)
        chat.flash("Copied.")
    elif chat.conversation.is_busy:
        chat.interrupt()
    elif chat.prompt.text:
        chat.prompt.take()
        chat.flash("Emptied; up brings it back.")
    else:
        chat.flash("ctrl+q quits.")


async def leave(chat: ChatScreen, _argument: str) -> None:
    await app_of(chat).action_quit()


async def zoom(chat: ChatScreen, _argument: str) -> None:
    chat.panes.zoom()


def toggling(pane: PaneName) -> Action:
    async def toggle(chat: ChatScreen, _argument: str) -> None:
        chat.panes.toggle(pane)

    return toggle


async def focus_prompt(chat: ChatScreen, _argument: str) -> None:
    chat.panes.go("chat")


async def compress(chat: ChatScreen, argument: str) -> None:
    """Show what would be left out; when the person agrees, leave it out for the model."""
    session = chat.conversation.session
    plan = session.compression() if session else None
    if session is None or plan is None:
        raise ConfigError("There is nothing to leave out yet.", hint="Go on talking.")
    now = plan.compaction
    count = f"{now.tail - now.head} of {len(session.history)} messages"
    sizes = f"about {plan.tokens_before:,} tokens to {plan.tokens_after:,}"
    question = f"Summarise {count} for the model ({sizes})? The session itself keeps everything."
    if await chat.human.ask(question, ("yes", "no")) != "yes":
        return
    chat.flash("Summarising …")
    for event in await session.compress(argument):
        chat.presenter.show(event)


async def unlearn(chat: ChatScreen, _argument: str) -> None:
    if not chat.learnt:
        chat.flash("Nothing was remembered since Hermes started.")
        return
    learnt = chat.learnt.pop()  # F7 may be pressed again before this one is done
    try:
        await runtime_of(chat).unlearn(learnt)
    except BaseException:
        chat.learnt.append(learnt)
        raise
    chat.chat.transcript.add_notice(learnt.undone_text, "info")
    chat.refresh_panes()


async def view_memory(chat: ChatScreen, name: str) -> None:
    from hermes_tui.tui.screens.viewer import Viewer

    for file in runtime_of(chat).memory_files():
        if file.name == name:
            note = f"{file.size} of {file.limit} characters"
            await app_of(chat).push_screen_wait(Viewer(name, file.text, note))


async def view_skill(chat: ChatScreen, name: str) -> None:
    from hermes_tui.tui.screens.viewer import Viewer

    skills = await anyio.to_thread.run_sync(runtime_of(chat).skill_tree)
    paths = [skill.path for skill in skills if skill.name == name]
    text = await anyio.to_thread.run_sync(_skill_text, paths[0]) if paths else None
    if text is None:
        raise NotFoundError(f"The skill {name!r} cannot be read.", hint="Look at its folder.")
    await app_of(chat).push_screen_wait(Viewer(name, text))


def _skill_text(path: Path) -> str | None:
    file = path / "SKILL.md" if path.is_dir() else path
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


async def edit_outside(chat: ChatScreen, _argument: str) -> None:
    """Edit the prompt in `$VISUAL` or `$EDITOR`; the agent goes on meanwhile."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    text = chat.prompt.whole_text
    chat.is_lending_terminal = True
    try:
        with app_of(chat).batch_update(), app_of(chat).suspend():
            edited = await anyio.to_thread.run_sync(edited_text, editor, text)
    except SuspendNotSupported as error:
        raise ConfigError(
            "This terminal cannot be lent to an editor.", hint="Write with ctrl+j for new lines."
        ) from error
    finally:
        chat.is_lending_terminal = False
    chat.refresh(layout=True)
    if edited is None:
        raise ConfigError(f"The editor {editor!r} failed.", hint="Set VISUAL or EDITOR.")
    chat.prompt.put(edited.rstrip("\n"))


def edited_text(editor: str, text: str) -> str | None:
    """`text` as it is after `editor` ran on it; None when the editor failed. Blocks."""
    with tempfile.TemporaryDirectory(prefix="hermes-") as folder:
        file = Path(folder) / "prompt.md"
        file.write_text(text, encoding="utf-8")
        try:
            ended = subprocess.run([*shlex.split(editor), str(file)], check=False)
        except (OSError, ValueError):
            return None
        return file.read_text(encoding="utf-8", errors="replace") if not ended.returncode else None


ACTIONS: dict[str, Action] = {
    "palette": show_palette,
    "help": show_help,
    "session.new": new_session,
    "session.pick": pick_session,
    "session.open": open_session,
    "session.rename": rename_session,
    "session.delete": delete_session,
    "session.restore": restore_session,
    "model.pick": pick_model,
    "environment.pick": pick_environment,
    "reasoning.set": set_reasoning,
    "memory.undo": unlearn,
    "personality.pick": pick_personality,
    "history.compress": compress,
    "theme.pick": pick_theme,
    "mode.cycle": cycle_mode,
    "answer.copy": copy_answer,
    "chat.prompt": focus_prompt,
    "view.clear": clear_view,
    "queue.edit": edit_queue,
    "turn.interrupt": interrupt,
    "pane.tools": toggling("tools"),
    "pane.memory": toggling("memory"),
    "pane.skills": toggling("skills"),
    "pane.sessions": toggling("sessions"),
    "pane.chat": zoom,
    "quit": leave,
    "prompt.editor": edit_outside,
    "memory.view": view_memory,
    "skill.view": view_skill,
}
