"""Rankings: textbook elections, Condorcet properties, ties and missing cells."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from genrm.voting.rankings import (
    borda,
    condorcet_winner,
    copeland,
    cycle_rate,
    dowdall,
    minimax,
    pairwise,
    plurality,
    shared_ranks,
    win_rate,
)

# Where to put the capital of Tennessee: Memphis, Nashville, Chattanooga, Knoxville; 100 voters.
TENNESSEE = [[4, 3, 2, 1]] * 42 + [[1, 4, 3, 2]] * 26 + [[1, 2, 4, 3]] * 15 + [[1, 2, 3, 4]] * 17
PARADOX = [[3, 2, 1], [1, 3, 2], [2, 1, 3]]

TABLES = st.tuples(st.integers(1, 6), st.integers(1, 5)).flatmap(
    lambda shape: st.tuples(
        nps.arrays(np.float64, shape, elements=st.integers(0, 3).map(float)), nps.arrays(bool, shape)
    )
)
RULES = [plurality, borda, dowdall]
PAIR_RULES = [copeland, minimax, win_rate]


def test_the_capital_of_tennessee():
    assert plurality(TENNESSEE).score.tolist() == pytest.approx([0.42, 0.26, 0.15, 0.17])
    assert (borda(TENNESSEE).score * 100).tolist() == pytest.approx([126, 194, 173, 107])
    assert (dowdall(TENNESSEE).score * 100).tolist() == pytest.approx(
        [42 + 58 / 4, 42 / 2 + 26 + 32 / 3, 42 / 3 + 26 / 2 + 15 + 17 / 2, 42 / 4 + 26 / 3 + 15 / 2 + 17]
    )
    table = pairwise(TENNESSEE)
    assert table.wins[1].tolist() == [58, 0, 68, 68]
    assert copeland(table.wins).score.tolist() == [0, 3, 2, 1]
    assert minimax(table.wins).score.tolist() == pytest.approx([-0.16, 0.16, -0.36, -0.66])
    assert condorcet_winner(table.wins) == 1
    assert [rule(TENNESSEE).rank[0] for rule in RULES] == [1, 3, 2]
    assert cycle_rate(table.wins).cyclic == 0


def test_the_paradox_of_condorcet_is_a_tie_and_a_cycle():
    table = pairwise(PARADOX)
    for rule in PAIR_RULES:
        assert rule(table.wins, table.ties).rank.tolist() == [1, 1, 1]
    for rule in RULES:
        assert rule(PARADOX).rank.tolist() == [1, 1, 1]
    cycles = cycle_rate(table.wins)
    assert (cycles.rate, cycles.cyclic, cycles.n) == (1.0, 1, 1)
    assert condorcet_winner(table.wins) == -1


def literal_borda(scores, present):
    candidates = len(scores[0])
    points = [[] for _ in range(candidates)]
    for row, there in zip(scores, present, strict=True):
        seen = [c for c in range(candidates) if there[c]]
        if len(seen) < 2:
            continue
        for c in seen:
            beaten = sum(row[c] > row[d] for d in seen) + 0.5 * sum(row[c] == row[d] for d in seen if d != c)
            points[c].append(beaten * (candidates - 1) / (len(seen) - 1))
    return [sum(own) / len(own) if own else math.nan for own in points]


def literal_dowdall(scores, present):
    points = [[] for _ in scores[0]]
    for row, there in zip(scores, present, strict=True):
        seen = [c for c in range(len(row)) if there[c]]
        if len(seen) < 2:
            continue
        for c in seen:
            above = sum(row[d] > row[c] for d in seen)
            places = range(above + 1, above + 1 + sum(row[d] == row[c] for d in seen))
            points[c].append(sum(1 / place for place in places) / len(places))
    return [sum(own) / len(own) if own else math.nan for own in points]


def literal_plurality(scores, present):
    points = [[] for _ in scores[0]]
    for row, there in zip(scores, present, strict=True):
        seen = [c for c in range(len(row)) if there[c]]
        if len(seen) < 2:
            continue
        first = [c for c in seen if row[c] == max(row[d] for d in seen)]
        for c in seen:
            points[c].append(1 / len(first) if c in first else 0)
    return [sum(own) / len(own) if own else math.nan for own in points]


@settings(max_examples=60, deadline=None)
@given(TABLES)
def test_positional_rules_against_literal_ones(table):
    scores, mask = table
    for rule, slow in ((plurality, literal_plurality), (borda, literal_borda), (dowdall, literal_dowdall)):
        wanted = slow(scores.tolist(), mask.tolist())
        result = rule(np.where(mask, scores, np.nan))
        assert result.score == pytest.approx(wanted, nan_ok=True)
        assert (result.rank == 0).tolist() == np.isnan(wanted).tolist()
        again = rule(np.where(mask, scores, 77.0), mask=mask)
        assert np.array_equal(again.rank, result.rank)


@settings(max_examples=60, deadline=None)
@given(TABLES, st.randoms(use_true_random=False))
def test_neither_order_of_voters_nor_of_candidates_counts(table, rng):
    scores, mask = table
    voters, candidates = list(range(scores.shape[0])), list(range(scores.shape[1]))
    rng.shuffle(voters)
    rng.shuffle(candidates)
    moved, holes = scores[voters][:, candidates], mask[voters][:, candidates]
    for rule in RULES:
        assert np.array_equal(rule(moved, mask=holes).rank, rule(scores, mask=mask).rank[candidates])
    one, two = pairwise(scores, mask=mask), pairwise(moved, mask=holes)
    for rule in PAIR_RULES:
        assert np.array_equal(rule(two.wins, two.ties).rank, rule(one.wins, one.ties).rank[candidates])
    assert cycle_rate(one.wins).cyclic == cycle_rate(two.wins).cyclic


@settings(max_examples=80, deadline=None)
@given(TABLES)
def test_a_condorcet_winner_wins_copeland_and_minimax(table):
    scores, mask = table
    assume(scores.shape[1] > 1)
    pairs = pairwise(scores, mask=mask)
    winner = int(condorcet_winner(pairs.wins))
    beats = pairs.wins > pairs.wins.T
    by_hand = [c for c in range(len(beats)) if all(beats[c, d] for d in range(len(beats)) if d != c)]
    assert by_hand == ([winner] if winner >= 0 else [])
    if winner >= 0:
        for rule in (copeland, minimax):
            rank = rule(pairs.wins, pairs.ties).rank
            assert rank[winner] == 1
            assert (rank == 1).sum() == 1
        assert minimax(pairs.wins, pairs.ties).score[winner] > 0
        loser_free = borda(scores, mask=mask)
        if mask.all():  # on complete ballots Borda never puts a Condorcet winner last
            assert loser_free.rank[winner] < loser_free.rank.max()


@settings(max_examples=60, deadline=None)
@given(nps.arrays(np.int64, (5, 5), elements=st.integers(0, 2)))
def test_cycles_against_a_count_by_hand(wins):
    np.fill_diagonal(wins, 0)
    beats = wins > wins.T
    cyclic = n = 0
    for a, b, c in combinations(range(5), 3):
        n += all(beats[x, y] or beats[y, x] for x, y in ((a, b), (b, c), (a, c)))
        cyclic += (beats[a, b] and beats[b, c] and beats[c, a]) or (beats[b, a] and beats[c, b] and beats[a, c])
    result = cycle_rate(wins)
    assert (int(result.cyclic), int(result.n)) == (cyclic, n)
    assert math.isnan(result.rate) if n == 0 else result.rate == pytest.approx(cyclic / n)


def test_win_rate_takes_probabilities_and_groups():
    p = np.array([[0, 0.7, 0.9], [0.3, 0, 0.6], [0.1, 0.4, 0]])
    both = win_rate(np.stack([p, p.T]))
    assert both.score == pytest.approx(np.array([[0.8, 0.45, 0.25], [0.2, 0.55, 0.75]]))
    assert both.rank.tolist() == [[1, 2, 3], [3, 2, 1]]
    assert win_rate([[0, 1], [1, 0]], [[0, 2], [2, 0]]).score.tolist() == [0.5, 0.5]


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 6).flatmap(lambda n: nps.arrays(np.float64, (n, n), elements=st.floats(0, 1))))
def test_win_rates_lie_in_the_unit_interval_and_average_a_half(table):
    p = np.triu(table, 1)
    p = p + np.tril(1 - p.T, -1)
    score = win_rate(p).score
    assert ((score >= 0) & (score <= 1 + 1e-12)).all()
    assert score.mean() == pytest.approx(0.5)


def test_pairs_that_never_met_are_left_out():
    wins = np.array([[0, 3, 0, 0], [1, 0, 2, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    assert win_rate(wins).score[:3].tolist() == pytest.approx([0.75, 0.625, 0.0])
    for rule in PAIR_RULES:
        result = rule(wins)
        assert result.rank[3] == 0
        assert not result.mask[3]
        assert math.isnan(result.score[3])
    assert copeland(wins).score[0] == 3.0
    assert condorcet_winner(wins) == -1


def test_shared_ranks():
    assert shared_ranks([3.0, 1.0, 3.0, 2.0, math.nan]).tolist() == [1, 4, 1, 3, 0]
    assert shared_ranks([0.1 + 0.2, 0.3, 0.0]).tolist() == [1, 1, 3]
    assert shared_ranks([1e300, 1e300 * (1 - 1e-12), -1e300]).tolist() == [1, 1, 3]
    assert shared_ranks([0.0, 0.0]).tolist() == [1, 1]
    assert shared_ranks([math.nan]).tolist() == [0]
    assert shared_ranks([[1.0, 2.0], [2.0, 1.0]], mask=[[True, True], [False, True]]).tolist() == [[2, 1], [0, 1]]


def test_margins_and_extremes():
    assert pairwise([[1.0, 0.95]], margin=0.1).ties[0, 1] == 1
    assert pairwise([[1e300, -1e300]]).wins[0, 1] == 1
    assert minimax([[0, 1e300], [1e-300, 0]]).score.tolist() == [1.0, -1.0]
    assert borda([[5.0]]).rank.tolist() == [0]
    assert borda(np.zeros((2, 3)), mask=np.zeros((2, 3), bool)).rank.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: borda([1.0, 2.0]), "shape"),
        (lambda: borda([[1.0, math.inf]]), "infinite"),
        (lambda: borda([[1.0]], mask=[[True, False]]), "mask of"),
        (lambda: copeland([[0, 1]]), "shape"),
        (lambda: copeland([[0, -1], [0, 0]]), "counts"),
        (lambda: copeland([[0, math.nan], [0, 0]]), "counts"),
        (lambda: win_rate([[0, 1], [1, 0]], [[0, 1], [2, 0]]), "symmetric"),
        (lambda: pairwise([[1.0]], margin=-1), "margin"),
    ],
)
def test_faults_of_the_call(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("rule", PAIR_RULES)
def test_huge_counts_are_shares_until_their_sum_would_overflow(rule):
    even = rule([[0, 1e299], [1e299, 0]])
    assert even.score[0] == even.score[1] == rule([[0, 1], [1, 0]]).score[0]
    with pytest.raises(ValueError, match="overflow"):
        rule([[0, 1e308], [1e308, 0]])
