"""Strengths from pairwise games: Bradley-Terry with intervals, and Elo with the spread of its orders.

    >>> result = bradley_terry([[0, 8, 9], [2, 0, 7], [1, 3, 0]])
    >>> result.rank.tolist(), bool(result.low[0] < result.score[0] < result.high[0])
    ([1, 2, 3], True)
    >>> bradley_terry([[0, 5], [0, 0]]).score.round(2).tolist()                     # unbeaten, and still finite
    [1.38, -1.38]

Tables as in :mod:`genrm.voting.rankings`: ``wins[i, j]`` counts the games that i won against j, ``ties`` is symmetric,
and pairs that never met have 0 in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from genrm.voting.panels import Z_95, Bools, Floats, Ints
from genrm.voting.rankings import TIE, _pairs, shared_ranks

TieModel = Literal["half", "davidson"]

MAX_GAMES = 1_000_000
MAX_FITTED = 1e13
"""Games of a pair beside which half a game of the prior still has digits."""
MAX_STEPS = 200
TIED_STRENGTH = 1e-6
"""Log-strengths that differ by less, relative to the largest, share a rank: Newton's steps end near there."""
NOISE = 4.0
"""Standard errors, over the orders of the games, by which Elo ratings must differ to have different ranks."""


@dataclass(frozen=True, slots=True, eq=False)
class Strengths:
    """Bradley-Terry strengths.

    Attributes:
        score: shape (candidates,), log-strength with mean 0: P(i beats j) = σ(score_i - score_j) where ties count half.
        se: its standard error.
        low: lower end of the 95 % interval.
        high: its upper end.
        rank: from 1, shared by ties; 0 for a candidate that never played.
        mask: whether the candidate played; without games score, error and interval are NaN.
        component: number of the group of candidates that are joined by games. Strengths of different groups were never
            compared: only the prior sets them side by side.
        tie: Davidson's ν, the odds of a tie between equals; None where ties count half.
        converged: whether Newton's method ended at the maximum.
    """

    score: Floats
    se: Floats
    low: Floats
    high: Floats
    rank: Ints
    mask: Bools
    component: Ints
    tie: float | None
    converged: bool

    def probability(self) -> Floats:
        """Shape (candidates, candidates): P(i beats j | not tied)."""
        gap = self.score[:, None] - self.score[None, :]
        result: Floats = 0.5 * (1 + np.tanh(gap / 2))
        return result


def bradley_terry(
    wins: ArrayLike, ties: ArrayLike | None = None, *, tie_model: TieModel = "half", prior: float = 0.5
) -> Strengths:
    """The strengths that make the games most probable, by Newton's method on a concave likelihood.

    P(i beats j) = π_i / (π_i + π_j): "Rank Analysis of Incomplete Block Designs: I. The Method of Paired Comparisons".
    ``tie_model="half"`` counts a tie as half a win for each; ``davidson`` gives it a probability of its own,
    ν·√(π_i π_j) / (π_i + π_j + ν·√(π_i π_j)): "On Extending the Bradley-Terry Model to Accommodate Ties in Paired
    Comparison Experiments". Every candidate also plays ``prior`` games won and as many lost against one phantom of
    strength 1, so an unbeaten candidate stays finite and unconnected ones keep a place; intervals are those of the
    information matrix, prior included, around the mean of all.

    Args:
        wins: shape (candidates, candidates).
        ties: same shape, symmetric.
        prior: above 0; larger pulls strengths together.

    Raises:
        ValueError: tables or settings are wrong, there is no game at all, or too many.
    """
    won, tied = _pairs(wins, ties)
    if won.ndim != 2:
        raise ValueError(f"Bradley-Terry takes one table (candidates, candidates), found {won.shape}")
    if not prior > 0 or not np.isfinite(prior):
        raise ValueError(f"prior counts phantom games and is above 0, found {prior}")
    if tie_model not in ("half", "davidson"):
        raise ValueError(f"tie_model {tie_model!r} is unknown; use half or davidson")
    if not (won + tied).any():
        raise ValueError("there is no game to learn from; both tables are 0")
    if max(won.max(), tied.max()) > MAX_FITTED * min(prior, 1.0):
        raise ValueError(
            f"a pair has more than {MAX_FITTED:g} games, beside which the prior {prior:g} is lost; divide both tables"
        )
    if tie_model == "half":
        won, tied = won + tied / 2, np.zeros(won.shape)
    played: Bools = np.asarray((won + won.T + tied).any(axis=1))
    size = int(played.sum())
    only = np.ix_(played, played)
    found, covariance, log_tie, converged = _newton(won[only], tied[only], prior, tie_model == "davidson")
    centre = np.eye(size) - 1 / size
    se = np.sqrt(np.maximum(np.diagonal(centre @ covariance[:size, :size] @ centre), 0.0))
    score = _spread_out(found - found.mean(), played)
    error = _spread_out(se, played)
    step = TIED_STRENGTH * max(1.0, float(np.nanmax(np.abs(score))))
    return Strengths(
        score,
        error,
        score - Z_95 * error,
        score + Z_95 * error,
        shared_ranks(np.round(score / step) * step),
        played,
        _components((won + won.T + tied) > 0),
        float(np.exp(log_tie)) if tie_model == "davidson" else None,
        converged,
    )


