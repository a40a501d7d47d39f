"""From raw rows to items ready to be judged: fields mapped, ids settled, the digest that resume compares.

>>> for item in intake(source, FieldMap()): item.line, item.id, item.sample, item.error   # doctest: +SKIP
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from genrm.batch.fields import FieldMap, Mapped
from genrm.batch.ids import SeenIds
from genrm.batch.lines import InputRow
from genrm.batch.readers import Source
from genrm.errors import InputError
from genrm.specs.sample import KNOWN_FIELDS, Sample


@dataclass(frozen=True, slots=True)
class Item:
    """One input row on its way: exactly one of ``sample`` and ``error`` is set.

    Attributes:
        line: where it stands in the input, from 1.
        id: its own, else the line number.
        digest: ``sha256:`` and 16 hex digits over what is judged, after field mapping; fields that decide nothing
            do not count.
    """

    line: int
    id: str
    digest: str
    sample: Sample | None = None
    error: InputError | None = None


def intake(source: Source, fields: FieldMap, note: Callable[[str], None] = lambda _: None) -> Iterator[Item]:
    """The items of a source in input order; ``note`` gets each remark about aliases once.

    Raises:
        FileError: the source cannot be read (any further).
    """
    seen = SeenIds()
    noted: set[str] = set()
    try:
        for raw in source.rows():
            yield _item(raw, fields, seen, noted, note)
    finally:
        seen.close()


def _item(raw: InputRow, fields: FieldMap, seen: SeenIds, noted: set[str], note: Callable[[str], None]) -> Item:
    if raw.row is None:
        # Its line number is only what it is called: taking it as id would fail a good row that has this id.
        return Item(raw.line, str(raw.line), _sha(raw.raw), error=raw.error)
    row: Mapping[str, Any] = raw.row
    fault: InputError | None = None
    try:
        mapped = fields.apply(raw.row)
        row = mapped.row
        _remark(mapped, noted, note)
    except InputError as error:
        fault = error
    id, first = _claim(row.get("id"), raw.line, seen)
    digest = digest_of(row)
    if first is not None:
        why = f"line {first} has it already; ids are unique in a file"
        return Item(raw.line, id, digest, error=InputError(f"field 'id': {id!r} is a duplicate: {why}"))
    if fault is None:
        try:
            sample = Sample.from_row({**row, "id": None} if row.get("id") == "" else row, default_id=id)
            return Item(raw.line, id, digest, sample)
        except InputError as error:
            fault = error
        except RecursionError:
            fault = InputError("the row is nested too deeply")
    return Item(raw.line, id, digest, error=fault)


def _remark(mapped: Mapped, noted: set[str], note: Callable[[str], None]) -> None:
    """Say which aliases are taken or left, each once."""
    taken = [f"{target} from {alias!r}" for target, alias in mapped.taken.items()]
    new = [text for text in taken if text not in noted]
    if new:
        note(f"taking {', '.join(new)}; --field NAME=PATH takes another")
        noted.update(new)
    for target, aliases in mapped.unclear.items():
        text = f"{' and '.join(map(repr, aliases))} could each be the {target}, so none is taken"
        if text not in noted:
            note(f"{text}; say --field {target}={aliases[0]}")
            noted.add(text)


def _claim(value: Any, line: int, seen: SeenIds) -> tuple[str, int | None]:
    """The id of a row, and the line that has it already. An id of a wrong type is none; the row fails by it later."""
    explicit = isinstance(value, (str, int)) and not isinstance(value, bool) and value != ""
    return (str(value), seen.claim(str(value), line)) if explicit else (str(line), seen.claim_line(line))


def digest_of(row: Mapping[str, Any]) -> str:
    """The digest of the fields that are judged, whatever their order."""
    judged = {name: row[name] for name in sorted(KNOWN_FIELDS) if name in row}
    try:
        data = orjson.dumps(judged, option=orjson.OPT_SORT_KEYS, default=repr)
    except (TypeError, ValueError):
        try:
            data = json.dumps(judged, sort_keys=True, default=repr).encode()
        except (RecursionError, TypeError, ValueError):
            # Nothing that can be judged: such a row fails, and is told apart from no other that fails like this.
            data = b"not JSON"
    return _sha(data)


def _sha(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()[:16]
