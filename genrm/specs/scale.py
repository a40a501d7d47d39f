"""A scale: the ordered labels a judge may say for one criterion, and the number each stands for.

    >>> Scale.likert(5).labels[-1].name
    '5'
    >>> Scale.parse("binary").score("yes")
    1.0

In a rubric file a scale is ``binary``, ``likert-5``, ``{likert: 5, anchors: {1: …, 5: …}}``,
``{min: 1, max: 10}`` or a list of ``{label: poor, value: 0, means: …}``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError, field_validator, model_validator

from genrm.specs.faults import Source, closest, faults_of, wrong

MAX_LABELS = 101
LIKERT_POINTS = (2, 11)

FiniteFloat = Annotated[float, Strict(), Field(allow_inf_nan=False)]

_FORMS = "binary, likert-5, {min: 1, max: 10} or a list of {label: …, value: …, means: …}"
_KEYS = ("likert", "anchors", "min", "max", "step", "kind", "labels")


class Label(BaseModel):
    """One value of a scale that the judge can say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(alias="label", min_length=1, max_length=60)
    value: FiniteFloat
    means: str | None = Field(default=None, min_length=1)

    @field_validator("name", mode="before")
    @classmethod
    def _digits(cls, name: Any) -> Any:
        return str(name) if isinstance(name, int) and not isinstance(name, bool) else name

    @field_validator("name")
    @classmethod
    def _plain(cls, name: str) -> str:
        if name != name.strip() or not name.isprintable():
            raise wrong("a label is printable text without blanks at its ends", "remove what cannot be seen")
        return name


