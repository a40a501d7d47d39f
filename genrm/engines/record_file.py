"""A file of recorded outputs, opened once and read record by record: an index of places, never the whole file.

    >>> file = RecordFile(Path("records.jsonl"))                                             # doctest: +SKIP
    >>> file.find("7", 0, ["correct"])["text"]                                               # doctest: +SKIP
    '{"critique":"It is 4.","label":"yes"}'

The index is a sorted array of 64-bit hashes beside the places of their records, 25 bytes for each; a hash only leads
to a record, and what the record itself says decides. Every line is checked when the file is opened.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import tempfile
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import orjson

from genrm.engines.records import HEADER, VERSION, capabilities_of
from genrm.errors import Fault, SpecError, excerpt
from genrm.specs.json_path import value_at

MAX_FAULTS = 20
"""So many wrong lines are named; a file with more of them is no file of records."""

Names = tuple[str, int, list[str] | None]
"""What a record answers for: sample, vote, criteria (None for all that are asked)."""


class RecordFile:
    """The records of a ``.jsonl``, ``.jsonl.gz`` or ``.json`` file.

    Args:
        paths: our field to the place of its value, for files whose records have no ``text`` of their own.

    Attributes:
        header: the first line of a recording of ours; None in other files.
        fingerprint: 12 hexadecimal digits over the content.
        probabilities: some record shows label or token probabilities.
        alone: every record answers for a single criterion.

    Raises:
        SpecError: the file cannot be read, a line is no record, or two say different things about the same.
    """

    def __init__(self, path: Path, paths: Mapping[str, str] | None = None) -> None:
        self.path = path
        self.header: Mapping[str, Any] | None = None
        self.probabilities = False
        self._paths = dict(paths or {})
        self._portions: set[int] = set()
        self._file = _open(path)
        digest = hashlib.sha256()
        self._keys, self._offsets, self._lines = self._index(digest.update)
        self.fingerprint = digest.hexdigest()[:12]
        self.alone = self._portions == {1}
        self._used = np.zeros(len(self._keys), dtype=bool)

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def unused(self) -> int:
        """Records that were never found."""
        return len(self) - int(np.count_nonzero(self._used))

    def find(self, sample: str, vote: int, criteria: Sequence[str]) -> dict[str, Any] | None:
        """The record for exactly these criteria, else the one that names none; None when there is neither."""
        for wanted in ((sample, vote, list(criteria)), (sample, vote, None)):
            key = np.uint64(_key(wanted))
            first = int(np.searchsorted(self._keys, key, side="left"))
            last = int(np.searchsorted(self._keys, key, side="right"))
            for index in range(first, last):
                record = self._record(index)
                if _names(record) == wanted:
                    self._used[index] = True
                    return record
        return None

    def close(self) -> bool:
        """Close the file; False when it was closed already."""
        was_open = not self._file.closed
        self._file.close()
        return was_open

    def _record(self, index: int) -> dict[str, Any]:
        self._file.seek(int(self._offsets[index]))
        return self._mapped(_parsed(self._file.readline()), int(self._lines[index]))

    def _mapped(self, record: dict[str, Any], line: int) -> dict[str, Any]:
        """A record under our names. Without a place for ``id``, records stand in the order of the rows."""
        if not self._paths or "text" in record or "error" in record:
            return record
        found = {field: value_at(record, path) for field, path in self._paths.items()}
        return {"id": line - 1, **{field: value for field, value in found.items() if value is not None}}

    def _index(self, feed: Any) -> tuple[Any, Any, Any]:
        """Keys in ascending order, and where the record of each stands: offset and line."""
        columns = [array("Q") for _ in range(4)]
        faults: list[Fault] = []
        for line, offset, text in self._numbered():
            feed(text)
            if not text.strip() or len(faults) == MAX_FAULTS:
                continue
            try:
                record = _parsed(text)
                if HEADER in record:
                    self._take_header(record)
                    continue
                record = self._mapped(record, line)
                self._check(record)
            except _FaultyError as fault:
                faults.append(Fault(str(fault), str(self.path), line, fix=fault.fix))
                continue
            for column, value in zip(columns, (_key(_names(record)), offset, line, _content(record)), strict=True):
                column.append(value)
        if not columns[0] and not faults:
            faults.append(Fault("holds no recorded output", str(self.path), fix="give a file of records"))
        if faults:
            raise SpecError(faults)
        order = np.argsort(np.asarray(columns[0], dtype=np.uint64), kind="stable")
        keys, self._offsets, self._lines, contents = (np.asarray(c, dtype=np.uint64)[order] for c in columns)
        kept = self._without_doubles(keys, contents)
        return keys[kept], self._offsets[kept], self._lines[kept]

    def _without_doubles(self, keys: Any, contents: Any) -> Any:
        """Which records to keep: of several about the same that say the same, the first.

        A recording that went on after a crash has such doubles. Where they differ, none is to be preferred.
        """
        kept = np.ones(len(keys), dtype=bool)
        faults: list[Fault] = []
        first = 0
        for index in map(int, np.flatnonzero(keys[1:] == keys[:-1]) + 1):
            first = index - 1 if keys[first] != keys[index] else first
            named = _names(self._record(index))
            if _names(self._record(first)) != named:
                continue  # two names with one hash
            kept[index] = False
            if contents[index] != contents[first] and len(faults) < MAX_FAULTS:
                message = (
                    f"says something else about sample {named[0]!r}, vote {named[1]} than line {self._lines[first]}"
                )
                fix = "keep one of them, or number the votes of a row: vote 0, 1, …"
                faults.append(Fault(message, str(self.path), int(self._lines[index]), fix=fix))
        if faults:
            raise SpecError(faults)
        return kept

    def _numbered(self) -> Iterator[tuple[int, int, bytes]]:
        offset = 0
        self._file.seek(0)
        for line, text in enumerate(self._file, start=1):
            yield line, offset, text
            offset += len(text)

    def _check(self, record: Mapping[str, Any]) -> None:
        """Raise _FaultyError unless the record says what it answers for, and what was said."""
        sample, vote, criteria = record.get("id"), record.get("vote", 0), record.get("criteria")
        if "error" not in record and not isinstance(record.get("text"), str):
            raise _FaultyError(
                "has no field 'text'", "add the judge's output, or give a --format that says where it is"
            )
        if isinstance(sample, bool) or not isinstance(sample, (str, int)):
            raise _FaultyError(f"id is {excerpt(sample)}, no text and no whole number", "add the id of the row")
        if isinstance(vote, bool) or not isinstance(vote, int) or vote < 0:
            raise _FaultyError(f"vote is {excerpt(vote)}, no number from 0", "number the votes of a row 0, 1, …")
        if criteria is not None and not (isinstance(criteria, list) and all(isinstance(c, str) for c in criteria)):
            raise _FaultyError(f"criteria is {excerpt(criteria)}, no list of ids", "write [ID, …], or leave it out")
        self.probabilities = self.probabilities or bool(record.get("slots") or record.get("logprobs"))
        self._portions.add(len(criteria or ()))

    def _take_header(self, header: Mapping[str, Any]) -> None:
        if header[HEADER] != VERSION:
            raise _FaultyError(f"begins a recording of version {header[HEADER]!r}", "record it again")
        if self.header is not None and header != self.header:
            raise _FaultyError("begins the recording of another judge", "keep recordings of two judges apart")
        try:
            capabilities_of(header)
        except (KeyError, TypeError):
            raise _FaultyError("is no first line of a recording", "record it again, or remove the line") from None
        self.header = header


class _FaultyError(Exception):
    """A line is no record; what to do about it is in ``fix``."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.fix = fix


