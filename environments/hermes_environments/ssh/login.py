"""Logging in to an SSH host: keys of the agent and of files, passphrases, passwords."""

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import paramiko
from paramiko.pkey import PublicBlob, UnknownKeyType

from hermes_environments.ssh.hosts import Target
from hermes_environments.ssh.link import Link
from hermes_environments.threads import in_thread
from hermes_tui.core.environment import Attendant
from hermes_tui.core.errors import EnvironmentUnavailableError, RefusedError

TRIES = 3
"""For a passphrase or password, as in OpenSSH."""


class HungUpError(Exception):
    """The server closed the connection while somebody was asked; worth another one."""


class Credentials:
    """Keys and passwords, each asked for once and kept in memory only."""

    def __init__(self, attendant: Attendant) -> None:
        self._attendant = attendant
        self._keys: dict[Path, paramiko.PKey] = {}
        self._passwords: dict[str, str] = {}
        self._questions = 0
        self._refusal = ""

    async def log_in(self, link: Link, target: Target) -> None:
        """Authenticate, in several steps if the server wants so.

        Raises:
            EnvironmentUnavailableError: the server accepts nothing we have.
        """
        questions = self._questions
        self._refusal = ""
        tried: list[str] = []
        allowed = await _first_step(link, target.user)
        for _ in range(TRIES):
            if allowed == []:
                return
            allowed = await self._step(link, target, allowed or [], tried)
            if allowed is None:
                break
        if not link.is_active() and self._questions > questions:
            raise HungUpError
        raise self._failure(link, target, tried)

    async def _step(
        self, link: Link, target: Target, allowed: Sequence[str], tried: list[str]
    ) -> list[str] | None:
        """What is still wanted after one more success, None without any."""
        if "publickey" in allowed:
            rest = await self._with_keys(link, target, tried)
            if rest is not None:
                return rest
        for method in ("keyboard-interactive", "password"):
            if method in allowed and link.is_active():
                rest = await self._with_password(link, target, method, tried)
                if rest is not None:
                    return rest
        return None

    async def _with_keys(self, link: Link, target: Target, tried: list[str]) -> list[str] | None:
        agent: paramiko.Agent | None = None
        try:
            agent, keys = await in_thread(
                _agent_keys, target, undo=lambda found: _release(found[0])
            )
            for key in keys:
                tried.append(f"{getattr(key, 'comment', '') or 'a key'} of the agent")
                if (rest := await self._offer(link.auth_publickey, target.user, key)) is not None:
                    return rest
        finally:
            _release(agent)
        for path in target.identity_files:
            if link.is_active() and (own := await self._key(path, tried)) is not None:
                tried.append(path.name)
                if (rest := await self._offer(link.auth_publickey, target.user, own)) is not None:
                    return rest
        return None

    async def _key(self, path: Path, tried: list[str]) -> paramiko.PKey | None:
        if path in self._keys:
            return self._keys[path]
        passphrase: bytes | None = None
        for number in range(TRIES + 1):
            try:
                key = await in_thread(_load_key, path, passphrase)
            except TypeError:  # it is encrypted
                pass
            except (ValueError, paramiko.SSHException, UnknownKeyType, OSError):
                if passphrase is None:
                    tried.append(f"{path.name} (not readable)")
                    return None
            else:
                self._keys[path] = key
                return key
            if number == TRIES:
                break
            again = "That was not right. " if number else ""
            answer = await self._ask(f"{again}Passphrase of the key {path}:")
            if answer is None:
                tried.append(f"{path.name} (needs its passphrase)")
                return None
            passphrase = answer.encode()
        tried.append(f"{path.name} (wrong passphrase)")
        return None

    async def _with_password(
        self, link: Link, target: Target, method: str, tried: list[str]
    ) -> list[str] | None:
        for number in range(TRIES):
            again = "That was not right. " if number else ""
            if method == "password":
                question = f"{again}Password of {target.label}:"
                if (password := await self._password(target, question)) is None:
                    return None
                offer = partial(link.auth_password, target.user, password, fallback=False)
                rest = await self._offer(offer)
            else:
                answers = partial(self._answers, asyncio.get_running_loop(), target, again)
                rest = await self._offer(link.auth_interactive, target.user, answers)
            if rest is not None:
                return rest
            self._passwords.pop(target.label, None)
            if self._refusal or not link.is_active():
                return None
            tried.append(f"a password ({method})")
        return None

    def _answers(
        self,
        loop: asyncio.AbstractEventLoop,
        target: Target,
        again: str,
        title: str,
        instructions: str,
        prompts: list[tuple[str, bool]],
    ) -> list[str]:
        """The answers to a server's questions; runs in paramiko's thread."""
        said = " ".join(filter(None, (title.strip(), instructions.strip())))

        async def answers() -> list[str]:
            found: list[str] = []
            for prompt, _ in prompts:
                question = f"{again}{target.label} asks: {said} {prompt}".strip()
                is_password = len(prompts) == 1 and "assword" in prompt
                answer = await (
                    self._password(target, question) if is_password else self._ask(question)
                )
                found.append(answer or "")
            return found

        return asyncio.run_coroutine_threadsafe(answers(), loop).result()

    async def _password(self, target: Target, question: str) -> str | None:
        if target.label not in self._passwords:
            answer = await self._ask(question)
            if answer is None:
                return None
            self._passwords[target.label] = answer
        return self._passwords[target.label]

    async def _ask(self, question: str) -> str | None:
        if self._refusal:
            return None
        self._questions += 1
        try:
            return await self._attendant.secret(question)
        except RefusedError as error:
            self._refusal = error.message
            return None

    async def _offer(self, attempt: Callable[..., list[str]], *arguments: Any) -> list[str] | None:
        """What the server still wants: nothing when we are in, None when it said no."""
        try:
            return list(await in_thread(attempt, *arguments))
        except (paramiko.SSHException, EOFError, OSError):
            return None

    def _failure(self, link: Link, target: Target, tried: Sequence[str]) -> Exception:
        what = ", ".join(tried) or "nothing to offer"
        if not link.is_active():
            return EnvironmentUnavailableError(
                f"{target.label} hung up after some attempts to log in ({what}).",
                hint="Name the right key with identity_file.",
            )
        why = f" {self._refusal}" if self._refusal else ""
        return EnvironmentUnavailableError(
            f"{target.label} accepted none of what was tried to log in: {what}.{why}",
            hint="Put your public key into ~/.ssh/authorized_keys there, or name the right "
            "key with identity_file.",
        )


