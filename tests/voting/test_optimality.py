"""The certificate that plain majority is the best rule, or the vote pattern in which it is not."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrm.voting.optimality import confusion_certificate, majority_certificate

ACCURACIES = st.lists(st.floats(0.05, 0.95), min_size=1, max_size=5)


def overruled(accuracy, labels):
    """Every vote pattern with a majority in which another label is more probable, by plain probabilities."""
    found = []
    for votes in product(range(labels), repeat=len(accuracy)):
        weight = [
            math.prod(p if vote == k else (1 - p) / (labels - 1) for p, vote in zip(accuracy, votes, strict=True))
            for k in range(labels)
        ]
        for k in range(labels):
            if 2 * votes.count(k) > len(votes) and max(weight) > weight[k] * (1 + 1e-7):
                found.append((votes, k, weight.index(max(weight))))
    return found


@settings(max_examples=80, deadline=None)
@given(ACCURACIES, st.integers(2, 3))
def test_both_certificates_agree_with_a_search_by_hand(accuracy, labels):
    wanted = overruled(accuracy, labels)
    short = majority_certificate(accuracy, labels)
    matrices = [np.where(np.eye(labels) == 1, p, (1 - p) / (labels - 1)) for p in accuracy]
    whole = confusion_certificate(matrices)
    if abs(short.margin) > 1e-6:
        assert short.optimal == whole.optimal == (not wanted)
        assert short.margin == pytest.approx(whole.margin, abs=1e-6)
    for certificate in (short, whole):
        if certificate.counterexample is None:
            assert certificate.optimal
        elif abs(short.margin) > 1e-6:
            assert certificate.counterexample in [votes for votes, _, _ in wanted]
            assert certificate.counterexample.count(certificate.majority_label) * 2 > len(accuracy)
    assert short.best_accuracy >= short.majority_accuracy - 1e-9
    if short.optimal and len(accuracy) % 2 and labels == 2:
        assert short.best_accuracy == pytest.approx(short.majority_accuracy)


def test_equal_members_make_majority_optimal():
    certificate = majority_certificate([0.7] * 5)
    assert certificate.optimal
    assert certificate.counterexample is None
    assert certificate.majority_accuracy == pytest.approx(
        sum(math.comb(5, k) * 0.7**k * 0.3 ** (5 - k) for k in (3, 4, 5))
    )
    assert certificate.no_majority == pytest.approx(0)


def test_a_dominant_member_is_the_counterexample():
    certificate = majority_certificate([0.6, 0.95, 0.6])
    assert not certificate.optimal
    assert certificate.counterexample == (0, 1, 0)
    assert (certificate.majority_label, certificate.best_label) == (0, 1)
    assert certificate.best_accuracy == pytest.approx(0.95)
    assert certificate.margin == pytest.approx(2 * math.log(1.5) - math.log(19))


def test_large_panels_need_no_enumeration():
    certificate = majority_certificate([0.6] * 101)
    assert certificate.optimal
    assert certificate.best_accuracy is None
    with pytest.raises(ValueError, match="majority_certificate"):
        confusion_certificate(np.full((40, 2, 2), 0.5))


def test_a_rare_truth_can_overrule_a_majority():
    matrix = [[0.8, 0.2], [0.2, 0.8]]
    assert confusion_certificate([matrix] * 3).optimal
    rare = confusion_certificate([matrix] * 3, [0.99, 0.01])
    assert not rare.optimal
    assert (rare.majority_label, rare.best_label) == (1, 0)


def test_zero_probabilities_and_faults():
    assert confusion_certificate([np.eye(2)] * 3).optimal
    with pytest.raises(ValueError, match="probabilities"):
        confusion_certificate([[[1.0, 1.0], [0.0, 1.0]]])
    with pytest.raises(ValueError, match="infinite"):
        majority_certificate([1.0, 0.5])
