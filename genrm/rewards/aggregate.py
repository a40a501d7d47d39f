"""Criterion scores become one reward. Pure functions over arrays.

    >>> weighted_mean([1.0, 0.0], [3.0, 1.0])
    0.75
    >>> weighted_mean([1.0], [-2.0]), points([1.0, 1.0], [5.0, -2.0]), gate(0.75, [0.0])
    (0.0, 0.6, 0.0)

Scores lie in [0, 1]. A weight below 0 marks a fault: a high score then says that the fault is there. A score that
is missing is no number; ``genrm.rewards.tree`` knows what to do with it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray


def weighted_mean(scores: ArrayLike, weights: ArrayLike) -> float:
    """``(sum over w > 0 of w s  +  sum over w < 0 of |w| (1 - s)) / sum |w|``, in [0, 1].

    "Rubrics as Rewards: Reinforcement Learning Beyond Verifiable Domains" has the case of positive weights. A fault
    counts by its absence, so a rubric of faults alone has the whole range too: 1 without any, 0 with all of them.

    Args:
        scores: shape (n,), in [0, 1].
        weights: shape (n,), finite; criteria of weight 0 do not count.

    Raises:
        ValueError: shapes differ, a value is out of range, or no weight differs from 0.
    """
    s, w = _checked(scores, weights)
    total = math.fsum(np.abs(w))
    if total == 0:
        raise ValueError("no criterion has a weight other than 0, so there is no mean; give one a weight")
    # fsum adds exactly: the order of the criteria changes nothing.
    return _clip(math.fsum(np.where(w < 0, -w * (1 - s), w * s)) / total)


def points(scores: ArrayLike, weights: ArrayLike) -> float:
    """``clip(sum w s / sum over w > 0 of w, 0, 1)``: points earned, faults subtracted, over the points there are.

    "HealthBench: Evaluating Large Language Models Towards Improved Human Health".

    Args:
        scores: shape (n,), in [0, 1].
        weights: shape (n,), finite: points, negative for a fault.

    Raises:
        ValueError: shapes differ, a value is out of range, or no criterion has positive points.
    """
    s, w = _checked(scores, weights)
    total = math.fsum(w[w > 0])
    if total == 0:
        raise ValueError(
            "no criterion has positive points, so every response would get 0; add one with a weight above 0 or use "
            "aggregate: weighted_mean, which gives a rubric of faults the whole range"
        )
    return _clip(math.fsum(w * s) / total)


def gate(reward: float, constraint_scores: ArrayLike, threshold: float = 0.5, floor: float = 0.0) -> float:
    """``reward`` if every constraint's score reaches ``threshold``, else ``floor`` (or the reward, if that is lower).

    "The Perfect Blend: Redefining RLHF with Mixture of Judges" keeps constraints apart from rewards in this way.

    Args:
        reward: finite.
        constraint_scores: shape (n,), in [0, 1]; none at all closes no gate.
        threshold: the lowest score that passes.
        floor: the reward behind a closed gate.

    Raises:
        ValueError: a value is missing or out of range.
    """
    scores = np.asarray(constraint_scores, dtype=np.float64)
    _in_range(scores, "constraint scores")
    if not math.isfinite(reward) or not math.isfinite(floor):
        raise ValueError(f"reward and floor are finite numbers, found {reward} and {floor}")
    return min(reward, floor) if (scores < threshold).any() else reward


def _checked(scores: ArrayLike, weights: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    s, w = np.asarray(scores, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    if s.ndim != 1 or s.shape != w.shape:
        raise ValueError(f"scores and weights have one shape (n,), found {s.shape} and {w.shape}")
    _in_range(s, "scores")
    if not np.isfinite(w).all():
        raise ValueError(f"weights are finite numbers, found {w.tolist()}")
    return s, w


def _in_range(scores: NDArray[np.float64], name: str) -> None:
    # None arrives here as NaN, which fails both comparisons.
    if not ((scores >= 0) & (scores <= 1)).all():
        raise ValueError(f"{name} lie in [0, 1] and none is missing, found {scores.tolist()}")


def _clip(value: float) -> float:
    return min(max(value, 0.0), 1.0)
