"""Rankings of candidates from score tables or pairwise tables; ties and missing cells are allowed.

    >>> ballots = [[3, 2, 1]] * 3 + [[1, 3, 2]] * 2            # three voters a > b > c, two b > c > a
    >>> borda(ballots).score.tolist(), borda(ballots).rank.tolist()
    ([1.2, 1.4, 0.4], [2, 1, 3])
    >>> table = pairwise(ballots)
    >>> copeland(table.wins, table.ties).rank.tolist()
    [1, 2, 3]

A score table has the shape (..., voters, candidates): voters are judges, criteria or votes; higher is better. A
pairwise table has the shape (..., candidates, candidates): ``wins[i, j]`` counts how often i beat j, ``ties`` is
symmetric, and a pair that never met has 0 in all of them. Counts may be fractions: P(i beats j) is a table too.
What is missing is left out of the mean, never read as a lost vote. Equal scores share a rank (1, 2, 2, 4), so no
result depends on the order of voters or candidates. Ideas and names as in "Vote'n'Rank: Revision of Benchmarking with
Social Choice Theory".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from genrm.voting.panels import Bools, Floats, Ints

TIE = 1e-9
"""Scores that differ by less than this, relative to the largest, are tied."""


MAX_COUNT = 1e300


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Candidates in order.

    Attributes:
        score: shape (..., candidates), higher is better; NaN for a candidate about whom nothing is known.
        rank: same shape, from 1, shared by ties; 0 for a candidate without score.
        mask: same shape, True where there is a score.
    """

    score: Floats
    rank: Ints
    mask: Bools


@dataclass(frozen=True, slots=True, eq=False)
class Pairwise:
    """How often each candidate beat and tied each other; shape (..., candidates, candidates)."""

    wins: Floats
    ties: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Cycles:
    """Cyclic triples: a beats b, b beats c, c beats a.

    Attributes:
        rate: share of the decided triples; NaN where there is none.
        cyclic: their number.
        n: triples of which each pair met and has a majority.
    """

    rate: Floats
    cyclic: Ints
    n: Ints


def shared_ranks(score: ArrayLike, *, mask: ArrayLike | None = None) -> Ints:
    """Ranks from 1 with ties shared (1, 2, 2, 4), the highest score first; 0 where masked or NaN.

    Neighbours in sorted order that differ by less than 1e-9 of the largest absolute score are tied.
    """
    values = np.asarray(score, dtype=np.float64)
    known = ~np.isnan(values) if mask is None else np.asarray(mask, dtype=bool) & ~np.isnan(values)
    down = np.where(known, -values, np.inf)
    order = np.argsort(down, axis=-1, kind="stable")
    ordered = np.take_along_axis(down, order, axis=-1)
    with np.errstate(invalid="ignore"):
        unit = np.where(known & np.isfinite(values), np.abs(values), 0.0).max(axis=-1, keepdims=True, initial=0.0)
        new = np.diff(ordered, axis=-1, prepend=-np.inf) > TIE * np.maximum(unit, np.finfo(float).tiny)
    new[..., :1] = True
    place = np.maximum.accumulate(np.where(new, np.arange(1, values.shape[-1] + 1), 1), axis=-1)
    rank = np.zeros(values.shape, dtype=np.int64)
    np.put_along_axis(rank, order, place, axis=-1)
    return np.where(known, rank, 0)


def pairwise(scores: ArrayLike, *, mask: ArrayLike | None = None, margin: float = 0.0) -> Pairwise:
    """The pairwise table of a score table: each voter compares the candidates that it has scored.

    Args:
        scores: shape (..., voters, candidates); NaN or ``mask`` False where missing.
        margin: scores that differ by at most this are tied.
    """
    values, present = _table(scores, mask)
    if not margin >= 0:
        raise ValueError(f"margin is at least 0, found {margin}")
    both = present[..., :, None] & present[..., None, :]
    with np.errstate(over="ignore"):
        gap = values[..., :, None] - values[..., None, :]
    other = ~np.eye(values.shape[-1], dtype=bool)
    wins = (both & (gap > margin)).sum(axis=-3).astype(np.float64)
    ties = (both & (np.abs(gap) <= margin) & other).sum(axis=-3).astype(np.float64)
    return Pairwise(wins, ties)


