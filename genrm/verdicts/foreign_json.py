"""JSON objects inside free text: found with or without a fence, in any key order, and never half of one.

    >>> found, whole = json_objects('Reasons first. ```json\\n{"score": 4, "why": "…"}\\n```')
    >>> found[0].value, whole
    ({'score': 4, 'why': '…'}, True)
    >>> json_objects('{"why": "it says {\\\\"score\\\\": 5}", "sco')
    ([], False)

An object that is begun and not ended hides everything inside and behind it: what a judge quoted in a critique that was
cut must not be taken for its verdict. One that ends and is not JSON (a comma too many, a comment) hides what is inside
and before it: the verdict may be what cannot be read, and what is left a quotation.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from genrm.errors import UnparseableError, excerpt

MAX_BRACES = 2_000
"""Opening braces that are tried in one text: prose full of braces costs time for each."""

MAX_SCANNED = 10_000_000
"""Characters that are gone through for the ends of braces: one that never ends costs the rest of the text."""

_OPENS_OBJECT = re.compile(r"\{\s*([\"']|$)")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}"]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class FoundObject:
    """An object and where it stands, ``text[start:end]``."""

    value: dict[str, Any]
    start: int
    end: int


def json_objects(text: str) -> tuple[list[FoundObject], bool]:
    """The outermost JSON objects of a text, and whether all that begin also end.

    Raises:
        UnparseableError: an object says two things under one key, is not JSON and none stands behind it, or there are
            too many braces to look at.
    """
    found: list[FoundObject] = []
    start, tried, scanned, broken = text.find("{"), 0, 0, False
    while start >= 0:
        tried += 1
        if tried > MAX_BRACES or scanned > MAX_SCANNED:
            raise UnparseableError(f"the output has too many braces to look at: {excerpt(text)}")
        end = _end(text, start)
        scanned += (len(text) if end is None else end) - start
        opens = _OPENS_OBJECT.match(text, start) is not None
        if end is None and opens:
            return found, False
        value = None if end is None else _object(text[start:end])
        if value is None or end is None:
            if opens:
                broken = True
                found.clear()
            start = text.find("{", end if opens and end is not None else start + 1)
        else:
            found.append(FoundObject(value, start, end))
            start = text.find("{", end)
    if broken and not found:
        raise UnparseableError(f"the output has an object that is not JSON: {excerpt(text)}")
    return found, True


def _end(text: str, start: int) -> int | None:
    """Behind the brace that closes the one at ``start``, strings aside; None when none does."""
    depth = 0
    for token in _TOKEN.finditer(text, start):
        match token[0]:
            case "{":
                depth += 1
            case "}":
                depth -= 1
                if depth == 0:
                    return token.end()
            case '"':  # a string that never ends
                return None
    return None


class _DoubledKeyError(ValueError):
    """An object says two things under one key, and none of them is to be preferred."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    item = dict(pairs)
    if len(item) < len(pairs):
        raise _DoubledKeyError
    return item


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text, strict=False, object_pairs_hook=_unique)
    except _DoubledKeyError:
        raise UnparseableError("the output has an object that holds the same key twice") from None
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
