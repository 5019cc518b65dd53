"""What commands print: fit for a terminal, and never in the way of anything else."""

import os
import signal
import subprocess
import sys
import time

from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.cli.command_output import LONGEST_SEQUENCE, TerminalText
from tests.cli.terminal import ROOT

PIECES = (b"text ", b"\n", b"\r\n", b"\r", b"\xc3\xa9", b"\xff", b"\x1b", b"\x1b[31m", b"\x1b[2J",
          b"\x1b]0;title\x07", b"\x1b]8;;http://x\x1b\\", b"\x1b(B", b"\x1bP$q\x1b\\", b"\x07",
          "\u202e".encode(), b"[", b"m")  # fmt: skip


def shown(*pieces: bytes, keeps_colours: bool = True) -> str:
    text = TerminalText(keeps_colours=keeps_colours)
    return "".join([*map(text.take, pieces), text.end()])


def test_colours_stay_and_end_with_the_text() -> None:
    assert shown(b"a\x1b[1;31mred") == "a\x1b[1;31mred\x1b[0m"
    assert shown(b"a\x1b[1;31mred", keeps_colours=False) == "ared"


def test_what_else_a_terminal_would_obey_is_dropped_whole() -> None:
    drawn = b"a\x1b[2J\x1b[3;4Hb\x1b]0;title\x07c\x1b]52;c;aGk=\x1b\\d"
    assert shown(drawn) == "abcd"
    assert shown(b"a\x1bPq\x1b\\b\x1bcc\x1b(0d\x07e") == "abcde"


def test_a_sequence_without_end_is_text_at_last() -> None:
    endless = b"\x1b]0;" + b"x" * 2 * LONGEST_SEQUENCE
    assert shown(endless, b"y") == "]0;" + "x" * 2 * LONGEST_SEQUENCE + "y"


@given(st.lists(st.sampled_from(PIECES), max_size=12), st.data())
def test_it_makes_no_difference_how_output_is_cut(pieces: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    parts = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert shown(*parts) == shown(whole)


def flood(*words: str) -> tuple[subprocess.Popen[bytes], int]:
    """`hermes env run WORDS`, and the end of its output, which nobody reads."""
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "hermes_tui", "env", "run", *words],
        stdin=subprocess.DEVNULL, stdout=writer, stderr=subprocess.PIPE, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    os.close(writer)
    return process, reader


def test_a_time_limit_is_heeded_while_nobody_reads_a_flood() -> None:
    process, reader = flood("--timeout", "1", "yes")
    _, told = process.communicate(timeout=30)
    os.close(reader)
    assert (process.returncode, told) == (124, b"local: killed when its time was up.\n")


def test_an_interrupt_is_heeded_while_nobody_reads_a_flood() -> None:
    process, reader = flood("yes")
    assert os.read(reader, 2) == b"y\n"
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    process.communicate(timeout=30)
    os.close(reader)
    assert process.returncode == 130
    assert time.monotonic() - began < 10
