"""Criterion scores become one reward: means, points and gates. Pure functions over arrays.

    >>> weighted_mean([1.0, 0.0], [3.0, 1.0])
    0.75
    >>> weighted_mean([1.0], [-2.0]), points([1.0, 1.0], [5.0, -2.0]), gate(0.75, [0.0])
    (0.0, 0.6, 0.0)

Scores have the shape (…, criteria) and lie in [0, 1]. A weight below 0 marks a fault: a high score then says that the
fault is there. ``mask`` is True where a score is present; a missing one is left out, and where nothing is left the
reward is NaN. ``genrm.rewards.strict`` and ``genrm.rewards.ranked`` have the other aggregates, ``genrm.rewards.tree``
puts them on nested criteria.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from genrm.rewards.cells import Rewards, cells, in_range, present_cells, ratio, total, unwrap


def weighted_mean(scores: ArrayLike, weights: ArrayLike, mask: ArrayLike | None = None) -> Rewards:
    """``(sum over w > 0 of w s  +  sum over w < 0 of |w| (1 - s)) / sum |w|``, in [0, 1].

    "Rubrics as Rewards: Reinforcement Learning Beyond Verifiable Domains" has the case of positive weights. A fault
    counts by its absence, so a rubric of faults alone has the whole range too: 1 without any, 0 with all of them.

    Args:
        scores: shape (…, n), in [0, 1].
        weights: shape (n,) or (…, n), finite; criteria of weight 0 do not count.
        mask: shape (n,) or (…, n), True = present; missing criteria are left out of sum and divisor.

    Returns:
        Shape (…); NaN where every criterion that counts is missing.

    Raises:
        ValueError: shapes differ, a value is out of range, or no weight differs from 0.
    """
    c = cells(scores, weights, mask)
    if not (c.weights != 0).any(axis=-1).all():
        raise ValueError("no criterion has a weight other than 0, so there is no mean; give one a weight")
    return unwrap(np.clip(ratio(total(c.size * np.where(c.present, c.good, 0.0)), total(c.size)), 0.0, 1.0))


def points(scores: ArrayLike, weights: ArrayLike, mask: ArrayLike | None = None) -> Rewards:
    """``clip(sum w s / sum over w > 0 of w, 0, 1)``: points earned, faults subtracted, over the points there are.

    "HealthBench: Evaluating Large Language Models Towards Improved Human Health".

    Args:
        scores: shape (…, n), in [0, 1].
        weights: shape (n,) or (…, n), finite: points, negative for a fault.
        mask: shape (n,) or (…, n), True = present; missing criteria are left out of sum and divisor.

    Returns:
        Shape (…); NaN where all that could be earned is missing.

    Raises:
        ValueError: shapes differ, a value is out of range, or no criterion has positive points.
    """
    c = cells(scores, weights, mask)
    if not (c.weights > 0).any(axis=-1).all():
        raise ValueError(
            "no criterion has positive points, so every response would get 0; add one with a weight above 0 or use "
            "aggregate: weighted_mean, which gives a rubric of faults the whole range"
        )
    earned = total(np.where(c.present, c.weights * np.where(c.present, c.scores, 0.0), 0.0))
    return unwrap(np.clip(ratio(earned, total(np.where(c.weights > 0, c.size, 0.0))), 0.0, 1.0))


def gate(
    reward: ArrayLike,
    constraint_scores: ArrayLike,
    threshold: float = 0.5,
    floor: float = 0.0,
    mask: ArrayLike | None = None,
) -> Rewards:
    """``reward`` if every constraint's score reaches ``threshold``, else ``floor`` (or the reward, if that is lower).

    "The Perfect Blend: Redefining RLHF with Mixture of Judges" keeps constraints apart from rewards in this way. A
    gate that nobody looked at cannot be left out: with a missing constraint there is no reward, unless another
    gate is closed anyway.

    Args:
        reward: shape (…); NaN for no reward, which a gate does not change.
        constraint_scores: shape (…, n), in [0, 1]; none at all closes no gate.
        threshold: the lowest score that passes.
        floor: the reward behind a closed gate, finite.
        mask: shape (…, n), True = present.

    Raises:
        ValueError: a value is missing without a mask or out of range.
    """
    r = np.asarray(reward, dtype=np.float64)
    s = np.asarray(constraint_scores, dtype=np.float64)
    if np.isinf(r).any() or not np.isfinite(floor):
        raise ValueError(f"reward and floor are finite numbers, found {r.tolist()} and {floor}")
    present = present_cells(s, mask)
    in_range(s, present, "constraint scores")
    closed = (present & (s < threshold)).any(axis=-1)
    known = closed | present.all(axis=-1)
    gated = np.where(closed, np.minimum(r, floor), r)
    return unwrap(np.where(known, gated, np.nan))
