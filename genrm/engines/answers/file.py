"""The file of the answer cache: SQLite in write-ahead mode, one connection, synchronous.

    >>> with AnswerFile.open(Path("answers.db")) as file:                                    # doctest: +SKIP
    ...     file.put([(key, b"…", "my-model")])
    ...     file.get([key])[key].value
    b'…'

Any number of processes may have the file open. Each write is a short transaction of its own, so a process that is
killed takes nothing with it but what it had not yet handed over; whoever finds the file locked waits. How a file of
another program is told apart stands in :mod:`genrm.engines.answers.layout`. A connection belongs to the thread that
opened it.
"""

from __future__ import annotations

import math
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from genrm.engines.answers.layout import OTHER, code_of, committed, fault, patiently, prepare

T = TypeVar("T")

AT_ONCE = 500
"""Keys of one SELECT."""
DROPPED_AT_ONCE = 5_000
"""Answers dropped in one transaction: nobody else waits long for the lock."""
SPARE = 0.1
"""Share of the limit that is freed when it has been reached, so that not every write has to free something."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An answer as it lies in the file; ``model`` is a number of the table of models."""

    value: bytes
    model: int
    used: int


@dataclass(frozen=True, slots=True)
class ModelShare:
    """What one model has in the file; times are seconds since 1970."""

    model: str
    answers: int
    bytes: int
    hits: int
    oldest: int | None
    last_used: int | None


