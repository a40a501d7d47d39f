"""Second tries of failed rows: written beside the output file, swapped in at once when all are there.

    >>> retries = Retries(Path("out.jsonl"))                                                 # doctest: +SKIP
    >>> retries.append(row); retries.merge()                                                 # doctest: +SKIP

Until :meth:`Retries.merge` the output file is untouched; a run that is killed goes on with what ``OUT.retry`` has.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from genrm.batch.journal import GOES_ON, encode, lock, write_all
from genrm.batch.lines import parse_json
from genrm.errors import FileError


def retry_path(output: Path) -> Path:
    """``OUT.retry``: the new rows until they are swapped in."""
    return output.with_name(output.name + ".retry")


class Retries:
    """New rows for input lines that are in the output file already; needs one dictionary entry for each.

    The caller holds the lock of the output file.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self.path = retry_path(output)
        self._offsets: dict[int, int] = {}
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise FileError(f"{self.path}: cannot be written: {error.strerror}") from None
        self._end = 0
        with self.path.open("rb") as file:
            for data in file:
                if not data.endswith(b"\n"):
                    os.ftruncate(self._fd, self._end)
                    break
                self._offsets[parse_json(data)["line"]] = self._end
                self._end += len(data)

    def forget(self, wrong: Callable[[dict[str, Any]], bool]) -> None:
        """Leave out new rows that an earlier, other run wrote."""
        for line in [line for line in self._offsets if (row := self.get(line)) and wrong(row)]:
            del self._offsets[line]

    def get(self, line: int) -> dict[str, Any] | None:
        """The new row of an input line, if it has one."""
        data = self._read(line)
        return None if data is None else parse_json(data)

    def append(self, row: Mapping[str, Any]) -> None:
        """Add the new row of an input line."""
        data = encode(row)
        write_all(self._fd, data, str(self.path), hint=GOES_ON)
        self._offsets[row["line"]] = self._end
        self._end += len(data)

    def merge(self, wanted: Callable[[dict[str, Any]], bool]) -> int | None:
        """Put the new rows into the output file in one atomic step.

        Args:
            wanted: which old rows give way.

        Returns:
            The descriptor of the file that took the old one's place, locked; None when there are no new rows.
        """
        if not self._offsets:
            self.path.unlink()
            return None
        new = self.output.with_name(self.output.name + ".new")
        fd = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            lock(fd)
            with self.output.open("rb") as old, os.fdopen(os.dup(fd), "wb") as file:
                for data in old:
                    row = parse_json(data)
                    instead = self._read(row["line"]) if wanted(row) else None
                    file.write(data if instead is None else instead)
            os.fsync(fd)
            new.replace(self.output)
        except OSError as error:
            os.close(fd)
            raise FileError(f"{new}: cannot be written: {error.strerror}{GOES_ON}") from None
        self.path.unlink()
        return fd

    def close(self) -> None:
        """Close the file of new rows; it stays until it is merged."""
        os.close(self._fd)

    def _read(self, line: int) -> bytes | None:
        offset = self._offsets.get(line)
        if offset is None:
            return None
        data = b""
        while not data.endswith(b"\n"):
            data += os.pread(self._fd, 2**16, offset + len(data))
            end = data.find(b"\n")
            data = data if end < 0 else data[: end + 1]
        return data
