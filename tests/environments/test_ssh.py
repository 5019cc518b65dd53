"""Getting to a host over SSH: whose key is trusted, and how to log in."""

import asyncio
import getpass
import socket
import subprocess
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import anyio
import pytest
from hermes_environments.ssh import SshEnvironment

from hermes_tui.core.errors import ConfigError, EnvironmentUnavailableError, ToolError
from tests.doubles.ssh_login import LoginServer
from tests.environments.checks import output
from tests.environments.makers_ssh import Sshd, free_port, make_key, program
from tests.environments.services import required
from tests.environments.ssh_bench import Bench, Person, cut


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
