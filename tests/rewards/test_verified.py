import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_arrays import batches, blank, close, present

from genrm.rewards.verified import prof, stratified, trust, trust_factor, variance_weight

RIGHT = (st.booleans(),)


@given(batches(extra=RIGHT), st.floats(0, 0.49), st.floats(0, 0.49))
def test_a_wrong_answer_never_outranks_a_right_one(batch, alpha, beta):
    scores, mask, right = batch
    out = stratified(scores * 1e6, right, mask=mask, alpha=alpha, beta=beta)
    good, bad = out[mask & right], out[mask & ~right]
    assert (good >= 1 - beta).all()
    assert (good <= 1 + beta + 1e-12).all()
    assert (np.abs(bad) <= alpha).all()
    assert good.min(initial=math.inf) > bad.max(initial=-math.inf)


@given(batches(extra=RIGHT))
def test_stratified_agrees_with_the_formula(batch):
    scores, mask, right = batch
    wanted = blank(scores)
    for row, group in enumerate(present(scores, mask)):
        for place, value in group:
            peers = [other for index, other in group if right[row, index] == right[row, place]]
            width = max(peers) - min(peers)
            shade = (value - min(peers)) / width if width else 0.5
            wanted[row, place] = 0.8 + 0.4 * shade if right[row, place] else -0.1 + 0.2 * shade
    assert close(stratified(scores, right, mask=mask, alpha=0.1, beta=0.2), wanted)


def test_ranges_that_overlap_are_refused():
    with pytest.raises(ValueError, match="outrank"):
        stratified([[1.0]], [[True]], alpha=0.5, beta=0.5)


@pytest.mark.parametrize("function", [stratified, trust, prof])
def test_an_outcome_is_a_boolean_and_nothing_is_guessed(function):
    for right in ([[1, 0]], [[True]], [[True, None]]):
        with pytest.raises(ValueError, match="outcomes are booleans"):
            function([[0.1, 0.2]], right)


@given(batches(), st.floats(0, 1), st.floats(0, 3), st.floats(0, 20))
def test_weights_grow_with_the_spread_and_stay_in_their_range(batch, low, more, steepness):
    scores, mask = batch
    weights = variance_weight(scores, mask=mask, low=low, high=low + more, steepness=steepness)
    assert (np.isnan(weights) == (mask.sum(axis=1) < 2)).all()
    known = weights[~np.isnan(weights)]
    assert (known >= low - 1e-12).all()
    assert (known <= low + more + 1e-12).all()
    spread = np.nanstd(np.where(mask.sum(axis=1, keepdims=True) > 1, scores, 0.0), axis=1)[~np.isnan(weights)]
    assert (np.diff(known[np.argsort(spread)]) >= -1e-9).all()


def test_a_medium_spread_has_the_medium_weight():
    scores = [[0.0, 1.0], [0.0, 2.0]]
    assert variance_weight(scores, centre=0.5, low=0.0, high=2.0)[0] == pytest.approx(1.0)
    assert variance_weight(scores, low=0.0, high=2.0).sum() == pytest.approx(2.0)
    assert variance_weight([[1e300, -1e300], [0, 0]], low=0.0, high=2.0).tolist() == [2.0, 0.0]
    with pytest.raises(ValueError, match="low is at most high"):
        variance_weight(scores, low=2.0, high=1.0)


@given(batches(extra=RIGHT), st.floats(0, 2), st.integers(0, 3000))
def test_trust_agrees_with_the_formula(batch, alpha, step):
    scores, mask, right = batch
    wanted = blank(scores)
    for row, group in enumerate(present(scores, mask)):
        sides = [[value for i, value in group if right[row, i] == side] for side in (True, False)]
        gamma = 1.0
        if all(sides):
            gap = sum(sides[0]) / len(sides[0]) - sum(sides[1]) / len(sides[1])
            gamma = 1.0 if gap >= 0 else math.exp(gap)
        for place, value in group:
            wanted[row, place] = right[row, place] + gamma * alpha * math.exp(-step / 500) * value
    assert close(trust(scores, right, mask=mask, alpha=alpha, step=step, horizon=500), wanted)


def test_a_judge_that_contradicts_the_verifier_loses_weight():
    right = [[True, False]] * 3
    agrees, equal, contradicts = trust_factor([[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]], right)
    assert agrees == equal == 1.0
    assert contradicts == pytest.approx(math.exp(-0.8))
    assert trust_factor([[0.5, 0.9]], [[True, True]], unmeasured=0.3).tolist() == [0.3]
    assert trust_factor([[-1e300, 1e300]], [[True, False]]).tolist() == [0.0]
    late = trust([[0.9, 0.1]], [[True, False]], step=10**6)
    assert close(late, [[1.0, 0.0]])


@given(batches(extra=RIGHT), st.integers(1, 7))
def test_prof_keeps_a_balanced_choice_of_the_consistent(batch, keep):
    scores, mask, right = batch
    kept = prof(scores, right, mask=mask, keep=keep)
    assert not (kept & ~mask).any()
    for row in range(len(scores)):
        good, bad = mask[row] & right[row], mask[row] & ~right[row]
        n_good, n_bad = (kept[row] & good).sum(), (kept[row] & bad).sum()
        assert n_good + n_bad == min(keep, mask[row].sum())
        if n_good < good.sum() and n_bad < bad.sum():
            assert n_good - n_bad in (0, 1)
        left_good, left_bad = good & ~kept[row], bad & ~kept[row]
        if n_good and left_good.any():
            assert scores[row][kept[row] & good].min() >= scores[row][left_good].max()
        if n_bad and left_bad.any():
            assert scores[row][kept[row] & bad].max() <= scores[row][left_bad].min()


def test_prof_keeps_whole_samples():
    with pytest.raises(ValueError, match="whole number"):
        prof([[0.1]], [[True]], keep=1.5)
    with pytest.raises(ValueError, match="keep"):
        prof([[0.1]], [[True]], keep=0)
