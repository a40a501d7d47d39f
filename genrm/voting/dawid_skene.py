"""Dawid-Skene: who errs how is estimated from disagreement alone, and votes are weighed by it.

    >>> votes = [[1, 1, 0], [0, 0, 1], [1, 1, 1], [0, 0, 0], [1, 1, 0], [0, 0, 0]] * 5
    >>> result = dawid_skene(votes)
    >>> result.label[:6].tolist(), result.confusion[0].diagonal().round(2).tolist()
    ([1, 0, 1, 0, 1, 0], [0.97, 0.97])

Every member has a confusion matrix: how often it says label l where the truth is k. Truths and matrices are estimated
in turns (EM). It assumes that members err independently given the truth; members that share a base model do not, and
the estimate then takes their shared errors for the truth. Items without any vote get no label.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from genrm.voting.panels import Bools, Floats, Ints

Model = Literal["full", "symmetric"]

EXACT_PERMUTATIONS = 6
"""With so many labels or fewer every relabelling is tried; with more, swaps of two until none helps."""

TIE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class DawidSkene:
    """The estimate.

    Attributes:
        p: shape (items, labels), posterior of the truth; the prior for an item without votes.
        label: shape (items,), the most probable label; -1 where there is no vote or two are equally probable.
        mask: shape (items,), True where there is a label.
        confusion: shape (members, labels, labels), P(member says column | truth is row).
        prior: shape (labels,), share of each truth.
        converged: whether the objective grew by less than the tolerance before the iterations ran out.
        iterations: EM steps taken.
        objective: log-likelihood plus log-prior of the smoothing, after each step; it never falls.
        relabelled: whether the classes that EM found had to be renamed to what members call them.
    """

    p: Floats
    label: Ints
    mask: Bools
    confusion: Floats
    prior: Floats
    converged: bool
    iterations: int
    objective: tuple[float, ...]
    relabelled: bool

    @property
    def accuracy(self) -> Floats:
        """Shape (members,): estimated share of right verdicts, Σ prior·diagonal."""
        result: Floats = np.einsum("k,mkk->m", self.prior, self.confusion)
        return result


def dawid_skene(
    votes: ArrayLike,
    n_labels: int | None = None,
    *,
    mask: ArrayLike | None = None,
    model: Model = "full",
    smoothing: float = 0.5,
    trust: float = 1.0,
    tolerance: float = 1e-7,
    max_iterations: int = 500,
) -> DawidSkene:
    """Estimate truths, confusion matrices and class shares together.

    "Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm". E-step, in logarithms:
    log p(k | item) = log prior[k] + Σ_m log confusion[m, k, vote of m] + constant. M-step: confusion[m, k, l] in
    proportion to Σ_items p(k)·[m said l] + smoothing + trust·[k = l], prior[k] to Σ p(k) + smoothing. It starts from
    vote shares, so a class keeps the name that members give it; should the classes still come out exchanged, they are
    renamed so that members agree with the truth as much as possible. Where the panel as a whole is worse than chance
    nothing in the votes can tell, and the estimate is the mirror image.

    Args:
        votes: shape (items, members) with label indices, or (items, members, labels) with counts or distributions.
        n_labels: number of labels; the largest index and one when left out.
        mask: shape (items, members), True where the member has a verdict.
        model: ``full`` has K·(K - 1) parameters a member and wants hundreds of items; ``symmetric`` has one, its
            accuracy, with errors spread evenly: for small data.
        smoothing: pseudo-count in every cell, above 0; it keeps probabilities off 0 and 1.
        trust: pseudo-count of right verdicts for each member and label: with few items a member counts as better
            than chance until its votes say otherwise. At 0 a handful of items can collapse into one class.
        tolerance: EM stops when the objective per item grows by less.

    Raises:
        ValueError: there is no vote at all, or shapes, labels or settings are wrong.
    """
    counts = _counts(votes, n_labels, mask)
    if not smoothing > 0 or not np.isfinite(smoothing):
        raise ValueError(f"smoothing is a pseudo-count above 0, found {smoothing}")
    if not 0 <= trust < np.inf:
        raise ValueError(f"trust is a pseudo-count of at least 0, found {trust}")
    if model not in ("full", "symmetric"):
        raise ValueError(f"model {model!r} is unknown; use full or symmetric")
    if max_iterations < 1:
        raise ValueError(f"max_iterations is at least 1, found {max_iterations}")
    items, members, labels = counts.shape
    # Items with the same votes go the same way: each pattern is worked on once.
    flat, pattern, times = np.unique(
        counts.reshape(items, members * labels), axis=0, return_inverse=True, return_counts=True
    )
    voted = flat.sum(axis=1) > 0
    if not voted.any():
        raise ValueError("there is no vote to learn from; every entry is masked")
    often = np.where(voted, times, 0.0)
    p = flat.reshape(-1, members, labels).sum(axis=1)
    p = p / np.where(voted, p.sum(axis=1), 1.0)[:, None]
    extra = smoothing + trust * np.eye(labels)
    objective: list[float] = []
    converged = False
    for _ in range(max_iterations):
        confusion, prior = _m_step(p * often[:, None], flat, members, model, extra, smoothing)
        p, likelihood = _e_step(flat, confusion, prior, often)
        objective.append(likelihood + _log_prior(confusion, prior, extra, smoothing))
        if len(objective) > 1 and objective[-1] - objective[-2] < tolerance * often.sum():
            converged = True
            break
    p, voted = p[pattern.reshape(-1)], voted[pattern.reshape(-1)]
    order = _naming(confusion, prior, counts.sum(axis=(0, 2)))
    p, confusion, prior = p[:, order], confusion[:, order, :], prior[order]
    top = np.sort(p, axis=1)
    decided = voted & (top[:, -1] - top[:, -2] > TIE)
    p[~voted] = prior
    label = np.where(decided, p.argmax(axis=1), -1)
    relabelled = order != list(range(labels))
    return DawidSkene(
        p, label, decided, confusion, prior, converged, len(objective), tuple(objective), bool(relabelled)
    )


def _counts(votes: ArrayLike, n_labels: int | None, mask: ArrayLike | None) -> Floats:
    """Votes as counts (items, members, labels), 0 where masked."""
    array = np.asarray(votes)
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise ValueError(f"votes have the shape (items, members) or (items, members, labels), found {array.shape}")
    present = np.ones(array.shape[:2], dtype=bool) if mask is None else np.asarray(mask, dtype=bool)
    if present.shape != array.shape[:2]:
        raise ValueError(f"votes of the shape {array.shape} came with a mask of {present.shape}")
    if array.ndim == 3:
        counts: Floats = np.where(present[..., None], array.astype(np.float64), 0.0)
        if not np.isfinite(counts).all() or (counts < 0).any():
            raise ValueError("a count is negative, NaN or infinite; mark a member that failed with mask=False instead")
    else:
        if array.dtype.kind not in "iu":
            raise ValueError(f"labels are whole numbers, found {array.dtype}; number the labels from 0")
        said = np.where(present, array, 0)
        if said.min() < 0:
            raise ValueError("a label is negative; mark a member that failed with mask=False instead")
        size = max(int(said.max()) + 1, 2) if n_labels is None else n_labels
        if said.max() >= size:
            raise ValueError(f"a label is {said.max()} where n_labels is {size}; indices run from 0 to n_labels - 1")
        counts = np.where(present[..., None], np.eye(size)[said], 0.0)
    if counts.shape[2] < 2 or n_labels not in (None, counts.shape[2]):
        raise ValueError(f"n_labels is {n_labels} and the votes have {counts.shape[2]} labels; at least 2 are needed")
    return counts


def _m_step(
    p: Floats, flat: Floats, members: int, model: Model, extra: Floats, smoothing: float
) -> tuple[Floats, Floats]:
    labels = p.shape[1]
    said = (p.T @ flat).reshape(labels, members, labels).transpose(1, 0, 2) + extra
    if model == "symmetric":
        right = np.einsum("mkk->m", said) / said.sum(axis=(1, 2))
        same = np.eye(labels, dtype=bool)
        confusion = np.where(same, right[:, None, None], (1 - right[:, None, None]) / (labels - 1))
    else:
        confusion = said / said.sum(axis=2, keepdims=True)
    prior = p.sum(axis=0) + smoothing
    return confusion, prior / prior.sum()


def _e_step(flat: Floats, confusion: Floats, prior: Floats, often: Floats) -> tuple[Floats, float]:
    members, labels, _ = confusion.shape
    logs = np.log(confusion).transpose(0, 2, 1).reshape(members * labels, labels)
    log_p = flat @ logs + np.log(prior)
    top = log_p.max(axis=1, keepdims=True)
    weight = np.exp(log_p - top)
    total = weight.sum(axis=1, keepdims=True)
    # Items without votes occur 0 times: they teach nothing, not even about the prior.
    return weight / total, float(((top + np.log(total))[:, 0] * often).sum())


def _log_prior(confusion: Floats, prior: Floats, extra: Floats, smoothing: float) -> float:
    """Log-density, up to a constant, of the Dirichlet prior that the pseudo-counts stand for."""
    return float((extra * np.log(confusion)).sum() + smoothing * np.log(prior).sum())


def _naming(confusion: Floats, prior: Floats, votes: Floats) -> list[int]:
    """Which class EM calls each label: the order under which members agree with the truth most often."""
    gain = np.einsum("m,k,mkl->kl", votes / votes.sum(), prior, confusion)
    labels = len(prior)
    names = list(range(labels))
    if labels <= EXACT_PERMUTATIONS:
        best = max(permutations(names), key=lambda order: (round(_agreed(gain, order), 12), [-k for k in order]))
        return list(best)
    improved = True
    while improved:
        improved = False
        for one in range(labels):
            for two in range(one + 1, labels):
                now, then = gain[names[one], one] + gain[names[two], two], gain[names[two], one] + gain[names[one], two]
                if then > now + 1e-12:
                    names[one], names[two] = names[two], names[one]
                    improved = True
    return names


def _agreed(gain: Floats, order: tuple[int, ...]) -> float:
    return float(sum(gain[k, label] for label, k in enumerate(order)))
