"""Working on a host over SSH: lost connections, few sessions, odd logins, files and sudo."""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import anyio
import pytest
from hermes_environments.ssh import SshEnvironment
from hermes_environments.ssh import environment as ssh
from hermes_environments.ssh import sudo as ssh_sudo

from hermes_tui.core.environment import Ended
from hermes_tui.core.errors import EnvironmentUnavailableError, ToolError
from tests.environments.checks import is_alive, output, pids, until
from tests.environments.makers_ssh import Sshd
from tests.environments.ssh_bench import Bench, Person, cut, noticed


@pytest.fixture
async def bench(tmp_path: Path, workspace: Path) -> AsyncGenerator[Bench, None]:
    async with AsyncExitStack() as stack:
        yield Bench(tmp_path, stack)


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Sshd, None, None]:
    """One that no test may harm."""
    server = Sshd(tmp_path_factory.mktemp("sshd") / "server")
    yield server
    server.stop()


async def test_a_frozen_server_is_noticed_and_the_command_not_run_again(
    bench: Bench, workspace: Path
) -> None:
    server = bench.server()
    environment = bench.environment(server)
    await environment.run("export A=1", timeout=20)
    command = "echo run >> log; export A=2; echo $$ > pid; exec sleep 60"
    task = asyncio.create_task(environment.run(command, timeout=50))
    await until(lambda: anyio.Path(workspace / "pid").exists())

    server.freeze()
    with anyio.fail_after(15):
        result = await task
    server.thaw()

    assert (result.ended, result.exit_code) == (Ended.LOST, None)
    assert "may still be running there" in result.notice
    assert await output(environment, "echo $A; cat log") == b"1\nrun\n"
    await environment.run("kill $(cat pid)", timeout=20)


async def test_a_cut_connection_ends_the_command_at_once_and_jobs_go_on(
    bench: Bench, workspace: Path
) -> None:
    server = bench.server()
    environment = bench.environment(server, env={"HOME": str(workspace)})
    job = await environment.start("until [ -e go ]; do sleep 0.02; done; echo done")
    task = asyncio.create_task(environment.run("touch begun; sleep 60", timeout=50))
    await until(lambda: anyio.Path(workspace / "begun").exists())

    server.cut()
    with anyio.fail_after(10):
        result = await task

    assert result.ended is Ended.LOST
    assert [found.id for found in await environment.jobs()] == [job.id]
    (workspace / "go").touch()
    assert (await job.wait(10)).exit_code == 0
    assert await job.tail() == b"done\n"


async def test_a_connection_lost_between_commands_costs_nothing(bench: Bench) -> None:
    server = bench.server()
    environment = bench.environment(server)
    await environment.run("export A=1; cd /", timeout=20)
    await environment.write_file(f"{bench.folder}/x", b"1")

    for _ in range(2):
        await cut(server, environment)
        result = await environment.run("echo $A $PWD | tee -a $OLDPWD/log", timeout=20)
        assert result.output.head == b"1 /\n"
        assert await environment.read_file(f"{bench.folder}/x") == b"1"

    assert await environment.read_file(f"{bench.folder}/work/log") == b"1 /\n1 /\n"


