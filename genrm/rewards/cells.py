"""Scores, weights and masks of one shape: what every aggregate of criteria begins with.

    >>> cells([0.25, None], [1.0, -2.0], mask=[True, False]).good
    array([0.25,  nan])

One convention for all: arrays have the shape (…, criteria), and a boolean mask of the same shape says which scores
are there (True = present). A score that is not there may be None or NaN; it is never read as 0, as 1 or as "not met".
Without a mask every score has to be there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Rewards = float | Floats
"""A float for scores of shape (criteria,), else an array without the last axis; NaN where there is no reward."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Checked scores of shape (…, criteria).

    Attributes:
        scores: in [0, 1]; NaN where missing.
        good: the score of a criterion with positive weight, ``1 - score`` of a fault; NaN where missing.
        weights: signed, brought near 1 by a power of two in each row, which changes no ratio and no digit.
        present: True where there is a score.
    """

    scores: Floats
    good: Floats
    weights: Floats
    present: Bools

    @property
    def size(self) -> Floats:
        """``|weight|``, 0 where the score is missing."""
        return np.where(self.present, np.abs(self.weights), 0.0)

    @property
    def counting(self) -> Bools:
        """True where a score is present and its weight differs from 0."""
        return np.asarray(self.present & (self.weights != 0), dtype=np.bool_)


def cells(scores: ArrayLike, weights: ArrayLike | None = None, mask: ArrayLike | None = None) -> Cells:
    """Scores with weights (1 each by default) and mask, broadcast to one shape.

    Raises:
        ValueError: shapes do not fit, a score is missing without a mask or out of [0, 1], or a weight is not finite.
    """
    s = np.asarray(scores, dtype=np.float64)
    w = np.ones(s.shape[-1:]) if weights is None else np.asarray(weights, dtype=np.float64)
    if s.ndim == 0 or w.ndim == 0 or s.shape[-1] != w.shape[-1]:
        raise ValueError(f"scores and weights end in one axis of criteria, found shapes {s.shape} and {w.shape}")
    if not np.isfinite(w).all():
        raise ValueError(f"weights are finite numbers, found {_excerpt(w[~np.isfinite(w)])}")
    present = present_cells(s, mask)
    shape = np.broadcast_shapes(s.shape, w.shape, present.shape)
    s, w, present = np.broadcast_to(s, shape), np.broadcast_to(w, shape), np.broadcast_to(present, shape)
    s = np.where(present, s, np.nan)
    in_range(s, present, "scores")
    if w.size:
        # A power of two: no digit is lost, and weights near the ends of the number range do not overflow. Only the
        # sign of a missing criterion's weight is of use.
        _, exponent = np.frexp(np.max(np.where(present, np.abs(w), 0.0), axis=-1, keepdims=True))
        w = np.where(present, np.ldexp(np.where(present, w, 0.0), -exponent), np.sign(w))
    return Cells(s, np.where(w < 0, 1 - s, s), w, present)


def present_cells(scores: Floats, mask: ArrayLike | None) -> Bools:
    """The mask as booleans; all True without one."""
    if mask is None:
        return np.ones(scores.shape, dtype=np.bool_)
    given: NDArray[Any] = np.asarray(mask)
    if given.dtype != np.bool_:
        raise ValueError(f"a mask is an array of booleans (True = present), found {given.dtype}")
    return cast("Bools", given)


def in_range(scores: Floats, present: Bools, name: str) -> None:
    """Raise ValueError unless every present score lies in [0, 1]."""
    # None arrives here as NaN, which fails both comparisons.
    wrong = present & ~((scores >= 0) & (scores <= 1))
    if wrong.any():
        raise ValueError(
            f"{name} lie in [0, 1] and none is missing without a mask, found {_excerpt(scores[wrong])}; "
            "leave missing ones out with mask= (True = present)"
        )


def total(terms: Floats) -> Floats:
    """The sum over the last axis, shape (…): neither the order of the terms nor zeros among them change a bit."""
    if terms.shape[-1] == 0:
        return np.zeros(terms.shape[:-1])
    return np.cumsum(np.sort(terms, axis=-1), axis=-1)[..., -1]


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """The quotient, NaN where the denominator is 0."""
    quotient = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient


def unwrap(rewards: Floats) -> Rewards:
    """A float where there is one reward, else the array."""
    return float(rewards) if np.ndim(rewards) == 0 else rewards


def _excerpt(values: Floats) -> str:
    listed = ", ".join(f"{value:g}" for value in values.ravel()[:5])
    return listed + (", …" if values.size > 5 else "")
