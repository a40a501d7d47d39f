"""Dawid-Skene finds planted confusion matrices, and says nothing where there are no votes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from genrm.voting.dawid_skene import dawid_skene
from genrm.voting.panels import panel_majority


def planted(confusion, prior, items, seed, missing=0.0):
    rng = np.random.default_rng(seed)
    truth = rng.choice(len(prior), items, p=prior)
    votes = np.stack([[rng.choice(len(prior), p=matrix[t]) for t in truth] for matrix in confusion], axis=1)
    return truth, votes, rng.random(votes.shape) >= missing


BINARY = np.array(
    [[[0.95, 0.05], [0.1, 0.9]], [[0.6, 0.4], [0.3, 0.7]], [[0.8, 0.2], [0.4, 0.6]], [[0.7, 0.3], [0.05, 0.95]]]
)
THREE = np.array(
    [
        [[0.8, 0.1, 0.1], [0.05, 0.9, 0.05], [0.2, 0.1, 0.7]],
        [[0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.1, 0.3, 0.6]],
        [[0.9, 0.05, 0.05], [0.3, 0.6, 0.1], [0.05, 0.05, 0.9]],
        [[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]],
        [[0.5, 0.25, 0.25], [0.1, 0.6, 0.3], [0.2, 0.2, 0.6]],
    ]
)


@pytest.mark.parametrize(
    ("confusion", "prior", "items", "missing"),
    [(BINARY, [0.6, 0.4], 3000, 0.0), (BINARY, [0.3, 0.7], 4000, 0.25), (THREE, [0.5, 0.3, 0.2], 3000, 0.1)],
)
def test_planted_confusion_matrices_are_recovered(confusion, prior, items, missing):
    truth, votes, mask = planted(confusion, prior, items, 1, missing)
    result = dawid_skene(votes, mask=mask)
    assert result.converged
    assert np.abs(result.confusion - confusion).max() < 0.09
    assert np.abs(result.prior - prior).max() < 0.06
    right = (result.label == truth)[result.mask].mean()
    majority = panel_majority(votes, mask=mask)
    assert right > (majority.label == truth)[mask.any(axis=1)].mean()
    assert result.accuracy == pytest.approx(np.einsum("k,mkk->m", prior, confusion), abs=0.05)


def test_it_beats_majority_where_one_member_knows_best():
    good, poor = [[0.95, 0.05], [0.05, 0.95]], [[0.6, 0.4], [0.4, 0.6]]
    truth, votes, _ = planted(np.array([good, good, poor, poor, poor]), [0.5, 0.5], 2000, 2)
    symmetric = dawid_skene(votes, model="symmetric")
    assert (symmetric.label == truth).mean() > (panel_majority(votes).label == truth).mean() + 0.05
    assert symmetric.accuracy == pytest.approx([0.95, 0.95, 0.6, 0.6, 0.6], abs=0.05)
    assert symmetric.confusion[:, 0, 0] == pytest.approx(symmetric.confusion[:, 1, 1])


def literal(votes, present, labels, smoothing, steps):
    """EM as in the paper, with loops and products of probabilities."""
    items, members = votes.shape
    p = np.zeros((items, labels))
    for i in range(items):
        for m in range(members):
            if present[i, m]:
                p[i, votes[i, m]] += 1
        if p[i].sum():
            p[i] /= p[i].sum()
    for _ in range(steps):
        matrix = np.full((members, labels, labels), smoothing) + np.eye(labels)
        prior = np.full(labels, smoothing)
        for i in range(items):
            for k in range(labels):
                prior[k] += p[i, k]
                for m in range(members):
                    if present[i, m]:
                        matrix[m, k, votes[i, m]] += p[i, k]
        matrix /= matrix.sum(axis=2, keepdims=True)
        prior /= prior.sum()
        for i in range(items):
            if not present[i].any():
                continue
            for k in range(labels):
                p[i, k] = prior[k] * math.prod(matrix[m, k, votes[i, m]] for m in range(members) if present[i, m])
            p[i] /= p[i].sum()
    return p, matrix, prior


def test_agrees_with_the_literal_em():
    _, votes, mask = planted(THREE[:3], [0.5, 0.3, 0.2], 60, 3, 0.3)
    mask[7] = False
    p, matrix, prior = literal(votes, mask, 3, 0.5, 12)
    result = dawid_skene(votes, 3, mask=mask, max_iterations=12, tolerance=0.0)
    assert not result.relabelled
    p[7] = prior
    assert result.p == pytest.approx(p, abs=1e-9)
    assert result.confusion == pytest.approx(matrix, abs=1e-9)
    assert result.iterations == 12
    assert not result.converged


TABLES = st.tuples(st.integers(2, 12), st.integers(1, 5)).flatmap(
    lambda shape: st.tuples(nps.arrays(np.int64, shape, elements=st.integers(0, 2)), nps.arrays(bool, shape))
)


@settings(max_examples=40, deadline=None)
@given(TABLES, st.sampled_from(["full", "symmetric"]))
def test_probabilities_and_a_rising_objective(table, model):
    votes, mask = table
    if not mask.any():
        with pytest.raises(ValueError, match="no vote"):
            dawid_skene(votes, 3, mask=mask)
        return
    result = dawid_skene(votes, 3, mask=mask, model=model, max_iterations=60)
    for array in (result.p, result.confusion, result.prior):
        assert (array >= 0).all()
        assert array.sum(axis=-1) == pytest.approx(np.ones(array.shape[:-1]))
    steps = np.diff(result.objective)
    assert (steps >= -1e-9 * np.maximum(1, np.abs(result.objective[:-1]))).all()
    assert ((result.label == -1) == ~result.mask).all()
    assert not result.mask[~mask.any(axis=1)].any()


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False))
def test_order_of_items_and_members_changes_nothing(rng):
    _, votes, mask = planted(BINARY, [0.5, 0.5], 200, 4, 0.2)
    items, members = list(range(200)), list(range(4))
    rng.shuffle(items)
    rng.shuffle(members)
    one = dawid_skene(votes, mask=mask)
    two = dawid_skene(votes[items][:, members], mask=mask[items][:, members])
    assert two.p == pytest.approx(one.p[items], abs=1e-5)
    assert two.confusion == pytest.approx(one.confusion[members], abs=1e-5)


def test_renaming_the_labels_renames_the_result():
    _, votes, _ = planted(BINARY, [0.6, 0.4], 500, 5)
    one, two = dawid_skene(votes), dawid_skene(1 - votes)
    assert two.p == pytest.approx(one.p[:, ::-1], abs=1e-6)


def test_exchanged_classes_are_renamed():
    from genrm.voting.dawid_skene import _naming

    swapped = np.stack([np.eye(3)[[1, 2, 0]] * 0.8 + 0.2 / 3] * 2)
    assert _naming(swapped, np.full(3, 1 / 3), np.ones(2)) == [2, 0, 1]
    many = np.stack([np.eye(8)[[1, 0, *range(2, 8)]] * 0.8 + 0.2 / 8] * 2)
    assert _naming(many, np.full(8, 1 / 8), np.ones(2)) == [1, 0, 2, 3, 4, 5, 6, 7]
    assert _naming(np.full((1, 2, 2), 0.5), np.full(2, 0.5), np.ones(1)) == [0, 1]


def test_soft_votes_and_counts():
    hard = np.array([[0, 1], [1, 1], [0, 0]] * 4)
    assert dawid_skene(np.eye(2)[hard]).p == pytest.approx(dawid_skene(hard).p)
    assert dawid_skene(np.array([[[0.9, 0.1]], [[0.2, 0.8]]])).label.tolist() == [0, 1]


def test_extremes():
    assert dawid_skene([[0], [1]]).label.tolist() == [0, 1]
    lone = dawid_skene([[1]])
    assert lone.label.tolist() == [1]
    assert np.isfinite(lone.p).all()
    split = dawid_skene([[0, 1]], 2)
    assert split.label.tolist() == [-1]
    assert not split.mask[0]
    many = dawid_skene(np.tile([[0] * 60, [1] * 60], (2, 1)))
    assert np.isfinite(many.objective).all()
    assert many.label.tolist() == [0, 1, 0, 1]
    sharp = dawid_skene(np.ones((3, 400), dtype=int), 2, smoothing=1e-12)
    assert np.isfinite(sharp.p).all()
    assert sharp.label.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("votes", "options", "message"),
    [
        ([[0.5, 1.0]], {}, "whole numbers"),
        ([[-1, 0]], {}, "mask=False"),
        ([[2, 0]], {"n_labels": 2}, "n_labels is 2"),
        ([[0, 1]], {"smoothing": 0.0}, "smoothing"),
        ([[0, 1]], {"trust": -1.0}, "trust"),
        ([[0, 1]], {"model": "odd"}, "'odd'"),
        ([0, 1], {}, "shape"),
        ([[0, 1]], {"mask": [[True]]}, "mask of"),
        ([[[1.0, -1.0]]], {}, "negative"),
    ],
)
def test_faults_of_the_call(votes, options, message):
    with pytest.raises(ValueError, match=message):
        dawid_skene(votes, **options)
