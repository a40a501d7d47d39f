"""The output file as a journal: rows are appended whole, a cut last one is repaired, strangers are refused.

    >>> with Journal.open(Path("out.jsonl"), manifest) as journal:                            # doctest: +SKIP
    ...     for done in journal.finished(): ...
    ...     journal.append(row)

What belongs to the run stands beside it in ``OUT.run.json``, written once when the run begins. A process holds a
lock on the file as long as it writes.
"""

from __future__ import annotations

import fcntl
import json
import os
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from genrm.batch.lines import parse_json
from genrm.errors import FileError, ResumeError

Manifest = Mapping[str, Any]

GOES_ON = "; what is written stays, and the same command goes on from there"
RESTART = "add --restart to start over (it overwrites {path}), or write to another file"


@dataclass(frozen=True, slots=True)
class Finished:
    """An output row that is there already: its input line and digest, and whether it is to be judged again."""

    line: int
    digest: str
    again: bool = False


def manifest_path(output: Path) -> Path:
    """``OUT.run.json``: what the run is that wrote OUT."""
    return output.with_name(output.name + ".run.json")


def encode(row: Mapping[str, Any]) -> bytes:
    """An output row as one line; lone surrogates, which UTF-8 cannot hold, are written as escapes."""
    try:
        return orjson.dumps(row) + b"\n"
    except TypeError:
        return json.dumps(row, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def write_all(fd: int, data: bytes, name: str, *, hint: str = "") -> None:
    """Hand bytes to the operating system, all of them; raises FileError when the disk is full or gone."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FileError(f"{name}: cannot be written: {error.strerror}{hint}") from None


class Journal:
    """An output file that is open for appending and locked. Build it with :meth:`open`.

    Attributes:
        rows: how many rows were there when it was opened.
        repaired: a last row that was not written whole has been cut off.
    """

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.rows = 0
        self.repaired = False
        self._fd = fd
        self._ascending = True
        self._last = 0

    @classmethod
    def open(
        cls,
        path: Path,
        manifest: Manifest,
        *,
        restart: bool = False,
        visit: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> Journal:
        """Open or create an output file; ``visit`` gets each row that is there already.

        Args:
            path: the output file.
            manifest: what this run is; its ``decides`` has to equal that of the run that began the file.
            restart: throw away what is there.

        Raises:
            ResumeError: the file belongs to another command, or no run of genrm wrote it, or it is being written.
            FileError: the file cannot be written.
        """
        journal = cls(path, _open_locked(path))
        try:
            if restart:
                os.ftruncate(journal._fd, 0)
            if os.fstat(journal._fd).st_size == 0:
                _write_manifest(path, manifest)
            else:
                _compare(path, manifest)
                journal._scan(visit)
        except BaseException:
            journal.close()
            raise
        return journal

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give up the lock."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def append(self, row: Mapping[str, Any]) -> None:
        """Add one row; when this returns the operating system has it, so killing the process cannot lose it."""
        write_all(self._fd, encode(row), str(self.path), hint=GOES_ON)

    def adopt(self, fd: int) -> None:
        """Hold on to the descriptor, locked, of the file that took this one's place."""
        os.close(self._fd)
        self._fd = fd

    @property
    def ascending(self) -> bool:
        """Whether the rows that were there stand in input order."""
        return self._ascending

    def finished(self, again: Callable[[dict[str, Any]], bool] = lambda _: False) -> Iterator[Finished]:
        """The rows that were there when the file was opened, by input line.

        ``again`` says which of them are to be judged once more. In a file in input order this reads as it goes; else
        it needs 17 bytes of memory a row.

        Raises:
            ResumeError: two rows have the same line.
        """
        if self._ascending:
            for row in read_rows(self.path, limit=self.rows):
                yield Finished(row["line"], row["judge"]["input"], again(row))
            return
        lines, digests, repeats = array("q"), array("Q"), bytearray()
        for row in read_rows(self.path, limit=self.rows):
            lines.append(row["line"])
            digests.append(int(row["judge"]["input"].removeprefix("sha256:"), 16))
            repeats.append(again(row))
        previous = 0
        for index in np.argsort(np.frombuffer(lines, dtype=np.int64), kind="stable"):
            if lines[index] == previous:
                raise ResumeError(f"{self.path}: two rows for input line {previous}; {RESTART.format(path=self.path)}")
            previous = lines[index]
            yield Finished(previous, f"sha256:{digests[index]:016x}", bool(repeats[index]))

    def _scan(self, visit: Callable[[dict[str, Any]], None]) -> None:
        """Check every row, and cut off a last one that was not written whole."""
        end = 0
        with self.path.open("rb") as file:
            for number, data in enumerate(file, start=1):
                row = _row(data)
                if row is None:
                    if end + len(data) < os.fstat(self._fd).st_size:
                        raise ResumeError(
                            f"{self.path}:{number}: this is no output row of genrm, but rows follow it; "
                            + RESTART.format(path=self.path)
                        )
                    os.ftruncate(self._fd, end)
                    self.repaired = True
                    break
                visit(row)
                end += len(data)
                self.rows += 1
                self._ascending = self._ascending and row["line"] > self._last
                self._last = row["line"]


def read_rows(path: Path, *, limit: int | None = None) -> Iterator[dict[str, Any]]:
    """The first ``limit`` rows of an output file that has been checked."""
    with path.open("rb") as file:
        for number, data in enumerate(file):
            if limit is not None and number >= limit:
                return
            yield parse_json(data)


def _row(data: bytes) -> dict[str, Any] | None:
    """An output row, or None for anything else (half a line above all)."""
    if not data.endswith(b"\n"):
        return None
    try:
        row = parse_json(data)
        whole = isinstance(row["line"], int) and row["line"] > 0 and int(row["judge"]["input"][7:], 16) < 2**64
        return row if whole and {"id", "status", "reward", "error"} <= row.keys() else None
    except (ValueError, KeyError, TypeError):
        return None


def _open_locked(path: Path) -> int:
    """Open for appending and lock; a file that was replaced in between is opened anew."""
    while True:
        try:
            fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise FileError(f"{path}: cannot be written: {error.strerror}") from None
        try:
            lock(fd)
            if os.fstat(fd).st_ino == os.stat(path).st_ino:
                return fd
        except BlockingIOError:
            os.close(fd)
            raise ResumeError(f"{path}: another process is writing this file; wait for it or write elsewhere") from None
        except FileNotFoundError:
            pass
        os.close(fd)


def lock(fd: int) -> None:
    """Lock an open file against other processes until it is closed; raises BlockingIOError when one has it."""
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _write_manifest(path: Path, manifest: Manifest) -> None:
    target = manifest_path(path)
    new = target.with_name(target.name + ".new")
    new.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
    new.replace(target)


def _compare(path: Path, manifest: Manifest) -> None:
    """Raise ResumeError unless the run that began the file decides like this one."""
    beside = manifest_path(path)
    try:
        before = json.loads(beside.read_text())["decides"]
    except FileNotFoundError:
        raise ResumeError(
            f"{path}: the file exists and {beside.name} does not stand beside it, so it is not known which command "
            f"wrote it; {RESTART.format(path=path)}"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise ResumeError(f"{beside}: the file is damaged; {RESTART.format(path=path)}") from None
    now = json.loads(json.dumps(manifest["decides"]))
    changes = [
        f"{name}: {_shown(before.get(name))} → {_shown(now.get(name))}"
        for name in dict.fromkeys([*before, *now])
        if before.get(name) != now.get(name)
    ]
    if changes:
        raise ResumeError(
            f"{path} was begun by another command, and going on would mix two runs. Changed: "
            + "; ".join(changes)
            + f". Fix: {RESTART.format(path=path)}"
        )


def _shown(value: Any) -> str:
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