def plurality(scores: ArrayLike, *, mask: ArrayLike | None = None) -> Ranking:
    """Share of voters that put the candidate first; k tied firsts get 1/k each.

    The mean goes over the voters that scored the candidate and at least one other.
    """
    return _positional(scores, mask, "plurality")


def borda(scores: ArrayLike, *, mask: ArrayLike | None = None) -> Ranking:
    """Mean points per voter: candidates beaten plus half of those tied, from 0 to candidates - 1.

    A voter that scored only k candidates compares these, and its points are stretched by (candidates - 1)/(k - 1); the
    mean goes over the voters that scored the candidate. On complete tables times the voters: the textbook count.
    """
    return _positional(scores, mask, "borda")


def dowdall(scores: ArrayLike, *, mask: ArrayLike | None = None) -> Ranking:
    """Mean of 1/place over the voters that scored the candidate; tied candidates share the mean of their places."""
    return _positional(scores, mask, "dowdall")


def copeland(wins: ArrayLike, ties: ArrayLike | None = None) -> Ranking:
    """One point for each opponent beaten by a majority, half for an even one; from 0 to candidates - 1.

    Stretched by (candidates - 1)/(opponents met) where pairs are missing. A candidate that beats every other one (the
    Condorcet winner) is alone at the top. "POCOWISTA" plays for this winner under a budget of comparisons.
    """
    won, tied = _pairs(wins, ties)
    met = _met(won, tied)
    points = np.where(met, (won > _turned(won)) + 0.5 * (won == _turned(won)), 0.0)
    return _mean_over_opponents(points, met, won.shape[-1] - 1)


def minimax(wins: ArrayLike, ties: ArrayLike | None = None) -> Ranking:
    """The worst margin of a candidate over an opponent: min_j (wins_ij - wins_ji) / comparisons of i and j.

    In [-1, 1], above 0 exactly for a Condorcet winner. Margins are shares, so that pairs that met more often weigh no
    more (the Simpson-Kramer rule with margins; the same order on complete ballots).
    """
    won, tied = _pairs(wins, ties)
    met = _met(won, tied)
    with np.errstate(invalid="ignore", divide="ignore"):
        margin = (won - _turned(won)) / (won + _turned(won) + tied)
    worst = np.where(met, margin, np.inf).min(axis=-1, initial=np.inf)
    return _ranking(worst, np.asarray(met.any(axis=-1)))


def win_rate(wins: ArrayLike, ties: ArrayLike | None = None) -> Ranking:
    """r_i = mean over opponents j of P(i beats j), ties as half; in [0, 1].

    The reward of "A Minimaximalist Approach to Reinforcement Learning from Human Feedback" (SPO): it needs no scale
    and bears cycles; say with :func:`cycle_rate` how many there are. Opponents never met are left out.
    """
    won, tied = _pairs(wins, ties)
    met = _met(won, tied)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = np.where(met, (won + 0.5 * tied) / (won + _turned(won) + tied), 0.0)
    return _mean_over_opponents(rate, met, 1)


