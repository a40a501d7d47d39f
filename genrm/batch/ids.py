"""Ids seen so far, in bounded memory: a second row with the same id is found however far apart the two stand.

>>> ids = SeenIds()
>>> ids.claim("a", 1), ids.claim("b", 2), ids.claim("a", 3)
(None, None, 1)
"""

from __future__ import annotations

import hashlib
import sqlite3


class SeenIds:
    """Ids with the line that has them, keyed by a 64-bit hash in a private file that vanishes with the process.

    With ten million ids the chance that any two different ones are taken for the same is about 3 in a million.
    Rows without an id are called by their line number; as long as no row has brought an id of its own these are
    known without being stored.
    """

    def __init__(self) -> None:
        # The empty name is SQLite's private temporary database: on disk beyond its cache, deleted on close.
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=OFF")
        self._db.execute("PRAGMA cache_size=-8192")
        self._db.execute("CREATE TABLE ids (hash INTEGER PRIMARY KEY, line INTEGER) WITHOUT ROWID")
        self._db.execute("BEGIN")
        self._unstored = 0

    def claim(self, id: str, line: int) -> int | None:
        """Take an explicit id for this line; the line that has it already, or None."""
        if id.isascii() and id.isdigit() and len(id) < 19 and str(int(id)) == id and 1 <= int(id) <= self._unstored:
            return int(id)
        return self._insert(id, line)

    def claim_line(self, line: int) -> int | None:
        """Take the line number as id for a row that has none; the line that has it already, or None."""
        if self._unstored == line - 1:
            self._unstored = line
            return None
        return self._insert(str(line), line)

    def _insert(self, id: str, line: int) -> int | None:
        digest = hashlib.blake2b(id.encode(errors="surrogatepass"), digest_size=8).digest()
        key = int.from_bytes(digest, "big", signed=True)
        if self._db.execute("INSERT OR IGNORE INTO ids VALUES (?, ?)", (key, line)).rowcount == 1:
            return None
        return int(self._db.execute("SELECT line FROM ids WHERE hash = ?", (key,)).fetchone()[0])

    def close(self) -> None:
        """Delete the private file."""
        self._db.close()
