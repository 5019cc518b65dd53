"""What bash is told, and how its answer is taken apart."""

import shlex
import subprocess
from itertools import pairwise

import pytest
from hermes_environments.worker import (
    BOOTSTRAP,
    STATE_LIMIT,
    Baseline,
    Script,
    ShellState,
    Transcript,
    encode,
    exporting,
    new_nonce,
    quote,
    restoring,
)
from hypothesis import given
from hypothesis import strategies as st

from hermes_tui.core.errors import ToolError

NONCE = b"0123456789abcdef0123456789abcdef"
MARK = b"\x1e" + NONCE
STATE = ShellState(cwd="/start", options=b"shopt -s old\nset -o old\n", options_key=b"old")

# Everything that resembles the marker without being it, beside any other bytes.
output_bytes = (
    st.lists(
        st.one_of(
            st.binary(max_size=20),
            st.integers(1, 32).map(lambda n: MARK[:n]),
            st.integers(1, 300).map(lambda n: b"\x1e" * n),
            st.just(NONCE),
        ),
        max_size=12,
    )
    .map(b"".join)
    .filter(lambda data: MARK not in data)
)


def transcript_of(output: bytes, *, exit_code: int = 0, options: bytes = b"") -> bytes:
    fields = (b"%d" % exit_code, b"/where\n", b"key", options, b"exports\n", b"f ()\n", b"alias\n")
    header = MARK + b"0\nbase" + MARK + b"HOME\nPATH\n" + MARK
    return b"a greeting\n" + header + output + MARK + MARK.join(fields) + MARK


def fed(transcript: Transcript, data: bytes, cuts: list[int]) -> bytes:
    borders = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    pieces = (data[a:b] for a, b in pairwise(borders))
    return b"".join(transcript.feed(piece) for piece in pieces)


@given(output_bytes, st.lists(st.integers(0, 10**6), max_size=30), st.integers(0, 255))
def test_the_output_is_exact_whatever_the_chunk_borders(
    output: bytes, cuts: list[int], exit_code: int
) -> None:
    transcript = Transcript(NONCE, STATE)

    assert fed(transcript, transcript_of(output, exit_code=exit_code), cuts) == output

    assert transcript.header is not None
    assert transcript.header.baseline == Baseline(options_key=b"base", names=b"HOME\nPATH\n")
    assert transcript.trailer is not None
    assert transcript.trailer.exit_code == exit_code
    state = transcript.trailer.state
    assert state is not None
    assert (state.cwd, state.exports, state.functions) == ("/where", b"exports\n", b"f ()\n")
    assert (state.aliases, state.options_key) == (b"alias\n", b"key")


@given(output_bytes, st.lists(st.integers(0, 10**6), max_size=30))
def test_output_without_a_trailer_comes_through_to_its_last_byte(
    output: bytes, cuts: list[int]
) -> None:
    transcript = Transcript(NONCE, STATE)
    data = MARK + b"0\nbase" + MARK + MARK + output

    assert fed(transcript, data, cuts) + transcript.finish() == output
    assert transcript.trailer is None


def test_only_bytes_that_could_begin_a_marker_are_held_back() -> None:
    transcript = Transcript(NONCE, STATE)
    transcript.feed(MARK + b"0\n" + MARK + MARK)

    assert transcript.feed(b"prompt> ") == b"prompt> "
    assert transcript.feed(b"x" + MARK[:5]) == b"x"
    assert transcript.feed(b"?") == MARK[:5] + b"?"


def test_what_follows_the_trailer_is_nobodys_output() -> None:
    transcript = Transcript(NONCE, STATE)
    transcript.feed(transcript_of(b"out"))

    assert transcript.feed(b"from a child in the background" + MARK) == b""
    assert transcript.finish() == b""


def test_unchanged_options_are_kept_from_the_state_before() -> None:
    transcript = Transcript(NONCE, STATE)
    transcript.feed(transcript_of(b""))

    assert transcript.trailer is not None
    assert transcript.trailer.state is not None
    assert transcript.trailer.state.options == STATE.options


