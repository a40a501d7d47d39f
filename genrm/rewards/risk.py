"""Costs, risk and doubt: rewards that stay away from what may be bad.

>>> budget = Dual(limit=0.1, rate=0.5)
>>> budget = budget.update([0.3, 0.5])
>>> round(budget.multiplier, 3), lagrangian([1.0, 1.0], [0.0, 1.0], multiplier=budget.multiplier).round(3).tolist()
(1.15, [0.465, -0.07])
>>> quantile_risk([0.2, 0.4, 0.9, 1.0], lowest=0.5).round(3).item(), abstain([0.9, 0.8], [0.05, 0.4]).tolist()
(0.3, [0.9, nan])
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from genrm.rewards.groups import Floats, mean, read, same_shape
from genrm.rewards.shaping import Parameter, shape


@dataclass(frozen=True, slots=True)
class Dual:
    """The price of a cost, which follows how much of it there is. Immutable: :meth:`update` returns the next one.

    "Safe RLHF: Safe Reinforcement Learning from Human Feedback"; here with plain gradient ascent on the dual.

    Attributes:
        multiplier: the price λ, 0 or more.
        limit: the mean cost that is allowed.
        rate: how fast the price moves, above 0.
        maximum: the highest price.

    Raises:
        ValueError: a value is out of range.
    """

    multiplier: float = 1.0
    limit: float = 0.0
    rate: float = 0.1
    maximum: float = 100.0

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) for value in (self.multiplier, self.limit, self.rate, self.maximum)):
            raise ValueError(f"a dual has finite values, found {self}")
        if not 0 <= self.multiplier <= self.maximum or self.rate <= 0:
            raise ValueError(f"0 <= multiplier <= maximum and rate > 0 are needed, found {self}")

    def update(self, costs: ArrayLike, *, mask: ArrayLike | None = None) -> Dual:
        """``λ' = clip(λ + rate * (mean cost - limit), 0, maximum)``.

        Args:
            costs: any shape, at least one present: the costs of a batch.
            mask: the same shape, True = present.

        Raises:
            ValueError: no cost is present, or one is not finite; a step without costs is no reason to relax.
        """
        batch = read(costs, mask, "costs")
        if not batch.mask.any():
            raise ValueError("no cost is present, so the multiplier cannot be updated; skip the update")
        level = float(mean(batch.values.reshape(1, -1), batch.mask.reshape(1, -1))[0, 0])
        return replace(self, multiplier=min(max(self.multiplier + self.rate * (level - self.limit), 0.0), self.maximum))


@shape(
    "lagrangian",
    summary="Subtracts a cost at a price that rises while the cost is above its limit (Dual.update).",
    formula="(r − λ·c) / (1 + λ), λ = multiplier; λ' = clip(λ + rate·(mean c − limit), 0, maximum)",
    paper="Safe RLHF: Safe Reinforcement Learning from Human Feedback",
    missing="A sample whose cost or score is missing is NaN: an unknown cost is not free.",
    needs=("score", "cost"),
    parameters=(
        Parameter("multiplier", "the price λ of the cost", low=0),
        Parameter("normalise", "divide by 1 + λ, which keeps the scale", choices=(True, False)),
    ),
)
def lagrangian(
    scores: ArrayLike,
    costs: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    cost_mask: ArrayLike | None = None,
    multiplier: float = 1.0,
    normalise: bool = True,
) -> Floats:
    """``(r - λ c) / (1 + λ)``.

    "Safe RLHF: Safe Reinforcement Learning from Human Feedback".

    Args:
        scores: any shape.
        costs: the same shape; high is bad.
        mask, cost_mask: the same shape, True = present.
        multiplier: λ, from a :class:`Dual`.
        normalise: whether to divide.

    Raises:
        ValueError: a present value is not finite, or shapes differ.
    """
    own, paid = read(scores, mask), read(costs, cost_mask, "costs")
    both = same_shape(own, paid, "scores and costs")
    share = 1 + multiplier if normalise else 1.0
    with np.errstate(over="ignore"):
        return np.where(both, own.values / share - (multiplier / share) * paid.values, np.nan)


@shape(
    "quantile_risk",
    summary="The mean of the worst votes or judges instead of all: a response that may be bad is rewarded as such.",
    formula="mean of the lowest q of the votes (the vote on the border counts in part)",
    paper="Quantile Regression for Distributional Reward Models in RLHF",
    missing="No vote: fallback (NaN by default). Missing votes do not count.",
    needs=("votes",),
    parameters=(
        Parameter("lowest", "share q of the votes that counts; 1 is the mean, towards 0 the minimum", 0, 1, "low"),
        Parameter("fallback", "the reward of a sample without votes; none = no reward", optional=True),
    ),
)
def quantile_risk(
    votes: ArrayLike, *, mask: ArrayLike | None = None, lowest: float = 0.5, fallback: float | None = None
) -> Floats:
    """Mean of the lowest ``q`` of the votes (conditional value at risk), shape (…).

    "Quantile Regression for Distributional Reward Models in RLHF" takes risk-averse rewards from a distribution of
    scores; here it is that of votes or judges. Of n votes the lowest ``q n`` count, a part of a vote as that part.

    Args:
        votes: shape (…, votes).
        mask: the same shape, True = present.
        lowest: q, in (0, 1].
        fallback: for a sample without votes.

    Raises:
        ValueError: a present vote is not finite, or there is no axis.
    """
    given = read(votes, mask, "votes", axes=1)
    n = given.mask.sum(axis=-1, keepdims=True)
    ranked = np.sort(np.where(given.mask, given.values, np.inf), axis=-1)
    weight = np.clip(lowest * n - np.arange(ranked.shape[-1]), 0.0, 1.0)
    part = np.where(weight > 0, ranked, 0.0) * (weight / np.where(n > 0, lowest * n, 1.0))
    other = np.nan if fallback is None else fallback
    return np.where(n > 0, part.sum(axis=-1, keepdims=True), other)[..., 0]


@shape(
    "abstain",
    summary="No reward where the judge is not sure: such samples are left out of training.",
    formula="r if uncertainty ≤ most, else no reward",
    paper="Uncertainty-aware Reward Model: Teaching Reward Models to Know What is Unknown",
    missing="An unknown uncertainty abstains: NaN.",
    needs=("score", "uncertainty"),
    parameters=(Parameter("most", "the uncertainty that is still accepted", low=0),),
)
def abstain(
    scores: ArrayLike,
    uncertainty: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    uncertainty_mask: ArrayLike | None = None,
    most: float = 0.2,
) -> Floats:
    """The score where its uncertainty is at most ``most``; NaN, which is no reward, elsewhere.

    "Uncertainty-aware Reward Model: Teaching Reward Models to Know What is Unknown".

    Args:
        scores: any shape.
        uncertainty: the same shape, 0 or more: a standard deviation or error, such as ``reward_std``.
        mask, uncertainty_mask: the same shape, True = present.
        most: in units of the uncertainty.

    Raises:
        ValueError: a present value is not finite, an uncertainty is negative, or shapes differ.
    """
    own, doubt = read(scores, mask), read(uncertainty, uncertainty_mask, "uncertainties")
    both = same_shape(own, doubt, "scores and uncertainties")
    if (doubt.values[doubt.mask] < 0).any():
        raise ValueError("uncertainties are 0 or more, found a negative one")
    return np.where(both & (np.where(doubt.mask, doubt.values, np.inf) <= most), own.values, np.nan)
