"""The main screen: conversation in the middle, what surrounds it at the sides."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

import anyio.to_thread
from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen

from hermes_tui.core.errors import HermesError
from hermes_tui.core.events import (
    Event,
    HistoryCompacted,
    MessageAdded,
    TextDelta,
    TurnFinished,
    TurnStarted,
)
from hermes_tui.tui.access import app_of
from hermes_tui.tui.conversation import Conversation
from hermes_tui.tui.dialogs.approval import ApprovalSheet
from hermes_tui.tui.dialogs.slot import SheetSlot
from hermes_tui.tui.human import TuiHuman
from hermes_tui.tui.panes.chat import ChatPane
from hermes_tui.tui.panes.memory import MemoryPane
from hermes_tui.tui.panes.pane import Pane
from hermes_tui.tui.panes.sessions import SessionsPane
from hermes_tui.tui.panes.skills import SkillsPane
from hermes_tui.tui.panes.tools import ToolsPane
from hermes_tui.tui.ports import Runtime
from hermes_tui.tui.presenter import Presenter
from hermes_tui.tui.pump import Pump
from hermes_tui.tui.registry import BY_ID, BY_SLASH, bindings_of, parse_slash
from hermes_tui.tui.screens.layout import PaneLayout
from hermes_tui.tui.text import one_line
from hermes_tui.tui.view.transcript import TranscriptView
from hermes_tui.tui.widgets.completion import Completion
from hermes_tui.tui.widgets.header import Header
from hermes_tui.tui.widgets.hints import Hints
from hermes_tui.tui.widgets.prompt import Prompt
from hermes_tui.tui.widgets.queue import QueueList
from hermes_tui.tui.widgets.status import StatusBar

if TYPE_CHECKING:
    from hermes_tui.agent.session import Session
    from hermes_tui.learning.learner import Learnt

Action = Callable[["ChatScreen", str], Awaitable[None]]
"""What a command does, given what stood after its name."""

FLASH_SECONDS = 2.5
ESC_SECONDS = 2.0
"""Within this time a second esc stops the turn although the prompt has text."""
TICK_SECONDS = 0.25
IDLE_SECONDS = 60.0
RECENT_SESSIONS = 20
PROMPT = "prompt.send"
WITHOUT_RUNTIME = {"quit", "help", "pane.tools", "pane.memory", "pane.skills", "pane.sessions"}


class ChatScreen(Screen[None]):
    """Hands what the person does to the conversation, and its events to the presenter."""

    AUTO_FOCUS = "#prompt"
    BINDINGS: ClassVar = bindings_of("everywhere", priority=True)

    def __init__(
        self,
        human: TuiHuman,
        actions: Mapping[str, Action],
        *,
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        super().__init__()
        self._actions = actions
        self.human = human
        self.runtime: Runtime | None = None
        self.now = now
        self.deleted: list[str] = []
        """Ids of sessions deleted from here, the last one last."""
        self.learnt: list[Learnt] = []
        """What was remembered without being asked to, the last one last."""
        self._warned: set[str] = set()
        """What went wrong behind the scenes and was said."""
        self.completion = Completion()
        self.prompt = Prompt(self.completion)
        self.chat = ChatPane(clock=clock)
        self.status = StatusBar(clock=clock)
        self.panes = PaneLayout(self)
        self._header = Header()
        self._sessions = SessionsPane()
        self._skills = SkillsPane()
        self._memory = MemoryPane()
        self._tools = ToolsPane(clock=clock)
        self._hints = Hints()
        self._queue = QueueList()
        human.told = lambda text: self.flash(one_line(text))
        self._sheets = SheetSlot(human, may_take_keyboard=self._may_take_keyboard)
        self.is_lending_terminal = False
        """Whether an editor has the terminal."""
        self._early: list[tuple[str, str]] = []
        """Commands and their arguments given before the runtime was there."""
        self._escaped_at = float("-inf")
        self.presenter = Presenter(self.chat.transcript, self._tools, self.status)
        self._pump = Pump(self._show_event, call_later=self.set_timer)
        self.conversation = Conversation(self._pump.push)

    def compose(self) -> ComposeResult:
        yield self._header
        with Horizontal(id="columns"):
            with Vertical(id="left"):
                yield self._sessions
                yield self._skills
                yield self._memory
            yield self.chat
            with Vertical(id="right"):
                yield self._tools
        yield self._sheets
        yield self._queue
        yield self.prompt
        yield self.status
        yield self._hints
        yield self.completion

    def on_mount(self) -> None:
        self.add_class("-pane-chat")
        self.set_interval(TICK_SECONDS, self._tick)
        self.show_state()

    async def attach(self, runtime: Runtime, session: "Session") -> None:
        """The runtime is there: show it, and send what was typed before."""
        self.runtime = runtime
        self._hints.keymap = dict(runtime.config.tui.keys)
        self.open_session(session)
        for notice in runtime.notices:
            self.chat.transcript.add_notice(notice.text, notice.level)
        path = runtime.paths.home / "prompt_history.jsonl"
        await anyio.to_thread.run_sync(self.prompt.past.load, path)
        early, self._early = self._early, []
        self.run_worker(partial(self._catch_up, early), group="command")
        self.set_interval(IDLE_SECONDS, self._look_after)

    def open_session(self, session: "Session") -> None:
        """Show another session; the one before stays stored."""
        self.conversation.session = session
        self.presenter.start_over(session.history)
        self.chat.welcome(is_wanted=not session.history)
        self.show_standing()
        self.refresh_panes()

    def show_standing(self) -> None:
        """Bring model, place and mode onto the status line."""
        runtime, session = self.runtime, self.conversation.session
        if runtime is None or session is None:
            return
        standing = self.status.standing
        standing.model = session.model.name
        standing.is_rehearsal = runtime.is_rehearsal
        standing.environment = runtime.environment.name
        standing.cwd = runtime.environment.cwd
        standing.usage = session.usage
        standing.context_tokens = session.context_tokens if session.history else 0
        standing.context_window = session.context_window
        standing.mode = runtime.mode
        self.show_state()

    def show_state(self) -> None:
        """Bring queue, mode and key hints up to date."""
        busy, queued = self.conversation.is_busy, self.conversation.queued
        self._queue.show(self.conversation.steering, queued, is_busy=busy)
        self.prompt.has_queue = bool(queued)
        self.prompt.border_subtitle = Content(f"{self.status.standing.mode} · shift+tab")
        self.status.standing.queued = len(queued)
        self.status.show()
        self._header.is_working = bool(self._tools.running)
        if self._sheets.has_focus_within:
            self._hints.situation = "asked"
        elif self.chat.has_focus_within:
            self._hints.situation = "chat"
        elif self._tools.has_focus_within:
            self._hints.situation = "tools"
        elif any(pane.has_focus_within for pane in (self._sessions, self._skills, self._memory)):
            self._hints.situation = "list"
        else:
            self._hints.situation = "busy" if busy else "idle"

    def submit(self, text: str) -> None:
        """Answer `text` now, or queue it behind the running turn."""
        if self.conversation.session is None:
            self._early.append((PROMPT, text))
            self.flash("Starting. Your prompt is sent in a moment.")
        elif self.conversation.is_busy:
            self.conversation.queue(text)
        else:
            self.chat.welcome(is_wanted=False)
            self.chat.transcript.scroll_to_end()
            self.run_worker(self.conversation.run(text), group="turn")
        self.show_state()

    def interrupt(self) -> None:
        if self.conversation.interrupt():
            self.presenter.stop()

    def flash(self, text: str) -> None:
        """Say something for a moment, at the lower edge."""
        self._hints.flash_text = text
        self.set_timer(FLASH_SECONDS, lambda: self._hints.end_flash(text))

    def refresh_panes(self) -> None:
        """Read memory, skills and sessions again, in the background."""
        if self.runtime is not None:
            self.run_worker(partial(self._read_panes, self.runtime), group="panes", exclusive=True)

    def action_command(self, command_id: str, argument: str = "") -> None:
        """Run a command of the table, if it may run now."""
        command = BY_ID.get(command_id)
        if command and self.conversation.is_busy and not command.available_during_task:
            self.flash("That has to wait until the turn is over; esc stops it.")
        elif self.runtime is None and command_id not in WITHOUT_RUNTIME:
            self._early.append((command_id, argument))
            self.flash("Starting. That comes in a moment.")
        else:
            self.run_worker(partial(self._perform, command_id, argument), group="command")

    async def _catch_up(self, early: list[tuple[str, str]]) -> None:
        """Do what was asked for before the runtime was there, in that order."""
        is_sent = False
        for command_id, argument in early:
            if command_id == PROMPT and is_sent:
                self.conversation.queue(argument)
            elif command_id == PROMPT:
                is_sent = True
                self.submit(argument)
            elif is_sent:
                self.action_command(command_id, argument)
            else:
                await self._perform(command_id, argument)
        self.show_state()

    async def _perform(self, command_id: str, argument: str) -> None:
        try:
            await self._actions[command_id](self, argument)
        except HermesError as error:
            self.chat.transcript.add_notice(str(error), "error")
        self.show_standing()

    def _show_event(self, event: Event) -> None:
        self.presenter.show(event)
        match event:
            case TurnFinished():
                self.show_standing()
                self.refresh_panes()
                self.run_worker(self._look_back, group="learning")
            case TurnStarted():
                self.show_state()
                self.refresh_panes()
            case HistoryCompacted():
                self.run_worker(self._look_back, group="learning")
            case MessageAdded():
                self.show_state()
                self.run_worker(self._read_memory, group="memory", exclusive=True)
            case TextDelta():
                pass
            case _:
                self.show_state()

    async def _read_panes(self, runtime: Runtime) -> None:
        await self._read_memory()
        try:
            sessions = await runtime.sessions(limit=RECENT_SESSIONS)
            skills = await anyio.to_thread.run_sync(runtime.skill_tree)
        except HermesError as error:
            self.chat.transcript.add_notice(str(error), "error")
            return
        current = self.conversation.session.id if self.conversation.session else ""
        title = next((entry.title for entry in sessions if entry.id == current), "")
        self._header.title_text = title or "new session"
        self.chat.name_session(title)
        self._sessions.show(sessions, current, self.now())
        self._skills.show(skills)
        self.completion.skills = skills

    async def _look_back(self) -> None:
        runtime, session = self.runtime, self.conversation.session
        if runtime is None or session is None:
            return
        try:
            learnt = await runtime.look_back(session)
        except HermesError as error:
            self._warn_once(f"Nothing was remembered: {error}")
            return
        self._tell_learnt([learnt])

    def _look_after(self) -> None:
        """Use idle time, unless what was begun in it goes on."""
        is_used = any(one.group == "idle" and not one.is_finished for one in self.workers)
        if self.runtime is not None and not self.conversation.is_busy and not is_used:
            self.run_worker(partial(self._use_idle_time, self.runtime), group="idle")

    async def _use_idle_time(self, runtime: Runtime) -> None:
        current = self.conversation.session.id if self.conversation.session else ""
        try:
            looked = await runtime.look_after(but=current)
            self._tell_learnt(looked.learnt)
            if looked.notice:
                self.chat.transcript.add_notice(looked.notice, "info")
        except HermesError as error:
            self._warn_once(str(error))

    def _warn_once(self, text: str) -> None:
        """Say what goes wrong behind the scenes; the same again is not said again."""
        if text not in self._warned:
            self._warned.add(text)
            self.chat.transcript.add_notice(text, "warning")

    def _tell_learnt(self, found: "Sequence[Learnt]") -> None:
        for learnt in found:
            if learnt.text:
                self.learnt.append(learnt)
                self.chat.transcript.add_notice(f"{learnt.text} F7 takes it back.", "info")
                self.refresh_panes()

    async def _read_memory(self) -> None:
        if self.runtime is None:
            return
        try:
            self._memory.show(await anyio.to_thread.run_sync(self.runtime.memory_files))
        except HermesError as error:
            self.chat.transcript.add_notice(str(error), "error")

    def _tick(self) -> None:
        if self.conversation.is_busy:
            self._tools.tick()

    def _may_take_keyboard(self) -> bool:
        return app_of(self).screen is self and not self.prompt.text.strip()

    def on_descendant_focus(self) -> None:
        self.show_state()

    def on_screen_resume(self) -> None:
        self._sheets.rest()

    def on_sheet_slot_changed(self, event: SheetSlot.Changed) -> None:
        self.presenter.wait(is_waiting=event.waiting > 0)
        self.show_state()

    def on_approval_sheet_left(self, event: ApprovalSheet.Left) -> None:
        self.prompt.focus()
        if event.typed:
            self._sheets.rest()
            self.prompt.insert(event.typed)

    def on_pane_left(self, event: Pane.Left) -> None:
        self.panes.go("chat")
        if event.typed:
            self._sheets.rest()
            self.prompt.take_in(event.typed)

    def on_key(self, event: events.Key) -> None:
        """A key typed before anything had the keyboard is the prompt's."""
        if self.focused is None:
            self.set_focus(self.prompt)
            if event.is_printable and event.character:
                self.prompt.take_in(event.character)
            elif event.key == "enter":
                self.prompt.action_command("prompt.send")

    def on_paste(self, event: events.Paste) -> None:
        if self.focused is None:
            self.set_focus(self.prompt)
            self.prompt.take_in(event.text)

    def on_prompt_typed(self) -> None:
        self._sheets.rest()

    def on_prompt_sent(self) -> None:
        self._sheets.rest()
        text = self.prompt.whole_text.strip()
        if (slash := parse_slash(text)) is not None:
            self._run_slash(*slash)
        elif text:
            self.submit(self._take_prompt())
        elif (queued := self.conversation.next_queued()) is not None:
            self.submit(queued)

    def on_prompt_tabbed(self) -> None:
        if self._sheets.is_open:
            self._sheets.take_keyboard()
        elif self.conversation.is_busy and self.prompt.text.strip():
            self.conversation.steer(self._take_prompt())
            self.show_state()
        elif not self.prompt.text:
            self.focus_next()

    def _take_prompt(self) -> str:
        text = self.prompt.take()
        self.run_worker(partial(self.prompt.past.append, text), group="history", thread=True)
        return text

    def _run_slash(self, name: str, argument: str) -> None:
        if (command := BY_SLASH.get(name)) is not None:
            self.prompt.take()
            self.action_command(command.id, argument)
        elif any(skill.name == name for skill in self.completion.skills):
            self.submit(self._take_prompt())
        else:
            self.flash(f"There is no command /{name[:30]}. Type / to see them all.")

    def on_prompt_take_back(self) -> None:
        if self.conversation.queued:
            self.prompt.put(self.conversation.queued.pop())
            self.show_state()

    def on_prompt_escaped(self) -> None:
        """Stop the turn: at once with an empty prompt, else with a second esc."""
        if not self.conversation.is_busy:
            self.chat.transcript.focus()
        elif not self.prompt.text.strip() or monotonic() - self._escaped_at < ESC_SECONDS:
            self.interrupt()
        else:
            self._escaped_at = monotonic()
            self.flash("esc again stops the turn; your text stays.")

    def on_prompt_wants_editor(self) -> None:
        self.action_command("prompt.editor")

    def on_page_view_copied(self, event: TranscriptView.Copied) -> None:
        self.flash(f"Copied {len(event.text):,} characters.")

    def on_header_tab_chosen(self, event: Header.TabChosen) -> None:
        self.panes.go(event.pane)

    def on_sessions_pane_opened(self, event: SessionsPane.Opened) -> None:
        self.action_command("session.open", event.session_id)

    def on_memory_pane_opened(self, event: MemoryPane.Opened) -> None:
        self.action_command("memory.view", event.file.name)

    def on_skills_pane_opened(self, event: SkillsPane.Opened) -> None:
        self.action_command("skill.view", event.skill.name)
