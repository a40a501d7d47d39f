"""Which field of a row is the prompt, which the response: named by the user, or recognised by an alias.

    >>> fields = FieldMap.parse(["prompt=question", "response=answer.text"])
    >>> fields.apply({"question": "2+2?", "answer": {"text": "4"}}).row
    {'prompt': '2+2?', 'response': '4'}

A named field that a row lacks fails that row: judging without the reference that was asked for would give a
number that looks right. An alias counts only where the contract's own name is absent and one candidate is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from genrm.errors import InputError, SpecError

TARGETS = ("id", "prompt", "response", "reference", "context", "criteria")

ALIASES: dict[str, tuple[str, ...]] = {
    "prompt": ("question", "instruction", "input", "query"),
    "response": ("output", "completion", "model_output", "model_response", "response_text", "generation"),
    "reference": ("gold", "target", "expected", "expected_answer", "ground_truth", "golden_answer", "solution"),
    "context": ("passage", "document", "source_text"),
}

WEAK_ALIASES: dict[str, tuple[str, ...]] = {"response": ("answer",)}
"""Names that mean this in some data sets and something else in others: taken only where no other candidate is."""

_SEVERAL = frozenset({"responses", "chosen", "rejected"})
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Mapped:
    """A row under the contract's names.

    Attributes:
        row: the row.
        taken: field to the alias that it was taken from.
        unclear: field to the aliases that could each be it, of which none was taken.
    """

    row: dict[str, Any]
    taken: dict[str, str] = field(default_factory=dict)
    unclear: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class FieldMap:
    """Contract name to path in the row: keys and list indices joined by dots."""

    paths: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, options: Iterable[str]) -> FieldMap:
        """From ``NAME=PATH`` texts.

        Raises:
            SpecError: one is malformed, names no field of the contract, or names one twice.
        """
        paths: dict[str, str] = {}
        for option in options:
            target, equals, path = (part.strip() for part in option.partition("="))
            if not equals or not path or not target:
                raise SpecError(f"--field {option}: write NAME=PATH, for example --field response=answer.text")
            if target not in TARGETS:
                raise SpecError(f"--field {option}: there is no field {target!r}; use one of {', '.join(TARGETS)}")
            if target in paths:
                raise SpecError(f"--field {option}: {target} is mapped twice, first to {paths[target]!r}")
            paths[target] = path
        return cls(paths)

    def apply(self, row: Mapping[str, Any]) -> Mapped:
        """The row with its fields renamed; the rest is kept.

        Raises:
            InputError: a path leads nowhere in this row.
        """
        found = {target: self._value(row, target, path) for target, path in self.paths.items()}
        sources = {path if path in row else path.split(".")[0] for path in self.paths.values()}
        taken: dict[str, str] = {}
        unclear: dict[str, tuple[str, ...]] = {}
        for target in ALIASES:
            if target in found or (target in row and target not in sources) or self._several(row, target):
                continue
            candidates = _candidates(row, target, sources)
            if len(candidates) == 1:
                taken[target] = candidates[0]
                found[target] = row[candidates[0]]
                sources.add(candidates[0])
            elif candidates:
                unclear[target] = candidates
        # With the response named, alternatives that stand beside it are no question for the judge.
        dropped = sources | (_SEVERAL if "response" in self.paths else frozenset())
        kept = {name: value for name, value in row.items() if name not in found and name not in dropped}
        return Mapped(found | kept, taken, unclear)

    @staticmethod
    def _several(row: Mapping[str, Any], target: str) -> bool:
        return target == "response" and not _SEVERAL.isdisjoint(row)

    @staticmethod
    def _value(row: Mapping[str, Any], target: str, path: str) -> Any:
        if path in row:
            return row[path]
        value: Any = row
        for step in path.split("."):
            value = _step(value, step)
            if value is _ABSENT:
                here = ", ".join(sorted(map(str, row))[:20]) or "none"
                raise InputError(
                    f"field {target!r}: --field {target}={path}: this row has no {step!r} there (fields here: {here})"
                )
        return value


def _step(value: Any, step: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(step, _ABSENT)
    if isinstance(value, (list, tuple)) and step.isascii() and step.isdigit() and int(step) < len(value):
        return value[int(step)]
    return _ABSENT


def _candidates(row: Mapping[str, Any], target: str, taken: set[str]) -> tuple[str, ...]:
    """The aliases of a target that a row has; weak ones only where there is no other."""
    for names in (ALIASES[target], WEAK_ALIASES.get(target, ())):
        present = tuple(name for name in names if name in row and name not in taken)
        if present:
            return present
    return ()
