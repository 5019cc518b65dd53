"""What `hermes doctor` looks at, and how it prints what it found."""

import os
import sys
from collections.abc import Callable, Iterator

import msgspec

from hermes_tui import __version__
from hermes_tui.cli import doctor_machine, doctor_model
from hermes_tui.cli.config_commands import load_here
from hermes_tui.cli.diagnostics import ExitCode, Ink
from hermes_tui.cli.doctor_finding import Finding
from hermes_tui.cli.doctor_skills import skills
from hermes_tui.config.paths import Paths, find_paths, shown
from hermes_tui.config.schema import Config
from hermes_tui.config.secrets import Secrets, load_secrets
from hermes_tui.core.errors import ConfigError, HermesError
from hermes_tui.safety.terminal_text import visible

MARKS = {"ok": "✓", "warning": "!", "failure": "✗"}


def examine(*, as_json: bool, offline: bool) -> ExitCode:
    """Print every finding; FAILED when one of them keeps Hermes from working."""
    findings: list[Finding] = []
    ink = Ink(sys.stdout)
    inks = {"ok": ink.good, "warning": ink.warn, "failure": ink.error}
    for finding in _findings(offline=offline):
        findings.append(finding)
        if not as_json:
            hint = f"  {ink.dim(visible(finding.hint))}" if finding.hint else ""
            mark = inks[finding.state](MARKS[finding.state])
            sys.stdout.write(f"{mark} {finding.name}: {visible(finding.detail)}{hint}\n")
            sys.stdout.flush()
    if as_json:
        sys.stdout.write(msgspec.json.encode(findings).decode() + "\n")
    is_broken = any(finding.state == "failure" for finding in findings)
    return ExitCode.FAILED if is_broken else ExitCode.DONE


def _findings(*, offline: bool) -> Iterator[Finding]:
    """Everything there is to say, each found when it is asked for."""
    yield Finding("hermes", "ok", __version__)
    yield from doctor_machine.machine()
    try:
        paths = find_paths(os.environ)
    except ConfigError as error:
        yield Finding.of("home", error)
        return
    yield from doctor_machine.home(paths)
    config: Config | None = None
    try:
        _, loaded = load_here()
        config = loaded.config
        changed = len(loaded.origins)
        yield Finding("configuration", "ok", f"{shown(paths.config_file)}, {changed} settings")
    except HermesError as error:
        yield Finding.of("configuration", error, hint="See `hermes config check`.")
    known = config or Config()
    yield from doctor_machine.environments(known)
    yield skills(paths, known)
    try:
        secrets = load_secrets(paths, dict(os.environ), known)
    except HermesError as error:
        yield Finding.of("keys", error)
        return
    yield from _keys(paths, known, secrets)
    if config is not None:
        yield from _guarded(lambda: doctor_model.model(config, secrets, offline=offline))


def _keys(paths: Paths, config: Config, secrets: Secrets) -> Iterator[Finding]:
    names = doctor_model.key_names(config)
    found = [f"{name} ({secrets.place(name)})" for name in names if name in secrets]
    yield Finding("keys", "ok", ", ".join(found) or "none")
    for name in config.providers:
        try:
            secrets.fill(config, name)
        except HermesError as error:
            yield Finding("keys", "warning", error.message, error.hint)
    in_file = [
        name for name, one in config.providers.items() if one.api_key and "$" not in one.api_key
    ]
    mode = paths.config_file.stat().st_mode if in_file else 0
    if mode & 0o077:
        yield Finding(
            "keys",
            "warning",
            f"{shown(paths.config_file)} holds a key, and others may read it",
            f"Run: chmod 600 {shown(paths.config_file)}",
        )


def _guarded(check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from check()
    except HermesError as error:
        yield Finding.of("model", error)
