"""Canonical forms of short answers, so that code can tell whether two of them say the same.

    >>> same_answer("$1,250.00", "1250 dollars"), same_answer("the Eiffel Tower", "Eiffel tower.")
    (True, True)
    >>> same_answer("18", "19"), same_answer("NYC", "New York City")
    (False, None)

None means "cannot tell": code that needs a yes or no asks somebody else then.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from difflib import SequenceMatcher
from fractions import Fraction

from genrm.checks.numbers import KNOWN_UNITS, Quantity, last_boxed, parse_number, plain_text

_ARTICLES = frozenset({"a", "an", "the"})
# "B", "(B)", "B. Paris", "option B"; a lower-case letter needs brackets, since a bare "a" is mostly an article.
_CHOICE = re.compile(
    r"(?i:(?:option|choice|answer)[:\s]\s*)?(?:\(([A-J])\)|\[([A-J])\]|([A-J])(?=[).:]|$))[).:]*\s*(.*)", re.DOTALL
)
_LOWER_CHOICE = re.compile(r"(?:(?:option|choice|answer)[:\s]\s*)?[(\[]([a-j])[)\]]")
_LETTERS = frozenset("abcdefghij")
_DOTTED = re.compile(r"\b(?:[^\W\d_]\.){2,}")
# Kana, Han and Hangul: between their words there need not be blanks, so each character is a word here.
_CJK = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_LETTER = rf"[^\W_{_CJK}]"
_TOKEN = re.compile(
    r"(?<!\w)[-+]?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|(?<!\w)\.\d+"
    rf"|[{_CJK}]|{_LETTER}+(?:['’]{_LETTER}+)*"
)
# Beyond this a text is no short answer, and comparing letter by letter takes too long.
MAX_SHORT = 200
MAX_WRAPPINGS = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """A short answer in canonical form: a quantity, the letter of a choice (with its text), or words."""

    words: tuple[str, ...]
    quantity: Quantity | None = None
    choice: str | None = None


def canonical(text: str) -> Answer:
    """The canonical form of a short answer. Wrappings (quotes, ``**``, ``$…$``, ``\\boxed{}``) do not count."""
    text = unwrap(text)
    if match := _CHOICE.fullmatch(text):
        return Answer(normal_words(match[4]), choice=(match[1] or match[2] or match[3]).lower())
    if match := _LOWER_CHOICE.fullmatch(text):
        return Answer((), choice=match[1])
    return Answer(normal_words(text), quantity=parse_number(text))


def same_answer(first: str, second: str) -> bool | None:
    """Whether two short answers are the same; None where code cannot tell.

    Numbers are compared by value; a unit that only one of them has does not matter, and different units make them
    different (or undecided where a conversion would be needed). Words are the same after normalisation, undecided
    when one text contains the other, abbreviates it or nearly equals it, and different otherwise.
    """
    a, b = canonical(first), canonical(second)
    if a.choice and b.choice:
        return a.choice == b.choice
    if a.choice or b.choice:
        chosen, other = (a, b) if a.choice else (b, a)
        if len(other.words) == 1 and other.words[0] in _LETTERS:
            return other.words[0] == chosen.choice
        return True if chosen.words and chosen.words == other.words else None
    if a.quantity and b.quantity:
        return same_quantity(a.quantity, b.quantity)
    if not a.words or not b.words:
        return True if unwrap(first) == unwrap(second) != "" else None
    if a.words == b.words:
        return True
    return None if _close(a.words, b.words) or a.quantity or b.quantity else False


def same_quantity(a: Quantity, b: Quantity, *, tolerance: float = 0.0, relative: float = 0.0) -> bool | None:
    """Whether two quantities are equal: within ``max(tolerance, relative * |b|)`` of each other, ``b`` the reference.

    A percentage equals a plain number that is either its figure or its value (50% is 50 and 0.5). With two
    different units the answer is False for equal figures of known units, and None where it depends on a conversion.
    """
    # In fractions: a figure of a response may be too large for a float.
    slack = max(Fraction(tolerance), Fraction(relative) * abs(b.value)) * (1 + Fraction(1, 10**12))

    def near(x: Fraction, y: Fraction) -> bool:
        return abs(x - y) <= slack

    if a.unit == b.unit:
        return near(a.value, b.value)
    if not a.unit or not b.unit:
        if near(a.value, b.value):
            return True
        if a.unit == "%":
            return near(a.value / 100, b.value)
        return b.unit == "%" and near(a.value, b.value / 100)
    known = a.unit in KNOWN_UNITS and b.unit in KNOWN_UNITS
    return False if known and near(a.value, b.value) else None


def normal_words(text: str) -> tuple[str, ...]:
    """The words of a text after normalisation: NFKC, lower case, no articles, no punctuation, plain numbers.

    A text of articles alone keeps them.
    """
    text = unicodedata.normalize("NFKC", plain_text(text)).casefold()
    text = _DOTTED.sub(lambda match: match[0].replace(".", ""), text)
    words = [_plain(word) for word in _TOKEN.findall(text)]
    return tuple(word for word in words if word not in _ARTICLES) or tuple(words)


def unwrap(text: str) -> str:
    """A text without blanks, quotes, Markdown or LaTeX wrapping and final full stop around it."""
    text = unicodedata.normalize("NFKC", text).strip()
    if (boxed := last_boxed(text)) is not None:
        text = boxed
    text = re.sub(r"\\(?:text|mathrm|textbf|mathbf)\s*\{([^{}]*)\}", r"\1", text)
    for _ in range(MAX_WRAPPINGS):
        before = text
        text = text.strip().rstrip(".;,!").strip("\"'“”‘’`*_")
        if len(text) > 1 and text[0] == text[-1] == "$":
            text = text[1:-1]
        elif text[:2] in ("\\(", "\\[") and text[-2:] in ("\\)", "\\]"):
            text = text[2:-2]
        if text == before:
            break
    return text


def _plain(word: str) -> str:
    """A number without thousands separators, plus sign and trailing zeros; other words without apostrophes."""
    if not any(map(str.isdecimal, word)) or not re.fullmatch(r"[-+]?[\d,]*\.?\d+", word):
        return word.replace("'", "").replace("’", "")
    whole, point, decimals = word.replace(",", "").lstrip("+").partition(".")
    decimals = decimals.rstrip("0")
    sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    digits = digits.lstrip("0") or "0"
    return f"{sign}{digits}{point}{decimals}" if decimals else f"{sign}{digits}"


def _close(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    """One contains the other's words, is its initials, or differs by little more than spelling."""
    if set(a) <= set(b) or set(b) <= set(a):
        return True
    short, long = ("".join(a), b) if len(a) < len(b) else ("".join(b), a)
    initials = "".join(word[0] for word in long)
    if short == initials or (len(long) > 1 and len(short) <= 5 and short.startswith(initials)):
        return True
    one, two = " ".join(a), " ".join(b)
    if max(len(one), len(two)) > MAX_SHORT:
        return True
    return SequenceMatcher(None, one, two, autojunk=False).ratio() >= 0.8
