"""JSON Schemas that a rubric brings along: valid, closed in themselves, and sure to end.

    >>> check_schema({"type": "object", "required": ["name"]})
    >>> check_schema({"$ref": "#/$defs/name"})
    Traceback (most recent call last):
    ValueError: $ref '#/$defs/name' leads nowhere; define it in the schema

Used when a rubric is read (``check: {json_schema: …}``) and again by the code that runs the check.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

# Keys whose value is data, in which "$ref" is a word like any other.
_DATA_KEYS = frozenset({"const", "enum", "default", "examples"})
_REFERENCE_KEYS = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raise ValueError unless the schema is valid, resolves within itself and ends on every kind of instance."""
    try:
        json.dumps(schema, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"the schema is not plain JSON data: {error}") from None
    import jsonschema

    try:
        _class_of(schema).check_schema(schema)
    except jsonschema.SchemaError as error:
        place = "/".join(map(str, error.absolute_path)) or "the top"
        raise ValueError(f"no valid JSON Schema, at {place}: {error.message}") from None
    except RecursionError:
        raise ValueError("the schema is nested too deeply") from None
    _check_references(schema)
    validator = build_validator(schema)
    probes: tuple[Any, ...] = (None, False, 0, "", [], {})
    for probe in probes:
        try:
            validator.is_valid(probe)
        except RecursionError:
            raise ValueError("a $ref of the schema leads back to itself, so no check would end") from None


def build_validator(schema: Mapping[str, Any]) -> Any:
    """A ``jsonschema`` validator of the draft that ``$schema`` names (2020-12 without one); it fetches nothing."""
    import referencing

    return _class_of(schema)(schema, registry=referencing.Registry())


def _class_of(schema: Mapping[str, Any]) -> Any:
    import jsonschema

    return jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)


def _check_references(schema: Mapping[str, Any]) -> None:
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012, specification_with

    specification = specification_with(str(schema.get("$schema", "")), default=DRAFT202012)
    resolver = Registry().with_resource("", specification.create_resource(schema)).resolver()
    for reference in references_of(schema):
        if not reference.startswith("#"):
            raise ValueError(
                f"$ref {reference!r} points outside the schema, and nothing is fetched; "
                "copy the definition under $defs and refer to it as '#/$defs/NAME'"
            )
        try:
            resolver.lookup(reference)
        except Unresolvable:
            raise ValueError(f"$ref {reference!r} leads nowhere; define it in the schema") from None


def references_of(node: Any) -> Iterator[str]:
    """Every reference of a schema, in document order."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key in _REFERENCE_KEYS and isinstance(value, str):
                yield value
            elif key not in _DATA_KEYS:
                yield from references_of(value)
    elif isinstance(node, list):
        for item in node:
            yield from references_of(item)
