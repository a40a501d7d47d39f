"""Where output rows go: a journal file that can be gone on with, or a stream that cannot.

>>> check_output("-", source) is None                                                    # doctest: +SKIP
True
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from genrm.batch.journal import encode, write_all
from genrm.batch.readers import Source
from genrm.errors import FileError

_OTHER_FORMATS = (".csv", ".tsv", ".parquet", ".gz", ".xlsx")


class Sink(Protocol):
    """Takes output rows."""

    def append(self, row: Mapping[str, Any]) -> None:
        """Hand one row to the operating system."""


class StreamSink:
    """Standard output, a pipe or a device: rows are gone once written."""

    def __init__(self, path: Path | None) -> None:
        self._name = "standard output" if path is None else str(path)
        self._buffer: BinaryIO | None = None
        try:
            # The descriptor, because what a broken pipe leaves in Python's own buffer fails once more at exit.
            self._fd = os.dup(sys.stdout.fileno()) if path is None else os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        except io.UnsupportedOperation:
            self._fd, self._buffer = -1, sys.stdout.buffer
        except OSError as error:
            raise FileError(f"{self._name}: cannot be written: {error.strerror}") from None

    def __enter__(self) -> StreamSink:
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    def append(self, row: Mapping[str, Any]) -> None:
        """Write one row."""
        if self._buffer is None:
            write_all(self._fd, encode(row), self._name)
        else:
            self._buffer.write(encode(row))


def check_output(output: str, source: Source) -> Path | None:
    """The path of the output file, links resolved; None for standard output.

    Raises:
        FileError: rows cannot be written there.
    """
    if output == "-":
        return None
    path = Path(output)
    if path.is_dir():
        raise FileError(f"{output}: this is a folder; name a file in it, for example {path / 'out.jsonl'}")
    if path.suffix.lower() in _OTHER_FORMATS:
        raise FileError(f"{output}: rows are written as JSON lines; name the file .jsonl")
    if not path.parent.is_dir():
        raise FileError(f"{output}: there is no folder {path.parent}; create it with mkdir -p {path.parent}")
    if source.path is not None and path.exists() and source.path.samefile(path):
        raise FileError(f"{output}: input and output are the same file; write to another one")
    return path.resolve()
