"""Many votes at once: every voting rule over arrays of shape ``(…, votes)``, with a mask for votes that are missing.

    >>> voted = vote_array([[1.0, 0.0, 1.0], [0.5, 9.0, 9.0]], "mean", mask=[[True, True, True], [True, False, False]])
    >>> voted.value.round(3).tolist(), voted.n.tolist()
    ([0.667, 0.5], [3, 1])

A missing vote is never read. A row without any vote has the value NaN, which is no number, and n = 0. No result depends
on the order of the votes, to the last bit. Votes of one judge share its errors: their spread says how unsure the judge
is, not how wrong.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrm.voting.rule import Rule

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

WEIGHTED = frozenset({"mean", "majority", "soft", "likelihood", "confidence", "log_mean_exp"})
"""Rules that take a weight for each vote."""


BLOCK = 16_384
"""Rows that are voted on at a time: about as much as the caches of a core hold. Rows do not depend on each other."""


@dataclass(frozen=True, slots=True)
class VotedArray:
    """What the votes of each row say; every field has the shape of ``scores`` without its last axis.

    Attributes:
        value: by the rule; NaN for a row without votes.
        label: index of the label that stands for it; -1 without labels or votes.
        std: standard deviation of the scores (with n - 1); NaN below two votes.
        se: standard error of their mean; NaN below two votes.
        agreement: share (by weight) of the votes that said ``label``; NaN without.
        p: shape (…, labels): the mixture of the distributions, or the shares of the labels said; None without labels.
        within: mean variance of the score inside the votes' distributions; NaN where there are none.
        between: variance (over n) of the votes' means; NaN below two votes. ``within + between`` is the variance of
            the mixture.
        n: number of votes that count.
    """

    value: Floats
    label: Ints
    std: Floats
    se: Floats
    agreement: Floats
    p: Floats | None
    within: Floats
    between: Floats
    n: Ints


FIELDS = tuple(field.name for field in fields(VotedArray))


def vote_array(
    scores: ArrayLike,
    rule: Rule | str | Mapping[str, Any],
    *,
    mask: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    codes: ArrayLike | None = None,
    p: ArrayLike | None = None,
    values: ArrayLike | None = None,
) -> VotedArray:
    """One value for each row of votes.

    With scores s, weights w (1 without), mean m and population variance v of the votes that count:

    - ``mean`` sum w s / sum w ("Self-Consistency Improves Chain of Thought Reasoning in Language Models"); ``median``;
      ``quantile`` q (linear between neighbours); ``trimmed_mean`` t: the mean without floor(t n) votes at each end.
    - ``sum`` ("Inference-Time Scaling for Generalist Reward Modeling"), ``min``, ``max``.
    - ``mean_minus_var`` m - lambda v and ``min`` ("Reward Model Ensembles Help Mitigate Overoptimization");
      ``mean_minus_std`` m - lambda sqrt(v); ``robust`` lambda m + (1 - lambda) min ("Reward-Robust RLHF in LLMs").
    - ``log_mean_exp`` eta: log(sum w exp(eta s) / sum w) / eta, between min (eta to minus infinity) and max; the mean
      at eta = 0.
    - ``majority``: the label with the greatest weight (the most frequent score without labels); the value is the mean
      score of its votes. ``likelihood``: the same, weighted by the votes' likelihoods ("Soft Self-Consistency Improves
      Language Model Agents"). ``confidence``: the mean weighted by the votes' confidence. Both need ``weights``.
    - ``soft``: the mean score of the mixture of the label distributions; its label is the likeliest one.

    In a tie of labels the one nearest to the mean of all votes wins, then the lower one: a tie never rounds up. For the
    rules on scores the label is the voted one whose score is nearest to the value, the lower of two equally near.

    Args:
        scores: shape (…, n), finite where the mask is True.
        rule: a :class:`Rule`, its name, or ``{name: parameter}``.
        mask: shape (…, n), True where there is a vote.
        weights: shape (…, n), finite and at least 0; a vote of weight 0 does not count. For mean, majority, soft,
            log_mean_exp, likelihood and confidence.
        codes: shape (…, n), the index of the label of each vote. Of labels with equal scores the first is the lower.
        p: shape (…, n, labels), the distribution of each vote.
        values: shape (labels,), the score of each label; needed with ``p``.

    Raises:
        ValueError: shapes differ, a value that counts is not finite, the rule lacks what it needs, or the result is
            not finite.
    """
    rule = Rule.parse(rule)
    s = np.asarray(scores, dtype=np.float64)
    m, w, c = (None if a is None else np.asarray(a) for a in (mask, weights, codes))
    d = None if p is None else np.asarray(p, dtype=np.float64)
    shape, rows = s.shape[:-1], math.prod(s.shape[:-1])
    # What does not fit together is refused where it is looked at as a whole.
    fits = all(a is None or a.shape == s.shape for a in (m, w, c)) and (d is None or d.shape[:-1] == s.shape)
    if rows <= BLOCK or not fits:
        return _vote_rows(s, rule, m, w, c, d, values)

    flat = s.reshape(rows, s.shape[-1])
    given = [None if a is None else a.reshape(rows, *a.shape[len(shape) :]) for a in (m, w, c, d)]
    done = []
    for at in range(0, rows, BLOCK):
        here = slice(at, at + BLOCK)
        one, two, three, four = (None if a is None else a[here] for a in given)
        done.append(_vote_rows(flat[here], rule, one, two, three, four, values))
    labels = max((part.p.shape[-1] for part in done if part.p is not None), default=0)
    found: dict[str, Any] = {}
    for name in FIELDS:
        parts = [getattr(part, name) for part in done]
        if name == "p":
            parts = [_widen(part, labels) for part in parts if part is not None]
        found[name] = np.concatenate(parts).reshape(*shape, *parts[0].shape[1:]) if parts else None
    return VotedArray(**found)


def _widen(shares: Floats, labels: int) -> Floats:
    """Shares with as many labels as the others have: nobody here said the last ones."""
    missing = labels - shares.shape[-1]
    return np.concatenate([shares, np.repeat(shares[..., :1] * 0.0, missing, axis=-1)], axis=-1) if missing else shares


def _vote_rows(
    scores: ArrayLike,
    rule: Rule,
    mask: ArrayLike | None,
    weights: ArrayLike | None,
    codes: ArrayLike | None,
    p: ArrayLike | None,
    values: ArrayLike | None,
) -> VotedArray:
    """:func:`vote_array` on a few rows."""
    s, m, w = _votes(scores, mask, weights, rule)
    n = m.sum(-1)
    some = n > 0
    total = _sum(w)
    mean = _mean(s, w, m, total)
    std, se = _spread(s, w, m, n, mean, total)
    said = None if codes is None else _codes(codes, s, m)
    mixture, within, between, inner = _split(s, w, m, n, mean, total, p, values)
    count = _label_count(said, mixture, values)
    tallies = None if said is None else _tallies(said, w, s, m, count)
    label = np.full(n.shape, -1, dtype=np.int64)
    with np.errstate(over="ignore", invalid="ignore"):
        match rule.name:
            case "majority" | "likelihood":
                group = _tallies(*_score_codes(s, m, w)) if tallies is None else tallies
                won = _nearest(group[1], mean, _top(group[0]))
                value = np.take_along_axis(group[1], won[..., None], -1)[..., 0]
                label = label if tallies is None else won
            case "soft":
                if mixture is None or values is None:
                    raise ValueError("rule soft mixes label distributions; pass p and values, or use rule mean")
                scale = np.asarray(values, dtype=np.float64)
                value = _dot(mixture, scale)
                label = _nearest(np.broadcast_to(scale, mixture.shape), value, _top(mixture))
            case _:
                value = _value(rule, s, w, m, n, mean, total)
                if tallies is not None:
                    at = mean if rule.name == "sum" else value
                    label = _nearest(tallies[1], at, tallies[0] > 0)
    value = np.where(some, value, np.nan)
    if not np.isfinite(value[some]).all():
        raise ValueError(f"the scores are too large for rule {rule.name}; bring them to [0, 1] first")
    label = np.where(some, label, -1)
    agreement = np.full(n.shape, np.nan)
    shares = mixture
    if tallies is not None:
        with np.errstate(invalid="ignore", divide="ignore"):
            share = tallies[0] / total[..., None]
        agreement = np.where(some, np.take_along_axis(share, np.maximum(label, 0)[..., None], -1)[..., 0], np.nan)
        shares = share if mixture is None else mixture
    return VotedArray(value, label, std, se, agreement, shares, within, inner if p is not None else between, n)


def _votes(
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


def _sum(x: Floats) -> Floats:
    # Sorted first, so that the order of the votes changes no bit.
    result: Floats = np.sort(x, axis=-1).sum(-1)
    return result


def _dot(p: Floats, values: Floats) -> Floats:
    result: Floats = np.clip((p * values).sum(-1), values.min(), values.max())
    return result


def _edges(s: Floats, m: Bools) -> tuple[Floats, Floats]:
    low = np.min(s, axis=-1, where=m, initial=np.inf)
    return low, np.max(s, axis=-1, where=m, initial=-np.inf)


def _mean(s: Floats, w: Floats, m: Bools, total: Floats) -> Floats:
    low, high = _edges(s, m)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        # Divided first where the sum could overflow. Rounding must not push a mean past its own votes.
        small = np.abs(s).max(initial=0.0) < 1e290
        mean = _sum(w * s) / total if small else _sum(s * (w / total[..., None]))
        return np.where(total > 0, np.minimum(np.maximum(mean, low), high), np.nan)


def _variance(s: Floats, w: Floats, m: Bools, mean: Floats, total: Floats) -> tuple[Floats, Floats]:
    """Population variance as (scale, variance of scores / scale): squares of large scores would overflow."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore", under="ignore"):
        away = np.where(m, s - np.where(total > 0, mean, 0.0)[..., None], 0.0)
        large = np.abs(away).max(-1, initial=0.0)
        scale = np.where((large > 1e100) | ((large > 0) & (large < 1e-100)), large, 1.0)
        return scale, _sum(w * (away / scale[..., None]) ** 2) / total


