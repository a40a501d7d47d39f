"""Examples for training and evaluation: a prompt, the critique and label that it should get.

>>> import random
>>> example = verify_example(random.Random(0))
>>> example.prompt.startswith("<|criterion|>")
True
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from . import criteria, phrasings, words
from . import responses as rs
from .answers import canonical, critique, held, phrase
from .degenerates import degenerate, odd_but_answered
from .worlds import LONG, TRAIN, Split, Value, draw, near_miss, near_option, write, write_unit

Speller = Callable[[str], list[str]]


def chunks(word: str) -> list[str]:
    """Pieces of three letters: the speller before there is a tokenizer."""
    return [word[i : i + 3] for i in range(0, len(word), 3)]


@dataclass(frozen=True)
class Example:
    """One judgment. ``critique`` is what the model should write before the label."""

    criterion: str
    reference: str | None
    response: str
    critique: str
    label: bool
    task: str  # "verify" or a closed-list key
    kind: str = ""
    tags: tuple[str, ...] = field(default=())

    @property
    def prompt(self) -> str:
        return prompt(self.criterion, self.reference, self.response)


def prompt(criterion: str, reference: str | None, response: str) -> str:
    """The content of the user message."""
    middle = "" if reference is None else f"<|reference|>{reference}"
    return f"<|criterion|>{criterion}{middle}<|response|>{response}"


def _reference(r: random.Random, value: Value) -> tuple[str, bool]:
    """A written reference, and whether it names the unit."""
    text = write(r, value, plain=r.random() < 0.6)
    if value.kind == "mc":
        return r.choice([text, text, text, f"({text})", f"{text})", f"{text}.", f"{text}) {value.option}"]), False
    if value.unit and r.random() < 0.4:
        return text + write_unit(r, value), True
    return text, False


def _canonical_pair(response: Value, reference: Value, units: bool) -> tuple[str, str]:
    """Both canonical answers; the unit stays only where the reference and the response name one."""
    if units and response.unit:
        return f"{response.text} {response.unit}", f"{reference.text} {reference.unit}"
    return response.text, reference.text


def _option_text(r: random.Random, split: Split) -> tuple[Value, str] | None:
    """A multiple-choice reference with its text, for a response that gives only the text."""
    text = near_option(r)
    value = Value("int" if text.isdigit() else "word", canonical(text))
    if not split.keeps(value) or canonical(text) != phrase(canonical(text)):
        return None
    return value, f"{r.choice('ABCD')}) {text}"


def verify_example(
    r: random.Random,
    split: Split = TRAIN,
    spell: Speller = chunks,
    kind: str | None = None,
    distract: float = 0.45,
    length: str = "mixed",
    plain: bool = False,
    tail: float | None = None,
) -> Example:
    """A comparison with a reference. ``distract``: how often another value is mentioned too.

    ``tail``: how often something follows the answer (None: as in training).
    """
    value = draw(r, split, kind)
    label = r.random() < 0.5
    if (plain and r.random() < 0.5) or (length == "mixed" and r.random() < 0.10):
        length = "bare"
    reference, with_unit = _reference(r, value)
    option = _option_text(r, split) if value.kind == "mc" and r.random() < 0.12 else None
    if option:
        value, reference = option
    if label:
        stated, other = value, near_miss(r, value, TRAIN if split.values == "train" else split)
    else:
        stated, other = near_miss(r, value, split), value
        if with_unit and value.unit in LONG and r.random() < 0.25:
            stated = replace(value, unit=r.choice([u for u in LONG if u != value.unit]))
            if split.values == "train" and held(stated.text):
                stated = near_miss(r, value, split)
    mentioned = other if r.random() < distract and length != "bare" else None
    unit = r.random() < (0.55 if stated.unit else 0.1)
    response = rs.respond(r, stated, split, mentioned, length, unit, tail)
    tags = ["distractor"] if mentioned else []
    alternative = ""
    if value.kind in ("word", "name", "pseudo", "phrase", "int") and not with_unit and r.random() < 0.05:
        extra = draw(r, split, "word" if not value.numeric else "int")
        alternative = write(r, extra)
        first = r.random() < 0.5 or not label
        reference = f"{reference} / {alternative}" if first else f"{alternative} / {reference}"
        tags.append("alternatives")
    if value.kind == "name" and value.pool == "person" and label and r.random() < 0.10 and " " in value.text:
        surname = value.text.split()[-1]
        if not held(surname) or split.values == "held":
            reference, value = surname.title(), replace(value, text=surname)
            stated = value
    said, wanted = _canonical_pair(stated, value, with_unit and unit)
    text, equal = critique(said, wanted, spell)
    if value.unit:
        tags.append("unit")
    return Example(phrasings.verify(r, split), reference, response, text, equal, "verify", value.kind, tuple(tags))


def drill(r: random.Random, spell: Speller = chunks) -> Example:
    """Copy and compare with little around it: the curriculum's first exercise."""
    return verify_example(r, TRAIN, spell, r.choice(["number", "word", "word"]), 0.1, "line", plain=True)


