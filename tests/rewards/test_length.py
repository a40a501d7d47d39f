import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_arrays import batches, blank, close, present

from genrm.rewards.length import group_length, length_penalty, length_residual, overlong

LENGTH = (st.integers(0, 500),)


@given(batches(extra=LENGTH))
def test_the_residual_agrees_with_least_squares(batch):
    scores, mask, lengths = batch
    wanted = blank(scores)
    for row, group in enumerate(present(scores, mask)):
        if len(group) < 3:
            continue
        r, x = [value for _, value in group], [float(lengths[row, i]) for i, _ in group]
        mid_r, mid_x = sum(r) / len(r), sum(x) / len(x)
        below = sum((b - mid_x) ** 2 for b in x)
        slope = sum((a - mid_r) * (b - mid_x) for a, b in zip(r, x, strict=True)) / below if below else 0.0
        for (place, value), b in zip(group, x, strict=True):
            wanted[row, place] = value - slope * (b - mid_x)
    assert close(length_residual(scores, lengths, mask=mask), wanted, 1e-7)


@given(batches(extra=LENGTH), st.booleans())
def test_nothing_of_length_is_left(batch, across):
    scores, mask, lengths = batch
    out = length_residual(scores, lengths, mask=mask, across=across)
    products = []
    for row in range(len(scores)):
        known = np.isfinite(out[row])
        r, x = out[row, known], lengths[row, known].astype(float)
        if known.any():
            products.append(float(((r - r.mean()) * (x - x.mean())).sum()))
    if across:
        assert sum(products) == pytest.approx(0, abs=1e-6)
    else:
        assert products == pytest.approx([0] * len(products), abs=1e-6)


@given(batches(extra=LENGTH))
def test_the_mean_of_a_group_stays(batch):
    scores, mask, lengths = batch
    out = length_residual(scores, lengths, mask=mask)
    enough = mask.sum(axis=1) > 2
    if enough.any():
        assert close(np.nanmean(out[enough], axis=1), np.nanmean(scores[enough], axis=1), 1e-7)


def test_two_samples_are_always_on_a_line_so_they_have_no_residual():
    assert np.isnan(length_residual([[0.2, 0.8]], [[10, 90]])).all()
    assert length_residual([[0.2, 0.8]], [[10, 90]], fallback=0.0).tolist() == [[0.0, 0.0]]
    several = length_residual([[0.2, 0.8], [0.5, 0.7]], [[10, 90], [10, 90]], across=True)
    assert close(several, [[0.4, 0.6], [0.7, 0.5]])


def test_equal_lengths_explain_nothing():
    assert close(length_residual([[0.2, 0.8, 0.5]], [[7, 7, 7]]), [[0.2, 0.8, 0.5]])
    assert np.isfinite(length_residual([[1e300, -1e300, 0.0]], [[1, 2, 10**15]])).all()
    assert np.isfinite(length_residual([[1e300, -1e300, 0.0]], [[1, 2, 10**15]], across=True)).all()


@pytest.mark.parametrize("function", [overlong, length_penalty])
@given(batch=batches(extra=LENGTH), more=st.integers(0, 500))
def test_longer_never_pays_and_the_cost_is_bounded(function, batch, more):
    scores, mask, lengths = batch
    options = {"limit": 300.0, "margin": 50.0} if function is overlong else {"target": 100.0}
    short, long = (function(scores, size, mask=mask, cost=0.7, **options) for size in (lengths, lengths + more))
    there = np.isfinite(short)
    assert (there == mask).all()
    assert (long[there] <= short[there]).all()
    assert (scores[there] - short[there] <= 0.7 + 1e-12).all()
    assert (short[there] <= scores[there]).all()


def test_budgets_by_hand():
    assert close(overlong([1.0] * 4, [800, 950, 1000, 5000], limit=1000, margin=100), [1.0, 0.5, 0.0, 0.0])
    assert close(overlong([1.0] * 2, [999, 1000], limit=1000, margin=0, cost=0.5), [1.0, 0.5])
    assert close(length_penalty([1.0] * 3, [100, 150, 900], target=100, rate=0.4, cost=0.5), [1.0, 0.8, 0.5])
    with pytest.raises(ValueError, match="margin is at most limit"):
        overlong([1.0], [1], limit=10, margin=20)


@given(batches(score=st.just(0.0), extra=(*LENGTH, st.booleans())), st.floats(0, 0.99))
def test_short_wrong_answers_gain_nothing(batch, weight):
    _, mask, lengths, right = batch
    scores = np.where(mask, right * 1.0, np.nan)
    out = group_length(scores, lengths, right, mask=mask, weight=weight)
    assert (out[mask & ~right] <= 0).all()
    assert out[mask & right].min(initial=math.inf) > out[mask & ~right].max(initial=-math.inf)
    for row in range(len(out)):
        good = mask[row] & right[row]
        order = np.argsort(lengths[row][good], kind="stable")
        assert (np.diff(out[row][good][order]) <= 1e-12).all()


@pytest.mark.parametrize("function", [length_residual, overlong, length_penalty])
def test_what_is_no_length_is_refused(function):
    for lengths in ([[-1, 2, 3]], [[math.nan, 2, 3]], [[1, 2]]):
        with pytest.raises(ValueError, match="lengths"):
            function([[0.1, 0.2, 0.3]], lengths)
    hidden = np.array([[False, True, True]])
    assert np.isnan(function([[0.1, 0.2, 0.3]], [[math.nan, 2, 3]], mask=hidden)[0, 0])


def test_equal_lengths_explain_nothing_and_the_level_stays():
    scores = [[0.2, 0.9, 0.4]]
    assert length_residual(scores, [[7, 7, 7]]).tolist() == scores
    # Nearly equal lengths move the residual only as far as they explain the score: it is around the mean score too.
    assert length_residual(scores, [[7, 8, 7]]).mean() == pytest.approx(0.5)
