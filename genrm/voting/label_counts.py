"""Votes on labels, counted: the weight of each label, the ones at the top, and the one that wins a tie.

    >>> label_of_counts([[2, 2, 1]], [0.0, 0.5, 1.0]).tolist()
    [1]

In a tie the label nearest to the mean of all votes wins, then the lower one: a tie never rounds up, and the order of
the votes changes nothing.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from genrm.voting.moments import Bools, Floats, Ints, edges, mean_of, ordered_sum


def read_codes(codes: ArrayLike, s: Floats, m: Bools) -> Ints:
    c = np.asarray(codes)
    if c.shape != s.shape or not np.issubdtype(c.dtype, np.integer):
        raise ValueError(f"codes are whole numbers of the shape {s.shape}, found {c.dtype} {c.shape}")
    if m.any() and c[m].min() < 0:
        raise ValueError("a code is the index of a label, at least 0; mask the votes that have none")
    return np.asfortranarray(np.where(m, c, -1))


def label_count(said: Ints | None, mixture: Floats | None, values: ArrayLike | None) -> int:
    known = mixture.shape[-1] if mixture is not None else 0 if values is None else np.asarray(values).size
    highest = 0 if said is None else int(said.max(initial=-1)) + 1
    if known and highest > known:
        raise ValueError(f"a vote has the code {highest - 1}, but there are {known} labels")
    return max(known, highest, 1)


def score_codes(s: Floats, m: Bools, w: Floats) -> tuple[Ints, Floats, Floats, Bools, int]:
    """Equal scores of a row as one label: the arguments of :func:`tallies_of` where no labels were given."""
    order = np.argsort(np.where(m, s, np.inf), axis=-1, kind="stable")
    ranked = np.take_along_axis(s, order, -1)
    rise = np.concatenate([np.zeros_like(order[..., :1]), np.diff(ranked, axis=-1) != 0], axis=-1).cumsum(-1)
    codes = np.empty_like(order)
    np.put_along_axis(codes, order, rise, -1)
    return np.where(m, codes, -1), w, s, m, max(s.shape[-1], 1)


def tallies_of(codes: Ints, w: Floats, s: Floats, m: Bools, count: int) -> tuple[Floats, Floats]:
    """Weight and mean score of each label, shape (…, labels); the mean is NaN where nobody said it."""
    # Whole weights add up exactly in any order.
    plain = bool(((w == 1) | ~m).all()) and np.abs(s).max(initial=0.0) < 1e290
    if plain:
        total, mean = counts_of(codes, count), score_of_each(codes, s, count)
        if mean is not None:
            return total, np.where(total > 0, mean, np.nan)
        order = np.argsort(s, axis=-1)
        s, codes = np.take_along_axis(s, order, -1), np.take_along_axis(codes, order, -1)
    sums, means = [], []
    for code in range(count):
        here = codes == code
        if plain:
            total = here.sum(-1).astype(np.float64)
            low, high = edges(s, here)
            with np.errstate(invalid="ignore", divide="ignore"):
                mean = np.where(here, s, 0.0).sum(-1) / total
            mean = np.where(total > 0, np.minimum(np.maximum(mean, low), high), np.nan)
        else:
            weight = np.where(here, w, 0.0)
            total = ordered_sum(weight)
            mean = mean_of(np.where(here, s, 0.0), weight, here & m, total)
        sums.append(total)
        means.append(mean)
    return np.stack(sums, -1), np.stack(means, -1)


def counts_of(codes: Ints, count: int) -> Floats:
    """Votes for each label, shape (…, labels), in one pass over the votes; a code of -1 is no vote."""
    rows = codes.shape[:-1]
    # A row has a place for each label, and before them one for the votes that are missing.
    places = np.arange(math.prod(rows)).reshape(*rows, 1) * (count + 1) + codes + 1
    found = np.bincount(places.ravel(order="K"), minlength=math.prod(rows) * (count + 1))
    return found.reshape(*rows, count + 1)[..., 1:].astype(np.float64)


def score_of_each(codes: Ints, s: Floats, count: int) -> Floats | None:
    """The score of each label where all its votes have the same, as on any scale; None where they differ.

    Shape (…, labels), or (labels,) where the rows agree. What nobody said has any number.
    """
    table = np.zeros(count + 1)
    table[codes] = s  # a code of -1 lands in the last place
    if bool(((table[codes] == s) | (codes < 0)).all()):
        return table[:-1] + 0.0  # whichever of 0 and -0 came last
    each = np.zeros((*codes.shape[:-1], count + 1))
    np.put_along_axis(each, np.where(codes < 0, count, codes), s, -1)
    same = np.take_along_axis(each, np.maximum(codes, 0), -1) == s
    return each[..., :-1] + 0.0 if bool((same | (codes < 0)).all()) else None


def top_labels(weights: Floats) -> Bools:
    """The labels that share the greatest weight."""
    most = weights.max(-1, keepdims=True)
    result: Bools = (weights >= most * (1 - 1e-12)) & (weights > 0)
    return result


def nearest(scores: Floats, to: Floats, allowed: Bools) -> Ints:
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
    return nearest(np.broadcast_to(v, c.shape), (c * v).sum(-1) / c.sum(-1), top_labels(c))
