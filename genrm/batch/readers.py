"""Where input rows come from: a file of a known format, or standard input.

    >>> source = open_source("answers.jsonl")                                                # doctest: +SKIP
    >>> for item in source.rows(): ...                                                       # doctest: +SKIP

The format follows from the suffix (``.jsonl .ndjson .json .csv .tsv .parquet``, JSON lines also with ``.gz``) or is
named. Rows are read as they are asked for.
"""

from __future__ import annotations

import gzip
import io
import os
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, cast, get_args

from genrm.batch.lines import InputRow, json_rows
from genrm.batch.tables import csv_rows, json_document_rows, open_parquet, parquet_rows
from genrm.errors import FileError

Format = Literal["jsonl", "json", "csv", "tsv", "parquet"]
FORMATS: tuple[str, ...] = get_args(Format)

_SUFFIXES: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".jsonl.gz": "jsonl",
    ".ndjson.gz": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
_COUNTED_BYTES = 4 * 2**30


@dataclass(frozen=True)
class Source:
    """Rows to be read; :meth:`rows` starts from the beginning each time unless ``path`` is None (standard input)."""

    name: str
    format: Format
    path: Path | None

    @property
    def seekable(self) -> bool:
        """Whether the rows can be read more than once, and without waiting for a writer."""
        return self.path is not None and self.path.is_file()

    def rows(self) -> Iterator[InputRow]:
        """All rows, in order; what is wrong with one is in its ``error``.

        Raises:
            FileError: the file as a whole cannot be read any further.
            MissingExtraError: the format needs a package that is not there.
        """
        if self.format == "parquet":
            if self.path is None:
                raise FileError("Parquet cannot be read from standard input; write it to a file")
            yield from parquet_rows(self.path)
            return
        try:
            with self._open() as file:
                yield from self._parsed(file)
        except (EOFError, zlib.error, OSError) as error:
            raise FileError(f"{self.name}: cannot be read any further: {error}") from None

    def _parsed(self, file: BinaryIO) -> Iterator[InputRow]:
        match self.format:
            case "json":
                return json_document_rows(file, name=self.name)
            case "csv":
                return csv_rows(file, name=self.name)
            case "tsv":
                return csv_rows(file, name=self.name, delimiter="\t")
            case _:
                return json_rows(file)

    def _open(self) -> BinaryIO:
        if self.path is None:
            try:
                # A reader of its own: Python ends badly while a thread waits inside the one of sys.stdin.
                return cast(BinaryIO, open(sys.stdin.fileno(), "rb", closefd=False))
            except io.UnsupportedOperation:
                return cast(BinaryIO, io.BytesIO(sys.stdin.buffer.read()))
        if self.path.name.endswith(".gz"):
            return cast(BinaryIO, gzip.open(self.path, "rb"))
        return self.path.open("rb")

    def count(self) -> int | None:
        """The number of rows where that is cheap to know, for progress alone."""
        if self.path is None or not self.seekable or self.path.name.endswith(".gz"):
            return None
        if self.format == "parquet":
            file = open_parquet(self.path)
            with file:
                return int(file.metadata.num_rows)
        if self.format != "jsonl" or self.path.stat().st_size > _COUNTED_BYTES:
            return None
        count, last = 0, b"\n"
        with self.path.open("rb") as file:
            while piece := file.read(2**20):
                count += piece.count(b"\n")
                last = piece[-1:]
        return count + (last != b"\n")


def open_source(path: str, format: str | None = None) -> Source:
    """The source that a command line names; ``-`` is standard input, read as JSON lines.

    Raises:
        FileError: there is no such file, it cannot be read, or its format is not known.
    """
    known = ", ".join(FORMATS)
    if format is not None and format not in FORMATS:
        raise FileError(f"--format: one of {known} is needed, found {format!r}")
    if path == "-":
        return Source("standard input", cast(Format, format or "jsonl"), None)
    file = Path(path)
    if file.is_dir():
        raise FileError(f"{path}: this is a folder; name one file of rows in it")
    if not file.exists():
        raise FileError(f"{path}: there is no such file{_nearby(file)}")
    if not os.access(file, os.R_OK):
        raise FileError(f"{path}: you may not read this file; see ls -l {path}")
    found = format or _format_of(file.name)
    if found is None:
        shown = "".join(file.suffixes[-2:])
        why = f"the suffix {shown} does not name a format" if shown else "there is no suffix that names the format"
        raise FileError(f"{path}: {why}; add --format with one of {known}")
    return Source(path, cast(Format, found), file)


def _format_of(name: str) -> Format | None:
    return next((found for suffix, found in _SUFFIXES.items() if name.lower().endswith(suffix)), None)


def _nearby(file: Path) -> str:
    """Names in the same folder that the missing one may be a slip of."""
    import difflib

    if not file.parent.is_dir():
        return f" (there is no folder {file.parent} either)"
    names = [entry.name for entry in file.parent.iterdir() if entry.is_file()]
    close = difflib.get_close_matches(file.name, names, n=1)
    return f"; did you mean {file.parent / close[0]}?" if close else ""
