"""Check that a response is JSON of a given schema.

The response is hostile: it may nest a million brackets, repeat keys so that two readers see two objects, or be made
to keep a pattern of the schema busy for hours. The JSON is read strictly, and a schema whose cost can explode is
applied in a process with a deadline.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from genrm.checks.bounded import call
from genrm.checks.fences import fenced_blocks
from genrm.checks.registry import Finding, check, excerpt
from genrm.specs.check import JsonSchemaCheck
from genrm.specs.sample import Sample
from genrm.specs.schema import build_validator

SCHEMA_SECONDS = 5.0
MAX_DEPTH = 100

# Keywords whose cost is not linear in the instance: backtracking, all pairs, and recursion over every branch.
_COSTLY = frozenset({"pattern", "patternProperties", "uniqueItems", "$ref", "$dynamicRef", "$recursiveRef"})


@check(JsonSchemaCheck)
def json_schema(spec: JsonSchemaCheck, sample: Sample) -> Finding:
    """The response's JSON is valid under the schema.

    Raises:
        DeadlineError: applying the schema took longer than ``SCHEMA_SECONDS``.
    """
    data, fault = find_json(sample.response, spec.where)
    if fault is not None:
        return Finding(False, fault)
    schema = json.dumps(spec.schema_, sort_keys=True)
    if _COSTLY.isdisjoint(keywords(spec.schema_)):
        fault = first_fault(_validator(schema), data)
    else:
        payload = {"schema": spec.schema_, "data": data}
        fault = call("genrm.checks.jobs_json", payload, seconds=SCHEMA_SECONDS, purpose="applying the JSON Schema")
    return Finding(fault is None, fault or "The JSON is valid under the schema.")


def find_json(text: str, where: str) -> tuple[Any, str | None]:
    """The JSON value of a response and None, or None and the sentence that says why there is none.

    ``whole`` reads the whole response, ``fence`` the first fenced block marked ``json`` (without one: the first
    block), ``any`` the whole response if it is JSON and else the block.
    """
    if where != "fence":
        data, fault = read_json(text)
        if fault is None or where == "whole":
            return data, fault and f"The response {fault}."
    blocks = fenced_blocks(text)
    block = next((block for block in blocks if block.language == "json"), blocks[0] if blocks else None)
    if block is None:
        return None, f"The response {fault}." if where == "any" else "The response has no fenced block."
    data, fault = read_json(block.body)
    return data, fault and f"The fenced block {fault}."


def read_json(text: str) -> tuple[Any, str | None]:
    """The value of a JSON text and None, or None and what is wrong with it ("is not JSON: …").

    Stricter than ``json.loads``: NaN and Infinity, duplicate keys, numbers outside the range of a double and
    nesting deeper than ``MAX_DEPTH`` are refused.
    """
    try:
        data = json.loads(text.strip("\ufeff \t\r\n"), **_STRICT)
    except json.JSONDecodeError as error:
        return None, f"is not JSON (line {error.lineno}, column {error.colno}: {error.msg})"
    except _RefusedError as error:
        return None, f"is not JSON to be relied on ({error})"
    except RecursionError:
        return None, f"nests deeper than {MAX_DEPTH} levels"
    except ValueError:
        return None, "has a number with thousands of digits"
    if _deeper_than(data, MAX_DEPTH):
        return None, f"nests deeper than {MAX_DEPTH} levels"
    return data, None


def first_fault(validator: Any, data: Any) -> str | None:
    """The first fault of the data in a sentence, in document order; None when it is valid."""
    error = next(validator.iter_errors(data), None)
    if error is None:
        return None
    place = "/".join(map(str, error.absolute_path))
    message = error.message if len(error.message) <= 200 else error.message[:199] + "…"
    return f"The JSON breaks the schema at {excerpt('/' + place)}: {message}."


def keywords(schema: Any) -> Iterator[str]:
    """Every key of a schema at any depth (names of properties among them: that errs to the safe side)."""
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            yield str(key)
            yield from keywords(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from keywords(item)


@lru_cache(maxsize=256)
def _validator(schema: str) -> Any:
    return build_validator(json.loads(schema))


class _RefusedError(Exception):
    """JSON that readers disagree on."""


def _no_constant(name: str) -> Any:
    raise _RefusedError(f"{name} is no JSON number")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _RefusedError(f"the key {excerpt(twice)} stands there twice")
    return data


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise _RefusedError(f"the number {excerpt(text)} is out of range")
    return value


_STRICT: dict[str, Any] = {
    "parse_constant": _no_constant,
    "object_pairs_hook": _no_duplicates,
    "parse_float": _finite,
}


def _deeper_than(data: Any, limit: int) -> bool:
    level = [data] if isinstance(data, (dict, list)) else []
    for _ in range(limit):
        if not level:
            return False
        children = (child for node in level for child in (node.values() if isinstance(node, dict) else node))
        level = [child for child in children if isinstance(child, (dict, list))]
    return bool(level)
