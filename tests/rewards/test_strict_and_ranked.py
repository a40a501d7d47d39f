"""The aggregates beyond the mean: properties, and agreement with a slow reference that follows the formula."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrm.rewards.aggregate import weighted_mean
from genrm.rewards.ranked import bins, compare, hierarchical, lexicographic
from genrm.rewards.strict import all_pass, geometric, log_sigmoid_sum, minimum, soft_min

SCORE = st.floats(0, 1)
WEIGHT = st.floats(0.01, 100) | st.floats(-100, -0.01)
ROWS = st.lists(st.tuples(SCORE, WEIGHT), min_size=1, max_size=7)
STRICT = {
    "all_pass": all_pass,
    "geometric": geometric,
    "min": minimum,
    "soft_min": soft_min,
    "sharp_soft_min": lambda *a: soft_min(*a, temperature=1e-3),
    "flat_soft_min": lambda *a: soft_min(*a, temperature=1e6),
}
OTHERS = {
    "weighted_mean": weighted_mean,
    "hierarchical": lambda *a: hierarchical(*a, holistic=0),
    "lexicographic": lambda *a: lexicographic(*a, margins=0.2),
    "log_sigmoid_sum": lambda *a: log_sigmoid_sum(*a, reference=0.5, temperature=0.1),
}


def good(rows):
    return [score if weight > 0 else 1 - score for score, weight in rows]


def split(rows):
    return [score for score, _ in rows], [weight for _, weight in rows]


def slow(name, rows):
    g, w = good(rows), [abs(weight) for _, weight in rows]
    match name:
        case "all_pass":
            return float(all(x >= 0.5 for x in g))
        case "geometric":
            return 0.0 if 0 in g else math.exp(sum(a * math.log(x) for x, a in zip(g, w, strict=True)) / sum(w))
        case "min":
            return min(g)
        case "soft_min":
            return -0.1 * math.log(sum(a * math.exp(-x / 0.1) for x, a in zip(g, w, strict=True)) / sum(w))
        case "sharp_soft_min":
            low = min(g)
            mean = sum(a * math.exp(-(x - low) / 1e-3) for x, a in zip(g, w, strict=True)) / sum(w)
            return min(low - 1e-3 * math.log(mean), 1.0)
        case "flat_soft_min":
            return sum(x * a for x, a in zip(g, w, strict=True)) / sum(w)


@pytest.mark.parametrize("name", STRICT)
@settings(max_examples=60)
@given(rows=ROWS)
def test_agreement_with_the_formula_in_bounds(name, rows):
    value = STRICT[name](*split(rows))
    assert 0 <= value <= 1
    assert value == pytest.approx(slow(name, rows), abs=1e-6 if name == "flat_soft_min" else 1e-9)


@pytest.mark.parametrize("name", STRICT | OTHERS)
@settings(max_examples=60)
@given(rows=ROWS, place=st.integers(0, 6), score=SCORE)
def test_no_criterion_that_gets_better_lowers_the_reward(name, rows, place, score):
    function, place = (STRICT | OTHERS)[name], place % len(rows)
    old, weight = rows[place]
    changed = [*rows[:place], (score, weight), *rows[place + 1 :]]
    gain = math.copysign(1, weight) * (score - old)
    difference = function(*split(changed)) - function(*split(rows))
    assert difference * math.copysign(1, gain) >= -1e-9 * max(1, abs(function(*split(rows))))


@pytest.mark.parametrize("name", [*STRICT, "weighted_mean", "log_sigmoid_sum"])
@settings(max_examples=40)
@given(rows=ROWS, rng=st.randoms(use_true_random=False))
def test_order_changes_no_bit(name, rows, rng):
    shuffled = list(rows)
    rng.shuffle(shuffled)
    function = (STRICT | OTHERS)[name]
    assert function(*split(shuffled)) == function(*split(rows))


@given(rows=ROWS)
def test_strict_means_lie_between_minimum_and_mean(rows):
    arguments = split(rows)
    low, high = minimum(*arguments) - 1e-9, weighted_mean(*arguments) + 1e-9
    assert low <= soft_min(*arguments, temperature=0.3) <= high
    assert low <= geometric(*arguments) <= high


@pytest.mark.parametrize("name", STRICT | OTHERS)
def test_arrays_give_what_rows_give_one_by_one(name):
    rng = np.random.default_rng(0)
    scores, weights = rng.random((3, 5, 4)), np.array([1.0, -2.0, 0.5, 3.0])
    function = (STRICT | OTHERS)[name]
    whole = function(scores, weights)
    assert whole.shape == (3, 5)
    for place in np.ndindex(3, 5):
        assert whole[place] == function(scores[place], weights)


@pytest.mark.parametrize("name", STRICT | OTHERS)
def test_all_masked_and_none_without_a_mask(name):
    function = (STRICT | OTHERS)[name]
    assert math.isnan(function([None, None], [1.0, 1.0], [False, False]))
    with pytest.raises(ValueError):
        function([0.5, None], [1.0, 1.0])


@pytest.mark.parametrize("name", ["geometric", "min", "soft_min", "weighted_mean"])
def test_missing_criteria_leave_no_trace(name):
    function = (STRICT | OTHERS)[name]
    assert function([0.4, None, 0.9], [1.0, 5.0, 2.0], [True, False, True]) == function([0.4, 0.9], [1.0, 2.0])


def test_what_cannot_do_without_a_criterion_says_so():
    mask = [True, False]
    assert math.isnan(all_pass([1.0, None], [1, 1], mask))
    assert all_pass([0.0, None], [1, 1], mask) == 0.0
    assert math.isnan(lexicographic([1.0, None], [1, 1], mask))
    assert math.isnan(log_sigmoid_sum([1.0, None], [1, 1], mask, reference=0.5))
    assert math.isnan(hierarchical([None, 1.0], [1, 1], [False, True], holistic=0))
    assert math.isnan(hierarchical([1.0, None], [1, 1], mask, holistic=0))
    assert hierarchical([0.2, None], [1, 1], mask, holistic=0) == 0.2


def test_faults_count_by_their_absence():
    for function in STRICT.values():
        assert function([1.0, 0.0], [1.0, -1.0]) == pytest.approx(1.0)
        assert function([1.0], [-1.0]) == pytest.approx(0.0)
        assert function([0.0], [-1.0]) == pytest.approx(1.0)


def test_extreme_weights_and_temperatures():
    assert soft_min([1.0, 0.0], [1e300, 1e-300], temperature=1e-300) >= 0.0
    assert soft_min([0.3, 0.3], [1e300, 1e300], temperature=1e300) == pytest.approx(0.3)
    assert geometric([1e-300, 1.0], [1.0, 1.0]) == pytest.approx(1e-150)
    assert log_sigmoid_sum([1e300], reference=-1e300) == 0.0
    for temperature in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="above 0"):
            soft_min([0.5], temperature=temperature)


def test_log_sigmoid_sum_is_a_soft_and_and_needs_its_reference():
    scores, reference = [3.0, -4.0], [1.0, 1.0]
    by_hand = sum(math.log(1 / (1 + math.exp(-(s - r)))) for s, r in zip(scores, reference, strict=True))
    assert log_sigmoid_sum(scores, reference=reference) == pytest.approx(by_hand)
    good_enough, one_bad = [[2.0, 2.0, 2.0, 2.0], [9.0, 9.0, 9.0, -3.0]]
    assert log_sigmoid_sum(good_enough, reference=0.0) > log_sigmoid_sum(one_bad, reference=0.0)
    with pytest.raises(ValueError, match="reference score, and there is none"):
        log_sigmoid_sum([0.5])


GRID = st.lists(st.tuples(*(st.integers(0, n) for n in (1, 4, 2))), min_size=2, max_size=8)


@given(GRID)
def test_on_scales_with_wide_steps_rewards_are_ordered_as_heron_orders_pairs(rows):
    scores = [[a / 1, b / 4, c / 2] for a, b, c in rows]
    margins = [1.0, 0.25, 0.5]
    rewards = lexicographic(scores, margins=margins)
    for first, second in itertools.combinations(range(len(rows)), 2):
        by_pairs = compare(scores[first], scores[second], margins=[margin * 0.9 for margin in margins])
        assert (
            np.sign(rewards[first] - rewards[second])
            == by_pairs
            == (rows[first] > rows[second]) - (rows[first] < rows[second])
        )


@given(st.lists(st.tuples(SCORE, SCORE), min_size=2, max_size=6), st.floats(0.05, 1), st.floats(0.05, 1))
def test_rewards_are_ordered_as_tuples_of_bins(rows, one, two):
    def key(row):
        return tuple(math.floor(score / margin + 1e-9) for score, margin in zip(row, (one, two), strict=True))

    rewards = lexicographic(rows, margins=[one, two])
    for first, second in itertools.combinations(range(len(rows)), 2):
        a, b = key(rows[first]), key(rows[second])
        assert np.sign(rewards[first] - rewards[second]) == (a > b) - (a < b)


@given(SCORE, SCORE, st.floats(0.01, 1))
def test_a_gap_of_a_margin_always_separates(first, second, margin):
    a, b = lexicographic([[first], [second]], margins=margin)
    if first - second >= margin:
        assert a > b
    if first == second:
        assert a == b


def test_keys_stay_apart_up_to_the_limit_and_no_further():
    assert bins([0.1, 1.0, 0.3]) == [11, 2, 4]
    assert lexicographic([1.0] * 52, margins=1.0) == 1.0
    below = [1.0] * 51 + [0.0]
    assert lexicographic(below, margins=1.0) < 1.0
    with pytest.raises(ValueError, match="widen the margins"):
        lexicographic([1.0] * 53, margins=1.0)
    for margins in (0.0, -1.0, 1.5, [0.5]):
        with pytest.raises(ValueError, match="margin"):
            lexicographic([0.5, 0.5], margins=margins)


def test_compare_is_not_transitive_and_that_is_why():
    ab, bc, ac = (compare([x], [y], margins=0.5) for x, y in ((0.0, 0.3), (0.3, 0.6), (0.0, 0.6)))
    assert (ab, bc, ac) == (0.0, 0.0, -1.0)


@given(rows=st.lists(st.tuples(SCORE, st.floats(0.1, 9)), min_size=2, max_size=5), threshold=SCORE)
def test_aspects_count_only_past_the_threshold(rows, threshold):
    scores, weights = split(rows)
    value = hierarchical(scores, weights, holistic=0, threshold=threshold)
    opened = scores if scores[0] >= threshold else [scores[0], *[0.0] * (len(scores) - 1)]
    assert value == pytest.approx(sum(s * w for s, w in zip(opened, weights, strict=True)) / sum(weights))
    with pytest.raises(ValueError, match="index"):
        hierarchical(scores, weights, holistic=len(rows))
