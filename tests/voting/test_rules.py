import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrm.voting import nearest_label, pooled, vote, winner

LIKERT = {str(n): (n - 1) / 4 for n in range(1, 6)}
VOTES = st.lists(st.sampled_from(sorted(LIKERT)), min_size=1, max_size=15)
RULES = st.sampled_from(["mean", "median", "majority"])


def cast(labels, rule):
    return vote([LIKERT[label] for label in labels], rule, labels=labels)


def test_mean_median_and_majority_differ():
    labels = ["1", "1", "3", "5", "5"]
    assert [cast([*labels, "5"], rule).value for rule in ("mean", "median", "majority")] == [
        pytest.approx(7 / 12),
        0.75,
        1.0,
    ]


@pytest.mark.parametrize(
    ("labels", "label"),
    [
        (["yes"], "yes"),
        (["yes", "no"], "no"),
        (["yes", "yes", "no"], "yes"),
        (["1", "5"], "1"),
        (["1", "1", "4", "4", "5"], "4"),
        (["1", "1", "2", "5", "5"], "1"),
        (["2", "2", "4", "4"], "2"),
        (["2", "2", "4", "4", "5"], "4"),
    ],
)
def test_a_tie_goes_to_the_label_nearest_to_the_mean_and_never_rounds_up(labels, label):
    scores = [{"no": 0.0, "yes": 1.0, **LIKERT}[name] for name in labels]
    voted = vote(scores, "majority", labels=labels)
    assert voted.label == winner(labels, scores, "majority") == label
    assert voted.agreement == labels.count(label) / len(labels)


def test_single_votes_have_no_spread():
    voted = vote([0.5], "mean")
    assert (voted.value, voted.label, voted.std, voted.se, voted.agreement, voted.n) == (0.5, None, None, None, None, 1)


def test_spread_is_that_of_the_sample():
    voted = vote([0.0, 1.0], "mean")
    assert voted.std == pytest.approx(math.sqrt(0.5))
    assert voted.se == pytest.approx(0.5)


def test_majority_without_labels_counts_equal_scores():
    assert vote([0.2, 0.2, 1.0], "majority").value == 0.2


@pytest.mark.parametrize("scores", [[], [0.5, None], [math.nan], [math.inf], [[0.5]]])
def test_failed_votes_are_no_numbers(scores):
    with pytest.raises(ValueError):
        vote(scores, "mean")


def test_faults_of_the_call():
    with pytest.raises(ValueError, match="2 scores came with 1 labels"):
        vote([0.0, 1.0], "mean", labels=["a"])
    with pytest.raises(ValueError, match="'mode'"):
        vote([0.0], "mode")
    with pytest.raises(ValueError, match="no label"):
        nearest_label(0.5, {})


def test_nearest_label_prefers_the_lower():
    assert nearest_label(0.5, {"no": 0.0, "yes": 1.0}) == "no"
    assert nearest_label(0.1 + 0.2 - 0.15, {"b": 0.3, "a": 0.0}) == "a"


@given(VOTES, RULES, st.randoms())
def test_order_changes_nothing(labels, rule, rng):
    shuffled = list(labels)
    random.Random(rng.random()).shuffle(shuffled)
    assert cast(labels, rule) == cast(shuffled, rule)


@given(VOTES, RULES)
def test_value_lies_among_the_votes_and_the_label_was_said(labels, rule):
    voted = cast(labels, rule)
    scores = [LIKERT[label] for label in labels]
    assert min(scores) <= voted.value <= max(scores)
    assert voted.label in labels
    assert 0 < voted.agreement <= 1
    assert voted.std is None or 0 <= voted.std <= math.sqrt(0.5)


@given(st.sampled_from(sorted(LIKERT)), st.integers(1, 9), RULES)
def test_unanimous_votes_are_certain(label, n, rule):
    voted = cast([label] * n, rule)
    assert (voted.value, voted.label, voted.agreement) == (LIKERT[label], label, 1.0)
    assert not voted.std


def test_pooled_is_the_equal_mixture():
    mixture = pooled([{"no": 0.2, "yes": 0.8}, {"yes": 1.0}])
    assert mixture == {"no": pytest.approx(0.1), "yes": pytest.approx(0.9)}
    assert list(mixture) == ["no", "yes"]


@given(st.lists(st.floats(0, 1).map(lambda p: {"no": 1 - p, "yes": p}), min_size=1, max_size=9))
def test_pooled_sums_to_one(distributions):
    assert math.fsum(pooled(distributions).values()) == pytest.approx(1)


@pytest.mark.parametrize("bad", [[], [{"no": 0.5}], [{"no": 1.5, "yes": -0.5}], [{"no": math.nan}], [{}]])
def test_pooled_refuses_what_is_no_distribution(bad):
    with pytest.raises(ValueError):
        pooled(bad)
