import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from genrm.rewards import gate, points, weighted_mean

SCORE = st.floats(0, 1)
WEIGHT = st.floats(0.01, 100) | st.floats(-100, -0.01)
PAIRS = st.lists(st.tuples(SCORE, WEIGHT), min_size=1, max_size=12)


def split(pairs):
    return [score for score, _ in pairs], [weight for _, weight in pairs]


@pytest.fixture(scope="module", params=[weighted_mean, points], ids=lambda function: function.__name__)
def aggregate(request):
    def call(pairs):
        assume(request.param is weighted_mean or any(weight > 0 for _, weight in pairs))
        return request.param(*split(pairs))

    return call


def test_values_by_hand():
    assert weighted_mean([1, 0, 1], [1.0, 0.7, 0.3]) == pytest.approx(1.3 / 2)
    assert weighted_mean([1, 1], [1.0, -0.9]) == pytest.approx(1 / 1.9)
    assert points([1, 0, 1], [5, 3, -2]) == pytest.approx(3 / 8)
    assert points([0, 1], [5, -2]) == 0.0


def test_a_rubric_of_faults_alone_has_the_whole_range():
    assert weighted_mean([0, 0], [-1, -2]) == 1.0
    assert weighted_mean([1, 1], [-1, -2]) == 0.0
    with pytest.raises(ValueError, match="positive points"):
        points([0, 0], [-1, -2])


def test_weight_zero_does_not_count():
    assert weighted_mean([1, 0], [2, 0]) == 1.0
    with pytest.raises(ValueError, match="other than 0"):
        weighted_mean([1], [0])


@given(pairs=PAIRS)
def test_bounds(aggregate, pairs):
    assert 0 <= aggregate(pairs) <= 1


@given(pairs=PAIRS, index=st.integers(0, 11), score=SCORE)
def test_each_score_moves_the_reward_with_the_sign_of_its_weight(aggregate, pairs, index, score):
    index %= len(pairs)
    old, weight = pairs[index]
    changed = [*pairs[:index], (score, weight), *pairs[index + 1 :]]
    difference = aggregate(changed) - aggregate(pairs)
    # Rounding w * (1 - s) may cost the last bit.
    assert difference * math.copysign(1, weight) * math.copysign(1, score - old) >= -1e-12


@given(pairs=PAIRS, rng=st.randoms(use_true_random=False))
def test_order_changes_nothing(aggregate, pairs, rng):
    shuffled = list(pairs)
    rng.shuffle(shuffled)
    assert aggregate(shuffled) == aggregate(pairs)


@given(pairs=PAIRS, factor=st.floats(0.01, 100))
def test_only_the_ratio_of_weights_matters(aggregate, pairs, factor):
    assert aggregate([(score, weight * factor) for score, weight in pairs]) == pytest.approx(aggregate(pairs), abs=1e-9)


@given(st.floats(-5, 5), st.lists(SCORE, max_size=5), SCORE, st.floats(-5, 5))
def test_a_gate_never_raises_the_reward(reward, constraints, threshold, floor):
    gated = gate(reward, constraints, threshold, floor)
    assert gated <= reward
    assert gated == (reward if all(score >= threshold for score in constraints) else min(reward, floor))


def test_the_threshold_itself_passes():
    assert gate(0.8, [0.5, 1.0]) == 0.8
    assert gate(0.8, [0.49, 1.0]) == 0.0
    assert gate(0.8, []) == 0.8


@pytest.mark.parametrize("function", [weighted_mean, points])
@pytest.mark.parametrize(
    ("scores", "weights"),
    [([None], [1]), ([math.nan], [1]), ([1.1], [1]), ([-0.1], [1]), ([1], [math.inf]), ([1, 1], [1]), (1, 1)],
)
def test_what_is_no_number_is_refused(function, scores, weights):
    with pytest.raises(ValueError):
        function(scores, weights)


def test_a_gate_refuses_what_is_no_number():
    for reward, constraints in ((math.inf, [1.0]), (0.5, [None]), (0.5, [2.0])):
        with pytest.raises(ValueError):
            gate(reward, constraints)


def test_a_gate_leaves_no_reward_where_nobody_looked_or_there_was_none():
    assert math.isnan(gate(0.8, [1.0, None], mask=[True, False]))
    assert gate(0.8, [0.0, None], mask=[True, False]) == 0.0
    assert math.isnan(gate(math.nan, [0.0]))


@pytest.mark.parametrize("function", [weighted_mean, points])
def test_missing_scores_are_left_out_and_nothing_left_is_no_reward(function):
    scores, mask = [[1.0, None], [None, None]], [[True, False], [False, False]]
    first, second = function(scores, [1.0, 3.0], mask)
    assert first == 1.0
    assert math.isnan(second)


def test_a_mask_is_of_booleans():
    with pytest.raises(ValueError, match="booleans"):
        weighted_mean([1.0, 0.0], [1, 1], [1, 0])


def test_weights_at_the_ends_of_the_number_range():
    assert weighted_mean([1, 0], [1e300, 1e300]) == 0.5
    assert weighted_mean([1, 0], [1e-300, 3e-300]) == 0.25
    assert points([1, 1], [1.7e308, -1.7e308]) == 0.0
