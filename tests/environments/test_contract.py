"""What every environment promises about commands: state, output, input and endings."""

import hashlib
import statistics
import time
from pathlib import Path

import anyio
import pytest
from hermes_environments.base import BaseEnvironment

from hermes_tui.core.environment import Ended, Environment
from hermes_tui.core.errors import ToolError
from tests.environments.checks import exists, is_alive, needs_bash, output, until

STATES = {
    "the working directory": ("mkdir 'a b'; cd 'a b'", 'basename "$PWD"', b"a b\n"),
    "the previous directory": ("mkdir d; cd d; cd ..; cd d", "cd -; pwd | wc -l", None),
    "an exported variable": ("export A=1", "echo $A; env | grep ^A=", b"1\nA=1\n"),
    "a variable with a newline": ("export A=$'x\\n y'", "printf '[%s]' \"$A\"", b"[x\n y]"),
    "a variable in UTF-8": ("export A='žluťoučký 🐴'", 'echo "$A"', "žluťoučký 🐴\n".encode()),
    "a variable with invalid UTF-8": ("export A=$'\\xff\\xfe'", 'printf %s "$A"', b"\xff\xfe"),
    "a variable with quotes": ('export A="\'\\"\\$x\\`"', 'echo "$A"', b"'\"$x`\n"),
    "a variable that looks like state": (
        "export A=$'1\\ndeclare -x B=\"2\"'",
        'echo "${B-unset}"',
        b"unset\n",
    ),
    "variables with the names of ours": (
        "export hermes_length=1 hermes_script=2 n=3 s=4",
        "echo $hermes_length$hermes_script$n$s",
        b"1234\n",
    ),
    "an unset variable": ("export A=1; unset A HOME", "echo ${A-a} ${HOME-b}", b"a b\n"),
    "an unexported variable": ("export A=1; export -n A", "env | grep -c ^A= || true", b"0\n"),
    "a readonly variable": ("readonly A=1; export A", "echo $A; (A=2) 2>&- || echo no", b"1\nno\n"),
    "a function": ('f() { echo "f $1"; }', "f x", b"f x\n"),
    "an exported function": ("f() { echo f; }; export -f f", "bash -c f", b"f\n"),
    "a function with a heredoc": ("f() { cat <<'E'\n a'b\nE\n}", "f", b" a'b\n"),
    "a function with extglob": (
        "shopt -s extglob\nf() { case $1 in +(a|b)) echo y;; esac; }",
        "f abab",
        b"y\n",
    ),
    "a removed function": ("f() { :; }; unset -f f", "type f >&- 2>&- || echo no", b"no\n"),
    "an alias": ("alias ll='echo it is'", "ll so", b"it is so\n"),
    "an alias for a builtin we use": ("alias trap=: eval=: cd=: printf=:", "echo ok", b"ok\n"),
    "a function named like a builtin": ("cd() { :; }; printf() { :; }", "echo ok", b"ok\n"),
    "an option of set": ("set -o pipefail", "false | true; echo $?", b"1\n"),
    "set -u": ("set -u", "(echo $nothing) 2>&- || echo no", b"no\n"),
    "set -f": ("set -f", "echo *", b"*\n"),
    "an option of shopt": ("shopt -s nullglob", "echo [z]*", b"\n"),
    "a switched off option": ("set -C; set +C", "echo > x; echo > x; echo $?", b"0\n"),
}
BASH_ALONE = {
    "a readonly variable",
    "a function",
    "an exported function",
    "a function with a heredoc",
    "a function with extglob",
    "an option of shopt",
}


@pytest.mark.parametrize("what", STATES)
async def test_the_next_command_and_the_one_after_see(
    environment: BaseEnvironment, what: str
) -> None:
    if what in BASH_ALONE:
        needs_bash(environment)
    change, look, expected = STATES[what]
    assert (await environment.run(change, timeout=20)).ended is Ended.EXIT

    first = await output(environment, look)
    await environment.run("true", timeout=20)

    assert expected is None or first == expected
    if "cd" not in look and ">" not in look:
        assert await output(environment, look) == first


async def test_cd_minus_goes_where_the_session_was_before(environment: BaseEnvironment) -> None:
    start = environment.cwd
    nowhere = await environment.run("cd -", timeout=20)
    assert nowhere.exit_code == (1 if environment.capabilities.has_bash else 0)
    assert nowhere.cwd == start
    await environment.run("mkdir d; cd d", timeout=20)

    assert await output(environment, "cd -") == f"{start}\n".encode()
    assert environment.cwd == start


