"""How unsure votes are, and how much each of them should count.

    >>> jackknife_se([0.0, 1.0, 1.0, 0.0], "mean").round(4).item()
    0.2887
    >>> token_likelihood([[0.9, 0.5], [0.8, 0.8]], "min").tolist()
    [0.5, 0.8]

Arrays have the shape (…, votes); a mask is True where there is a vote.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from genrm.voting.rule import Rule
from genrm.voting.rules import Bools, Floats, vote_array


def jackknife_se(scores: ArrayLike, rule: Rule | str | Mapping[str, Any], *, mask: ArrayLike | None = None) -> Floats:
    """Standard error of the value of a rule on scores, from leaving out one vote at a time.

    ``sqrt((n - 1) / n * sum (v_i - mean of v)^2)`` with v_i the value without vote i; ``std / sqrt(n)`` for the mean.
    "Bias and confidence in not-quite large samples". Rough for median, quantile, min, max and majority, whose value
    jumps. Takes n times the memory of one vote.

    Args:
        scores: shape (…, n).
        rule: one that needs neither weights nor distributions.
        mask: shape (…, n).

    Returns:
        shape (…,); NaN below two votes, which have no spread.

    Raises:
        ValueError: as :func:`vote_array`.
    """
    s = np.asarray(scores, dtype=np.float64)
    m = np.ones(s.shape, dtype=bool) if mask is None else np.asarray(mask, dtype=bool)
    n = m.sum(-1)
    shape = (*s.shape, s.shape[-1])
    left = np.broadcast_to(m[..., None, :], shape) & ~np.eye(s.shape[-1], dtype=bool)
    values = vote_array(np.broadcast_to(s[..., None, :], shape), rule, mask=left).value
    with np.errstate(invalid="ignore", divide="ignore"):
        kept = np.where(m, values, 0.0)
        away = np.where(m, values - (np.sort(kept, -1).sum(-1) / n)[..., None], 0.0)
        se = np.sqrt((n - 1) / n * np.sort(away**2, -1).sum(-1))
    result: Floats = np.where(n > 1, se, np.nan)
    return result


def token_likelihood(
    token_p: ArrayLike, how: Literal["mean", "min", "product"] = "mean", *, mask: ArrayLike | None = None
) -> Floats:
    """The likelihood of each vote from the probabilities of its tokens: a weight for ``rule: likelihood``.

    "Soft Self-Consistency Improves Language Model Agents": mean, min or product. The product is taken in logarithms and
    falls with length; compare it only between votes of one kind.

    Args:
        token_p: shape (…, votes, tokens), in [0, 1].
        mask: the same shape, True where there is a token.

    Returns:
        shape (…, votes), in [0, 1]; NaN for a vote without tokens, whose likelihood nobody knows: mask it.

    Raises:
        ValueError: a probability is out of range or ``how`` is unknown.
    """
    t = np.asarray(token_p, dtype=np.float64)
    m = np.ones(t.shape, dtype=bool) if mask is None else np.asarray(mask, dtype=bool)
    if t.ndim == 0 or m.shape != t.shape:
        raise ValueError(f"token_p and mask have the shape (…, votes, tokens), found {t.shape} and {m.shape}")
    if not ((t[m] >= 0) & (t[m] <= 1)).all():
        raise ValueError("token probabilities lie in [0, 1] and none is missing; mask what is no token")
    some = m.any(-1)
    filled = np.where(m, t, 1.0)
    match how:
        case "mean":
            value = np.where(m, t, 0.0).sum(-1) / np.maximum(m.sum(-1), 1)
        case "min":
            value = filled.min(-1, initial=1.0)
        case "product":
            with np.errstate(divide="ignore"):
                value = np.exp(np.log(filled).sum(-1))
        case _:
            raise ValueError(f"token probabilities are combined by mean, min or product, found {how!r}")
    result: Floats = np.where(some, value, np.nan)
    return result


def confidence(p: ArrayLike) -> Floats:
    """How sure each vote is: ``1 - H(p) / log L``, 0 for the uniform distribution and 1 for a certain one.

    A weight for ``rule: confidence``. Votes that are all at 0 leave no value.

    Args:
        p: shape (…, labels), at least two labels; each sums to 1.

    Raises:
        ValueError: there are fewer than two labels, or p is no distribution.
    """
    d = np.asarray(p, dtype=np.float64)
    if d.ndim == 0 or d.shape[-1] < 2:
        raise ValueError(f"p has the shape (…, labels) with at least two labels, found {d.shape}")
    if not ((d >= 0).all() and (np.abs(d.sum(-1) - 1) <= 1e-3).all()):
        raise ValueError("each distribution is at least 0 and sums to 1")
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.where(d > 0, d * np.log(np.where(d > 0, d, 1.0)), 0.0).sum(-1)
    result: Floats = np.clip(1 - entropy / np.log(d.shape[-1]), 0.0, 1.0)
    return result


def margin(p: ArrayLike) -> Floats:
    """How far the likeliest label of each vote leads over the next one, in [0, 1].

    Args:
        p: shape (…, labels), at least two labels; each sums to 1.

    Raises:
        ValueError: as :func:`confidence`.
    """
    d = np.asarray(p, dtype=np.float64)
    if d.ndim == 0 or d.shape[-1] < 2:
        raise ValueError(f"p has the shape (…, labels) with at least two labels, found {d.shape}")
    if not ((d >= 0).all() and (np.abs(d.sum(-1) - 1) <= 1e-3).all()):
        raise ValueError("each distribution is at least 0 and sums to 1")
    ranked = np.sort(d, axis=-1)
    result: Floats = np.clip(ranked[..., -1] - ranked[..., -2], 0.0, 1.0)
    return result


def keep_best(meta_scores: ArrayLike, k: int, *, mask: ArrayLike | None = None) -> Bools:
    """The mask of the k votes of each row that a meta-judge scored highest.

    "Inference-Time Scaling for Generalist Reward Modeling" (k_meta of k samples). Where votes tie for the last places,
    those are kept that come first: let them be in an order that says nothing about them (that of their seeds).

    Args:
        meta_scores: shape (…, votes), finite where the mask is True.
        k: at least 1; rows with fewer votes keep all.

    Returns:
        shape (…, votes): a mask for :func:`vote_array`.

    Raises:
        ValueError: k is below 1 or no whole number, or a score is not finite.
    """
    s = np.asarray(meta_scores, dtype=np.float64)
    m = np.ones(s.shape, dtype=bool) if mask is None else np.asarray(mask, dtype=bool)
    if isinstance(k, bool) or not math.isfinite(k) or k < 1 or k != int(k):
        raise ValueError(f"a whole number of votes is kept, at least one, found k = {k}")
    if not np.isfinite(s[m]).all():
        raise ValueError("meta scores are finite; mask the votes that have none")
    order = np.argsort(np.where(m, -s, np.inf), axis=-1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(s.shape[-1]), s.shape), -1)
    result: Bools = m & (rank < k)
    return result


def entropy_split(p: ArrayLike, *, mask: ArrayLike | None = None) -> tuple[Floats, Floats]:
    """Doubt inside the votes and between them, in nats: mean entropy, and the Jensen-Shannon divergence of the votes.

    Their sum is the entropy of the mixture. "Decomposition of Uncertainty in Bayesian Deep Learning for Efficient and
    Risk-sensitive Learning". The split of the variance is in :func:`vote_array`.

    Args:
        p: shape (…, votes, labels).
        mask: shape (…, votes).

    Returns:
        (within, between), each of shape (…,) and at least 0; NaN without votes.

    Raises:
        ValueError: p is no distribution where the mask is True.
    """
    d = np.asarray(p, dtype=np.float64)
    m = np.ones(d.shape[:-1], dtype=bool) if mask is None else np.asarray(mask, dtype=bool)
    if not ((d[m] >= 0).all() and (np.abs(d[m].sum(-1) - 1) <= 1e-3).all()):
        raise ValueError("each distribution is at least 0 and sums to 1")
    n = m.sum(-1)
    d = np.where(m[..., None], d, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        each = -np.where(d > 0, d * np.log(np.where(d > 0, d, 1.0)), 0.0).sum(-1)
        within = np.where(n > 0, each.sum(-1) / n, np.nan)
        mean = d.sum(-2) / n[..., None]
        whole = -np.where(mean > 0, mean * np.log(np.where(mean > 0, mean, 1.0)), 0.0).sum(-1)
    return within, np.where(n > 0, np.maximum(whole - within, 0.0), np.nan)
