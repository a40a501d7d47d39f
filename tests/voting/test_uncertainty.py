import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrm.voting import confidence, entropy_split, jackknife_se, keep_best, margin, token_likelihood, vote_array
from genrm.voting.beta import beta_cdf

FEW = settings(max_examples=40, deadline=None)


@FEW
@given(st.lists(st.floats(0, 1), min_size=2, max_size=8))
def test_the_jackknife_of_the_mean_is_its_standard_error(s):
    assert jackknife_se(s, "mean") == pytest.approx(vote_array(s, "mean").se, abs=1e-9)


def test_the_jackknife_leaves_missing_votes_out():
    se = jackknife_se(
        [[0.0, 1.0, 9.0], [1.0, 9.0, 9.0]], {"lcb": 1.0}, mask=[[True, True, False], [True, False, False]]
    )
    assert se[0] >= 0
    assert math.isnan(se[1])


def test_likelihood_of_tokens():
    t = [[0.5, 0.8, math.nan], [1e-200, 1e-200, 1.0]]
    m = [[True, True, False], [True, True, True]]
    assert token_likelihood(t, "mean", mask=m)[0] == pytest.approx(0.65)
    assert token_likelihood(t, "min", mask=m)[0] == 0.5
    assert token_likelihood(t, "product", mask=m).tolist() == [pytest.approx(0.4), 0.0]
    assert math.isnan(token_likelihood([[0.5]], mask=[[False]])[0])
    with pytest.raises(ValueError, match="0, 1"):
        token_likelihood([[1.5]])
    with pytest.raises(ValueError, match="'sum'"):
        token_likelihood([[0.5]], "sum")


def test_confidence_runs_from_uniform_to_certain():
    assert confidence([[0.5, 0.5], [1.0, 0.0]]).tolist() == [pytest.approx(0.0, abs=1e-12), 1.0]
    with pytest.raises(ValueError):
        confidence([1.0])


def test_the_best_votes_are_kept():
    assert keep_best([3.0, 1.0, 2.0, 2.0], 2).tolist() == [True, False, True, False]
    assert keep_best([3.0, math.nan], 5, mask=[True, False]).tolist() == [True, False]
    with pytest.raises(ValueError):
        keep_best([1.0], 0)


@FEW
@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_entropy_splits(values):
    p = np.array([[x, 1 - x] for x in values])
    within, between = entropy_split(p)
    mean = p.mean(0)
    whole = -sum(x * math.log(x) for x in mean if x > 0)
    assert within + between == pytest.approx(whole, abs=1e-9)
    assert within >= 0
    assert between >= 0


@pytest.mark.parametrize(("a", "b"), [(1, 1), (2, 5), (0.3, 0.3), (400.0, 0.5), (30.0, 50.0)])
def test_the_beta_distribution_against_a_plain_sum(a, b):
    # Midpoints in t of x = sin^2(t), where the density has no poles for a, b >= 1/2 and mild ones below.
    t = (np.arange(400_000) + 0.5) / 400_000 * math.pi / 2
    x = np.sin(t) ** 2
    density = np.exp((2 * a - 1) * np.log(np.sin(t)) + (2 * b - 1) * np.log(np.cos(t)))
    for bound in (0.01, 0.2, 0.5, 0.9, 0.999):
        plain = density[x <= bound].sum() / density.sum()
        assert beta_cdf(bound, a, b) == pytest.approx(plain, abs=5e-3 if min(a, b) < 0.5 else 1e-5)
    assert beta_cdf(-1, a, b) == 0
    assert beta_cdf(2, a, b) == 1


def test_half_a_vote_is_not_kept():
    with pytest.raises(ValueError, match="whole number"):
        keep_best([1.0, 2.0], 1.5)  # type: ignore[arg-type]
    for k in (True, math.inf, math.nan):
        with pytest.raises(ValueError, match="whole number"):
            keep_best([1.0, 2.0], k)  # type: ignore[arg-type]


def test_the_margin_is_the_lead_of_the_likeliest_label():
    assert margin([[0.2, 0.8], [0.5, 0.5]]).tolist() == pytest.approx([0.6, 0.0])
    assert margin([0.2, 0.5, 0.3]).item() == pytest.approx(0.2)
    for bad in ([1.0], [0.5, 0.6], [-0.1, 1.1]):
        with pytest.raises(ValueError):
            margin(bad)
