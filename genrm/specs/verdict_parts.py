"""The parts of a verdict format: where a verdict, a critique and thinking stand, and which numbers may be said.

>>> Where(regex=r"Score: (?P<label>\\d)").match
'last'
>>> Numbers(min=1, max=5, step=0.5).holds(Decimal("4.5"))
True
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict, field_validator, model_validator

from genrm.specs.faults import wrong
from genrm.specs.patterns import compile_pattern
from genrm.specs.scale import FiniteFloat

Text = Annotated[str, Strict(), Field(min_length=1)]
Texts = tuple[Text, ...]

STRICT = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def listed(value: Any) -> Any:
    """A list, also where a file gives one text or number."""
    items = value if isinstance(value, (list, tuple)) else [value]
    return tuple(str(item) if isinstance(item, (int, float)) and not isinstance(item, bool) else item for item in items)


class Thinking(BaseModel):
    """What is thought before the verdict, and never read for one.

    Attributes:
        start: marks that begin it.
        end: marks that end it; all up to the last one is thinking, also without a start mark, because chat templates
            write that themselves. Thinking that is begun and not ended leaves no verdict.
    """

    model_config = STRICT

    start: Texts = ("<think>", "<thinking>")
    end: Texts = ("</think>", "</thinking>")

    @field_validator("start", "end", mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        return listed(value)


class Where(BaseModel):
    """``verdict:``, where the verdict stands: either ``regex`` or ``json``.

    Attributes:
        regex: expressions with a group ``label``, tried in this order; the first one that matches at all counts. With
            ``each`` they also have a group ``criterion``.
        json: paths (keys and list indices joined by dots) into a JSON object in the text, which may be fenced and
            have its keys in any order; the first path that leads somewhere counts.
        flags: of the expressions: i, m, s.
        place: anywhere; at the end, with nothing but punctuation behind; on the first or the last line that shows
            something.
        match: which of several matches (or objects) counts.
        conflict: what several matches that say different things mean: that one counts (``match``), or no verdict.
        each: the value holds a label per criterion: a mapping by criterion id, or a list in rubric order.
        item: with ``each``, the path of the label inside an item; the item itself when None.
        open: an output that was cut has its verdict all the same, because judges begin with it. The first line needs
            no such word: it is complete once another line has begun.
    """

    model_config = STRICT

    regex: Texts = ()
    json_: Texts = Field(default=(), alias="json")
    flags: Literal["", "i", "m", "s", "im", "is", "ms", "ims"] = ""
    place: Literal["anywhere", "end", "first_line", "last_line"] = "anywhere"
    match: Literal["last", "first"] = "last"
    conflict: Literal["match", "none"] = "match"
    each: bool = False
    item: Text | None = None
    open: bool = False

    @field_validator("regex", "json_", mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        return listed(value)

    @model_validator(mode="after")
    def _consistent(self) -> Where:
        if bool(self.regex) == bool(self.json_):
            raise wrong("either regex or json is needed", "write one of them")
        groups = ("label", "criterion") if self.each else ("label",)
        for pattern in self.regex:
            check_pattern(pattern, self.flags, groups)
        if self.json_ and (self.flags or self.place not in ("anywhere", "end")):
            raise wrong("flags, first_line and last_line are for regex", "leave them out beside json")
        if self.item and not (self.each and self.json_):
            raise wrong("item is for json with each", "leave it out, or add each: true")
        return self


class Critique(BaseModel):
    """Where the critique stands; ``before`` and ``after`` are the text on that side of the verdict.

    With ``regex`` it is the group ``critique`` of its last match, with ``json`` the text at a path of the object that
    holds the verdict (of its item, with ``each``).
    """

    model_config = STRICT

    where: Literal["before", "after", "none"] | None = None
    regex: Text | None = None
    json_: Text | None = Field(default=None, alias="json")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"where": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _consistent(self) -> Critique:
        if sum(part is not None for part in (self.where, self.regex, self.json_)) != 1:
            raise wrong("one place is needed", "write before, after, none, {regex: …} or {json: …}")
        if self.regex:
            check_pattern(self.regex, "s", ("critique",))
        return self


class Numbers(BaseModel):
    """Numbers that a judge of this format may say, both ends included; anything else is no verdict."""

    model_config = STRICT

    min: FiniteFloat
    max: FiniteFloat
    step: Annotated[FiniteFloat, Field(gt=0)] = 1.0

    @model_validator(mode="after")
    def _range(self) -> Numbers:
        if self.min >= self.max:
            raise wrong(f"min {self.min:g} is not below max {self.max:g}", "give a min below max")
        if (self.max - self.min) / self.step > 10_000:
            raise wrong("there are more than 10,000 numbers to say", "give a larger step, or a nearer max")
        return self

    def holds(self, number: Decimal) -> bool:
        """Whether a judge of this format can say this number."""
        low, high, step = (Decimal(str(part)) for part in (self.min, self.max, self.step))
        return low <= number <= high and (number - low) % step == 0


class Probabilities(BaseModel):
    """``read:``, labels from token log-probabilities instead of from the text.

    Attributes:
        token: index of the token whose alternatives are the labels.
        otherwise: the token that was said is none of the labels: ``fail``, or ``read`` the labels' probabilities at
            its place all the same (they are renormalised; the mass outside them is reported).
    """

    model_config = STRICT

    token: Annotated[int, Strict(), Field(ge=0)] = 0
    otherwise: Literal["fail", "read"] = "fail"


class RecordPaths(BaseModel):
    """``record:``, where the fields of a record stand in the files of this format: keys and indices joined by dots.

    Without ``id`` records belong to the rows of the input in their order.
    """

    model_config = STRICT

    id: Text | None = None
    vote: Text | None = None
    text: Text
    finish_reason: Text | None = None
    thinking: Text | None = None
    logprobs: Text | None = None


class Example(BaseModel):
    """An output and what it says: a label, labels by criterion, or (with neither) no verdict."""

    model_config = STRICT

    text: Annotated[str, Strict()]
    label: Text | None = None
    labels: dict[str, Text] | None = None
    critique: str | None = None
    cut: bool = False
    top: dict[str, Annotated[float, Field(gt=0, le=1)]] | None = None
    """Probabilities of the alternatives at the first token, for formats with ``read``."""

    @field_validator("label", mode="before")
    @classmethod
    def _digits(cls, value: Any) -> Any:
        return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value

    @field_validator("labels", mode="before")
    @classmethod
    def _all_digits(cls, value: Any) -> Any:
        return {key: cls._digits(item) for key, item in value.items()} if isinstance(value, dict) else value


def number_of(text: str) -> Decimal | None:
    """The number that a text is; None when it is none. ``4``, ``4.0`` and ``+4`` are the same number."""
    plain = text.strip(" \t\r\n*`\"'")
    if not re.fullmatch(r"[-+]?(\d{1,18}(\.\d{0,18})?|\.\d{1,18})", plain, re.ASCII):
        return None
    try:
        return Decimal(plain)
    except InvalidOperation:
        return None


def check_pattern(pattern: str, flags: str, groups: tuple[str, ...]) -> None:
    """Raise a fault unless the expression is within bounds, sound, and has these groups."""
    import regex

    try:
        compiled = compile_pattern(pattern, flags)
    except ValueError as error:
        raise wrong(f"the expression {error}", "shorten it") from None
    except regex.error as error:
        raise wrong(f"no regular expression: {error}", "correct it") from None
    if missing := [group for group in groups if group not in compiled.groupindex]:
        raise wrong(f"the expression has no group {missing[0]!r}", f"write (?P<{missing[0]}>…) around it")
