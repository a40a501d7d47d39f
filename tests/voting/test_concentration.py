"""A judge's concentration is found again from its votes, and what soft votes state with it still holds."""

import math

import numpy as np
import pytest

from genrm.voting import fit_concentration
from genrm.voting.adaptive import Stopping, adaptive_vote
from genrm.voting.concentration import _through
from genrm.voting.rule import Rule
from genrm.voting.soft_posterior import SPREAD, change_of_lead, change_of_soft

BINARY = {"no": 0.0, "yes": 1.0}


def streams(rng, theta, concentration, n=16):
    """Probabilities of yes as votes show them, shape (samples, n)."""
    k = np.broadcast_to(concentration, theta.shape)
    if np.isinf(k).all():
        return np.repeat(theta[:, None], n, 1)
    return rng.beta(np.maximum(k * theta, 1e-6)[:, None], np.maximum(k * (1 - theta), 1e-6)[:, None], (len(theta), n))


def both(yes):
    return np.stack([1 - yes, yes], -1)


@pytest.mark.parametrize("concentration", [0.2, 1.0, 10.0, 50.0, 200.0])
@pytest.mark.parametrize("votes", [2, 8])
def test_the_concentration_is_found_again(concentration, votes):
    rng = np.random.default_rng([1, int(concentration * 10), votes])
    found = fit_concentration(list(both(streams(rng, rng.random(250), concentration, votes))))
    assert found.n == 250
    assert found.low < found.value < found.high
    # A 95 % interval, widened by a half: the draws are fixed, and one in ten of these cases may miss the plain one.
    assert found.low / 1.5 < concentration < found.high * 1.5
    assert found.value == pytest.approx(concentration, rel=0.35)


def test_more_labels_are_read_by_the_lead_of_the_first_over_the_second():
    rng = np.random.default_rng(3)
    means = rng.dirichlet([1.0] * 4, 200)
    found = fit_concentration([rng.dirichlet(np.maximum(30 * mean, 1e-3), 6) for mean in means])
    # Leads of a Dirichlet vary no more than a Beta distribution of its concentration would.
    assert 20 < found.value < 120


def test_votes_that_are_all_saturated_have_next_to_none_and_equal_ones_the_most():
    rng = np.random.default_rng(4)
    hard = (rng.random((100, 4)) < rng.random((100, 1))).astype(float)
    assert fit_concentration(list(both(hard))).high < 0.3
    assert fit_concentration(list(both(np.repeat(rng.uniform(0.1, 0.9, (50, 1)), 4, 1)))).value > 300


@pytest.mark.parametrize(
    ("samples", "words"),
    [([], "no sample"), ([[[0.5, 0.5]]], "no sample"), ([[[0.5, 0.4], [0.5, 0.5]]], "sample 0"), ([[0.5]], "sample 0")],
)
def test_samples_that_say_nothing_are_refused(samples, words):
    with pytest.raises(ValueError, match=words):
        fit_concentration(samples)


def within_error(different, said):
    rate, mean = np.mean(different), np.mean(said)
    return rate <= mean + 3 * math.sqrt(max(mean * (1 - mean), 1e-6) / len(different))


@pytest.mark.parametrize("shape", [0.3, 1.0])
@pytest.mark.parametrize("concentration", [0.25, 1.0, 10.0, 50.0, "mixed"])
def test_with_a_fitted_concentration_votes_change_no_more_often_than_stated(shape, concentration):
    rng = np.random.default_rng([7, int(shape * 10), 0 if concentration == "mixed" else int(concentration * 4)])

    def sample(n):
        # A judge that is steadier on some samples than on others: the spread that the prior allows for.
        k = np.exp(rng.normal(np.log(20), SPREAD, n)) if concentration == "mixed" else concentration
        return streams(rng, np.clip(rng.beta(shape, shape, n), 1e-6, 1 - 1e-6), k)

    known = fit_concentration(list(both(sample(150)[:, :4]))).value
    stopping = Stopping(min=1, max=16, stop=0.95, rule=Rule("soft"), concentration=known)
    different, said, used = [], [], []
    for row in sample(350):
        stream = [{"no": 1 - x, "yes": x} for x in row]
        result = adaptive_vote(stream, stopping, scale=BINARY)
        different.append(result.decision != ("yes" if row.mean() > 0.5 else "no"))
        said.append(result.p_change)
        used.append(result.used)
    assert within_error(different, said)
    if shape == 0.3 and concentration in (10.0, 50.0):
        assert np.mean(used) / 16 < (0.2 if concentration == 50.0 else 0.23)


def test_a_measured_concentration_moves_the_statement_both_ways():
    votes = both(np.array([0.8, 0.78]))
    plain = change_of_soft(votes, [0.0, 1.0], 16).p
    assert change_of_soft(votes, [0.0, 1.0], 16, concentration=100.0).p < plain
    assert change_of_soft(votes, [0.0, 1.0], 16, concentration=0.1).p > plain
    # A sample whose votes scatter overrules what was measured elsewhere.
    scattered = [0.9, 0.3, 0.85, 0.2, 0.95]
    assert change_of_lead(scattered, 16, concentration=500.0).p > 0.05
    assert change_of_lead([0.5 + 1e-9] * 3, 16, concentration=1e30).p <= 1


def test_a_concentration_is_a_number_above_0():
    for bad in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="concentration"):
            Stopping(concentration=bad)


def test_the_curve_between_grid_points_goes_through_them():
    x = np.linspace(0, 3, 7)
    assert _through(x, x**2, x) == pytest.approx(x**2)
    inner = np.linspace(1, 2, 9)
    assert _through(np.linspace(0, 3, 31), np.sin(np.linspace(0, 3, 31)), inner) == pytest.approx(
        np.sin(inner), abs=1e-4
    )
