"""The ``check:`` of a criterion: which verifiable test runs, and with which parameters.

    >>> parse_check({"length": {"unit": "words", "max": 100}})
    LengthCheck(unit='words', min=None, max=100)

A check is a mapping with exactly one key, its kind. Everything that can be wrong with it (an unknown parameter,
a broken regular expression, an invalid JSON Schema) is found here, before any response is read.
``docs/checks.md`` shows every kind; ``genrm.checks`` runs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from genrm.errors import excerpt
from genrm.specs.patterns import MAX_PATTERN, compile_pattern
from genrm.specs.schema import check_schema

Text = Annotated[str, Field(strict=True, min_length=1)]
Count = Annotated[int, Field(strict=True, ge=0)]
Flag = Annotated[bool, Field(strict=True)]
Tolerance = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]


def _bounds(low: int | None, high: int | None) -> None:
    if low is None and high is None:
        raise ValueError("sets no limit; give min, max or both")
    if low is not None and high is not None and low > high:
        raise ValueError(f"min {low} is larger than max {high}, so nothing could pass")


class CheckSpec(BaseModel):
    """Base of the checks: a kind, whether it compares with the sample's reference, and an example to copy."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ClassVar[str]
    needs_reference: ClassVar[bool] = False
    example: ClassVar[str]
    # The parameter that a plain value stands for, as in `regex: '^A'`.
    short: ClassVar[str | None] = None


class RegexCheck(CheckSpec):
    """A regular expression (syntax of Python's ``re``) is found in the response, or matches all of it."""

    kind = "regex"
    example = "regex: {pattern: '^answer: .+', flags: im}"
    short = "pattern"

    pattern: Text = Field(max_length=MAX_PATTERN)
    flags: str = Field(default="", strict=True)
    match: Literal["search", "full"] = "search"
    negate: Flag = False

    @field_validator("flags")
    @classmethod
    def _flags(cls, flags: str) -> str:
        if set(flags) - set("imsx") or len(set(flags)) < len(flags):
            raise ValueError("flags are letters out of i, m, s, x, each at most once")
        return flags

    @model_validator(mode="after")
    def _compiles(self) -> RegexCheck:
        import regex

        try:
            compile_pattern(self.pattern, self.flags)
        except (regex.error, RecursionError, OverflowError, ValueError) as error:
            raise ValueError(f"the regular expression {excerpt(self.pattern)} is broken: {error}") from None
        return self