class AnswerFile:
    """An open file. Build it with :meth:`open`.

    Attributes:
        writable: False where neither the file nor its folder can be written; answers in it can be read all the same.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, *, writable: bool) -> None:
        self.path, self.writable = path, writable
        self._db = connection

    @classmethod
    def open(cls, path: Path, *, create: bool = True) -> AnswerFile:
        """Open a file; make it when it is not there.

        Raises:
            SpecError: it is not there and is not to be made, or it is no answer cache, a damaged or a newer one.
            OSError: nothing can be read or made in this place.
        """
        if path.is_dir():
            raise fault(path, "is a folder", "name a file, such as answers.db")
        if not path.exists():
            if not create:
                raise fault(path, "there is no such file", "check the path")
            if not path.parent.is_dir():
                raise fault(path, "the folder does not exist", f"mkdir -p {path.parent}")
        try:
            return patiently(lambda: cls._open(path))
        except sqlite3.DatabaseError as error:
            if code_of(error) in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise fault(path, f"is no answer cache, or a damaged one ({error})", OTHER) from None
            raise OSError(f"{path}: {error}") from None

    @classmethod
    def _open(cls, path: Path) -> AnswerFile:
        refused: sqlite3.OperationalError | None = None
        # A write-ahead file in a folder that cannot be written is readable only as one that nobody changes.
        for mode in ("mode=rwc", "mode=ro", "mode=ro&immutable=1"):
            connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=5.0, isolation_level=None
            )
            try:
                writable = mode == "mode=rwc"
                prepare(path, connection, writable=writable)
                return cls(path, connection, writable=writable)
            except sqlite3.OperationalError as error:
                connection.close()
                if code_of(error) not in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
                    raise
                refused = refused or error
                if not path.exists():
                    break
            except BaseException:
                connection.close()
                raise
        assert refused is not None
        raise refused

    def __enter__(self) -> AnswerFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it. The last one to do so folds the write-ahead file into the main one."""
        self._db.close()

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Stored]:
        """The answers to these keys, as far as there are any."""
        found: dict[bytes, Stored] = {}
        for start in range(0, len(keys), AT_ONCE):
            some = keys[start : start + AT_ONCE]
            query = f"SELECT key, value, model, used FROM answers WHERE key IN ({','.join('?' * len(some))})"
            rows = patiently(lambda query=query, some=some: self._db.execute(query, some).fetchall())  # type: ignore[misc]
            found |= {key: Stored(value, model, used) for key, value, model, used in rows}
        return found

    def put(
        self,
        answers: Iterable[tuple[bytes, bytes, str]],
        *,
        used: Iterable[bytes] = (),
        hits: Mapping[int, int] | None = None,
    ) -> None:
        """Add answers as (key, value, model), mark others as used now and count hits by model, all or nothing."""
        now, touched = int(time.time()), [(int(time.time()), key) for key in used]
        answers = list(answers)

        def write() -> None:
            rows = [(key, value, self._model(name), now, now) for key, value, name in answers]
            self._db.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)", rows)
            self._db.executemany("UPDATE answers SET used = ? WHERE key = ?", touched)
            counts = [(count, model) for model, count in (hits or {}).items()]
            self._db.executemany("UPDATE models SET hits = hits + ? WHERE id = ?", counts)

        self._transaction(write)

    def shrink(self, limit: int) -> None:
        """Drop the answers that were not used for the longest time until the file is within ``limit`` bytes.

        Roughly: the write-ahead file (about 4 MB) comes on top.
        """
        if self.bytes <= limit:
            return

        def drop() -> bool:
            # Inside the transaction: another process may have freed enough meanwhile.
            excess = self.bytes - limit * (1 - SPARE)
            count = self._one("SELECT count(*) FROM answers")
            if excess <= 0 or not count:
                return False
            some = min(DROPPED_AT_ONCE, count, math.ceil(excess / (self.bytes / count)))
            oldest = "SELECT rowid FROM answers ORDER BY used, rowid LIMIT ?"
            self._db.execute(f"DELETE FROM answers WHERE rowid IN ({oldest})", (some,))
            return True

        while self._transaction(drop):
            pass
        self._give_back()

    def clear(self, *, unused_since: float | None = None, model: str | None = None) -> int:
        """Drop answers, all or those that both arguments describe; returns how many.

        Args:
            unused_since: seconds since 1970: only answers that were not used from then on.
            model: only this model's; a pattern of the shell, such as ``http*``.
        """
        where, values = ["1"], list[object]()
        if unused_since is not None:
            where.append("used < ?")
            values.append(int(unused_since))
        if model is not None:
            where.append("model IN (SELECT id FROM models WHERE name = ? OR name GLOB ?)")
            values += [model, model]
        query = f"DELETE FROM answers WHERE rowid IN (SELECT rowid FROM answers WHERE {' AND '.join(where)} LIMIT ?)"
        total = 0
        while some := self._transaction(lambda: self._db.execute(query, (*values, DROPPED_AT_ONCE)).rowcount):
            total += some
        self._transaction(
            lambda: self._db.execute("DELETE FROM models WHERE id NOT IN (SELECT DISTINCT model FROM answers)")
        )
        self._give_back()
        return total

    def shares(self) -> list[ModelShare]:
        """What each model has in the file, the largest first."""
        query = """
            SELECT name, count(key), coalesce(sum(length(value)), 0), hits, min(made), max(used)
            FROM models LEFT JOIN answers ON model = id GROUP BY id ORDER BY 3 DESC, name
        """
        return [ModelShare(*row) for row in patiently(lambda: self._db.execute(query).fetchall())]

    @property
    def bytes(self) -> int:
        """Size of what is in use, of the main file."""
        pages = self._one("PRAGMA page_count") - self._one("PRAGMA freelist_count")
        return int(pages * self._one("PRAGMA page_size"))

    def check(self) -> str | None:
        """What is wrong with the file, by SQLite's own check of every page; None when nothing is."""
        found = "; ".join(row[0] for row in self._db.execute("PRAGMA integrity_check(5)"))
        return None if found == "ok" else found

    def _model(self, name: str) -> int:
        """The number of a model. It may have gone since it was last looked up, with the answers of a cleared model."""
        self._db.execute("INSERT OR IGNORE INTO models (name) VALUES (?)", (name,))
        return int(self._db.execute("SELECT id FROM models WHERE name = ?", (name,)).fetchone()[0])

    def _give_back(self) -> None:
        """Hand free pages back to the file system when they are many."""
        if self._one("PRAGMA freelist_count") * 10 > self._one("PRAGMA page_count"):
            # One step frees one page, and only a script takes all the steps of a statement without columns.
            patiently(lambda: self._db.executescript("PRAGMA incremental_vacuum"))
            patiently(lambda: self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())

    def _one(self, query: str) -> int:
        return int(patiently(lambda: self._db.execute(query).fetchone()[0]))

    def _transaction(self, work: Callable[[], T]) -> T:
        return patiently(lambda: committed(self._db, work))


def file_bytes(path: Path) -> int:
    """Bytes on disk, the write-ahead file included."""
    return sum(os.path.getsize(name) for name in (str(path), f"{path}-wal") if os.path.exists(name))
