"""The reward of nested criteria: groups are the weighted mean of what is inside, constraints gate the whole.

    >>> aggregate([Node(score=1.0, weight=3.0), Node(children=(Node(score=0.0), Node(score=1.0)))])
    0.875
    >>> aggregate([Node(score=1.0), Node(score=0.25)], how="geometric")
    0.5
    >>> aggregate([Node(score=1.0), Node(score=None)], on_missing="skip")
    1.0

A score of None is a criterion without verdict. It never counts as 0 and never as 1.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from genrm.rewards.aggregate import gate, points, weighted_mean
from genrm.rewards.cells import Rewards
from genrm.rewards.ranked import hierarchical, lexicographic
from genrm.rewards.strict import all_pass, geometric, log_sigmoid_sum, minimum, soft_min

AGGREGATES: Mapping[str, Callable[..., Rewards]] = MappingProxyType(
    {
        "weighted_mean": weighted_mean,
        "points": points,
        "all_pass": all_pass,
        "geometric": geometric,
        "min": minimum,
        "soft_min": soft_min,
        "lexicographic": lexicographic,
        "hierarchical": hierarchical,
        "log_sigmoid_sum": log_sigmoid_sum,
    }
)
"""Name in a rubric and function. ``gated`` and ``holistic`` are the weighted mean, with another gate or question."""

OnMissing = Literal["fail", "skip"]


@dataclass(frozen=True, slots=True)
class Node:
    """A criterion with its score, or a group of nodes.

    Attributes:
        score: in [0, 1]; None when there is no verdict, and in a group.
        children: what a group holds; empty for a criterion.
        weight: within its group; below 0 for a fault; 0 leaves the node and all inside it out.
        constraint: the criterion gates the reward instead of adding to it.

    Raises:
        ValueError: a value is out of range, or a group has a score or is a constraint.
    """

    score: float | None = None
    children: tuple[Node, ...] = ()
    weight: float = 1.0
    constraint: bool = False

    def __post_init__(self) -> None:
        if not math.isfinite(self.weight):
            raise ValueError(f"a weight is a finite number, found {self.weight}")
        if self.children and (self.score is not None or self.constraint):
            raise ValueError("a group has no score of its own and is no constraint")
        if self.score is not None and not 0 <= self.score <= 1:
            raise ValueError(f"a score lies in [0, 1], found {self.score}")


def aggregate(
    nodes: Sequence[Node],
    *,
    how: str = "weighted_mean",
    on_missing: OnMissing = "fail",
    threshold: float = 0.5,
    floor: float = 0.0,
    parameters: Mapping[str, Any] = MappingProxyType({}),
) -> float | None:
    """The reward of the nodes at the top of a rubric; None when it has none.

    A group's score is the weighted mean of its children ("PaperBench: Evaluating AI's Ability to Replicate AI
    Research"). Constraints, wherever they stand, are no part of any aggregate: each must reach ``threshold`` (a fault
    must stay at or below ``1 - threshold``), else the reward is ``floor``, under ``log_sigmoid_sum`` (where 0 would be
    the best there is) that of a response with which all is bad. A rubric of constraints alone gives 1
    when all hold.

    A missing score leaves no reward under ``fail``. Under ``skip`` the criterion is left out, where the aggregate can
    do without it (its docstring says so); a constraint, however, cannot be skipped: a gate that nobody saw open counts
    as unknown, and so does the reward, unless another gate is closed anyway.

    Args:
        nodes: the top of the tree.
        how: a name of :data:`AGGREGATES`: how the scores at the top are combined; inside groups it is always the
            weighted mean.
        on_missing: what a missing score means.
        threshold: the lowest score with which a constraint holds.
        floor: the reward when one does not.
        parameters: of the aggregate, by name.

    Raises:
        ValueError: ``nodes`` is empty or has no weight at all, or the aggregate refuses the weights or parameters.
    """
    leaves = [leaf for node in nodes for leaf in _leaves(node)]
    if not leaves:
        raise ValueError("there is no criterion with a weight other than 0; give one a weight")
    if on_missing == "fail" and any(leaf.score is None for leaf in leaves):
        return None
    top = counting(nodes)
    reward = _combine(top, AGGREGATES[how], parameters) if top else 1.0
    gates = [_gate_score(leaf) for leaf in leaves if leaf.constraint]
    if reward is None or not gates:
        return reward
    if top and how == "log_sigmoid_sum":
        floor = min(floor, _worst(top, parameters))
    return _number(gate(reward, _array(gates), threshold, floor, [score is not None for score in gates]))


def score_of(node: Node) -> float | None:
    """The score of one node: its own, or the weighted mean of those children that have one; None without any."""
    if not node.children:
        return node.score
    inside = counting(node.children)
    return _combine(inside, weighted_mean, {}) if inside else None


def counting(nodes: Sequence[Node]) -> list[Node]:
    """The nodes that take part in an aggregate: they have weight, and not only constraints are inside."""
    return [node for node in nodes if any(not leaf.constraint for leaf in _leaves(node))]


def _combine(nodes: Sequence[Node], function: Callable[..., Rewards], parameters: Mapping[str, Any]) -> float | None:
    if function is weighted_mean:
        return _mean(nodes)
    scores = [score_of(node) for node in nodes]
    present = [score is not None for score in scores]
    return _number(function(_array(scores), [node.weight for node in nodes], present, **parameters))


def _mean(nodes: Sequence[Node]) -> float | None:
    """:func:`weighted_mean` of a few nodes, to the last bit, without arrays: they would take most of a row's time."""
    known = [(abs(node.weight), node.weight < 0, score) for node in nodes if (score := score_of(node)) is not None]
    if not known:
        return None
    _, exponent = math.frexp(max(weight for weight, _, _ in known))
    scaled = [(math.ldexp(weight, -exponent), 1 - score if fault else score) for weight, fault, score in known]
    good, whole = _total([weight * score for weight, score in scaled]), _total([weight for weight, _ in scaled])
    return min(max(good / whole, 0.0), 1.0)


def _total(terms: list[float]) -> float:
    # Not sum(), which adds otherwise from Python 3.12 on.
    return functools.reduce(operator.add, sorted(terms))


def _worst(nodes: Sequence[Node], parameters: Mapping[str, Any]) -> float:
    """The log-sigmoid sum where all is bad: no reward of it is above 0, so a floor of 0 would close nothing."""
    worst = [1.0 if node.weight < 0 else 0.0 for node in nodes]
    return float(log_sigmoid_sum(worst, [node.weight for node in nodes], **parameters))


def _array(scores: Sequence[float | None]) -> Any:
    return np.array(scores, dtype=np.float64)


def _number(reward: Rewards) -> float | None:
    number = float(reward)
    return None if math.isnan(number) else number


def _leaves(node: Node) -> Iterator[Node]:
    """The criteria that have an effect."""
    if node.weight == 0 and not node.constraint:
        return
    if not node.children:
        yield node
    for child in node.children:
        yield from _leaves(child)


def _gate_score(leaf: Node) -> float | None:
    if leaf.score is None:
        return None
    return 1 - leaf.score if leaf.weight < 0 else leaf.score
