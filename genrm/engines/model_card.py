"""The model card ``genrm.json`` in a model's folder: what a judge was made for, and how to read what it writes.

    {"name": "my-judge", "version": "1.0", "prompts": "compact", "one_criterion": true, "labels": ["no", "yes"],
     "decision": {"met": "=", "unmet": "!"}, "dtype": "float64", "demonstration": true}

    >>> parse_card({"name": "my-judge", "version": "1.0"}).prompts
    'full'

Most models need none. A judge that was trained on a prompt of its own, or whose critique decides before its label
is said, describes itself here once, so that nobody guesses from the model's name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, get_args

from genrm.engines.base import PromptStyle
from genrm.errors import Fault, SpecError

CARD_FILE = "genrm.json"
DTYPES = ("auto", "float64", "float32", "bfloat16", "float16")


class Question(Protocol):
    """What a card has to know of a criterion."""

    @property
    def ask(self) -> str | None:
        """The question."""
        ...

    @property
    def scale(self) -> Any:
        """The scale; its ``names`` are the labels."""
        ...


@dataclass(frozen=True, slots=True)
class Decision:
    """The tokens inside a critique that decide: one mark per comparison that was met or not."""

    met: str
    unmet: str


@dataclass(frozen=True, slots=True)
class Domain:
    """Questions that a judge was trained for.

    Attributes:
        ask: regular expression that the whole question matches; letter case does not count.
        reference: True when it was trained for them beside a reference answer, False when without one.
    """

    ask: str
    reference: bool = False


@dataclass(frozen=True)
class ModelCard:
    """What a judge says about itself.

    Attributes:
        prompts: the set of prompt templates that it was trained on.
        one_criterion: it takes one criterion a call.
        labels: the labels that it can say, lowest first; empty when any will do.
        decision: where its critique decides; None when the label does.
        extract: name to regular expression over a critique, with the groups ``answer`` and ``reference``: what the
            critique says that it compared.
        domain: the questions that it was trained for; empty when that was not restricted.
        dtype: the number format that its weights are run in.
        demonstration: it is no product; people are told so once a run.
        notice: what they are told; a default text for demonstration judges.
    """

    name: str
    version: str
    prompts: PromptStyle = "full"
    one_criterion: bool = False
    labels: tuple[str, ...] = ()
    decision: Decision | None = None
    extract: Mapping[str, str] = field(default_factory=dict)
    domain: tuple[Domain, ...] = ()
    dtype: str | None = None
    demonstration: bool = False
    notice: str | None = None

    def knows(self, criterion: Question, reference: bool = False) -> bool:
        """Whether the judge was trained for this question, shown with or without a reference answer."""
        if self.labels and set(criterion.scale.names) != set(self.labels):
            return False
        ask = " ".join((criterion.ask or "").split())
        return not self.domain or any(
            reference == entry.reference and re.fullmatch(entry.ask, ask, re.IGNORECASE) for entry in self.domain
        )


def load_card(folder: Path) -> ModelCard | None:
    """The card in a model's folder; None when there is none.

    Raises:
        SpecError: the card is broken; the fault names file, field, value and fix.
    """
    path = folder / CARD_FILE
    if not path.is_file():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SpecError(Fault(f"the model card is not JSON ({error})", str(path), fix="correct the file")) from None
    return parse_card(data, file=str(path))


def parse_card(data: Any, *, file: str | None = None) -> ModelCard:
    """A card from its JSON data; ``file`` is named in faults.

    Raises:
        SpecError: every fault that was found.
    """
    if not isinstance(data, dict):
        raise SpecError(Fault("a model card is a JSON object", file, value=repr(data)[:60]))
    faults = [
        Fault("unknown key", file, field=key, fix=f"use one of {', '.join(_RULES)}")
        for key in data
        if key not in _RULES
    ]
    faults += [Fault("is missing", file, field=key, fix="add it") for key in ("name", "version") if key not in data]
    values: dict[str, Any] = {}
    for key, (read, needed) in _RULES.items():
        if key in data:
            try:
                values[key] = read(data[key])
            except (TypeError, ValueError, KeyError, AttributeError):
                faults.append(Fault(f"{needed} is needed", file, field=key, value=json.dumps(data[key])[:80]))
    if values.get("extract") and "labels" not in data:
        faults.append(Fault("is missing", file, field="labels", fix="add it: extract is compared with the last label"))
    if faults:
        raise SpecError(faults)
    if values.get("demonstration") and not values.get("notice"):
        values["notice"] = f"{values['name']} is a demonstration judge with a narrow domain, no product"
    return ModelCard(**values)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _one_of(value: Any, options: tuple[str, ...]) -> str:
    if value not in options:
        raise ValueError
    return _text(value)


def _labels(value: Any) -> tuple[str, ...]:
    labels = tuple(map(_text, value))
    if isinstance(value, str) or len(labels) < 2 or len(set(labels)) < len(labels):
        raise ValueError
    return labels


def _decision(value: Any) -> Decision:
    decision = Decision(_text(value["met"]), _text(value["unmet"]))
    if len(value) != 2 or decision.met == decision.unmet:
        raise ValueError
    return decision


def _extract(value: Any) -> dict[str, str]:
    for pattern in value.values():
        if not {"answer", "reference"} <= set(_pattern(pattern).groupindex):
            raise ValueError
    return dict(value)


def _domain(value: Any) -> tuple[Domain, ...]:
    if isinstance(value, (str, dict)):
        raise TypeError
    return tuple(Domain(_pattern(entry["ask"]).pattern, _flag(entry.get("reference", False))) for entry in value)


def _pattern(value: Any) -> re.Pattern[str]:
    try:
        return re.compile(_text(value))
    except re.error:
        raise ValueError from None


_STYLES: tuple[str, ...] = get_args(PromptStyle)

_RULES: dict[str, tuple[Any, str]] = {
    "name": (_text, "a text"),
    "version": (_text, "a text"),
    "prompts": (lambda value: _one_of(value, _STYLES), f"one of {', '.join(_STYLES)}"),
    "one_criterion": (_flag, "true or false"),
    "labels": (_labels, "a list of at least two different texts, lowest first"),
    "decision": (_decision, '{"met": …, "unmet": …} with two different marks'),
    "extract": (_extract, "a mapping of regular expressions with the groups answer and reference"),
    "domain": (_domain, 'a list of {"ask": REGULAR EXPRESSION, "reference": true or false}'),
    "dtype": (lambda value: _one_of(value, DTYPES), f"one of {', '.join(DTYPES)}"),
    "demonstration": (_flag, "true or false"),
    "notice": (_text, "a text"),
}