async def test_set_e_ends_a_command_at_its_first_failure_but_not_the_session(
    environment: Environment,
) -> None:
    await environment.run("set -e", timeout=20)

    failed = await environment.run("echo before; false; echo after", timeout=20)
    assert (failed.exit_code, failed.output.head) == (1, b"before\n")
    assert await output(environment, "case $- in *e*) echo on;; esac") == b"on\n"


async def test_set_x_traces_the_command_and_nothing_of_ours(environment: Environment) -> None:
    await environment.run("set -x", timeout=20)

    assert (await output(environment, "true 1")).lstrip(b"+") == b" true 1\n"
    last = (await output(environment, "true 2; exit 0")).splitlines()
    assert [line.lstrip(b"+") for line in last] == [b" true 2", b" exit 0"]


async def test_a_killed_command_leaves_the_state_as_it_was(environment: Environment) -> None:
    await environment.run("export A=before", timeout=20)
    start = environment.cwd

    late = await environment.run("export A=after; cd /; sleep 60", timeout=0.2)

    assert late.ended is Ended.TIMEOUT
    assert environment.cwd == start
    assert await output(environment, "echo $A") == b"before\n"


async def test_without_keep_state_the_state_is_seen_but_not_changed(
    environment: Environment,
) -> None:
    await environment.run("export A=1", timeout=20)
    start = environment.cwd

    result = await environment.run("echo $A; export A=2; cd /", timeout=20, keep_state=False)

    assert result.output.head == b"1\n"
    assert result.cwd == environment.cwd == start
    assert await output(environment, "echo $A") == b"1\n"


async def test_variables_for_one_command_are_gone_after_it(environment: Environment) -> None:
    await environment.run("export A=old", timeout=20)

    for command in ("echo $A$B; env | grep -c ^B=", "echo $A$B; env | grep -c ^B=; exit 0"):
        result = await environment.run(command, timeout=20, env={"A": "new", "B": "it's"})
        assert result.output.head == b"newit's\n1\n"

    assert await output(environment, "echo $A ${B-unset}") == b"old unset\n"


async def test_a_folder_for_one_command_is_not_where_the_next_one_starts(
    environment: Environment,
) -> None:
    await environment.run("mkdir -p d/e", timeout=20)
    start = environment.cwd

    result = await environment.run("pwd; export A=1", timeout=20, cwd="d/e")

    assert result.output.head == f"{start}/d/e\n".encode()
    assert result.cwd == environment.cwd == start
    assert await output(environment, "echo $A") == b"1\n"


async def test_a_command_never_runs_in_another_folder_than_it_was_meant_for(
    environment: Environment,
) -> None:
    start = environment.cwd
    await environment.run("mkdir gone; cd gone; rmdir ../gone", timeout=20)

    with pytest.raises(ToolError, match="is gone; the command was not run"):
        await environment.run(f"touch {start}/ran", timeout=20)
    with pytest.raises(ToolError, match="There is no folder"):
        await environment.run(f"touch {start}/ran", timeout=20, cwd="nowhere")

    assert environment.cwd == start
    assert await output(environment, "ls") == b""


async def test_twenty_commands_run_beside_each_other(environment: Environment) -> None:
    outputs: dict[int, bytes] = {}

    async def one(number: int) -> None:
        command = f"touch here.{number}; while [ $(ls | wc -l) -lt 20 ]; do sleep 0.02; done"
        result = await environment.run(f"{command}; echo {number}", timeout=20, keep_state=False)
        outputs[number] = result.output.head

    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(one, number)

    assert outputs == {number: b"%d\n" % number for number in range(20)}


async def test_three_hundred_functions_and_variables_are_carried_along(
    environment: BaseEnvironment,
) -> None:
    needs_bash(environment)
    await environment.run(
        'for i in {1..300}; do eval "f$i() { echo function $i; }; export V$i=$i"; done',
        timeout=20,
    )
    began = time.monotonic()

    assert await output(environment, "f300; echo $V300") == b"function 300\n300\n"
    assert time.monotonic() - began < 3


