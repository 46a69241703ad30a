"""A collector's answers: one SQLite file, one row a listener, no names, addresses or times."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from art2mus.listening.documents import Answers
from artsound.errors import ArtsoundError, UsageError

Outcome = Literal["new", "same", "different"]

MAGIC: Final = b"SQLite format 3\x00"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS answers (
    test TEXT NOT NULL,
    rater TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (test, rater)
) STRICT, WITHOUT ROWID
"""
_TABLES: Final = "SELECT name FROM sqlite_master WHERE type = 'table'"
_BODIES: Final = "SELECT body FROM answers ORDER BY test, rater"
_NOT_WRITABLE: Final = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
_PATIENCE_S: Final = 10.0


class AnswerStore:
    """Answers in a file, safe against several writers at once and against the end of any of them.

    Args:
        path: the file; made if it is not there.

    Raises:
        UsageError: the file is something else, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._open() as connection:
                found = {name for (name,) in connection.execute(_TABLES)}
                if not found or "answers" in found:
                    connection.execute("PRAGMA journal_mode = WAL")
                    connection.execute(_SCHEMA)
                connection.execute("SELECT test, rater, body FROM answers LIMIT 0")
        except (sqlite3.Error, OSError) as error:
            raise UsageError(
                f"{path} cannot hold answers ({error}): choose another file"
            ) from error

    def add(self, answers: Answers) -> Outcome:
        """Keep a listener's answers, once.

        Returns:
            `new`; `same` where they were there already; `different` where the listener's code has
            others, which stay.

        Raises:
            ArtsoundError: the file cannot be written now.
        """
        row = (answers.test, answers.rater, answers.canonical())
        try:
            with self._open() as connection:
                added = connection.execute(
                    "INSERT INTO answers VALUES (?, ?, ?) ON CONFLICT DO NOTHING", row
                )
                if added.rowcount:
                    return "new"
                found = connection.execute(
                    "SELECT body FROM answers WHERE test = ? AND rater = ?", row[:2]
                ).fetchone()
        except sqlite3.Error as error:
            raise ArtsoundError(f"{self.path} cannot be written: {error}") from error
        return "same" if found == row[2:] else "different"

    def count(self, test: str) -> int:
        """Return how many listeners of a test have answered."""
        with self._open() as connection:
            query = "SELECT count(*) FROM answers WHERE test = ?"
            return int(connection.execute(query, (test,)).fetchone()[0])

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(sqlite3.connect(self.path, timeout=_PATIENCE_S)) as connection:
            connection.execute("PRAGMA synchronous = FULL")  # an answer that was thanked for stays
            with connection:
                yield connection


def stored(path: Path) -> list[str]:
    """Return the answers in a file, of whichever test, a collector may be writing it meanwhile.

    The file is opened for writing where it can be, for then SQLite takes in what a killed collector
    left beside it and leaves no files behind; from a folder that is for reading only, it is read as
    it is.

    Raises:
        UsageError: it is no file of answers, or one that lacks what lies beside it.
    """
    address = path.resolve().as_uri()
    beside = path.resolve().with_name(f"{path.resolve().name}-wal")
    try:
        try:
            rows = _bodies(f"{address}?mode=rw")
        except sqlite3.OperationalError as error:
            if beside.exists() or error.sqlite_errorcode & 0xFF not in _NOT_WRITABLE:
                raise
            rows = _bodies(f"{address}?mode=ro&immutable=1")
    except sqlite3.Error as error:
        raise UsageError(
            f"{path} holds no answers ({error}): give what `art2mus listen serve --answers` wrote,"
            " in a folder that can be written"
        ) from error
    return [str(body) for (body,) in rows]


def _bodies(address: str) -> list[tuple[str]]:
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=_PATIENCE_S)) as connection:
        return connection.execute(_BODIES).fetchall()
