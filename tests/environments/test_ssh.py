"""What is particular to hosts over SSH: trust, logging in, lost connections, sudo."""

import asyncio
import getpass
import socket
import subprocess
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import anyio
import pytest
from hermes_environments import ssh
from hermes_environments.ssh import SshEnvironment

from hermes_tui.core.environment import Ended
from hermes_tui.core.errors import ConfigError, EnvironmentUnavailableError, RefusedError, ToolError
from tests.doubles.ssh_login import LoginServer
from tests.environments.checks import is_alive, output, pids, until
from tests.environments.makers_ssh import Sshd, connected_to, free_port, make_key, program
from tests.environments.services import required


class Person:
    """Answers as told and remembers what was asked."""

    def __init__(self, *, trusts: bool = True, secrets: Mapping[str, str] = {}) -> None:
        """`secrets` by a word of the question."""
        self._trusts = trusts
        self._secrets = secrets
        self.questions: list[str] = []
        self.heard: list[str] = []

    async def progress(self, text: str) -> None:
        self.heard.append(text)

    async def confirm(self, question: str) -> bool:
        self.questions.append(question)
        return self._trusts

    async def secret(self, question: str) -> str:
        self.questions.append(question)
        for word, answer in self._secrets.items():
            if word in question:
                return answer
        raise RefusedError("They would not say.")


