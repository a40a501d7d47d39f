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
from numpy.typing import ArrayLike

from genrm.voting.label_counts import label_count, nearest, read_codes, score_codes, tallies_of, top_labels
from genrm.voting.label_counts import label_of_counts as label_of_counts
from genrm.voting.moments import WEIGHTED as WEIGHTED
from genrm.voting.moments import Bools as Bools
from genrm.voting.moments import Floats as Floats
from genrm.voting.moments import Ints as Ints
from genrm.voting.moments import dot, mean_of, ordered_sum, read_votes, split_of, spread_of, variance_of
from genrm.voting.rule import Rule
from genrm.voting.score_rules import value_of

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
    s, m, w = read_votes(scores, mask, weights, rule)
    n = m.sum(-1)
    some = n > 0
    total = ordered_sum(w)
    mean = mean_of(s, w, m, total)
    scale, variance = variance_of(s, w, m, mean, total)
    std, se = spread_of(w, n, total, scale, variance)
    said = None if codes is None else read_codes(codes, s, m)
    mixture, within, between, inner = split_of(s, w, m, n, total, scale, variance, p, values)
    count = label_count(said, mixture, values)
    tallies = None if said is None else tallies_of(said, w, s, m, count)
    label = np.full(n.shape, -1, dtype=np.int64)
    with np.errstate(over="ignore", invalid="ignore"):
        match rule.name:
            case "majority" | "likelihood":
                group = tallies_of(*score_codes(s, m, w)) if tallies is None else tallies
                won = nearest(group[1], mean, top_labels(group[0]))
                value = np.take_along_axis(group[1], won[..., None], -1)[..., 0]
                label = label if tallies is None else won
            case "soft":
                if mixture is None or values is None:
                    raise ValueError("rule soft mixes label distributions; pass p and values, or use rule mean")
                points = np.asarray(values, dtype=np.float64)
                value = dot(mixture, points)
                label = nearest(np.broadcast_to(points, mixture.shape), value, top_labels(mixture))
            case _:
                value = value_of(rule, s, w, m, n, mean, total)
                if tallies is not None:
                    at = mean if rule.name == "sum" else value
                    label = nearest(tallies[1], at, tallies[0] > 0)
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
