"""A criterion: one question about a response, its scale, and what the answer weighs.

    >>> Criterion.model_validate({"id": "polite", "ask": "Is the tone polite?"}).scale.names
    ('no', 'yes')

A criterion is exactly one of three things: *judged* (it has ``ask``), *verifiable* (it has ``check``, and no
model is asked) or a *group* (it has ``criteria``, whose weighted mean is its score; its ``ask`` says what the
group stands for and is shown to nobody). With a ``cascade`` it is judged and verifiable: the check goes first, and
the judge is asked where the check is not trusted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict, field_validator, model_validator

from genrm.specs.check import parse_check
from genrm.specs.faults import SHAPE, Path, dotted, wrong
from genrm.specs.scale import FiniteFloat, Scale

Kind = Literal["essential", "important", "optional", "pitfall"]
Flag = Annotated[bool, Strict()]

# "Rubrics as Rewards: Reinforcement Learning Beyond Verifiable Domains": category weights of checklist items.
KIND_WEIGHTS: dict[Kind, float] = {"essential": 1.0, "important": 0.7, "optional": 0.3, "pitfall": 0.9}

ID_PATTERN = r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$"


class Cascade(BaseModel):
    """Rule first, judge for the rest: a criterion with both ``check`` and ``ask``.

    "Cooper: Co-Optimizing Policy and Reward Models in Reinforcement Learning for Large Language Models" and
    "General-Reasoner: Advancing LLM Reasoning Across All Domains": a rule that says the answer is right is hardly ever
    wrong, while one that says it is wrong often misses another way to write it.

    Attributes:
        trust: which answers of the check stand without the judge: ``met`` (yes), ``unmet`` (no), ``both`` or
            ``neither``. A check that cannot tell is never trusted.
        confidence: how sure the check is, in [0, 1], where its answer is not trusted: score of rule and judge are
            averaged with this and the judge's own confidence as weights. 0 leaves it to the judge.
        audit: ask the judge also where the check stands, for the log of disagreements; the reward stays the check's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    trust: Literal["met", "unmet", "both", "neither"] = "met"
    confidence: FiniteFloat = Field(default=0.0, ge=0.0, le=1.0)
    audit: Flag = False


class Criterion(BaseModel):
    """One question with a scale, a verifiable check, or a group of criteria.

    A positive ``weight`` rewards a high score. A negative one marks a fault: the judge is asked whether the
    fault is there, never sees the sign, and the sign is applied outside the judge. With ``sees_reference: false``
    the question is asked without showing the reference answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    ask: str | None = None
    scale: Scale = Field(default_factory=Scale.binary)
    weight: FiniteFloat | None = None
    kind: Kind | None = None
    constraint: Flag = False
    score: Literal["label", "expected"] = "label"
    sees_reference: Flag = True
    check: dict[str, Any] | None = None
    cascade: Cascade | None = None
    criteria: tuple[Criterion, ...] | None = None

    @field_validator("id")
    @classmethod
    def _id(cls, name: str) -> str:
        if not re.fullmatch(ID_PATTERN, name):
            raise wrong("is no id", "use a letter, then at most 63 letters, digits, '_', '.' or '-'")
        return name

    @field_validator("weight")
    @classmethod
    def _weight(cls, weight: float | None) -> float | None:
        if weight == 0:
            raise wrong("a weight of 0 leaves the criterion without any effect", "give it a weight or remove it")
        return weight

    @field_validator("ask")
    @classmethod
    def _ask(cls, ask: str | None) -> str | None:
        if ask is not None and not ask.strip():
            raise wrong("is empty", "write the question that the judge answers")
        return ask

    @field_validator("check", mode="before")
    @classmethod
    def _check(cls, check: Any) -> Any:
        """The long form, so that two spellings of one check have one digest."""
        if check is None:
            return None
        spec = parse_check(check)
        return {spec.kind: spec.model_dump(mode="json", by_alias=True)}

    @field_validator("cascade", mode="before")
    @classmethod
    def _cascade(cls, cascade: Any) -> Any:
        return {"trust": cascade} if isinstance(cascade, str) else cascade

    @model_validator(mode="after")
    def _one_of_three(self) -> Criterion:
        parts = {key: getattr(self, key) for key in ("ask", "check", "cascade", "criteria", "constraint")}
        if problem := shape_problem(parts):
            raise wrong(*problem, kind=SHAPE)
        if self.cascade is not None and self.scale.names != ("no", "yes"):
            raise wrong(
                f"criterion {self.id!r}: a check says yes or no, so in a cascade the judge has to say the same",
                "remove the scale, or make two criteria of it",
            )
        if self.check is not None and set(self.scale.names) != {"no", "yes"}:
            raise wrong("a check answers yes or no and has no other scale", "remove the scale")
        return self

    @property
    def is_group(self) -> bool:
        """True when the score comes from the criteria inside."""
        return self.criteria is not None

    @property
    def is_judged(self) -> bool:
        """True when a model is asked (in a cascade: may be)."""
        return self.criteria is None and (self.check is None or self.cascade is not None)

    @property
    def effective_weight(self) -> float:
        """The stated weight, else that of the kind, else 1."""
        if self.weight is not None:
            return self.weight
        return KIND_WEIGHTS[self.kind] if self.kind else 1.0

    def leaves(self) -> Iterator[Criterion]:
        """The criteria that get a verdict, in rubric order."""
        if self.criteria is None:
            yield self
            return
        for child in self.criteria:
            yield from child.leaves()

    def walk(self) -> Iterator[Criterion]:
        """This criterion and all inside it, parents first."""
        yield self
        for child in self.criteria or ():
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class Place:
    """One criterion of a list: where it stands, and the parts that must agree with the others.

    ``scale`` is None for checks and groups, whose labels no judge says.
    """

    path: Path
    id: str
    scale: Scale | None


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two criteria that cannot stand in one rubric."""

    first: Place
    second: Place
    field: Literal["id", "scale"]
    problem: str
    fix: str

    def __str__(self) -> str:
        return f"{dotted(self.first.path)} and {dotted(self.second.path)}: {self.problem}; {self.fix}"


