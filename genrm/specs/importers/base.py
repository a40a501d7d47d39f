"""What an importer is, and the few helpers that all of them share.

An importer knows one published format: how to recognise an item, which criteria it means, and which fields of a row
it holds. It gives plain data in the written form of a rubric; checking that data is the loader's work.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from genrm.errors import Fault, SpecError
from genrm.specs.faults import shown

Written = dict[str, Any]


class Importer(Protocol):
    """One foreign format."""

    name: str
    about: str

    def matches(self, item: Any) -> bool:
        """Whether ``item`` is one item (a rubric, or a row with its rubric) of this format."""
        ...

    def criteria(self, item: Any) -> list[Written]:
        """Its criteria in rubric order. Raises SpecError when the item cannot be a rubric."""
        ...

    def settings(self, item: Any | None) -> Written:
        """Rubric keys besides name and criteria; ``None`` asks for those of a rubric for many items."""
        ...

    def row(self, item: Any) -> Written:
        """The input row without its criteria: what the item says of id, prompt, response and reference."""
        ...


def slug(text: str, *, limit: int = 48) -> str:
    """A criterion id made of the first words of a text; ``"criterion"`` when no letter or digit can be kept.

    >>> slug("Recommends seeing a doctor – within 24 hours")
    'recommends-seeing-a-doctor-within-24-hours'
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", plain.lower())
    kept = ""
    for word in words:
        if len(kept) + 1 + len(word) > limit:
            break
        kept += f"-{word}" if kept else word
    kept = kept or "".join(words)[:limit] or "criterion"
    return kept if kept[0].isalpha() else f"c-{kept}"


def unique(names: Iterable[str]) -> list[str]:
    """The names in order, later ones of equal spelling numbered: ``a, a`` becomes ``a, a-2``."""
    taken: set[str] = set()
    result = []
    for name in names:
        candidate, number = name, 1
        while candidate in taken:
            number += 1
            candidate = f"{name}-{number}"
        taken.add(candidate)
        result.append(candidate)
    return result


def text_field(item: Mapping[str, Any], key: str, place: str) -> str:
    """A text that an item must have. Raises SpecError when it is missing, empty or something else."""
    value = item.get(key)
    if not isinstance(value, str) or not value.strip():
        raise SpecError(Fault("a text is needed", field=f"{place}.{key}", value=shown(value), fix="fill it in"))
    return value.strip()


def number_field(item: Mapping[str, Any], key: str, place: str) -> float:
    """A finite number that an item must have; a whole one stays whole. Raises SpecError otherwise."""
    value = item.get(key)
    # The comparison is false for NaN and the infinities.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < float("inf"):
        raise SpecError(Fault("a number is needed", field=f"{place}.{key}", value=shown(value), fix="give a number"))
    return value


def present(**fields: Any) -> Written:
    """The fields that are neither None nor empty."""
    return {key: value for key, value in fields.items() if value not in (None, "", [])}


def first_of(item: Mapping[str, Any], *keys: str) -> Any:
    """The value of the first key that is there and not None."""
    return next((item[key] for key in keys if item.get(key) is not None), None)
