"""Whether a verdict format reads its own examples as it says.

    >>> from genrm.specs.load_format import load_format
    >>> faults_of_examples(load_format("prometheus"))
    []

A format without an example of a verdict and one of no verdict is not tested, so that is a fault too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from genrm.compiler.output import FREE_TEXT
from genrm.compiler.render import render_instructions
from genrm.engines.base import Completion, TextToken, Usage
from genrm.errors import SpecError
from genrm.specs.verdict_format import VerdictFormat
from genrm.specs.verdict_parts import Example
from genrm.verdicts.foreign import read_foreign
from genrm.verdicts.verdict import Verdict

ONLY = "verdict"
"""What the one criterion of an example is called."""


def faults_of_examples(spec: VerdictFormat) -> list[str]:
    """What is wrong, one text for each example that is read otherwise than it says."""
    says = [example for example in spec.examples if _expected(example)]
    found = [] if says else ["examples: one with a label is needed"]
    if len(says) == len(spec.examples):
        found.append("examples: one without a verdict is needed")
    slots = slots_of_examples(spec)
    found += _faults_of_instructions(spec, slots)
    for number, example in enumerate(spec.examples):
        verdicts = read_foreign(spec, completion_of(example), slots)
        expected = _expected(example)
        said = {name: verdict.label for name, verdict in verdicts.items() if verdict.label is not None}
        if said != expected:
            why = "; ".join(str(verdict.error) for verdict in verdicts.values() if verdict.error)
            found.append(f"examples[{number}]: {expected or 'no verdict'} is expected, found {said or why}")
        elif example.critique is not None and (got := _critique(verdicts)) != example.critique:
            found.append(f"examples[{number}].critique: {example.critique!r} is expected, found {got!r}")
    return found


def _faults_of_instructions(spec: VerdictFormat, slots: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Whether a live judge could be told what to write."""
    names = next(iter(slots.values()), ())
    try:
        render_instructions(spec, [{"name": name, "says": name, "means": None} for name in names], list(slots))
    except SpecError as error:
        return [str(error)]
    return []


def slots_of_examples(spec: VerdictFormat) -> dict[str, tuple[str, ...]]:
    """Criteria and a scale that the examples are read with: every label that the format can say."""
    names = {name: None for example in spec.examples for name in _expected(example).values()}
    if spec.labels:
        names = dict.fromkeys(spec.labels)
    elif spec.numbers:
        numbers = spec.numbers
        steps = math.floor((numbers.max - numbers.min) / numbers.step + 1e-9)
        names = dict.fromkeys(f"{numbers.min + step * numbers.step:g}" for step in range(steps + 1))
    if not spec.verdict.each:
        return {ONLY: tuple(names)}
    criteria = {name: None for example in spec.examples for name in example.labels or ()}
    return dict.fromkeys(criteria, tuple(names))


def completion_of(example: Example) -> Completion:
    """An example as an engine would give it."""
    tokens = {}
    if example.top:
        tokens = {FREE_TEXT: (TextToken(example.text, example.top.get(example.text, 0.0), example.top),)}
    return Completion(example.text, Usage(), tokens=tokens, cut=example.cut)


def _expected(example: Example) -> dict[str, str]:
    return dict(example.labels or {}) if example.label is None else {ONLY: example.label}


def _critique(verdicts: Mapping[str, Verdict]) -> str | None:
    return next((verdict.critique for verdict in verdicts.values() if verdict.critique), None)
