"""The output plan: what a judge may say, part by part, so that every score slot is known and never searched for.

    >>> plan = plan_output({"correct": ("no", "yes")}, critique_tokens=64)
    >>> [type(part).__name__ for part in plan.parts]
    ['Literal', 'Text', 'Literal', 'Choice', 'Literal']
    >>> plan.parse('{"critique":"It is 4.","label":"yes"}').labels
    {'correct': 'yes'}

Engines that decode token by token walk the parts; engines that take a whole grammar use ``json_schema`` or
``regex``. All of them describe the same texts: critique before label, criteria in rubric order, no blanks (``parse``
forgives blanks between tokens, for engines that cannot be kept from writing them, and nothing else).

A judge that was trained to write its verdict in a form of its own gets a *free* plan: one part, no grammar, and a
verdict format (:mod:`genrm.specs.verdict_format`) that finds the labels in what it wrote.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from genrm.errors import TruncatedError, UnparseableError, excerpt

STRING_BODY = r'([^"\\\x00-\x1F]|\\["\\/bfnrt]|\\u[0-9A-Fa-f]{4})*'


@dataclass(frozen=True, slots=True)
class Literal:
    """Text that stands in every output, so no model has to write it."""

    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """Free text: the body of a JSON string, closed at the latest after ``max_tokens`` tokens."""

    name: str
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Choice:
    """A score slot: exactly one of ``labels``, which are plain text; an output holds them as in ``bodies``."""

    slot: str
    labels: tuple[str, ...]

    @property
    def bodies(self) -> tuple[str, ...]:
        """The labels in the same order as they stand between the quotes of the output: JSON-escaped."""
        return tuple(_body(label) for label in self.labels)


@dataclass(frozen=True, slots=True)
class Thinking:
    """Free text without a grammar before the verdict, up to and including ``end``."""

    end: str
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Free:
    """A whole output without a grammar; a verdict format reads it.

    An engine generates until the model ends its turn, thinking included, and keeps the tokens, where it shows them,
    under :data:`FREE_TEXT` in ``Completion.tokens``.

    Attributes:
        format: the verdict format's name and digest, ``arena-hard@sha256:…``.
        max_tokens: of the whole output.
        logprobs: the format reads its label from token log-probabilities, so the engine is to return them with as
            many alternatives as it shows.
    """

    format: str
    max_tokens: int
    logprobs: bool = False


FREE_TEXT = "text"
"""The key of ``Completion.tokens`` for the output of a free plan."""


Part = Literal | Text | Choice | Thinking | Free


@dataclass(frozen=True, slots=True)
class Answer:
    """What an output says: critique and label per criterion."""

    critiques: dict[str, str]
    labels: dict[str, str]


@dataclass(frozen=True)
class OutputPlan:
    """The parts of an output in order. ``slots`` maps each criterion to its labels.

    The JSON object of one criterion is ``{"critique": …, "label": …}``; several criteria stand side by side,
    each under its id. With ``free`` set there is no grammar: ``parts`` is that one part, and asking for
    ``json_schema``, ``regex`` or ``parse`` is a ValueError.
    """

    slots: Mapping[str, tuple[str, ...]]
    critique_tokens: int
    critique: bool = True
    thinking: Thinking | None = None
    free: Free | None = None

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The plan as literals, free texts and choices."""
        if self.free is not None:
            return (self.free,)
        parts: list[Part] = [self.thinking] if self.thinking else []
        joint = len(self.slots) > 1
        text = ""
        for index, (slot, labels) in enumerate(self.slots.items()):
            text += ("," if index else "{") + _key(slot) + "{" if joint else "{"
            if self.critique:
                parts += [Literal(text + '"critique":"'), Text(slot, self.critique_tokens)]
                text = '",'
            parts += [Literal(text + '"label":"'), Choice(slot, labels)]
            text = '"}'
        parts.append(Literal(text + ("}" if joint else "")))
        return tuple(parts)

    @cached_property
    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of the output, within the subset that every grammar back end enforces. Not to be changed."""
        self._has_grammar()
        objects = {slot: self._object(labels) for slot, labels in self.slots.items()}
        return next(iter(objects.values())) if len(objects) == 1 else _closed(objects)

    def _object(self, labels: tuple[str, ...]) -> dict[str, Any]:
        fields: dict[str, Any] = {"critique": {"type": "string"}} if self.critique else {}
        return _closed(fields | {"label": {"type": "string", "enum": list(labels)}})

    @cached_property
    def regex(self) -> str:
        """The same language as a regular expression, without the thinking part."""
        self._has_grammar()
        pattern = ""
        for part in self.parts:
            match part:
                case Literal(text):
                    pattern += re.escape(text)
                case Text():
                    pattern += STRING_BODY
                case Choice():
                    pattern += "(" + "|".join(re.escape(body) for body in part.bodies) + ")"
        return pattern

    @property
    def max_tokens(self) -> int:
        """Upper bound of generated tokens: the budgets, and a byte per token for everything else."""
        return self.answer_tokens + sum(part.max_tokens for part in self.parts if isinstance(part, Thinking))

    @cached_property
    def answer_tokens(self) -> int:
        """The same without the thinking part."""
        total = 0
        for part in self.parts:
            match part:
                case Literal(text):
                    total += len(text.encode())
                case Text(_, budget) | Free(_, budget):
                    total += budget
                case Choice():
                    total += max(len(body.encode()) for body in part.bodies)
        return total

    def parse(self, text: str, *, cut: bool = False) -> Answer:
        """Read an output (without its thinking part).

        Args:
            text: the output.
            cut: the engine reported that it ran into a token limit.

        Raises:
            TruncatedError: ``cut``, and the text is not a whole object.
            UnparseableError: the text is not JSON, or not of the planned shape: a key is missing, doubled, unknown
                or out of order (a label before its critique was not reached by it), or a label is not on the scale.
        """
        self._has_grammar()
        try:
            data = read_json(text)
        except UnparseableError:
            if cut:
                raise TruncatedError(f"the output was cut before its verdict: …{text[-60:]!r}") from None
            raise
        joint = len(self.slots) > 1
        if joint:
            _in_order(data, list(self.slots), "the output")
        answer = Answer({}, {})
        for slot, labels in self.slots.items():
            item = data[slot] if joint else data
            _in_order(item, ["critique", "label"] if self.critique else ["label"], f"criterion {slot!r}")
            if item["label"] not in labels:
                raise UnparseableError(
                    f"criterion {slot!r}: one of {', '.join(labels)} is needed, found {excerpt(item['label'])}"
                )
            answer.labels[slot] = item["label"]
            if self.critique:
                if not isinstance(item["critique"], str):
                    raise UnparseableError(f"criterion {slot!r}: the critique is no text: {excerpt(item['critique'])}")
                answer.critiques[slot] = _whole(item["critique"])
        return answer

    def _has_grammar(self) -> None:
        if self.free is not None:
            raise ValueError(f"a free output has no grammar; the verdict format {self.free.format} reads it")


def plan_output(
    slots: Mapping[str, tuple[str, ...]],
    *,
    critique_tokens: int,
    critique: bool = True,
    thinking: Thinking | None = None,
    free: Free | None = None,
) -> OutputPlan:
    """The plan for these criteria. Raises ValueError when there is none to ask about."""
    if not slots:
        raise ValueError("an output plan needs at least one criterion")
    for slot, labels in slots.items():
        if len(set(labels)) != len(labels) or len(labels) < 2:
            raise ValueError(f"criterion {slot!r}: at least two labels, all different, are needed, found {labels}")
    return OutputPlan(dict(slots), critique_tokens, critique, thinking, free)


def read_json(text: str) -> Any:
    """The JSON value that a judge wrote.

    Raises:
        UnparseableError: the text is not JSON, nests too deeply, or says two things under one key.
    """
    try:
        return _DECODER.decode(text)
    except _DoubledKeyError as error:
        raise UnparseableError(f"the output has the key {error.args[0]!r} twice: {excerpt(text)}") from None
    except (ValueError, RecursionError) as error:
        raise UnparseableError(f"the output is not JSON ({error}): {excerpt(text)}") from None


def _key(slot: str) -> str:
    return json.dumps(slot, ensure_ascii=False) + ":"


@lru_cache(maxsize=4096)
def _body(label: str) -> str:
    return json.dumps(label, ensure_ascii=False)[1:-1]


class _DoubledKeyError(Exception):
    """A JSON object says two things under one key, and none of them is to be preferred."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    item: dict[str, Any] = {}
    for key, value in pairs:
        if key in item:
            raise _DoubledKeyError(key)
        item[key] = value
    return item


# Some back ends let raw control characters into strings; they harm nobody once parsed.
_DECODER = json.JSONDecoder(strict=False, object_pairs_hook=_unique)


def _in_order(item: Any, keys: list[str], where: str) -> None:
    if not isinstance(item, dict):
        raise UnparseableError(f"{where}: a JSON object is needed, found {excerpt(item)}")
    if list(item) != keys:
        raise UnparseableError(
            f"{where}: the keys {', '.join(keys)} are needed in this order, found {excerpt(list(item))}"
        )


def _whole(text: str) -> str:
    """The text without half surrogate pairs, which a judge can write as escapes and no file can hold."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
