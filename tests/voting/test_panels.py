"""Panels: strict majority, means with a quorum, correlated errors."""

import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from genrm.voting.panels import (
    error_correlation,
    label_errors,
    log_odds_weights,
    panel_majority,
    panel_mean,
)

SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 7))
TABLES = SHAPES.flatmap(
    lambda shape: st.tuples(nps.arrays(np.int64, shape, elements=st.integers(0, 3)), nps.arrays(bool, shape))
)
SCORES = SHAPES.flatmap(
    lambda shape: st.tuples(nps.arrays(np.float64, shape, elements=st.floats(-1e6, 1e6)), nps.arrays(bool, shape))
)


def elected_by_hand(labels, present, weights):
    """Exact fractions, one member at a time."""
    total, held = Fraction(0), Counter()
    for label, there, weight in zip(labels, present, weights, strict=True):
        total += Fraction(weight)
        if there:
            held[label] += Fraction(weight)
    winners = [label for label, weight in held.items() if 2 * weight > total]
    return winners[0] if winners else -1


@settings(max_examples=60, deadline=None)
@given(TABLES, st.data())
def test_majority_is_more_than_half_of_all_members(table, data):
    labels, present = table
    weights = data.draw(st.lists(st.integers(0, 4), min_size=labels.shape[1], max_size=labels.shape[1]).filter(any))
    result = panel_majority(labels, weights, mask=present, n_labels=4)
    wanted = [elected_by_hand(*row, weights) for row in zip(labels.tolist(), present.tolist(), strict=False)]
    assert result.label.tolist() == wanted
    assert result.mask.tolist() == [label >= 0 for label in wanted]
    order = data.draw(st.permutations(range(labels.shape[1])))
    again = panel_majority(labels[:, order], np.array(weights)[order], mask=present[:, order], n_labels=4)
    assert again.label.tolist() == wanted


@settings(max_examples=40, deadline=None)
@given(TABLES)
def test_a_failure_never_makes_a_majority(table):
    labels, present = table
    whole = panel_majority(labels, n_labels=4)
    less = panel_majority(labels, n_labels=4, mask=present)
    assert ((less.label == whole.label) | (less.label == -1)).all()
    assert (less.support <= whole.support + 1e-12).all()


def test_failed_members_withhold_and_do_not_shrink_the_panel():
    assert panel_majority([1, 1, 0], mask=[True, True, False]).label == 1
    assert panel_majority([1, 9, 9], mask=[True, False, False]).label == -1
    assert panel_majority([0, 0, 1, 1]).label == -1
    assert panel_majority([0, 1], [0.1 + 0.2, 0.3]).label == -1
    assert panel_majority([[7]], mask=[[False]]).support.tolist() == [[0.0]]


def test_extreme_weights():
    assert panel_majority([1, 0, 0], [1e300, 1e300, 1e300]).label == 0
    assert panel_majority([1, 0, 0], [1.0, 1e-300, 1e-300]).label == 1
    with pytest.raises(ValueError, match="not all 0"):
        panel_majority([1, 0], [0, 0])
    with pytest.raises(ValueError, match="mask=False"):
        panel_majority([1, -1])
    with pytest.raises(ValueError, match="n_labels"):
        panel_majority([3], n_labels=2)
    with pytest.raises(ValueError, match="whole numbers"):
        panel_majority([0.5, 1.0])


@settings(max_examples=60, deadline=None)
@given(SCORES, st.floats(0, 0.9))
def test_mean_against_a_literal_one(table, quorum):
    scores, present = table
    result = panel_mean(scores, mask=present, quorum=quorum)
    for row, there, value, std, valid in zip(scores, present, result.value, result.std, result.mask, strict=True):
        said = [score for score, known in zip(row.tolist(), there, strict=True) if known]
        assert valid == (len(said) / len(row) > quorum + 1e-12)
        if valid:
            assert value == pytest.approx(math.fsum(said) / len(said), abs=1e-6)
            assert min(said) <= value <= max(said)
        else:
            assert math.isnan(value)
        if len(said) > 1:
            assert std == pytest.approx(np.std(said, ddof=1), abs=1e-6)
        else:
            assert math.isnan(std)


def test_what_is_masked_is_never_read():
    result = panel_mean([[1.0, math.nan, 0.5]], [2, 5, 4], mask=[[True, False, True]])
    assert result.value.tolist() == [pytest.approx(4 / 6)]
    with pytest.raises(ValueError, match="mask=False"):
        panel_mean([[1.0, math.nan]])


def test_mean_at_extremes():
    result = panel_mean([[1e300, 1e300], [1e300, -1e300]])
    assert result.value.tolist() == [1e300, 0.0]
    assert np.isfinite(result.std).all()
    nothing = panel_mean([[1.0, 2.0]], mask=[[False, False]], quorum=0)
    assert not nothing.mask.any()
    assert np.isnan(nothing.value).all()


def test_log_odds():
    assert log_odds_weights([0.5, 0.9]).tolist() == pytest.approx([0.0, math.log(9)])
    assert log_odds_weights([0.25], 4).tolist() == pytest.approx([0.0])
    with pytest.raises(ValueError, match="infinite weight"):
        log_odds_weights([1.0])


def test_correlation_against_numpy_and_its_missing_cells():
    rng = np.random.default_rng(0)
    common = rng.random(4000) < 0.2
    errors = np.stack([common | (rng.random(4000) < 0.1), common | (rng.random(4000) < 0.1), rng.random(4000) < 0.3], 1)
    result = error_correlation(errors)
    assert result.r == pytest.approx(np.corrcoef(errors.T.astype(float)), abs=1e-9)
    assert (result.n == 4000).all()
    assert result.low[0, 2] < 0 < result.high[0, 2]
    assert result.low[0, 1] > 0.5
    assert 1 <= result.effective_size <= 3
    mask = rng.random(errors.shape) < 0.7
    holed = error_correlation(np.where(mask, errors, 1e9), mask=mask)
    both = mask[:, 0] & mask[:, 1]
    assert holed.n[0, 1] == both.sum()
    assert holed.r[0, 1] == pytest.approx(np.corrcoef(errors[both, 0], errors[both, 1])[0, 1], abs=1e-6)


def test_correlation_that_is_not_there():
    result = error_correlation([[0.0, 1.0], [0.0, 0.0], [0.0, 1.0]])
    assert math.isnan(result.r[0, 1])
    assert math.isnan(result.r[0, 0])
    assert result.r[1, 1] == pytest.approx(1)
    assert result.mean is None
    assert result.effective_size is None
    assert math.isnan(error_correlation([[1.0, 0.0]]).r[1, 0])
    huge = error_correlation([[1e300, -1e300], [-1e300, 1e300], [0, 0], [1e300, -1e300]])
    assert huge.r[0, 1] == pytest.approx(-1)
    assert np.isnan(error_correlation([[1.0, 0.0]], mask=[[False, False]]).r).all()


def test_errors_against_a_consensus_leave_out_what_has_none():
    labels = [[0, 0, 1], [0, 1, 2], [1, 1, 1]]
    consensus = panel_majority(labels)
    errors, known = label_errors(labels, consensus.label, truth_mask=consensus.mask)
    assert known.tolist() == [[True] * 3, [False] * 3, [True] * 3]
    assert errors.tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("accuracy", [[1.2, 0.5, 0.5], [-0.1, 0.5, 0.5], [float("nan"), 0.5, 0.5]])
def test_what_is_no_accuracy_is_not_called_infinite(accuracy: list[float]) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        log_odds_weights(accuracy)
