"""A real app in a real pseudo-terminal, full of hostile text."""

import os
import pty
import re
import select
import subprocess
import sys
import time

import pytest
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from hermes_tui.tui import terminal_guard

APP = """
import sys
from rich.text import Text
from textual.app import App
from textual.content import Content
from textual.widgets import Header, Label, Log, Markdown, OptionList, RichLog, Static
from textual.widgets import TextArea, Tree
from hermes_tui.tui import terminal_guard

HOSTILE = (
    "a\\x1b]52;c;UFdORUQ=\\x07b\\x1b]0;PWNED\\x07c\\x1b[2;9Jd\\x1b[6;7ne\\x1bP+qPWNED\\x1b\\\\\\\\f"
    "\\x1b_GPWNED\\x1b\\\\\\\\g\\x9b5;77mh\\x9d0;PWNED\\x9ci\\u202ej\\u2066k\\U000e0041l\\ud800m\\x07n\\x00o"
)

class Hostile(App):
    TITLE = HOSTILE

    def compose(self):
        yield Header()
        yield Static(HOSTILE, markup=False)
        yield Static(Content(HOSTILE))
        yield Label(Text(HOSTILE))
        yield Static(Text("link", style="link http://x\\x1b]0;PWNED\\x07"))
        yield Markdown("# " + HOSTILE + "\\n\\n" + HOSTILE + "\\n\\n```\\n" + HOSTILE + "\\n```")
        yield TextArea(HOSTILE)
        log = Log(); yield log
        rich_log = RichLog(); yield rich_log
        yield OptionList(Content(HOSTILE))
        yield Tree(Text(HOSTILE))

    def on_mount(self):
        self.query_one(Log).write_line(HOSTILE)
        self.query_one(RichLog).write(Text(HOSTILE))
        self.query_one(OptionList).border_title = Content(HOSTILE)
        self.query_one(TextArea).load_text(HOSTILE.replace("\\ud800", ""))
        self.notify(HOSTILE, title="t", markup=False, timeout=60)
        self.set_timer(0.3, self.exit)

if "guarded" in sys.argv:
    terminal_guard.install()
else:
    HOSTILE = HOSTILE.replace("\\ud800", "")
Hostile.TITLE = HOSTILE
Hostile.CSS = "Static, Label, Markdown, TextArea, Log, RichLog, OptionList, Tree { height: 3; }"
Hostile().run()
"""

FOREIGN = re.compile(
    rb"\x1b\]52|\x1b\]0;|\x1b\[2;9J|\x1b\[6;7n|\x1bP|\x1b_|\xc2[\x80-\x9f]|\xe2\x80\xae|\xe2\x81\xa6"
    rb"|\xf3\xa0\x81\x81|\x00"
)


def written_by(*arguments: str) -> bytes:
    """Everything the app wrote to its terminal."""
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    environment |= {"LINES": "50", "COLUMNS": "100", "TEXTUAL_ANIMATIONS": "none"}
    with subprocess.Popen(
        [sys.executable, "-c", APP, *arguments], stdin=slave, stdout=slave, stderr=slave,
        env=environment, start_new_session=True,
    ) as process:  # fmt: skip
        os.close(slave)
        output = b""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if select.select([master], [], [], 0.2)[0]:
                try:
                    chunk = os.read(master, 65_536)
                except OSError:
                    break
                if not chunk:
                    break
                output += chunk
            elif process.poll() is not None:
                break
        process.kill()
    os.close(master)
    return output


def test_no_foreign_sequence_reaches_the_terminal_from_any_widget() -> None:
    output = written_by("guarded")
    assert b"PWNED" in output, "the text itself is shown"
    assert b"\x1b[?1049l" in output, "the app ended by itself"
    assert FOREIGN.findall(output) == []


def test_the_same_text_does_reach_it_without_the_guard() -> None:
    assert len(set(FOREIGN.findall(written_by()))) > 5


@pytest.fixture
def guarded() -> object:
    terminal_guard.install()
    yield None
    terminal_guard.uninstall()


def rendered(*segments: Segment) -> str:
    return Strip(segments).render(Console(color_system="truecolor"))


@pytest.mark.usefixtures("guarded")
def test_a_dirty_line_keeps_its_width() -> None:
    assert rendered(Segment("a\x1bb\u202e日\ud800c")) == "ab日\N{REPLACEMENT CHARACTER}c"


@pytest.mark.usefixtures("guarded")
def test_only_web_and_mail_links_are_passed_on() -> None:
    assert "https://example.org/x" in rendered(Segment("x", Style(link="https://example.org/x")))
    for link in ("file:///etc/passwd", "javascript:x", "https://x\x1b]0;t\x07", "https://a b"):
        assert "\x1b]8" not in rendered(Segment("x", Style(link=link)))


@pytest.mark.usefixtures("guarded")
def test_clean_lines_are_rendered_as_ever_and_emoji_stay_whole() -> None:
    text = "plain 日本 👩‍👩‍👧 ❤️ می‌خواهم"
    assert rendered(Segment(text, Style(bold=True))) == f"\x1b[1m{text}\x1b[0m"
