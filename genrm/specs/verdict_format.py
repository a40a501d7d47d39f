"""A verdict format: how a judge that was trained by others writes its verdict, as data.

    >>> from genrm.specs.load_format import load_format
    >>> spec = load_format("mt-bench-pair")
    >>> spec.protocol, spec.says("tie")
    ('pairwise', 'C')
    >>> load_format({"name": "mine", "verdict": {"regex": r"Score: (?P<label>\\d)"}}).digest[:7]
    'sha256:'

A file in ``prompts/formats/`` (or one's own) says where the verdict stands in a text, which match counts, which texts
mean which label, and what is no verdict; :mod:`genrm.verdicts.foreign` reads outputs by it. ``docs/formats.md`` is the
reference. Whatever a format does not find is a failed verdict: there is no key for a default label.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, Strict, field_validator, model_validator

from genrm.specs.faults import wrong
from genrm.specs.verdict_parts import (
    STRICT,
    Critique,
    Example,
    Numbers,
    Probabilities,
    RecordPaths,
    Text,
    Texts,
    Thinking,
    Where,
    check_pattern,
    listed,
    number_of,
)

NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}"


class VerdictFormat(BaseModel):
    """A checked format file.

    Attributes:
        source: paper or repository that the format comes from, by title.
        protocol: what judges of this format are asked to do.
        instructions: what a model is told to write, a Jinja template over ``labels`` (each with ``name``, ``says``,
            ``means``) and ``criteria`` (ids); None for models that know by training alone.
        labels: label to the texts that mean it; the first one is what a judge is told to say. Without ``labels`` and
            ``numbers`` the texts are the labels of the rubric's scale.
        case: letter case counts.
        no_verdict: expressions; a text in which one matches has no verdict.
        read: None reads the text.
        max_tokens: of an output; by the rubric's budgets when None.
    """

    model_config = STRICT

    name: Text
    description: str = ""
    source: str = ""
    protocol: Literal["pointwise", "pairwise", "listwise", "verify", "stepwise"] = "pointwise"
    instructions: Text | None = None
    thinking: Thinking = Thinking()
    verdict: Where
    labels: dict[str, Texts] = Field(default_factory=dict)
    numbers: Numbers | None = None
    case: bool = False
    critique: Critique = Critique(where="before")
    no_verdict: Texts = ()
    read: Probabilities | None = None
    max_tokens: Annotated[int, Strict(), Field(ge=1)] | None = None
    record: RecordPaths | None = None
    examples: tuple[Example, ...] = ()

    @field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        if not re.fullmatch(NAME_PATTERN, name):
            raise wrong("is no name", "use a letter or digit, then at most 99 letters, digits, '_', '.' or '-'")
        return name

    @field_validator("labels", mode="before")
    @classmethod
    def _labels(cls, value: Any) -> Any:
        return {str(k): listed(v) for k, v in value.items()} if isinstance(value, dict) else value

    @field_validator("no_verdict", mode="before")
    @classmethod
    def _list(cls, value: Any) -> Any:
        return listed(value)

    @field_validator("no_verdict")
    @classmethod
    def _patterns(cls, patterns: Texts) -> Texts:
        for pattern in patterns:
            check_pattern(pattern, "", ())
        return patterns

    @model_validator(mode="after")
    def _consistent(self) -> VerdictFormat:
        seen: dict[str, str] = {}
        for label, texts in self.labels.items():
            for text in texts:
                if (other := seen.setdefault(self.fold(text), label)) != label:
                    raise wrong(f"labels: {text!r} means both {other!r} and {label!r}", "give it to one of them")
        if self.labels and self.numbers:
            raise wrong("labels and numbers exclude each other", "keep one of them")
        if self.read and (not self.labels or self.verdict.each):
            raise wrong("read needs labels, and one verdict a text", "say which tokens mean which label")
        if self.critique.json_ and not self.verdict.json_:
            raise wrong("a critique at a JSON path needs a verdict at one", "write critique: {regex: …}")
        return self

    def fold(self, text: str) -> str:
        """A text as it is compared: without the marks around it, and without letter case unless that counts."""
        plain = " ".join(text.strip(" \t\r\n*`\"'").split())
        return plain if self.case else plain.casefold()

    def says(self, label: str) -> str:
        """What a judge of this format writes for a label of the scale."""
        return next((texts[0] for name, texts in self.labels.items() if name.casefold() == label.casefold()), label)

    def problem(self, names: tuple[str, ...]) -> str | None:
        """Why a judge of this format cannot answer on a scale with these labels; None when it can."""
        if self.labels:
            known = {name.casefold() for name in self.labels}
            if stray := [name for name in names if name.casefold() not in known]:
                return f"it never says {_and(stray)}; its labels are {', '.join(self.labels)}"
        if self.numbers:
            numbers = {name: number_of(name) for name in names}
            if stray := [name for name, number in numbers.items() if number is None or not self.numbers.holds(number)]:
                span = f"{self.numbers.min:g} to {self.numbers.max:g} in steps of {self.numbers.step:g}"
                return f"it never says {_and(stray)}; its labels are the numbers from {span}"
        return None

    def label_of(self, said: str, names: tuple[str, ...]) -> str | None:
        """The label of a scale that a text of the judge means; None when it means none of them."""
        folded = self.fold(said)
        if self.labels:
            meant = next((n for n, texts in self.labels.items() if folded in map(self.fold, texts)), None)
            return next((name for name in names if meant is not None and name.casefold() == meant.casefold()), None)
        number = number_of(said)
        if self.numbers and (number is None or not self.numbers.holds(number)):
            return None
        if not self.numbers and (found := next((name for name in names if self.fold(name) == folded), None)):
            return found
        return next((name for name in names if number is not None and number_of(name) == number), None)

    @cached_property
    def digest(self) -> str:
        """``sha256:…`` over everything that can change a verdict."""
        data = self.model_dump(mode="json", by_alias=True, exclude={"description", "source", "record", "examples"})
        text = json.dumps(data, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()

    @property
    def title(self) -> str:
        """Name and digest, as they stand in output rows."""
        return f"{self.name}@{self.digest}"


def _and(names: list[str]) -> str:
    return " and ".join(repr(name) for name in names)