def _open(path: Path) -> BinaryIO:
    """The records as lines that can be read anywhere; packed files are unpacked into a nameless one."""
    if not path.is_file():
        raise SpecError(Fault("there is no such file of recorded outputs", str(path), fix="check replay:FILE"))
    try:
        if path.name.endswith(".gz"):
            with gzip.open(path, "rb") as packed:
                return _spooled(packed)
        if path.suffix.lower() == ".json":
            data = orjson.loads(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
            if not isinstance(data, list):
                raise SpecError(Fault("a list of records is needed", str(path), fix="write [{…}, …], or use .jsonl"))
            return _spooled(orjson.dumps(item, option=orjson.OPT_APPEND_NEWLINE) for item in data)
        return path.open("rb")
    except (OSError, EOFError, ValueError) as error:
        raise SpecError(Fault(f"cannot be read: {error}", str(path), fix="check the file")) from None


def _spooled(lines: Any) -> BinaryIO:
    file = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115 (closed by RecordFile)
    file.writelines(lines)
    return file


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        record = orjson.loads(line)
    except ValueError:
        try:
            record = json.loads(line)  # half surrogate pairs, which judges can write
        except ValueError as error:
            raise _FaultyError(f"is not JSON ({error})", "correct or remove the line") from None
    if not isinstance(record, dict):
        raise _FaultyError(f"is no JSON object: {excerpt(record)}", "write one object a line")
    return record


def _names(record: Mapping[str, Any]) -> Names:
    return str(record["id"]), record.get("vote", 0), record.get("criteria")


def _key(names: Names) -> int:
    return int.from_bytes(hashlib.blake2b(json.dumps(names).encode(), digest_size=8).digest())


def _content(record: Mapping[str, Any]) -> int:
    said = [record.get(field) for field in ("text", "thinking", "finish_reason", "error")]
    return int.from_bytes(hashlib.blake2b(json.dumps(said).encode(), digest_size=8).digest())
