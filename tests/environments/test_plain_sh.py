"""The worker in plain sh, in each sh this machine has."""

import shutil
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path

import pytest
from hermes_environments.channel import Channel
from hermes_environments.local import LocalEnvironment

from hermes_tui.core.environment import Ended
from hermes_tui.core.errors import ToolError
from tests.environments.checks import output

SHELLS = {"dash": ["dash"], "busybox": ["busybox", "sh"]}


class PlainEnvironment(LocalEnvironment):
    """This machine as if its `sh` were all there is."""

    program: Sequence[str] = ()

    async def _open(self) -> None:
        await super()._open()
        self.use_plain_sh()

    async def channel(self, argv: Sequence[str], *, env: Mapping[str, str]) -> Channel:
        argv = [*self.program, *argv[1:]] if argv[0] == "sh" else argv
        return await super().channel(argv, env=env)


@pytest.fixture(params=SHELLS)
async def plain(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncGenerator[PlainEnvironment, None]:
    shell = SHELLS[str(request.param)]
    if shutil.which(shell[0]) is None:
        pytest.skip(f"{shell[0]} is not on this machine")
    (tmp_path / "work").mkdir()
    environment = PlainEnvironment(
        "plain",
        cwd=str(tmp_path / "work"),
        pass_env=(),
        state_dir=str(tmp_path / "run"),
        options={},
    )
    environment.program = shell
    yield environment
    await environment.close()


STATES = {
    "the working directory": ("mkdir 'a b'; cd 'a b'", 'basename "$PWD"', b"a b\n"),
    "the previous directory": ("mkdir d; cd d", "cd - >/dev/null; cd - | grep -c /d", b"1\n"),
    "an exported variable": ("export A=1", "env | grep ^A=", b"A=1\n"),
    "an unset variable": ("unset HOME", "echo ${HOME-gone}", b"gone\n"),
    "quotes and lines": ('export A="it\'s\n\\"x\\" \\\\ "', 'printf %s "$A"', b'it\'s\n"x" \\ '),
    "what looks like state": ("export A=\"1\nexport B='2'\"", "echo ${B-unset}", b"unset\n"),
    "bytes of no encoding": ("export A=$(printf '\\377\\201')", "printf %s $A", b"\xff\x81"),
    "UTF-8": ("export A='žluťoučký 🐴'", "echo $A", "žluťoučký 🐴\n".encode()),
    "an alias": ("alias ll='echo \"it'\"'\"'s\"'", "ll", b"it's\n"),
    "set -f": ("set -f", "echo *", b"*\n"),
    "set -e": ("set -e", "echo 1; false; echo 2", b"1\n"),
    "set -u": ("set -u", "(echo $nothing) 2>/dev/null || echo no", b"no\n"),
    "what was switched off": ("set -C; set +C", "echo >x; echo >x; echo $?", b"0\n"),
}


@pytest.mark.parametrize("what", STATES)
async def test_the_next_command_and_the_one_after_see(plain: PlainEnvironment, what: str) -> None:
    change, look, expected = STATES[what]
    assert (await plain.run(change, timeout=20)).ended is Ended.EXIT

    for _ in range(2):
        assert (await plain.run(look, timeout=20, keep_state=False)).output.head == expected
        await plain.run("true", timeout=20)


@pytest.mark.parametrize(
    ("command", "exit_code"),
    [
        ("exit 255", 255),
        ("no_such_command", 127),
        ("exec sh -c 'exit 7'", 7),
        ("kill -9 $$", 137),
        ("kill $$", 143),
        ("exec >&- 2>&-; exit 9", 9),
        ("trap 'exit 4' EXIT", 4),
        ("f() { exit 6; }; f", 6),
        ("echo 'open", 2),
        ("for", 2),
        ("cat <<END\nno end", 0),
        ("", 0),
    ],
)
async def test_the_exit_code_is_the_commands_own_and_the_session_goes_on(
    plain: PlainEnvironment, command: str, exit_code: int
) -> None:
    assert (await plain.run(command, timeout=20)).exit_code == exit_code
    assert await output(plain, "echo on") == b"on\n"


@pytest.mark.parametrize("end", ["", "; exit 0"])
async def test_variables_for_one_command_are_gone_after_it(
    plain: PlainEnvironment, end: str
) -> None:
    await plain.run("export A='old'\"'\"'s'", timeout=20)

    result = await plain.run(f"echo $A$B{end}", timeout=20, env={"A": "new", "B": "it's"})

    assert result.output.head == b"newit's\n"
    assert await output(plain, 'echo "$A" ${B-unset}') == b"old's unset\n"


async def test_functions_are_gone_and_that_is_said_once(plain: PlainEnvironment) -> None:
    first = await plain.run("f() { echo f; }; f", timeout=20)
    second = await plain.run("f", timeout=20)

    assert (first.output.head, second.exit_code) == (b"f\n", 127)
    assert "functions are not kept" in first.notice
    assert second.notice == ""


async def test_input_follows_the_script_byte_for_byte(plain: PlainEnvironment) -> None:
    data = bytes(range(256)) * 100

    assert (await plain.run("cat", timeout=20, stdin=data)).output.head == data
    assert await output(plain, "cat; test -t 0 || echo none") == b"none\n"


async def test_a_command_may_be_long_and_hold_any_backslash(plain: PlainEnvironment) -> None:
    text = "it's \\n \\c \\\\ \\0101 % " * 5_000

    result = await plain.run(f"cat <<'END'\n{text}\nEND", timeout=20)

    assert result.output.head.decode() == text[: len(result.output.head)]
    assert result.output.total_bytes == len(text) + 1


async def test_what_is_put_in_the_background_is_left_alone(plain: PlainEnvironment) -> None:
    result = await plain.run(
        "(while sleep 0.01; do echo x; done) & echo $!; mkdir d; cd d", timeout=9
    )
    pid = int(result.output.head.split()[0])

    assert result.seconds < 10
    assert result.cwd.endswith("/work/d")
    assert (await plain.run(f"kill {pid}", timeout=20)).exit_code == 0


async def test_no_command_runs_in_another_folder_than_it_was_meant_for(
    plain: PlainEnvironment,
) -> None:
    await plain.run("mkdir gone; cd gone; rmdir ../gone", timeout=20)

    with pytest.raises(ToolError, match="is gone; the command was not run"):
        await plain.run("touch ran", timeout=20)
    assert await output(plain, "ls") == b""


async def test_jobs_and_files_need_no_bash(plain: PlainEnvironment) -> None:
    job = await plain.start("echo hi; read x; echo got $x; exit 3")
    await job.send(b"it\n")

    assert (await job.wait(10)).exit_code == 3
    assert await job.tail() == b"hi\ngot it\n"
    assert [each.id for each in await plain.jobs()] == [job.id]
    assert (await job.status()).command == "echo hi; read x; echo got $x; exit 3"
    code, printed = await plain.shell(b"echo out; echo err >&2; exit 5")
    assert (code, printed) == (5, b"out\n")


class GreetingEnvironment(LocalEnvironment):
    """A place whose login says something before anything else."""

    async def _open(self) -> None:
        await self.find_shell()

    async def channel(self, argv: Sequence[str], *, env: Mapping[str, str]) -> Channel:
        greeting = ["sh", "-c", 'echo "Last login: today"; exec "$@"', "sh"]
        return await super().channel([*greeting, *argv], env=env)


@pytest.mark.parametrize("has_bash", [True, False])
async def test_a_greeting_is_not_taken_for_a_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_bash: bool
) -> None:
    (tmp_path / "bin").mkdir()
    for program in ("sh", "cat", *["bash"] * has_bash):
        (tmp_path / "bin" / program).symlink_to(shutil.which(program) or "")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    environment = GreetingEnvironment(
        "greeting", cwd=str(tmp_path), pass_env=(), state_dir=str(tmp_path / "run"), options={}
    )

    result = await environment.run("echo hi", timeout=20)

    assert result.output.head == b"hi\n"
    assert environment.capabilities.has_bash is has_bash
    assert ("no bash" in result.notice) is not has_bash
    await environment.close()
