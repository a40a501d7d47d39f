"""The posterior of votes that are numbers in [0, 1]: expected scores, and the lead of a label in soft votes.

    >>> votes = [[0.2, 0.8], [0.21, 0.79]]
    >>> round(change_of_soft(votes, [0.0, 1.0], 16).p, 2)
    0.05
    >>> round(change_of_soft(votes, [0.0, 1.0], 16, concentration=50.0).p, 4)
    0.0002

The numbers are read as draws from a Beta distribution with unknown mean (uniform prior) and unknown concentration K,
which says how much votes differ: their variance is ``mean (1 - mean) / (K + 1)``. One sample with a few votes says
little about K, so its prior decides how soon one may stop. Without knowledge of the judge it expects votes to differ.
Who has measured the judge on other samples (:func:`genrm.voting.concentration.fit_concentration`) gives
``concentration``: the prior is then lognormal around it, with 3 % left to the other one, so that a sample on which the
judge is less steady can still say so. That is empirical Bayes; the statement is as good as the samples are alike.

Numbers within 0.005 of an end count only as "at the end": a saturated probability does not say how far the next vote
may be. While all of them are at an end they are votes like any other, counted as labels are, since no distribution
tells them from votes that a surer judge would cast.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from genrm.voting.beta import beta_cdf, log_beta
from genrm.voting.posterior import Change, change_of_labels
from genrm.voting.rule import Rule
from genrm.voting.rules import Floats, vote_array

NUMBER_DRAWS = 4_000
END = 0.005
"""Numbers so near to 0 or 1 say no more than that they are there."""

SPREAD = 0.7
"""Standard deviation of ln K around a measured concentration: half of the samples within a factor of 1.6."""

UNSURE = 0.03
"""Prior weight of a judge that is not as it was measured."""

# The grid of the Beta model: means, uniform between 0 and 1, finer towards the ends, and concentrations.
_STEPS = (np.arange(48) + 0.5) / 48
_MU = np.sin(_STEPS * np.pi / 2) ** 2
_KAPPA = np.geomspace(0.05, 512.0, 14)
CONCENTRATIONS = _KAPPA

_A = (_MU[:, None] * _KAPPA).ravel()
_B = ((1 - _MU)[:, None] * _KAPPA).ravel()


@lru_cache(maxsize=64)
def _log_prior(concentration: float | None) -> Floats:
    """Log prior weight of each grid point; small concentrations (votes that differ) get more unless it is measured."""
    weight = _KAPPA**-0.5
    weight /= weight.sum()
    if concentration is not None:
        known = min(max(concentration, _KAPPA[0]), _KAPPA[-1])
        near = np.exp(-0.5 * (np.log(_KAPPA / known) / SPREAD) ** 2)
        weight = (1 - UNSURE) * near / near.sum() + UNSURE * weight
    # d mu = pi / 2 sin(pi t) dt makes the mean uniform.
    prior: Floats = (np.log(np.sin(_STEPS * np.pi))[:, None] + np.log(weight)).ravel()
    return prior


def beta_logs(a: Floats, b: Floats) -> tuple[Floats, Floats, Floats]:
    """Of Beta(a, b): log probability of either end, low and high, and the log of the Beta function."""
    tiny = np.finfo(np.float64).tiny
    low, high = (np.log(np.maximum(beta_cdf(END, one, two), tiny)) for one, two in ((a, b), (b, a)))
    return low, high, log_beta(a, b)


def log_likelihood(x: Floats, a: Floats, b: Floats, logs: tuple[Floats, Floats, Floats]) -> Floats:
    """Log likelihood of numbers under each Beta(a, b), whose ``logs`` are those of :func:`beta_logs`."""
    low, high, norm = logs
    inner = x[(x > END) & (x < 1 - END)]
    log: Floats = (x <= END).sum() * low + (x >= 1 - END).sum() * high
    if inner.size:
        log = log + (a - 1) * np.log(inner).sum() + (b - 1) * np.log1p(-inner).sum() - inner.size * norm
    return log


@lru_cache(maxsize=1)
def _logs() -> tuple[Floats, Floats, Floats]:
    return beta_logs(_A, _B)


def _posterior(x: Floats, concentration: float | None) -> Floats:
    """Weight of each grid point after these numbers."""
    log = _log_prior(concentration) + log_likelihood(x, _A, _B, _logs())
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


def _below(x: Floats, left: int, bound: float, concentration: float | None) -> float:
    """Probability that the mean of ``left`` more numbers is below ``bound``."""
    if bound <= 0:
        return 0.0
    if bound >= 1:
        return 1.0
    a, b = _future(left)
    weight = _posterior(x, concentration)
    # Points that hardly count need no integral.
    some = weight > 1e-9
    return float((weight[some] * beta_cdf(bound, a[some], b[some])).sum() / weight[some].sum())


def change_of_numbers(
    numbers: ArrayLike,
    total: int,
    rule: Rule | str | Mapping[str, Any] = "mean",
    *,
    tolerance: float = 0.05,
    concentration: float | None = None,
) -> Change:
    """The probability that the value of all ``total`` numbers differs by more than ``tolerance`` from that of these.

    Integrated for the mean; for the other rules on scores from 4,000 seeded draws, with the standard error stated.

    Args:
        numbers: shape (n,), in [0, 1].
        rule: one that works on scores.
        concentration: of the judge's numbers around the mean of a sample, where it was measured.

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
        p = 1 - _below(x, left, mean + reach, concentration) + _below(x, left, mean - reach, concentration)
    else:
        rng = np.random.default_rng([left, x.size])
        at = rng.choice(len(_A), size=NUMBER_DRAWS, p=_posterior(x, concentration))
        more = rng.beta(_A[at, None], _B[at, None], (NUMBER_DRAWS, left))
        after = vote_array(np.hstack([np.tile(x, (NUMBER_DRAWS, 1)), more]), rule).value
        p = float((np.abs(after - vote_array(x, rule).value) > tolerance + 1e-12).mean())
        error = math.sqrt((p * (1 - p) + 1 / NUMBER_DRAWS) / NUMBER_DRAWS)
    if _all_at_ends(x):
        ones = int((x > 0.5).sum())
        p = max(p, change_of_labels([x.size - ones, ones], [0.0, 1.0], total, rule, tolerance=tolerance).p)
    return Change(min(max(p, 0.0), 1.0), error)


