"""Every skill's versions, as the commits tell them."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from hermes_tui.core.errors import NotFoundError
from hermes_tui.skills.commit_stream import HERMES
from hermes_tui.skills.git_folder import Commit, GitFailedError, GitFolder
from hermes_tui.skills.skill import FILE
from hermes_tui.skills.skill_files import ARCHIVE
from hermes_tui.skills.trailers import Stated, stated
from hermes_tui.skills.versions import Version

SHOWN = 5
"""Names an error lists."""


class Histories:
    """Read once, then only what is new. Archiving and restoring are versions like others."""

    def __init__(self, store: GitFolder) -> None:
        self._store = store
        self._tip = ""
        self._versions: dict[str, list[Version]] = {}

    def refresh(self) -> str:
        """Take in what other processes and people committed; gives the newest commit.

        Raises:
            GitFailedError: the repository cannot be read.
        """
        tip = self._store.tip()
        if tip == self._tip:
            return tip
        commits, is_newer = self._newer(tip)
        if not is_newer:
            self._versions.clear()
            commits = self._store.log(tip)[0] if tip else []
        self._add(list(reversed(commits)))
        self._tip = tip
        return tip

    def of(self, skill: str) -> list[Version]:
        """The versions of a skill, oldest first."""
        return self._versions.get(skill, [])

    def names(self) -> Iterable[str]:
        return self._versions.keys()

    def next_number(self, skill: str) -> int:
        versions = self.of(skill)
        return versions[-1].number + 1 if versions else 1

    def find(self, skill: str, version: int | str) -> Version:
        """The version with a number (`3`, `"3"`, `"v3"`) or the beginning of a commit's name.

        Raises:
            NotFoundError: there is no such skill or version; names those there are.
        """
        versions = self.of(skill)
        if not versions:
            raise self.unknown(skill)
        wanted = str(version).strip().lower()
        for each in versions:
            is_meant = wanted.removeprefix("v") == str(each.number)
            if is_meant or (len(wanted) >= 7 and each.commit.startswith(wanted)):
                return each
        first, last = versions[0].number, versions[-1].number
        raise NotFoundError(
            f"The skill {skill!r} has no version {version!r}.",
            hint=f"It has {first} to {last}." if last > first else f"It has only {first}.",
        )

    def unknown(self, skill: str) -> NotFoundError:
        names = sorted(self._versions)
        near = get_close_matches(skill, names, SHOWN) or names[:SHOWN]
        more = len(names) - len(near)
        listed = ", ".join(near) + (f" and {more} more" if more else "")
        return NotFoundError(
            f"No skill {skill!r} has a history.",
            hint=f"Those that have: {listed}." if near else "None has one yet.",
        )

    def add(self, commits: Sequence[Commit], *, onto: str) -> list[Version]:
        """Take in commits just made after `onto`; gives their versions."""
        made = self._add(commits)
        if commits and self._tip == onto:
            self._tip = commits[-1].id
        return made

    def _newer(self, tip: str) -> tuple[list[Commit], bool]:
        if not self._tip or not tip:
            return [], False
        try:
            return self._store.log(f"{self._tip}...{tip}")
        except GitFailedError:  # what we knew was rewritten, and collected since
            return [], False

    def _add(self, commits: Sequence[Commit]) -> list[Version]:
        said = [(commit, stated(commit.message)) for commit in commits]
        by_hand = [commit.id for commit, words in said if words is None]
        touched = self._store.touched(by_hand) if by_hand else {}
        made: list[Version] = []
        for commit, words in said:
            if words is not None:
                made.append(self._append(commit, words))
                continue
            subject = commit.message.split("\n", 1)[0]
            made.extend(
                self._append(commit, Stated(skill, 0, "edit", subject, "", "", None))
                for skill in self._skills_of(commit.id, touched[commit.id])
            )
        return made

    def _append(self, commit: Commit, words: Stated) -> Version:
        version = Version(
            skill=words.skill,
            # A person's own commits count too, and two clones may both have made a version 5.
            number=max(words.number, self.next_number(words.skill)),
            commit=commit.id,
            at=commit.at,
            by_user=commit.email != HERMES.email,
            action=words.action,
            reason=words.reason,
            session=words.session,
            outcome=words.outcome,
            confidence=words.confidence,
        )
        self._versions.setdefault(words.skill, []).append(version)
        return version

    def _skills_of(self, commit: str, paths: Iterable[str]) -> list[str]:
        found: dict[str, None] = {}
        for path in paths:
            for place, skill in candidates(path):
                is_known = skill in self._versions
                if is_known or self._store.has_file(commit, f"{place}/{FILE}"):
                    found[skill] = None
                    break
        return list(found)


def candidates(path: str) -> Iterable[tuple[str, str]]:
    """Folders `path` may make a skill of, outermost first, each with the skill's own path."""
    prefix = f"{ARCHIVE}/" if path.startswith(f"{ARCHIVE}/") else ""
    parts = path.removeprefix(prefix).split("/")
    for end in range(1, len(parts)):
        skill = "/".join(parts[:end])
        yield prefix + skill, skill