def _spread(s: Floats, w: Floats, m: Bools, n: Ints, mean: Floats, total: Floats) -> tuple[Floats, Floats]:
    scale, variance = _variance(s, w, m, mean, total)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        # Kish's effective number of votes; n itself where the weights are equal.
        effective = total**2 / _sum(w * w)
        std = scale * np.sqrt(variance * effective / (effective - 1))
        several = (n > 1) & (effective > 1 + 1e-12)
        return np.where(several, std, np.nan), np.where(several, std / np.sqrt(effective), np.nan)


def _split(
    s: Floats,
    w: Floats,
    m: Bools,
    n: Ints,
    mean: Floats,
    total: Floats,
    p: ArrayLike | None,
    values: ArrayLike | None,
) -> tuple[Floats | None, Floats, Floats, Floats]:
    """The mixture, the variance inside the votes, the one between their scores, and the one between their means."""
    scale, variance = _variance(s, w, m, mean, total)
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
        within = _sum(w * inside) / total
        middle = _sum(w * means) / total
        outer = _sum(w * np.where(m, means - middle[..., None], 0.0) ** 2) / total
    return mixture, within, between, np.where(n > 1, outer, np.nan)


def _codes(codes: ArrayLike, s: Floats, m: Bools) -> Ints:
    c = np.asarray(codes)
    if c.shape != s.shape or not np.issubdtype(c.dtype, np.integer):
        raise ValueError(f"codes are whole numbers of the shape {s.shape}, found {c.dtype} {c.shape}")
    if m.any() and c[m].min() < 0:
        raise ValueError("a code is the index of a label, at least 0; mask the votes that have none")
    return np.asfortranarray(np.where(m, c, -1))