async def test_a_host_that_comes_back_is_waited_for_and_one_that_does_not_is_not(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = bench.server()
    person = Person()
    environment = bench.environment(server, person)
    await environment.run("true", timeout=20)
    server.stop()
    await noticed(environment)

    async def come_back() -> None:
        await until(_says(person, "Trying again"))
        server.start()

    async with anyio.create_task_group() as group:
        group.start_soon(come_back)
        assert await output(environment, "echo back") == b"back\n"
    monkeypatch.setattr(ssh, "RETRY_PAUSES", (0.1,))
    server.stop()
    await noticed(environment)
    with pytest.raises(EnvironmentUnavailableError, match="refuses connections"):
        await environment.run("true", timeout=20)


def _says(person: Person, text: str) -> Callable[[], Awaitable[bool]]:
    async def says() -> bool:
        return any(text in line for line in person.heard)

    return says


async def test_plain_sh_serves_where_there_is_no_bash(bench: Bench, workspace: Path) -> None:
    folder = bench.folder / "bin"
    folder.mkdir()
    for name in ("/bin", "/usr/bin"):
        for path in Path(name).iterdir():
            if path.name not in {"bash", "rbash"} and not (folder / path.name).exists():
                (folder / path.name).symlink_to(path)
    server = bench.server('ForceCommand /bin/sh -c "$SSH_ORIGINAL_COMMAND"', PATH=str(folder))
    environment = bench.environment(server, env={"HOME": str(workspace)})

    first = await environment.run(
        "command -v bash; mkdir 'a b'; cd 'a b'; export A='x y'", timeout=20
    )
    assert first.output.head == b""
    assert "no bash" in first.notice
    assert await output(environment, 'echo "$A"; basename "$PWD"') == b"x y\na b\n"
    late = await environment.run("setsid sleep 60 & echo $!; wait", timeout=0.5)
    assert late.ended is Ended.TIMEOUT
    assert not await is_alive(environment, int(late.output.head))
    job = await environment.start("echo $A; exit 3")
    assert (await job.wait(10)).exit_code == 3
    assert await job.tail() == b"x y\n"


async def test_a_login_that_talks_is_understood(bench: Bench) -> None:
    server = bench.server(
        'ForceCommand echo "Welcome 7"; head -c 3000000 /dev/zero >&2; eval "$SSH_ORIGINAL_COMMAND"'
    )
    environment = bench.environment(server)

    assert await output(environment, "echo hi") == b"hi\n"
    late = await environment.run("sleep 60 & echo $!; wait", timeout=0.3)
    assert late.notice == ""
    assert not await is_alive(environment, int(late.output.head))


async def test_a_login_without_a_shell_is_an_error(bench: Bench) -> None:
    server = bench.server("ForceCommand echo This account is not available; exit 1")

    with pytest.raises(EnvironmentUnavailableError, match="This account is not available"):
        await bench.environment(server).open()


async def test_a_folder_that_is_not_there_cannot_be_worked_in(
    bench: Bench, shared_server: Sshd
) -> None:
    with pytest.raises(EnvironmentUnavailableError, match="no folder '/nowhere/at all'"):
        await bench.environment(shared_server, workdir="/nowhere/at all").open()


async def test_without_a_folder_named_commands_start_at_home(
    bench: Bench, shared_server: Sshd
) -> None:
    environment = bench.environment(shared_server, workdir="~")

    assert await output(environment, "cd; pwd") == f"{environment._first_cwd}\n".encode()


@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_a_server_that_allows_few_sessions_gets_more_connections(
    bench: Bench, limit: int
) -> None:
    environment = bench.environment(bench.server(f"MaxSessions {limit}"))

    async def one(number: int) -> None:
        command = f"touch n{number}; until [ $(ls n* | wc -l) -ge 5 ]; do sleep 0.02; done"
        result = await environment.run(command, timeout=20, keep_state=False)
        assert result.exit_code == 0

    async with anyio.create_task_group() as group:
        for number in range(5):
            group.start_soon(one, number)
    await environment.write_file("file", b"data")
    assert await environment.read_file("file") == b"data"
    late = await environment.run("sleep 60", timeout=0.1)
    assert (late.ended, late.notice) == (Ended.TIMEOUT, "")


async def test_a_server_that_allows_no_sessions_is_an_error(bench: Bench) -> None:
    environment = bench.environment(bench.server("MaxSessions 0"))

    with pytest.raises(EnvironmentUnavailableError, match="starts no commands"):
        await environment.open()


async def test_more_children_left_behind_than_there_is_room_for(bench: Bench) -> None:
    environment = bench.environment(bench.server("MaxSessions 3"))
    left: list[int] = []
    for _ in range(30):
        result = await environment.run("sleep 60 & echo $!", timeout=20)
        left.append(int(result.output.head))
    assert len(environment._connections) <= 8

    for pid in left:
        assert await is_alive(environment, pid)
    await environment.run(f"kill {' '.join(map(str, left))}", timeout=20)


async def test_files_pass_where_there_is_no_sftp(bench: Bench) -> None:
    server = bench.server("Subsystem sftp /bin/false")
    environment = bench.environment(server)

    await environment.write_file("file", b"data")
    assert await environment.read_file("file", offset=1, limit=2) == b"at"
    with pytest.raises(ToolError, match="There is no file"):
        await environment.read_file("missing")


async def test_files_that_have_no_size_are_read(bench: Bench, shared_server: Sshd) -> None:
    environment = bench.environment(shared_server)

    assert b"processor" in await environment.read_file("/proc/cpuinfo")
    assert await environment.read_file("/proc/version", limit=5) == b"Linux"


async def test_a_full_disk_is_said_and_leaves_the_file_as_it_was(
    bench: Bench, shared_server: Sshd
) -> None:
    disk = bench.folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=100k", "none", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    try:
        environment = bench.environment(shared_server)
        await environment.write_file(f"{disk}/file", b"old")
        with pytest.raises(ToolError, match="the disk it is on is full"):
            await environment.write_file(f"{disk}/file", bytes(200_000))
        assert [path.name for path in disk.iterdir()] == ["file"]
        assert (disk / "file").read_bytes() == b"old"
    finally:
        subprocess.run(["umount", str(disk)], check=True)


async def test_variables_are_passed_but_on_no_command_line(
    bench: Bench, shared_server: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOOL", "a-secret-word")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    environment = SshEnvironment(
        "ssh",
        cwd=None,
        pass_env=("MY_TOOL",),
        state_dir=str(bench.folder / "run"),
        options={**shared_server.options, "env": {"OTHER": "b-secret-word"}},
    )
    printed = await output(environment, "echo $MY_TOOL $OTHER $PAGER ${OPENAI_API_KEY-none}")
    arguments = await output(environment, "cat /proc/[0-9]*/cmdline 2>/dev/null; true")
    await environment.close()

    assert printed == b"a-secret-word b-secret-word cat none\n"
    assert b"secret-word" not in arguments


@pytest.fixture
def sudo_server(bench: Bench) -> Sshd:
    """A host whose sudo wants the word `open sesame`; everybody but root has one there."""
    if os.geteuid() != 0:
        pytest.skip("its sudo has to be root's, and cannot be made so")
    folder = bench.folder / "bin"
    folder.mkdir()
    sudo = """#!/bin/sh
[ "$1" = -A ] || { echo "sudo: a terminal is required"; exit 1; }
shift
word=$("$SUDO_ASKPASS" "[sudo] password for me: ") || { echo "sudo: no password"; exit 1; }
[ "$word" = " open sesame " ] || { echo "sudo: wrong"; exit 1; }
SUDO=yes exec "$@"
"""
    for name, text in {"sudo": sudo, "id": "#!/bin/sh\necho 1000\n"}.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
    runtime = bench.folder / "runtime dir"
    runtime.mkdir()
    return bench.server(PATH=f"{folder}:/usr/bin:/bin", XDG_RUNTIME_DIR=str(runtime))


async def test_sudo_asks_the_person_each_time_and_keeps_nothing(
    bench: Bench, sudo_server: Sshd
) -> None:
    person = Person(secrets={"[sudo]": " open sesame "})
    environment = bench.environment(sudo_server, person)

    assert await output(environment, "sudo sh -c 'echo $SUDO'") == b"yes\n"
    assert await output(environment, "true && sudo sh -c 'echo $SUDO' | cat") == b"yes\n"
    await cut(sudo_server, environment)
    assert await output(environment, "cd /; sudo sh -c 'echo $SUDO'") == b"yes\n"

    assert len(person.questions) == 3
    assert "sudo on" in person.questions[0]
    assert "echo $SUDO" in person.questions[0]
    kept = await output(environment, f"grep -r sesame '{bench.folder}/runtime dir'; env; set")
    assert b"open sesame" not in kept
    await environment.close()
    folder = anyio.Path(bench.folder / "runtime dir")

    async def is_empty() -> bool:
        return [path async for path in folder.iterdir()] == []

    await until(is_empty)


async def test_sudo_fails_when_nobody_answers_or_wrongly(bench: Bench, sudo_server: Sshd) -> None:
    for person, said in ((Person(), b"no password"), (Person(secrets={"sudo": "x"}), b"wrong")):
        environment = bench.environment(sudo_server, person)
        with anyio.fail_after(10):
            result = await environment.run("sudo true", timeout=20)
        assert result.exit_code == 1
        assert said in result.output.head
        await environment.close()


async def test_a_command_that_waits_for_sudo_can_be_ended(bench: Bench, sudo_server: Sshd) -> None:
    class Slow(Person):
        async def secret(self, question: str) -> str:
            await anyio.sleep_forever()
            return question

    environment = bench.environment(sudo_server, Slow())
    late = await environment.run("echo $$ > pids; sudo true", timeout=1)

    assert late.ended is Ended.TIMEOUT
    assert not await is_alive(environment, (await pids(environment, "pids", 1))[0])


async def test_everybody_who_waits_for_room_gets_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "CONNECTIONS", 1)
    environment = bench.environment(bench.server("MaxSessions 2"))
    done: list[int] = []

    async def one(number: int) -> None:
        await environment.run("sleep 0.1", timeout=20, keep_state=False)
        done.append(number)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            for number in range(6):
                group.start_soon(one, number)
    assert sorted(done) == list(range(6))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be both root and somebody else")
