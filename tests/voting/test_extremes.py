"""Parameters and scores at the ends of what floating point can say: every rule keeps its value and never warns."""

import math
import warnings
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from genrm.voting import confidence, entropy_split, jackknife_se, token_likelihood, vote_array
from genrm.voting.rule import NUMBERS, OUTSIDE, RULES

TINY = 5e-324
ENDS = [0.0, TINY, 1e-310, 1e-300, 1e-17, 1e-9, 0.5, 1.0, 1 - 2**-53]
SCORES = st.lists(st.one_of(st.floats(0, 1), st.sampled_from(ENDS)), min_size=1, max_size=6)
ETAS = st.one_of(
    st.floats(-1e308, 1e308),
    st.sampled_from([s * eta for s in (-1, 1) for eta in (TINY, 1e-300, 1e-17, 1e-9, 1e-8, 1e-6, 1, 700, 1e6, 1e300)]),
)
MANY = settings(max_examples=150, deadline=None)


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def exact_log_mean_exp(s, w, eta):
    """With two hundred digits, and exponents that cannot overflow."""
    with localcontext() as context:
        context.prec, context.Emax, context.Emin = 400, 10**9, -(10**9)
        e, total = Decimal(eta), sum(map(Decimal, w))
        peak = max((e * Decimal(x) for x, weight in zip(s, w, strict=True) if weight), default=Decimal(0))
        mean = sum(Decimal(k) * (e * Decimal(x) - peak).exp() for x, k in zip(s, w, strict=True)) / total
        return float((peak + mean.ln()) / e)


@MANY
@given(SCORES, ETAS.filter(lambda eta: 1e-100 < abs(eta) < 1e7))
@example([0.0, 1.0], 1e-8)
@example([0.0, 1.0, 0.3], -1e-8)
@example([0.0, 1.0], 2e-8)
def test_log_mean_exp_is_that_of_exact_arithmetic(s, eta):
    assert vote_array(s, {"log_mean_exp": eta}).value == pytest.approx(
        exact_log_mean_exp(s, [1.0] * len(s), eta), rel=1e-12, abs=1e-14
    )


@pytest.mark.parametrize("eta", [1e-20, -1e-20, 1e-8, 0.5, -3.0, 40.0, 800.0, 1e6, -1e6])
@pytest.mark.parametrize("w", [[1.0, 1.0], [1.0, 1e-20], [1e-20, 1.0], [1.0, 1e-300], [1e-300, 1.0]])
def test_weighted_log_mean_exp_does_not_lose_a_light_vote_at_the_peak(w, eta):
    value = vote_array([0.0, 1.0], {"log_mean_exp": eta}, weights=w).value
    assert value == pytest.approx(exact_log_mean_exp([0.0, 1.0], w, eta), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("eta", [TINY, -TINY, 1e-320, -1e-320, 1e-308, -1e-17])
def test_log_mean_exp_ends_in_the_mean_where_eta_vanishes(eta):
    assert vote_array([0.0, 1.0], {"log_mean_exp": eta}).value == pytest.approx(0.5)
    assert vote_array([0.2, 0.4, 0.9], {"log_mean_exp": eta}).value == pytest.approx(0.5)
    assert vote_array([-1e308, 1e308], {"log_mean_exp": eta}).value == pytest.approx(
        vote_array([-1.0, 1.0], {"log_mean_exp": eta * 1e308}).value * 1e308, abs=1e294
    )


@MANY
@given(SCORES, ETAS, ETAS)
def test_log_mean_exp_grows_with_eta_between_min_and_max(s, one, two):
    low, high = sorted((one, two))
    first, second = (float(vote_array(s, {"log_mean_exp": eta}).value) for eta in (low, high))
    assert min(s) <= first <= second + 1e-12 <= max(s) + 2e-12


@MANY
@given(SCORES, st.sampled_from(RULES), st.data())
def test_every_rule_has_a_value_at_the_ends_of_its_parameter(s, name, data):
    written = name
    if name in NUMBERS:
        _, low, high = NUMBERS[name]
        ends = {max(low, -1.7e308), TINY, 1e-300, 1e-17, min(high, 1.7e308) if name != "trimmed_mean" else 0.4999999}
        written = {name: data.draw(st.sampled_from(sorted(ends)))}
    p = [[1 - x, x] for x in s]
    given = {"p": p, "values": [0.0, 1.0]} if name in ("soft", "likelihood", "confidence") else {}
    if name in ("likelihood", "confidence"):
        given["weights"] = data.draw(
            st.lists(st.sampled_from([TINY, 1e-300, 1e-9, 1.0]), min_size=len(s), max_size=len(s))
        )
    voted = vote_array(s, written, **given)
    assert math.isfinite(voted.value)
    if name not in OUTSIDE:
        assert min(s) - 1e-15 <= voted.value <= max(s) + 1e-15
    for field in (voted.std, voted.se, voted.between):
        assert len(s) == 1 or not field < 0


@MANY
@given(st.lists(st.sampled_from([0.0, TINY, 1e-310, 1e-20, 0.3, 1.0]), min_size=2, max_size=5).filter(any))
def test_weights_of_votes_are_numbers_in_range(weights):
    p = np.array(weights) / max(weights)
    p = p / p.sum()
    assert 0 <= confidence(p) <= 1
    within, between = entropy_split([p, p[::-1]])
    assert 0 <= within <= math.log(len(p)) + 1e-12
    assert between >= 0
    for how in ("mean", "min", "product"):
        assert 0 <= token_likelihood([weights], how).item() <= 1
    assert jackknife_se(weights, "mean") >= 0