class Bench:
    """Servers and environments of one test, all ended after it."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.folder = folder
        self._stack = stack

    def server(self, *lines: str, name: str = "sshd", **variables: str) -> Sshd:
        server = Sshd(self.folder / name, lines=lines, variables=variables)
        self._stack.callback(server.stop)
        return server

    def environment(
        self, server: Sshd, person: Person | None = None, **options: object
    ) -> SshEnvironment:
        workspace = str(self.folder / "work")
        environment = connected_to(
            server,
            state_dir=self.folder / "run",
            options={"workdir": workspace, **options},
            attendant=person,
        )
        self._stack.push_async_callback(environment.close)
        return environment


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


async def cut(server: Sshd, environment: SshEnvironment) -> None:
    """Cut the connections, and wait until this is noticed, as it is while a model thinks."""
    server.cut()
    await noticed(environment)


async def noticed(environment: SshEnvironment) -> None:
    async def is_noticed() -> bool:
        return not environment._alive()

    await until(is_noticed)


async def test_an_unknown_host_is_trusted_after_a_question_and_then_known(
    bench: Bench, shared_server: Sshd, tmp_path: Path
) -> None:
    known = tmp_path / "known"
    person = Person()
    shown = subprocess.run(
        [program("ssh-keygen"), "-lf", f"{shared_server.host_key}.pub"], capture_output=True
    ).stdout.split()[1]
    first = bench.environment(shared_server, person, known_hosts=str(known))
    await first.open()
    second = bench.environment(shared_server, person, known_hosts=str(known))
    await second.open()

    (question,) = person.questions
    assert shown.decode() in question
    assert f"[127.0.0.1]:{shared_server.port}" in question
    trusted = shared_server.known_hosts.read_text(encoding="utf-8").split()
    assert known.read_text(encoding="utf-8").split()[1:] == trusted[1:]


async def test_a_host_that_is_not_trusted_is_sent_nothing(
    bench: Bench, shared_server: Sshd, tmp_path: Path
) -> None:
    known = tmp_path / "known"
    environment = bench.environment(shared_server, Person(trusts=False), known_hosts=str(known))

    with pytest.raises(EnvironmentUnavailableError, match=r"is not known .*nothing was sent") as no:
        await environment.run("true", timeout=20)
    assert "SHA256:" in no.value.message
    assert not known.exists()


async def test_strict_checking_asks_nobody(
    bench: Bench, shared_server: Sshd, tmp_path: Path
) -> None:
    (tmp_path / "user/.ssh").mkdir()
    (tmp_path / "user/.ssh/config").write_text("StrictHostKeyChecking yes\n", encoding="utf-8")
    person = Person()

    with pytest.raises(EnvironmentUnavailableError, match="is not known"):
        await bench.environment(shared_server, person, known_hosts=str(tmp_path / "none")).open()
    assert person.questions == []


@pytest.mark.parametrize(("marker", "reason"), [("", "has changed"), ("@revoked ", "was revoked")])
async def test_a_changed_or_revoked_key_is_refused_without_a_question(
    bench: Bench, shared_server: Sshd, tmp_path: Path, marker: str, reason: str
) -> None:
    other = make_key(tmp_path / "other") if not marker else shared_server.host_key
    key = " ".join(Path(f"{other}.pub").read_text(encoding="utf-8").split()[:2])
    known = tmp_path / "known"
    known.write_text(f"{marker}[127.0.0.1]:{shared_server.port} {key}\n", encoding="utf-8")
    person = Person()

    with pytest.raises(EnvironmentUnavailableError, match=reason):
        await bench.environment(shared_server, person, known_hosts=str(known)).open()
    assert person.questions == []


async def test_a_host_known_by_one_of_its_keys_is_asked_for_that_one(
    bench: Bench, tmp_path: Path
) -> None:
    rsa = make_key(tmp_path / "rsa", kind="rsa")
    server = bench.server(f"HostKey {rsa}")
    key = " ".join(Path(f"{rsa}.pub").read_text(encoding="utf-8").split()[:2])
    server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {key}\n", encoding="utf-8")
    person = Person()

    await bench.environment(server, person).open()

    assert person.questions == []


async def test_a_passphrase_is_asked_for_once(bench: Bench, tmp_path: Path) -> None:
    key = make_key(tmp_path / "locked", passphrase="open sesame")
    server = bench.server(f"AuthorizedKeysFile {key}.pub")
    person = Person(secrets={"Passphrase": "open sesame"})
    environment = bench.environment(server, person, identity_file=str(key))

    assert await output(environment, "echo in") == b"in\n"
    await cut(server, environment)
    assert (await environment.run("echo in", timeout=20)).output.head == b"in\n"

    assert len(person.questions) == 1
    assert str(key) in person.questions[0]


async def test_a_wrong_passphrase_is_said_after_three_tries(bench: Bench, tmp_path: Path) -> None:
    key = make_key(tmp_path / "locked", passphrase="open sesame")
    server = bench.server(f"AuthorizedKeysFile {key}.pub")
    person = Person(secrets={"Passphrase": "wrong"})

    with pytest.raises(EnvironmentUnavailableError, match="wrong passphrase"):
        await bench.environment(server, person, identity_file=str(key)).open()
    assert len(person.questions) == 3
    assert person.questions[1].startswith("That was not right.")


async def test_a_key_the_host_does_not_know_is_named(
    bench: Bench, shared_server: Sshd, tmp_path: Path
) -> None:
    key = make_key(tmp_path / "stranger")

    with pytest.raises(EnvironmentUnavailableError, match=r"accepted none.*stranger") as error:
        await bench.environment(shared_server, identity_file=str(key)).open()
    assert "authorized_keys" in error.value.hint


async def test_the_agents_keys_are_used(
    bench: Bench, shared_server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "agent"
    agent = subprocess.Popen(
        [program("ssh-agent"), "-D", "-a", str(path)], stdout=subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(10):
            while not path.exists():
                await anyio.sleep(0.01)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        subprocess.run(
            [program("ssh-add"), "-q", str(shared_server.identity)], check=True, capture_output=True
        )
        environment = bench.environment(shared_server, identity_file="")
        assert await output(environment, "echo in") == b"in\n"
        await environment.close()
    finally:
        agent.terminate()
        agent.wait()


@pytest.mark.parametrize("method", ["password", "keyboard-interactive"])
async def test_a_password_is_asked_for_and_not_again(tmp_path: Path, method: str) -> None:
    person = Person(secrets={"assword": "pass word"})
    with LoginServer(tmp_path, method=method, password="pass word") as server:
        environment = SshEnvironment(
            "ssh",
            cwd=None,
            pass_env=(),
            state_dir=str(tmp_path),
            options=server.options,
            attendant=person,
        )
        for _ in range(2):
            with pytest.raises(
                EnvironmentUnavailableError, match=r"starts no commands|did not start"
            ):
                await environment.open()
        assert server.logins == 2

    secrets = [question for question in person.questions if "assword" in question]
    assert len(secrets) == 1
    assert "me@127.0.0.1" in secrets[0]


async def test_a_wrong_password_or_none_is_an_error(tmp_path: Path) -> None:
    with LoginServer(tmp_path, method="password", password="right") as server:
        for person, times, reason in (
            (Person(secrets={"Password": "wrong"}), 3, "accepted none"),
            (Person(), 1, "They would not say"),
        ):
            environment = SshEnvironment(
                "ssh",
                cwd=None,
                pass_env=(),
                state_dir=str(tmp_path),
                options=server.options,
                attendant=person,
            )
            with pytest.raises(EnvironmentUnavailableError, match=reason):
                await environment.open()
            assert len([text for text in person.questions if "Password" in text]) == times
        assert server.logins == 0


async def test_what_does_not_answer_is_said_clearly(tmp_path: Path) -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    with silent, socket.create_server(("127.0.0.1", 0)) as other:
        threading.Thread(target=_speak, args=(other,), daemon=True).start()
        for host, port, reason in (
            ("127.0.0.1", free_port(), "refuses connections on port"),
            ("a" * 64, 22, "(There is no host|cannot be reached)"),
            ("127.0.0.1", silent.getsockname()[1], "does not answer as an SSH server"),
            ("127.0.0.1", other.getsockname()[1], "does not answer as an SSH server"),
        ):
            environment = SshEnvironment(
                "ssh",
                cwd=None,
                pass_env=(),
                state_dir=str(tmp_path),
                options={"host": host, "port": port, "connect_timeout": 0.5},
            )
            with pytest.raises(EnvironmentUnavailableError, match=reason) as error:
                await environment.open()
            assert error.value.hint


def _speak(server: socket.socket) -> None:
    with suppress(OSError):
        client, _ = server.accept()
        with client:
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


async def test_a_frozen_server_is_noticed_and_the_command_not_run_again(
    bench: Bench, workspace: Path
) -> None:
    server = bench.server()
    environment = bench.environment(server)
    await environment.run("export A=1", timeout=20)
    task = asyncio.create_task(environment.run("echo run >> log; export A=2; sleep 60", timeout=50))
    await until(lambda: anyio.Path(workspace / "log").exists())

    server.freeze()
    with anyio.fail_after(15):
        result = await task
    server.thaw()

    assert (result.ended, result.exit_code) == (Ended.LOST, None)
    assert "may still be running there" in result.notice
    assert await output(environment, "echo $A; cat log") == b"1\nrun\n"
    await environment.run("pkill -xf 'sleep 60'", timeout=20)


async def test_a_cut_connection_ends_the_command_at_once_and_jobs_go_on(
    bench: Bench, workspace: Path
) -> None:
    server = bench.server()
    environment = bench.environment(server, env={"HOME": str(workspace)})
    job = await environment.start("until [ -e go ]; do sleep 0.02; done; echo done")
    task = asyncio.create_task(environment.run("touch begun; sleep 60", timeout=50))
    await until(lambda: anyio.Path(workspace / "begun").exists())

    server.cut()
    with anyio.fail_after(5):
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


async def test_a_host_is_reached_by_way_of_others(bench: Bench, tmp_path: Path) -> None:
    gate, inner = bench.server(name="gate"), bench.server(name="inner")
    folder = tmp_path / "user/.ssh"
    folder.mkdir()
    (folder / "known_hosts").write_bytes(
        gate.known_hosts.read_bytes() + inner.known_hosts.read_bytes()
    )
    (folder / "config").write_text(
        f"Host gate\n  HostName 127.0.0.1\n  Port {gate.port}\n  IdentityFile {gate.identity}\n"
        f"Host inner\n  HostName 127.0.0.1\n  Port {inner.port}\n  ProxyJump gate\n"
        f"  IdentityFile {inner.identity}\nHost *\n  User {getpass.getuser()}\n",
        encoding="utf-8",
    )
    environment = SshEnvironment(
        "ssh:inner",
        cwd=None,
        pass_env=(),
        state_dir=str(tmp_path / "run"),
        options={"target": "inner", "workdir": str(tmp_path)},
    )
    said = await output(environment, "echo $SSH_CONNECTION")
    assert said.split()[3] == str(inner.port).encode()
    assert len(gate.processes()) > 0
    await environment.close()

    gate.stop()
    with pytest.raises(EnvironmentUnavailableError, match="refuses connections"):
        await environment.open()
    gate.start()
    inner.stop()
    with pytest.raises(EnvironmentUnavailableError, match="could not connect to"):
        await environment.open()


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
        'ForceCommand echo "Welcome 7"; echo "to the host 8" >&2; eval "$SSH_ORIGINAL_COMMAND"'
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


async def test_closing_hangs_up_and_can_be_undone(bench: Bench, shared_server: Sshd) -> None:
    environment = bench.environment(shared_server)
    await environment.run("true", timeout=20)
    assert "answers in" in await environment.health()

    await environment.close()
    await environment.close()

    assert environment._connections == []
    async with asyncio.timeout(10):
        while any(thread.name == "hermes-ssh-writer" for thread in threading.enumerate()):
            await anyio.sleep(0.01)
    assert "answers" in await environment.health()
    assert await output(environment, "echo again") == b"again\n"
    await environment.stop()
    assert environment._connections == []


async def test_the_health_of_a_host_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    environment = SshEnvironment(
        "ssh",
        cwd=None,
        pass_env=(),
        state_dir=str(tmp_path),
        options={"target": f"127.0.0.1:{free_port()}"},
    )
    with pytest.raises(EnvironmentUnavailableError, match="does not answer"):
        await environment.health()


async def test_unknown_settings_and_bad_names_are_refused_at_once(tmp_path: Path) -> None:
    def make(options: dict[str, object]) -> SshEnvironment:
        return SshEnvironment(
            "box", cwd=None, pass_env=(), state_dir=str(tmp_path), options=options
        )

    with pytest.raises(ConfigError, match="no setting 'identityfile'") as error:
        make({"identityfile": "x"})
    assert "'identity_file'" in error.value.hint
    with pytest.raises(ConfigError, match="'port'"):
        make({"port": "ssh"})
    with pytest.raises(ConfigError, match="does not name a host"):
        make({"target": "-oProxyCommand=id"})
    with pytest.raises(ConfigError, match="names no host"):
        await make({}).open()


async def test_another_persons_login_works_with_their_rights(tmp_path: Path) -> None:
    environment = SshEnvironment(
        "ssh",
        cwd=None,
        pass_env=(),
        state_dir=str(tmp_path),
        options={
            "target": f"{required('HERMES_TEST_SSH_USER')}@{required('HERMES_TEST_SSH_HOST')}"
            f":{required('HERMES_TEST_SSH_PORT')}",
            "identity_file": required("HERMES_TEST_SSH_KEY"),
            "known_hosts": required("HERMES_TEST_SSH_KNOWN_HOSTS"),
        },
    )
    assert await output(environment, "id -un") == required("HERMES_TEST_SSH_USER").encode() + b"\n"
    await environment.write_file("~/hermes test", b"data")
    assert await environment.read_file("~/hermes test") == b"data"
    await environment.run("rm ~/'hermes test'", timeout=20)
    for path in ("/etc/shadow", "/root/x"):
        with pytest.raises(ToolError, match=r"may not be|There is no file"):
            await environment.read_file(path)
    with pytest.raises(ToolError, match="may not be written"):
        await environment.write_file("/etc/hermes-test", b"")
    await environment.close()


@pytest.fixture
def sudo_server(bench: Bench) -> Sshd:
    """A host whose sudo wants the word `open sesame`; everybody but root has one there."""
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
