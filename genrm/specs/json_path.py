"""Paths into JSON data: keys and list indices joined by dots.

>>> value_at({"answer": {"texts": ["4", "5"]}}, "answer.texts.1")
'5'
>>> value_at({"a.b": 1}, "a.b"), value_at([1], "0"), value_at([1], "."), value_at({}, "a.b")
(1, 1, [1], None)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def value_at(value: Any, path: str) -> Any:
    """What stands at a path; None where it leads nowhere. ``.`` is the value itself; a whole key wins over steps."""
    if path == ".":
        return value
    if isinstance(value, Mapping) and path in value:
        return value[path]
    for step in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isascii() and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value