def cycle_rate(wins: ArrayLike, ties: ArrayLike | None = None) -> Cycles:
    """Share of triples that are cyclic, among those whose three pairs all have a majority.

    Of three candidates ordered at random a quarter of all tournaments is a cycle: a judge near 0.25 has no order.
    """
    won, _ = _pairs(wins, ties)
    beats = (won > _turned(won)).astype(np.float64)
    decided = beats + _turned(beats)
    cyclic = np.rint(np.trace(beats @ beats @ beats, axis1=-2, axis2=-1) / 3).astype(np.int64)
    n = np.rint(np.trace(decided @ decided @ decided, axis1=-2, axis2=-1) / 6).astype(np.int64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return Cycles(np.asarray(cyclic / np.where(n > 0, n, np.nan)), cyclic, n)


def condorcet_winner(wins: ArrayLike, ties: ArrayLike | None = None) -> Ints:
    """Index of the candidate that beats each other one by a majority; -1 where there is none, shape (...)."""
    won, _ = _pairs(wins, ties)
    own = np.eye(won.shape[-1], dtype=bool)
    all_beaten = ((won > _turned(won)) | own).all(axis=-1)
    return np.where(all_beaten.any(axis=-1), all_beaten.argmax(axis=-1), -1)


def _positional(scores: ArrayLike, mask: ArrayLike | None, rule: str) -> Ranking:
    values, present = _table(scores, mask)
    seen = present.sum(axis=-1, keepdims=True)
    present = present & (seen > 1)  # a voter with one candidate compares nothing
    both = present[..., :, None] & present[..., None, :]
    better = (both & (values[..., None, :] > values[..., :, None])).sum(axis=-1)
    same = (both & (values[..., None, :] == values[..., :, None])).sum(axis=-1)  # oneself included
    candidates = values.shape[-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        if rule == "plurality":
            points = (better == 0) / same
        elif rule == "borda":
            points = (seen - better - 1 - (same - 1) / 2) * (candidates - 1) / (seen - 1)
        else:
            sums = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, candidates + 1))])
            points = (sums[np.minimum(better + same, candidates)] - sums[better]) / same
        n = present.sum(axis=-2)
        mean = np.where(present, points, 0.0).sum(axis=-2) / n
    return _ranking(mean, n > 0)


def _table(scores: ArrayLike, mask: ArrayLike | None) -> tuple[Floats, Bools]:
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim < 2:
        raise ValueError(f"a score table has the shape (voters, candidates), found {values.shape}")
    present = ~np.isnan(values)
    if mask is not None:
        given = np.asarray(mask, dtype=bool)
        if given.shape != values.shape:
            raise ValueError(f"scores of the shape {values.shape} came with a mask of {given.shape}")
        present &= given
    if np.isinf(values[present]).any():
        raise ValueError("a score is infinite; give it a finite value or mask it")
    return np.where(present, values, 0.0), present


def _pairs(wins: ArrayLike, ties: ArrayLike | None) -> tuple[Floats, Floats]:
    won = np.array(wins, dtype=np.float64)
    if won.ndim < 2 or won.shape[-1] != won.shape[-2]:
        raise ValueError(f"a pairwise table has the shape (candidates, candidates), found {won.shape}")
    tied = np.zeros(won.shape) if ties is None else np.array(ties, dtype=np.float64)
    if tied.shape != won.shape:
        raise ValueError(f"wins of the shape {won.shape} came with ties of {tied.shape}")
    own = np.eye(won.shape[-1], dtype=bool)
    won[..., own] = 0.0
    tied[..., own] = 0.0
    for array, name in ((won, "wins"), (tied, "ties")):
        if not np.isfinite(array).all() or (array < 0).any():
            raise ValueError(f"{name} are counts; write 0 in both tables for a pair that never met")
        if array.max(initial=0.0) > MAX_COUNT:
            raise ValueError(f"{name} has a count above {MAX_COUNT:g}, whose sums overflow; divide both tables")
    if not np.allclose(tied, _turned(tied), rtol=1e-9, atol=0.0):
        raise ValueError("ties are symmetric: ties[i, j] = ties[j, i] counts the games of i and j without winner")
    return won, tied


def _turned(table: Floats) -> Floats:
    """j against i where i against j was."""
    return np.swapaxes(table, -1, -2)


def _met(won: Floats, tied: Floats) -> Bools:
    met: Bools = (won + _turned(won) + tied) > 0
    return met


def _mean_over_opponents(points: Floats, met: Bools, scale: float) -> Ranking:
    n = met.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return _ranking(points.sum(axis=-1) * scale / n, n > 0)


def _ranking(score: Floats, known: Bools) -> Ranking:
    score = np.where(known, score, np.nan)
    return Ranking(score, shared_ranks(score), known)
