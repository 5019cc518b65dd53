"""Where a skill can be had from: what the person names, read and written back."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from hermes_tui.config.paths import absolute
from hermes_tui.core.errors import ConfigError, NotFoundError

ARCHIVES = (".zip", ".skill", ".tar.gz", ".tgz")
_WAYS = (
    "Name a folder, a .zip, .skill or .tar.gz file, an https:// or git@ address, "
    "or owner/repository."
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_OTHER_COMMAND = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*::")
_SSH = re.compile(r"[A-Za-z0-9_][\w.-]*@[A-Za-z0-9][\w.-]*:(?!/?-)[^\s:#]+")
_SHORT = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)/([A-Za-z0-9_][\w.-]*)((?:/[^/]+)*)/?")
_REF = re.compile(r"(?!-)[A-Za-z0-9_][\w./+-]*")


class Source(Struct, frozen=True):
    """Where a package comes from; as text it can be read back."""

    kind: Literal["folder", "file", "git", "download"]
    place: str
    """An absolute path or an address."""
    ref: str = ""
    """A branch, tag or commit; empty for what the repository shows first."""
    inside: str = ""
    """The folder in it that is meant, with `/`; empty for all of it."""

    def __str__(self) -> str:
        if self.ref:
            return f"{self.place}#{self.ref}:{self.inside}"
        return f"{self.place}#{self.inside}" if self.inside else self.place

    def within(self, folder: str) -> "Source":
        """The same source, only a folder below what is meant now."""
        inside = "/".join(part for part in (self.inside, folder) if part)
        if self.kind == "folder":
            return Source("folder", str(Path(self.place, inside)))
        return Source(self.kind, self.place, self.ref, inside)


def parse_source(text: str, environ: Mapping[str, str]) -> Source:
    """What `text` means; a file or folder that is there comes before `owner/repository`.

    `#folder` after a path or address names a folder in it, `#ref:folder` also a branch, tag or
    commit, as for Docker's build contexts. GitHub's and GitLab's addresses of a folder work too.
    Whether what `is_bare` is rather a branch or tag, only the repository knows; see `with_ref`.

    Raises:
        ConfigError: it is no kind of source, or one that is not safe.
        NotFoundError: there is no such file or folder.
    """
    text = text.strip()
    if not text or not text.isprintable() or text.startswith("-"):
        raise ConfigError(f"{text!r} is no place to install from.", hint=_WAYS)
    if _OTHER_COMMAND.match(text):
        raise ConfigError(f"{text!r} would run another program.", hint=_WAYS)
    if scheme := _SCHEME.match(text):
        return _address(text, scheme[1].lower())
    address, _, fragment = text.partition("#")
    if _SSH.fullmatch(address):
        return Source("git", address, *_fragment(fragment))
    return _local(text, environ) or _short(text)


def is_bare(text: str) -> bool:
    """Whether the `#word` behind an address has no colon, so that it may be a branch or tag."""
    fragment = text.strip().partition("#")[2]
    return bool(fragment) and ":" not in fragment


def as_ref(source: Source) -> Source | None:
    """`source` with its folder read as a branch, tag or commit; None where it can be none."""
    if source.kind != "git" or source.ref or not source.inside:
        return None
    try:
        return Source("git", source.place, _checked_ref(source.inside))
    except ConfigError:
        return None


def _address(text: str, scheme: str) -> Source:
    address, _, fragment = text.partition("#")
    try:
        parts = urlsplit(address)
        host, user, password = parts.hostname or "", parts.username, parts.password
    except ValueError:
        raise ConfigError(f"{text!r} is no address.", hint=_WAYS) from None
    if scheme not in {"https", "ssh", "file"}:
        raise ConfigError(f"{scheme}:// is not taken.", hint="Use https:// or ssh://.")
    if scheme != "file" and (not host or host.startswith("-")):
        raise ConfigError(f"{text!r} has no host.", hint=_WAYS)
    if password is not None or (user is not None and scheme != "ssh"):
        raise ConfigError(
            "The address holds a name or password, which would be kept with the skill.",
            hint="Leave it out, or use git@host:owner/repository with an SSH key.",
        )
    if user is not None and user.startswith("-"):
        raise ConfigError(f"{text!r} is no address.", hint=_WAYS)
    ref, inside = _fragment(fragment)
    if scheme == "https":
        if not fragment and (tree := _tree(address)):
            return tree
        if parts.path.lower().endswith(ARCHIVES):
            return Source("download", address, ref, inside)
    return Source("git", address.rstrip("/"), ref, inside)


def _tree(address: str) -> Source | None:
    """A folder's page on GitHub or GitLab; the branch is taken to have no `/` in its name."""
    pattern = r"(https://[^/]+/[^?#]+?)(?:/-)?/(?:tree|blob)/([^/?#]+)(?:/([^?#]*?))?/?"
    match = re.fullmatch(pattern, address)
    if match is None:
        return None
    place, ref, path = match[1], unquote(match[2]), unquote(match[3] or "")
    inside = path.removesuffix("SKILL.md").rstrip("/")
    return Source("git", place, _checked_ref(ref), _checked_inside(inside))


def _local(text: str, environ: Mapping[str, str]) -> Source | None:
    for path, fragment in ((text, ""), text.rpartition("#")[::2]):
        if not path:
            continue
        place = absolute(path, environ)
        try:
            kind = "folder" if place.is_dir() else "file" if place.is_file() else None
        except OSError:
            kind = None
        if kind is not None:
            if kind == "file" and place.name == "SKILL.md":
                kind, place = "folder", place.parent
            source = Source(kind, str(_plain(place)))
            return source.within(_checked_inside(fragment)) if fragment else source
    return None


def _plain(path: Path) -> Path:
    """Without `..`, so that the record of it stays true wherever one stands."""
    return path.resolve() if ".." in path.parts else path


def _short(text: str) -> Source:
    """`owner/repository` on GitHub, a folder behind it."""
    address, _, fragment = text.partition("#")
    match = _SHORT.fullmatch(address)
    if match is None or match[2] in {".", ".."}:
        raise NotFoundError(f"There is no file or folder {text!r}.", hint=_WAYS)
    ref, inside = _fragment(fragment)
    path = _checked_inside(match[3].strip("/"))
    repository = match[2].removesuffix(".git")
    return Source("git", f"https://github.com/{match[1]}/{repository}", ref, path or inside)


def _fragment(text: str) -> tuple[str, str]:
    ref, colon, inside = text.partition(":")
    if not colon:
        return "", _checked_inside(text)
    return _checked_ref(ref) if ref else "", _checked_inside(inside)


def _checked_ref(ref: str) -> str:
    if not _REF.fullmatch(ref) or ".." in ref or ref.endswith((".lock", "/", ".")):
        raise ConfigError(
            f"{ref!r} is no branch, tag or commit.", hint="Write #REF:FOLDER after the address."
        )
    return ref


def _checked_inside(path: str) -> str:
    path = path.strip("/")
    if any(part in {"", ".", ".."} for part in path.split("/")) and path:
        raise ConfigError(
            f"{path!r} is no folder in a package.", hint="Write it without . and .. in it."
        )
    return path
