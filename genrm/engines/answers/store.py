"""The store of the answer cache: an :class:`AnswerFile` behind two threads, so that no event loop waits for a disk.

    >>> store = AnswerStore("answers.db", limit_mb=500)                                      # doctest: +SKIP
    >>> store.put(key, completion, "my-model")                                               # doctest: +SKIP
    >>> await store.get([key])                                                               # doctest: +SKIP
    {b'…': Completion(…)}

One thread reads, one writes, each with a connection of its own; both take whatever has gathered at once, so that a
thousand calls cost a handful of queries. What is not yet written is answered from memory. When the file cannot be
written any more (disk full, read-only), the store says so once and goes on without writing: a cache may save work,
never cost a run.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import queue
import sqlite3
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from genrm.compiler.output import plan_output
from genrm.compiler.request import JudgeRequest
from genrm.engines.answers.file import AnswerFile, Stored
from genrm.engines.base import Completion
from genrm.engines.records import outcome_of, record_of
from genrm.errors import Fault, JudgeError, SpecError

logger = logging.getLogger("genrm")

LINGER_S = 0.005
"""How long the writer lets answers gather."""
TALLY_S = 1.0
"""How often hits are counted in the file when there is nothing else to write."""
STALE_S = 600
"""An answer's time of last use is written anew when it is older than this; finer would turn every read into a write."""
WAITING = 10_000
"""Answers that may wait for a slow disk; more are not kept."""
CLOSE_S = 30.0
MEGABYTE = 1_000_000

_PLAIN, _ZLIB = b"\x00", b"\x01"
_SMALL = 512
"""Bytes up to which compressing does not pay."""

# What a record says about its request is part of the key, so any request will do.
_ANY = JudgeRequest((), plan_output({"any": ("no", "yes")}, critique_tokens=1))


@dataclass(frozen=True, slots=True)
class _Lookup:
    keys: Sequence[bytes]
    loop: asyncio.AbstractEventLoop
    found: asyncio.Future[dict[bytes, Completion]]


