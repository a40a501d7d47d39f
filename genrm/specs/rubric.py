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
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict, field_validator, model_validator

from genrm.specs.criterion import Criterion, Flag, check_criteria
from genrm.specs.faults import wrong
from genrm.specs.scale import FiniteFloat

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"

Count = Annotated[int, Strict()]
Protocol = Literal["pointwise", "verify"]
VoteRule = Literal["mean", "median", "majority"]
Aggregate = Literal["weighted_mean", "points"]


class Principle(BaseModel):
    """A rule that the judge keeps in mind while judging; ``negative`` ones name what must not count in favour."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field(min_length=1)
    kind: Literal["positive", "negative"] = "positive"


class Vote(BaseModel):
    """How many verdicts a sample gets and how they become one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n: Count = Field(default=1, ge=1, le=256)
    rule: VoteRule = "mean"
    temperature: FiniteFloat | None = Field(default=None, ge=0.0, le=2.0)

    def sampling_temperature(self, n: int) -> float:
        """The stated temperature, else 0 for a single vote and 0.7 when votes have to differ."""
        if self.temperature is not None:
            return self.temperature
        return 0.0 if n == 1 else 0.7


class RewardSpec(BaseModel):
    """How criterion scores become the reward."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    aggregate: Aggregate = "weighted_mean"
    shape: Literal["identity"] = "identity"


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

    @model_validator(mode="after")
    def _consistent(self) -> Rubric:
        check_criteria(self.criteria)
        return self

    def leaves(self) -> Iterator[Criterion]:
        """The criteria that get a verdict, in rubric order."""
        for criterion in self.criteria:
            yield from criterion.leaves()

    def with_criteria(self, extra: tuple[Criterion, ...]) -> Rubric:
        """This rubric with the criteria of one sample appended.

        Raises:
            ValueError: an id or a label set clashes with one that is there already.
        """
        if not extra:
            return self
        criteria = self.criteria + extra
        check_criteria(criteria)
        whole = self.model_copy(update={"criteria": criteria})
        # The copy brings along what the original has cached.
        whole.__dict__.pop("digest", None)
        return whole

    @cached_property
    def digest(self) -> str:
        """``sha256:…`` over everything that can change a judgment; the description and version are left out."""
        data = self.model_dump(mode="json", by_alias=True, exclude={"description", "version"})
        text = json.dumps(data, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
