"""A rubric: what is asked of a judge, on which scales, and how the answers become one reward.

    >>> Rubric.model_validate({"name": "polite", "criteria": [{"id": "tone", "ask": "Is it polite?"}]}).digest[:7]
    'sha256:'

``genrm.load_rubric`` reads one from the library, a file or a dict and names every fault with its line. A rubric
may have no criteria of its own: then every sample brings its own (field ``criteria`` of its row).
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationInfo, field_validator, model_validator

from genrm.specs.criterion import Criterion, Flag, check_criteria
from genrm.specs.faults import wrong
from genrm.specs.holistic import overall
from genrm.specs.reward import Holistic, RewardSpec, check_reward
from genrm.specs.vote import Vote as Vote

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"

Count = Annotated[int, Strict()]
Protocol = Literal["pointwise", "verify"]


class Principle(BaseModel):
    """A rule that the judge keeps in mind while judging; ``negative`` ones name what must not count in favour."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field(min_length=1)
    kind: Literal["positive", "negative"] = "positive"


class Rubric(BaseModel):
    """The whole spec. Unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: str = "1.0"
    description: str = ""
    protocol: Protocol = "pointwise"
    principles: tuple[Principle, ...] = ()
    criteria: tuple[Criterion, ...] = ()
    ask: Literal["joint", "separate"] = "joint"
    critique: Flag = True
    critique_tokens: Count = Field(default=256, ge=1, le=32768)
    think: Flag = False
    think_tokens: Count = Field(default=2048, ge=1, le=131072)
    vote: Vote = Vote()
    reward: RewardSpec = RewardSpec()
    on_missing: Literal["fail", "skip"] = "fail"

    @field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        if not re.fullmatch(NAME_PATTERN, name):
            raise wrong("is no name", "use a letter or digit, then at most 99 letters, digits, '_', '.' or '-'")
        return name

    @field_validator("version", mode="before")
    @classmethod
    def _version(cls, version: Any) -> Any:
        return str(version) if isinstance(version, (int, float)) and not isinstance(version, bool) else version

    @field_validator("principles", mode="before")
    @classmethod
    def _principles(cls, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return tuple({"text": item} if isinstance(item, str) else item for item in value)
        return value

    @field_validator("reward")
    @classmethod
    def _reward(cls, reward: RewardSpec, info: ValidationInfo) -> RewardSpec:
        """The aggregate fits the criteria; without criteria that is found out row by row."""
        if info.data.get("criteria"):
            check_reward(reward, info.data["criteria"])
        return reward

    @model_validator(mode="after")
    def _consistent(self) -> Rubric:
        check_criteria(self.criteria)
        return self

    @property
    def is_holistic(self) -> bool:
        """True when one question stands for all criteria but the constraints."""
        return isinstance(self.reward.rule, Holistic)

    @property
    def scored(self) -> tuple[Criterion, ...]:
        """The criteria whose scores make the reward: those of the rubric, or the one question that stands for them."""
        if isinstance(self.reward.rule, Holistic) and self.criteria:
            return overall(self.reward.rule, self.criteria)
        return self.criteria

    def leaves(self) -> tuple[Criterion, ...]:
        """The criteria that get a verdict, in rubric order."""
        return self._leaves

    @cached_property
    def _leaves(self) -> tuple[Criterion, ...]:
        return tuple(leaf for criterion in self.scored for leaf in criterion.leaves())

    def with_criteria(self, extra: tuple[Criterion, ...]) -> Rubric:
        """This rubric with the criteria of one sample appended.

        Raises:
            ValueError: an id or a label set clashes with one that is there already.
        """
        if not extra:
            return self
        criteria = self.criteria + extra
        check_criteria(criteria)
        check_reward(self.reward, criteria)
        return self._changed(criteria=criteria)

    def with_reward(self, reward: RewardSpec) -> Rubric:
        """This rubric with another reward; its digest is another one too. Raises ValueError where it does not fit."""
        if self.criteria:
            check_reward(reward, self.criteria)
        return self._changed(reward=reward)

    def with_vote(self, vote: Vote) -> Rubric:
        """This rubric with another way to vote; its digest is another one too."""
        return self._changed(vote=vote)

    def _changed(self, **update: Any) -> Rubric:
        changed = self.model_copy(update=update)
        # A copy takes cached values along.
        for name in ("digest", "_leaves"):
            changed.__dict__.pop(name, None)
        return changed

    @cached_property
    def digest(self) -> str:
        """``sha256:…`` over everything that can change a judgment; the description and version are left out."""
        data = self.model_dump(mode="json", by_alias=True, exclude={"description", "version"})
        text = json.dumps(data, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
