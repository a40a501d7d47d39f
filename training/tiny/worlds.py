"""Answers of every kind: how they are drawn, written and got wrong.

A ``Value`` is a canonical answer with its kind and unit. ``write`` renders it in one of the ways people
write it; ``near_miss`` gives another value that is hard to tell from it.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace

from . import words
from .answers import DROPPED, canonical, held, phrase

LENGTH_UNITS = ["km", "m", "cm", "kg", "g", "h", "min", "s", "l"]
LONG = {
    "km": ["kilometers", "km"],
    "m": ["meters", "metres"],
    "cm": ["centimeters", "cm"],
    "kg": ["kilograms"],
    "g": ["grams"],
    "h": ["hours", "hours"],
    "min": ["minutes"],
    "s": ["seconds"],
    "l": ["liters", "litres"],
}
LOOSE = sorted(DROPPED - {"usd"})
NUMERIC = ("int", "dec", "money", "neg", "pct", "frac", "time", "year")
WORDS = ("word", "name", "phrase", "pseudo", "letters")


@dataclass(frozen=True)
class Value:
    """A canonical answer. ``text`` never holds the unit."""

    kind: str
    text: str
    unit: str = ""  # canonical unit, or a counted noun
    pool: str = ""  # word list that it came from
    option: str = ""  # the text behind a multiple-choice letter
    tail: str = ""  # words of a long phrase that the canonical form cuts off

    @property
    def numeric(self) -> bool:
        return self.kind in NUMERIC


@dataclass(frozen=True)
class Split:
    """What is held out: ``values``, ``phrasings`` and ``styles`` are "train" or "held"."""

    values: str = "train"
    phrasings: str = "train"
    styles: str = "train"

    def keeps(self, value: Value) -> bool:
        if value.kind in ("mc", "bool"):
            return True
        return held(value.text) == (self.values == "held")


TRAIN = Split()
ALL_HELD = Split("held", "held", "held")


def _digits(r: random.Random) -> str:
    n = r.choice([1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 5, 6])
    if r.random() < 0.25 and n > 2:
        return str(r.randint(1, 99)) + "0" * (n - 2)
    return str(r.randint(0 if n == 1 else 10 ** (n - 1), 10**n - 1))


def _number(r: random.Random) -> Value:
    kind = r.choices(NUMERIC, [50, 10, 12, 4, 7, 7, 5, 5])[0]
    text, unit = _digits(r), ""
    if kind == "dec" or (kind == "money" and r.random() < 0.5):
        tail = r.choice([str(r.randint(1, 9)), f"{r.randint(1, 99):02d}", f"{r.randint(1, 999):03d}", "5", "25", "75"])
        text = canonical(f"{text}.{tail}")
        if kind == "dec" and r.random() < 0.06:
            text = (text.split(".")[0] + "." + r.choice(["3333333333", "6666666666", "1428571428"]))[:12]
    elif kind == "neg":
        text = "-" + (text if text != "0" else "3")
    elif kind == "pct":
        text = str(r.randint(1, 100)) if r.random() < 0.8 else canonical(f"{r.randint(0, 99)}.{r.randint(1, 9)}")
    elif kind == "frac":
        text = f"{r.randint(1, 40)}/{r.randint(2, 60)}"
    elif kind == "time":
        text = f"{r.randint(0, 23)}:{r.randint(0, 59):02d}"
    elif kind == "year":
        text = str(r.randint(1000, 2030))
    if kind in ("int", "dec") and r.random() < 0.45:
        unit = r.choice(LENGTH_UNITS) if r.random() < 0.5 else r.choice(words.ITEMS)
    return Value(kind, text, unit)


def _word(r: random.Random) -> Value:
    t = r.random()
    if t < 0.34:
        pool = r.choice(sorted(words.POOLS))
        return Value("word", canonical(r.choice(words.POOLS[pool])), pool=pool)
    if t < 0.50:
        return Value("name", canonical(words.person(r)), pool="person")
    if t < 0.56:
        return Value("name", canonical(r.choice(words.LAST)), pool="last")
    if t < 0.70:
        long = words.salad(r, 1, 7)
        text = phrase(long)
        return Value("phrase", text, pool="salad", tail=long[len(text) :])
    if t < 0.92:
        text = words.pseudo(r)
        return Value("pseudo", f"{text} {words.pseudo(r)}" if r.random() < 0.2 else text, pool="pseudo")
    return Value("letters", words.letters(r), pool="letters")


def draw(r: random.Random, split: Split = TRAIN, kind: str | None = None) -> Value:
    """A value of the split; ``kind`` is "number", "word", "mc", "bool", a numeric kind, or None for the mix."""
    while True:
        want = kind or r.choices(["number", "word", "mc", "bool"], [46, 42, 8, 4])[0]
        if want == "word":
            value = _word(r)
        elif want == "mc":
            option = near_option(r)
            value = Value("mc", r.choice("abcdabcdabcde"), option=option)
        elif want == "bool":
            value = Value("bool", r.choice(["yes", "no", "true", "false"]))
        else:
            value = _number(r)
            if want in NUMERIC and value.kind != want:
                continue
            if want == "unit" and not value.unit:
                continue
        if split.keeps(value) and value.text:
            return value


def near_option(r: random.Random) -> str:
    """The text of a multiple-choice option."""
    pool = r.choice(sorted(words.POOLS))
    return r.choice([r.choice(words.POOLS[pool]), _digits(r), words.salad(r, 1, 3), words.person(r)])


def write(r: random.Random, value: Value, plain: bool = False) -> str:
    """One way to write a value, without its unit."""
    text = value.text
    if value.kind in ("int", "money", "dec", "neg", "pct", "year"):
        whole, _, tail = text.partition(".")
        sign = "-" if whole.startswith("-") else ""
        whole = whole.lstrip("-")
        if value.kind != "year" and len(whole) > 3 and r.random() < 0.5:
            whole = f"{int(whole):,}"
        if value.kind == "money":
            tail = tail.ljust(2, "0") if tail else r.choice(["", "", "00"])
            mark = "$" if r.random() < 0.75 else r.choice(["", "", "€", "£"])
            return f"{sign}{mark}{whole}" + (f".{tail}" if tail else "")
        if not tail and value.kind in ("int", "pct") and r.random() < 0.07:
            tail = r.choice(["0", "0", "00"])
        elif tail and r.random() < 0.08:
            tail += "0"
        if value.kind == "dec" and len(text) >= 12:
            tail += tail[-3:] + r.choice(["", "...", "6", "7"])
        if whole == "0" and tail and r.random() < 0.15:
            whole = ""
        text = f"{sign}{whole}" + (f".{tail}" if tail else "")
        if value.kind == "pct" and r.random() < 0.7:
            return text + r.choice(["%", "%", " percent"])
        if value.kind == "int" and value.unit == "" and r.random() < 0.06:
            return "$" + text
        return text
    if value.kind == "frac" and not plain and r.random() < 0.3:
        top, bottom = text.split("/")
        return f"\\{r.choice(['frac', 'frac', 'dfrac', 'tfrac'])}{{{top}}}{{{bottom}}}"
    if value.kind == "frac" and r.random() < 0.06:
        return text.replace("/", " / ")
    if value.kind == "mc":
        return text.upper()
    if value.kind == "bool":
        return text.capitalize() if r.random() < 0.6 else text
    return _cased(r, value)


def _cased(r: random.Random, value: Value) -> str:
    text, t = value.text + value.tail, r.random()
    if value.pool in ("person", "last", "city", "country", "famous") or t < 0.3:
        text = text.title()
    elif t < 0.4:
        text = text.capitalize()
    elif t < 0.44:
        text = text.upper()
    if value.pool in ("animal", "food", "thing", "salad", "pseudo") and r.random() < 0.2:
        text = r.choice(["the ", "The ", "a "]) + text
    return text


def write_unit(r: random.Random, value: Value) -> str:
    """The unit in words or in short, with a leading space, or nothing."""
    if value.unit in LONG:
        return " " + (value.unit if r.random() < 0.5 else r.choice(LONG[value.unit]))
    if value.unit:
        return f" {value.unit}"
    if value.kind in ("money", "pct", "dec") and r.random() < 0.1:
        return " " + r.choice(LOOSE)
    return ""


def near_miss(r: random.Random, value: Value, split: Split = TRAIN) -> Value:
    """Another value of the same kind, close to this one; never held when training."""
    for _ in range(200):
        if value.numeric:
            text = _wrong_number(r, value)
        elif value.kind == "mc":
            text = r.choice("abcde")
        elif value.kind == "bool":
            text = {"yes": "no", "no": "yes", "true": "false", "false": "true"}[value.text]
        else:
            text = _wrong_word(r, value)
        if value.tail and phrase(text + value.tail) != text:
            continue
        other = replace(value, text=text, option=near_option(r) if value.kind == "mc" else "")
        if not text or text == value.text or canonical(text) in (value.text, ""):
            continue
        if value.kind not in ("mc", "bool") and split.values == "train" and held(text):
            continue
        return other
    return replace(value, text="17" if value.text != "17" else "71") if value.numeric else replace(value, text="heron")


def _wrong_number(r: random.Random, value: Value) -> str:
    text, t = value.text, r.random()
    spots = [i for i, c in enumerate(text) if c.isdigit()]
    i = r.choice(spots)
    if t < 0.42:
        text = text[:i] + r.choice("0123456789") + text[i + 1 :]
    elif t < 0.50 and len(spots) > 1:
        j = r.choice(spots)
        chars = list(text)
        chars[i], chars[j] = chars[j], chars[i]
        text = "".join(chars)
    elif t < 0.58:
        text = text[: i + 1] + r.choice("0000123456789") + text[i + 1 :]
    elif t < 0.65 and len(spots) > 1:
        text = text[:i] + text[i + 1 :]
    elif t < 0.80 and text.isdigit():
        text = str(max(0, int(text) + r.choice([-1, 1, 2, -2, 10, -10, 5, 100, -100])))
    elif t < 0.84 and value.kind not in ("time", "frac", "year", "pct"):
        text = text[1:] if text.startswith("-") else "-" + text
    elif text.isdigit():
        text = str(r.randint(0, 10 ** len(text) - 1))
    else:
        fresh = _number(r)
        text = fresh.text if fresh.kind == value.kind else ""
    text = canonical(text)
    if value.kind not in ("frac", "time") and not re.fullmatch(r"-?\d+(\.\d+)?", text):
        return ""
    if value.kind == "frac" and not re.fullmatch(r"[1-9]\d?/[1-9]\d?", text):
        return ""
    if value.kind == "time" and not re.fullmatch(r"\d{1,2}:[0-5]\d", text):
        return ""
    if re.match(r"-?0\d", text) or len(text) > 12 or not re.search(r"\d", text):
        return ""
    if value.kind == "frac":
        (a, b), (c, d) = (map(int, x.split("/")) for x in (text, value.text))
        return "" if a * d == b * c else text
    return text


def _wrong_word(r: random.Random, value: Value) -> str:
    text, t = value.text, r.random()
    if t < 0.40 and len(text) > 3:
        i = r.randrange(1, len(text))
        if not text[i].isalpha():
            return ""
        letter = r.choice("abcdefghiklmnoprstuvwy")
        text = text[:i] + r.choice([letter, letter, letter + text[i], ""]) + text[i + 1 :]
    elif t < 0.60 and " " in text:
        parts = text.split()
        i = r.randrange(len(parts))
        parts[i] = words.pseudo(r) if r.random() < 0.3 else r.choice(words.LAST + words.FIRST + words.WORDS).lower()
        text = " ".join(parts if r.random() < 0.7 else parts[:i] + parts[i + 1 :])
    elif value.pool in words.POOLS:
        text = r.choice(words.POOLS[value.pool])
    elif value.pool == "person":
        text = words.person(r)
    elif value.pool == "last":
        text = r.choice(words.LAST)
    else:
        text = _word(r).text
    return canonical(text)
