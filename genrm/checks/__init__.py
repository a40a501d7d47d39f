"""Checks: verifiable criteria, answered by code. No model is asked.

    >>> from genrm.specs.criterion import Criterion
    >>> from genrm.specs.sample import Sample
    >>> short = Criterion.model_validate({"id": "short", "check": {"length": {"unit": "words", "max": 2}}})
    >>> run_check(short, Sample(response="It is 4.")).critique
    'Found 3 words; at most 2 are allowed.'

One family of checks a file; ``docs/checks.md`` shows every kind.
"""

from genrm.checks.run import run_check as run_check

__all__ = ["run_check"]
