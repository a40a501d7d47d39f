"""What is stated holds: the measured rate of different decisions does not exceed it, on the same votes."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrm.voting.adaptive import Stopping, adaptive_vote, next_round, stated
from genrm.voting.posterior import change_of_labels
from genrm.voting.rule import Rule
from genrm.voting.single import vote
from genrm.voting.soft_posterior import change_of_lead, change_of_numbers, change_of_soft

BINARY = {"no": 0.0, "yes": 1.0}
LIKERT = {str(n): (n - 1) / 4 for n in range(1, 6)}
SHAPES = (0.3, 0.5, 1.0)


def reference(counts, values, total, rule):
    """Every sequence of the missing votes, one at a time, by Polya's urn."""
    names = [str(index) for index in range(len(counts))]

    def decide(votes):
        return vote([values[int(v)] for v in votes], rule, labels=votes)

    start = [name for name, count in zip(names, counts, strict=True) for _ in range(count)]
    now, different = decide(start), 0.0
    for more in itertools.product(names, repeat=total - len(start)):
        urn, p = [count + 2 / len(counts) for count in counts], 1.0
        for name in more:
            p *= urn[int(name)] / sum(urn)
            urn[int(name)] += 1
        then = decide([*start, *more])
        other = then.label != now.label if rule == "majority" else abs(then.value - now.value) > 0.05 + 1e-12
        different += p * other
    return different


@pytest.mark.parametrize("rule", ["majority", "mean", "median", {"lcb": 0.5}], ids=str)
@pytest.mark.parametrize("counts", [(2, 1), (0, 2), (1, 1, 1), (3, 0, 1), (0, 1, 0)])
def test_every_future_is_counted(counts, rule):
    values = [0.0, 1.0] if len(counts) == 2 else [0.0, 0.5, 1.0]
    exact = change_of_labels(counts, values, 7, rule)
    assert exact.error == 0
    assert exact.p == pytest.approx(reference(counts, values, 7, rule), abs=1e-9)


def test_many_labels_are_drawn_and_the_error_is_stated():
    values = [n / 9 for n in range(10)]
    counts = [0, 0, 0, 0, 0, 0, 1, 3, 2, 0]
    change = change_of_labels(counts, values, 16, "majority")
    assert 0 < change.error < 0.005
    assert 0.1 < change.p < 0.9
    assert change == change_of_labels(counts, values, 16, "majority")


@given(st.lists(st.integers(0, 6), min_size=2, max_size=4).filter(any), st.integers(0, 8))
@settings(max_examples=40, deadline=None)
def test_a_stated_probability_is_one_and_nothing_is_left_at_the_end(counts, more):
    values = [n / (len(counts) - 1) for n in range(len(counts))]
    change = change_of_labels(counts, values, sum(counts) + more, "majority")
    assert 0 <= change.p <= 1
    assert more or change.p == 0


def test_agreeing_votes_make_the_decision_surer():
    stated_p = [change_of_labels([0, n], [0.0, 1.0], 16, "majority").p for n in range(1, 17)]
    assert stated_p == sorted(stated_p, reverse=True)
    assert stated_p[-1] == 0
    # Nine of sixteen cannot be outvoted.
    assert stated_p[8] == pytest.approx(0, abs=1e-12)


def hard(shape, seed, n=3000):
    rng = np.random.default_rng(seed)
    return rng.random((n, 16)) < rng.beta(shape, shape, n)[:, None]


def soft(shape, concentration, seed, n=300):
    """Each vote shows a probability that scatters around the sample's; a saturated judge shows 0 or 1."""
    rng = np.random.default_rng(seed)
    theta = np.clip(rng.beta(shape, shape, n), 1e-6, 1 - 1e-6)[:, None]
    if concentration == 0:
        return (rng.random((n, 16)) < theta).astype(float)
    if math.isinf(concentration):
        return np.repeat(theta, 16, 1)
    return rng.beta(np.maximum(concentration * theta, 1e-6), np.maximum(concentration * (1 - theta), 1e-6), (n, 16))


def within_error(different, said):
    """The measured rate is not above the stated one by more than three standard errors of chance."""
    rate, mean = np.mean(different), np.mean(said)
    return rate <= mean + 3 * math.sqrt(max(mean * (1 - mean), 1e-6) / len(different))


@pytest.mark.parametrize("stop", [0.9, 0.95, 0.98])
@pytest.mark.parametrize("shape", SHAPES)
def test_hard_votes_change_no_more_often_than_stated(shape, stop):
    stopping = Stopping(min=3, max=16, stop=stop)
    different, said = [], []
    for row in hard(shape, seed=11):
        labels = ["yes" if said_yes else "no" for said_yes in row]
        result = adaptive_vote(labels, stopping, scale=BINARY)
        full = vote([BINARY[label] for label in labels], "majority", labels=labels).label
        different.append(result.decision != full)
        said.append(result.p_change)
        assert result.p_change <= 1 - stop + 1e-9 or result.used == 16
    assert within_error(different, said)


