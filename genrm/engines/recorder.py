"""The recorder: an engine around any engine that writes down every answer, for ``replay:FILE`` to give again.

    >>> engine = RecordingEngine(open_engine("tiny"), "records.jsonl")                       # doctest: +SKIP
    >>> completions = await engine.complete(request)                                         # doctest: +SKIP

One JSON line per answer, in the form of :mod:`genrm.engines.records`, is handed to the operating system before the
answer is handed on: what a killed run has judged, it has recorded. A resumed run asks again for the rows that were
under way. Of an answer that is there twice the later one counts; the earlier one is taken out when the file is next
opened or closed. A process holds a lock on the file as long as it records.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from genrm.compiler.request import JudgeRequest
from genrm.engines.base import Completion, Engine
from genrm.engines.records import HEADER, header_of, record_of
from genrm.engines.wrapper import Wrapper
from genrm.errors import Fault, JudgeError, RunStoppedError, SpecError

Keys = npt.NDArray[np.uint64]

_BEGIN = f'{{"{HEADER}":'.encode()


class RecordingEngine(Wrapper):
    """An engine whose answers, and the errors in their place, are written down. Its other attributes are found here.

    Args:
        engine: what answers.
        path: of the recording; a file that is there is continued.
        anew: or begun anew, once it is known to be a recording that nobody else writes.

    Raises:
        SpecError: the file is no recording of this engine and model, another process writes it, or it cannot be
            written. Raised by :meth:`start`, which has to be awaited first: an engine knows only then what it is.
    """

    def __init__(self, engine: Engine, path: str | Path, *, anew: bool = False) -> None:
        super().__init__(engine)
        self._anew = anew
        self.path = Path(path).expanduser()
        self._file: _Recording | None = None

    async def start(self) -> None:
        """Start the engine, where it has something to start, and open the file."""
        if (start := getattr(self.engine, "start", None)) is not None:
            await start()
        self.open()

    def open(self) -> None:
        """Open the file, for an engine that has been started."""
        self._file, self._anew = _Recording(self.path, header_of(self), anew=self._anew), False

    async def complete(self, request: JudgeRequest) -> list[Completion | JudgeError]:
        """What the engine answers, written down.

        Raises:
            JudgeError: no seed has a completion; recorded for each of them.
            RunStoppedError: the file cannot be written any more.
        """
        file = self._opened()
        try:
            outcomes = await self.engine.complete(request)
        except JudgeError as error:
            self.note_failure(request, error)
            raise
        file.append(record_of(request, index, outcome) for index, outcome in enumerate(outcomes))
        return outcomes

    def note_failure(self, request: JudgeRequest, error: JudgeError) -> None:
        """Write down why a request has no answer. For callers that gave it up themselves, at its deadline, say.

        Raises:
            RunStoppedError: the file cannot be written any more.
        """
        self._opened().append(record_of(request, index, error) for index in range(len(request.seeds)))

    def _opened(self) -> _Recording:
        if self._file is None:
            raise RuntimeError("the recording is not open: await start() first")
        return self._file

    async def release(self) -> None:
        """Close the file; the engine stays open."""
        file, self._file = self._file, None
        try:
            if file is not None:
                file.close()
        finally:
            if (release := getattr(self.engine, "release", None)) is not None:
                await release()

    async def aclose(self) -> None:
        """Close the file and the engine."""
        await self.release()
        await self.engine.aclose()


class _Recording:
    """A recording that is open for appending and locked; at 8 bytes of memory for each answer that was there."""

    def __init__(self, path: Path, header: dict[str, Any], *, anew: bool = False) -> None:
        self.path = path
        self._fd = _open_locked(path)
        self._superseded = False
        try:
            _check(path)  # before anything is changed
            if anew:
                os.ftruncate(self._fd, 0)
            self._repair()
            if os.fstat(self._fd).st_size == 0:
                self._write(_line(header))
            self._before = self._keys(header)
        except BaseException:
            os.close(self._fd)
            raise
        if len(np.unique(self._before)) < len(self._before):
            self._compact()
        self._before.sort()

    def append(self, records: Iterator[dict[str, Any]]) -> None:
        """Add records; when this returns the operating system has them."""
        lines = b""
        for record in records:
            place = np.searchsorted(self._before, key := _key(record))
            self._superseded |= bool(place < len(self._before) and self._before[place] == key)
            lines += _line(record)
        self._write(lines)

    def close(self) -> None:
        """Take out what was answered again, and give up the lock."""
        try:
            if self._superseded:
                self._compact()
        finally:
            os.close(self._fd)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            raise RunStoppedError(
                f"{self.path}: the recording cannot be written: {error.strerror}; what is written stays, and the same "
                "command goes on from there"
            ) from None

    def _repair(self) -> None:
        """Cut off a last line that was not written whole."""
        size = end = os.fstat(self._fd).st_size
        while end and (tail := os.pread(self._fd, min(end, 1 << 16), max(0, end - (1 << 16)))):
            newline = tail.rfind(b"\n")
            if newline >= 0:
                end += newline + 1 - len(tail)
                break
            end -= len(tail)
        if end < size:
            os.ftruncate(self._fd, end)

    def _keys(self, header: dict[str, Any] | None = None) -> Keys:
        """The key of every record, in the order of the file; compares its first line with ``header`` on the way."""
        keys = []
        with self.path.open("rb") as file:
            before = _parsed(file.readline())
            if header is not None and before is not None and before != _parsed(_line(header)):
                theirs, ours = (f"{head.get('engine')} {head.get('model')}" for head in (before, header))
                raise _fault(self.path, f"is a recording of {theirs}, not of {ours}", "record to another file")
            for number, data in enumerate(file, start=2):
                record = _parsed(data)
                if record is None or "id" not in record:
                    raise _fault(self.path, f"line {number} is no record", "name another file, or correct the line")
                keys.append(_key(record))
        return np.array(keys, dtype=np.uint64)

    def _compact(self) -> None:
        """Keep the last record of each answer: a new file takes this one's place, locked before it does.

        Where there is no room for it, or no right to make it, the file stays as it is: a replay reads the last ones.
        """
        keys = self._keys()
        _, last = np.unique(keys[::-1], return_index=True)
        kept = np.zeros(len(keys), dtype=bool)
        kept[len(keys) - 1 - last] = True
        fresh, fd = self.path.with_name(self.path.name + ".new"), None
        try:
            fresh.unlink(missing_ok=True)
            fd = _open_locked(fresh)
            with self.path.open("rb") as old, fresh.open("wb") as new:
                new.write(old.readline())
                new.writelines(line for line, keep in zip(old, kept, strict=True) if keep)
            fresh.replace(self.path)
        except (OSError, SpecError):
            if fd is not None:
                os.close(fd)
                fresh.unlink(missing_ok=True)
            return
        os.close(self._fd)
        self._fd, self._superseded = fd, False


def _check(path: Path) -> None:
    """Raises SpecError for a file that is neither empty nor a recording, also one whose first line was cut."""
    with path.open("rb") as file:
        first = file.readline()
    if not (_is_header(_parsed(first)) if first.endswith(b"\n") else first[: len(_BEGIN)] == _BEGIN[: len(first)]):
        raise _fault(path, "is no recording of genrm", "name another file; this one is left as it is")


def _open_locked(path: Path) -> int:
    try:
        fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise _fault(path, f"cannot be written ({error.strerror})", "name a file in a folder that exists") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        fix = "record each judge, and each run, to a file of its own"
        raise _fault(path, "is being written by another judge or process", fix) from None
    # Who wrote it until now may have put a new file in its place, and the lock of the old one is worth nothing.
    if not path.exists() or not os.path.samestat(os.fstat(fd), path.stat()):
        os.close(fd)
        return _open_locked(path)
    return fd


def _line(record: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(record) + b"\n"
    except TypeError:  # half a surrogate pair, which UTF-8 cannot hold
        return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line) if b"\\ud" in line.lower() else orjson.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _is_header(record: dict[str, Any] | None) -> bool:
    return record is not None and HEADER in record


def _key(record: dict[str, Any]) -> np.uint64:
    """What makes two records one answer: sample, vote and criteria."""
    about = json.dumps([record["id"], record.get("vote", 0), record.get("criteria")]).encode()
    return np.uint64(int.from_bytes(hashlib.blake2b(about, digest_size=8).digest(), "big"))


def _fault(path: Path, message: str, fix: str) -> SpecError:
    return SpecError(Fault(message, field="record", value=str(path), fix=fix))
