"""Canonical answers and the critique that compares two of them.

>>> canonical("$1,800.00")
'1800'
>>> compare("170", "180", list)
('a1|1=b7|8!', False)

A critique reads ``response answers 170; reference 180: a1|1=b7|8!``. After the colon both answers are laid side by
side, piece by piece: an index (a letter, or a digit before a word piece, so that pieces never run together), the
response's piece, ``|``, the reference's piece and a mark, ``=`` for equal or ``!`` for different. The first ``!`` ends
it. A missing piece is ``_``. The verdict is yes when every mark is ``=``.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Callable

NO_ANSWER = "response gives no answer; reference {reference}: !"
CRITIQUE = "response answers {answer}; reference {reference}: {marks}"
# Ends where the marks begin.
EXTRACT = r"^response (?:answers (?P<answer>.+?)|gives no answer); reference (?P<reference>.+): "
MAX_WORDS = 4
MAX_LETTERS = 24
MAX_DIGITS = 12
ALIASES = {
    "kilometers": "km", "kilometres": "km", "kilometer": "km", "meters": "m", "metres": "m", "meter": "m",
    "centimeters": "cm", "centimetres": "cm", "kilograms": "kg", "kilogram": "kg", "grams": "g", "gram": "g",
    "hours": "h", "hour": "h", "minutes": "min", "minute": "min", "seconds": "s", "second": "s", "liters": "l",
    "litres": "l",
}  # fmt: skip
DROPPED = {"dollars", "dollar", "euros", "euro", "percent", "degrees", "degree", "usd"}
_FRACTION = re.compile(r"\\[dt]?frac\{(-?\d+)\}\{(\d+)\}")


def fold(text: str) -> str:
    """What the tokenizer sees: lower case, no accents."""
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return text.lower().strip()


def canonical_number(text: str) -> str:
    """A number without commas, currency, percent sign and trailing zeros; at most twelve characters."""
    text = _FRACTION.sub(r"\1/\2", text)
    text = re.sub(r"[,$€£%\s]", "", text)
    if re.fullmatch(r"-?\d*\.\d+", text):
        text = text.rstrip("0").rstrip(".")
    if text.startswith((".", "-.")):
        text = text.replace(".", "0.", 1)
    return text[:MAX_DIGITS]


def canonical(text: str) -> str:
    """The canonical form of a stated answer (see the module's description)."""
    text = fold(text).strip(" \"'`*!?").rstrip(". ")
    text = re.sub(r"^\\boxed\{(.*)\}$", r"\1", text.strip("$ "))
    text = re.sub(r"\\text\{(.*?)\}", r"\1", text)
    choice = re.fullmatch(r"(?:option |choice )?\(?([a-h])\)?(?:[).:] .*)?", text)
    if choice:
        return choice[1]
    text = _FRACTION.sub(r"\1/\2", text)
    number = re.match(r"[-$€£.]*\d[\d.,:%]*(?:\s?/\s?\d+)?\s?%?(?=$| |[a-z°])", text)
    if number:
        unit = text[number.end() :].strip(" .°")
        value = canonical_number(number[0])
        unit = ALIASES.get(unit, unit)
        return value if not unit or unit in DROPPED else f"{value} {unit}"[:MAX_LETTERS]
    text = re.sub(r"^(?:a|an|the) (?=\w)", "", text)
    text = re.sub(r"[^\w\s/.'-]", "", text)
    return phrase(text)


def phrase(text: str) -> str:
    """The first words of a phrase: at most four, at most 24 characters."""
    words = text.split()[:MAX_WORDS]
    while len(words) > 1 and len(" ".join(words)) > MAX_LETTERS:
        words.pop()
    return " ".join(words)[:MAX_LETTERS]


def held(value: str) -> bool:
    """One canonical value in eight is kept out of training, by hash."""
    return len(value) > 1 and zlib.crc32(value.encode()) % 8 == 0


def pieces(text: str, spell: Callable[[str], list[str]]) -> list[str]:
    """Cut a canonical answer: single digits and signs, words as ``spell`` cuts them."""
    out: list[str] = []
    for part in re.findall(r"[^\W\d_]+|[^\s]", text):
        out += spell(part) if part[0].isalpha() else [part]
    return out


def compare(answer: str, reference: str, spell: Callable[[str], list[str]]) -> tuple[str, bool]:
    """The marks of two canonical answers and whether they are equal."""
    left, right = pieces(answer, spell), pieces(reference, spell)
    marks = ""
    for i in range(max(len(left), len(right))):
        a = left[i] if i < len(left) else "_"
        b = right[i] if i < len(right) else "_"
        index = str((i + 1) % 10) if a[0].isalpha() else chr(ord("a") + i % 26)
        marks += f"{index}{a}|{b}" + ("=" if a == b else "!")
        if a != b:
            return marks, False
    return marks, True


def critique(answer: str | None, reference: str, spell: Callable[[str], list[str]]) -> tuple[str, bool]:
    """The whole critique of a verification, and its verdict."""
    if answer is None:
        return NO_ANSWER.format(reference=reference), False
    marks, equal = compare(answer, reference, spell)
    return CRITIQUE.format(answer=answer, reference=reference, marks=marks), equal


def agree(answer: str, reference: str) -> bool:
    """Whether an extracted answer is the reference, or one of its alternatives, in canonical form.

    >>> agree("5", "5 km"), agree("b", "B) Paris"), agree("twelve", "12 / twelve")
    (True, True, True)
    """
    ours = canonical(answer)
    wanted = [*reference.split(" / "), reference] if " / " in reference else [reference]
    for text in wanted:
        option = re.fullmatch(r"\s*\(?([A-Ha-h])\)\s*(.+)", text)
        theirs = {canonical(text)} | ({canonical(option[2])} if option else set())
        if ours in theirs or any(_same_number(ours, other) for other in theirs):
            return True
    return False


def _same_number(one: str, other: str) -> bool:
    """Equal numbers of which at least one names no unit."""
    a, b = one.split(" ", 1), other.split(" ", 1)
    return a[0] == b[0] and a[0][-1:].isdigit() and (len(a) == 1 or len(b) == 1)
