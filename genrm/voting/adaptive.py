"""Adaptive voting: stop asking when more votes would hardly change the decision.

    >>> stopping = Stopping(min=3, max=16, stop=0.95, rule=Rule("majority"))
    >>> result = adaptive_vote(iter(["yes"] * 16), stopping, scale={"no": 0.0, "yes": 1.0})
    >>> result.used, result.decision, round(result.p_change, 3)
    (4, 'yes', 0.02)

After each round the probability that the decision after ``max`` votes is another than the present one is stated
(:mod:`genrm.voting.posterior`); at ``1 - stop`` or below, no more votes are asked. Looking after every vote costs
nothing: the posterior depends on the votes alone, not on why one stopped. What is stated is honest on average over
samples whose label shares are no more even than the prior says, and cautious where judges are surer than that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from genrm.voting.posterior import LABEL_RULES, PRIOR, Change, change_of_labels
from genrm.voting.rule import Rule
from genrm.voting.single import vote
from genrm.voting.soft_posterior import change_of_numbers, change_of_soft

ADAPTIVE = frozenset({"mean", "median", "trimmed_mean", "majority", "quantile", "min", "max", "robust", "soft"} | {
    "mean_minus_var", "mean_minus_std", "log_mean_exp"
})  # fmt: skip
"""Rules with a decision that a stopping rule can foresee."""

STOP = 0.97
"""The default: on judges of Beta(0.3, 0.3) 99 % of the decisions of sixteen votes with about a third of them."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """When to stop.

    Attributes:
        min, max: fewest and most votes.
        stop: the probability, in (0, 1], with which the decision has to stand.
        rule: how the votes become one.
        tolerance: for rules that give a value: a value that moves by no more is the same decision.
        prior: pseudo-votes of the Dirichlet prior over all labels.
        concentration: how closely the judge's probabilities repeat from vote to vote, measured on other samples
            (:func:`genrm.voting.concentration.fit_concentration`); for soft votes and expected scores.

    Raises:
        ValueError: a number is out of range, or the rule cannot be foreseen.
    """

    min: int = 3
    max: int = 16
    stop: float = STOP
    rule: Rule = Rule("majority")  # noqa: RUF009 (frozen)
    tolerance: float = 0.05
    prior: float = PRIOR
    concentration: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.min <= self.max:
            raise ValueError(f"min is at least 1 and at most max, found min {self.min} and max {self.max}")
        if not 0 < self.stop <= 1:
            raise ValueError(f"stop is a probability above 0, found {self.stop}")
        if self.tolerance < 0 or self.prior <= 0:
            raise ValueError("tolerance is at least 0 and prior above 0")
        if self.concentration is not None and not 0 < self.concentration < np.inf:
            raise ValueError(f"a concentration is a finite number above 0, found {self.concentration}")
        if self.rule.name not in ADAPTIVE:
            raise ValueError(f"votes cannot be adaptive with rule {self.rule.name}; use {', '.join(sorted(ADAPTIVE))}")

    def enough(self, change: Change | None) -> bool:
        """Whether the stated probability is low enough; a simulated one with two standard errors to spare."""
        return change is not None and change.p + 2 * change.error <= 1 - self.stop + 1e-12


@dataclass(frozen=True, slots=True)
class Stopped:
    """What an adaptive vote came to.

    Attributes:
        used: number of votes that were taken.
        decision: the voted label under ``majority`` and ``soft``, else the value.
        p_change: stated probability that all ``max`` votes would have decided otherwise.
    """

    used: int
    decision: str | float
    p_change: float


def stated(
    labels: Sequence[str],
    stopping: Stopping,
    scale: Mapping[str, float],
    *,
    p: Sequence[Mapping[str, float]] | None = None,
    scores: Sequence[float] | None = None,
    left: int | None = None,
) -> Change | None:
    """The stated probability that more votes would change the decision on these; None without votes.

    Args:
        labels: what each vote said.
        scale: the score of each label.
        p: the distribution of each vote; needed for rule ``soft``.
        scores: of the votes, where they are not those of the labels (expected scores); not
            for ``majority`` and ``soft``, which decide on a label.
        left: votes that can still be asked; ``max`` less the votes that are here when left out. Less where some failed.

    Raises:
        ValueError: rule soft without p.
    """
    if not labels:
        return None
    names = sorted(scale, key=lambda name: (scale[name], name))
    values = [scale[name] for name in names]
    total = len(labels) + (max(stopping.max - len(labels), 0) if left is None else left)
    if stopping.rule.name == "soft":
        if p is None:
            raise ValueError("rule soft needs the label distribution of each vote; use majority where there is none")
        votes = [[one.get(name, 0.0) for name in names] for one in p]
        return change_of_soft(votes, values, total, concentration=stopping.concentration)
    own = scores is not None and any(abs(s - scale[name]) > 1e-9 for s, name in zip(scores, labels, strict=True))
    if own and scores is not None and stopping.rule.name not in LABEL_RULES:
        return change_of_numbers(
            scores, total, stopping.rule, tolerance=stopping.tolerance, concentration=stopping.concentration
        )
    counts = [list(labels).count(name) for name in names]
    return change_of_labels(counts, values, total, stopping.rule, tolerance=stopping.tolerance, prior=stopping.prior)


def next_round(labels: Sequence[str], stopping: Stopping, scale: Mapping[str, float]) -> int:
    """How many votes to ask at once: the fewest after which one could stop, if all of them said the commonest label.

    Asking fewer would only add a round; at least 1, and no more than are left. For soft votes and values it is 1.
    """
    left = stopping.max - len(labels)
    if not labels:
        return stopping.min
    if stopping.rule.name != "majority":
        return min(1, left)
    top = vote([scale[name] for name in labels], "majority", labels=labels).label
    for more in range(1, left):
        if stopping.enough(stated([*labels, *[top or ""] * more], stopping, scale)):
            return more
    return left


def adaptive_vote(
    stream: Iterable[str | Mapping[str, float]], stopping: Stopping, *, scale: Mapping[str, float]
) -> Stopped:
    """Take votes from a stream until they suffice.

    Args:
        stream: labels; or label distributions under rule ``soft`` or ``mean`` (whose score is the expected one).
        scale: the score of each label.

    Raises:
        ValueError: the stream is empty, or the rule needs what the votes do not have.
    """
    labels: list[str] = []
    distributions: list[Mapping[str, float]] = []
    change: Change | None = None
    for given in stream:
        if isinstance(given, str):
            labels.append(given)
        else:
            distributions.append(given)
            labels.append(max(given, key=lambda name: (given[name], -scale[name])))
        if len(labels) < stopping.min:
            continue
        change = _stated(labels, distributions, stopping, scale)
        if stopping.enough(change) or len(labels) >= stopping.max:
            break
    if not labels:
        raise ValueError("there is no vote in the stream")
    change = change or _stated(labels, distributions, stopping, scale)
    soft = distributions or None
    scores = [scale[name] for name in labels] if not soft else _expected(distributions, scale)
    voted = vote(scores, stopping.rule, labels=labels, p=soft, scale=scale)
    decision = voted.label if stopping.rule.name in LABEL_RULES and voted.label is not None else voted.value
    return Stopped(len(labels), decision, change.p if change else 0.0)


def _stated(
    labels: Sequence[str], p: Sequence[Mapping[str, float]], stopping: Stopping, scale: Mapping[str, float]
) -> Change | None:
    if p and len(p) != len(labels):
        raise ValueError("a stream has labels or distributions, not both")
    return stated(labels, stopping, scale, p=p or None, scores=_expected(p, scale) if p else None)


def _expected(p: Sequence[Mapping[str, float]], scale: Mapping[str, float]) -> list[float]:
    return [float(np.clip(sum(one[name] * scale[name] for name in one), 0.0, 1.0)) for one in p]
