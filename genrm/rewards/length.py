"""Length: what a score owes to it is taken out, or what exceeds a budget costs.

    >>> length_residual([[1.0, 2.0, 3.0, 4.0]], [[10, 20, 30, 40]]).round(6).tolist()
    [[2.5, 2.5, 2.5, 2.5]]
    >>> overlong([0.8, 0.8, 0.8], [100, 950, 2000], limit=1000, margin=100).round(2).tolist()
    [0.8, 0.3, -0.2]

Lengths may be counted in anything, tokens most often. A sample whose length is unknown is masked.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from genrm.rewards.group import FALLBACK
from genrm.rewards.groups import Floats, Masked, centred, count, fill, is_flat, minmax, read, same_shape
from genrm.rewards.shaping import Parameter, shape

MASKED = "A sample without score or length is masked, NaN."


@shape(
    "length_residual",
    summary="Takes out of the score what length explains, so that longer is not better by itself.",
    formula="r − b·(len − mean_G len), b = cov_G(r, len) / var_G(len)",
    paper="ODIN: Disentangled Reward Mitigates Hacking in RLHF",
    missing="A group of one or two cannot be told from a line: fallback. All lengths of a group equal: length explains "
    "nothing (b = 0), the score. " + MASKED,
    needs=("score", "group", "length"),
    parameters=(
        Parameter("across", "one slope for all groups together instead of one each", choices=(False, True)),
        FALLBACK,
    ),
)
def length_residual(
    scores: ArrayLike,
    lengths: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    across: bool = False,
    fallback: float | None = None,
) -> Floats:
    """The residual of a least-squares line of score on length, around the group's mean score.

    "ODIN: Disentangled Reward Mitigates Hacking in RLHF" takes length out of a reward; here by regression on the data
    at hand. The correlation of result and length is 0 in each group (with ``across``: within groups on average).
    The residuals are set around the mean score, so the level of a group stays and only what length explains goes: where
    all lengths are equal that is nothing, and the result is the score. The definition says so (cov = 0); it is no
    fallback.

    Args:
        scores: shape (groups, samples).
        lengths: the same shape, 0 or more.
        mask: the same shape, True = both are present.
        across: estimate one slope from the deviations in all groups; then groups of two count too.
        fallback: for samples with too few others.

    Raises:
        ValueError: a present value is not finite, a length is negative, or shapes differ.
    """
    group, size = _with_lengths(scores, lengths, mask, axes=2)
    r, r_unit = centred(group.values, group.mask)
    x, x_unit = centred(size.values, group.mask)
    flat = is_flat(size.values, group.mask)
    x = np.where(flat, 0.0, x)
    x_unit = np.where(flat, 0.0, x_unit)
    if across:
        # All deviations in the units of the largest ones, so that no square overflows.
        r_top, x_top = max(r_unit.max(initial=0.0), 1e-300), max(x_unit.max(initial=0.0), 1e-300)
        r, x = r * (r_unit / r_top), x * (x_unit / x_top)
        slope, unit = _slope(r.reshape(1, -1), x.reshape(1, -1)), np.asarray(r_top)
        few = count(group.mask) < 2
    else:
        slope, unit = _slope(r, x), r_unit
        few = count(group.mask) < 3
    return fill(group.values - slope * x * unit, few, group.mask, fallback)


@shape(
    "overlong",
    summary="No cost up to a budget, a growing one in its last stretch, the full one beyond.",
    formula="r − cost·clip((len − (limit − margin)) / margin, 0, 1)",
    paper="DAPO: An Open-Source LLM Reinforcement Learning System at Scale",
    missing=MASKED,
    needs=("score", "length"),
    parameters=(
        Parameter("limit", "the length from which the cost is full", low=0, open="low"),
        Parameter("margin", "the stretch before it in which the cost grows; at most limit", low=0),
        Parameter("cost", "the full cost", low=0),
    ),
)
def overlong(
    scores: ArrayLike,
    lengths: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    limit: float = 4096,
    margin: float = 1024,
    cost: float = 1.0,
) -> Floats:
    """The score minus a cost that grows from 0 to ``cost`` over the last ``margin`` before ``limit``.

    "DAPO: An Open-Source LLM Reinforcement Learning System at Scale" (soft overlong punishment).

    Args:
        scores: any shape.
        lengths: the same shape, 0 or more.
        mask: the same shape, True = both are present.
        limit, margin, cost: as in the formula.

    Raises:
        ValueError: ``margin`` is above ``limit``, a present value is not finite, or shapes differ.
    """
    if margin > limit:
        raise ValueError(f"margin is at most limit, found {margin} and {limit}")
    own, size = _with_lengths(scores, lengths, mask)
    with np.errstate(over="ignore"):
        over = np.clip((size.values - (limit - margin)) / margin, 0, 1) if margin else (size.values >= limit) * 1.0
    return np.where(own.mask, own.values - cost * over, np.nan)


@shape(
    "length_penalty",
    summary="A price per length beyond what the task needs.",
    formula="r − rate·max(0, len / target − 1), at most cost off",
    paper="A Long Way to Go: Investigating Length Correlations in RLHF",
    missing=MASKED,
    needs=("score", "length"),
    parameters=(
        Parameter("target", "the length that is free", low=0, open="low"),
        Parameter("rate", "the price of another target's length", low=0),
        Parameter("cost", "the most that is taken off", low=0),
    ),
)
def length_penalty(
    scores: ArrayLike,
    lengths: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    target: float = 1024,
    rate: float = 0.5,
    cost: float = 1.0,
) -> Floats:
    """The score minus ``rate`` for each length of ``target`` beyond the first, ``cost`` at most.

    "A Long Way to Go: Investigating Length Correlations in RLHF" studies such penalties; they slow growth in length
    and do not replace a control run with length alone as reward (:class:`genrm.rewards.controls.LengthReward`).

    Args:
        scores: any shape.
        lengths: the same shape, 0 or more.
        mask: the same shape, True = both are present.
        target, rate, cost: as in the formula.

    Raises:
        ValueError: a present value is not finite, a length is negative, or shapes differ.
    """
    own, size = _with_lengths(scores, lengths, mask)
    with np.errstate(over="ignore"):
        # Finite, since a rate of 0 charges nothing for any length.
        over = np.clip(size.values / target - 1, 0.0, np.finfo(np.float64).max)
        return np.where(own.mask, own.values - np.minimum(rate * over, cost), np.nan)


@shape(
    "group_length",
    summary="Among right answers shorter is better; a wrong answer gains nothing by being short.",
    formula="r + weight·λ if right else r + weight·min(0, λ), λ = 1/2 − minmax_G(len)",
    paper="Kimi k1.5: Scaling Reinforcement Learning with LLMs",
    missing="All lengths of a group equal, or alone in it: λ = 0. " + MASKED,
    needs=("score", "group", "length", "outcome"),
    parameters=(Parameter("weight", "how much length counts", low=0),),
)
def group_length(
    scores: ArrayLike,
    lengths: ArrayLike,
    right: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    weight: float = 1.0,
) -> Floats:
    """The score plus at most ``weight / 2`` for the shortest of a group, minus as much for the longest.

    "Kimi k1.5: Scaling Reinforcement Learning with LLMs" (length penalty). With a score of 0 for wrong and 1 for
    right and a weight below 1, no wrong answer outranks a right one.

    Args:
        scores: shape (groups, samples).
        lengths: the same shape, 0 or more.
        right: booleans of the same shape.
        mask: the same shape, True = all are present.
        weight: as in the formula.

    Raises:
        ValueError: a present value is not finite, a length is negative, ``right`` is not boolean, or shapes differ.
    """
    own, size = _with_lengths(scores, lengths, mask, axes=2)
    good = np.asarray(right)
    if good.dtype != np.bool_ or good.shape != own.values.shape:
        raise ValueError(f"outcomes are booleans of the shape {own.values.shape}, found {good.dtype} of {good.shape}")
    shade = 0.5 - minmax(size.values, own.mask, 0.5)
    return np.where(own.mask, own.values + weight * np.where(good, shade, np.minimum(shade, 0.0)), np.nan)


def _slope(r: Floats, x: Floats) -> Floats:
    below = (x**2).sum(axis=-1, keepdims=True)
    return np.asarray((r * x).sum(axis=-1, keepdims=True) / np.where(below > 0, below, 1.0))


def _with_lengths(
    scores: ArrayLike, lengths: ArrayLike, mask: ArrayLike | None, axes: int = 0
) -> tuple[Masked, Masked]:
    own, size = read(scores, mask, axes=axes), read(lengths, mask, "lengths")
    both = same_shape(own, size, "scores and lengths")
    if (size.values[both] < 0).any():
        raise ValueError("lengths are 0 or more, found a negative one")
    return own, size
