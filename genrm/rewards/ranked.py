"""Aggregates in which criteria have ranks: the first one that separates decides, or one opens the door for the others.

    >>> lexicographic([[0.9, 0.0], [0.6, 1.0]], margins=0.5)
    array([0.375, 0.625])
    >>> compare([0.9, 0.0], [0.6, 1.0], margins=0.5), compare([0.9, 0.0], [0.6, 1.0], margins=0.1)
    (-1.0, 1.0)
    >>> hierarchical([0.2, 1.0], holistic=0), hierarchical([0.8, 1.0], holistic=0)
    (0.1, 0.9)

Scores have the shape (…, criteria) and lie in [0, 1]; of a fault (weight below 0) it is the absence, ``1 - score``,
that counts: g below. ``mask`` is True where a score is present.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrm.rewards.cells import Floats, Rewards, cells, ratio, total, unwrap

MAX_KEYS = 2**52
"""Most values of a lexicographic key that stay apart as floating-point numbers in [0, 1]."""

# Scores such as 0.3 lie a rounding error below the multiple of their margin that they mean.
_SLACK = 1e-9


def lexicographic(
    scores: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margins: ArrayLike = 0.1,
) -> Rewards:
    """One number in [0, 1] whose order is the lexicographic order of the criteria, the first being the most important.

    "Deep Reinforcement Learning from Hierarchical Preference Design" (HERON) compares two responses on the first
    criterion that separates them by more than its margin. That relation has cycles (0.0 ~ 0.3 ~ 0.6 with margin 0.5,
    but 0.0 < 0.6), so no number can stand for it (:func:`compare` is the relation). Here each g falls into a bin as
    wide as its margin, digit ``floor(g / margin)`` out of ``floor(1 / margin) + 1``, and the digits are one number in
    mixed radix: ``reward = key / (number of keys - 1)``. So

    - scores that differ by at least the margin are always apart, and equal scores never are;
    - scores that differ by less are apart exactly when a bin begins between them;
    - where different scores of a criterion always differ by at least its margin (labels of a scale whose steps are
      no smaller), the order is that of :func:`compare` with margins a little below: no limit is felt.

    The numbers are ranks: their differences mean nothing.

    Args:
        scores: shape (…, n), in [0, 1], the most important criterion first.
        weights: shape (n,): only the sign counts, and 0 leaves a criterion out.
        mask: True = present. What follows a missing criterion cannot be compared, so a row with one gets NaN.
        margins: one for all, or shape (n,); each in (0, 1].

    Returns:
        Shape (…).

    Raises:
        ValueError: a margin is out of range, there are more than ``MAX_KEYS`` keys, or shapes differ.
    """
    c = cells(scores, weights, mask)
    widths = _margins(margins, c.good.shape[-1])
    counts = bins(widths)
    keys = math.prod(counts)
    if keys > MAX_KEYS:
        raise ValueError(
            f"{len(counts)} criteria with these margins make {keys:.3g} keys, more than the {MAX_KEYS:.3g} that "
            "numbers in [0, 1] can tell apart; widen the margins or rank fewer criteria"
        )
    digits = np.floor(np.where(c.counting, c.good, 0.0) / widths + _SLACK)
    key = np.zeros(digits.shape[:-1])
    for index, count in enumerate(counts):
        key = key * count + np.minimum(digits[..., index], count - 1)
    known = (c.present | (c.weights == 0)).all(axis=-1)
    return unwrap(np.where(known, key / max(keys - 1, 1), np.nan))


def bins(margins: ArrayLike) -> list[int]:
    """How many digits each margin allows: ``floor(1 / margin) + 1``."""
    return [
        math.floor(1 / max(margin, 1e-300) + _SLACK) + 1
        for margin in np.atleast_1d(np.asarray(margins, dtype=np.float64))
    ]


def compare(
    first: ArrayLike,
    second: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    margins: ArrayLike = 0.1,
) -> Rewards:
    """1 where ``first`` is better, -1 where ``second`` is, 0 where no criterion separates them.

    The first criterion whose g differ by more than its margin decides. "Deep Reinforcement Learning from Hierarchical
    Preference Design" (HERON). Not transitive: see :func:`lexicographic`.

    Args:
        first: shape (…, n), in [0, 1], the most important criterion first.
        second: shape (…, n).
        weights: shape (n,): only the sign counts, and 0 leaves a criterion out.
        margins: one for all, or shape (n,); each in [0, 1].

    Returns:
        Shape (…), each -1, 0 or 1.

    Raises:
        ValueError: a value is missing or out of range, or shapes differ.
    """
    a, b = cells(first, weights), cells(second, weights)
    gap = np.where(a.weights != 0, a.good - b.good, 0.0)
    widths = _margins(margins, gap.shape[-1], least=0.0)
    decides = np.abs(gap) > widths + _SLACK
    place = np.argmax(decides, axis=-1)[..., None]
    return unwrap(np.where(decides.any(axis=-1), np.sign(np.take_along_axis(gap, place, axis=-1)[..., 0]), 0.0))


def hierarchical(
    scores: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    holistic: int,
    threshold: float = 0.5,
) -> Rewards:
    """``(w_h g_h + [g_h >= threshold] * sum over aspects of |w| g) / sum |w|``, in [0, 1].

    "ALaRM: Align Language Models via Hierarchical Rewards Modeling": aspects count only where the holistic score
    passes a threshold, so no aspect can make up for a response that is bad as a whole.

    Args:
        scores: shape (…, n), in [0, 1].
        weights: shape (n,) or (…, n), finite; that of the holistic criterion is not 0.
        mask: True = present. Without the holistic score there is no reward; a missing aspect is left out of sum and
            divisor; where the door is open and no aspect has a score, there is none either.
        holistic: index of the holistic criterion.
        threshold: the lowest g_h that passes, in [0, 1].

    Returns:
        Shape (…); never falls when a criterion gets better.

    Raises:
        ValueError: the index or a value is out of range, shapes differ, or the holistic weight is 0.
    """
    c = cells(scores, weights, mask)
    n = c.good.shape[-1]
    if not 0 <= holistic < n:
        raise ValueError(f"holistic is the index of one of {n} criteria, found {holistic}")
    if (c.weights[..., holistic] == 0).any():
        raise ValueError("the holistic criterion has weight 0, so nothing could pass; give it a weight")
    aspect = np.arange(n) != holistic
    g, seen = c.good[..., holistic], c.present[..., holistic]
    passed = seen & (np.where(seen, g, 0.0) >= threshold)
    value = np.where(c.present & (aspect | seen[..., None]), c.good, 0.0)
    opened = np.where(aspect & ~passed[..., None], 0.0, value)
    reward = ratio(total(c.size * opened), total(c.size))
    blind = passed & ((c.weights != 0) & aspect).any(axis=-1) & ~(c.counting & aspect).any(axis=-1)
    return unwrap(np.where(seen & ~blind, np.clip(reward, 0.0, 1.0), np.nan))


def _margins(margins: ArrayLike, n: int, least: float = math.ulp(0.0)) -> Floats:
    widths: NDArray[np.float64] = np.asarray(margins, dtype=np.float64)
    if widths.shape not in ((), (n,)):
        raise ValueError(f"there are {n} criteria, so give one margin for all or {n} of them, found {widths.size}")
    if not ((widths >= least) & (widths <= 1)).all():
        raise ValueError(f"margins lie in ({least:.0f}, 1], found {widths.tolist()}; the steps of a scale are a start")
    return np.broadcast_to(widths, (n,))
