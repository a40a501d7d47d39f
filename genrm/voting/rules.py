"""Several votes on one criterion become one value, with its spread. Pure functions over arrays.

    >>> vote([1.0, 0.0, 1.0], "majority", labels=["yes", "no", "yes"])
    Voted(value=1.0, label='yes', std=0.5773502691896258, se=0.33333333333333337, agreement=0.6666666666666666, n=3)

A vote that failed is no number: leave it out before; an empty vote raises. No result depends on the order of the
votes. Votes of one judge share its errors: their spread says how unsure the judge is, not how wrong.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

Rule = Literal["mean", "median", "majority"]


@dataclass(frozen=True, slots=True)
class Voted:
    """What ``n`` votes say together.

    Attributes:
        value: the voted score, within the range of the scores.
        label: the label that stands for it; None when no labels were given.
        std: standard deviation of the scores (with n - 1); None for a single vote, which has no spread.
        se: standard error of their mean, ``std / sqrt(n)``; None for a single vote.
        agreement: share of the votes that said ``label``, in (0, 1]; None when no labels were given.
        n: number of votes.
    """

    value: float
    label: str | None
    std: float | None
    se: float | None
    agreement: float | None
    n: int


def vote(scores: ArrayLike, rule: Rule, *, labels: Sequence[str] | None = None) -> Voted:
    """One value from several votes.

    ``mean`` and ``median`` work on the scores, and the label is the voted one whose score is nearest to the value,
    the lower one when two are equally near. ``majority`` takes the most frequent label (the most frequent score
    without labels) and the mean score of its votes. In a tie the label nearest to the mean of all votes wins, then
    the lower one: a tie never rounds up. "Self-Consistency Improves Chain of Thought Reasoning in Language Models".

    Args:
        scores: shape (n,), finite.
        rule: how to combine them.
        labels: shape (n,), what each vote said.

    Raises:
        ValueError: there is no vote, a score is None or not finite, the lengths differ or the rule is unknown.
    """
    values = _finite(scores)
    names = [str(value) for value in values] if labels is None else list(labels)
    label = winner(names, values, rule)
    mean = _mean(values)
    match rule:
        case "mean":
            value = mean
        case "median":
            value = float(np.median(values))
        case "majority":
            value = _label_means(names, values)[label]
    std = se = None
    if len(values) > 1:
        std = math.sqrt(math.fsum((score - mean) ** 2 for score in values) / (len(values) - 1))
        se = std / math.sqrt(len(values))
    if labels is None:
        return Voted(value, None, std, se, None, len(values))
    return Voted(value, label, std, se, names.count(label) / len(names), len(values))


def winner(labels: Sequence[str], scores: ArrayLike, rule: Rule) -> str:
    """The voted label that stands for the result of ``rule``: see :func:`vote`, which agrees with it.

    Args:
        labels: shape (n,), what each vote said.
        scores: shape (n,), the score of each vote.
        rule: how to combine them.

    Raises:
        ValueError: as :func:`vote`.
    """
    values = _finite(scores)
    if len(labels) != len(values):
        raise ValueError(f"{len(values)} scores came with {len(labels)} labels; each vote has one of both")
    means = _label_means(labels, values)
    match rule:
        case "mean":
            return nearest_label(_mean(values), means)
        case "median":
            return nearest_label(float(np.median(values)), means)
        case "majority":
            counts = Counter(labels)
            top = max(counts.values())
            return nearest_label(_mean(values), {name: means[name] for name in means if counts[name] == top})
        case _:
            raise ValueError(f"rule {rule!r} is unknown; use mean, median or majority")


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


def pooled(distributions: Sequence[Mapping[str, float]]) -> dict[str, float]:
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


def _finite(scores: ArrayLike) -> list[float]:
    # None becomes NaN here, and both are refused.
    array = np.asarray(scores, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"scores have the shape (n,), found {array.shape}")
    if array.size == 0:
        raise ValueError("an empty vote has no value; a criterion without verdict has failed")
    if not np.isfinite(array).all():
        raise ValueError("scores hold None, NaN or infinity; leave failed votes out before voting")
    return [float(value) for value in array]


def _mean(values: Sequence[float]) -> float:
    # fsum adds exactly, so the order of the votes does not matter.
    return math.fsum(values) / len(values)


def _label_means(labels: Sequence[str], values: Sequence[float]) -> dict[str, float]:
    """The mean score of the votes that said each label."""
    groups: dict[str, list[float]] = {}
    for label, value in zip(labels, values, strict=True):
        groups.setdefault(label, []).append(value)
    return {label: _mean(group) for label, group in groups.items()}
