import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_arrays import UNIT, close

from genrm.rewards.steps import step_clip, step_delta, step_last, step_mean, step_min, step_min_credit, step_product

STEPS = st.lists(UNIT, min_size=1, max_size=8)
TOTALS = {"step_min": step_min, "step_product": step_product, "step_last": step_last, "step_mean": step_mean}
CREDITS = {"step_clip": step_clip, "step_delta": step_delta, "step_min_credit": step_min_credit}
ALL = TOTALS | CREDITS


def soft_min(steps, temperature=0.1):
    weights = [math.exp(-step / temperature) for step in steps]
    return [step * weight / sum(weights) for step, weight in zip(steps, weights, strict=True)]


LITERAL = {
    "step_min": min,
    "step_product": math.prod,
    "step_last": lambda steps: steps[-1],
    "step_mean": lambda steps: sum(steps) / len(steps),
    "step_clip": lambda steps: [min(step - 0.5, 0) for step in steps],
    "step_delta": lambda steps: [a - b for a, b in zip(steps, [*steps[1:], 0.0], strict=True)],
    "step_min_credit": soft_min,
}


@pytest.mark.parametrize("name", ALL)
@given(responses=st.lists(STEPS, min_size=1, max_size=4))
def test_agrees_with_the_formula_response_by_response(name, responses):
    longest = max(map(len, responses)) + 1
    steps = np.full((len(responses), longest), np.nan)
    for row, response in enumerate(responses):
        steps[row, : len(response)] = response
    out = ALL[name](steps, mask=np.isfinite(steps))
    for row, response in enumerate(responses):
        if name in TOTALS:
            assert out[row] == pytest.approx(LITERAL[name](response))
        else:
            assert close(out[row, : len(response)], LITERAL[name](response))
            assert np.isnan(out[row, len(response) :]).all()


@given(STEPS, st.lists(UNIT, max_size=5))
def test_filler_steps_never_raise_the_total_of_clip_and_delta(steps, filler):
    for credit in (step_clip, step_delta):
        assert credit([*steps, *filler]).sum() <= credit(steps).sum() + 1e-12


@given(STEPS)
def test_delta_telescopes_from_every_step_on(steps):
    credits = step_delta(steps)
    assert close(np.cumsum(credits[::-1])[::-1], steps)


@given(STEPS, st.integers(1, 5))
def test_repeating_good_steps_adds_nothing_to_the_minimum(steps, times):
    longer = [*steps, *[max(steps)] * times]
    assert step_min(longer) == step_min(steps)
    assert step_product(longer) <= step_product(steps)


@given(STEPS, st.floats(0.001, 2))
def test_soft_minimum_lies_between_minimum_and_mean(steps, temperature):
    total = step_min_credit(steps, temperature=temperature).sum()
    assert min(steps) - 1e-9 <= total <= sum(steps) / len(steps) + 1e-9


def test_the_blame_lands_where_the_fault_is():
    credits = step_min_credit([[1.0, -1.0, 1.0]], temperature=0.1)
    assert close(credits, [[0.0, -1.0, 0.0]], 1e-6)


@given(STEPS, st.randoms(use_true_random=False))
def test_order_matters_only_where_it_should(steps, rng):
    shuffled = list(steps)
    rng.shuffle(shuffled)
    for function in (step_min, step_product, step_mean):
        assert function(shuffled) == pytest.approx(function(steps))
    assert step_min_credit(shuffled).sum() == pytest.approx(step_min_credit(steps).sum())


@given(STEPS, st.integers(0, 7), UNIT)
def test_a_better_step_never_lowers_a_total(steps, index, score):
    index %= len(steps)
    better = [*steps[:index], max(score, steps[index]), *steps[index + 1 :]]
    for function in TOTALS.values():
        assert function(better) >= function(steps) - 1e-12
    assert step_clip(better).sum() >= step_clip(steps).sum() - 1e-12


@pytest.mark.parametrize("name", ALL)
def test_a_failed_step_leaves_no_reward(name):
    steps = np.array([[0.9, np.nan, 0.8], [0.9, 0.7, np.nan], [np.nan] * 3])
    mask = np.isfinite(steps)
    out, declared = ALL[name](steps, mask=mask), ALL[name](steps, mask=mask, fallback=-1.0)
    if name in TOTALS:
        assert np.isfinite(out).tolist() == [False, True, False]
        assert declared[[0, 2]].tolist() == [-1.0, -1.0]
    else:
        assert np.isfinite(out).tolist() == [[False] * 3, [True, True, False], [False] * 3]
        assert close(declared[0], [-1.0, math.nan, -1.0])


@pytest.mark.parametrize("name", ALL)
def test_no_steps_at_all_and_no_axis(name):
    out = ALL[name](np.empty((2, 0)))
    assert out.shape == ((2,) if name in TOTALS else (2, 0))
    assert np.isnan(out).all()
    with pytest.raises(ValueError, match="at least 1 axes"):
        ALL[name](0.5)


@pytest.mark.parametrize("name", [name for name in ALL if name != "step_product"])
def test_extremes_stay_what_they_mean(name):
    out = ALL[name]([[1e300, -1e300, 1e300]])
    assert not np.isnan(out).any()
    assert np.isfinite(out).all()


def test_a_product_needs_probabilities():
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        step_product([0.5, 1.2])
    assert step_product([0.0, 1.0]) == 0.0
    assert step_product([1e-200, 1e-200]) == 0.0
