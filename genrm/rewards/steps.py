"""Step scores become credits per step, or one reward of the whole.

    >>> step_delta([0.9, 0.7, 0.8]).round(2).tolist(), step_min([0.9, 0.7, 0.8]).item()
    ([0.2, -0.1, 0.8], 0.7)

Arrays have the shape (…, steps), with a mask for responses of fewer steps. Steps come first, padding last: a hole in
the mask is a step whose judgement failed, and a response with a hole, or without any step, gets ``fallback`` (NaN by
default), because the step that nobody saw may be the one that decides. A sum of step scores is not offered: it pays
for more steps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from genrm.rewards.groups import Bools, Floats, Masked, count, extent, fill, mean, read
from genrm.rewards.shaping import Parameter, shape

FALLBACK = Parameter("fallback", "the reward of a response with an unjudged step; none = no reward", optional=True)
MISSING = "A step that failed, or no step at all: fallback (NaN by default). Padding is NaN."
PURE = "Stop Summation: Min-Form Credit Assignment Is All Process Reward Model Needs for Reasoning"
DESIGN = "On Designing Effective RL Reward at Training Time for LLM Reasoning"


@shape(
    "step_clip",
    summary="Good steps bring nothing and bad ones cost: filler steps never pay.",
    formula="min(r_t − threshold, 0) per step",
    paper=DESIGN,
    missing=MISSING,
    needs=("steps",),
    parameters=(Parameter("threshold", "the score from which a step costs nothing"), FALLBACK),
)
def step_clip(
    steps: ArrayLike, *, mask: ArrayLike | None = None, threshold: float = 0.5, fallback: float | None = None
) -> Floats:
    """``min(r_t - threshold, 0)``: credits of at most 0, whose sum no further step can raise.

    "On Designing Effective RL Reward at Training Time for LLM Reasoning" (clip).

    Args:
        steps: shape (…, steps).
        mask: the same shape, True = present.
        threshold: in units of the score.
        fallback: for every step of a response with a failed one.

    Raises:
        ValueError: a present score is not finite, or there is no axis.
    """
    given, holes = _steps(steps, mask)
    return fill(np.minimum(given.values - threshold, 0.0), holes, given.mask, fallback)


@shape(
    "step_delta",
    summary="Each step is credited with the drop that follows: the sum is the first score, however many steps.",
    formula="r_t − r_{t+1} per step, the last keeps r_T",
    paper=DESIGN,
    missing=MISSING,
    needs=("steps",),
    parameters=(FALLBACK,),
)
def step_delta(steps: ArrayLike, *, mask: ArrayLike | None = None, fallback: float | None = None) -> Floats:
    """``r_t - r_(t+1)``: from any step on, the credits add up to that step's own score.

    "On Designing Effective RL Reward at Training Time for LLM Reasoning" (delta).

    Args:
        steps, mask, fallback: as for :func:`step_clip`.

    Raises:
        ValueError: as :func:`step_clip`.
    """
    given, holes = _steps(steps, mask)
    following = np.zeros(given.values.shape)
    following[..., :-1] = np.where(given.mask[..., 1:], given.values[..., 1:], 0.0)
    return fill(given.values - following, holes, given.mask, fallback)


@shape(
    "step_min_credit",
    summary="Spreads the weakest step's score over the steps by a soft minimum: the blame lands where the fault is.",
    formula="r_t · exp(−r_t / temperature) / Σ_s exp(−r_s / temperature) per step",
    paper=PURE,
    missing=MISSING,
    needs=("steps",),
    parameters=(Parameter("temperature", "towards 0 only the worst step counts", low=0, open="low"), FALLBACK),
)
def step_min_credit(
    steps: ArrayLike, *, mask: ArrayLike | None = None, temperature: float = 0.1, fallback: float | None = None
) -> Floats:
    """Credits whose sum lies between the lowest step score and the mean, near the lowest for a small temperature.

    "Stop Summation: Min-Form Credit Assignment Is All Process Reward Model Needs for Reasoning" (PURE).

    Args:
        steps, mask, fallback: as for :func:`step_clip`.
        temperature: above 0, in units of the score.

    Raises:
        ValueError: as :func:`step_clip`.
    """
    given, holes = _steps(steps, mask)
    low = extent(given.values, given.mask)[0]
    with np.errstate(over="ignore"):
        weights = np.where(given.mask, np.exp(-(given.values - low) / temperature), 0.0)
    total = weights.sum(axis=-1, keepdims=True)
    return fill(given.values * (weights / np.where(total > 0, total, 1.0)), holes, given.mask, fallback)


@shape(
    "step_min",
    summary="A chain is as good as its weakest step: repeating good steps adds nothing.",
    formula="min_t r_t",
    paper=PURE,
    missing=MISSING,
    needs=("steps",),
    parameters=(FALLBACK,),
)
def step_min(steps: ArrayLike, *, mask: ArrayLike | None = None, fallback: float | None = None) -> Floats:
    """The lowest step score, shape (…).

    "Stop Summation: Min-Form Credit Assignment Is All Process Reward Model Needs for Reasoning" (PURE).

    Args:
        steps, mask: as for :func:`step_clip`.
        fallback: for a response with a failed step, or without any.

    Raises:
        ValueError: as :func:`step_clip`.
    """
    given, holes = _steps(steps, mask)
    return _one(extent(given.values, given.mask)[0], holes, fallback)


@shape(
    "step_product",
    summary="The probability that all steps are right, if their scores are probabilities.",
    formula="Π_t r_t",
    paper="Let's Verify Step by Step",
    missing=MISSING,
    needs=("steps",),
    parameters=(FALLBACK,),
)
def step_product(steps: ArrayLike, *, mask: ArrayLike | None = None, fallback: float | None = None) -> Floats:
    """The product of step scores in [0, 1], shape (…): it falls with every doubtful step, so long chains suffer.

    "Let's Verify Step by Step".

    Args:
        steps: shape (…, steps), in [0, 1].
        mask, fallback: as for :func:`step_min`.

    Raises:
        ValueError: as :func:`step_clip`, or a score lies outside [0, 1].
    """
    given, holes = _steps(steps, mask)
    if not ((given.values >= 0) & (given.values <= 1))[given.mask].all():
        raise ValueError("a product needs step scores in [0, 1], as probabilities are; found others")
    return _one(np.where(given.mask, given.values, 1.0).prod(axis=-1, keepdims=True), holes, fallback)


@shape(
    "step_last",
    summary="The score of the last step, as a verdict on all before it.",
    formula="r_T",
    paper="Scaling LLM Test-Time Compute Optimally can be More Effective than Scaling Model Parameters",
    missing=MISSING,
    needs=("steps",),
    parameters=(FALLBACK,),
)
def step_last(steps: ArrayLike, *, mask: ArrayLike | None = None, fallback: float | None = None) -> Floats:
    """The last step's score, shape (…).

    "Scaling LLM Test-Time Compute Optimally can be More Effective than Scaling Model Parameters".

    Args:
        steps, mask, fallback: as for :func:`step_min`.

    Raises:
        ValueError: as :func:`step_clip`.
    """
    given, holes = _steps(steps, mask)
    if not given.values.shape[-1]:
        return _one(np.full((*given.values.shape[:-1], 1), np.nan), holes, fallback)
    last = np.maximum(count(given.mask) - 1, 0)
    return _one(np.take_along_axis(given.values, last, axis=-1), holes, fallback)


@shape(
    "step_mean",
    summary="The mean step score: for filters such as prof; as a reward it pays for easy filler.",
    formula="(1/T) Σ_t r_t",
    paper="Beyond Correctness: Harmonizing Process and Outcome Rewards through RL Training",
    missing=MISSING,
    needs=("steps",),
    parameters=(FALLBACK,),
)
def step_mean(steps: ArrayLike, *, mask: ArrayLike | None = None, fallback: float | None = None) -> Floats:
    """The mean of the step scores, shape (…).

    "Beyond Correctness: Harmonizing Process and Outcome Rewards through RL Training" filters by it (PROF).

    Args:
        steps, mask, fallback: as for :func:`step_min`.

    Raises:
        ValueError: as :func:`step_clip`.
    """
    given, holes = _steps(steps, mask)
    return _one(mean(given.values, given.mask), holes, fallback)


def _steps(steps: ArrayLike, mask: ArrayLike | None) -> tuple[Masked, Bools]:
    """The steps, and where (…, 1) a response has a hole or nothing at all."""
    given = read(steps, mask, "step scores", axes=1)
    # A hole: absent, with a present step behind it.
    behind = np.logical_or.accumulate(given.mask[..., ::-1], axis=-1)[..., ::-1]
    holes = (behind & ~given.mask).any(axis=-1, keepdims=True) | ~given.mask.any(axis=-1, keepdims=True)
    return given, np.asarray(holes)


def _one(values: Floats, holes: Bools, fallback: float | None) -> Floats:
    return fill(values, holes, np.ones(holes.shape, dtype=bool), fallback)[..., 0]
