"""Bradley-Terry and Elo: against a slow search, planted strengths, coverage of the intervals, ties and gaps."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from genrm.voting.bradley_terry import bradley_terry, elo


def played(strengths, games, seed):
    """A table of so many games of each pair."""
    rng = np.random.default_rng(seed)
    size = len(strengths)
    wins = np.zeros((size, size))
    for i in range(size):
        for j in range(i + 1, size):
            wins[i, j] = rng.binomial(games, 1 / (1 + math.exp(strengths[j] - strengths[i])))
            wins[j, i] = games - wins[i, j]
    return wins


def minorize(wins, ties, prior, steps=20000):
    """The classical fixed point: π_i = wins of i / Σ_j games_ij / (π_i + π_j), phantom included."""
    won = wins + ties / 2
    games = won + won.T
    pi = np.ones(len(wins))
    for _ in range(steps):
        pi = (won.sum(axis=1) + prior) / ((games / (pi[:, None] + pi[None, :])).sum(axis=1) + 2 * prior / (pi + 1))
    scores = np.log(pi)
    return scores - scores.mean()


@settings(max_examples=12, deadline=None)
@given(
    nps.arrays(np.int64, (4, 4), elements=st.integers(0, 6)), nps.arrays(np.int64, (4, 4), elements=st.integers(0, 2))
)
def test_newton_ends_where_the_fixed_point_does(wins, ties):
    np.fill_diagonal(wins, 0)
    ties = np.triu(ties, 1) + np.triu(ties, 1).T
    whole = (wins + wins.T + ties).any(axis=1)
    if not whole.all():
        return
    result = bradley_terry(wins, ties)
    assert result.converged
    assert result.score == pytest.approx(minorize(wins.astype(float), ties.astype(float), 0.5), abs=1e-5)


def test_planted_strengths_and_the_coverage_of_their_intervals():
    strengths = np.array([1.0, 0.5, 0.0, -0.5, -1.0])
    inside = []
    for seed in range(60):
        result = bradley_terry(played(strengths, 60, seed), prior=0.1)
        inside.extend((result.low <= strengths) & (strengths <= result.high))
    assert 0.91 <= np.mean(inside) <= 0.985
    many = bradley_terry(played(strengths, 20000, 0))
    assert many.score == pytest.approx(strengths, abs=0.05)
    assert many.rank.tolist() == [1, 2, 3, 4, 5]
    assert many.probability()[0, 4] == pytest.approx(1 / (1 + math.exp(-2)), abs=0.01)


def test_more_games_narrow_the_interval():
    few, more = (bradley_terry(played([0.5, 0, -0.5], games, 1)) for games in (10, 1000))
    assert (few.se > 5 * more.se).all()


def test_unbeaten_candidates_stay_finite():
    result = bradley_terry([[0, 9, 9], [0, 0, 9], [0, 0, 0]])
    assert np.isfinite([result.score, result.low, result.high]).all()
    assert result.rank.tolist() == [1, 2, 3]
    huge = bradley_terry([[0, 1e12], [0, 0]])
    assert np.isfinite(huge.score).all()
    assert huge.score[0] > 10


def test_ties_are_shared_and_cycles_are_even():
    assert bradley_terry([[0, 5, 0], [0, 0, 5], [5, 0, 0]]).rank.tolist() == [1, 1, 1]
    assert bradley_terry(np.zeros((2, 2)), [[0, 3], [3, 0]]).rank.tolist() == [1, 1]
    assert bradley_terry([[0, 1], [1, 0]]).score.tolist() == pytest.approx([0, 0])


@settings(max_examples=15, deadline=None)
@given(nps.arrays(np.int64, (4, 4), elements=st.integers(0, 5)), st.permutations(range(4)), st.booleans())
def test_order_of_candidates_changes_nothing(wins, order, davidson):
    np.fill_diagonal(wins, 0)
    ties = np.minimum(wins, wins.T)
    if not (wins.any() or ties.any()):
        return
    model = "davidson" if davidson else "half"
    one = bradley_terry(wins, ties, tie_model=model)
    two = bradley_terry(wins[order][:, order], ties[order][:, order], tie_model=model)
    assert two.score == pytest.approx(one.score[list(order)], abs=1e-5, nan_ok=True)
    assert two.rank.tolist() == one.rank[list(order)].tolist()


def test_davidson_recovers_strengths_and_ties():
    rng = np.random.default_rng(0)
    strengths, nu, games = np.array([0.8, 0.0, -0.8]), 0.7, 20000
    pi = np.exp(strengths)
    wins, ties = np.zeros((3, 3)), np.zeros((3, 3))
    for i in range(3):
        for j in range(i + 1, 3):
            parts = np.array([pi[i], pi[j], nu * math.sqrt(pi[i] * pi[j])])
            wins[i, j], wins[j, i], ties[i, j] = rng.multinomial(games, parts / parts.sum())
            ties[j, i] = ties[i, j]
    result = bradley_terry(wins, ties, tie_model="davidson")
    assert result.converged
    assert result.score == pytest.approx(strengths, abs=0.05)
    assert result.tie == pytest.approx(nu, abs=0.03)
    plain = bradley_terry(wins, tie_model="davidson")
    assert 0 < plain.tie < 1e-3
    assert np.isfinite(plain.se).all()
    only = bradley_terry(np.zeros((2, 2)), [[0, 50], [50, 0]], tie_model="davidson")
    assert only.tie > 10
    assert np.isfinite(only.tie)
    assert only.rank.tolist() == [1, 1]


def test_groups_that_never_met_and_candidates_that_never_played():
    result = bradley_terry([[0, 3, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 2, 0], [0, 0, 1, 0, 0], [0] * 5])
    assert result.component.tolist() == [0, 0, 1, 1, 2]
    assert result.mask.tolist() == [True] * 4 + [False]
    assert result.rank[4] == 0
    assert math.isnan(result.score[4])
    assert math.isnan(result.low[4])


def test_elo_by_hand_and_its_spread():
    one = elo([[0, 1], [0, 0]], orders=3)
    assert one.rating.tolist() == [1516.0, 1484.0]
    assert one.low.tolist() == one.high.tolist() == [1516.0, 1484.0]
    table = played([1.0, 0.0, -1.0], 40, 3)
    result = elo(table, seed=1)
    assert result.rank.tolist() == [1, 2, 3]
    assert (result.low < result.rating).all()
    assert (result.rating < result.high).all()
    assert result.rating.mean() == pytest.approx(1500)
    assert np.array_equal(elo(table, seed=1).rating, result.rating)
    assert not np.array_equal(elo(table, seed=2).rating, result.rating)
    assert elo([[0, 0, 0], [0, 0, 2], [0, 0, 0]]).rank.tolist() == [0, 1, 2]
    assert elo(np.zeros((2, 2)), [[0, 4], [4, 0]]).rating.tolist() == [1500.0, 1500.0]


@pytest.mark.parametrize("games", [1, 5, 50])
@pytest.mark.parametrize("seed", range(5))
def test_elo_ranks_do_not_read_the_noise_of_the_orders(games, seed):
    cycle = np.array([[0, games, 0], [0, 0, games], [games, 0, 0]])
    assert elo(cycle, seed=seed).rank.tolist() == [1, 1, 1]
    # Whoever loses to all three is below them, and has not pulled them apart.
    below = np.zeros((4, 4))
    below[:3, :3], below[:3, 3] = cycle, games
    assert elo(below, seed=seed).rank.tolist() == [1, 1, 1, 4]


def test_elo_ranks_of_small_steps_are_no_chain():
    # Each is within the noise of its neighbour; the ends of the line are far apart.
    table = played(np.linspace(0.6, -0.6, 9), 40, 1)
    result = elo(table, orders=10)
    assert result.rank[0] == 1
    assert result.rank[-1] > 3
    assert (np.diff(result.rank[np.argsort(-result.rating)]) >= 0).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bradley_terry(np.zeros((3, 3))), "no game"),
        (lambda: bradley_terry([[0, 1], [0, 0]], prior=0.0), "prior"),
        (lambda: bradley_terry([[0, 1], [0, 0]], tie_model="win"), "'win'"),
        (lambda: bradley_terry(np.zeros((2, 2, 2))), "one table"),
        (lambda: bradley_terry([[0, 1e300], [0, 0]]), "divide both tables"),
        (lambda: elo([[0, 0.5], [0.5, 0]]), "whole games"),
        (lambda: elo(np.zeros((2, 2))), "0 games"),
        (lambda: elo([[0, 1e12], [0, 0]]), "games"),
        (lambda: elo([[0, 1], [0, 0]], orders=0), "orders"),
    ],
)
def test_faults_of_the_call(call, message):
    with pytest.raises(ValueError, match=message):
        call()