async def _first_step(link: Link, user: str) -> list[str] | None:
    """How the server wants to be convinced; nothing if it lets anybody in."""
    try:
        return list(await in_thread(link.auth_none, user))
    except paramiko.BadAuthenticationType as error:
        return error.allowed_types
    except (paramiko.SSHException, EOFError, OSError):
        return None


def _load_key(path: Path, passphrase: bytes | None) -> paramiko.PKey:
    """Raises TypeError when it is encrypted and there is no passphrase."""
    # Whatever its annotations say, paramiko hands this on to a library that wants bytes.
    return paramiko.PKey.from_path(str(path), passphrase)  # pyright: ignore[reportArgumentType]


def _agent_keys(target: Target) -> tuple[paramiko.Agent | None, list[paramiko.PKey]]:
    """The agent's keys, those of the target's files first; the agent must stay open."""
    if not target.has_agent or not os.environ.get("SSH_AUTH_SOCK"):
        return None, []
    try:
        agent = paramiko.Agent()
    except (paramiko.SSHException, OSError):
        return None, []
    keys = agent.get_keys()
    named = {blob for path in target.identity_files if (blob := _public_blob(path))}
    mine = [key for key in keys if key.asbytes() in named]
    others = [key for key in keys if key.asbytes() not in named] if target.are_others_tried else []
    return agent, [*mine, *others]


def _public_blob(path: Path) -> bytes:
    with suppress(OSError, ValueError, paramiko.SSHException):
        blob = PublicBlob.from_file(f"{path}.pub")
        return bytes(blob.key_blob)
    return b""


def _release(agent: paramiko.Agent | None) -> None:
    if agent is not None:
        agent.close()
