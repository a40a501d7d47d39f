"""The probability that more votes would change the decision: posterior predictive of the votes that were not asked.

    >>> change_of_labels([0, 4], [0.0, 1.0], 16, "majority").p.__round__(4)
    0.0204

*Votes that say a label* (:func:`change_of_labels`). The shares of the labels have a Dirichlet prior of ``prior`` votes
in all, 1 for each of two labels (every share equally likely), so that unanimous first votes are not taken for
certainty. The counts of the m votes still to come are Dirichlet-multinomial (Beta-binomial for two labels), "Bayesian
Data Analysis". Every outcome is enumerated and put through the voting rule itself, ties included; where there are more
than 5,000 outcomes, 20,000 seeded draws are, and the standard error is stated. "Let's Sample Step by Step: Adaptive-
Consistency for Efficient Reasoning and Coding with LLMs" asks instead whether the top label leads in the long run.

*Votes that are numbers in [0, 1]* (:func:`change_of_numbers`): expected scores, or the lead of one label over another
in soft votes. They are read as draws from a Beta distribution with unknown mean (uniform prior) and unknown
concentration, which says how much votes differ. Numbers within 0.005 of an end count only as "at the end": a
saturated probability does not say how far the next vote may be. While all of them are at an end they are votes like
any other, counted as labels are, since no distribution tells them from votes that a surer judge would cast.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from genrm.voting.beta import beta_cdf, log_beta
from genrm.voting.rule import Rule
from genrm.voting.rules import Bools, Floats, Ints, label_of_counts, vote_array

OUTCOMES = 5_000
DRAWS = 20_000
NUMBER_DRAWS = 4_000
END = 0.005
"""Numbers so near to 0 or 1 say no more than that they are there."""

PRIOR = 2.0
LABEL_RULES = frozenset({"majority", "soft"})
"""Rules whose decision is a label; for the others it is a value, the same within a tolerance."""


@dataclass(frozen=True, slots=True)
class Change:
    """The stated probability that the decision after all votes is another one.

    Attributes:
        p: in [0, 1].
        error: standard error of ``p``; 0 where every outcome was enumerated or integrated.
    """

    p: float
    error: float = 0.0


def change_of_labels(
    counts: Sequence[int],
    values: Sequence[float],
    total: int,
    rule: Rule | str | Mapping[str, Any],
    *,
    tolerance: float = 0.05,
    prior: float = PRIOR,
) -> Change:
    """For votes that each say one label.

    Args:
        counts: votes so far by label, at least one in all.
        values: the score of each label.
        total: votes when all are asked.
        rule: ``majority`` decides on a label; any other rule on a value, which has changed when it differs by more than
            ``tolerance``.
        prior: pseudo-votes over all labels together.

    Raises:
        ValueError: there is no vote yet, or there are more than ``total``.
    """
    n = sum(counts)
    if not 0 < n <= total:
        raise ValueError(f"of {total} votes some are in and no more than all, found {n}")
    if n == total:
        return Change(0.0)
    return _labels(tuple(counts), tuple(values), total, Rule.parse(rule), tolerance, prior)


@lru_cache(maxsize=65536)
def _labels(
    counts: tuple[int, ...], values: tuple[float, ...], total: int, rule: Rule, tolerance: float, prior: float
) -> Change:
    left = total - sum(counts)
    alpha = np.asarray(counts, dtype=np.float64) + prior / len(counts)
    exact = math.comb(left + len(counts) - 1, len(counts) - 1) <= OUTCOMES
    if exact:
        more = _compositions(left, len(counts))
        weight = np.exp(_log_outcomes(more, alpha))
        weight /= weight.sum()
    else:
        # Seeded by the question itself, so that the same votes always get the same answer.
        rng = np.random.default_rng([left, *counts])
        more = rng.multinomial(left, rng.dirichlet(alpha, DRAWS)).astype(np.int64)
        weight = np.full(DRAWS, 1 / DRAWS)
    changed = _differ(np.asarray(counts) + more, np.asarray(counts), np.asarray(values), rule, tolerance)
    p = float(min(max(weight[changed].sum(), 0.0), 1.0))
    # Zero changed draws are no proof: one pseudo-draw keeps the error above 0.
    error = 0.0 if exact else math.sqrt((p * (1 - p) + 1 / DRAWS) / DRAWS)
    return Change(p, error)


def _differ(after: Ints, now: Ints, values: Floats, rule: Rule, tolerance: float) -> Bools:
    """Whether the decision of each row of counts differs from the present one."""

    def decide(counts: Ints) -> tuple[Floats, Ints]:
        if rule.name in LABEL_RULES:
            # Labels need no row of votes to be counted: with many votes it would be long.
            label = label_of_counts(counts, values)
            return values[label], label
        n = int(counts.sum(-1).flat[0])
        ends = counts.cumsum(-1)
        codes = np.stack([(ends <= place).sum(-1) for place in range(n)], -1)
        voted = vote_array(values[codes], rule, codes=codes)
        return voted.value, voted.label

    value, label = decide(after)
    present, said = decide(now[None])
    if rule.name in LABEL_RULES:
        other: Bools = label != said[0]
        return other
    moved: Bools = np.abs(value - present[0]) > tolerance + 1e-12
    return moved


@lru_cache(maxsize=256)
def _compositions(total: int, parts: int) -> Ints:
    """All ways to spread ``total`` votes over so many labels."""
    if parts == 1:
        return np.full((1, 1), total, dtype=np.int64)
    blocks = []
    for first in range(total + 1):
        rest = _compositions(total - first, parts - 1)
        blocks.append(np.hstack([np.full((len(rest), 1), first, dtype=np.int64), rest]))
    return np.vstack(blocks)


def _log_outcomes(more: Ints, alpha: Floats) -> Floats:
    """Log probability of each outcome up to a constant: ``sum_j log Gamma(alpha_j + k_j) - log Gamma(k_j + 1)``."""
    most = int(more.max()) + 1
    table = np.array([[math.lgamma(a + k) - math.lgamma(k + 1) for k in range(most)] for a in alpha])
    log: Floats = table[np.arange(len(alpha)), more].sum(-1)
    log -= log.max()
    return log


# The grid of the Beta model: means, uniform between 0 and 1, finer towards the ends, and concentrations.
_STEPS = (np.arange(48) + 0.5) / 48
_MU = np.sin(_STEPS * np.pi / 2) ** 2
_KAPPA = np.geomspace(0.05, 512.0, 14)
_A = (_MU[:, None] * _KAPPA).ravel()
_B = ((1 - _MU)[:, None] * _KAPPA).ravel()
# d mu = pi / 2 sin(pi t) dt makes the mean uniform. Small concentrations (votes that differ) get more weight.
_LOG_PRIOR = (np.log(np.sin(_STEPS * np.pi))[:, None] - 0.5 * np.log(_KAPPA)).ravel()


@lru_cache(maxsize=1)
def _ends() -> tuple[Floats, Floats, Floats]:
    """Per grid point: log probability of each end, and the log of the Beta function."""
    norm = log_beta(_A, _B)
    tiny = np.finfo(np.float64).tiny
    low = np.log(np.maximum(beta_cdf(END, _A, _B), tiny))
    return low, np.log(np.maximum(beta_cdf(END, _B, _A), tiny)), norm


def _posterior(x: Floats) -> Floats:
    """Weight of each grid point after these numbers."""
    low, high, norm = _ends()
    inner = x[(x > END) & (x < 1 - END)]
    log = _LOG_PRIOR + (x <= END).sum() * low + (x >= 1 - END).sum() * high
    if inner.size:
        log = log + (_A - 1) * np.log(inner).sum() + (_B - 1) * np.log1p(-inner).sum() - inner.size * norm
    weight = np.exp(log - log.max())
    result: Floats = weight / weight.sum()
    return result


@lru_cache(maxsize=512)
def _future(left: int) -> tuple[Floats, Floats]:
    """The mean of so many more numbers, per grid point: a Beta distribution with the right mean and variance."""
    kappa = np.tile(_KAPPA, len(_MU))
    strength = np.maximum((kappa + 1) * left - 1, 1e-3)
    mu = np.repeat(_MU, len(_KAPPA))
    return mu * strength, (1 - mu) * strength


def _below(x: Floats, left: int, bound: float) -> float:
    """Probability that the mean of ``left`` more numbers is below ``bound``."""
    if bound <= 0:
        return 0.0
    if bound >= 1:
        return 1.0
    a, b = _future(left)
    weight = _posterior(x)
    # Points that hardly count need no integral.
    some = weight > 1e-9
    return float((weight[some] * beta_cdf(bound, a[some], b[some])).sum() / weight[some].sum())


def change_of_numbers(
    numbers: ArrayLike, total: int, rule: Rule | str | Mapping[str, Any] = "mean", *, tolerance: float = 0.05
) -> Change:
    """The probability that the value of all ``total`` numbers differs by more than ``tolerance`` from that of these.

    Integrated for the mean; for the other rules on scores from 4,000 seeded draws, with the standard error stated.

    Args:
        numbers: shape (n,), in [0, 1].
        rule: one that works on scores.

    Raises:
        ValueError: there is none, more than ``total``, or one is out of range.
    """
    x, left = _numbers(numbers, total)
    if left == 0:
        return Change(0.0)
    rule, error = Rule.parse(rule), 0.0
    if rule.name == "mean":
        mean = float(np.sort(x).sum() / x.size)
        reach = tolerance * total / left
        p = 1 - _below(x, left, mean + reach) + _below(x, left, mean - reach)
    else:
        rng = np.random.default_rng([left, x.size])
        at = rng.choice(len(_A), size=NUMBER_DRAWS, p=_posterior(x))
        more = rng.beta(_A[at, None], _B[at, None], (NUMBER_DRAWS, left))
        after = vote_array(np.hstack([np.tile(x, (NUMBER_DRAWS, 1)), more]), rule).value
        p = float((np.abs(after - vote_array(x, rule).value) > tolerance + 1e-12).mean())
        error = math.sqrt((p * (1 - p) + 1 / NUMBER_DRAWS) / NUMBER_DRAWS)
    if _all_at_ends(x):
        ones = int((x > 0.5).sum())
        p = max(p, change_of_labels([x.size - ones, ones], [0.0, 1.0], total, rule, tolerance=tolerance).p)
    return Change(min(max(p, 0.0), 1.0), error)


def change_of_lead(numbers: ArrayLike, total: int, *, threshold: float = 0.5) -> Change:
    """The probability that the mean of all ``total`` numbers ends on the other side of ``threshold``.

    Args:
        numbers: shape (n,), in [0, 1]; the present mean is on the upper side when it exceeds the threshold.

    Raises:
        ValueError: as :func:`change_of_numbers`.
    """
    x, left = _numbers(numbers, total)
    if left == 0:
        return Change(0.0)
    mean = float(np.sort(x).sum() / x.size)
    bound = (threshold * total - mean * x.size) / left
    below = _below(x, left, bound)
    p = below if mean > threshold else 1 - below
    if _all_at_ends(x) and threshold == 0.5:
        ones = int((x > 0.5).sum())
        p = max(p, change_of_labels([x.size - ones, ones], [0.0, 1.0], total, "majority").p)
    return Change(min(max(p, 0.0), 1.0))


def change_of_soft(p: ArrayLike, values: Sequence[float], total: int) -> Change:
    """For soft votes: the probability that the likeliest label of the mixture of all ``total`` votes is another.

    For two labels by the numbers p(label). For more, the lead of the present label over each other one,
    ``(1 + p(label) - p(other)) / 2``, is such a number, and the probabilities that it is lost are added up: never less
    than the probability that any is.

    Args:
        p: shape (n, labels), each distribution sums to 1.
        values: the score of each label, for ties.
        total: votes when all are asked.

    Raises:
        ValueError: as :func:`change_of_numbers`.
    """
    d = np.asarray(p, dtype=np.float64)
    if d.ndim != 2 or d.shape[1] < 2:
        raise ValueError(f"p has the shape (n, labels) with at least two labels, found {d.shape}")
    scale = np.asarray(values, dtype=np.float64)
    voted = vote_array((d * scale).sum(-1), "soft", p=d, values=scale)
    top = int(voted.label)
    lost = 0.0
    for other in range(d.shape[1]):
        if other != top and (d[:, other].any() or len(d) < total):
            lead = d[:, top] if d.shape[1] == 2 else (1 + d[:, top] - d[:, other]) / 2
            lost += change_of_lead(np.clip(lead, 0.0, 1.0), total).p
    return Change(min(lost, 1.0))


def _numbers(numbers: ArrayLike, total: int) -> tuple[Floats, int]:
    x = np.asarray(numbers, dtype=np.float64)
    if x.ndim != 1 or not 0 < x.size <= total:
        raise ValueError(f"of {total} votes some are in and no more than all, found the shape {x.shape}")
    if not ((x >= 0) & (x <= 1)).all():
        raise ValueError(f"numbers lie in [0, 1] and none is missing, found {x.tolist()}")
    return x, total - x.size


def _all_at_ends(x: Floats) -> bool:
    return bool(((x <= END) | (x >= 1 - END)).all())