def test_a_password_is_asked_for_by_root_alone_and_with_its_command(tmp_path: Path) -> None:
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o777)
    program = folder / "askpass"
    program.write_text(ssh_sudo._ASKPASS % "x", encoding="utf-8")
    program.chmod(0o755)
    os.mkfifo(folder / "ask.x")
    (folder / "ask.x").chmod(0o666)
    asked = os.open(folder / "ask.x", os.O_RDWR | os.O_NONBLOCK)
    nobody = ["setpriv", "--reuid", "65534", "--clear-groups"]
    try:
        refused = subprocess.run([*nobody, "sh", "-c", f"{program} word; exit $?"], timeout=20)
        assert refused.returncode == 1
        with pytest.raises(BlockingIOError):
            os.read(asked, 100)

        with subprocess.Popen([*nobody, str(program), "the word:"], stdout=subprocess.PIPE) as sudo:
            question = b""
            while not question:
                with suppress(BlockingIOError):
                    question = os.read(asked, 2_000)
            number, _, words = question.decode().partition(" ")
            (folder / f"r.{number}").write_bytes(b"pit\n")
            assert sudo.communicate(timeout=20)[0] == b"it\n"
        assert words.startswith("the word: (for: ")
        own = Path("/proc/self/cmdline").read_bytes().partition(b"\0")[0].decode()
        assert own in words
    finally:
        os.close(asked)
        shutil.rmtree(folder)
