"""Lines and JSON of any quality: every line becomes a row or the reason why it is none, in bounded memory.

    >>> [text.row or text.error.message for text in json_rows(io.BytesIO(b'{"a":1}\\nnope\\n'))]
    [{'a': 1}, 'not valid JSON at column 1: unexpected character, expected a JSON value']

A line longer than the limit is skipped in small pieces, so a broken file of any size costs no memory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import orjson

from genrm.errors import InputError

MAX_LINE_BYTES = 8 * 2**20
"""Longest line that is read: 8 MiB."""

_PIECE = 2**20
_BOM = b"\xef\xbb\xbf"
_LONG_NUMBER = re.compile(rb"[0-9]{19}")
_SURROGATE = "surrogate"


@dataclass(frozen=True, slots=True)
class InputRow:
    """One row of an input file.

    Attributes:
        line: 1-based line where the row begins (for Parquet and JSON arrays the 1-based number of the row).
        row: its fields; None exactly when ``error`` is set.
        error: why it cannot be read.
        raw: what identifies an unreadable row: its first bytes.
    """

    line: int
    row: dict[str, Any] | None = None
    error: InputError | None = None
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end; ``too_long`` ones hold only their first bytes."""

    number: int
    data: bytes
    too_long: bool = False


def bounded_lines(file: BinaryIO, *, limit: int = MAX_LINE_BYTES) -> Iterator[Line]:
    """The lines of a file, none longer than ``limit`` bytes; a byte order mark at the start is dropped."""
    number = 0
    while data := file.readline(limit + 2):
        number += 1
        too_long = len(data.rstrip(b"\r\n")) > limit
        if too_long:
            end = data
            while end and not end.endswith(b"\n"):
                end = file.readline(_PIECE)
            data = data[:_PIECE]
        if number == 1:
            data = data.removeprefix(_BOM)
        yield Line(number, data, too_long)


def too_long(line: Line, limit: int) -> InputRow:
    """The failed row that a line over the limit becomes."""
    message = f"the line is longer than {limit:,} bytes; rows of this size are not judged"
    return InputRow(line.number, error=InputError(message), raw=line.data)


def json_rows(file: BinaryIO, *, limit: int = MAX_LINE_BYTES) -> Iterator[InputRow]:
    """The rows of a JSONL file. A blank line is a failed row, except where nothing but blank lines follows."""
    blanks: range | None = None
    for line in bounded_lines(file, limit=limit):
        if not line.too_long and not line.data.strip():
            blanks = range(blanks.start if blanks else line.number, line.number + 1)
            continue
        yield from blank_rows(blanks)
        blanks = None
        yield too_long(line, limit) if line.too_long else _parse(line)


def blank_rows(numbers: range | None) -> Iterator[InputRow]:
    """One failed row for each blank line."""
    for number in numbers or ():
        yield InputRow(number, error=InputError("the line is blank; remove it or write a row there"))


def _parse(line: Line) -> InputRow:
    data = line.data.rstrip(b"\r\n")
    try:
        value = parse_json(data)
    except ValueError as error:
        return InputRow(line.number, error=InputError(f"not valid JSON {error}"), raw=data)
    return as_row(line.number, value, data)


def as_row(number: int, value: Any, raw: bytes = b"") -> InputRow:
    """The row that a JSON value is, which has to be an object."""
    if isinstance(value, dict):
        return InputRow(number, value)
    kind = {list: "a list", str: "a text", type(None): "null"}.get(type(value), f"the value {value!r:.40}")
    message = f'a row is an object like {{"prompt": …, "response": …}}, found {kind}'
    return InputRow(number, error=InputError(message), raw=raw)


def parse_json(data: bytes) -> Any:
    """Parse strict JSON: no NaN or Infinity, whole numbers exact at any size, lone surrogates kept.

    Raises:
        ValueError: the message says the place and the reason ("at column 17: …").
    """
    try:
        if not _LONG_NUMBER.search(data):
            return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if _SURROGATE not in error.msg or "UTF-8" in error.msg:
            raise ValueError(_reason(data, error)) from None
    # orjson rounds whole numbers over 64 bits and refuses texts that were cut inside an emoji; both are real data.
    try:
        return json.loads(data, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise ValueError(f"at column {error.colno}: {error.msg}") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"at byte {error.start + 1}: the text is not UTF-8") from None
    except RecursionError:
        raise ValueError("that can be read: it is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"that can be read: {error}") from None


def _reason(data: bytes, error: orjson.JSONDecodeError) -> str:
    if "UTF-8" in error.msg:
        try:
            data.decode()
        except UnicodeDecodeError as found:
            return f"at byte {found.start + 1}: the text is not UTF-8; convert the file"
    if data[error.pos :].lstrip(b"-").startswith((b"NaN", b"Infinity")):
        return f"at column {error.colno}: NaN and Infinity are not JSON; write null"
    place = f"at line {error.lineno}, column {error.colno}" if error.lineno > 1 else f"at column {error.colno}"
    return f"{place}: {error.msg}"


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON; write null")
