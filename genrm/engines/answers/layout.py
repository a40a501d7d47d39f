"""How the file of the answer cache is laid out, how it is recognised, and how its lock is waited for.

    >>> prepare(Path("answers.db"), sqlite3.connect("answers.db"), writable=True)            # doctest: +SKIP

The file says whose it is (``application_id``) and how it is laid out (``user_version``): one of another program is
refused, not written over.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from genrm.errors import Fault, SpecError

T = TypeVar("T")

APPLICATION = 0x67524D61  # "gRMa"
LAYOUT = 1

PATIENCE_S = 60.0
"""How long a locked file is waited for. Writers hold the lock for milliseconds."""
OTHER = "name another file; this one is left as it is"
_MARKS = ("application_id", "user_version")
_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_TABLES = """
CREATE TABLE models (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, hits INTEGER NOT NULL DEFAULT 0);
CREATE TABLE answers (
    key BLOB PRIMARY KEY, value BLOB NOT NULL, model INTEGER NOT NULL, made INTEGER NOT NULL, used INTEGER NOT NULL
);
CREATE INDEX answers_by_use ON answers (used);
"""


def patiently(work: Callable[[], T]) -> T:
    """Do something with the file, again as long as others hold its lock, for :data:`PATIENCE_S` at most.

    SQLite's own waiting leaves gaps: while the write-ahead file is recovered or taken into use it gives up at once.
    """
    until = time.monotonic() + PATIENCE_S
    pause = 0.001
    while True:
        try:
            return work()
        except sqlite3.OperationalError as error:
            if code_of(error) not in _LOCKED or time.monotonic() > until:
                raise
        time.sleep(pause * random.uniform(0.5, 1.0))
        pause = min(2 * pause, 0.1)


def prepare(path: Path, connection: sqlite3.Connection, *, writable: bool) -> None:
    """Make sure that the file is ours; lay out a new one."""
    if not _is_ours(path, connection):
        if not writable:
            raise fault(path, "is empty and cannot be written", OTHER)
        # Both act on an empty file only, and not inside a transaction. A second process that does the same is harmless.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL").fetchall()

        def lay_out() -> None:
            if not _is_ours(path, connection):
                for statement in filter(str.strip, _TABLES.split(";")):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                connection.execute(f"PRAGMA user_version = {LAYOUT}")

        committed(connection, lay_out)
    if writable:
        # Whoever cannot write finds out here, not in the middle of a run. (BEGIN alone tells nothing.)
        committed(connection, lambda: connection.execute("UPDATE models SET hits = hits WHERE 0"))
        # Safe against a killed process; a power cut may cost the last answers, not the file.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA journal_size_limit = 16777216")


def _is_ours(path: Path, connection: sqlite3.Connection) -> bool:
    """Whether the file is an answer cache; False for an empty one. Raises SpecError for any other."""
    application, layout = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in _MARKS)
    if application == APPLICATION:
        if layout > LAYOUT:
            raise fault(path, f"was written by a newer genrm (layout {layout})", f"update genrm, or {OTHER}")
        connection.execute("SELECT key FROM answers LIMIT 1").fetchall()
        return True
    if application or connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise fault(path, "is a database of another program", OTHER)
    return False


def committed(connection: sqlite3.Connection, work: Callable[[], T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work()
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def code_of(error: sqlite3.DatabaseError) -> int:
    """The primary code behind SQLite's many."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def fault(path: Path, message: str, fix: str) -> SpecError:
    return SpecError(Fault(message, field="cache", value=str(path), fix=fix))