class AnswerStore:
    """Answers by key, kept in a file.

    Args:
        path: of the file; made when it is not there. It has to lie on a disk of this machine, not on a network drive.
        limit_mb: megabytes (of 1,000,000 bytes) that the file may have, roughly; the answers that were not used for
            the longest time go first. None for no limit.

    Raises:
        SpecError: the file is no answer cache, or a damaged or a newer one; it is left as it is.

    A store belongs to the process that made it; a child of a fork makes another.
    """

    def __init__(self, path: str | Path, *, limit_mb: float | None = None) -> None:
        if limit_mb is not None and (isinstance(limit_mb, bool) or not limit_mb >= 1):
            raise SpecError(Fault("must be at least 1", field="cache_limit_mb", value=repr(limit_mb)))
        self.path = Path(path).expanduser()
        self._limit = None if limit_mb is None else int(limit_mb * MEGABYTE)
        self._lookups: queue.SimpleQueue[_Lookup | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waiting: dict[bytes, tuple[Completion, str]] = {}
        self._used: set[bytes] = set()
        self._hits: Counter[int] = Counter()
        self._wake = threading.Event()
        self._closing = self._told = False
        self._readable = self._writable = True
        try:
            with AnswerFile.open(self.path) as file:
                if not file.writable:
                    self._stop_writing("it is read-only")
                elif self._limit is not None:
                    file.shrink(self._limit)
        except (OSError, sqlite3.Error) as error:
            self._readable = False
            self._stop_writing(str(error).removeprefix(f"{self.path}: "))
        # Connections live in the frames of these threads alone. A forked child has the frames no more, so it can
        # never close them, which would drop the locks and fold the write-ahead file under the parent's feet.
        self._threads = [
            threading.Thread(target=self._guard, args=(work,), name="genrm-cache", daemon=True)
            for work, wanted in ((self._read, self._readable), (self._write, self._writable))
            if wanted
        ]
        for thread in self._threads:
            thread.start()

    async def get(self, keys: Sequence[bytes]) -> dict[bytes, Completion]:
        """The answers to these keys, as far as there are any."""
        with self._lock:
            found = {key: item[0] for key in keys if (item := self._waiting.get(key)) is not None}
        missing = [key for key in keys if key not in found]
        if not missing:
            return found
        loop = asyncio.get_running_loop()
        lookup = _Lookup(missing, loop, loop.create_future())
        with self._lock:
            # Under the lock, so that none comes in behind the one that ends the reader.
            if not self._readable:
                return found
            self._lookups.put(lookup)
        return found | await lookup.found

    def put(self, key: bytes, completion: Completion, model: str) -> None:
        """Keep an answer. It is written soon after, by another thread."""
        with self._lock:
            if not self._writable or self._closing or len(self._waiting) >= WAITING:
                return
            self._waiting[key] = (completion, model)
        self._wake.set()

    def close(self) -> None:
        """Write what waits, and close the file."""
        with self._lock:
            self._closing, self._readable = True, False
            self._lookups.put(None)
        self._wake.set()
        for thread in self._threads:
            thread.join(CLOSE_S)

    def _guard(self, work: Callable[[], None]) -> None:
        """Run a thread's work. Whatever breaks it ends the caching, not the run."""
        try:
            work()
        except Exception as error:
            if work == self._read:
                self._readable = False
            self._stop_writing(error)
            if work == self._read:
                self._answer_nothing()

    def _read(self) -> None:
        with AnswerFile.open(self.path) as file:
            while True:
                batch = self._gathered()
                keys = [key for lookup in batch if lookup is not None for key in lookup.keys]
                try:
                    found = self._decoded(file.get(keys)) if keys else {}
                except Exception:  # whatever it is, somebody waits for an answer
                    for lookup in batch:
                        self._lookups.put(lookup)
                    raise
                for lookup in batch:
                    if lookup is None:
                        return
                    _deliver(lookup, {key: found[key] for key in lookup.keys if key in found})

    def _gathered(self) -> list[_Lookup | None]:
        batch = [self._lookups.get()]
        while len(batch) < 256:
            try:
                batch.append(self._lookups.get_nowait())
            except queue.Empty:
                break
        return batch

    def _decoded(self, stored: dict[bytes, Stored]) -> dict[bytes, Completion]:
        found = {key: completion for key, item in stored.items() if (completion := decode(item.value)) is not None}
        stale = time.time() - STALE_S
        with self._lock:
            self._hits.update(stored[key].model for key in found)
            self._used.update(key for key in found if stored[key].used < stale)
        return found

    def _answer_nothing(self) -> None:
        """Misses for everybody who waits: without a file there are no answers."""
        while True:
            lookup = self._lookups.get()
            if lookup is None:
                return
            _deliver(lookup, {})

    def _write(self) -> None:
        with AnswerFile.open(self.path) as file:
            unmeasured = 0
            while True:
                self._wake.wait(TALLY_S)
                if not self._closing:
                    time.sleep(LINGER_S)
                self._wake.clear()
                with self._lock:
                    closing = self._closing
                    items, used, hits = dict(self._waiting), self._used, self._hits
                    self._used, self._hits = set(), Counter()
                rows = [(key, encode(completion), model) for key, (completion, model) in items.items()]
                if rows or used or hits:
                    file.put(rows, used=used, hits=hits)
                with self._lock:
                    # An answer that came in again meanwhile stays, to be written as well.
                    for key, item in items.items():
                        if self._waiting.get(key) is item:
                            del self._waiting[key]
                unmeasured += sum(len(value) for _, value, _ in rows)
                if self._limit is not None and unmeasured > self._limit // 20:
                    file.shrink(self._limit)
                    unmeasured = 0
                if closing:
                    return

    def _stop_writing(self, why: object) -> None:
        with self._lock:
            self._writable = False
            self._waiting.clear()
            if self._told:
                return
            self._told = True
        what = "new answers are not kept" if self._readable else "the run goes on without it"
        logger.warning("answer cache %s: %s: %s", self.path, why, what)


def _deliver(lookup: _Lookup, found: dict[bytes, Completion]) -> None:
    def settle() -> None:
        if not lookup.found.done():
            lookup.found.set_result(found)

    with contextlib.suppress(RuntimeError):  # the loop has been closed, so nobody waits any more
        lookup.loop.call_soon_threadsafe(settle)


def encode(completion: Completion) -> bytes:
    """A completion as it is kept: its record as JSON, compressed where that saves a fifth. Usage is not kept."""
    record: dict[str, Any] = record_of(_ANY, 0, completion)
    for name in ("id", "vote", "criteria", "usage"):
        record.pop(name, None)
    try:
        plain = orjson.dumps(record)
    except TypeError:  # half a surrogate pair, which UTF-8 cannot hold
        plain = json.dumps(record).encode()
    if len(plain) > _SMALL:
        packed = zlib.compress(plain, 1)
        if len(packed) < 0.8 * len(plain):
            return _ZLIB + packed
    return _PLAIN + plain


def decode(value: bytes) -> Completion | None:
    """The completion again; None when the bytes hold none."""
    try:
        plain = zlib.decompress(value[1:]) if value[:1] == _ZLIB else value[1:]
        try:
            record = orjson.loads(plain)
        except orjson.JSONDecodeError:
            record = json.loads(plain)
        outcome = outcome_of(record)
    except (zlib.error, ValueError, TypeError, KeyError, AttributeError):
        return None
    return None if isinstance(outcome, JudgeError) else outcome