def _newton(won: Floats, tied: Floats, prior: float, with_ties: bool) -> tuple[Floats, Floats, float, bool]:
    """Log-strengths, inverse information, log ν and whether it converged.

    Both models are logits over outcomes: i wins exp(d/2), j wins exp(-d/2), tie exp(t), with d = s_i - s_j.
    """
    size = len(won)
    theta = np.zeros(size + with_ties)
    value = _likelihood(theta, won, tied, prior, with_ties)
    for _ in range(MAX_STEPS):
        gradient, information = _derivatives(theta, won, tied, prior, with_ties)
        step = np.linalg.solve(information, gradient)
        if float(gradient @ step) < 1e-18 * max(1.0, float(won.sum() + tied.sum())):
            return theta[:size], _inverse(information), float(theta[-1]), True
        length = 1.0
        while length > 1e-12:
            tried = _likelihood(theta + length * step, won, tied, prior, with_ties)
            if tried >= value:
                break
            length /= 2
        else:  # no way up is left within rounding: this is the maximum
            return theta[:size], _inverse(information), float(theta[-1]), True
        theta, value = theta + length * step, tried
    return theta[:size], _inverse(_derivatives(theta, won, tied, prior, with_ties)[1]), float(theta[-1]), False


def _outcomes(gap: Floats, log_tie: float) -> tuple[Floats, Floats, Floats]:
    """Log-probabilities that the first wins, ties, loses."""
    half = gap / 2
    total = np.logaddexp(np.logaddexp(half, -half), log_tie)
    return half - total, log_tie - total, -half - total


def _likelihood(theta: Floats, won: Floats, tied: Floats, prior: float, with_ties: bool) -> float:
    s = theta[: len(won)]
    log_tie = float(theta[-1]) if with_ties else -np.inf
    win, tie, _ = _outcomes(s[:, None] - s[None, :], log_tie)
    value = float((won * win).sum()) - prior * float((np.logaddexp(s / 2, -s / 2) * 2).sum())
    if with_ties:  # half a tie and half a decided game between equals keep ν off 0 and infinity
        value += float((tied * tie).sum()) / 2 + prior * (log_tie - 2 * float(np.logaddexp(np.log(2), log_tie)))
    return value


def _derivatives(theta: Floats, won: Floats, tied: Floats, prior: float, with_ties: bool) -> tuple[Floats, Floats]:
    size = len(won)
    s = theta[:size]
    log_tie = float(theta[-1]) if with_ties else -np.inf
    win, tie, loss = (np.exp(logs) for logs in _outcomes(s[:, None] - s[None, :], log_tie))
    games = won + won.T + tied
    # Of the outcome value (+1/2, 0, -1/2) of the first: observed minus expected, and its variance.
    gradient = np.zeros(len(theta))
    gradient[:size] = ((won - won.T) / 2 - games * (win - loss) / 2).sum(axis=1) - prior * np.tanh(s / 2)
    weight = games * ((win + loss) - (win - loss) ** 2) / 4
    np.fill_diagonal(weight, 0.0)
    information = np.zeros((len(theta), len(theta)))
    information[:size, :size] = np.diag(weight.sum(axis=1) + prior * 0.5 / np.cosh(np.minimum(np.abs(s), 600) / 2) ** 2)
    information[:size, :size] -= weight
    if with_ties:
        share = 1 / (1 + 2 * np.exp(-log_tie))
        np.fill_diagonal(games, 0.0)
        gradient[-1] = (tied - games * tie).sum() / 2 + prior * (1 - 2 * share)
        information[-1, -1] = (games * tie * (1 - tie)).sum() / 2 + prior * 2 * share * (1 - share)
        cross = -(games * tie * (win - loss) / 2).sum(axis=1)
        information[:size, -1] = information[-1, :size] = cross
    return gradient, information


def _inverse(matrix: Floats) -> Floats:
    result: Floats = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
    return result


def _spread_out(values: Floats, played: Bools) -> Floats:
    whole = np.full(played.shape, np.nan)
    whole[played] = values
    return whole


