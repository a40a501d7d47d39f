"""Numbers in text: found in one pass, read exactly, and kept apart from their units.

    >>> parse_number("$1,250.00")
    Quantity(value=Fraction(1250, 1), unit='dollar')
    >>> final_number("16 - 3 = 13, and 13 * 2 = 26.")
    Quantity(value=Fraction(26, 1), unit='')

Values are fractions, so 0.1 is one tenth and 1/3 is a third. A number of absurd size is no number: ``1e999999999``
would otherwise fill the memory.
"""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from dataclasses import dataclass
from fractions import Fraction

MAX_DIGITS = 100
MAX_EXPONENT = 300
MAX_TEXT = 1000

_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)"
_PLAIN = rf"(?:{_DIGITS}(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?"
# A sign counts only where it touches the number and no operand stands before it: neither "16-3" nor "16 - 3" has a -3.
_NUMBER = re.compile(
    rf"(?<![\w.])(?P<sign>(?<![)\]%])[-+])?(?:(?P<money>[$€£¥])\s?(?P<sign2>[-+])?)?"
    rf"(?:(?P<whole>\d+)\s+(?=\d+/\d))?(?P<number>{_PLAIN})(?:/(?P<over>{_PLAIN}))?(?P<percent>\s?%)?"
)
_LATEX_FRACTION = re.compile(r"\\[dtc]?frac\s*(?:\{\s*([-\d.,]+)\s*\}\s*\{\s*([-\d.,]+)\s*\}|(\d)\s*(\d))")
_THIN_BLANK = re.compile(r"(?<=\d)[\u00a0\u2009\u202f](?=\d{3}(?!\d))")
_LATEX_NOISE = re.compile(r"\\(?:left|right|displaystyle|mathrm|text|,|;|!|:| )|[{}]")

_UNITS: dict[str, str] = {
    name: unit
    for unit, names in {
        "dollar": "$ usd dollars",
        "euro": "€ eur euros",
        "pound": "£ gbp pounds",
        "yen": "¥ jpy",
        "%": "percent pct percentage",
        "cent": "cents ¢",
        "kilometer": "km kms kilometers kilometre kilometres",
        "meter": "m meters metre metres",
        "centimeter": "cm centimeters centimetre centimetres",
        "millimeter": "mm millimeters millimetre millimetres",
        "mile": "mi miles",
        "foot": "ft feet",
        "inch": "in inches",
        "kilogram": "kg kgs kilograms",
        "gram": "g grams",
        "liter": "l liters litre litres",
        "hour": "h hr hrs hours",
        "minute": "min mins minutes",
        "second": "s sec secs seconds",
        "day": "days",
        "week": "weeks",
        "month": "months",
        "year": "yr yrs years",
        "degree": "° degrees deg",
        "kilometer/hour": "km/h kph",
        "mile/hour": "mph",
    }.items()
    for name in (unit, *names.split())
}
KNOWN_UNITS = frozenset(_UNITS.values())

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_WORDS = {word: value for value, word in enumerate(_SMALL.split())}
_WORDS |= {ten: 20 + 10 * index for index, ten in enumerate(_TENS.split())}
_WORDS |= {f"{ten}-{word}": _WORDS[ten] + _WORDS[word] for ten in _TENS.split() for word in _SMALL.split()[1:10]}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number and its unit ("" without one); units are singular and spelled out where they are known."""

    value: Fraction
    unit: str = ""


def plain_text(text: str) -> str:
    """NFKC with one kind of minus and of thousands separator, and LaTeX fractions and spacing as plain text."""
    text = unicodedata.normalize("NFKC", _THIN_BLANK.sub(",", text))
    text = text.replace("\u2212", "-").replace("\u2013", "-").replace("\u2044", "/")
    if "\\" in text:
        text = _LATEX_FRACTION.sub(lambda match: f" {match[1] or match[3]}/{match[2] or match[4]}", text)
        text = text.replace("\\%", "%").replace("\\$", "$")
        text = _LATEX_NOISE.sub(" ", text)
    return text


def parse_number(text: str) -> Quantity | None:
    """The quantity that a whole text states ("18", "$18.00", "3/4", "18 km", "twelve"), or None."""
    if len(text) > MAX_TEXT:
        return None
    bare = plain_text(text).strip(" \t\r\n*_`").rstrip(".!;, *_`")
    if bare.count("$") == 2:
        # A pair marks mathematics, a single one is money.
        bare = bare.replace("$", "").strip()
    bare = re.sub(r"^([-+])\s+", r"\1", bare)
    words = bare.lower().split()
    if words and words[0] in _WORDS:
        return Quantity(Fraction(_WORDS[words[0]]), unit_name(" ".join(words[1:]))) if len(words) <= 3 else None
    match = _NUMBER.match(bare)
    if match is None:
        return None
    rest = bare[match.end() :].strip()
    # After the number only a unit may follow: a few words without digits or operators.
    if not re.fullmatch(r"(?:[^\W\d]|[%°¢$€£¥/^.² ³-]){0,40}", rest) or len(rest.split()) > 4:
        return None
    quantity = _quantity(match)
    if quantity is None or not rest:
        return quantity
    return Quantity(quantity.value, unit_name(rest)) if not quantity.unit else None


def final_number(text: str) -> Quantity | None:
    """The number a response ends on: in its last ``\\boxed{…}``, else after its last ``####``, else the last one."""
    for part in (last_boxed(text), after_hashes(text)):
        if part is not None and (quantity := parse_number(part) or _last(part)):
            return quantity
    return _last(text)


def after_hashes(text: str) -> str | None:
    """What follows the last ``####`` on its line, as in the worked solutions of GSM8K; None without one."""
    _, hashes, rest = text.rpartition("####")
    return rest.strip().split("\n")[0].strip() if hashes else None


def last_boxed(text: str) -> str | None:
    """The content of the last ``\\boxed{…}`` whose braces close, or None."""
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    depth = 0
    for position in range(start + len("\\boxed"), len(text)):
        depth += (text[position] == "{") - (text[position] == "}")
        if depth == 0:
            return text[start + len("\\boxed{") : position]
    return None


def unit_name(text: str) -> str:
    """A unit in its singular, spelled-out form; unknown ones keep their words without a plural s."""
    bare = text.strip().strip(".").lower()
    if bare in _UNITS:
        return _UNITS[bare]
    return " ".join(word[:-1] if len(word) > 3 and word.endswith("s") else word for word in bare.split())


def _last(text: str) -> Quantity | None:
    # Hostile texts hold a million numbers, the last of them of absurd size; reading these few is enough.
    matches = deque(_NUMBER.finditer(plain_text(text)), maxlen=1000)
    return next((quantity for match in reversed(matches) if (quantity := _quantity(match))), None)


def _quantity(match: re.Match[str]) -> Quantity | None:
    value = _fraction(match["number"])
    over = _fraction(match["over"]) if match["over"] else Fraction(1)
    if value is None or not over:
        return None
    value = value / over + (int(match["whole"]) if match["whole"] and len(match["whole"]) <= MAX_DIGITS else 0)
    if "-" in (match["sign"], match["sign2"]):
        value = -value
    unit = "%" if match["percent"] else _UNITS[match["money"]] if match["money"] else ""
    return Quantity(value, unit)


def _fraction(text: str) -> Fraction | None:
    mantissa, _, exponent = text.replace(",", "").lower().partition("e")
    if len(mantissa) > MAX_DIGITS or len(exponent) > 5 or abs(int(exponent or 0)) > MAX_EXPONENT:
        return None
    return Fraction(mantissa) * Fraction(10) ** int(exponent or 0)
