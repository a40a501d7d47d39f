"""A judge beside a verifier that says right or wrong: the verifier rules, the judge adds the shades.

    >>> stratified([[0.9, 0.1, 0.2]], [[False, True, True]]).round(2).tolist()
    [[0.0, 0.9, 1.1]]

Outcomes are booleans of shape (groups, samples). A sample without outcome or without score is masked.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from genrm.rewards.group import group_spread
from genrm.rewards.groups import Bools, Floats, Masked, mean, minmax, read
from genrm.rewards.reference import sigmoid
from genrm.rewards.shaping import Parameter, shape


@shape(
    "stratified",
    summary="Judge scores rank responses among the right ones and among the wrong ones, never across.",
    formula="wrong: −α + 2α·minmax(r), right: (1 − β) + 2β·minmax(r); minmax among the right or wrong of the group",
    paper="Hybrid Reinforcement: When Reward Is Sparse, It's Better to Be Dense",
    missing="Alone among the right or the wrong of its group, or all of them equal: the middle, 1 or 0. "
    "A sample without score or outcome is masked, NaN.",
    needs=("score", "group", "outcome"),
    parameters=(
        Parameter("alpha", "half the range of wrong answers; alpha + beta stays below 1", low=0, high=1),
        Parameter("beta", "half the range of right answers", low=0, high=1),
    ),
)
def stratified(
    scores: ArrayLike,
    right: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    alpha: float = 0.1,
    beta: float = 0.1,
) -> Floats:
    """Wrong answers lie in [-alpha, alpha], right ones in [1 - beta, 1 + beta]: no wrong one outranks a right one.

    "Hybrid Reinforcement: When Reward Is Sparse, It's Better to Be Dense" (HERO).

    Args:
        scores: shape (groups, samples).
        right: booleans of the same shape.
        mask: the same shape, True = both are present.
        alpha, beta: half ranges.

    Raises:
        ValueError: ``alpha + beta`` is 1 or more, ``right`` is not boolean, or a present score is not finite.
    """
    if alpha + beta >= 1:
        raise ValueError(
            f"alpha + beta stays below 1, else a wrong answer can outrank a right one; found {alpha + beta}"
        )
    group = read(scores, mask, axes=2)
    good = _outcomes(right, group)
    among_right = minmax(group.values, group.mask & good, 0.5)
    among_wrong = minmax(group.values, group.mask & ~good, 0.5)
    out = np.where(good, 1 - beta + 2 * beta * among_right, -alpha + 2 * alpha * among_wrong)
    return np.where(group.mask, out, np.nan)


@shape(
    "variance_weight",
    summary="Weight of each prompt: those on which the judge tells responses apart count more.",
    formula="w_min + (w_max − w_min)·σ(steepness·(s − s̄)), s = std of the group, s̄ = centre or the mean of s",
    paper="Hybrid Reinforcement: When Reward Is Sparse, It's Better to Be Dense",
    missing="A group of fewer than two samples has no spread: its weight is NaN.",
    needs=("score", "group"),
    parameters=(
        Parameter("low", "the least weight", low=0),
        Parameter("high", "the greatest weight", low=0),
        Parameter("steepness", "how fast the weight grows with the spread", low=0),
        Parameter(
            "centre", "the spread of medium weight, such as a running mean; none = the mean here", low=0, optional=True
        ),
    ),
)
def variance_weight(
    scores: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    low: float = 0.4,
    high: float = 3.0,
    steepness: float = 6.0,
    centre: float | None = None,
) -> Floats:
    """One weight in [low, high] per group, shape (groups,), to multiply its rewards or its loss with.

    "Hybrid Reinforcement: When Reward Is Sparse, It's Better to Be Dense" (HERO).

    Args:
        scores: shape (groups, samples).
        mask: the same shape, True = present.
        low, high, steepness, centre: as in the formula.

    Raises:
        ValueError: ``low`` is above ``high``, or a present score is not finite.
    """
    if low > high:
        raise ValueError(f"low is at most high, found {low} and {high}")
    spread = group_spread(scores, mask=mask)
    known = np.isfinite(spread)
    middle = float(mean(spread, known)[0]) if centre is None else centre
    # (s - middle) * steepness can pass the largest number; the sigmoid of infinity is right.
    with np.errstate(over="ignore"):
        return low + (high - low) * sigmoid(steepness * (spread - middle))


@shape(
    "trust",
    summary="Adds the judge to the verifier, less as training goes on and where it contradicts the verifier.",
    formula="R_outcome + γ·alpha·exp(−step / horizon)·r, γ = 1 if μ_right ≥ μ_wrong else exp(μ_right − μ_wrong)",
    paper="SophiaVL-R1: Reinforcing MLLMs Reasoning with Thinking Reward",
    missing="A group with only right or only wrong answers shows no contradiction: γ = unmeasured. Masked: NaN.",
    needs=("score", "group", "outcome"),
    parameters=(
        Parameter("alpha", "share of the judge at the beginning", low=0),
        Parameter("step", "the training step", low=0),
        Parameter("horizon", "after so many steps the judge's share has fallen to 1/e", low=0, open="low"),
        Parameter("unmeasured", "γ where trust cannot be measured", low=0, high=1),
    ),
)
def trust(
    scores: ArrayLike,
    right: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    alpha: float = 0.3,
    step: float = 0,
    horizon: float = 1000.0,
    unmeasured: float = 1.0,
) -> Floats:
    """Outcome (0 or 1) plus a judge whose share falls with time and with its disagreement inside the group.

    "SophiaVL-R1: Reinforcing MLLMs Reasoning with Thinking Reward" (Trust-GRPO). μ are the judge's mean scores of
    the right and of the wrong answers of a group.

    Args:
        scores: shape (groups, samples).
        right: booleans of the same shape.
        mask: the same shape, True = both are present.
        alpha, step, horizon, unmeasured: as in the formula.

    Raises:
        ValueError: ``right`` is not boolean, or a present score is not finite.
    """
    group = read(scores, mask, axes=2)
    good = _outcomes(right, group)
    share = alpha * float(np.exp(-step / horizon)) * trust_factor(scores, right, mask=mask, unmeasured=unmeasured)
    return np.where(group.mask, good + share[..., None] * group.values, np.nan)


def trust_factor(
    scores: ArrayLike, right: ArrayLike, *, mask: ArrayLike | None = None, unmeasured: float = 1.0
) -> Floats:
    """The γ of :func:`trust`, in [0, 1], shape (groups,): 1 where the judge agrees with the verifier on average."""
    group = read(scores, mask, axes=2)
    good = _outcomes(right, group)
    of_right = mean(group.values, group.mask & good)[..., 0]
    of_wrong = mean(group.values, group.mask & ~good)[..., 0]
    with np.errstate(over="ignore"):
        gap = of_right - of_wrong
    return np.where(np.isnan(gap), unmeasured, np.exp(np.minimum(gap, 0.0)))


@shape(
    "prof",
    summary="Filters instead of mixing: keeps the right answers with the best steps and the wrong with the worst.",
    formula="keep samples per group, as many right as wrong where possible: right by highest r, wrong by lowest r",
    paper="Beyond Correctness: Harmonizing Process and Outcome Rewards through RL Training",
    missing="A masked sample is not kept; a group with fewer samples than keep keeps all it has.",
    needs=("score", "group", "outcome"),
    parameters=(Parameter("keep", "samples kept per group", low=1),),
)
def prof(process: ArrayLike, right: ArrayLike, *, mask: ArrayLike | None = None, keep: int = 4) -> Bools:
    """Which samples to train on, booleans of shape (groups, samples); their rewards stay those of the verifier.

    "Beyond Correctness: Harmonizing Process and Outcome Rewards through RL Training" (PROF). Of an odd number the
    right answers get one more. Where one side has too few, the other fills up. Of equal scores the earlier is kept.

    Args:
        process: shape (groups, samples): the mean score of the steps of each response.
        right: booleans of the same shape.
        mask: the same shape, True = both are present.
        keep: a whole number, at least 1.

    Raises:
        ValueError: ``right`` is not boolean, ``keep`` is not whole, or a present score is not finite.
    """
    if keep != int(keep):
        raise ValueError(f"keep: {keep!r} is not allowed; use a whole number")
    group = read(process, mask, axes=2)
    good = _outcomes(right, group)
    sides = group.mask & good, group.mask & ~good
    n_right, n_wrong = (side.sum(axis=-1, keepdims=True) for side in sides)
    from_right = np.minimum(n_right, np.maximum((keep + 1) // 2, keep - n_wrong))
    from_wrong = np.minimum(n_wrong, keep - from_right)
    best = _places(-group.values, sides[0]) < from_right
    worst = _places(group.values, sides[1]) < from_wrong
    return np.asarray((sides[0] & best) | (sides[1] & worst))


def _places(values: Floats, mask: Bools) -> Floats:
    """The place of each present value in ascending order along the last axis; equal values in order of position."""
    order = np.argsort(np.where(mask, values, np.inf), axis=-1, kind="stable")
    out = np.empty(values.shape)
    np.put_along_axis(out, order, np.broadcast_to(np.arange(values.shape[-1], dtype=float), values.shape), axis=-1)
    return out


def _outcomes(right: ArrayLike, scores: Masked) -> Bools:
    outcomes = np.asarray(right)
    if outcomes.dtype != np.bool_ or outcomes.shape != scores.values.shape:
        raise ValueError(
            f"outcomes are booleans (True = right) of the shape {scores.values.shape}; found {outcomes.dtype} of "
            f"{outcomes.shape}. Mask samples whose outcome is unknown"
        )
    return outcomes