def _label_count(said: Ints | None, mixture: Floats | None, values: ArrayLike | None) -> int:
    known = mixture.shape[-1] if mixture is not None else 0 if values is None else np.asarray(values).size
    highest = 0 if said is None else int(said.max(initial=-1)) + 1
    if known and highest > known:
        raise ValueError(f"a vote has the code {highest - 1}, but there are {known} labels")
    return max(known, highest, 1)


def _score_codes(s: Floats, m: Bools, w: Floats) -> tuple[Ints, Floats, Floats, Bools, int]:
    """Equal scores of a row as one label: the arguments of :func:`_tallies` where no labels were given."""
    order = np.argsort(np.where(m, s, np.inf), axis=-1, kind="stable")
    ranked = np.take_along_axis(s, order, -1)
    rise = np.concatenate([np.zeros_like(order[..., :1]), np.diff(ranked, axis=-1) != 0], axis=-1).cumsum(-1)
    codes = np.empty_like(order)
    np.put_along_axis(codes, order, rise, -1)
    return np.where(m, codes, -1), w, s, m, max(s.shape[-1], 1)


def _tallies(codes: Ints, w: Floats, s: Floats, m: Bools, count: int) -> tuple[Floats, Floats]:
    """Weight and mean score of each label, shape (…, labels); the mean is NaN where nobody said it."""
    # Two labels are often all there is to a row, and whole weights add up exactly in any order.
    plain = bool(((w == 1) | ~m).all()) and np.abs(s).max(initial=0.0) < 1e290
    if plain:
        order = np.argsort(s, axis=-1)
        s, codes = np.take_along_axis(s, order, -1), np.take_along_axis(codes, order, -1)
    sums, means = [], []
    for code in range(count):
        here = codes == code
        if plain:
            total = here.sum(-1).astype(np.float64)
            low, high = _edges(s, here)
            with np.errstate(invalid="ignore", divide="ignore"):
                mean = np.where(here, s, 0.0).sum(-1) / total
            mean = np.where(total > 0, np.minimum(np.maximum(mean, low), high), np.nan)
        else:
            weight = np.where(here, w, 0.0)
            total = _sum(weight)
            mean = _mean(np.where(here, s, 0.0), weight, here & m, total)
        sums.append(total)
        means.append(mean)
    return np.stack(sums, -1), np.stack(means, -1)


