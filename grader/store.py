"""Attempts on disk, so that a second run examines only what changed and a killed run loses nothing it had finished.

One SQLite file in write-ahead mode. Every attempt is committed on its own, under a key that names everything its
outcomes depend on: the submission's files, the assignment, the grader and torch. The file also keeps the run's secret
salt, from which the random inputs of all checks are derived.
"""

from __future__ import annotations

import secrets
import sqlite3
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from grader.errors import StoreError
from grader.model import Attempt

FORMAT: Final = "1"
HINT: Final = "choose another output folder with --out, or move that file away; nothing else is kept in it"


class Store:
    """A file of attempts. Use it as a context manager, from one thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, isolation_level=None, timeout=30)
            self._prepare()
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"the file of stored attempts cannot be used: {path} ({error})",
                path=path,
                hint=HINT,
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def get(self, key: str) -> Attempt | None:
        """The attempt under a key, or None when there is none or it cannot be read any more."""
        row = self._execute("SELECT attempt FROM attempts WHERE key = ?", (key,))
        if row is None:
            return None
        try:
            return msgspec.json.decode(row[0], type=Attempt)
        except msgspec.MsgspecError:
            return None

    def put(self, attempt: Attempt) -> None:
        """Keep an attempt. When this returns, it survives the end of this process."""
        self._execute(
            "INSERT OR REPLACE INTO attempts (key, student, assignment, attempt) VALUES (?, ?, ?, ?)",
            (attempt.key, attempt.student, attempt.assignment, msgspec.json.encode(attempt)),
        )

    @property
    def salt(self) -> str:
        """64 hexadecimal digits that nobody outside this file knows; made once."""
        self._execute("INSERT OR IGNORE INTO facts VALUES ('salt', ?)", (secrets.token_hex(32),))
        row = self._execute("SELECT value FROM facts WHERE name = 'salt'")
        return str(row[0])

    def _execute(self, statement: str, values: tuple[object, ...] = ()) -> Any:
        """The first row of what a statement gives. Raises `StoreError` when the file does not allow it."""
        try:
            return self._database.execute(statement, values).fetchone()
        except sqlite3.Error as error:
            raise StoreError(
                f"the file of stored attempts cannot be used: {self.path} ({error})", path=self.path, hint=HINT
            ) from None

    def _prepare(self) -> None:
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute("CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS attempts"
            " (key TEXT PRIMARY KEY, student TEXT NOT NULL, assignment TEXT NOT NULL, attempt BLOB NOT NULL)"
        )
        self._database.execute("INSERT OR IGNORE INTO facts VALUES ('format', ?)", (FORMAT,))
        found = self._database.execute("SELECT value FROM facts WHERE name = 'format'").fetchone()[0]
        if found != FORMAT:
            raise sqlite3.DatabaseError(f"it has format {found}, this grader writes format {FORMAT}")
