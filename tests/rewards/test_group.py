import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_arrays import SCORE, batches, blank, close, present

from genrm.rewards.group import group_minmax, group_rank, group_spread, group_std, leave_one_out, multi_objective

NORMALS = {
    "group_std": group_std,
    "group_rank": group_rank,
    "group_minmax": group_minmax,
    "leave_one_out": leave_one_out,
}
MIDDLE = {"group_std": 0.0, "group_rank": 0.5, "group_minmax": 0.5, "leave_one_out": 0.0}


def one(name, value, others):
    everybody = [value, *others]
    if name == "group_std":
        return (value - statistics.fmean(everybody)) / (statistics.pstdev(everybody) + 1e-6)
    if name == "group_rank":
        return sum((other < value) + (other == value) / 2 for other in others) / len(others)
    if name == "group_minmax":
        return (value - min(everybody)) / (max(everybody) - min(everybody))
    return value - statistics.fmean(others)


@pytest.mark.parametrize("name", NORMALS)
@given(batch=batches())
def test_agrees_with_the_formula_sample_by_sample(name, batch):
    values, mask = batch
    wanted = blank(values)
    for row, group in enumerate(present(values, mask)):
        for place, value in group:
            others = [other for index, other in group if index != place]
            if others:
                flat = len({value, *others}) == 1
                wanted[row, place] = MIDDLE[name] if flat else one(name, value, others)
    assert close(NORMALS[name](values, mask=mask), wanted, 1e-6)


@pytest.mark.parametrize("name", NORMALS)
@given(batch=batches(), rng=st.randoms(use_true_random=False))
def test_order_inside_the_group_changes_nothing(name, batch, rng):
    values, mask = batch
    order = list(range(values.shape[1]))
    rng.shuffle(order)
    assert close(NORMALS[name](values[:, order], mask=mask[:, order]), NORMALS[name](values, mask=mask)[:, order])


@pytest.mark.parametrize("name", ["group_std", "group_rank", "group_minmax"])
@given(batch=batches(), scale=st.floats(0.1, 1000), shift=st.floats(-100, 100))
def test_level_and_scale_of_the_judge_do_not_matter(name, batch, scale, shift):
    values, mask = batch
    options = {"epsilon": 0.0} if name == "group_std" else {}
    moved = NORMALS[name](values * scale + shift, mask=mask, **options)
    assert close(moved, NORMALS[name](values, mask=mask, **options), 1e-6)


@pytest.mark.parametrize("name", NORMALS)
def test_a_flat_group_gets_the_middle_and_rounding_is_no_difference(name):
    assert close(NORMALS[name]([[0.3, 0.3, 0.3]]), [[MIDDLE[name]] * 3])
    if name != "group_rank":
        assert close(NORMALS[name]([[0.3, 0.1 + 0.2]]), [[MIDDLE[name]] * 2])


@pytest.mark.parametrize("name", NORMALS)
def test_who_is_alone_gets_no_reward_or_the_declared_one(name):
    function, mask = NORMALS[name], np.array([[True, False], [False, False]])
    values = np.array([[0.9, np.nan], [np.nan, np.nan]])
    assert np.isnan(function(values, mask=mask)).all()
    assert close(function(values, mask=mask, fallback=0.25), [[0.25, math.nan], [math.nan, math.nan]])
    assert np.isnan(function([[0.9]])).all()


@pytest.mark.parametrize("name", NORMALS)
def test_extremes_stay_finite(name):
    out = NORMALS[name]([[1e300, -1e300, 0.0], [5e-324, 0.0, 0.0], [1e308, 1e308, 1e308]])
    assert np.isfinite(out).all()
    assert (out[0, 0] > out[0, 2] > out[0, 1]) or name == "group_rank"


@pytest.mark.parametrize("name", NORMALS)
def test_a_single_axis_is_refused(name):
    with pytest.raises(ValueError, match="at least 2 axes"):
        NORMALS[name]([0.1, 0.2])


@given(batches())
def test_advantages_add_up_to_0_and_ranks_to_a_half_each(batch):
    values, mask = batch
    enough = mask.sum(axis=1) > 1
    assert close(np.nansum(group_std(values, mask=mask), axis=1), np.zeros(len(values)), 1e-6)
    assert close(np.nansum(leave_one_out(values, mask=mask), axis=1), np.zeros(len(values)), 1e-6)
    assert close(np.nansum(group_rank(values, mask=mask), axis=1), np.where(enough, mask.sum(axis=1) / 2, 0))


@given(batches())
def test_spread_is_the_standard_deviation(batch):
    values, mask = batch
    wanted = [statistics.pstdev([v for _, v in g]) if len(g) > 1 else math.nan for g in present(values, mask)]
    assert close(group_spread(values, mask=mask), wanted)


@given(batches(extra=(SCORE,)), st.floats(0.001, 1000))
def test_the_scale_of_one_criterion_cannot_drown_the_others(batch, scale):
    first, mask, second = batch
    both = np.stack([first, second], axis=-1)
    present_both = np.stack([mask, mask], axis=-1)
    plain = multi_objective(both, [1.0, 2.0], mask=present_both, epsilon=0.0)
    loud = multi_objective(both * [scale, 1.0], [1.0, 2.0], mask=present_both, epsilon=0.0)
    assert close(loud, plain, 1e-6)
    wanted = group_std(first, mask=mask, epsilon=0.0) + 2 * group_std(
        np.where(mask, second, np.nan), mask=mask, epsilon=0.0
    )
    assert close(plain, wanted, 1e-6)


def test_a_criterion_without_difference_adds_nothing():
    scores = np.array([[[1.0, 0.7], [0.0, 0.7], [0.5, 0.7]]])
    assert close(multi_objective(scores, [1.0, 5.0]), group_std(scores[..., 0]))


def test_a_missing_criterion_leaves_no_reward_or_is_left_out():
    scores = np.array([[[1.0, 3.0], [0.0, np.nan], [0.5, 1.0]]])
    mask = np.isfinite(scores)
    out = multi_objective(scores, [1.0, 1.0], mask=mask)
    assert np.isnan(out[0, 1])
    assert np.isfinite(out[0, [0, 2]]).all()
    skipped = multi_objective(scores, [1.0, 1.0], mask=mask, on_missing="skip")
    assert skipped[0, 1] == pytest.approx(2 * group_std(scores[..., 0])[0, 1])
    assert np.isnan(
        multi_objective(np.full((1, 2, 1), np.nan), [1.0], mask=np.zeros((1, 2, 1), bool), on_missing="skip")
    ).all()


@pytest.mark.parametrize("weights", [[1.0], [0.0, 0.0], [math.nan, 1.0]])
def test_weights_have_to_fit(weights):
    with pytest.raises(ValueError, match="weights"):
        multi_objective(np.ones((1, 2, 2)), weights)


def test_scores_that_differ_by_rounding_alone_share_their_rank():
    assert group_rank([[0.1 + 0.2, 0.3, 0.5]]).tolist() == [[0.25, 0.25, 1.0]]
    assert group_rank([[1e300, 1e300 * (1 + 1e-15), -1e300]]).tolist() == [[0.75, 0.75, 0.0]]
    assert group_rank([[1e-300, 2e-300]]).tolist() == [[0.0, 1.0]]
