"""The aggregates of a rubric: how the scores of criteria become one score. Names, parameters and ranges.

    >>> parse_aggregate({"soft_min": {"temperature": 0.2}})
    SoftMin(temperature=0.2)

``docs/aggregation.md`` shows every one of them; the functions are in ``genrm.rewards``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from genrm.specs.faults import closest, dotted, shown, wrong
from genrm.specs.scale import FiniteFloat, Scale

Share = Annotated[FiniteFloat, Field(ge=0.0, le=1.0)]
Above0 = Annotated[FiniteFloat, Field(gt=0.0)]
Margin = Annotated[FiniteFloat, Field(gt=0.0, le=1.0)]

OVERALL = "overall"
"""The id of the one question that ``holistic`` asks."""

MAX_RANKS = 1_000_000
"""Most values of a lexicographic reward: output rows hold six decimals, which keep no more of them apart."""


class AggregateSpec(BaseModel):
    """Base of the aggregates: a name, an example to copy, and what ``genrm rewards show`` says about it.

    In formulas s is the score of a criterion, w its weight, and g = 1 - s for a fault (w < 0), else s. ``missing`` is
    about ``on_missing: skip``; with ``fail`` no aggregate has a reward where a verdict is missing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]
    example: ClassVar[str]
    formula: ClassVar[str]
    paper: ClassVar[str | None] = None
    missing: ClassVar[str] = "left out of sum and divisor"


class WeightedMean(AggregateSpec):
    """The mean of the scores by weight; faults count by their absence."""

    name = "weighted_mean"
    example = "weighted_mean"
    formula = "sum |w| g / sum |w|"
    paper = "Rubrics as Rewards: Reinforcement Learning Beyond Verifiable Domains"


class Points(AggregateSpec):
    """Points earned over the points there are, faults subtracted, clipped to [0, 1]."""

    name = "points"
    example = "points"
    formula = "clip(sum w s / sum over w > 0 of w, 0, 1)"
    paper = "HealthBench: Evaluating Large Language Models Towards Improved Human Health"
    missing = "left out; no reward where all that could be earned is missing"


class Holistic(AggregateSpec):
    """One call sees all criteria and gives one label on ``scale``, which is the reward."""

    name = "holistic"
    example = "{holistic: {scale: likert-7, score: expected}}"
    formula = "score of the one label"
    paper = "Rubrics as Rewards: Reinforcement Learning Beyond Verifiable Domains"
    missing = "there is one question only, and without its label no reward"

    scale: Scale = Field(default_factory=lambda: Scale.numeric(1, 10), description="of the one question")
    score: Literal["label", "expected"] = Field(
        default="label", description="score of the label, or the mean over the label probabilities"
    )


class AllPass(AggregateSpec):
    """1 if every criterion reaches ``threshold``, else 0."""

    name = "all_pass"
    example = "{all_pass: {threshold: 0.5}}"
    formula = "1 if g >= threshold for every criterion, else 0"
    missing = "no reward, unless another criterion fails"

    threshold: Share = Field(default=0.5, description="the lowest g that passes")


class Gated(AggregateSpec):
    """The weighted mean behind gates: ``floor`` as soon as a constraint misses ``threshold``."""

    name = "gated"
    example = "{gated: {threshold: 0.5, floor: -1}}"
    formula = "sum |w| g / sum |w|; min(that, floor) if a constraint's g < threshold"
    paper = "The Perfect Blend: Redefining RLHF with Mixture of Judges"
    missing = "left out; with a missing constraint no reward, unless another one is violated"

    threshold: Share = Field(default=0.5, description="the lowest g with which a constraint holds")
    floor: Annotated[FiniteFloat, Field(le=0.0)] = Field(default=0.0, description="the reward behind a closed gate")


class Geometric(AggregateSpec):
    """The geometric mean by weight; 0 as soon as one criterion is 0."""

    name = "geometric"
    example = "geometric"
    formula = "exp(sum |w| ln g / sum |w|)"


class Minimum(AggregateSpec):
    """The smallest score."""

    name = "min"
    example = "min"
    formula = "min g"
    paper = "MaxMin-RLHF: Alignment with Diverse Human Preferences"
    missing = "left out: the result is then an upper bound"


class SoftMin(AggregateSpec):
    """Between the smallest score (``temperature`` near 0) and the mean (large)."""

    name = "soft_min"
    example = "{soft_min: {temperature: 0.1}}"
    formula = "-T ln(sum |w| exp(-g / T) / sum |w|), T = temperature"
    paper = "MaxMin-RLHF: Alignment with Diverse Human Preferences"

    temperature: Above0 = Field(default=0.1, description="near 0 the minimum, large the mean")


