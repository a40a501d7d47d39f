"""The reward of nested criteria: groups are the weighted mean of what is inside, constraints gate the whole.

    >>> aggregate([Node(score=1.0, weight=3.0), Node(children=(Node(score=0.0), Node(score=1.0)))])
    0.875
    >>> aggregate([Node(score=1.0), Node(score=None)], on_missing="skip")
    1.0

A score of None is a criterion without verdict. It never counts as 0 and never as 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from genrm.rewards.aggregate import gate, points, weighted_mean

Aggregate = Literal["weighted_mean", "points"]
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
    how: Aggregate = "weighted_mean",
    on_missing: OnMissing = "fail",
    threshold: float = 0.5,
    floor: float = 0.0,
) -> float | None:
    """The reward of the nodes at the top of a rubric, in [0, 1]; None when it has none.

    A group's score is the weighted mean of its children ("PaperBench: Evaluating AI's Ability to Replicate AI
    Research"). Constraints, wherever they stand, are no part of any mean: each must reach ``threshold`` (a fault
    must stay at or below ``1 - threshold``), else the reward is ``floor``. A rubric of constraints alone gives 1
    when all hold.

    A missing score leaves no reward under ``fail``. Under ``skip`` the criterion is left out of sum and divisor; a
    constraint, however, cannot be skipped: a gate that nobody saw open counts as unknown, and so does the reward,
    unless another gate is closed anyway.

    Args:
        nodes: the top of the tree.
        how: how the scores at the top are combined; inside groups it is always the weighted mean.
        on_missing: what a missing score means.
        threshold: the lowest score with which a constraint holds.
        floor: the reward when one does not.

    Raises:
        ValueError: ``nodes`` is empty or has no weight at all, or ``points`` finds no positive weight.
    """
    leaves = [leaf for node in nodes for leaf in _leaves(node)]
    if not leaves:
        raise ValueError("there is no criterion with a weight other than 0; give one a weight")
    gates = [_gate_score(leaf) for leaf in leaves if leaf.constraint]
    missing_gate = None in gates
    if on_missing == "fail" and any(leaf.score is None for leaf in leaves):
        return None
    seen = [score for score in gates if score is not None]
    top = [node for node in nodes if _counts(node)]
    reward = _combine(top, how) if top else 1.0
    if reward is None:
        return None
    gated = gate(reward, seen, threshold, floor)
    closed = any(score < threshold for score in seen)
    return None if missing_gate and not closed else gated


def score_of(node: Node) -> float | None:
    """The score of one node: its own, or the weighted mean of those children that have one; None without any."""
    return _combine([child for child in node.children if _counts(child)]) if node.children else node.score


def _combine(nodes: Sequence[Node], how: Aggregate = "weighted_mean") -> float | None:
    scored = [(score, node.weight) for node in nodes if (score := score_of(node)) is not None]
    if how == "points":
        if not any(node.weight > 0 for node in nodes):
            return points([0.0] * len(nodes), [node.weight for node in nodes])
        if not any(weight > 0 for _, weight in scored):
            # All that could be earned is missing, so nothing can be said about what was.
            return None
    if not scored:
        return None
    scores, weights = zip(*scored, strict=True)
    return points(scores, weights) if how == "points" else weighted_mean(scores, weights)


def _leaves(node: Node) -> Iterator[Node]:
    """The criteria that have an effect."""
    if node.weight == 0 and not node.constraint:
        return
    if not node.children:
        yield node
    for child in node.children:
        yield from _leaves(child)


def _counts(node: Node) -> bool:
    """True when the node takes part in a mean: it has weight, and not only constraints are inside."""
    return any(not leaf.constraint for leaf in _leaves(node))


def _gate_score(leaf: Node) -> float | None:
    if leaf.score is None:
        return None
    return 1 - leaf.score if leaf.weight < 0 else leaf.score
