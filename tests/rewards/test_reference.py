import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reward_arrays import SCORE, close

from genrm.rewards.reference import contrastive, lsc, par, text_norm

REFERENCES = st.lists(SCORE, min_size=1, max_size=5)
AGAINST = {"par": par, "lsc": lsc, "contrastive": contrastive, "text_norm": text_norm}


def logistic(x):
    return 1 / (1 + math.exp(-x))


def median(values):
    values = sorted(values)
    return (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2


LITERAL = {
    "par": lambda r, refs: sum(logistic(r - ref) for ref in refs) / len(refs),
    "lsc": lambda r, refs: math.log(logistic(r - median(refs))),
    "contrastive": lambda r, refs: r - sum(refs) / len(refs),
    "text_norm": lambda r, refs: math.exp(r) / (math.exp(r) + sum(math.exp(ref) for ref in refs)),
}


@pytest.mark.parametrize("name", AGAINST)
@given(rows=st.lists(st.tuples(SCORE, REFERENCES), min_size=1, max_size=4), rng=st.randoms(use_true_random=False))
def test_agrees_with_the_formula_whatever_the_order_and_the_holes(name, rows, rng):
    k = max(len(refs) for _, refs in rows) + 1
    reference, there = np.full((len(rows), k), np.nan), np.zeros((len(rows), k), dtype=bool)
    for row, (_, refs) in enumerate(rows):
        places = rng.sample(range(k), len(refs))
        reference[row, places], there[row, places] = refs, True
    mask = {
        "baseline_mask" if name == "contrastive" else "altered_mask" if name == "text_norm" else "reference_mask": there
    }
    got = AGAINST[name]([score for score, _ in rows], reference, **mask)
    assert close(got, [LITERAL[name](score, refs) for score, refs in rows])


@pytest.mark.parametrize("name", AGAINST)
@given(score=SCORE, more=st.floats(0, 3), refs=REFERENCES)
def test_a_better_score_never_gets_less(name, score, more, refs):
    assert AGAINST[name](score + more, refs) >= AGAINST[name](score, refs) - 1e-12


@given(SCORE, REFERENCES, st.floats(0.05, 10))
def test_bounds(score, refs, temperature):
    assert 0 < par(score, refs, temperature=max(temperature, 0.5)) < 1
    assert lsc(score, refs, temperature=temperature) <= 0
    assert 0 <= text_norm(score, refs, temperature=temperature) <= 1


@pytest.mark.parametrize("name", AGAINST)
def test_a_score_without_reference_raises_instead_of_passing_raw(name):
    function = AGAINST[name]
    mask = {"baseline_mask" if name == "contrastive" else "altered_mask" if name == "text_norm" else "reference_mask"}
    hidden = {mask.pop(): np.array([[True], [False]])}
    with pytest.raises(ValueError, match="1 of 2 scores have no"):
        function([0.5, 0.7], [[0.1], [0.2]], **hidden)
    with pytest.raises(ValueError, match="scores have no"):
        function([0.5], np.empty((1, 0)))
    out = function([0.5, 0.7], [[0.1], [0.2]], mask=np.array([True, False]), **hidden)
    assert np.isfinite(out[0])
    assert np.isnan(out[1])


@pytest.mark.parametrize("name", AGAINST)
def test_references_of_a_prompt_serve_all_its_samples(name):
    scores = np.arange(6.0).reshape(2, 3)
    per_prompt = np.array([[0.0, 1.0], [2.0, 5.0]])
    wide = np.repeat(per_prompt[:, None, :], 3, axis=1)
    assert close(AGAINST[name](scores, per_prompt[:, None, :]), AGAINST[name](scores, wide))
    with pytest.raises(ValueError, match="add an axis"):
        AGAINST[name](scores, np.ones((4, 3, 2)))


@pytest.mark.parametrize("name", AGAINST)
def test_extremes_stay_what_they_mean(name):
    high, low = AGAINST[name]([1e300, -1e300], [[0.0], [0.0]])
    assert high > low
    assert not math.isnan(high)
    assert AGAINST[name](1e300, [1e300]) == pytest.approx(
        {"par": 0.5, "lsc": math.log(0.5), "contrastive": 0, "text_norm": 0.5}[name]
    )


@given(st.lists(SCORE, min_size=2, max_size=5))
def test_the_baseline_itself_gets_0_on_average(baseline):
    assert float(contrastive(baseline, [baseline]).sum()) == pytest.approx(0, abs=1e-9)


def test_one_bad_criterion_dominates_a_sum_of_lsc():
    bar = np.zeros((2, 3, 1))
    scores = np.array([[9.0, 9.0, -4.0], [0.5, 0.5, 0.5]])
    one_bad, all_fair = lsc(scores, bar).sum(axis=-1)
    assert one_bad < all_fair
    assert scores[0].sum() > scores[1].sum()


@given(SCORE, st.integers(1, 5), st.floats(-3, 3))
def test_a_score_that_ignores_the_prompt_falls_to_an_equal_share(score, k, temperature_log):
    assert text_norm(score, [score] * k, temperature=math.exp(temperature_log)) == pytest.approx(1 / (k + 1))


def test_the_quantile_sets_the_bar():
    refs = [0.0, 1.0, 2.0, 3.0]
    assert lsc(1.5, refs, quantile=0.0) > lsc(1.5, refs) > lsc(1.5, refs, quantile=1.0)
    assert lsc(2.25, refs, quantile=0.75) == pytest.approx(math.log(0.5))


@pytest.mark.parametrize("shape", [par, lsc, contrastive, text_norm])
@pytest.mark.parametrize("missing", [None, [None], [[0.5, None]], [[float("nan")]]])
def test_references_that_are_none_raise_in_plain_words(shape, missing):
    with pytest.raises(ValueError, match=r"there are no .*|of . .* are None, NaN or infinite; a shape has no reward"):
        shape([0.5], missing)
