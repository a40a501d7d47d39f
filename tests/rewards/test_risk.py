import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_arrays import SCORE, close

from genrm.rewards.risk import Dual, abstain, lagrangian, quantile_risk

VOTES = st.lists(SCORE, min_size=1, max_size=8)


def lowest_mean(votes, q):
    """By the definition: walk up from the lowest vote until the share is used up."""
    left, total = q * len(votes), 0.0
    for vote in sorted(votes):
        taken = min(1.0, left)
        total, left = total + taken * vote, left - taken
    return total / (q * len(votes))


@given(st.lists(VOTES, min_size=1, max_size=4), st.floats(0.01, 1), st.randoms(use_true_random=False))
def test_quantile_risk_agrees_with_its_definition_in_any_order(rows, q, rng):
    width = max(map(len, rows)) + 1
    votes = np.full((len(rows), width), np.nan)
    for row, values in enumerate(rows):
        votes[row, rng.sample(range(width), len(values))] = values
    assert close(quantile_risk(votes, mask=np.isfinite(votes), lowest=q), [lowest_mean(row, q) for row in rows])


@given(VOTES, st.floats(0.01, 1), st.floats(0.01, 1))
def test_less_risk_is_never_more_reward(votes, first, second):
    low, high = sorted((first, second))
    assert min(votes) - 1e-9 <= quantile_risk(votes, lowest=low) <= quantile_risk(votes, lowest=high) + 1e-9
    assert quantile_risk(votes, lowest=1.0) == pytest.approx(sum(votes) / len(votes))
    assert quantile_risk(votes, lowest=1e-9) == pytest.approx(min(votes))


def test_no_votes_no_reward():
    nothing = np.full((1, 2), np.nan)
    hidden = np.zeros((1, 2), dtype=bool)
    assert np.isnan(quantile_risk(nothing, mask=hidden)).all()
    assert quantile_risk(nothing, mask=hidden, fallback=0.0).tolist() == [0.0]
    assert quantile_risk([1e308, 1e308], lowest=1.0) == pytest.approx(1e308)
    with pytest.raises(ValueError, match="lowest"):
        quantile_risk([1.0], lowest=0.0)


@given(SCORE, SCORE, st.floats(0, 50), st.booleans())
def test_lagrangian_agrees_with_the_formula(score, cost, multiplier, normalise):
    wanted = (score - multiplier * cost) / (1 + multiplier if normalise else 1)
    assert lagrangian(score, cost, multiplier=multiplier, normalise=normalise) == pytest.approx(wanted, abs=1e-9)


def test_an_unknown_cost_is_not_free():
    out = lagrangian([1.0, 1.0], [0.0, np.nan], cost_mask=np.array([True, False]))
    assert np.isfinite(out).tolist() == [True, False]
    with pytest.raises(ValueError, match="costs hold None, NaN"):
        lagrangian([1.0], [np.nan])
    with pytest.raises(ValueError, match="one shape"):
        lagrangian([1.0, 2.0], [1.0])


@given(st.lists(st.floats(0, 10), min_size=1, max_size=6), st.floats(0, 5), st.floats(0, 5), st.floats(0.01, 2))
def test_the_price_follows_the_cost_and_stays_in_its_range(costs, multiplier, limit, rate):
    before = Dual(multiplier=multiplier, limit=limit, rate=rate, maximum=6.0)
    after = before.update(costs)
    level = sum(costs) / len(costs)
    assert after.multiplier == pytest.approx(min(max(multiplier + rate * (level - limit), 0.0), 6.0), abs=1e-9)
    assert before.multiplier == multiplier
    assert (after.limit, after.rate, after.maximum) == (limit, rate, 6.0)


def test_the_price_settles_where_the_cost_meets_its_limit():
    dual = Dual(multiplier=0.0, limit=0.2, rate=0.5)
    for _ in range(200):
        dual = dual.update([math.exp(-dual.multiplier)])
    assert math.exp(-dual.multiplier) == pytest.approx(0.2, abs=1e-3)


def test_a_batch_without_costs_moves_nothing_by_silence():
    for costs, mask in (([], None), ([np.nan], np.array([False]))):
        with pytest.raises(ValueError, match="no cost is present"):
            Dual().update(costs, mask=mask)
    for wrong in ({"multiplier": -1.0}, {"rate": 0.0}, {"limit": math.nan}, {"multiplier": 7.0, "maximum": 6.0}):
        with pytest.raises(ValueError):
            Dual(**wrong)


@given(SCORE, st.floats(0, 1), st.floats(0, 1))
def test_abstaining(score, doubt, most):
    out = float(abstain(score, doubt, most=most))
    assert out == score if doubt <= most else math.isnan(out)


def test_unknown_doubt_is_doubt():
    out = abstain([0.9, 0.9], [0.0, np.nan], uncertainty_mask=np.array([True, False]))
    assert np.isfinite(out).tolist() == [True, False]
    with pytest.raises(ValueError, match="uncertainties hold"):
        abstain([0.9], [np.nan])
    with pytest.raises(ValueError, match="negative"):
        abstain([0.9], [-0.1])