async def test_a_state_too_large_to_keep_is_said_and_the_one_before_stays(
    environment: Environment,
) -> None:
    await environment.run("export A=1", timeout=20)

    result = await environment.run(
        "export A=2 B; B=$(head -c 300000 /dev/zero | tr '\\0' x)", timeout=20
    )

    assert "not kept" in result.notice
    assert await output(environment, "echo $A ${B-unset}") == b"1 unset\n"


@pytest.mark.parametrize(
    ("command", "exit_code"),
    [
        ("true", 0),
        ("false", 1),
        ("exit 255", 255),
        ("no_such_command_anywhere", 127),
        ("/etc/passwd", 126),
        ("exec sh -c 'exit 7'", 7),
        ("exec no_such_command_anywhere", 127),
        ("sh -c 'kill -TERM $$'", 143),
        ("kill -9 $$", 137),
        ("kill $$", 143),
        ("kill -HUP $$", 129),
        ("exec >/dev/null; (exit 8)", 8),
        ("exec >&- 2>&-; exit 9", 9),
        ("trap 'exit 4' EXIT", 4),
        ("f() { exit 6; }; f", 6),
        ("(exit 5) & wait $!", 5),
        ("cat <<END\nno end", 0),
        ("# only a remark", 0),
        ("", 0),
    ],
)
async def test_the_exit_code_is_the_commands_own_and_the_session_goes_on(
    environment: Environment, command: str, exit_code: int
) -> None:
    result = await environment.run(command, timeout=20)

    assert (result.exit_code, result.ended) == (exit_code, Ended.EXIT)
    assert await output(environment, "echo on") == b"on\n"


@pytest.mark.parametrize("command", ["echo 'open", "if true; then", "echo )", "for"])
async def test_a_syntax_error_is_shown_and_costs_only_the_command(
    environment: Environment, command: str
) -> None:
    result = await environment.run(command, timeout=20)

    assert result.exit_code in {1, 2}
    assert b"syntax error" in result.output.head or b"unexpected EOF" in result.output.head
    assert await output(environment, "echo on") == b"on\n"


async def test_bash_counts_the_lines_of_the_command_alone(environment: BaseEnvironment) -> None:
    needs_bash(environment)
    await environment.run("f() {\n:\n}; export A=$'1\\n2'; set +H", timeout=20)

    result = await environment.run("true\nno_such_command\necho $LINENO", timeout=20)

    assert result.output.text == "bash: line 2: no_such_command: command not found\n3\n"


async def test_a_commands_own_exit_trap_runs_and_is_heard(environment: Environment) -> None:
    result = await environment.run("trap 'echo bye' EXIT; echo hi; exit 3", timeout=20)

    assert (result.exit_code, result.output.head) == (3, b"hi\nbye\n")


async def test_a_command_of_a_megabyte_runs(environment: Environment) -> None:
    text = "it's " * 200_000

    result = await environment.run(f"wc -c <<'END'\n{text}\nEND", timeout=20)

    assert int(result.output.head) == len(text) + 1


async def test_a_nul_byte_in_a_command_is_refused(environment: Environment) -> None:
    with pytest.raises(ToolError, match="NUL"):
        await environment.run("echo a\0b", timeout=20)


async def test_stdout_and_stderr_come_in_the_order_written(environment: Environment) -> None:
    result = await environment.run("for i in 1 2 3; do echo o$i; echo e$i >&2; done", timeout=20)

    assert result.output.head == b"o1\ne1\no2\ne2\no3\ne3\n"


async def test_every_byte_comes_through_as_it_is(environment: Environment) -> None:
    data = bytes(range(256)) * 40 + b"\x1e" * 30_000 + b"no newline at the end"
    await environment.write_file("data", data)

    assert await output(environment, "cat data") == data
    assert await output(environment, "printf ''") == b""


async def test_output_arrives_while_the_command_still_runs(environment: Environment) -> None:
    chunks: list[bytes] = []

    async def on_output(data: bytes) -> None:
        chunks.append(data)
        if b"first" in b"".join(chunks):
            await environment.write_file("go", b"")

    result = await environment.run(
        "printf first; while [ ! -e go ]; do sleep 0.01; done; printf last",
        timeout=20,
        on_output=on_output,
    )

    assert result.exit_code == 0
    assert b"".join(chunks) == b"firstlast" == result.output.head


