"""Scores against the other samples of their group: what turns rewards into advantages.

    >>> group_std([[1.0, 0.0, 0.5]]).round(3).tolist(), group_rank([[1.0, 0.0, 0.0]]).tolist()
    ([[1.225, -1.225, 0.0]], [[1.0, 0.25, 0.25]])

A group is the samples of one prompt: arrays have the shape (groups, samples), with a mask where groups differ in
size; :func:`genrm.rewards.groups.to_groups` makes that of group ids. Two cases have no answer of their own. In a
group whose scores are all equal nobody is better: everybody gets the middle (0 for advantages, 0.5 for ranks). A
sample that is alone has nobody to be compared with: it gets ``fallback``, by default NaN, no reward.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from genrm.rewards.groups import FLAT, Bools, Floats, centred, count, extent, fill, is_flat, minmax, read
from genrm.rewards.shaping import Parameter, shape

FALLBACK = Parameter("fallback", "the reward of a sample without enough others; none = no reward", optional=True)
MISSING = "Alone in its group: fallback (NaN by default). All scores of a group equal: the middle."


@shape(
    "group_std",
    summary="Advantages in standard deviations of the group, whatever the level and scale of its scores.",
    formula="(r − mean_G) / (std_G + epsilon)",
    paper="DeepSeekMath: Pushing the Limits of Mathematical Reasoning in Open Language Models",
    missing=MISSING,
    needs=("score", "group"),
    parameters=(
        Parameter("epsilon", "keeps tiny differences from being blown up", low=0),
        Parameter("ddof", "0 divides by n, 1 by n − 1", low=0, high=1),
        FALLBACK,
    ),
)
def group_std(
    scores: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    epsilon: float = 1e-6,
    ddof: float = 0,
    fallback: float | None = None,
) -> Floats:
    """``(r - mean) / (std + epsilon)`` inside each group; the mean of a group becomes 0.

    "DeepSeekMath: Pushing the Limits of Mathematical Reasoning in Open Language Models" (GRPO).

    Args:
        scores: shape (groups, samples).
        mask: the same shape, True = present; masked entries are NaN.
        epsilon: in units of the score.
        ddof: what is subtracted from n in the standard deviation.
        fallback: for a sample that is alone.

    Raises:
        ValueError: a present score is not finite, or there are fewer than two axes.
    """
    group = read(scores, mask, axes=2)
    deviation, unit = centred(group.values, group.mask)
    n = count(group.mask)
    std = np.sqrt((deviation**2).sum(axis=-1, keepdims=True) / np.maximum(n - ddof, 1))
    flat = is_flat(group.values, group.mask)
    # In units of the largest deviation, in which the standard deviation is no less than 1 / sqrt(n).
    with np.errstate(over="ignore"):
        scaled = deviation / np.where(flat, 1.0, std + epsilon / np.where(unit > 0, unit, 1.0))
    return fill(np.where(flat, 0.0, scaled), _alone(group.mask), group.mask, fallback)


@shape(
    "group_rank",
    summary="Only the order inside the group counts: outliers and the judge's scale have no effect.",
    formula="(rank − 1) / (n − 1), ties share their mean rank",
    missing=MISSING,
    needs=("score", "group"),
    parameters=(FALLBACK,),
)
def group_rank(scores: ArrayLike, *, mask: ArrayLike | None = None, fallback: float | None = None) -> Floats:
    """The share of the others that a sample beats, ties counting half: in [0, 1], with mean 0.5 in each group.

    Neighbours in order that differ by no more than rounding (1e-12 of the group's largest score) are tied.

    Args:
        scores, mask, fallback: as for :func:`group_std`.

    Raises:
        ValueError: as :func:`group_std`.
    """
    group = read(scores, mask, axes=2)
    n = count(group.mask)
    # Sorted with what is masked last; each run of equal scores spans the places first..last.
    order = np.argsort(np.where(group.mask, group.values, np.inf), axis=-1, kind="stable")
    ranked = np.take_along_axis(np.where(group.mask, group.values, np.inf), order, axis=-1)
    places = np.broadcast_to(np.arange(ranked.shape[-1]), ranked.shape)
    begins = np.ones(ranked.shape, dtype=bool)
    low, high = extent(group.values, group.mask)
    # Scores that should be equal come out of different sums: their order would be that of rounding.
    noise = FLAT * np.nan_to_num(np.fmax(np.abs(low), np.abs(high)))
    with np.errstate(over="ignore", invalid="ignore"):
        begins[..., 1:] = ~(ranked[..., 1:] - ranked[..., :-1] <= noise) & (ranked[..., 1:] != ranked[..., :-1])
    ends = np.ones(ranked.shape, dtype=bool)
    ends[..., :-1] = begins[..., 1:]
    first = np.maximum.accumulate(np.where(begins, places, 0), axis=-1)
    last = np.minimum.accumulate(np.where(ends, places, ranked.shape[-1])[..., ::-1], axis=-1)[..., ::-1]
    out = np.empty(ranked.shape)
    np.put_along_axis(out, order, (first + last) / 2 / np.maximum(n - 1, 1), axis=-1)
    return fill(out, _alone(group.mask), group.mask, fallback)


@shape(
    "group_minmax",
    summary="The worst of the group gets 0 and the best 1.",
    formula="(r − min_G) / (max_G − min_G)",
    missing=MISSING,
    needs=("score", "group"),
    parameters=(FALLBACK,),
)
def group_minmax(scores: ArrayLike, *, mask: ArrayLike | None = None, fallback: float | None = None) -> Floats:
    """``(r - min) / (max - min)`` inside each group, in [0, 1]; 0.5 where all are equal.

    Args:
        scores, mask, fallback: as for :func:`group_std`.

    Raises:
        ValueError: as :func:`group_std`.
    """
    group = read(scores, mask, axes=2)
    return fill(minmax(group.values, group.mask, 0.5), _alone(group.mask), group.mask, fallback)


@shape(
    "leave_one_out",
    summary="Advantage over the other samples of the group: an unbiased baseline that keeps the scale.",
    formula="r − mean of the others in G",
    paper="Back to Basics: Revisiting REINFORCE Style Optimization for Learning from Human Feedback in LLMs",
    missing=MISSING,
    needs=("score", "group"),
    parameters=(FALLBACK,),
)
def leave_one_out(scores: ArrayLike, *, mask: ArrayLike | None = None, fallback: float | None = None) -> Floats:
    """``r_i - mean over j != i of r_j``, which is ``n / (n - 1)`` times the distance to the group's mean.

    "Back to Basics: Revisiting REINFORCE Style Optimization for Learning from Human Feedback in LLMs" (RLOO).

    Args:
        scores, mask, fallback: as for :func:`group_std`.

    Raises:
        ValueError: as :func:`group_std`.
    """
    group = read(scores, mask, axes=2)
    deviation, unit = centred(group.values, group.mask)
    n = count(group.mask)
    out = np.where(is_flat(group.values, group.mask), 0.0, deviation * unit * (n / np.maximum(n - 1, 1)))
    return fill(out, _alone(group.mask), group.mask, fallback)


@shape(
    "multi_objective",
    summary="Several criteria, each brought to the group's spread first: the scale of one cannot drown the others.",
    formula="Σ_c w_c (r_c − mean_G,c) / (std_G,c + epsilon)",
    paper="MO-GRPO: Mitigating Reward Hacking of Group Relative Policy Optimization on Multi-Objective Problems",
    missing="A sample that lacks a criterion is NaN, or (on_missing: skip) the weights of its others take over. "
    "Alone: fallback.",
    needs=("criteria", "group"),
    parameters=(
        Parameter("on_missing", "a missing criterion leaves no reward, or is left out", choices=("fail", "skip")),
        Parameter("epsilon", "keeps tiny differences from being blown up", low=0),
        FALLBACK,
    ),
)
def multi_objective(
    scores: ArrayLike,
    weights: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    on_missing: str = "fail",
    epsilon: float = 1e-6,
    fallback: float | None = None,
) -> Floats:
    """Weighted sum of criteria that are normalised inside the group one by one, shape (groups, samples).

    "MO-GRPO: Mitigating Reward Hacking of Group Relative Policy Optimization on Multi-Objective Problems". A criterion
    on which all samples of a group agree adds 0 there, and never a division by zero.

    Args:
        scores: shape (groups, samples, criteria), each criterion on a scale of its own.
        weights: shape (criteria,), finite, not all 0; below 0 for a criterion that should be low.
        mask: the shape of ``scores``, True = present.
        on_missing: ``fail``: a sample that lacks a criterion of weight is NaN; ``skip``: the others' weights are
            scaled up to the same total of sizes, and a sample with no criterion at all is NaN.
        epsilon, fallback: as for :func:`group_std`; for each criterion, alone is who alone has it.

    Raises:
        ValueError: as :func:`group_std`, or the weights do not fit.
    """
    group = read(scores, mask, axes=3)
    w = read(weights, None, "weights").values
    if w.shape != group.values.shape[-1:] or not w.any():
        raise ValueError(f"weights of shape ({group.values.shape[-1]},), not all 0, are needed; found {w.tolist()}")
    used = np.flatnonzero(w)
    w, values, present = w[used], group.values[..., used], group.mask[..., used]
    turned = np.swapaxes(values, -1, -2), np.swapaxes(present, -1, -2)
    normal = np.swapaxes(group_std(turned[0], mask=turned[1], epsilon=epsilon, fallback=fallback), -1, -2)
    known = present & np.isfinite(normal)
    share = np.where(known, np.abs(w), 0.0).sum(axis=-1) / np.abs(w).sum()
    total = np.where(known, w * normal, 0.0).sum(axis=-1)
    whole = known.any(axis=-1) if on_missing == "skip" else known.all(axis=-1)
    return np.where(whole, total / np.where(share > 0, share, 1.0), np.nan)


def group_spread(scores: ArrayLike, *, mask: ArrayLike | None = None) -> Floats:
    """Standard deviation (n) of each group, shape (groups,): what there is to learn from it; 0 where all are equal.

    "What Makes a Reward Model a Good Teacher? An Optimization Perspective": a group without spread teaches nothing,
    however accurate its judge. Groups of one sample or none are NaN.

    Args:
        scores: shape (groups, samples).
        mask: the same shape, True = present.

    Raises:
        ValueError: as :func:`group_std`.
    """
    group = read(scores, mask, axes=2)
    deviation, unit = centred(group.values, group.mask)
    n = count(group.mask)
    std = unit * np.sqrt((deviation**2).sum(axis=-1, keepdims=True) / np.maximum(n, 1))
    low, high = extent(group.values, group.mask)
    std = np.where(low == high, 0.0, std)
    return np.where(n > 1, std, np.nan)[..., 0]


def _alone(mask: Bools) -> Bools:
    return np.asarray(count(mask) < 2)
