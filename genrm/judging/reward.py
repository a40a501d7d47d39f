"""From criterion scores to the reward: the aggregate, the gates and the shape of a rubric, and the parts to show.

    >>> from genrm.specs.rubric import Rubric
    >>> criteria = [{"id": "a", "ask": "?"}, {"id": "b", "ask": "?"}]
    >>> rubric = Rubric.model_validate({"name": "x", "criteria": criteria, "reward": {"aggregate": "min"}})
    >>> reward_of(rubric, {"a": 1.0, "b": 0.25})
    0.25

Live judging, re-scoring and the spread over votes all come through here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from genrm.errors import Fault, SpecError
from genrm.rewards.tree import Node, aggregate, counting, score_of
from genrm.specs.criterion import Criterion
from genrm.specs.reward import Gated, Hierarchical, Holistic
from genrm.specs.rubric import Rubric

Scores = Mapping[str, float | None]
"""Per criterion id its score in [0, 1]; None where there is no verdict."""


def reward_of(rubric: Rubric, scores: Scores) -> float | None:
    """The reward; None when ``on_missing`` or the aggregate says that too much is missing.

    Raises:
        ValueError: the weights of the criteria cannot be aggregated.
    """
    return _shaped(rubric, combined(rubric, scores))


def combined(rubric: Rubric, scores: Scores) -> float | None:
    """The score of the rubric, gates included, before the shape. Raises ValueError as :func:`reward_of`."""
    nodes = [_node(criterion, scores) for criterion in rubric.scored]
    rule = rubric.reward.rule
    match rule:
        case Gated(threshold=threshold, floor=floor):
            return aggregate(nodes, on_missing=rubric.on_missing, threshold=threshold, floor=floor)
        case Holistic():
            return aggregate(nodes, on_missing=rubric.on_missing)
        case Hierarchical(holistic=name, threshold=threshold):
            names = {id(node): criterion.id for node, criterion in zip(nodes, rubric.scored, strict=True)}
            place = [names[id(node)] for node in counting(nodes)].index(name)
            parameters: dict[str, Any] = {"holistic": place, "threshold": threshold}
        case _:
            parameters = rule.model_dump()
    return aggregate(nodes, how=rule.name, on_missing=rubric.on_missing, parameters=parameters)


def reward_parts(rubric: Rubric, scores: Scores) -> dict[str, Any] | None:
    """What the reward was made of, for the output row; None where it is the weighted mean of single criteria.

    ``score`` is what the shape was given; ``groups`` has the scores of groups, ``closed`` the constraints that failed.
    """
    scored = rubric.scored
    gates = [leaf for leaf in rubric.leaves() if leaf.constraint]
    if rubric.reward.is_plain and not gates and not any(criterion.is_group for criterion in scored):
        return None
    nodes = [_node(criterion, scores) for criterion in scored]
    groups = {criterion.id: score_of(node) for criterion, node in _groups(scored, nodes)}
    rule = rubric.reward.rule
    threshold = rule.threshold if isinstance(rule, Gated) else 0.5
    parts: dict[str, Any] = {
        "aggregate": rule.name,
        "score": combined(rubric, scores),
        "shape": rubric.reward.shaping[0],
    }
    if groups:
        parts["groups"] = groups
    if gates:
        parts["closed"] = [leaf.id for leaf in gates if _closed(leaf, scores.get(leaf.id), threshold)]
    return parts


def top_scores(rubric: Rubric, scores: Scores) -> tuple[tuple[float | None, ...], tuple[float, ...]]:
    """Scores and weights of the criteria at the top, groups as one; constraints gate, and have no part in it."""
    nodes = counting([_node(criterion, scores) for criterion in rubric.scored])
    return tuple(score_of(node) for node in nodes), tuple(node.weight for node in nodes)


def check_alone(rubric: Rubric) -> None:
    """Refuse a shape that needs more than one row has, before any call is made.

    Raises:
        SpecError: the message says what the shape needs and where it is applied.
    """
    if not (needs := rubric.reward.needs):
        return
    name = rubric.reward.shaping[0]
    message = f"shape {name} needs {', '.join(needs)}, which is not known where rows are judged or re-scored one by one"
    fix = (
        "judge with --reward '{shape: identity}', then: genrm rewards apply OUT -r RUBRIC --input IN -o NEW; in "
        "training, a RewardFunction applies it to each batch"
    )
    raise SpecError(Fault(message, field="reward.shape", value=name, fix=fix))


def _closed(leaf: Criterion, score: float | None, threshold: float) -> bool:
    return score is not None and (1 - score if leaf.effective_weight < 0 else score) < threshold


def _shaped(rubric: Rubric, score: float | None) -> float | None:
    name, parameters = rubric.reward.shaping
    if score is None or name == "identity":
        return score
    from genrm.rewards.shaping import shapes

    shaped = float(shapes()[name](score, **parameters))
    return None if math.isnan(shaped) else shaped


def _node(criterion: Criterion, scores: Scores) -> Node:
    children = tuple(_node(child, scores) for child in criterion.criteria or ())
    return Node(
        score=None if children else scores.get(criterion.id),
        children=children,
        weight=criterion.effective_weight,
        constraint=criterion.constraint,
    )


def _groups(criteria: Sequence[Criterion], nodes: Sequence[Node]) -> Iterator[tuple[Criterion, Node]]:
    """The groups with their nodes, parents first."""
    for criterion, node in zip(criteria, nodes, strict=True):
        if criterion.is_group:
            yield criterion, node
            yield from _groups(criterion.criteria or (), node.children)