def shape_problem(parts: Mapping[str, Any]) -> tuple[str, str] | None:
    """What is wrong with the parts of one criterion taken together, and the fix; None when they fit."""
    criteria, check, ask = (parts.get(key) for key in ("criteria", "check", "ask"))
    if parts.get("cascade") is not None and (criteria is not None or check is None or ask is None):
        return "has a cascade without both a check and a question", "add check and ask, or remove cascade"
    if criteria is None:
        if check is None and ask is None:
            return "asks nothing", "add ask (a question for the judge), check (a verifiable test) or criteria (a group)"
        return None
    if check is not None:
        return "has both criteria and check", "move the check into a criterion of the group"
    if criteria in ([], ()):
        return "has an empty list of criteria", "list at least one criterion, or remove the key"
    if parts.get("constraint"):
        return "a group is no constraint", "mark the criteria inside it"
    return None


def conflicts(places: Iterable[Place]) -> Iterator[Conflict]:
    """Ids used twice, and judged criteria that use the same labels with different values."""
    ids: dict[str, Place] = {}
    scales: dict[frozenset[str], Place] = {}
    for place in places:
        first = ids.setdefault(place.id, place)
        if first is not place:
            yield Conflict(first, place, "id", f"the id {place.id!r} is used twice", "give each criterion its own id")
        if place.scale is None:
            continue
        values = _values(place.scale)
        first = scales.setdefault(frozenset(values), place)
        if first.scale is not None and _values(first.scale) != values:
            yield Conflict(
                first,
                place,
                "scale",
                f"{first.id!r} and {place.id!r} use the same labels with different values",
                "rename the labels of one, or give both the same values",
            )


def check_criteria(criteria: Iterable[Criterion]) -> None:
    """Raise ValueError when two criteria share an id, or use the same labels with different values."""
    problems = [str(conflict) for conflict in conflicts(_places(criteria, ()))]
    if problems:
        raise wrong(". ".join(problems), "every criterion needs its own id and unmistakable labels", kind=SHAPE)


def _places(criteria: Iterable[Criterion], around: Path) -> Iterator[Place]:
    for number, criterion in enumerate(criteria):
        path = (*around, "criteria", number)
        yield Place(path, criterion.id, criterion.scale if criterion.is_judged else None)
        yield from _places(criterion.criteria or (), path)


def _values(scale: Scale) -> dict[str, float]:
    return {label.name.casefold(): label.value for label in scale.labels}