class Lexicographic(AggregateSpec):
    """Criteria in order of importance: the first that separates by its margin decides."""

    name = "lexicographic"
    example = "{lexicographic: {margins: [0.5, 0.25]}}"
    formula = "digits floor(g / margin), the first criterion's first, as one number / the largest"
    paper = "Deep Reinforcement Learning from Hierarchical Preference Design"
    missing = "no reward: what follows cannot be compared"

    margins: Margin | tuple[Margin, ...] = Field(default=0.1, description="width of a bin: one, or one per criterion")

    def faults(self, n: int) -> Iterator[tuple[str, str]]:
        """What is wrong with these margins for ``n`` criteria, with the fix."""
        if isinstance(self.margins, tuple) and len(self.margins) != n:
            yield (
                f"lexicographic has {len(self.margins)} margins for {n} criteria that count",
                "give one number for all, or one for each criterion at the top that is no constraint, in their order",
            )
            return
        widths = self.margins if isinstance(self.margins, tuple) else (self.margins,) * n
        # Narrower margins than these fail all the same, and the reciprocal of a tiny one would overflow.
        ranks = math.prod(math.floor(1 / max(width, 1e-15) + 1e-9) + 1 for width in widths)
        if ranks > MAX_RANKS:
            yield (
                f"{n} criteria with these margins make {ranks:,} different rewards, and rows keep {MAX_RANKS:,} apart",
                "widen the margins (1 for a yes-or-no criterion), or rank fewer criteria",
            )


class Hierarchical(AggregateSpec):
    """The other criteria count only where the criterion ``holistic`` reaches ``threshold``."""

    name = "hierarchical"
    example = "{hierarchical: {holistic: helpful, threshold: 0.5}}"
    formula = "(w_h g_h + [g_h >= threshold] sum over aspects of |w| g) / sum |w|"
    paper = "ALaRM: Align Language Models via Hierarchical Rewards Modeling"
    missing = "an aspect is left out; no reward without the holistic score, or where all aspects lack one"

    holistic: str = Field(description="id of the criterion that opens the door")
    threshold: Share = Field(default=0.5, description="the lowest g of it that passes")


class LogSigmoidSum(AggregateSpec):
    """The sum of ln sigmoid((score - reference) / temperature): a soft AND, at most 0."""

    name = "log_sigmoid_sum"
    example = "{log_sigmoid_sum: {reference: 0.7, temperature: 0.1}}"
    formula = "sum |w| ln sigmoid((g - reference) / T), T = temperature"
    paper = "Transforming and Combining Rewards for Aligning Large Language Models"
    missing = "no reward: left out, a term would count as perfect"

    reference: Share = Field(description="the score of a typical response")
    temperature: Above0 = Field(default=1.0, description="small values make the AND sharper")


AGGREGATES: dict[str, type[AggregateSpec]] = {
    spec.name: spec
    for spec in (
        WeightedMean,
        Points,
        Holistic,
        AllPass,
        Gated,
        Geometric,
        Minimum,
        SoftMin,
        Lexicographic,
        Hierarchical,
        LogSigmoidSum,
    )
}


def parse_aggregate(written: Any) -> AggregateSpec:
    """The aggregate that a rubric describes. Raises ValueError with the name, parameter, value and fix."""
    if isinstance(written, AggregateSpec):
        return written
    name, parameters = split_name(written, AGGREGATES, "{aggregate: {soft_min: {temperature: 0.2}}}")
    spec = AGGREGATES[name]
    try:
        return spec.model_validate(parameters)
    except ValidationError as error:
        problems = [_fault(spec, item) for item in error.errors(include_url=False)]
    message, fix = problems[0]
    raise wrong(f"{name}: {message}", fix)


def split_name(written: Any, known: Mapping[str, Any], example: str) -> tuple[str, Mapping[str, Any]]:
    """The name and the parameters that were written."""
    name: Any = written
    parameters: Any = {}
    if isinstance(written, Mapping):
        if len(written) != 1:
            found = ", ".join(map(str, written)) or "none"
            raise wrong(f"takes exactly one name, found {found}", f"put parameters below the name, as in {example}")
        name, parameters = next(iter(written.items()))
    if not isinstance(name, str) or name not in known:
        listed = ", ".join(known)
        guess = closest(name, known) if isinstance(name, str) else None
        fix = f"write {guess!r}; available: {listed}" if guess else f"choose one of the available: {listed}"
        raise wrong("is not available here", fix)
    if not isinstance(parameters, Mapping):
        raise wrong(f"{name}: the parameters are a mapping, found {shown(parameters)}", f"write {example}")
    return name, parameters


def _fault(spec: type[AggregateSpec], item: ErrorDetails) -> tuple[str, str]:
    """One fault of a parameter: what is wrong, and the fix."""
    names = list(spec.model_fields)
    # Below the name of a parameter stand the branches of a union, which say nothing to the reader.
    where = dotted(item["loc"][:1])
    if item["type"] == "extra_forbidden":
        guess = closest(where, names)
        known = f"the parameters of {spec.name} are {', '.join(names)}" if names else f"{spec.name} has no parameters"
        return f"unknown parameter {where!r}", f"write {guess!r}" if guess else f"remove it; {known}"
    if item["type"] == "missing":
        return f"{where} is missing", f"write for example {spec.example}"
    message = item.get("ctx", {}).get("message", item["msg"])
    return f"{where}: {message}, found {shown(item['input'])}", f"write for example {spec.example}"


def shortest(spec: AggregateSpec) -> str | dict[str, dict[str, Any]]:
    """The name alone where every parameter has its default, else the name with all parameters."""
    parameters = spec.model_dump(mode="json", by_alias=True)
    if all(not field.is_required() for field in type(spec).model_fields.values()) and spec == type(spec)():
        return spec.name
    return {spec.name: parameters}
