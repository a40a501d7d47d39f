"""Runs the check of a criterion on a sample and brings the finding into the form of a verdict.

A check answers yes or no with one sentence of explanation. Where it cannot be carried out (no reference, a
reference that is no number, an expression that runs too long), the verdict carries the error and no label.
"""

from __future__ import annotations

import json
from functools import lru_cache

from genrm.checks import json_, match, math, text  # noqa: F401  (importing a family registers its checks)
from genrm.checks.registry import CHECKS
from genrm.errors import EngineError, InputError, RowError
from genrm.specs.check import CheckSpec, parse_check
from genrm.specs.criterion import Criterion
from genrm.specs.sample import Sample
from genrm.verdicts.verdict import Verdict


def run_check(criterion: Criterion, sample: Sample) -> Verdict:
    """The verdict of a verifiable criterion: label ``yes`` or ``no``, or an error; never an exception of a row.

    It is safe in any thread. ``math`` and some ``json_schema`` checks wait for another process, up to a few
    seconds on hostile input, so an event loop runs them in a thread.

    Raises:
        ValueError: the criterion has no check, or a broken one (neither passes ``genrm rubric check``).
    """
    if criterion.check is None:
        raise ValueError(f"criterion {criterion.id!r} has no check; a judge answers it")
    spec = _parsed(json.dumps(criterion.check, sort_keys=True))
    try:
        if spec.needs_reference and not any(reference.strip() for reference in sample.reference):
            raise InputError(
                f"criterion {criterion.id!r}: check {spec.kind!r} compares with a reference, and the sample has none; "
                "add the field 'reference'"
            )
        finding = CHECKS[type(spec)](spec, sample)
    except RowError as error:
        return Verdict(criterion.id, error=error)
    except Exception as error:
        # One row must not end a batch; what broke is named and counted.
        message = f"criterion {criterion.id!r}: check {spec.kind!r} broke: {type(error).__name__}: {error}"
        return Verdict(criterion.id, error=EngineError(message, retryable=False))
    return Verdict(criterion.id, label="yes" if finding.passed else "no", critique=finding.critique)


@lru_cache(maxsize=1024)
def _parsed(spec: str) -> CheckSpec:
    return parse_check(json.loads(spec))