def _top(weights: Floats) -> Bools:
    """The labels that share the greatest weight."""
    most = weights.max(-1, keepdims=True)
    result: Bools = (weights >= most * (1 - 1e-12)) & (weights > 0)
    return result


def _nearest(scores: Floats, to: Floats, allowed: Bools) -> Ints:
    """The allowed label whose score is nearest; of two equally near the one with the lower score, then the first."""
    with np.errstate(invalid="ignore", over="ignore"):
        away = np.where(allowed, np.abs(scores - to[..., None]), np.inf)
        least = away.min(-1, keepdims=True)
        near = allowed & (away <= least + np.maximum(1e-12, 1e-9 * np.where(np.isfinite(least), least, 0.0)))
    return np.asarray(np.argmin(np.where(near, scores, np.inf), axis=-1), dtype=np.int64)


def label_of_counts(counts: ArrayLike, values: ArrayLike) -> Ints:
    """The label that rule ``majority`` elects where each vote has the score of its label.

    Args:
        counts: shape (…, labels), votes for each label, at least one in all.
        values: shape (labels,), the scores.
    """
    c, v = np.asarray(counts, dtype=np.float64), np.asarray(values, dtype=np.float64)
    return _nearest(np.broadcast_to(v, c.shape), (c * v).sum(-1) / c.sum(-1), _top(c))


def _value(rule: Rule, s: Floats, w: Floats, m: Bools, n: Ints, mean: Floats, total: Floats) -> Floats:
    """The rules on scores."""
    low, high = _edges(s, m)
    match rule.name:
        case "mean" | "confidence":
            return mean
        case "sum":
            return _sum(np.where(m, s, 0.0))
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
            return _mean(np.where(kept, ranked, 0.0), kept.astype(np.float64), kept, kept.sum(-1).astype(np.float64))
        case "mean_minus_var":
            scale, variance = _variance(s, w, m, mean, total)
            return mean - rule.number * scale * scale * variance
        case "mean_minus_std":
            scale, variance = _variance(s, w, m, mean, total)
            return mean - rule.number * scale * np.sqrt(variance)
        case "robust":
            # Equal votes keep their score to the last bit.
            return np.clip(rule.number * mean + (1 - rule.number) * low, low, mean)
        case _:
            return _log_mean_exp(s, w, m, mean, total, rule.number)


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


def _log_mean_exp(s: Floats, w: Floats, m: Bools, mean: Floats, total: Floats, eta: float) -> Floats:
    if eta == 0:
        return mean
    low, high = _edges(s, m)
    peak = np.where(total > 0, high if eta > 0 else low, 0.0)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore", under="ignore"):
        # Relative to the mean where eta is small: log(1 + x) of a tiny x keeps its digits.
        grown = np.expm1(np.where(m, eta * (s - peak[..., None]), 0.0))
        value = peak + np.log1p(_sum(w * grown) / total) / eta
        return np.clip(value, low, high)
