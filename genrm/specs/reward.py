"""The ``reward:`` of a rubric: which aggregate turns criterion scores into a score, and which shape makes it a reward.

    >>> RewardSpec.model_validate({"aggregate": {"soft_min": {"temperature": 0.2}}}).rule
    SoftMin(temperature=0.2)
    >>> RewardSpec.model_validate({"shape": "group_std", "inputs": {"group": "prompt_id"}}).needs
    ('group',)

Both keys take one form: a name where its parameters have defaults, else a mapping with the name as its only key and
the parameters below it, as a check has it. ``docs/aggregation.md`` shows every aggregate, ``docs/rewards.md`` every
shape. The functions are in ``genrm.rewards``; :mod:`genrm.specs.aggregates` and :mod:`genrm.specs.shape` know their
names, parameters and ranges.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from genrm.specs.aggregates import AGGREGATES as AGGREGATES
from genrm.specs.aggregates import OVERALL as OVERALL
from genrm.specs.aggregates import AggregateSpec as AggregateSpec
from genrm.specs.aggregates import Gated as Gated
from genrm.specs.aggregates import Hierarchical as Hierarchical
from genrm.specs.aggregates import Holistic as Holistic
from genrm.specs.aggregates import Lexicographic, Points, shortest
from genrm.specs.aggregates import parse_aggregate as parse_aggregate
from genrm.specs.criterion import Criterion
from genrm.specs.faults import wrong
from genrm.specs.shape import check_inputs, checked_shape, needs_of


class RewardSpec(BaseModel):
    """How criterion scores become the reward.

    Attributes:
        aggregate: a name of :data:`AGGREGATES`, or ``{name: parameters}``; see :attr:`rule`.
        shape: a name of ``genrm rewards list --kind shape``, or ``{name: parameters}``; see :attr:`shaping`.
        inputs: where a shape finds what it needs besides the score: ``{reference: ref_rewards, group: prompt_id}``,
            names of row fields (paths joined by dots); see :mod:`genrm.specs.shape`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    aggregate: str | dict[str, dict[str, Any]] = "weighted_mean"
    shape: str | dict[str, dict[str, Any]] = "identity"
    inputs: dict[str, str] = {}

    @field_validator("aggregate", mode="before")
    @classmethod
    def _aggregate(cls, written: Any) -> Any:
        """The shortest form, so that two spellings of one aggregate have one digest."""
        return shortest(parse_aggregate(written))

    @field_validator("shape", mode="before")
    @classmethod
    def _shape(cls, written: Any) -> Any:
        """The shortest form: parameters that differ from their defaults."""
        name, parameters = checked_shape(written)
        return {name: parameters} if parameters else name

    @model_validator(mode="after")
    def _inputs(self) -> RewardSpec:
        check_inputs(self.shaping[0], self.inputs)
        return self

    @cached_property
    def rule(self) -> AggregateSpec:
        """The aggregate with its parameters."""
        return parse_aggregate(self.aggregate)

    @cached_property
    def shaping(self) -> tuple[str, dict[str, Any]]:
        """The name of the shape, and those of its parameters that differ from their defaults."""
        return checked_shape(self.shape)

    @property
    def needs(self) -> tuple[str, ...]:
        """What the shape needs besides the score of the sample; empty where a judge can shape rewards by itself."""
        return needs_of(self.shaping[0])

    def unshaped(self) -> RewardSpec:
        """The same aggregate without a shape: the score that the shape works on."""
        # Not a copy, which would take cached values along.
        return RewardSpec(aggregate=self.aggregate)

    @property
    def is_plain(self) -> bool:
        """True when the reward is the weighted mean as it stands."""
        return self.aggregate == "weighted_mean" and self.shape == "identity"


def check_reward(reward: RewardSpec, criteria: Sequence[Criterion]) -> None:
    """Raise ValueError where the aggregate does not fit the criteria."""
    leaves = [leaf for criterion in criteria for leaf in criterion.leaves()]
    # Groups of constraints alone gate the reward and take no part in the aggregate.
    top = [criterion for criterion in criteria if not all(leaf.constraint for leaf in criterion.leaves())]
    match reward.rule:
        case Gated() if not any(leaf.constraint for leaf in leaves):
            raise wrong("gated needs a gate, and no criterion is a constraint", "add constraint: true to one")
        case Lexicographic() as rule:
            for problem in rule.faults(len(top)):
                raise wrong(*problem)
        case Points() if not any(criterion.effective_weight > 0 for criterion in top):
            raise wrong(
                "points counts what can be earned, and no criterion has a weight above 0, so all get 0",
                "add one with a positive weight, or write aggregate: weighted_mean, which gives faults alone the range "
                "from 0 (all there) to 1 (none)",
            )
        case Hierarchical(holistic=name) if name not in [criterion.id for criterion in top]:
            raise wrong(
                f"hierarchical: there is no criterion {name!r} at the top of the rubric that counts",
                f"write one of {', '.join(criterion.id for criterion in top)}",
            )
        case Holistic():
            _check_holistic(leaves)


def _check_holistic(leaves: Sequence[Criterion]) -> None:
    parts = [leaf for leaf in leaves if not leaf.constraint]
    if not parts:
        raise wrong("holistic asks about criteria, and there are only constraints", "add one that is no constraint")
    for leaf in leaves:
        if leaf.id == OVERALL:
            raise wrong(f"holistic calls its one question {OVERALL!r}, and a criterion has this id", "rename it")
        if not leaf.is_judged and not leaf.constraint:
            raise wrong(
                f"holistic asks a judge about all criteria at once, and {leaf.id!r} is a check, which no judge answers",
                "make it a constraint, ask a question instead, or use another aggregate",
            )
