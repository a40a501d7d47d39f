"""The probability that more votes would change the decision: posterior predictive of the votes that were not asked.

    >>> change_of_labels([0, 4], [0.0, 1.0], 16, "majority").p.__round__(4)
    0.0204

*Votes that say a label* (:func:`change_of_labels`). The shares of the labels have a Dirichlet prior of ``prior`` votes
in all, 1 for each of two labels (every share equally likely), so that unanimous first votes are not taken for
certainty. The counts of the m votes still to come are Dirichlet-multinomial (Beta-binomial for two labels), "Bayesian
Data Analysis". Every outcome is enumerated and put through the voting rule itself, ties included; where there are more
than 5,000 outcomes, 20,000 seeded draws are, and the standard error is stated. "Let's Sample Step by Step: Adaptive-
Consistency for Efficient Reasoning and Coding with LLMs" asks instead whether the top label leads in the long run.

Votes that are numbers (soft votes, expected scores) have a posterior of their own: :mod:`genrm.voting.soft_posterior`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from genrm.voting.rule import Rule
from genrm.voting.rules import Bools, Floats, Ints, label_of_counts, vote_array

OUTCOMES = 5_000
DRAWS = 20_000
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
