"""Rubrics of other formats: recognised, and brought into the written form of a rubric file.

    >>> data = [{"criterion": "Names the dose", "points": 5}, {"criterion": "Invents a source", "points": -3}]
    >>> imported = import_rubric(data, name="dose")
    >>> [item["weight"] for item in imported["criteria"]]
    [5, -3]

Two uses: one item becomes one rubric (:func:`import_rubric`); a data set in which every row has its own rubric
becomes rows with a field ``criteria`` and one rubric without criteria to judge them by (:func:`import_rows`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genrm.errors import Fault, SpecError
from genrm.specs.faults import Source
from genrm.specs.importers.base import Importer, Written
from genrm.specs.importers.biggen import BiggenImporter
from genrm.specs.importers.healthbench import HealthbenchImporter
from genrm.specs.importers.paperbench import PaperbenchImporter
from genrm.specs.importers.rar import RarImporter
from genrm.specs.load import build_criteria, build_rubric

FORMATS: dict[str, Importer] = {
    importer.name: importer
    for importer in (BiggenImporter(), HealthbenchImporter(), RarImporter(), PaperbenchImporter())
}

_MAX_FAULTS = 20


@dataclass(frozen=True, slots=True)
class ImportedRows:
    """A data set ready to judge: the rubric for all rows, and rows that bring their criteria."""

    rubric: Written
    rows: list[Written]


def detect(data: Any) -> Importer:
    """The importer of a format, by the look of one item or of the first of many.

    Raises:
        SpecError: no format fits.
    """
    items = items_of(data)
    first = items[0][1] if items else None
    for candidate in (data, first):
        for importer in FORMATS.values():
            if importer.matches(candidate):
                return importer
    known = "; ".join(f"{importer.name} ({importer.about})" for importer in FORMATS.values())
    raise SpecError(Fault("the format is none of those that can be imported", fix=f"known are: {known}"))


def items_of(data: Any) -> list[tuple[str, Any]]:
    """The items of a data set with their names: a list is numbered from 0, a mapping has keys."""
    if isinstance(data, list):
        return [(str(number), item) for number, item in enumerate(data)]
    if isinstance(data, Mapping):
        return [(str(key), item) for key, item in data.items()]
    return []


def import_rubric(data: Any, *, name: str, importer: Importer | None = None) -> Written:
    """One rubric in written form from one item.

    Raises:
        SpecError: the format is unknown, or the item makes no valid rubric.
    """
    importer = importer or detect(data)
    if not importer.matches(data):
        raise SpecError(Fault(f"this is no item of the format {importer.name}", fix=importer.about))
    written = {"name": rubric_name(name), **importer.settings(data), "criteria": importer.criteria(data)}
    build_rubric(written, Source())
    return written


def import_rows(data: Any, *, name: str, importer: Importer | None = None) -> ImportedRows:
    """A data set as rows with criteria and a rubric for all of them.

    Raises:
        SpecError: the format is unknown, or items are broken; the faults name item and field.
    """
    importer = importer or detect(data)
    rows: list[Written] = []
    faults: list[Fault] = []
    # A single item is a data set of one.
    items = [(str(importer.row(data).get("id", 0)), data)] if importer.matches(data) else items_of(data)
    for key, item in items:
        if not importer.matches(item):
            faults.append(Fault(f"is no item of the format {importer.name}", field=key, fix=importer.about))
            continue
        try:
            criteria = importer.criteria(item)
            build_criteria(criteria)
        except SpecError as error:
            faults += [_inside(key, fault) for fault in error.faults]
            continue
        rows.append({"id": key} | importer.row(item) | {"criteria": criteria})
    if faults:
        more = [Fault(f"and {len(faults) - _MAX_FAULTS} more faults")] if len(faults) > _MAX_FAULTS else []
        raise SpecError(faults[:_MAX_FAULTS] + more)
    return ImportedRows({"name": rubric_name(name), **importer.settings(None)}, rows)


def read_data(path: Path) -> Any:
    """A JSON file as it is, or the lines of a JSON Lines file as a list.

    Raises:
        SpecError: the file cannot be read, or is neither.
    """
    import orjson

    try:
        raw = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise SpecError(Fault(f"cannot be read: {reason}", str(path), fix="give a JSON or JSON Lines file")) from None
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        whole = Fault(f"is not JSON: {error.msg}", str(path), error.lineno, fix="give a JSON or JSON Lines file")
    items = []
    for number, line in enumerate(raw.splitlines(), 1):
        if not line.strip():
            continue
        try:
            items.append(orjson.loads(line))
        except orjson.JSONDecodeError as error:
            # A first line that is no JSON means that the file was one JSON text.
            raise SpecError(
                Fault(f"is not JSON: {error.msg}", str(path), number, fix="correct or remove the line")
                if items
                else whole
            ) from None
    if not items:
        raise SpecError(Fault("is empty", str(path), fix="give a JSON or JSON Lines file"))
    return items


def rubric_name(text: str) -> str:
    """A legal rubric name out of a file name or an item's id."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-_.")[:100]
    return name or "imported"


def _inside(item: str, fault: Fault) -> Fault:
    field = f"{item}.{fault.field}" if fault.field else item
    return Fault(fault.message, field=field, value=fault.value, fix=fault.fix)


__all__ = [
    "FORMATS",
    "ImportedRows",
    "Importer",
    "detect",
    "import_rows",
    "import_rubric",
    "items_of",
    "read_data",
    "rubric_name",
]
