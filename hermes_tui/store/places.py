"""Where a search looks, as SQL."""

import sqlite3
from collections.abc import Iterable
from datetime import datetime
from typing import cast

from msgspec import Struct, structs

from hermes_tui.core.messages import Role
from hermes_tui.store.database import DAY, stamp
from hermes_tui.store.indexes import Filter
from hermes_tui.store.messages import IDS_PER_BLOCK


class Places(Struct, frozen=True, kw_only=True):
    """Which messages and sessions count."""

    role: Role | None = None
    after: datetime | None = None
    """Inclusive."""
    before: datetime | None = None
    """Exclusive."""
    session: str | None = None
    """A full id."""
    but: str | None = None
    """The full id of a session left out."""
    project: str | None = None
    """A folder with everything in it, or the name of one anywhere in a path."""

    def messages(self, connection: sqlite3.Connection) -> Filter | None:
        """The SQL for messages; None when none can be there."""
        first, last = self._range(connection)
        if first is None or last is None:
            return None
        said = (
            ("m.role = ?", self.role),
            ("m.at >= ?", stamp(self.after) if self.after else None),
            ("m.at < ?", stamp(self.before) if self.before else None),
        )
        found = self._filter(connection, said, hides_archived=True)
        return structs.replace(found, first_id=first, last_id=last)

    def summaries(self, connection: sqlite3.Connection) -> Filter | None:
        """The SQL for summaries of sessions going on then; None when a role is asked for."""
        return None if self.role is not None else self.sessions(connection)

    def sessions(self, connection: sqlite3.Connection) -> Filter:
        """The SQL for sessions that were going on then, whatever was said in them."""
        found = self._filter(connection, (), is_certain=False)
        conditions, parameters = [found.of_sessions], list(found.session_parameters)
        if self.after:
            conditions.append("s.updated_at >= ?")
            parameters.append(stamp(self.after))
        if self.before:
            conditions.append("s.created_at < ?")
            parameters.append(stamp(self.before))
        return structs.replace(
            found,
            of_sessions=" AND ".join(conditions),
            session_parameters=tuple(parameters),
        )

    def count_sessions(self, connection: sqlite3.Connection) -> int:
        """How many sessions are looked through, whenever they took place."""
        conditions, parameters = self._in_folder(["s.deleted_at IS NULL"])
        for condition, value in (("s.id = ?", self.session), ("s.id != ?", self.but)):
            if value:
                conditions.append(condition)
                parameters.append(value)
        (count,) = connection.execute(
            f"SELECT count(*) FROM sessions s WHERE {' AND '.join(conditions)}",  # noqa: S608
            parameters,
        ).fetchone()
        return cast("int", count)

    def unknown(self, connection: sqlite3.Connection) -> str:
        """A sentence on the session or folder that was named and is not known; empty if all are."""
        if self.session:
            row = connection.execute(
                "SELECT 1 FROM sessions WHERE id = ? AND deleted_at IS NULL", (self.session,)
            ).fetchone()
            if row is None:
                return f"There is no session {self.session!r}."
        if self.project:
            conditions, parameters = self._in_folder(["s.deleted_at IS NULL"])
            row = connection.execute(
                f"SELECT 1 FROM sessions s WHERE {' AND '.join(conditions)} LIMIT 1",  # noqa: S608
                parameters,
            ).fetchone()
            if row is None:
                return f"No session was begun in a folder {self.project!r}."
        return ""

    def _filter(
        self,
        connection: sqlite3.Connection,
        said: Iterable[tuple[str, object]],
        *,
        is_certain: bool = True,
        hides_archived: bool = False,
    ) -> Filter:
        """`is_certain`: leave out what holds for all sessions anyway."""
        of_rows = [
            *said,
            ("m.session = (SELECT key FROM sessions WHERE id = ?)", self.session),
            ("m.session != (SELECT key FROM sessions WHERE id = ?)", self.but),
        ]
        asked = [(condition, value) for condition, value in of_rows if value is not None]
        are_deleted, are_archived = connection.execute(
            "SELECT EXISTS (SELECT 1 FROM sessions WHERE deleted_at IS NOT NULL), "
            "EXISTS (SELECT 1 FROM sessions WHERE archived_at IS NOT NULL)"
        ).fetchone()
        certain = ["s.deleted_at IS NULL"] if are_deleted or not is_certain else []
        if hides_archived and are_archived:
            certain.append("s.archived_at IS NULL")
        conditions, parameters = self._in_folder(certain)
        return Filter(
            of_rows=" AND ".join(condition for condition, _ in asked),
            row_parameters=tuple(value for _, value in asked),
            of_sessions=" AND ".join(conditions),
            session_parameters=tuple(parameters),
        )

    def _in_folder(self, conditions: list[str]) -> tuple[list[str], list[object]]:
        parameters: list[object] = []
        if self.project:
            folder = self.project.rstrip("/") + "/"
            if folder.startswith("/"):
                conditions.append("substr(s.cwd || '/', 1, ?) = ?")
                parameters += [len(folder), folder]
            else:
                conditions.append("instr(lower(s.cwd) || '/', ?) > 0")
                parameters.append(f"/{folder.lower()}")
        return conditions, parameters

    def _range(self, connection: sqlite3.Connection) -> tuple[int | None, int | None]:
        """The ids to look at: the index then skips the rest without reading their rows."""
        if self.session is not None:
            return connection.execute(
                "SELECT min(id), max(id) FROM messages "
                "WHERE session = (SELECT key FROM sessions WHERE id = ?)",
                (self.session,),
            ).fetchone()
        if self.after is None and self.before is None:
            return 0, 2**62
        return connection.execute(
            "SELECT min(block) * ?1, (max(block) + 1) * ?1 - 1 FROM days "
            "WHERE (?2 IS NULL OR day >= ?2) AND (?3 IS NULL OR day <= ?3)",
            (
                IDS_PER_BLOCK,
                stamp(self.after) // DAY if self.after else None,
                stamp(self.before) // DAY if self.before else None,
            ),
        ).fetchone()