def test_options_that_would_stop_every_later_worker_are_dropped() -> None:
    transcript = Transcript(NONCE, STATE)
    options = b"shopt -s extglob\nset -o noexec\nset -o onecmd\nset -o nounset\n"
    transcript.feed(transcript_of(b"", options=options))

    assert transcript.trailer is not None
    assert transcript.trailer.state is not None
    assert transcript.trailer.state.options == b"shopt -s extglob\nset -o nounset\n"


def test_a_state_over_the_limit_is_not_kept_but_the_exit_code_and_cwd_are() -> None:
    transcript = Transcript(NONCE, STATE)
    options = b"x" * (STATE_LIMIT + 1)
    transcript.feed(transcript_of(b"", exit_code=7, options=options))

    trailer = transcript.trailer
    assert trailer is not None
    assert trailer.is_state_too_large
    assert trailer.exit_code == 7
    assert trailer.state == ShellState(
        cwd="/where", options=STATE.options, options_key=STATE.options_key
    )


def test_a_missing_working_directory_ends_the_conversation() -> None:
    transcript = Transcript(NONCE, STATE)
    transcript.feed(MARK + b"1\n" + MARK + MARK)

    assert transcript.is_over
    assert transcript.trailer is None


@given(st.binary().filter(lambda data: b"\0" not in data))
def test_quoting_makes_one_word_of_any_bytes(data: bytes) -> None:
    text = data.decode("latin-1")

    assert shlex.split(quote(data).decode("latin-1")) == [text]


@pytest.mark.parametrize("text", ["a\0b", "half \ud83d"])
def test_text_no_shell_can_take_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(ToolError) as refusal:
        encode(text)
    assert refusal.value.hint


def test_invalid_utf8_that_python_escaped_reaches_the_shell_as_it_was() -> None:
    assert encode(b"a\xffb".decode("utf-8", "surrogateescape")) == b"a\xffb"


def test_nothing_is_restored_when_there_is_nothing_to_restore() -> None:
    assert restoring(ShellState(cwd="/"), None) == b""
    assert restoring(ShellState(cwd="/"), Baseline(options_key=b"", names=b"PATH\n")) == b""


def test_a_variable_the_session_no_longer_exports_is_unset() -> None:
    state = ShellState(cwd="/", exports=b'declare -x HOME="/h"\n', is_complete=True)

    commands = restoring(state, Baseline(names=b"HERMES_EXEC_ID\nHOME\nLANG\nPWD\nSHLVL\n"))

    assert commands == b'\\builtin unset -v LANG\ndeclare -x HOME="/h"\n'


def test_variables_given_in_addition_unset_nothing() -> None:
    state = ShellState(cwd="/", exports=exporting({"TERM": "dumb"}))

    commands = restoring(state, Baseline(names=b"HOME\nPATH\n"))

    assert commands == b"declare -x TERM='dumb'\n"


def test_a_name_that_is_none_is_refused_before_it_can_become_a_command() -> None:
    script = Script(command=b"true", state=STATE, env={"A=1; rm -rf": "x"})

    with pytest.raises(ToolError, match="name of a variable"):
        script.render(NONCE)


# bash before 4.1 refuses -N as an unknown option, as every bash does -Q.
@pytest.mark.parametrize("bootstrap", [BOOTSTRAP, BOOTSTRAP.replace("-N", "-Q")])
def test_a_script_is_valid_bash_and_prints_a_transcript(bootstrap: str) -> None:
    nonce = new_nonce()
    state = ShellState(cwd="/")
    rendered = Script(command="echo ů\nexit 5".encode(), state=state).render(nonce)
    worker = ["bash", "-c", bootstrap, "bash"]
    printed = subprocess.run(worker, input=rendered, capture_output=True, check=False).stdout

    transcript = Transcript(nonce, state)
    assert transcript.feed(printed) == "ů\n".encode()
    assert transcript.trailer is not None
    assert transcript.trailer.exit_code == 5