def _components(met: Bools) -> Ints:
    """Groups of candidates that are joined by games, numbered in order of their first member."""
    group = np.full(len(met), -1, dtype=np.int64)
    number = 0
    for start in range(len(met)):
        if group[start] >= 0:
            continue
        front = np.zeros(len(met), dtype=bool)
        front[start] = True
        while front.any():
            group[front] = number
            front = met[front].any(axis=0) & (group < 0)
        number += 1
    return group


@dataclass(frozen=True, slots=True, eq=False)
class Elo:
    """Elo ratings over many orders of the same games.

    Attributes:
        rating: shape (candidates,), mean over the orders; NaN for a candidate that never played.
        low: 2.5 % quantile over the orders.
        high: 97.5 % quantile over the orders.
        rank: of the means, from 1, shared where they are no further apart than the random orders alone would bring
            them (:data:`NOISE`); 0 without games.
        orders: how many orders there were.
    """

    rating: Floats
    low: Floats
    high: Floats
    rank: Ints
    orders: int


def elo(
    wins: ArrayLike,
    ties: ArrayLike | None = None,
    *,
    k: float = 32.0,
    start: float = 1500.0,
    orders: int = 200,
    seed: int = 0,
) -> Elo:
    """Elo ratings: after each game R_i += k·(result - 1 / (1 + 10^((R_j - R_i)/400))).

    "The Rating of Chessplayers, Past and Present". A rating depends on the order of the games; a table has none, so
    the games are played in ``orders`` random ones (the same for the same seed). The interval is the spread over orders
    alone and says nothing about the luck of the games: for that take :func:`bradley_terry`, which has no order.

    Args:
        wins: shape (candidates, candidates), whole numbers of games.
        ties: same shape, symmetric.
        orders: at least 1.

    Raises:
        ValueError: tables or settings are wrong, counts are no whole numbers, or there are no games or too many.
    """
    won, tied = _pairs(wins, ties)
    if won.ndim != 2:
        raise ValueError(f"Elo takes one table (candidates, candidates), found {won.shape}")
    if orders < 1 or not k > 0 or not np.isfinite([k, start]).all():
        raise ValueError("orders is at least 1, k is above 0 and start is finite")
    tied = np.triu(tied)
    if (won != np.rint(won)).any() or (tied != np.rint(tied)).any():
        raise ValueError("Elo plays whole games; for probabilities use win_rate or bradley_terry")
    games = won.sum() + tied.sum()
    if games == 0 or games * orders > 100 * MAX_GAMES:
        raise ValueError(f"{games:g} games in {orders} orders; 1 to {100 * MAX_GAMES:,} in all are played")
    first, second = np.nonzero(won)
    one, two = np.nonzero(tied)
    counts = np.concatenate([won[first, second], tied[one, two]]).astype(np.int64)
    left = np.repeat(np.concatenate([first, one]), counts)
    right = np.repeat(np.concatenate([second, two]), counts)
    result = np.repeat(np.concatenate([np.ones(len(first)), np.full(len(one), 0.5)]), counts)
    rng = np.random.default_rng(seed)
    order = np.argsort(rng.random((orders, len(left))), axis=1)
    rating = np.full((orders, len(won)), float(start))
    every = np.arange(orders)
    for game in order.T:
        i, j = left[game], right[game]
        gap = np.clip((rating[every, j] - rating[every, i]) / 400, -300, 300)
        step = k * (result[game] - 1 / (1 + 10.0**gap))
        rating[every, i] += step
        rating[every, j] -= step
    played: Bools = np.asarray((won + won.T + tied + tied.T).any(axis=1))
    mean, low, high = (
        np.where(played, array, np.nan) for array in (rating.mean(axis=0), *np.quantile(rating, [0.025, 0.975], axis=0))
    )
    return Elo(mean, low, high, _ranks_over_orders(rating, played), orders)


def _ranks_over_orders(rating: Floats, played: Bools) -> Ints:
    """Ranks of the means of ratings (orders, candidates); one within the noise of the orders shares the rank above."""
    mean, orders = rating.mean(axis=0), len(rating)
    rank = np.zeros(len(played), dtype=np.int64)
    first = -1  # the best of those that share the present rank: a chain of small steps must not join what is far apart
    down = np.argsort(-mean, kind="stable")
    for place, this in enumerate(down[played[down]], start=1):
        if first >= 0:
            # In the same order both play the same games: their gap varies less than two independent ratings would.
            gap = rating[:, first] - rating[:, this]
            noise = float(gap.std(ddof=1)) / np.sqrt(orders) if orders > 1 else 0.0
        if first < 0 or gap.mean() > NOISE * noise + TIE * max(1.0, abs(float(mean[first]))):
            first, rank[this] = this, place
        else:
            rank[this] = rank[first]
    return rank
