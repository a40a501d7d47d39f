"""How steady a judge's probabilities are from vote to vote, measured over samples: the prior of soft adaptive votes.

    >>> votes = [[[0.1, 0.9], [0.12, 0.88]], [[0.6, 0.4], [0.55, 0.45]], [[0.3, 0.7], [0.32, 0.68]]]
    >>> fit_concentration(votes).value > 100
    True

A concentration K means that votes of mean m have the variance ``m (1 - m) / (K + 1)``: near 0 each vote is saturated
and says no more than a label; at 10 and above a few votes say what sixteen would. It belongs to a judge and a question,
not to a sample, so a hundred samples with a few votes each tell what the first two votes on a new one cannot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from genrm.voting.rules import Floats
from genrm.voting.soft_posterior import CONCENTRATIONS, beta_logs, lead_of, log_likelihood

_STEPS = (np.arange(240) + 0.5) / 240
_MEANS = np.sin(_STEPS * np.pi / 2) ** 2
_LOG_WEIGHTS = np.log(np.sin(_STEPS * np.pi) / np.sin(_STEPS * np.pi).sum())[:, None]
"""Of the means: finer than one stopping decision needs, since many votes on one sample know theirs well."""


@dataclass(frozen=True, slots=True)
class Concentration:
    """A measured concentration.

    Attributes:
        value: the posterior median, between 0.05 and 512, which are the ends of what is looked at.
        low, high: 95 % interval over the samples that were seen.
        n: samples with at least two votes.
    """

    value: float
    low: float
    high: float
    n: int


def fit_concentration(samples: Sequence[ArrayLike]) -> Concentration:
    """The concentration of a judge's votes, from several votes on each of several samples.

    Marginal maximum likelihood ("Bayesian Data Analysis", empirical Bayes): the mean of each sample is integrated out
    with a uniform prior, and one K, of uniform log, is common to all. Numbers within 0.005 of an end count as there.

    Args:
        samples: for each sample its votes, shape (votes, labels); samples may differ in their number of votes, and
            those with a single one are left out.

    Raises:
        ValueError: no sample has two votes, or an entry is no distribution.
    """
    total = np.zeros(len(CONCENTRATIONS))
    n = 0
    for index, votes in enumerate(samples):
        d = np.asarray(votes, dtype=np.float64)
        if d.ndim != 2 or d.shape[1] < 2 or not ((d >= 0).all() and (np.abs(d.sum(-1) - 1) <= 1e-3).all()):
            raise ValueError(f"sample {index}: distributions of the shape (votes, labels) are needed, found {d.shape}")
        if len(d) < 2:
            continue
        n += 1
        cells = log_likelihood(np.clip(lead_of(d), 0.0, 1.0), *_grid()) + _LOG_WEIGHTS
        top = cells.max(axis=0)
        total += top + np.log(np.exp(cells - top).sum(axis=0))
    if not n:
        raise ValueError("no sample has two votes, so nothing says how they differ; ask for several votes first")
    # Between the points of the coarse grid the log likelihood is smooth; its quantiles need a finer one.
    fine = np.linspace(np.log(CONCENTRATIONS[0]), np.log(CONCENTRATIONS[-1]), 2001)
    log = _through(np.log(CONCENTRATIONS), total, fine)
    weight = np.exp(log - log.max())
    share = weight.cumsum() / weight.sum()
    low, middle, high = (float(np.exp(fine[np.searchsorted(share, q)])) for q in (0.025, 0.5, 0.975))
    return Concentration(middle, low, high, n)


@lru_cache(maxsize=1)
def _grid() -> tuple[Floats, Floats, tuple[Floats, Floats, Floats]]:
    a, b = _MEANS[:, None] * CONCENTRATIONS, (1 - _MEANS)[:, None] * CONCENTRATIONS
    return a, b, beta_logs(a, b)


def _through(x: ArrayLike, y: ArrayLike, at: ArrayLike) -> Floats:
    """A natural cubic spline through the points, evaluated at ``at``; x is evenly spaced."""
    xs, ys, to = (np.asarray(one, dtype=np.float64) for one in (x, y, at))
    n, h = len(xs), xs[1] - xs[0]
    system = np.eye(n)
    inner = np.arange(1, n - 1)
    system[inner, inner - 1], system[inner, inner], system[inner, inner + 1] = 1.0, 4.0, 1.0
    right = np.zeros(n)
    right[1:-1] = 6 * (ys[2:] - 2 * ys[1:-1] + ys[:-2]) / h**2
    bend = np.linalg.solve(system, right)
    place = np.clip(((to - xs[0]) / h).astype(int), 0, n - 2)
    b = (to - xs[place]) / h
    a = 1 - b
    curve = ((a**3 - a) * bend[place] + (b**3 - b) * bend[place + 1]) * h**2 / 6
    return np.asarray(a * ys[place] + b * ys[place + 1] + curve)
