"""Word lists: hand-typed lists of names and things, and common words of the standard library's docstrings.

``python -m training.tiny.words`` rewrites ``data/words.txt`` from the running interpreter's library.
The file is shipped, so that the data do not depend on the Python version.
"""

from __future__ import annotations

import collections
import random
import re
import sysconfig
from pathlib import Path

from .texts import load

FILE = Path(__file__).parent / "data" / "words.txt"

_TEXTS = load("words")
COUNTRIES = _TEXTS["countries"]
CITIES = _TEXTS["cities"]
FIRST = _TEXTS["first"]
LAST = _TEXTS["last"]
PEOPLE = _TEXTS["people"]
ANIMALS = _TEXTS["animals"]
FOODS = _TEXTS["foods"]
SCIENCE = _TEXTS["science"]
COLOURS = _TEXTS["colours"]
THINGS = _TEXTS["things"]
ITEMS = _TEXTS["items"]
POOLS = {
    "country": COUNTRIES,
    "city": CITIES,
    "animal": ANIMALS,
    "food": FOODS,
    "science": SCIENCE,
    "colour": COLOURS,
    "thing": THINGS,
    "famous": PEOPLE,
}

_TABOO = {
    "sorry",
    "apologise",
    "apologize",
    "unfortunately",
    "cannot",
    "answer",
    "correct",
    "step",
    "steps",
    "maybe",
    "perhaps",
    "hello",
    "question",
}
_VOWELS = _TEXTS["vowels"]
_HEADS = _TEXTS["heads"]
_TAILS = _TEXTS["tails"]


def _collect() -> list[str]:
    count: collections.Counter[str] = collections.Counter()
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        for doc in re.findall(r'"""(.*?)"""', path.read_text(errors="ignore"), re.S):
            count.update(re.findall(r"\b[a-z]{3,11}\b", doc))
    ranked = sorted(count, key=lambda w: (-count[w], w))
    return [w for w in ranked if w not in _TABOO][:2500]


WORDS = FILE.read_text().split() if FILE.exists() else _collect()


def pseudo(r: random.Random) -> str:
    """A pronounceable word that does not exist."""
    n = r.choice([1, 2, 2, 3, 3])
    word = "".join(r.choice(_HEADS) + r.choice(_VOWELS) + r.choice(_TAILS) for _ in range(n))
    return word[:11] if len(word) > 2 else word + "n"


def letters(r: random.Random) -> str:
    """Random letters: the purest exercise in copying."""
    return "".join(r.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(r.randint(2, 7)))


def person(r: random.Random) -> str:
    """A full name; one in six last names is invented."""
    last = r.choice(LAST) if r.random() < 0.83 else pseudo(r).capitalize()
    return f"{r.choice(FIRST)} {last}"


def salad(r: random.Random, low: int = 2, high: int = 6) -> str:
    """Some random common words."""
    return " ".join(r.choice(WORDS) for _ in range(r.randint(low, high)))


if __name__ == "__main__":
    FILE.write_text("\n".join(_collect()) + "\n")
    print(len(FILE.read_text().split()), "words")
