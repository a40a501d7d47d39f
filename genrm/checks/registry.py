"""The registry of checks: each is a function of its parameters and a sample, tied to its spec by ``@check``.

    @check(LengthCheck)
    def length(spec: LengthCheck, sample: Sample) -> Finding:
        return Finding(len(sample.response) > 3, "…")

A function says what it found, or raises a :class:`genrm.errors.RowError` when it cannot tell: a check that could
not be carried out is never a "no".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from genrm.specs.check import CheckSpec
from genrm.specs.sample import Sample

Spec = TypeVar("Spec", bound=CheckSpec)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: whether the criterion holds, and one sentence that says why."""

    passed: bool
    critique: str


CheckFunction = Callable[[Any, Sample], Finding]

CHECKS: dict[type[CheckSpec], CheckFunction] = {}


def check(spec: type[Spec]) -> Callable[[Callable[[Spec, Sample], Finding]], Callable[[Spec, Sample], Finding]]:
    """Register the decorated function as the check that runs for ``spec``.

    Raises:
        ValueError: another function runs for it already.
    """

    def register(function: Callable[[Spec, Sample], Finding]) -> Callable[[Spec, Sample], Finding]:
        if spec in CHECKS:
            raise ValueError(f"check {spec.kind!r} is registered already")
        CHECKS[spec] = function
        return function

    return register


def excerpt(text: str, limit: int = 60) -> str:
    """A text quoted for a critique: one line, printable, cut in the middle of nothing longer than ``limit``."""
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")
