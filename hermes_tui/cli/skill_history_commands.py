"""`hermes skills log`, `diff`, `blame`, `rollback` and their like: what became of a skill."""

import os
import tempfile
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import anyio.to_thread

from hermes_tui.cli.printing import count, print_json, print_line, say
from hermes_tui.cli.skill_desk import Desk, author, day, print_diff
from hermes_tui.config.paths import absolute, shown
from hermes_tui.core.errors import ConfigError, NotFoundError
from hermes_tui.skills.skill_files import ARCHIVE, LINK, Files, put_files, read_files
from hermes_tui.skills.versions import Version

ZIP_TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest a zip file knows; the same skill gives the same bytes."""


async def log(desk: Desk, name: str, limit: int, as_json: bool) -> None:
    """Print the versions of one skill, or of all, the newest first."""
    await desk.adopt()
    repository = desk.skills.repository
    if name:
        versions = await repository.history(await desk.path(name))
    else:
        everything = (await repository.histories()).values()
        together = (version for versions in everything for version in versions)
        versions = sorted(together, key=lambda one: (one.at, one.number), reverse=True)
    if as_json:
        print_json(versions[:limit])
        return
    if not versions:
        say("No skill has a history yet.")
    wide = 0 if name else max((len(one.skill) for one in versions[:limit]), default=0)
    for one in versions[:limit]:
        prefix = "" if name else f"{one.skill:<{wide}}  "
        print_line(f"{prefix}{_line(one)}")
    if len(versions) > limit:
        say(f"Not shown: {count(len(versions) - limit, 'older version')}; pass --limit.")


async def diff(desk: Desk, name: str, old: str, new: str, as_json: bool) -> None:
    """Print what changed: with the newest version, since `old`, or between two versions.

    Raises:
        NotFoundError: there is no such skill or version.
    """
    await desk.adopt()
    path = await desk.path(name)
    repository = desk.skills.repository
    if not old:
        newest = await _newest(desk, name, path)
        before = (await repository.history(path, limit=2))[1:]
        if not before and not as_json:
            say(f"{name!r} has only v{newest.number}; `hermes skills show` prints it.")
            return
        new = str(newest.number)
        old = str(before[0].number) if before else new
    text = await repository.diff(path, old, new or None)
    if as_json:
        print_json({"name": name, "old": old, "new": new or None, "diff": text})
        return
    if not text:
        say("They are the same.")
    print_diff(text)


async def blame(desk: Desk, name: str, file: str, as_json: bool) -> None:
    """Print each line of a file with the version it came with."""
    await desk.adopt()
    lines = await desk.skills.repository.blame(await desk.path(name), file)
    if as_json:
        print_json(lines)
        return
    wide = max((len(str(line.number)) for line in lines), default=1) + 1
    for line in lines:
        version = f"v{line.number}"
        who = author(by_user=line.by_user)
        print_line(f"{version:<{wide}}  {day(line.at)}  {who:<6}  {line.text}")


async def roll_back(
    desk: Desk, name: str, version: str, reason: str, yes: bool, as_json: bool
) -> None:
    """Make a new version that has what `version` had, after showing the difference.

    Raises:
        NotFoundError: there is no such skill or version.
        RefusedError: the person did not say yes.
    """
    await desk.adopt()
    path = await desk.path(name)
    repository = desk.skills.repository
    newest = await _newest(desk, name, path)
    is_gone = not any((desk.skills.folder / place / path).exists() for place in ("", ARCHIVE))
    text = "" if is_gone else await repository.diff(path, newest.number, version)
    told = {"name": name, "restored": version, "diff": text}
    if not text and not is_gone:
        if as_json:
            print_json({**told, "changed": False, "version": newest.number})
        say(f"{name!r} is as it was in {_named(version)} already.")
        return
    if not as_json:
        print_diff(text)
    await desk.agree(
        f"Make {name} as it was in {_named(version)}?", yes=yes, refused="Nothing was changed."
    )
    made = await repository.roll_back(path, version, reason=reason)
    if as_json:
        print_json({**told, "changed": True, "version": made.number})
    say(f"v{made.number} of {name} has what {_named(version)} had.")
    if not (desk.skills.folder / path).exists():
        say(f"It stays archived; bring it back with: hermes skills restore {name}")


async def undo(desk: Desk, name: str, as_json: bool) -> None:
    """Take the newest change of a skill back.

    Raises:
        NotFoundError: there is nothing to take back.
    """
    await desk.adopt()
    path = await desk.path(name)
    newest = await _newest(desk, name, path)
    made = await desk.skills.repository.undo(newest)
    if made is None:
        raise NotFoundError(
            f"v{newest.number} of {name!r} cannot be taken back any more.",
            hint=f"See `hermes skills log {name}`.",
        )
    if as_json:
        told = {"name": name, "took_back": newest.number, "version": made.number}
        print_json({**told, "archived": made.action == "archive"})
    what = f"{newest.action}: {newest.reason}" if newest.reason else newest.action
    became = "it is archived now" if made.action == "archive" else f"v{made.number} is without it"
    say(f"Took back v{newest.number} of {name} ({what}); {became}.")


async def archive(desk: Desk, name: str, reason: str, as_json: bool) -> None:
    """Put a skill away, history and all.

    Raises:
        NotFoundError: there is none, or it is kept elsewhere.
    """
    await desk.adopt(needed=False)
    path = await desk.path(name)
    if not (desk.skills.folder / path).exists():
        raise desk.kept_elsewhere(await desk.skill(name))  # or says why it is not there
    made = await desk.skills.repository.archive(path, reason=reason or "Put away.", by_user=True)
    desk.warn_without_history()
    if as_json:
        print_json({"name": name, "archived": True, "version": made.number or None})
    say(f"Archived {name}. Bring it back with: hermes skills restore {name}")
    if other := (await desk.skills.shelf()).find(name):
        say(f"Another {name} is used instead: {shown(other.path)}")


async def restore(desk: Desk, name: str, as_json: bool) -> None:
    """Bring an archived or deleted skill back.

    Raises:
        ConfigError: it is in use.
    """
    await desk.adopt(needed=False)
    path = await desk.path(name)
    if (desk.skills.folder / path).exists():
        raise ConfigError(
            f"{name!r} is not archived.",
            hint=f"An older version comes back with `hermes skills rollback {name} --version N`.",
        )
    made = await desk.skills.repository.restore(path, reason="Brought back.")
    desk.warn_without_history()
    if as_json:
        print_json({"name": name, "archived": False, "version": made.number or None})
    say(f"Restored {name}{f', v{made.number}' if made.number else ''}.")


async def export(desk: Desk, name: str, target: str, version: str, as_json: bool) -> None:
    """Write a skill to a folder or an archive, told by the end of its name.

    Raises:
        ConfigError: the target is there already, cannot be written, or is no form to write.
        NotFoundError: there is no such skill or version.
    """
    wanted = absolute(target or name, os.environ)
    form = _form(wanted)
    files = await _files(desk, name, version)
    kept = {path: blob for path, blob in files.items() if blob.mode != LINK}
    if form is not None:
        content = await anyio.to_thread.run_sync(form, name, kept)
        await anyio.to_thread.run_sync(_write_archive, wanted, content)
    else:
        wanted = wanted / name if target and wanted.is_dir() else wanted
        await anyio.to_thread.run_sync(_write_folder, wanted, kept)
    if as_json:
        links = sorted(files.keys() - kept.keys())
        print_json(
            {"name": name, "path": str(wanted), "files": sorted(kept), "links_left_out": links}
        )
    say(f"Wrote {count(len(kept), 'file')} of {name} to {shown(wanted)}.")
    if left := len(files) - len(kept):
        say(f"Left out: {count(left, 'link')}.")


async def _newest(desk: Desk, name: str, path: str) -> Version:
    """The newest version of a skill.

    Raises:
        NotFoundError: it has none; says why.
    """
    if versions := await desk.skills.repository.history(path, limit=1):
        return versions[0]
    why = desk.skills.repository.left_out().get(path, "")
    raise NotFoundError(
        f"{name!r} has no versions{f': {why}' if why else '.'}",
        hint="Move out what is no part of it." if why else "The next change begins a history.",
    )


async def _files(desk: Desk, name: str, version: str) -> Files:
    if not version:
        folder = (await desk.skill(name)).path
        return await anyio.to_thread.run_sync(read_files, folder)
    await desk.adopt()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "skill")
        path = await desk.path(name)
        await desk.skills.repository.export(path, folder, version=version)
        return await anyio.to_thread.run_sync(read_files, folder)


def _form(target: Path) -> Callable[[str, Files], bytes] | None:
    """What packs an archive of that name; None for a folder.

    Raises:
        ConfigError: it is there already, or ends as archives do that Hermes cannot read.
    """
    name = target.name.lower()
    if target.is_dir():
        return None
    packs = next((pack for end, pack in _FORMS.items() if name.endswith(end)), None)
    if packs is None and name.endswith(_OTHER_FORMS):
        raise ConfigError(
            f"{shown(target)} is no form a skill is written in.",
            hint=f"End it with one of: {', '.join(_FORMS)}; or name a folder.",
        )
    if target.exists() or target.is_symlink():
        raise _there_already(target)
    return packs


def _there_already(target: Path) -> ConfigError:
    return ConfigError(f"{shown(target)} is there already.", hint="Name another target.")


def _zipped(name: str, files: Files) -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, blob in sorted(files.items()):
            member = zipfile.ZipInfo(f"{name}/{path}", ZIP_TIME)
            member.external_attr = blob.mode << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, blob.content)
    return packed.getvalue()


def _tarred(name: str, files: Files) -> bytes:
    import gzip  # 10 ms with tarfile that the other commands need not pay
    import tarfile

    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, blob in sorted(files.items()):
            member = tarfile.TarInfo(f"{name}/{path}")
            member.size = len(blob.content)
            member.mode = blob.mode & 0o777
            archive.addfile(member, BytesIO(blob.content))
    return gzip.compress(packed.getvalue(), mtime=0)


_FORMS = {".zip": _zipped, ".skill": _zipped, ".tar.gz": _tarred, ".tgz": _tarred}
_OTHER_FORMS = (".tar", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar")


def _write_archive(target: Path, content: bytes) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as opened:
            opened.write(content)
    except FileExistsError:
        raise _there_already(target) from None
    except OSError as error:
        raise ConfigError(f"{shown(target)} cannot be written: {error.strerror}.") from error


def _write_folder(folder: Path, files: Files) -> None:
    if folder.exists() or folder.is_symlink():
        raise _there_already(folder)
    try:
        folder.mkdir(parents=True)
        put_files(folder, files)
    except OSError as error:
        raise ConfigError(f"{shown(folder)} cannot be written: {error.strerror}.") from error


def _line(version: Version) -> str:
    parts = [f"v{version.number:<4} {day(version.at)}  {author(by_user=version.by_user):<6}"]
    parts.append(f"{version.action:<8}")
    if version.reason:
        parts.append(version.reason)
    if version.confidence:
        before, after = version.confidence
        parts.append(f"({before:.2f} → {after:.2f})")
    return "  ".join(parts).rstrip()


def _named(version: str) -> str:
    """`v3` for `3`; a commit as it is."""
    return f"v{version}" if len(version) < 7 and version.isdecimal() else version
