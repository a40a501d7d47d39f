"""``aggregate: holistic``: the one question that stands for all criteria, and what the judge is told of each.

    >>> criteria = [Criterion.model_validate({"id": "rude", "ask": "Is it rude?", "weight": -2})]
    >>> [leaf.id for leaf in overall(Holistic(), criteria)]
    ['overall']
    >>> parts(criteria)[0].importance
    'a fault of weight 2: it counts against the response'

The judge combines the criteria itself ("Rubrics as Rewards: Reinforcement Learning Beyond Verifiable Domains",
implicit aggregation), so this is the one question for which it is told their importance, and which of them are faults.
Constraints are no part of it: they stay questions or checks of their own and gate the reward.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genrm.specs.criterion import Criterion
from genrm.specs.reward import OVERALL, Holistic

QUESTION = "All of the criteria above taken together, by their importance: how good is the response?"


@dataclass(frozen=True, slots=True)
class Part:
    """One criterion as it is listed for the overall question."""

    ask: str
    importance: str


def overall(rule: Holistic, criteria: Sequence[Criterion]) -> tuple[Criterion, ...]:
    """The overall question, then the constraints as they are."""
    leaves = [leaf for criterion in criteria for leaf in criterion.leaves()]
    question = Criterion(
        id=OVERALL,
        ask=QUESTION,
        scale=rule.scale,
        score=rule.score,
        sees_reference=all(leaf.sees_reference for leaf in leaves if not leaf.constraint),
    )
    return (question, *(leaf for leaf in leaves if leaf.constraint))


def parts(criteria: Sequence[Criterion]) -> tuple[Part, ...]:
    """The criteria that the overall question is about, in rubric order."""
    leaves = [leaf for criterion in criteria for leaf in criterion.leaves() if not leaf.constraint]
    return tuple(Part(leaf.ask or "", _importance(leaf)) for leaf in leaves)


def _importance(leaf: Criterion) -> str:
    weight = leaf.effective_weight
    if weight < 0:
        return f"a fault of weight {-weight:g}: it counts against the response"
    return leaf.kind if leaf.kind and leaf.weight is None else f"weight {weight:g}"
