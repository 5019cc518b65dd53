"""What tests of SSH hosts are made with: somebody to ask, and servers that may be harmed."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from hermes_environments.ssh import SshEnvironment

from hermes_tui.core.errors import RefusedError
from tests.environments.checks import until
from tests.environments.makers_ssh import Sshd, connected_to


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


async def cut(server: Sshd, environment: SshEnvironment) -> None:
    """Cut the connections, and wait until this is noticed, as it is while a model thinks."""
    server.cut()
    await noticed(environment)


async def noticed(environment: SshEnvironment) -> None:
    async def is_noticed() -> bool:
        return not environment._alive()

    await until(is_noticed)
