"""Several judges on the same items: majority, mean, and how far their errors go together.

    >>> panel_majority([[1, 1, 0], [1, 0, 2]]).label.tolist()
    [1, -1]
    >>> panel_majority([[1, 1, 0]], mask=[[True, False, False]]).mask.tolist()     # one of three is no majority
    [False]

Arrays have the shape (..., members); ``mask`` is True where a member has a verdict. A member that failed withholds its
vote: the panel does not shrink, so two failures can never leave one member to decide alone. Where there is no result
its ``mask`` is False, its label -1 and its value NaN; it never becomes a number by default.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

Z_95 = 1.959964


@dataclass(frozen=True, slots=True, eq=False)
class Elected:
    """The result of a majority.

    Attributes:
        label: shape (...), index of the elected label; -1 where there is none.
        mask: shape (...), True where there is one.
        support: shape (..., labels), share of the weight of all members, failed ones included, behind each label.
    """

    label: Ints
    mask: Bools
    support: Floats


@dataclass(frozen=True, slots=True, eq=False)
class PanelMean:
    """The result of a mean.

    Attributes:
        value: shape (...), NaN where there is none.
        mask: shape (...), True where there is one.
        std: shape (...), standard deviation (n - 1) between the members, unweighted; NaN for fewer than two.
        n: shape (...), members with a score.
    """

    value: Floats
    mask: Bools
    std: Floats
    n: Ints


@dataclass(frozen=True, slots=True, eq=False)
class ErrorCorrelation:
    """How far the errors of members go together.

    Attributes:
        r: shape (members, members), Pearson correlation of the errors (phi for right and wrong); NaN where one of the
            two never errs, always errs, or fewer than two items are shared.
        n: shape (members, members), items on which both have a verdict.
        low: lower end of the 95 % interval (Fisher's z, a normal approximation); NaN for n < 4.
        high: its upper end.
    """

    r: Floats
    n: Ints
    low: Floats
    high: Floats

    @property
    def mean(self) -> float | None:
        """Mean correlation over the pairs of different members that have one; None where no pair has."""
        pairs = self.r[np.triu_indices(len(self.r), 1)]
        known = pairs[~np.isnan(pairs)]
        return float(known.mean()) if known.size else None

    @property
    def effective_size(self) -> float | None:
        """How many independent members the panel is worth: m / (1 + (m - 1)·mean), at most m; None without a mean.

        The design effect of equally correlated votes ("Survey Sampling"). A mean of 1 makes any panel worth one member.
        """
        mean, members = self.mean, len(self.r)
        return None if mean is None else members / (1 + (members - 1) * max(mean, 0.0))


def panel_majority(
    labels: ArrayLike, weights: ArrayLike | None = None, *, n_labels: int | None = None, mask: ArrayLike | None = None
) -> Elected:
    """The label behind which stands more than half of the weight of *all* members; else none.

    Without weights every member has one vote. An exact half elects nobody. With weights log p/(1 - p) this is the best
    rule for two labels and independent members ("Optimizing group judgmental accuracy in the presence of
    interdependencies"): see :func:`log_odds_weights`.

    Args:
        labels: shape (..., members), indices from 0; what stands where ``mask`` is False is never read.
        weights: shape (members,), finite, not negative, not all 0.
        n_labels: number of labels; the largest index and one when left out.
        mask: same shape as ``labels``.

    Raises:
        ValueError: a label is no index, or weights or shapes do not fit.
    """
    names, present = _labels(labels, mask)
    share = _shares(weights, names.shape[-1])
    count = int(names.max(initial=-1)) + 1 if n_labels is None else n_labels
    if names.max(initial=-1) >= count:
        raise ValueError(f"a label is {names.max()} where n_labels is {count}; indices run from 0 to n_labels - 1")
    support = np.zeros((*names.shape[:-1], max(count, 1)))
    for label in range(count):
        support[..., label] = np.where(present & (names == label), share, 0.0).sum(axis=-1)
    best = support.argmax(axis=-1)
    # Sums of shares are rounded: a half must not become more than a half by that.
    elected = np.take_along_axis(support, best[..., None], axis=-1)[..., 0] > 0.5 + 1e-12
    return Elected(np.where(elected, best, -1), elected, np.minimum(support, 1.0))


def panel_mean(
    scores: ArrayLike, weights: ArrayLike | None = None, *, mask: ArrayLike | None = None, quorum: float = 0.5
) -> PanelMean:
    """The weighted mean of the scores of the members that have one: Σ w·s / Σ w.

    It exists only where these members hold more than ``quorum`` of the weight of all; 1 is not "more than", so
    ``quorum=0`` asks for any and a value just below 1 for all of them.

    Args:
        scores: shape (..., members), finite where present.
        weights: shape (members,), finite, not negative, not all 0.
        mask: same shape as ``scores``; True where there is a score.
        quorum: in [0, 1).

    Raises:
        ValueError: a present score is not finite, or weights, quorum or shapes do not fit.
    """
    if not 0 <= quorum < 1:
        raise ValueError(f"quorum is a share in [0, 1), found {quorum}")
    values, present = _values(scores, mask)
    share = np.where(present, _shares(weights, values.shape[-1]), 0.0)
    held = share.sum(axis=-1)
    n = present.sum(axis=-1)
    valid = held > quorum + 1e-12
    with np.errstate(invalid="ignore", divide="ignore"):
        value = (share / held[..., None] * values).sum(axis=-1)
    # Rounding must not take a mean out of the range of its scores.
    low = np.where(present, values, np.inf).min(axis=-1, initial=np.inf)
    high = np.where(present, values, -np.inf).max(axis=-1, initial=-np.inf)
    value = np.where(valid, np.clip(value, low, high), np.nan)
    return PanelMean(value, valid, _spread(values, present, n), n)


def log_odds_weights(accuracy: ArrayLike, n_labels: int = 2) -> Floats:
    """The best voting weights of independent members with symmetric errors: log(p·(K - 1) / (1 - p)).

    A member at chance level has weight 0, a worse one a negative weight: leave it out, or turn its label round.
    "Optimal Decision Rules in Uncertain Dichotomous Choice Situations"; for K labels the same likelihood ratio.

    Args:
        accuracy: shape (members,), each in (0, 1); smooth counts as (right + 1) / (n + 2) first.
        n_labels: K.

    Raises:
        ValueError: an accuracy is outside [0, 1], or is 0 or 1, whose weight would be infinite.
    """
    p = np.asarray(accuracy, dtype=np.float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"an accuracy is a share of right verdicts, from 0 to 1; found {p.tolist()}")
    if not ((p > 0) & (p < 1)).all():
        raise ValueError("an accuracy of 0 or 1 has an infinite weight; smooth it, as in (right + 1) / (n + 2)")
    if n_labels < 2:
        raise ValueError(f"n_labels is at least 2, found {n_labels}")
    result: Floats = np.log(p) + np.log(n_labels - 1) - np.log1p(-p)
    return result


def label_errors(
    labels: ArrayLike, truth: ArrayLike, *, mask: ArrayLike | None = None, truth_mask: ArrayLike | None = None
) -> tuple[Floats, Bools]:
    """1.0 where a member is wrong and 0.0 where it is right, with the mask of what is known.

    The truth may be given labels or a consensus (``panel_majority(...)`` with its mask, ``dawid_skene(...)``). Against
    a consensus members that shaped it look better than they are, and errors that all share stay unseen.

    Args:
        labels: shape (items, members).
        truth: shape (items,).
    """
    names, present = _labels(labels, mask)
    true, known = _labels(truth, truth_mask)
    if names.shape[:-1] != true.shape:
        raise ValueError(f"labels of the shape {names.shape} need a truth of {names.shape[:-1]}, found {true.shape}")
    present = present & known[..., None]
    return np.where(present & (names != true[..., None]), 1.0, 0.0), present


def error_correlation(errors: ArrayLike, *, mask: ArrayLike | None = None) -> ErrorCorrelation:
    """Pairwise correlation of the errors of members, each pair over the items that both have.

    Panels help as far as errors are independent: "Optimizing group judgmental accuracy in the presence of
    interdependencies".

    Args:
        errors: shape (items, members): 0 and 1 as of :func:`label_errors`, or signed residuals of scores.
        mask: same shape, True where known.
    """
    values, present = _values(errors, mask)
    if values.ndim != 2:
        raise ValueError(f"errors have the shape (items, members), found {values.shape}")
    # Correlation knows no unit: with the largest error at 1 and the mean near 0 no square overflows or cancels.
    top = np.abs(values).max(axis=0, initial=0.0)
    x = values / np.where(top > 0, top, 1.0)
    seen = present.astype(np.float64)
    x = np.where(present, x - (x * seen).sum(axis=0) / np.maximum(seen.sum(axis=0), 1), 0.0)
    n = seen.T @ seen
    with np.errstate(invalid="ignore", divide="ignore"):
        one, two = (x.T @ seen) / n, (seen.T @ x) / n
        var_one, var_two = ((x**2).T @ seen) / n - one**2, (seen.T @ x**2) / n - two**2
        var_one, var_two = np.where(var_one > 1e-14, var_one, np.nan), np.where(var_two > 1e-14, var_two, np.nan)
        r = np.clip(((x.T @ x) / n - one * two) / np.sqrt(var_one * var_two), -1.0, 1.0)
        r = np.where(n >= 2, r, np.nan)
        middle, half = np.arctanh(np.clip(r, -1 + 1e-12, 1 - 1e-12)), Z_95 / np.sqrt(np.where(n > 3, n - 3, np.nan))
    return ErrorCorrelation(r, n.astype(np.int64), np.tanh(middle - half), np.tanh(middle + half))


def _labels(labels: ArrayLike, mask: ArrayLike | None) -> tuple[Ints, Bools]:
    """Indices with -1 where there is none, and the mask."""
    array = np.asarray(labels)
    present = np.ones(array.shape, dtype=bool) if mask is None else np.asarray(mask, dtype=bool)
    if present.shape != array.shape:
        raise ValueError(f"labels of the shape {array.shape} came with a mask of {present.shape}")
    if array.size and array.dtype.kind not in "iu":
        raise ValueError(f"labels are whole numbers, found {array.dtype}; number the labels from 0")
    names = np.where(present, array, -1).astype(np.int64)
    if (names[present] < 0).any():
        raise ValueError("a label is negative; mark a member that failed with mask=False instead")
    return names, present


def _values(scores: ArrayLike, mask: ArrayLike | None) -> tuple[Floats, Bools]:
    """Scores with 0 where there is none, and the mask; every use of them looks at the mask."""
    array = np.asarray(scores, dtype=np.float64)
    present = np.ones(array.shape, dtype=bool) if mask is None else np.asarray(mask, dtype=bool)
    if array.ndim == 0 or present.shape != array.shape:
        raise ValueError(f"scores of the shape {array.shape} came with a mask of {present.shape}")
    if not np.isfinite(array[present]).all():
        raise ValueError("a score is NaN or infinite; mark a member that failed with mask=False instead")
    return np.where(present, array, 0.0), present


def _shares(weights: ArrayLike | None, members: int) -> Floats:
    """Weights that sum to 1."""
    if members == 0:
        raise ValueError("a panel has at least one member")
    w = np.ones(members) if weights is None else np.asarray(weights, dtype=np.float64)
    if w.shape != (members,):
        raise ValueError(f"{members} members need as many weights, found the shape {w.shape}")
    if not np.isfinite(w).all() or (w < 0).any() or not w.any():
        raise ValueError(f"weights are finite, not negative and not all 0, found {w.tolist()}")
    w = w / w.max()
    share: Floats = w / w.sum()
    return share


def _spread(values: Floats, present: Bools, n: Ints) -> Floats:
    top = np.abs(values).max(axis=-1, keepdims=True, initial=0.0)
    unit = np.where(top > 0, top, 1.0)
    x = values / unit
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(present, x, 0.0).sum(axis=-1) / n
        square = np.where(present, (x - mean[..., None]) ** 2, 0.0).sum(axis=-1) / (n - 1)
        std: Floats = np.where(n > 1, np.sqrt(np.maximum(square, 0.0)), np.nan) * unit[..., 0]
    return std
