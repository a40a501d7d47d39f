"""Means, variances and their split, over masked and weighted votes: what every rule stands on.

    >>> m = np.array([[True, True, False]])
    >>> mean_of(np.array([[1.0, 0.0, 7.0]]), m * 1.0, m, np.array([2.0])).tolist()
    [0.5]

Arrays have the shape (…, votes). Sums are taken in sorted order, so that no result depends on the order of the votes,
and relative to the largest deviation, so that no square overflows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrm.voting.rule import Rule

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

WEIGHTED = frozenset({"mean", "majority", "soft", "likelihood", "confidence", "log_mean_exp"})
"""Rules that take a weight for each vote."""


def read_votes(
    scores: ArrayLike, mask: ArrayLike | None, weights: ArrayLike | None, rule: Rule
) -> tuple[Floats, Bools, Floats]:
    """Scores (0 where there is no vote), mask and weights, checked."""
    s = np.asarray(scores, dtype=np.float64)
    if s.ndim == 0:
        raise ValueError("scores have the shape (…, n), found a single number; write [score]")
    m = np.ones(s.shape, dtype=bool) if mask is None else np.asarray(mask)
    if m.dtype != bool or m.shape != s.shape:
        raise ValueError(f"mask is boolean and has the shape of the scores {s.shape}, found {m.dtype} {m.shape}")
    if rule.name in ("likelihood", "confidence") and weights is None:
        raise ValueError(f"rule {rule.name} weighs the votes; pass weights, or use rule majority or mean")
    if weights is None:
        w = m.astype(np.float64)
    else:
        if rule.name not in WEIGHTED:
            raise ValueError(f"rule {rule.name} takes no weights; use one of {', '.join(sorted(WEIGHTED))}")
        w = np.asarray(weights, dtype=np.float64)
        if w.shape != s.shape:
            raise ValueError(f"weights have the shape of the scores {s.shape}, found {w.shape}")
        if not (np.isfinite(w[m]) & (w[m] >= 0)).all():
            raise ValueError("weights are finite and at least 0; mask the votes that have none")
        m = m & (w > 0)
        w = np.where(m, w, 0.0)
        # Only ratios count: without this, tiny weights would vanish in a sum and huge ones overflow.
        w = w / np.where(m.any(-1), w.max(-1, initial=0.0), 1.0)[..., None]
        m = m & (w > 0)
    if not np.isfinite(s if mask is None and weights is None else s[m]).all():
        raise ValueError("scores hold None, NaN or infinity; leave failed votes out, or mask them")
    s = s if mask is None and weights is None else np.where(m, s, 0.0)
    # Votes of one place side by side in memory: sums over the votes of a million rows are then sums of columns.
    return np.asfortranarray(s), np.asfortranarray(m), np.asfortranarray(w)


def ordered_sum(x: Floats) -> Floats:
    # Sorted first, so that the order of the votes changes no bit.
    result: Floats = np.sort(x, axis=-1).sum(-1)
    return result


def dot(p: Floats, values: Floats) -> Floats:
    result: Floats = np.clip((p * values).sum(-1), values.min(), values.max())
    return result


def edges(s: Floats, m: Bools) -> tuple[Floats, Floats]:
    # A reduction under a mask costs several times as much as one without.
    if m.all():
        return s.min(-1, initial=np.inf), s.max(-1, initial=-np.inf)
    return np.where(m, s, np.inf).min(-1, initial=np.inf), np.where(m, s, -np.inf).max(-1, initial=-np.inf)


def mean_of(s: Floats, w: Floats, m: Bools, total: Floats) -> Floats:
    low, high = edges(s, m)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        # Divided first where the sum could overflow. Rounding must not push a mean past its own votes.
        small = np.abs(s).max(initial=0.0) < 1e290
        mean = ordered_sum(w * s) / total if small else ordered_sum(s * (w / total[..., None]))
        return np.where(total > 0, np.minimum(np.maximum(mean, low), high), np.nan)


def variance_of(s: Floats, w: Floats, m: Bools, mean: Floats, total: Floats) -> tuple[Floats, Floats]:
    """Population variance as (scale, variance of scores / scale): squares of large scores would overflow."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore", under="ignore"):
        away = np.where(m, s - np.where(total > 0, mean, 0.0)[..., None], 0.0)
        large = np.abs(away).max(-1, initial=0.0)
        scale = np.where((large > 1e100) | ((large > 0) & (large < 1e-100)), large, 1.0)
        return scale, ordered_sum(w * (away / scale[..., None]) ** 2) / total


def spread_of(w: Floats, n: Ints, total: Floats, scale: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """Standard deviation of the scores (with n - 1) and standard error of their mean, from :func:`variance_of`."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        # Kish's effective number of votes; n itself where the weights are equal.
        effective = total**2 / ordered_sum(w * w)
        std = scale * np.sqrt(variance * effective / (effective - 1))
        several = (n > 1) & (effective > 1 + 1e-12)
        return np.where(several, std, np.nan), np.where(several, std / np.sqrt(effective), np.nan)


def split_of(
    s: Floats,
    w: Floats,
    m: Bools,
    n: Ints,
    total: Floats,
    scale: Floats,
    variance: Floats,
    p: ArrayLike | None,
    values: ArrayLike | None,
) -> tuple[Floats | None, Floats, Floats, Floats]:
    """The mixture, the variance inside the votes, the one between their scores, and the one between their means."""
    with np.errstate(over="ignore"):
        between = np.where(n > 1, scale * scale * variance, np.nan)
    unknown = np.full(n.shape, np.nan)
    if p is None:
        return None, unknown, between, unknown
    if values is None:
        raise ValueError("distributions came without the scores of their labels; pass values")
    d, v = np.asarray(p, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if d.shape[:-1] != s.shape or v.shape != d.shape[-1:]:
        raise ValueError(f"p has the shape (*{s.shape}, labels) and values (labels,), found {d.shape} and {v.shape}")
    good = (d >= 0).all(-1) & (np.abs(d.sum(-1) - 1) <= 1e-3)
    if not good[m].all() or not np.isfinite(v).all():
        raise ValueError("each distribution is at least 0 and sums to 1, and values are finite")
    d = np.where(m[..., None], d / np.where(good, d.sum(-1), 1.0)[..., None], 0.0)
    means = (d * v).sum(-1)
    inside = (d * (v - means[..., None]) ** 2).sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mixture = np.sort(w[..., None] * d, axis=-2).sum(-2) / total[..., None]
        within = ordered_sum(w * inside) / total
        middle = ordered_sum(w * means) / total
        outer = ordered_sum(w * np.where(m, means - middle[..., None], 0.0) ** 2) / total
    return mixture, within, between, np.where(n > 1, outer, np.nan)
