"""Several votes on one criterion become one value, with its spread: :func:`genrm.voting.vote_array` for one sample.

    >>> voted = vote([1.0, 0.0, 1.0], "majority", labels=["yes", "no", "yes"])
    >>> voted.value, voted.label, voted.std, voted.n
    (1.0, 'yes', 0.5773502691896258, 3)

A vote that failed is no number: leave it out before; an empty vote raises.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from genrm.voting.rule import NEEDS_P, Rule
from genrm.voting.rules import vote_array

Distribution = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Voted:
    """What ``n`` votes say together.

    Attributes:
        value: the voted score; within the range of the scores, but for sum, mean_minus_var and mean_minus_std.
        label: the label that stands for it; None when no labels were given.
        std: standard deviation of the scores (with n - 1); None for a single vote, which has no spread.
        se: standard error of their mean, ``std / sqrt(n)``; None for a single vote.
            :func:`genrm.voting.jackknife_se` has one for the value of any rule.
        agreement: share of the votes that said ``label``, in [0, 1]; None when no labels were given.
        n: number of votes.
        p: the mixture of the votes' label distributions, or the shares of the labels they said; None without labels.
        within: mean variance of the score inside the votes' distributions: each vote's own doubt. None without them.
        between: variance (over n) of the votes' means: what changes from vote to vote. None for a single vote.
    """

    value: float
    label: str | None
    std: float | None
    se: float | None
    agreement: float | None
    n: int
    p: Distribution | None = None
    within: float | None = None
    between: float | None = None


def vote(
    scores: ArrayLike,
    rule: Rule | str | Mapping[str, Any],
    *,
    labels: Sequence[str] | None = None,
    p: Sequence[Distribution] | None = None,
    scale: Mapping[str, float] | None = None,
    weights: ArrayLike | None = None,
) -> Voted:
    """One value from several votes; the rules are those of :func:`genrm.voting.vote_array`.

    For the rules on scores the label is the voted one whose score is nearest to the value, the lower one when two are
    equally near. In a tie of labels the one nearest to the mean of all votes wins, then the lower one: a tie never
    rounds up.

    Args:
        scores: shape (n,), finite.
        rule: how to combine them: a name, ``{name: parameter}`` or a :class:`Rule`.
        labels: shape (n,), what each vote said.
        p: the label distribution of each vote. Needs ``scale``.
        scale: the score of each label; the distributions and what was said have no other.
        weights: shape (n,), at least 0; for the rules that weigh votes.

    Raises:
        ValueError: there is no vote, a score is None or not finite, the lengths differ, or the rule is unknown or lacks
            what it needs.
    """
    rule = Rule.parse(rule)
    values = _finite(scores)
    names: tuple[str, ...] | None = None
    codes = matrix = column = None
    if p is not None and len(p) != len(values):
        raise ValueError(f"{len(values)} scores came with {len(p)} distributions; each vote has one of both")
    if p is not None and scale is None:
        raise ValueError("distributions came without the scores of their labels; pass scale")
    if labels is not None:
        if len(labels) != len(values):
            raise ValueError(f"{len(values)} scores came with {len(labels)} labels; each vote has one of both")
        unknown = sorted(set(labels) - set(scale)) if scale is not None else []
        if unknown:
            raise ValueError(f"labels {unknown} are not on the scale {list(scale or ())}")
    if scale is not None:
        # Labels of equal score stand in the order of their names, so that no tie depends on how the scale is written.
        names = tuple(sorted(scale, key=lambda name: (scale[name], name)))
        column = np.array([scale[name] for name in names])
    elif labels is not None:
        names = tuple(sorted(set(labels)))
    if p is not None and names is not None:
        pooled(p)
        stray = sorted({name for one in p for name in one} - set(names))
        if stray:
            raise ValueError(f"distributions hold labels {stray}, which are not on the scale {list(names)}")
    if len(values) == 1 and labels is not None and names is not None and weights is None and rule.name not in NEEDS_P:
        return lone(float(values[0]), labels[0], None if p is None else p[0], scale)
    if labels is not None and names is not None:
        place = {name: code for code, name in enumerate(names)}
        codes = np.array([place[label] for label in labels], dtype=np.int64)
    if p is not None and names is not None:
        matrix = np.array([[one.get(name, 0.0) for name in names] for one in p])
    voted = vote_array(values, rule, codes=codes, p=matrix, values=column, weights=weights)
    if not voted.n:
        raise ValueError("every vote has weight 0, so there is no value; a criterion without verdict has failed")
    label = names[int(voted.label)] if names is not None and voted.label >= 0 else None
    shares = None if voted.p is None or names is None else dict(zip(names, map(float, voted.p), strict=False))
    return Voted(
        float(voted.value),
        label,
        _known(voted.std),
        _known(voted.se),
        _known(voted.agreement),
        int(voted.n),
        shares,
        _known(voted.within),
        _known(voted.between),
    )


def lone(score: float, label: str, p: Distribution | None, scale: Mapping[str, float] | None) -> Voted:
    """:func:`vote` on one vote: it stands under every rule on scores and under majority, and needs no arrays.

    Raises:
        ValueError: ``p`` is no distribution.
    """
    within = None
    names = (label,) if scale is None else sorted(scale, key=lambda name: (scale[name], name))
    shares = {name: 1.0 if name == label else 0.0 for name in names}
    if p is not None and scale is not None:
        pooled([p])
        total = math.fsum(p.values())
        shares = {name: p.get(name, 0.0) / total for name in names}
        mean = math.fsum(share * scale[name] for name, share in shares.items())
        within = math.fsum(share * (scale[name] - mean) ** 2 for name, share in shares.items())
    return Voted(score, label, None, None, 1.0, 1, shares, within)


def winner(labels: Sequence[str], scores: ArrayLike, rule: Rule | str | Mapping[str, Any]) -> str:
    """The voted label that stands for the result of ``rule``: see :func:`vote`, which agrees with it.

    Raises:
        ValueError: as :func:`vote`.
    """
    label = vote(scores, rule, labels=labels).label
    if label is None:
        raise ValueError("no label was voted; pass the distributions to vote instead")
    return label


def nearest_label(value: float, scale: Mapping[str, float]) -> str:
    """The label of ``scale`` (label -> score) whose score is nearest to ``value``; of two equally near the lower.

    Raises:
        ValueError: the scale has no label.
    """
    if not scale:
        raise ValueError("no label can stand for a value when there is none")
    best = min(abs(score - value) for score in scale.values())
    near = [label for label, score in scale.items() if math.isclose(abs(score - value), best, abs_tol=1e-12)]
    return min(near, key=lambda label: (scale[label], label))


def pooled(distributions: Sequence[Distribution]) -> dict[str, float]:
    """The equal mixture of label distributions: the mean probability per label, labels in order of first sight.

    A label that one of them does not list has probability 0 there.

    Raises:
        ValueError: there is none, or one does not sum to 1 (within 1e-3) or has a negative or non-finite entry.
    """
    if not distributions:
        raise ValueError("no distribution to pool; leave out the criterion instead")
    for index, distribution in enumerate(distributions):
        weights = distribution.values()
        if not all(math.isfinite(p) and p >= 0 for p in weights) or abs(math.fsum(weights) - 1) > 1e-3:
            raise ValueError(f"distribution {index} is none: {dict(distribution)}")
    names = dict.fromkeys(name for distribution in distributions for name in distribution)
    n = len(distributions)
    return {name: math.fsum(distribution.get(name, 0.0) for distribution in distributions) / n for name in names}


def _finite(scores: ArrayLike) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    # None becomes NaN here, and both are refused.
    array = np.asarray(scores, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"scores have the shape (n,), found {array.shape}")
    if array.size == 0:
        raise ValueError("an empty vote has no value; a criterion without verdict has failed")
    if not np.isfinite(array).all():
        raise ValueError("scores hold None, NaN or infinity; leave failed votes out before voting")
    return array


def _known(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)