def closed_example(
    r: random.Random,
    split: Split = TRAIN,
    key: str | None = None,
    negated: bool | None = None,
    ask: str | None = None,
    simple: bool = False,
) -> Example:
    """A closed-list criterion about the response alone."""
    key = key or r.choice(phrasings.KEYS)
    negated = r.random() < 0.5 if negated is None else negated
    present = r.random() < 0.5
    response, found = criteria.compose(r, key, present, split, simple)
    text, met = criteria.judge(key, negated, found)
    return Example(
        ask or phrasings.closed(r, key, negated, split), None, response, text, met, key, "no" if negated else "yes"
    )


def degenerate_example(
    r: random.Random, spell: Speller = chunks, response: str | None = None, split: Split = TRAIN
) -> Example:
    """A response without an answer, held against a reference or asked for its final answer."""
    text = degenerate(r) if response is None else response
    if response is None and r.random() < 0.2:
        negated = r.random() < 0.5
        words_, met = criteria.judge("answer", negated, ["refusal"] if text.strip() in criteria.REFUSALS else [])
        return Example(phrasings.closed(r, "answer", negated, split), None, text, words_, met, "answer", "degenerate")
    value = draw(r, split)
    reference, _ = _reference(r, value)
    wrote, _ = critique(None, value.text, spell)
    return Example(phrasings.verify(r, split), reference, text, wrote, False, "verify", "degenerate")


def odd_example(r: random.Random, spell: Speller = chunks, split: Split = TRAIN) -> Example:
    """A hard positive (or its near miss): an odd opening followed by an answer."""
    value = draw(r, split, r.choice(["number", "number", "word"]))
    stated = value if r.random() < 0.7 else near_miss(r, value, split)
    reference, _ = _reference(r, replace(value, unit=""))
    wrote, equal = critique(stated.text, value.text, spell)
    return Example(
        phrasings.verify(r, split), reference, odd_but_answered(r, write(r, stated)), wrote, equal, "verify", "odd"
    )


@dataclass(frozen=True)
class Mix:
    """Shares of the training mix: closed-list criteria, of them simple ones, and long solutions."""

    closed: float = 0.288
    simple: float = 0.0
    long: float = 0.07


EARLY = Mix()
HARDENED = 0.12  # share of degenerate responses in the hardened sibling
LATE = Mix(closed=0.40, simple=0.5, long=0.05)


def draw_example(
    r: random.Random, spell: Speller = chunks, easy: float = 0.0, hardened: bool = False, mix: Mix = EARLY
) -> Example:
    """One training example; ``easy`` is the share of drills."""
    t = r.random()
    if t < easy:
        return drill(r, spell)
    if hardened and r.random() < HARDENED:
        return degenerate_example(r, spell)
    t = r.random()
    if t < 0.012:
        return odd_example(r, spell)
    if t < 0.012 + mix.closed:
        return closed_example(r, simple=mix.simple > 0 and r.random() < mix.simple)
    if t < 0.012 + mix.closed + mix.long:
        return verify_example(r, TRAIN, spell, r.choice(["number", "number", "number", None]), 0.5, "long")
    return verify_example(r, TRAIN, spell)


__all__ = [
    "Example",
    "canonical",
    "chunks",
    "closed_example",
    "degenerate_example",
    "draw_example",
    "drill",
    "near_option",
    "odd_example",
    "prompt",
    "verify_example",
    "words",
]  # fmt: skip