@pytest.mark.parametrize("concentration", [0, 0.25, 1.0, 10.0, math.inf])
@pytest.mark.parametrize("shape", SHAPES)
def test_soft_votes_change_no_more_often_than_stated(shape, concentration):
    different, said = [], []
    for row in soft(shape, concentration, seed=12):
        for n in range(1, 17):
            p = change_of_soft(np.stack([1 - row[:n], row[:n]], -1), [0.0, 1.0], 16).p
            if p <= 0.05:
                break
        different.append((row[:n].mean() > 0.5) != (row.mean() > 0.5))
        said.append(p)
    assert within_error(different, said)


def test_five_labels_change_no_more_often_than_stated():
    rng = np.random.default_rng(13)
    stopping = Stopping(min=3, max=12, stop=0.9)
    different, said = [], []
    for theta in rng.dirichlet([0.4] * 5, 600):
        labels = [str(code + 1) for code in rng.choice(5, size=12, p=theta)]
        result = adaptive_vote(labels, stopping, scale=LIKERT)
        different.append(result.decision != vote([LIKERT[v] for v in labels], "majority", labels=labels).label)
        said.append(result.p_change)
    assert within_error(different, said)


def test_means_of_numbers_move_no_more_often_than_stated():
    rng = np.random.default_rng(14)
    moved, said = [], []
    for _ in range(400):
        mu, kappa = rng.random(), 2 ** rng.uniform(-1, 7)
        x = rng.beta(max(kappa * mu, 1e-3), max(kappa * (1 - mu), 1e-3), 16)
        for n in range(2, 17):
            p = change_of_numbers(x[:n], 16).p
            if p <= 0.1:
                break
        moved.append(abs(x[:n].mean() - x.mean()) > 0.05)
        said.append(p)
    assert within_error(moved, said)


def test_the_first_votes_are_those_of_a_fixed_number():
    labels = ["yes", "no", "yes", "yes", "yes", "yes", "yes", "no"] * 2
    seen = []

    def stream():
        for label in labels:
            seen.append(label)
            yield label

    result = adaptive_vote(stream(), Stopping(min=2, max=16, stop=0.9), scale=BINARY)
    assert seen == labels[: result.used]
    assert result.decision == "yes"


def test_a_round_is_the_fewest_votes_that_could_end_it():
    stopping = Stopping(min=3, max=16, stop=0.95)
    assert next_round([], stopping, BINARY) == 3
    for said in (["yes"] * 3, ["yes", "no"], ["no", "no", "yes"]):
        more = next_round(said, stopping, BINARY)
        top = vote([BINARY[v] for v in said], "majority", labels=said).label
        assert stopping.enough(stated(said + [top] * more, stopping, BINARY))
        assert more == 1 or not stopping.enough(stated(said + [top] * (more - 1), stopping, BINARY))


def test_saturated_soft_votes_count_as_labels():
    for n in range(1, 6):
        p = [[0.0, 1.0]] * n
        assert change_of_soft(p, [0, 1], 16).p >= change_of_labels([0, n], [0.0, 1.0], 16, "majority").p - 1e-12


def test_failed_votes_leave_fewer_to_come():
    stopping = Stopping(min=1, max=16)
    assert stated(["yes"], stopping, BINARY, left=0).p == 0
    assert stated([], stopping, BINARY) is None
    assert stated(["yes"], stopping, BINARY, left=2).p < stated(["yes"], stopping, BINARY).p


@pytest.mark.parametrize("rule", ["mean", "median", {"quantile": 0.25}, {"lcb": 1.0}, "min"], ids=str)
def test_values_of_expected_scores_can_be_foreseen(rule):
    stopping = Stopping(min=2, max=8, stop=0.9, rule=Rule.parse(rule), tolerance=0.1)
    stream = [{"no": 1 - x, "yes": x} for x in (0.4, 0.42, 0.41, 0.4, 0.39, 0.4, 0.41, 0.4)]
    result = adaptive_vote(stream, stopping, scale=BINARY)
    assert result.used < 8
    assert 0 <= result.p_change <= 0.1


def test_faults():
    for bad in ({"min": 5, "max": 4}, {"stop": 0.0}, {"rule": Rule("sum")}, {"tolerance": -1.0}):
        with pytest.raises(ValueError):
            Stopping(**bad)
    with pytest.raises(ValueError, match="no vote"):
        adaptive_vote([], Stopping(), scale=BINARY)
    with pytest.raises(ValueError, match="label distribution"):
        stated(["yes"], Stopping(rule=Rule("soft")), BINARY)
    for bad in ([], [1.5], [0.5] * 17):
        with pytest.raises(ValueError):
            change_of_lead(bad, 16)
    with pytest.raises(ValueError):
        change_of_labels([0, 0], [0.0, 1.0], 16, "majority")