def change_of_lead(
    numbers: ArrayLike, total: int, *, threshold: float = 0.5, concentration: float | None = None
) -> Change:
    """The probability that the mean of all ``total`` numbers ends on the other side of ``threshold``.

    Args:
        numbers: shape (n,), in [0, 1]; the present mean is on the upper side when it exceeds the threshold.
        concentration: as for :func:`change_of_numbers`.

    Raises:
        ValueError: as :func:`change_of_numbers`.
    """
    x, left = _numbers(numbers, total)
    if left == 0:
        return Change(0.0)
    mean = float(np.sort(x).sum() / x.size)
    bound = (threshold * total - mean * x.size) / left
    below = _below(x, left, bound, concentration)
    p = below if mean > threshold else 1 - below
    if _all_at_ends(x) and threshold == 0.5:
        ones = int((x > 0.5).sum())
        p = max(p, change_of_labels([x.size - ones, ones], [0.0, 1.0], total, "majority").p)
    return Change(min(max(p, 0.0), 1.0))


def change_of_soft(p: ArrayLike, values: Sequence[float], total: int, *, concentration: float | None = None) -> Change:
    """For soft votes: the probability that the likeliest label of the mixture of all ``total`` votes is another.

    For two labels by the numbers p(label). For more, the lead of the present label over each other one,
    ``(1 + p(label) - p(other)) / 2``, is such a number, and the probabilities that it is lost are added up: never less
    than the probability that any is.

    Args:
        p: shape (n, labels), each distribution sums to 1.
        values: the score of each label, for ties.
        total: votes when all are asked.
        concentration: as for :func:`change_of_numbers`.

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
            lost += change_of_lead(np.clip(lead, 0.0, 1.0), total, concentration=concentration).p
    return Change(min(lost, 1.0))


def lead_of(p: ArrayLike) -> Floats:
    """The numbers that soft votes on one sample are read as: p of the second label, or the lead of the likeliest one.

    Args:
        p: shape (n, labels).
    """
    d = np.asarray(p, dtype=np.float64)
    if d.shape[1] == 2:
        return np.asarray(d[:, 1])
    second, top = np.argsort(d.mean(axis=0), kind="stable")[-2:]
    return np.asarray((1 + d[:, top] - d[:, second]) / 2)


def _numbers(numbers: ArrayLike, total: int) -> tuple[Floats, int]:
    x = np.asarray(numbers, dtype=np.float64)
    if x.ndim != 1 or not 0 < x.size <= total:
        raise ValueError(f"of {total} votes some are in and no more than all, found the shape {x.shape}")
    if not ((x >= 0) & (x <= 1)).all():
        raise ValueError(f"numbers lie in [0, 1] and none is missing, found {x.tolist()}")
    return x, total - x.size


def _all_at_ends(x: Floats) -> bool:
    return bool(((x <= END) | (x >= 1 - END)).all())