class Scale(BaseModel):
    """Ordered labels with values; at least two different values."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["binary", "likert", "numeric", "labels"] = "labels"
    labels: tuple[Label, ...] = Field(min_length=2, max_length=MAX_LABELS)

    @classmethod
    def binary(cls) -> Scale:
        """``no`` = 0 and ``yes`` = 1."""
        labels = (Label(label="no", value=0.0), Label(label="yes", value=1.0))
        return cls(kind="binary", labels=labels)

    @classmethod
    def numeric(
        cls,
        low: int,
        high: int,
        step: int = 1,
        anchors: Mapping[int, str] | None = None,
        *,
        kind: Literal["likert", "numeric"] = "numeric",
    ) -> Scale:
        """The integers from ``low`` to ``high`` (both included), ``step`` apart.

        Raises:
            ValueError: the range is empty or too long, or an anchor names a value outside it.
        """
        if step < 1 or low >= high:
            raise wrong(f"has min {low}, max {high} and step {step}", "give a min below max and a step of at least 1")
        values = range(low, high + 1, step)
        if len(values) > MAX_LABELS:
            raise wrong(f"has {len(values)} labels, at most {MAX_LABELS} are allowed", "use a larger step")
        if values[-1] != high:
            raise wrong(f"max {high} cannot be reached from min {low} in steps of {step}", "change max or step")
        anchors = dict(anchors or {})
        if stray := sorted(set(anchors) - set(values)):
            raise wrong(f"has anchors for {stray}, which are no values of the scale", "remove them or widen the scale")
        labels = tuple(Label(label=str(v), value=float(v), means=anchors.get(v)) for v in values)
        return cls(kind=kind, labels=labels)

    @classmethod
    def likert(cls, points: int, anchors: Mapping[int, str] | None = None) -> Scale:
        """1 to ``points``, with what each value means in ``anchors``.

        Raises:
            ValueError: fewer than 2 or more than 11 points, or an anchor names none of them.
        """
        fewest, most = LIKERT_POINTS
        if not fewest <= points <= most:
            raise wrong(
                f"a Likert scale of {points} points", f"use {fewest} to {most} points, or {{min: 1, max: {points}}}"
            )
        return cls.numeric(1, points, anchors=anchors, kind="likert")

    @classmethod
    def parse(cls, spec: Any) -> Scale:
        """A scale from any of the forms of a rubric file.

        Raises:
            ValueError: the form is unknown or its content is wrong; the message names every fault and its fix.
        """
        try:
            return cls.model_validate(spec)
        except ValidationError as error:
            raise ValueError("\n".join(map(str, faults_of(error, cls, spec, Source())))) from None

    @model_validator(mode="before")
    @classmethod
    def _written(cls, spec: Any) -> Any:
        """The long form of whatever a rubric file may say."""
        if isinstance(spec, str):
            return _named(spec)
        if isinstance(spec, (list, tuple)):
            return {"kind": "labels", "labels": list(spec)}
        if not isinstance(spec, Mapping):
            if isinstance(spec, Scale):
                return spec
            raise wrong("is no scale", f"write {_FORMS}")
        if "likert" in spec:
            _only(spec, ("likert", "anchors"))
            return _long(cls.likert(_integer(spec, "likert"), _anchors(spec)))
        if "min" in spec and "max" in spec:
            _only(spec, ("min", "max", "step", "anchors"))
            step = _integer(spec, "step") if "step" in spec else 1
            return _long(cls.numeric(_integer(spec, "min"), _integer(spec, "max"), step, _anchors(spec)))
        if "labels" not in spec:
            _only(spec, _KEYS)
            raise wrong("is no whole scale", f"write {_FORMS}")
        return dict(spec)

    @model_validator(mode="after")
    def _distinct(self) -> Scale:
        seen: dict[str, str] = {}
        for label in self.labels:
            folded = label.name.casefold()
            if folded in seen:
                raise wrong(
                    f"labels {seen[folded]!r} and {label.name!r} differ in letter case only or not at all",
                    "rename one of them",
                )
            seen[folded] = label.name
        if self.low == self.high:
            raise wrong(
                f"all labels have the value {self.low:g}, so no verdict could change the reward",
                "give the labels different values",
            )
        if not self._as_named():
            raise wrong(f"these labels make no {self.kind} scale", "leave out kind, or write the scale's short form")
        return self

    def _as_named(self) -> bool:
        """Whether the labels are those of ``kind``, which decides how a judge is told about them."""
        if self.kind == "labels":
            return True
        values = [label.value for label in self.labels]
        if self.kind == "binary":
            return (self.names, values) == (("no", "yes"), [0.0, 1.0])
        if not all(re.fullmatch(r"-?[0-9]+", name) for name in self.names):
            return False
        numbers = [int(name) for name in self.names]
        steps = {after - before for before, after in pairwise(numbers)}
        return len(steps) == 1 and min(steps) > 0 and values == [float(number) for number in numbers]

    @property
    def names(self) -> tuple[str, ...]:
        """The labels in the order in which the rubric lists them."""
        return tuple(label.name for label in self.labels)

    @property
    def low(self) -> float:
        """The smallest value."""
        return min(label.value for label in self.labels)

    @property
    def high(self) -> float:
        """The largest value."""
        return max(label.value for label in self.labels)

    def value(self, name: str) -> float:
        """The value of a label as the rubric states it. Raises KeyError for a label that is not on the scale."""
        for label in self.labels:
            if label.name == name:
                return label.value
        raise KeyError(name)

    def score(self, name: str) -> float:
        """A label's value brought to [0, 1]: ``(value - low) / (high - low)``.

        Raises:
            KeyError: the label is not on the scale.
        """
        return self.scores[name]

    @cached_property
    def scores(self) -> dict[str, float]:
        """The score of each label, in the order of :attr:`names`. Not to be changed."""
        # Halves first: the span of two finite values need not be finite.
        low, high = self.low / 2, self.high / 2
        return {label.name: (label.value / 2 - low) / (high - low) for label in self.labels}

    def expected(self, p: Mapping[str, float]) -> float:
        """The mean score in [0, 1] under a label distribution that sums to 1.

        Raises:
            ValueError: the probabilities do not sum to 1 (within 0.001), or one of them is negative.
            KeyError: a label is not on the scale.
        """
        total = math.fsum(p.values())
        if not math.isclose(total, 1.0, abs_tol=1e-3) or min(p.values()) < 0:
            raise ValueError(f"label probabilities are not negative and sum to 1; these sum to {total:g}")
        mean = math.fsum(self.score(name) * weight for name, weight in p.items()) / total
        return min(max(mean, 0.0), 1.0)


def _named(name: str) -> Any:
    if name == "binary":
        return _long(Scale.binary())
    if match := re.fullmatch(r"likert-(\d{1,2})", name):
        return _long(Scale.likert(int(match[1])))
    guess = closest(name, ["binary", "likert-3", "likert-5", "likert-7"])
    raise wrong("is no scale", f"write {guess}" if guess else f"write {_FORMS}")


def _long(scale: Scale) -> dict[str, Any]:
    return scale.model_dump(by_alias=True)


def _only(spec: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in spec:
        if key not in known:
            guess = closest(str(key), known)
            raise wrong(
                f"unknown key {str(key)!r}",
                f"write {guess!r}" if guess else f"remove it; the keys are {', '.join(known)}",
            )


def _integer(spec: Mapping[str, Any], key: str) -> int:
    value = spec[key]
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong(f"{key} is {value!r}, no whole number", f"write {key} in digits, or list the labels")
    return value


def _anchors(spec: Mapping[str, Any]) -> dict[int, str]:
    anchors = spec.get("anchors") or {}
    fix = "write a text for each value of the scale, as in {1: …, 5: …}"
    if not isinstance(anchors, Mapping):
        raise wrong("the anchors are no mapping", fix)
    texts: dict[int, str] = {}
    for key, text in anchors.items():
        # Keys of JSON are always texts.
        if isinstance(key, bool) or not re.fullmatch(r"[-+]?\d+", str(key)):
            raise wrong(f"an anchor stands at {key!r}, which is no whole number", fix)
        if not isinstance(text, str) or not text.strip():
            raise wrong(f"the anchor of {key} is no text", fix)
        texts[int(key)] = text
    return texts
