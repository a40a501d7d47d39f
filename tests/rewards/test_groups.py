import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_arrays import SCORE, close

from genrm.rewards.groups import mean, minmax, read, to_groups


@given(st.lists(st.tuples(st.sampled_from("abc"), SCORE, st.booleans()), max_size=12))
def test_samples_come_back_in_their_order(rows):
    ids, scores, mask = ([row[i] for row in rows] for i in range(3))
    scores = [score if there else math.nan for score, there in zip(scores, mask, strict=True)]
    batch = to_groups(scores, ids, np.array(mask, dtype=bool))
    assert close(batch.back(batch.values), scores)
    assert batch.values.shape[0] == len(set(ids))
    for number, name in enumerate(dict.fromkeys(ids)):
        mine = [score for score, other, there in zip(scores, ids, mask, strict=True) if other == name and there]
        assert batch.values[number][batch.mask[number]].tolist() == mine


def test_other_columns_are_laid_out_alike():
    batch = to_groups([1.0, 2.0, 3.0], [7, 8, 7])
    lengths = batch.like([10, 20, 30], np.array([True, True, False]))
    assert close(lengths.values, [[10, math.nan], [20, math.nan]])
    assert lengths.mask.tolist() == [[True, False], [True, False]]
    assert batch.like(np.ones((3, 2))).values.shape == (2, 2, 2)


def test_what_is_masked_is_never_read():
    masked = read([math.nan, None, 3.0], np.array([False, False, True]))
    assert masked.values[2] == 3.0
    assert np.isnan(masked.values[:2]).all()


@pytest.mark.parametrize(
    ("values", "mask", "match"),
    [
        ([1.0, math.nan], None, "mask="),
        ([1.0, None], None, "mask="),
        ([1.0, math.inf], np.array([True, True]), "where the mask says"),
        ([1.0, 2.0], [1, 0], "array of booleans"),
        ([1.0, 2.0], np.array([True, False, True]), "shape"),
    ],
)
def test_a_hole_without_a_mask_is_refused(values, mask, match):
    with pytest.raises(ValueError, match=match):
        read(values, mask)


def test_group_ids_and_scores_go_together():
    with pytest.raises(ValueError, match="one group id per score"):
        to_groups([1.0, 2.0], ["a"])
    assert to_groups([], []).values.shape == (0, 0)


def test_the_largest_numbers_do_not_overflow():
    big = np.array([[1.7e308, 1.7e308, -1.7e308]])
    everything = np.ones_like(big, dtype=bool)
    assert np.isfinite(mean(big, everything)).all()
    assert minmax(big, everything, 0.5).tolist() == [[1.0, 1.0, 0.0]]
