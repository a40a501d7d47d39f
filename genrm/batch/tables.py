"""Rows of tables: CSV (and TSV) line by line, Parquet batch by batch, JSON documents as a whole.

    >>> [item.row for item in csv_rows(io.BytesIO(b"prompt,response\\n2+2?,4\\n"))]           # doctest: +SKIP
    [{'prompt': '2+2?', 'response': '4'}]

A table has a shape of its own (a header, a schema, one document), so a fault there stops the run; a fault in one
row fails that row.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from genrm.batch.lines import MAX_LINE_BYTES, InputRow, Line, as_row, blank_rows, bounded_lines, parse_json, too_long
from genrm.errors import FileError, InputError, MissingExtraError

MAX_JSON_BYTES = 256 * 2**20
"""Largest JSON document that is loaded: 256 MiB."""

_BATCH_ROWS = 256


def csv_rows(file: BinaryIO, *, name: str, delimiter: str = ",", limit: int = MAX_LINE_BYTES) -> Iterator[InputRow]:
    """The rows of a CSV file with a header. Empty cells are null; a cell is always text.

    Raises:
        FileError: the header is missing, unreadable or names a column twice.
    """
    lines = _TextLines(file, limit)
    reader = csv.reader(lines, delimiter=delimiter)
    header: list[str] | None = None
    blanks: range | None = None
    while True:
        first = lines.number + 1
        lines.long = None
        # The limit is global to the process: set where it is used, put back at once.
        before = csv.field_size_limit(limit)
        try:
            cells = next(reader)
            fault = None
        except StopIteration:
            break
        except csv.Error as error:
            cells, fault = [], InputError(f"not valid CSV: {error}")
        finally:
            csv.field_size_limit(before)
        if lines.long is not None:
            row = too_long(lines.long, limit)
        elif fault is not None:
            row = InputRow(first, error=fault)
        elif not cells:
            blanks = range(blanks.start if blanks else first, first + 1)
            continue
        elif header is None:
            header = _header(cells, name)
            blanks = None
            continue
        else:
            row = _cells_row(first, header, cells)
        if header is None:
            raise FileError(f"{name}: the first line is no header of column names; write one, or name the --format")
        yield from blank_rows(blanks)
        blanks = None
        yield row


class _TextLines:
    """Lines as text for the csv module; bytes that are no UTF-8 stay recognisable as lone surrogates."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self.number = 0
        self.long: Line | None = None
        self._lines = bounded_lines(file, limit=limit)

    def __iter__(self) -> _TextLines:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.number = line.number
        if line.too_long:
            # An empty line in its place: the start of a cut line could open a quote that swallows the next rows.
            self.long = line
            return "\n"
        return line.data.decode(errors="surrogateescape")


def _header(cells: list[str], name: str) -> list[str]:
    columns = [cell.strip() for cell in cells]
    twice = next((column for index, column in enumerate(columns) if column in columns[:index]), None)
    if twice is not None:
        raise FileError(f"{name}: line 1: the column {twice!r} stands there twice; rename one")
    return columns


def _cells_row(number: int, header: list[str], cells: list[str]) -> InputRow:
    raw = "\x1f".join(cells).encode(errors="surrogateescape")
    if len(cells) != len(header):
        message = f"{len(cells)} cells where the header has {len(header)} columns; quote cells that hold a separator"
        return InputRow(number, error=InputError(message), raw=raw)
    try:
        raw.decode()
    except UnicodeDecodeError:
        return InputRow(number, error=InputError("the text is not UTF-8; convert the file"), raw=raw)
    return InputRow(number, {column: cell if cell else None for column, cell in zip(header, cells, strict=True)})


def parquet_rows(path: Path) -> Iterator[InputRow]:
    """The rows of a Parquet file. Raises FileError when it cannot be read, MissingExtraError without pyarrow."""
    file = open_parquet(path)
    number = 0
    try:
        for batch in file.iter_batches(batch_size=_BATCH_ROWS):
            for row in batch.to_pylist():
                number += 1
                yield InputRow(number, {key: _cell(value) for key, value in row.items()})
    except (OSError, ValueError) as error:
        raise FileError(f"{path}: row {number + 1}: the Parquet file is damaged: {error}") from None
    finally:
        file.close()


def open_parquet(path: Path) -> Any:
    """A ``pyarrow.parquet.ParquetFile``; raises like :func:`parquet_rows`."""
    try:
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError("pyarrow", "parquet", "reading Parquet") from None
    try:
        return pyarrow.parquet.ParquetFile(path)
    except (OSError, ValueError) as error:
        raise FileError(f"{path}: this is no Parquet file: {error}") from None


def _cell(value: Any) -> Any:
    # Writers that come from pandas store a missing number as NaN.
    return None if isinstance(value, float) and math.isnan(value) else value


def json_document_rows(file: BinaryIO, *, name: str, limit: int = MAX_JSON_BYTES) -> Iterator[InputRow]:
    """The rows of a JSON document: an array of objects, or an object whose ``data`` is one.

    Raises:
        FileError: it is too large, not JSON, or something else.
    """
    data = file.read(limit + 1).removeprefix(b"\xef\xbb\xbf")
    if len(data) > limit:
        raise FileError(
            f"{name}: a JSON document is loaded as a whole, up to {limit:,} bytes; convert it to JSON lines: "
            "jq -c '.[]' FILE.json > FILE.jsonl"
        )
    try:
        document = parse_json(data)
    except ValueError as error:
        hint = "; if each line is a row of its own, add --format jsonl" if data.lstrip()[:1] == b"{" else ""
        raise FileError(f"{name}: not valid JSON {error}{hint}") from None
    del data
    rows = document.get("data") if isinstance(document, dict) else document
    if not isinstance(rows, list):
        raise FileError(f'{name}: an array of rows or {{"data": [rows]}} is needed; for JSON lines add --format jsonl')
    for index, value in enumerate(rows):
        yield as_row(index + 1, value, repr(value)[:1000].encode(errors="backslashreplace"))
