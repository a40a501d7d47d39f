"""Where the parts of a plan stand in an output: its critiques and its score slots, by their places in bytes.

    >>> from genrm.compiler.output import plan_output
    >>> layout = lay_out(plan_output({"correct": ("no", "yes")}, critique_tokens=64), b'{"critique": "It is 4')
    >>> [(type(field.part).__name__, field.start, field.end, field.closed) for field in layout.fields]
    [('Text', 14, 21, False)]

An output is read from its first byte on, JSON token by JSON token, against what the plan says must come next; blanks
between tokens are forgiven. So a slot is where the plan puts it, whatever a critique says, and also an output that
was cut has its layout up to there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from genrm.compiler.output import Choice, Literal, OutputPlan, Part, Text

BLANKS = re.compile(rb"[ \t\r\n]*")
BODY = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)
_PIECES = re.compile(r'"(?:[^"\\]|\\.)*"|[{}:,]')
_UNITS = re.compile(r'[^"\\]+|\\["\\/bfnrt]|\\u[0-9A-Fa-f]{4}')
_HIGH = re.compile(r"\\u[Dd][89ABab][0-9A-Fa-f]{2}")

Piece = bytes | Text | Choice


@dataclass(frozen=True, slots=True)
class Field:
    """A critique or a label in an output.

    Attributes:
        index: of the part in the plan.
        start: first byte behind the opening quote.
        end: the place of the closing quote, or the end of the output.
        closed: the closing quote is there.
    """

    index: int
    part: Text | Choice
    start: int
    end: int
    closed: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """The fields of an output as far as they are written; ``whole`` when nothing is missing behind them."""

    fields: tuple[Field, ...]
    whole: bool

    def field(self, slot: str) -> Field | None:
        """The label of a slot."""
        return next((f for f in self.fields if isinstance(f.part, Choice) and f.part.slot == slot), None)


def lay_out(plan: OutputPlan, data: bytes) -> Layout | None:
    """The layout of an output, cut or whole; None when it leaves the plan's shape."""
    fields: list[Field] = []
    place = 0
    for index, piece in _pieces(plan.parts):
        blanks = BLANKS.match(data, place)
        place = blanks.end() if blanks else place
        if place == len(data):
            return Layout(tuple(fields), whole=False)
        if isinstance(piece, bytes) and piece[:1] != b'"':
            if not data.startswith(piece, place):
                return None
            place += len(piece)
            continue
        if data[place : place + 1] != b'"':
            return None
        body = BODY.match(data, place + 1)
        end = body.end() if body else place + 1
        # What stands there, when not a quote, is the first half of an escape: the output ends in it.
        closed = data[end : end + 1] == b'"'
        end = end if closed else len(data)
        if isinstance(piece, bytes):
            if not closed:
                return Layout(tuple(fields), whole=False)
            if not _same_key(data[place : end + 1], piece):
                return None
        else:
            fields.append(Field(index, piece, place + 1, end, closed))
            if not closed:
                return Layout(tuple(fields), whole=False)
        place = end + 1
    return Layout(tuple(fields), whole=True) if not data[place:].strip() else None


def whole_units(body: bytes) -> bytes:
    """The body of a JSON string that was cut anywhere, without the half character or escape at its end."""
    text, kept = body.decode(errors="ignore"), 0
    last = None
    for unit in _UNITS.finditer(text):
        if unit.start() != kept:
            break
        kept, last = unit.end(), unit.group()
    # The first half of a surrogate pair stands for nothing without the second.
    if last is not None and _HIGH.fullmatch(last):
        kept -= len(last)
    return text[:kept].encode()


def rest_regex(parts: Sequence[Part]) -> str:
    """The language of the last parts of a plan, from the beginning of a label or the end of a critique on."""
    from genrm.compiler.output import STRING_BODY

    pattern = ""
    for part in parts:
        match part:
            case Literal(text):
                pattern += re.escape(text)
            case Text():
                pattern += STRING_BODY
            case Choice():
                pattern += "(" + "|".join(re.escape(body) for body in part.bodies) + ")"
    return pattern


def rest_tokens(parts: Sequence[Part]) -> int:
    """Upper bound of the tokens of the last parts of a plan: the budgets, and a byte per token for the rest."""
    total = 0
    for part in parts:
        match part:
            case Literal(text):
                total += len(text.encode())
            case Text(_, budget):
                total += budget
            case Choice():
                total += max(len(body.encode()) for body in part.bodies)
    return total


def unfenced(text: str) -> str:
    """The text inside a Markdown code fence that is all of an answer; else the text itself.

    Chat models without a grammar like to wrap what they write; nothing is searched for inside.
    """
    fence = re.fullmatch(r"\s*```(?:json|JSON)?[ \t]*\r?\n(.*?)(?:\s*```\s*)?", text, re.DOTALL)
    return fence[1] if fence else text


@lru_cache(maxsize=256)
def _pieces(parts: tuple[Part, ...]) -> tuple[tuple[int, Piece], ...]:
    """JSON tokens and fields in order, each with the index of its part."""
    pieces: list[tuple[int, Piece]] = []
    for index, part in enumerate(parts):
        match part:
            case Literal(text):
                # The quotes at its ends belong to the fields beside it.
                inner = text[1:] if text[0] == '"' else text
                inner = inner[:-1] if index + 1 < len(parts) else inner
                pieces += [(index, piece.encode()) for piece in _PIECES.findall(inner)]
            case Text() | Choice():
                pieces.append((index, part))
    return tuple(pieces)


def _same_key(found: bytes, wanted: bytes) -> bool:
    if found == wanted:
        return True
    try:
        return bool(json.loads(found, strict=False) == json.loads(wanted))
    except ValueError:
        return False
