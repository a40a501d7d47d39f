"""The rules on scores: one value for each row of votes, whatever labels stood behind them.

    >>> s, m = np.array([[0.0, 1.0, 1.0]]), np.ones((1, 3), dtype=bool)
    >>> value_of(Rule("median"), s, m * 1.0, m, m.sum(-1), np.array([2 / 3]), np.array([3.0])).tolist()
    [1.0]

:func:`genrm.voting.rules.vote_array` checks what it is given and says what each rule computes.
"""

from __future__ import annotations

import numpy as np

from genrm.voting.moments import Bools, Floats, Ints, edges, mean_of, ordered_sum, variance_of
from genrm.voting.rule import Rule

SMALL = 1e-8
"""Below this exponent the third cumulant changes no bit of the result any more."""


def value_of(rule: Rule, s: Floats, w: Floats, m: Bools, n: Ints, mean: Floats, total: Floats) -> Floats:
    """The rules on scores."""
    low, high = edges(s, m)
    match rule.name:
        case "mean" | "confidence":
            return mean
        case "sum":
            return ordered_sum(np.where(m, s, 0.0))
        case "min":
            return low
        case "max":
            return high
        case "median":
            return _quantile(s, m, n, 0.5)
        case "quantile":
            return _quantile(s, m, n, rule.number)
        case "trimmed_mean":
            ranked, rank = np.sort(np.where(m, s, np.inf), axis=-1), np.arange(s.shape[-1])
            # A hair more than t n, so that 0.1 of 10 votes is one vote.
            cut = np.floor(rule.number * n + 1e-9)[..., None]
            kept = (rank >= cut) & (rank < n[..., None] - cut)
            return mean_of(np.where(kept, ranked, 0.0), kept.astype(np.float64), kept, kept.sum(-1).astype(np.float64))
        case "mean_minus_var":
            scale, variance = variance_of(s, w, m, mean, total)
            return mean - rule.number * scale * scale * variance
        case "mean_minus_std":
            scale, variance = variance_of(s, w, m, mean, total)
            return mean - rule.number * scale * np.sqrt(variance)
        case "robust":
            # Equal votes keep their score to the last bit.
            return np.clip(rule.number * mean + (1 - rule.number) * low, low, mean)
        case _:
            return log_mean_exp(s, w, m, mean, total, rule.number)


def _quantile(s: Floats, m: Bools, n: Ints, q: float) -> Floats:
    if s.shape[-1] == 0:
        return np.full(n.shape, np.nan)
    ranked = np.sort(np.where(m, s, np.inf), axis=-1)
    place = q * np.maximum(n - 1, 0)
    below = np.floor(place + 1e-12).astype(np.int64)
    part = np.clip(place - below, 0.0, 1.0)
    above = np.minimum(below + (part > 0), np.maximum(n - 1, 0))
    left = np.take_along_axis(ranked, below[..., None], -1)[..., 0]
    right = np.take_along_axis(ranked, above[..., None], -1)[..., 0]
    # Between equal neighbours nothing is interpolated: rounding would leave their value.
    return np.where(left == right, left, (1 - part) * left + part * right)


def log_mean_exp(s: Floats, w: Floats, m: Bools, mean: Floats, total: Floats, eta: float) -> Floats:
    """``log(sum w exp(eta s) / sum w) / eta`` for any finite eta: no exponent overflows, and no tiny eta is lost.

    Three forms, each exact where it is used: the cumulants ``mean + eta / 2 * variance`` where ``eta * spread`` is so
    small that the next one is below rounding; log1p of expm1 where all terms are near 1; and the logarithm of the sum
    otherwise, seen from its greatest term.
    """
    if eta == 0:
        return mean
    low, high = edges(s, m)
    peak = np.where(total > 0, high if eta > 0 else low, 0.0)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore", under="ignore"):
        # Halved before it is taken, the distance of the largest numbers stays finite.
        away = np.where(m, 0.5 * s - 0.5 * peak[..., None], 0.0) * eta * 2
        reach = np.abs(away).max(-1, initial=0.0)
        scale, variance = variance_of(s, w, m, mean, total)
        # eta times the scale first: their product is small here, the square of the scale need not be finite.
        series = mean + eta * scale / 2 * variance * scale
        relative = ordered_sum(w * np.expm1(away)) / total
        near = peak + np.log1p(relative) / eta
        logs = np.where(m, np.log(np.where(m, w, 1.0)) + away, -np.inf)
        top = np.where(total > 0, logs.max(-1, initial=-np.inf), 0.0)
        far = peak + (top + np.log(ordered_sum(np.exp(logs - top[..., None]))) - np.log(total)) / eta
        value = np.where(reach < SMALL, series, np.where(relative > -0.5, near, far))
        return np.clip(value, low, high)
