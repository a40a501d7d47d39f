"""Check that the final answer of a response equals the reference as mathematics, through math-verify.

math-verify guards itself with signals, which exist in the main thread only, and hands expressions of the response
to sympy, where ``9^{9^{9^9}}`` computes for ever. So it runs in processes that are killed at a deadline; the
verdict is then a timeout, and never a "no".
"""

from __future__ import annotations

from genrm.checks.bounded import call
from genrm.checks.registry import Finding, check, excerpt
from genrm.errors import InputError
from genrm.specs.check import MathCheck
from genrm.specs.sample import Sample

MATH_SECONDS = 5.0


@check(MathCheck)
def math(spec: MathCheck, sample: Sample) -> Finding:
    """The response's final answer equals one of the references.

    Raises:
        InputError: no reference is a mathematical expression.
        DeadlineError: extracting or comparing took longer than ``MATH_SECONDS``.
    """
    payload = {"response": sample.response, "references": list(sample.reference), "precision": spec.precision}
    result = call("genrm.checks.jobs_math", payload, seconds=MATH_SECONDS, purpose="comparing with math-verify")
    listed = " or ".join(excerpt(reference) for reference in sample.reference[:5])
    if not result["readable"]:
        raise InputError(
            f"field 'reference': math-verify reads no mathematical expression in {listed}; "
            "use the check 'normalized', or write the answer as a number or LaTeX"
        )
    if result["found"] is None:
        return Finding(False, "math-verify finds no final answer in the response.")
    verb = "equals" if result["equal"] else "does not equal"
    return Finding(result["equal"], f"The final answer {excerpt(result['found'])} {verb} {listed}.")
