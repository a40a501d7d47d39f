"""From what validation found to faults that a person can act on: place, what stands there, what to write instead.

    >>> raise wrong("a weight of 0 has no effect", "give it a weight or remove the criterion")   # doctest: +SKIP

Validators of the specs raise :func:`wrong`; :func:`faults_of` turns a whole ``ValidationError`` into faults, with
the path as it is *written* in the file (a scale given as a list has no level ``labels``) and the line of it.
"""

from __future__ import annotations

import difflib
import inspect
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from genrm.errors import Fault

Path = tuple[str | int, ...]

# Error type of a rule that holds between the parts of a rubric; the loader states those itself, with their lines.
SHAPE = "genrm_shape"

_EXPECTED: dict[str, tuple[str, str]] = {
    "string_type": ("a text is needed", "put quotes around it"),
    "bool_type": ("true or false is needed", "write true or false, without quotes"),
    "int_type": ("a whole number is needed", "write it in digits, without quotes"),
    "int_from_float": ("a whole number is needed", "write it without a fraction"),
    "float_type": ("a number is needed", "write it in digits, without quotes"),
    "finite_number": ("a finite number is needed", "write a number such as 0.5, 1 or -2"),
    "tuple_type": ("a list is needed", "begin each item with a dash, or write [first, second]"),
    "model_type": ("a mapping is needed", "write key: value pairs"),
    "model_attributes_type": ("a mapping is needed", "write key: value pairs"),
    "dict_type": ("a mapping is needed", "write key: value pairs"),
    "missing": ("is missing", "add it"),
    "string_too_short": ("is empty", "write something here or remove the key"),
    "string_unicode": ("half a character stands here (a lone surrogate)", "remove it"),
    "recursion_loop": ("contains itself", "write the inner part out"),
    "invalid_key": ("a key is no text", "put quotes around the key"),
}


def wrong(message: str, fix: str, *, kind: str = "genrm") -> PydanticCustomError:
    """A ``ValueError`` for validators: what is wrong and how to mend it; inside a model it becomes a fault."""
    return PydanticCustomError(kind, "{message}; {fix}", {"message": message, "fix": fix})


@dataclass(frozen=True, slots=True)
class Source:
    """Where a spec was written: the file and the line of every path in it; both empty for a dict."""

    file: str | None = None
    lines: Mapping[Path, int] = field(default_factory=dict)

    def line(self, path: Path) -> int | None:
        """The line of a path, else of the nearest thing around it."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return None

    def fault(self, path: Path, message: str, *, value: Any = inspect.Parameter.empty, fix: str | None = None) -> Fault:
        """A fault at a path; ``value`` is what stands there."""
        found = None if value is inspect.Parameter.empty else shown(value)
        return Fault(message, self.file, self.line(path), dotted(path) or None, found, fix)


def faults_of(error: ValidationError, model: type[BaseModel], written: Any, source: Source) -> list[Fault]:
    """The faults behind a ``ValidationError`` of ``model``, except those of type :data:`SHAPE`.

    Args:
        written: the data as the file has it, before any short form was expanded.
    """
    items = [item for item in error.errors(include_url=False) if item["type"] != SHAPE]
    around = {item["loc"][:length] for item in items for length in range(len(item["loc"]))}
    # A list counts as too short when its broken items are left out; only the items are at fault.
    items = [item for item in items if item["type"] != "too_short" or item["loc"] not in around]
    return [_fault(item, model, written, source) for item in items]


def closest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The known word that a misspelt one most likely means; ``cutoff`` in [0, 1] is the likeness that is needed."""
    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return matches[0] if matches else None


def dotted(path: Path) -> str:
    """``("criteria", 2, "scale")`` as ``criteria[2].scale``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{_clean(step)}" if text else _clean(step)
    return text


def shown(value: Any) -> str:
    """A value as a person would write it, in at most 60 characters and on one line."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        text = type(value).__name__
    return _clean(text)


def _clean(text: str) -> str:
    """Short, and without anything that could steer a terminal."""
    text = text if len(text) <= 60 else text[:59] + "…"
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _fault(item: ErrorDetails, model: type[BaseModel], written: Any, source: Source) -> Fault:
    kind, context = item["type"], item.get("ctx", {})
    path = _written_path(item["loc"], written)
    if kind == "extra_forbidden":
        known = _known_keys(_model_at(model, item["loc"][:-1]))
        guess = closest(str(item["loc"][-1]), known)
        fix = f"write {guess!r}" if guess else f"remove it; the keys here are {', '.join(known)}"
        return source.fault(path, "unknown key", fix=fix)
    message, fix = _words(kind, context, item)
    if kind == "missing":
        return source.fault(path, message, fix=f"add {path[-1]!r}")
    return source.fault(path, message, value=item["input"], fix=fix)


def _words(kind: str, context: Mapping[str, Any], item: ErrorDetails) -> tuple[str, str]:
    """What is wrong and what to do, for one error type."""
    if "message" in context:
        return context["message"], context["fix"]
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    match kind:
        case "literal_error":
            options = re.findall(r"'([^']*)'", context["expected"])
            available = ", ".join(options)
            guess = closest(item["input"], options, cutoff=0.8) if isinstance(item["input"], str) else None
            fix = f"write {guess!r}; available: {available}" if guess else f"choose one of the available: {available}"
            return "is not available here", fix
        case "greater_than_equal":
            return "is too small", f"write at least {context['ge']:g}"
        case "greater_than":
            return "is too small", f"write a number above {context['gt']:g}"
        case "less_than_equal":
            return "is too large", f"write at most {context['le']:g}"
        case "too_short":
            return f"has {context['actual_length']} items, too few", f"give at least {context['min_length']}"
        case "too_long":
            return f"has {context['actual_length']} items, too many", f"give at most {context['max_length']}"
        case "string_too_long":
            return "is too long", f"use at most {context['max_length']} characters"
        case "value_error":
            message, _, fix = str(context["error"]).removeprefix("check").lstrip(": ").partition("; ")
            return message, fix or "correct it"
    return "is not valid here", "compare with a rubric of the library: genrm rubric show math-verify"


def _written_path(loc: Path, written: Any) -> Path:
    """A path through the validated model as a path through the file, where short forms lack some levels."""
    path: list[str | int] = []
    here, missing = written, False
    for step in loc:
        if missing:
            path.append(step)
        elif isinstance(here, Mapping):
            path.append(step)
            missing = step not in here
            here = here.get(step)
        elif isinstance(here, (list, tuple)) and isinstance(step, int) and step < len(here):
            path.append(step)
            here = here[step]
    return tuple(path)


def _model_at(model: type[BaseModel], loc: Path) -> type[BaseModel]:
    for step in loc:
        for name, info in model.model_fields.items():
            if step in (name, info.alias):
                model = _inner(info.annotation) or model
    return model


def _inner(annotation: Any) -> type[BaseModel] | None:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _inner(arg))), None)


def _known_keys(model: type[BaseModel]) -> list[str]:
    return [info.alias or name for name, info in model.model_fields.items()]
