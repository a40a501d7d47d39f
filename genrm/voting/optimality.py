"""A certificate whether plain majority is the best use of a panel, given how its members err.

    >>> majority_certificate([0.8, 0.7, 0.7]).optimal
    True
    >>> weak = majority_certificate([0.95, 0.6, 0.6])
    >>> weak.optimal, weak.counterexample, weak.majority_label, weak.best_label    # the first alone knows better
    (False, (1, 0, 0), 0, 1)

Majority here is the strict one of :func:`genrm.voting.panels.panel_majority` with every member present. Members are
taken to err independently given the truth; where they do not, no certificate about them holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike

from genrm.voting.panels import Floats, log_odds_weights

MAX_PATTERNS = 200_000
"""Vote patterns (labels to the power of members) that are looked at one by one."""

TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Certificate:
    """Whether a majority is always what the best rule would say too.

    Attributes:
        optimal: no majority is ever overruled.
        condition: what was checked.
        margin: the least advantage (in log-odds) of a majority over the best other label; negative when it is
            overruled. None when no vote pattern has a majority.
        counterexample: label of each member in the pattern with that least advantage; None when ``optimal``.
        majority_label: what the majority says there.
        best_label: what the best rule says there.
        majority_accuracy: probability that the majority is right; no majority counts as wrong. None when there are
            too many patterns to add up.
        best_accuracy: the same of the best rule, which always has a label.
        no_majority: probability that no label has a majority.
    """

    optimal: bool
    condition: str
    margin: float | None
    counterexample: tuple[int, ...] | None
    majority_label: int | None
    best_label: int | None
    majority_accuracy: float | None
    best_accuracy: float | None
    no_majority: float | None


def majority_certificate(accuracy: ArrayLike, n_labels: int = 2) -> Certificate:
    """For independent members with symmetric errors and equally frequent truths, of any number.

    The best rule then weighs votes by log(p·(K - 1) / (1 - p)) ("Optimal Decision Rules in Uncertain Dichotomous
    Choice Situations"), and majority equals it exactly when the weakest coalition that is a majority, ⌊n/2⌋ + 1
    members, still outweighs all the others together: Σ of the smallest weights ≥ Σ of the rest. (A member with a
    negative weight, worse than chance, joins that coalition whatever its size.)

    Args:
        accuracy: shape (members,), each in (0, 1).
        n_labels: K.
    """
    p = np.asarray(accuracy, dtype=np.float64)
    if p.ndim != 1 or not p.size:
        raise ValueError(f"accuracies have the shape (members,), found {p.shape}")
    weights = log_odds_weights(p, n_labels)
    order = np.argsort(weights, kind="stable")
    needed = len(p) // 2 + 1
    coalition = {int(m) for rank, m in enumerate(order) if rank < needed or weights[m] < 0}
    rest = [m for m in range(len(p)) if m not in coalition]
    # With a third label, a member whose vote would hurt the opposition votes for that one instead; none is left here,
    # because negative weights are all in the coalition.
    margin = float(sum(weights[m] for m in sorted(coalition)) - sum(weights[m] for m in rest))
    optimal = margin >= -TOLERANCE
    example = tuple(0 if m in coalition else 1 for m in range(len(p)))
    majority = best = None
    if not optimal:
        majority, best = 0, 1
    sure = _sums(_symmetric(p, n_labels), np.full(n_labels, 1 / n_labels))
    return Certificate(
        optimal,
        f"independent members, symmetric errors, equal truths: the {len(coalition)} weakest of {len(p)} "
        "must outweigh the others",
        margin,
        None if optimal else example,
        majority,
        best,
        *(sure.accuracies if sure else (None, None, None)),
    )


def confusion_certificate(confusion: ArrayLike, prior: ArrayLike | None = None) -> Certificate:
    """For independent members with any confusion matrices: every vote pattern is looked at.

    The best rule is argmax_k log prior[k] + Σ_m log confusion[m, k, vote of m] ("Maximum Likelihood Estimation of
    Observer Error-Rates Using the EM Algorithm"). Patterns of probability 0 do not count.

    Args:
        confusion: shape (members, labels, labels), rows sum to 1, as :func:`genrm.voting.dawid_skene` estimates.
        prior: shape (labels,); equal shares when left out.

    Raises:
        ValueError: the arrays are no probabilities, or there are too many patterns.
    """
    matrix = np.asarray(confusion, dtype=np.float64)
    if matrix.ndim != 3 or matrix.shape[1] != matrix.shape[2] or 0 in matrix.shape:
        raise ValueError(f"confusion matrices have the shape (members, labels, labels), found {matrix.shape}")
    labels = matrix.shape[1]
    shares = np.full(labels, 1 / labels) if prior is None else np.asarray(prior, dtype=np.float64)
    if shares.shape != (labels,) or not _probabilities(shares) or not _probabilities(matrix):
        raise ValueError("rows of the confusion matrices and the prior are probabilities that sum to 1")
    found = _sums(matrix, shares)
    if found is None:
        raise ValueError(
            f"{labels} labels and {len(matrix)} members make more than {MAX_PATTERNS} vote patterns; "
            "use majority_certificate with the accuracies"
        )
    optimal = found.margin is None or found.margin >= -TOLERANCE
    shown = not optimal
    return Certificate(
        optimal,
        "independent members with these confusion matrices and this prior: no vote pattern with a majority has a more "
        "probable other label",
        found.margin,
        found.pattern if shown else None,
        found.majority if shown else None,
        found.best if shown else None,
        *found.accuracies,
    )


@dataclass(frozen=True, slots=True)
class _Found:
    margin: float | None
    pattern: tuple[int, ...] | None
    majority: int | None
    best: int | None
    accuracies: tuple[float, float, float]


def _sums(confusion: Floats, prior: Floats) -> _Found | None:
    """All vote patterns; None when there are too many."""
    members, labels, _ = confusion.shape
    if members * np.log(labels) > np.log(MAX_PATTERNS):
        return None
    patterns = np.array(list(product(range(labels), repeat=members)))
    with np.errstate(divide="ignore"):
        logs, log_prior = np.log(confusion), np.log(prior)
    joint = log_prior + sum(logs[m].T[patterns[:, m]] for m in range(members))
    counts = (patterns[:, :, None] == np.arange(labels)).sum(axis=1)
    majority = counts.argmax(axis=1)
    has = 2 * counts.max(axis=1) > members
    mass = np.exp(joint)
    rows = np.arange(len(patterns))
    accuracies = (
        float(mass[rows, majority][has].sum()),
        float(mass.max(axis=1).sum()),
        float(mass[~has].sum()),
    )
    others = joint.copy()
    others[rows, majority] = -np.inf
    rival = others.max(axis=1)
    own = joint[rows, majority]
    usable = has & (np.maximum(own, rival) > -np.inf)
    if not usable.any():
        return _Found(None, None, None, None, accuracies)
    with np.errstate(invalid="ignore"):
        margins = np.where(usable, own - rival, np.inf)
    worst = int(margins.argmin())
    pattern = tuple(int(vote) for vote in patterns[worst])
    return _Found(float(margins[worst]), pattern, int(majority[worst]), int(others[worst].argmax()), accuracies)


def _symmetric(p: Floats, labels: int) -> Floats:
    same = np.eye(labels, dtype=bool)
    matrices: Floats = np.where(same, p[:, None, None], (1 - p[:, None, None]) / (labels - 1))
    return matrices


def _probabilities(array: Floats) -> bool:
    return bool((array >= 0).all() and np.allclose(array.sum(axis=-1), 1.0, atol=1e-6))