class ContainsCheck(CheckSpec):
    """Texts that stand in the response: one of ``any``, every one of ``all``, not one of ``none``."""

    kind = "contains"
    example = "contains: {any: [agreed, certainly], none: [sorry], ignore_case: true}"
    short = "all"

    any: tuple[Text, ...] = ()
    all: tuple[Text, ...] = ()
    none: tuple[Text, ...] = ()
    ignore_case: Flag = False

    @field_validator("any", "all", "none", mode="before")
    @classmethod
    def _single(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _some(self) -> ContainsCheck:
        if not (self.any or self.all or self.none):
            raise ValueError("names no text to look for; fill any, all or none")
        return self


class LengthCheck(CheckSpec):
    """The response has between ``min`` and ``max`` units (both included)."""

    kind = "length"
    example = "length: {unit: words, max: 100}"

    unit: Literal["words", "characters", "sentences", "lines", "paragraphs"]
    min: Count | None = None
    max: Count | None = None

    @model_validator(mode="after")
    def _range(self) -> LengthCheck:
        _bounds(self.min, self.max)
        return self


class JsonSchemaCheck(CheckSpec):
    """The response is JSON that is valid under ``schema``.

    ``where`` says where the JSON stands: ``whole`` is the whole response, ``fence`` the first fenced block, and
    ``any`` (the default) the whole response if that is JSON, else the first fenced block.
    """

    kind = "json_schema"
    example = "json_schema: {type: object, required: [name]}"

    schema_: dict[str, Any] = Field(alias="schema")
    where: Literal["whole", "fence", "any"] = "any"

    @field_validator("schema_")
    @classmethod
    def _valid(cls, schema: dict[str, Any]) -> dict[str, Any]:
        check_schema(schema)
        return schema


class MathCheck(CheckSpec):
    """The response's final answer equals the reference as mathematics (math-verify): 1/2 = 0.5 = \\frac{1}{2}.

    Decimal numbers are compared after rounding to ``precision`` decimals.
    """

    kind = "math"
    needs_reference = True
    example = "math: {precision: 6}"

    precision: int = Field(default=6, strict=True, ge=0, le=15)


class NumberCheck(CheckSpec):
    """The final number of the response equals the reference number, exactly or within a tolerance.

    Passes when the difference is at most ``tolerance``, or at most ``relative`` times the reference's size.
    """

    kind = "number"
    needs_reference = True
    example = "number: {tolerance: 0.01}"

    tolerance: Tolerance = 0.0
    relative: Tolerance = 0.0


class ExactCheck(CheckSpec):
    """The whole response is the reference, character by character; blanks at the ends do not count by default."""

    kind = "exact"
    needs_reference = True
    example = "exact: {ignore_case: true}"

    ignore_case: Flag = False
    strip: Flag = True


class NormalizedCheck(CheckSpec):
    """The response is the reference after normalisation (letter case, articles, punctuation, number formats).

    ``contains`` asks only that the reference's words stand in the response, side by side.
    """

    kind = "normalized"
    needs_reference = True
    example = "normalized: {contains: true}"

    contains: Flag = False


class Range(BaseModel):
    """A smallest and a largest count, both included."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min: Count | None = None
    max: Count | None = None

    @model_validator(mode="after")
    def _range(self) -> Range:
        _bounds(self.min, self.max)
        return self


class CodeFenceCheck(CheckSpec):
    """The response has fenced code blocks, closed, of a language if one is named: at least one by default."""

    kind = "code_fence"
    example = "code_fence: {language: python, count: {min: 1, max: 1}}"

    language: Text | None = None
    count: Range = Range(min=1)


class RepetitionCheck(CheckSpec):
    """At most the share ``max`` of the response's word n-grams repeats an earlier one (a degenerate-loop guard)."""

    kind = "repetition"
    example = "repetition: {max: 0.2, ngram: 4}"

    max: float = Field(strict=True, ge=0, lt=1)
    ngram: int = Field(default=4, strict=True, ge=1, le=50)


_KINDS: tuple[type[CheckSpec], ...] = (
    RegexCheck,
    ContainsCheck,
    LengthCheck,
    JsonSchemaCheck,
    MathCheck,
    NumberCheck,
    ExactCheck,
    NormalizedCheck,
    CodeFenceCheck,
    RepetitionCheck,
)

CHECK_KINDS: dict[str, type[CheckSpec]] = {spec.kind: spec for spec in _KINDS}


def parse_check(spec: Any) -> CheckSpec:
    """The check that a rubric describes.

    Raises:
        ValueError: the kind or a parameter is unknown or wrong; the message names kind, parameter, value and fix.
    """
    if isinstance(spec, CheckSpec):
        return spec
    known = ", ".join(CHECK_KINDS)
    if not isinstance(spec, Mapping):
        raise ValueError(
            f"check: a mapping with one kind is needed, found {excerpt(spec)}; write {{{RegexCheck.example}}}"
        )
    if len(spec) != 1:
        found = ", ".join(map(str, spec)) or "none"
        raise ValueError(
            f"check: exactly one kind is needed, found {found}; write one criterion for each check (kinds: {known})"
        )
    kind, parameters = next(iter(spec.items()))
    model = CHECK_KINDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        raise ValueError(f"check: there is no kind {excerpt(kind)}; use one of {known}")
    try:
        return model.model_validate(_long_form(model, parameters))
    except ValidationError as error:
        raise ValueError("; ".join(_fault(model, item) for item in error.errors())) from None


def _long_form(model: type[CheckSpec], parameters: Any) -> dict[str, Any]:
    """Parameters as a mapping, whatever short form the rubric uses."""
    needed = [name for name, field in model.model_fields.items() if field.is_required()]
    if parameters is True and model is JsonSchemaCheck:
        return {"schema": {}}
    if parameters is True and not needed and model.short is None:
        return {}
    if isinstance(parameters, str) and model.short:
        return {model.short: parameters}
    if isinstance(parameters, Mapping):
        # "schema" is no keyword of JSON Schema, so a bare schema and the long form cannot be confused.
        if model is JsonSchemaCheck and "schema" not in parameters:
            return {"schema": dict(parameters)}
        return dict(parameters)
    raise ValueError(f"check {model.kind}: cannot read {excerpt(parameters)}; write {{{model.example}}}")


def _fault(model: type[CheckSpec], item: Any) -> str:
    """One fault of a check's parameters in words."""
    where = ".".join([model.kind, *map(str, item["loc"])])
    if item["type"] == "extra_forbidden":
        known = ", ".join(field.alias or name for name, field in model.model_fields.items())
        return f"check {where}: unknown parameter; known here: {known}"
    if item["type"] == "missing":
        return f"check {where}: is missing; write {{{model.example}}}"
    message = item["msg"].removeprefix("Value error, ")
    found = f", found {excerpt(item['input'])}" if item["loc"] else ""
    return f"check {where}: {message}{found}; write for example {{{model.example}}}"
