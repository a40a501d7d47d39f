"""The options of the engine for servers, checked before anything is asked.

>>> bounds(64, max_connections=256)
(1, 64)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

from genrm.engines.calls.call import Grammar
from genrm.errors import Fault, SpecError


def check(grammar: object, extra_body: object, **numbers: tuple[object, float]) -> None:
    """Whether these options make sense.

    Args:
        numbers: value and least value, by name; a value of None is one that was not given.

    Raises:
        SpecError: one does not.
    """
    for field, (value, least) in numbers.items():
        if value is not None:
            _at_least(field, value, least)
    if grammar is not None and grammar not in get_args(Grammar):
        fix = f"use {', '.join(get_args(Grammar))}"
        raise SpecError(Fault("unknown grammar", field="grammar", value=repr(grammar), fix=fix))
    if extra_body is not None and not isinstance(extra_body, Mapping):
        fix = "write extra_body='{top_k: 50}'"
        raise SpecError(Fault("a mapping is needed", field="extra_body", value=repr(extra_body), fix=fix))


def bounds(concurrency: int | Sequence[int] | None, max_connections: int) -> tuple[int, int]:
    """Least and most calls in flight.

    Raises:
        SpecError: they are none.
    """
    _at_least("max_connections", max_connections, 1)
    pair = (1, max_connections) if concurrency is None else concurrency
    found = [1, pair] if isinstance(pair, int) else list(pair)
    whole = all(isinstance(bound, int) and not isinstance(bound, bool) for bound in found)
    if len(found) != 2 or not whole or not 1 <= found[0] <= found[1]:
        fix = "write concurrency=64, or concurrency='[4, 64]'"
        raise SpecError(Fault("no bounds", field="concurrency", value=repr(concurrency), fix=fix))
    return min(found[0], max_connections), min(found[1], max_connections)


def _at_least(name: str, value: object, least: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= least:
        raise SpecError(Fault(f"a number of at least {least:g} is needed", field=name, value=repr(value)))
