"""The Textual application: opens what the screen needs, and closes it again."""

import asyncio
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from datetime import datetime
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

import anyio
from textual import events
from textual.app import App

from hermes_tui.core.errors import HermesError
from hermes_tui.core.ports import Human
from hermes_tui.tui import terminal_guard
from hermes_tui.tui.actions import ACTIONS
from hermes_tui.tui.human import TuiHuman
from hermes_tui.tui.ports import Runtime
from hermes_tui.tui.screens.chat import ChatScreen
from hermes_tui.tui.themes import DEFAULT, THEMES, VARIABLES

if TYPE_CHECKING:
    from hermes_tui.agent.session import Session

OpenRuntime = Callable[[Human], AbstractAsyncContextManager[Runtime]]

COLUMNS = [(0, "-narrow"), (100, "-medium"), (140, "-wide")]
ROWS = [(0, "-short"), (30, "-tall")]
"""From how many cells on the chat screen has which class."""

CLOSING_SECONDS = 2.0
"""How long leaving may take, whatever the runtime still has to close."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
SWITCH_SECONDS = 0.0005
"""A busy thread gives way to the screen ten times sooner than Python's default."""


def local_now() -> datetime:
    return datetime.now().astimezone()


class HermesApp(App[int]):
    """Paints first, opens the runtime next, and is ready when that is there.

    Args:
        open_runtime: Opens the runtime for the person given; left when the app ends.
        resume: The session to continue.
        continues: Continue the session used last in this folder, if there is one.
        prompt: Sent as soon as the runtime is there.
        pick_session: Begin with the session picker.
        clock: Seconds for durations on the screen.
        now: Local time for ages on the screen.
    """

    TITLE = "Hermes"
    CSS_PATH = "screens/chat.tcss"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = COLUMNS
    VERTICAL_BREAKPOINTS = ROWS

    def __init__(
        self,
        open_runtime: OpenRuntime,
        *,
        resume: str | None = None,
        continues: bool = False,
        prompt: str = "",
        pick_session: bool = False,
        clock: Callable[[], float] = monotonic,
        now: Callable[[], datetime] = local_now,
    ) -> None:
        super().__init__()
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = DEFAULT
        self.human = TuiHuman()
        self.chat = ChatScreen(self.human, ACTIONS, clock=clock, now=now)
        self.failure: HermesError | None = None
        """Why the runtime could not be opened, or broke."""
        self._open_runtime = open_runtime
        self._resume = resume
        self._continues = continues
        self._prompt = prompt
        self._pick_session = pick_session
        self._typed_ahead: list[events.Event] | None = []
        """Keys and pastes from before anything could take them; None from then on."""
        self._wants_out = anyio.Event()
        self._is_out = anyio.Event()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(VARIABLES)

    def get_default_screen(self) -> ChatScreen:
        return self.chat

    def on_mount(self) -> None:
        if not self.is_headless:
            self._mind_signals()
        self.call_after_refresh(self._go_live)

    async def on_event(self, event: events.Event) -> None:
        """Hold keys back until the prompt can take them: the terminal sends them before that."""
        if isinstance(event, events.Key | events.Paste) and self._typed_ahead is not None:
            self._typed_ahead.append(event)
        else:
            await super().on_event(event)

    async def _go_live(self) -> None:
        if self.chat.focused is None:
            self.chat.set_focus(self.chat.prompt)
        typed, self._typed_ahead = self._typed_ahead or [], None
        for event in typed:
            await super().on_event(event)
        self.run_worker(self._live, group="runtime")

    async def _live(self) -> None:
        """Hold the runtime open for as long as the screen is there."""
        try:
            async with self._open_runtime(self.human) as runtime:
                await self._show(runtime)
                await self._wants_out.wait()
                await self._end_turn()
        except HermesError as error:
            if not self._wants_out.is_set():
                self.failure = error
                self.exit(return_code=error.exit_code)
        finally:
            self._is_out.set()

    async def _show(self, runtime: Runtime) -> None:
        settings = runtime.config.tui
        if settings.theme in self.available_themes:
            self.theme = settings.theme
        self.set_keymap(settings.keys)
        self.chat.chat.transcript.shows_reasoning = settings.show_reasoning
        await self.chat.attach(runtime, await self._session(runtime))
        if self._prompt:
            self.chat.submit(self._prompt)
        if self._pick_session:
            self.chat.action_command("session.pick")
        if runtime.is_rehearsal:
            self.run_worker(partial(self._offer_local_models, runtime), group="offers")
        if not self.is_headless:
            _settle_memory()

    async def _offer_local_models(self, runtime: Runtime) -> None:
        """Say so when a real model runs on this machine and nobody uses it."""
        if models := await runtime.local_models():
            named = ", ".join(model.name for model in models[:3])
            self.chat.chat.transcript.add_notice(
                f"A model runs on this machine: {named}. /model {models[0].name} uses it.", "info"
            )

    async def _session(self, runtime: Runtime) -> "Session":
        latest = await runtime.latest_session() if self._continues else None
        wanted = self._resume or (latest.id if latest else None)
        return await (runtime.resume(wanted) if wanted else runtime.new_session())

    async def _end_turn(self) -> None:
        self.chat.interrupt()
        with anyio.move_on_after(CLOSING_SECONDS):
            await self.chat.conversation.ended()

    async def action_quit(self) -> None:
        await self.leave(0)

    async def leave(self, return_code: int) -> None:
        """End the turn, close the runtime and exit, in bounded time."""
        self._wants_out.set()
        self.human.close()
        with anyio.move_on_after(CLOSING_SECONDS):
            await self._is_out.wait()
        self.exit(return_code, return_code=return_code)

    def _mind_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._on_signal, number)

    def _on_signal(self, number: int) -> None:
        """Leave, and be gone after `CLOSING_SECONDS` even if something hangs."""
        if number == signal.SIGINT and self.chat.is_lending_terminal:
            return  # ctrl+c typed into the editor reaches every process in the terminal
        late = threading.Timer(CLOSING_SECONDS, os._exit, (128 + number,))
        late.daemon = True
        late.start()
        self.run_worker(partial(self.leave, 128 + number), group="leave")


def _settle_memory() -> None:
    """Take everything that lives as long as the app out of the collector's sight."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 1_000)
    gc.enable()


def run_app(
    open_runtime: OpenRuntime,
    *,
    resume: str | None = None,
    continues: bool = False,
    prompt: str = "",
    pick_session: bool = False,
) -> int:
    """Run the screen until the person leaves; the exit code of the process.

    Raises:
        HermesError: the runtime could not be opened, or broke.
    """
    if os.isatty(1) and not os.isatty(2):
        os.dup2(1, 2)  # Textual paints on stderr
    terminal_guard.install()
    sys.setswitchinterval(SWITCH_SECONDS)
    app = HermesApp(
        open_runtime, resume=resume, continues=continues, prompt=prompt, pick_session=pick_session
    )
    app.run()
    _say_how_to_go_on(app)
    if app.failure is not None:
        raise app.failure
    return app.return_code or 0


def _say_how_to_go_on(app: HermesApp) -> None:
    """Name the session that was on the screen, if anything was said in it."""
    session = app.chat.conversation.session
    if session is not None and session.history:
        with suppress(OSError):  # the terminal may be gone
            sys.stderr.write(f"Session {session.id}; go on with: hermes --continue\n")
            sys.stderr.flush()