async def test_a_slow_reader_holds_the_command_back(environment: BaseEnvironment) -> None:
    if not environment.capabilities.backpressure:
        pytest.skip("what carries the output holds a lot of it")
    was_done_early: list[bool] = []

    async def on_output(data: bytes) -> None:
        if not was_done_early:
            was_done_early.extend([await exists(environment, "done") for _ in range(5)])

    result = await environment.run(
        "head -c 3000000 /dev/zero; touch done", timeout=20, on_output=on_output
    )

    assert result.output.total_bytes == 3_000_000
    assert was_done_early == [False] * 5
    assert await exists(environment, "done")


async def test_an_error_of_the_reader_ends_the_command(environment: Environment) -> None:
    async def on_output(data: bytes) -> None:
        raise LookupError(data.decode())

    with pytest.raises(LookupError):
        await environment.run("echo $$ > pid; cat pid; sleep 60", timeout=20, on_output=on_output)

    assert not await is_alive(environment, int(await environment.read_file("pid")))


def most_memory() -> int:
    """The most this process has held, in KiB, since that was last reset (proc(5))."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


async def test_200_megabytes_cost_bounded_memory_and_are_in_a_file(
    environment: BaseEnvironment,
) -> None:
    size = 200_000_000
    allowed = 32 if environment.capabilities.backpressure else 128
    # Only from here on: an earlier test may have needed more.
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = most_memory()

    result = await environment.run(f"yes | head -c {size}", timeout=50)

    assert most_memory() - before < allowed * 1024
    assert result.output.total_bytes == size
    assert len(result.output.head) == len(result.output.tail) == 65_536
    assert result.output.path is not None
    assert (await anyio.Path(result.output.path).stat()).st_size == size


async def test_stdin_is_empty_unless_given_and_never_a_terminal(environment: Environment) -> None:
    assert await output(environment, "cat; test -t 0 || echo none") == b"none\n"


async def test_stdin_is_given_whole_and_then_ends(environment: Environment) -> None:
    data = bytes(range(256)) * 20_000

    result = await environment.run("sha256sum", timeout=20, stdin=data)

    assert result.output.head.split()[0] == hashlib.sha256(data).hexdigest().encode()


async def test_input_nobody_reads_does_not_keep_the_command(environment: Environment) -> None:
    result = await environment.run("head -c 3", timeout=20, stdin=b"abc" * 1_000_000)

    assert (result.exit_code, result.output.head) == (0, b"abc")
    assert await output(environment, "cat") == b""


@pytest.mark.parametrize(
    "command",
    [
        "sleep 60 & echo $!",
        "setsid sleep 60 & echo $!",
        "(trap '' HUP; exec sleep 60) 2>&- & disown 2>/dev/null; echo $!",
    ],
)
async def test_a_command_ends_although_its_children_hold_the_output(
    environment: Environment, command: str
) -> None:
    result = await environment.run(command, timeout=20)
    pid = int(result.output.head)

    assert result.seconds < 10
    assert await is_alive(environment, pid)
    await environment.run(f"kill {pid}", timeout=20)


async def test_a_shell_that_was_replaced_ends_although_its_children_hold_the_output(
    environment: Environment,
) -> None:
    result = await environment.run("sleep 60 & echo $!; exec true", timeout=20)

    assert result.seconds < 10
    await environment.run(f"kill {int(result.output.head)}", timeout=20)


async def test_a_child_left_behind_may_go_on_printing(environment: Environment) -> None:
    await environment.run(
        "(until [ -e stop ]; do echo tick; sleep 0.01; done; touch survived) & true", timeout=20
    )
    for _ in range(5):
        await environment.run("sleep 0.02", timeout=20)
    await environment.write_file("stop", b"")

    await until(lambda: exists(environment, "survived"))


async def test_what_a_child_prints_meanwhile_does_not_become_state(
    environment: Environment,
) -> None:
    start = environment.cwd
    for number in range(5):
        command = f"(while [ ! -e stop{number} ]; do echo x; done) & mkdir {number}; cd {number}"
        result = await environment.run(f"{command}; export A={number}", timeout=20)
        assert result.cwd == f"{start}/{number}"
        assert await output(environment, "echo $A; cd ..") == b"%d\n" % number
        await environment.write_file(f"stop{number}", b"")


async def test_a_small_command_takes_a_few_milliseconds(environment: Environment) -> None:
    seconds = [(await environment.run("true", timeout=20)).seconds for _ in range(30)]

    # One right after the other: where a shell takes long to start, the next is not waiting yet.
    assert statistics.median(seconds) < (0.05 if environment.name == "local" else 0.5)
