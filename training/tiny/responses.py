"""Responses: worked solutions, one-liners and bare answers, with other values before and after the answer.

``respond`` turns a written answer into a response. Styles are templates; one template in ten is held out
by hash, and a few layouts are held out by hand (``HELD_ENDINGS``).
"""

from __future__ import annotations

import random
import zlib

from . import words
from .texts import load
from .worlds import LENGTH_UNITS, Split, Value, write, write_unit

_TEXTS = load("responses")
HELD_ENDINGS = _TEXTS["held_endings"]
STATEMENTS = _TEXTS["statements"]
_NUMBER_ENDINGS = _TEXTS["number_endings"]
OPENERS = _TEXTS["openers"]
SLIPS = _TEXTS["slips"]
GUESSES = _TEXTS["guesses"]
DENIALS = _TEXTS["denials"]
CLOSERS = _TEXTS["closers"]
ENDS = _TEXTS["ends"]
_SUBJECTS = _TEXTS["subjects"]
_LINKS = _TEXTS["links"]
_DEEDS = _TEXTS["deeds"]
_FRAMES = _TEXTS["frames"]
_CONTEXTS = _TEXTS["contexts"]
_AFTER = _TEXTS["after"]


def _usable(template: str, split: Split) -> bool:
    hidden = zlib.crc32(("style:" + template).encode()) % 10 == 0
    return hidden == (split.styles == "held")


def pick(r: random.Random, templates: list[str], split: Split) -> str:
    """A template of the split (any template where the list has none)."""
    for _ in range(60):
        template = r.choice(templates)
        if _usable(template, split):
            return template
    return r.choice(templates)


def fill(r: random.Random, template: str, **given: str) -> str:
    """Fill names, words and numbers into a template; every letter is drawn afresh."""
    slots = {
        "x": str(r.randint(2, 12)), "y": str(r.randint(2, 99)) if r.random() < 0.7 else str(r.randint(100, 999)),
        "n": r.choice([*words.FIRST, "He", "She", "They", "We"]), "m": r.choice(words.FIRST),
        "w": r.choice(words.WORDS) if r.random() < 0.6 else r.choice(words.ITEMS + words.ANIMALS),
        "v": r.choice(_DEEDS), "Y": str(r.randint(1200, 2024)), "Q": words.person(r),
        "P": r.choice(words.CITIES + words.COUNTRIES) if r.random() < 0.8 else words.pseudo(r).capitalize(),
        "A": r.choice(["She", "He", "They", words.person(r)]),
    }  # fmt: skip
    return template.format(**{**slots, **given})


def sentence(text: str, r: random.Random) -> str:
    """Close a clause as a sentence, most of the time with a capital and a full stop."""
    if r.random() < 0.85:
        text = text[:1].upper() + text[1:]
    return text + r.choice([".", ".", ".", ".", "", "!"])


def step(r: random.Random, annotate: bool, result: str | None = None, money: bool = False) -> str:
    """One line of arithmetic with its words; ``result`` is the wanted outcome, else a computed one."""
    a, b, op = r.randint(2, 99), r.randint(2, 40), r.choice("+-**/+")
    if r.random() < 0.2:
        a *= r.choice([10, 100, 5])
    if op == "-" and a < b:
        a, b = b, a
    if op == "/":
        a = a * b
    value = {"+": a + b, "-": a - b, "*": a * b, "/": a // b}[op]
    shown = result if result is not None else str(value)
    plain = shown.split(" ")[0].replace(",", "").replace("$", "") + (".0" if op == "/" and r.random() < 0.4 else "")
    mark = "$" if (money or r.random() < 0.2) and not shown.startswith("$") else ""
    if shown[:1].isdigit() is False:
        mark = ""
    sign = op if r.random() < 0.8 else {"*": "x", "/": "÷"}.get(op, op)
    left = f"{a} {sign} {b}" if r.random() < 0.6 else f"{a}{sign}{b}"
    note = f"<<{a}{op}{b}={plain}>>" if annotate else ""
    eq = r.choice([" = ", " = ", "=", " = "])
    n, item = r.choice([*words.FIRST, "he", "she", "they"]), r.choice(words.ITEMS + LENGTH_UNITS[:2])
    item = "in all" if " " in shown else item
    body = r.choice(
        [
            f"{n} has {left}{eq}{mark}{note}{shown} {item}",
            f"{n} sells {left}{eq}{mark}{note}{shown} {item} a day",
            f"{n} needs {left}{eq}{mark}{note}{shown} {item} in total",
            f"the {r.choice(words.WORDS)} costs {left}{eq}{mark}{note}{shown}",
            f"{n} and {r.choice(words.FIRST)} have {left}{eq}{mark}{note}{shown} {item}",
            f"there are {left}{eq}{note}{shown} {item}",
            f"{left}{eq}{mark}{note}{shown}",
            f"so {n} pays {left}{eq}{mark}{note}{shown} for the {item}",
            f"that is {left}{eq}{note}{shown}",
            f"{n} spends {left}{eq}{mark}{note}{shown} each week",
            f"the total is {left}{eq}{mark}{note}{shown}",
        ]
    )
    if r.random() < 0.3:
        body = r.choice(["First, ", "Then ", "Next, ", "So ", "Now ", "After that ", f"Since {b} is left, "]) + body
    return sentence(body, r) if not annotate else body[:1].upper() + body[1:] + r.choice(["", ".", "."])


def remark(r: random.Random) -> str:
    """A line of working without a result: facts, LaTeX, equations, chatter."""
    a, b, c = r.randint(2, 99), r.randint(2, 400), r.randint(2, 12)
    n, item = r.choice(words.FIRST), r.choice(words.ITEMS)
    return r.choice(
        [
            f"{n} has {a} {item} and buys {c} more.",
            f"There are {b} {item} in each of the {c} boxes.",
            f"We know that {n} is {a} years old.",
            f"Let x be the number of {item}.",
            f"${a}x + {c} = {b}$",
            f"\\[ {a}x = {b} \\]",
            f"We divide both sides by {c}.",
            f"\\frac{{{a}}}{{{c}}} of the {item} are {r.choice(words.COLOURS)}.",
            f"{a}% of {b} is needed.",
            f"The {r.choice(words.WORDS)} {words.salad(r, 2, 6)}.",
            f"{n} starts at {c}:{r.randint(10, 59)}.",
            f"Step {r.randint(1, 9)}: {words.salad(r, 2, 6)}.",
            f"{words.person(r)} lived in {r.choice(words.CITIES)}.",
            f"In {r.randint(1200, 2024)} the {r.choice(words.WORDS)} changed.",
            f"{words.salad(r, 3, 8).capitalize()}.",
            "Recall that 1 km is 1000 m and 1 hour is 60 minutes.",
            f"{r.choice(words.CITIES)} is larger than {r.choice(words.CITIES)}.",
            f"f(x) = {c}x^2 - {a}",
        ]
    )


def aside(r: random.Random, o: str | None, numeric: bool) -> str:
    """A closing remark with another value in it, so that the last value is not the answer."""
    slots = {"o": o or str(r.randint(2, 500)), "i": r.choice(words.ITEMS), "z": str(r.randint(10, 900))}
    if not numeric and o and r.random() < 0.7:
        return fill(r, r.choice(_TEXTS["word_asides"]), **slots)
    if r.random() < 0.4:
        return fill(r, r.choice(_TEXTS["asides"]), **slots)
    parts = [r.choice(_TEXTS[f"aside_{name}"]) for name in ("heads", "numbers", "tails")]
    text = fill(r, "".join(parts), **slots)
    return f"({text}.)" if r.random() < 0.1 else sentence(text, r)


def joined(r: random.Random, final: str, o: str | None) -> str:
    """The statement of the answer with a remark hung on to it."""
    tail = fill(r, r.choice(_TEXTS["joins"]), o=o or str(r.randint(2, 500)), z=str(r.randint(10, 900)))
    return final.rstrip(".!") + tail + r.choice([".", ".", ""])


def working(r: random.Random, lines: int, annotate: bool, numeric: bool) -> list[str]:
    """Some lines of working."""
    return [step(r, annotate) if r.random() < (0.75 if numeric else 0.12) else remark(r) for _ in range(lines)]


def ending(r: random.Random, value: Value, a: str, split: Split) -> str:
    """The statement of the final answer."""
    if split.styles == "held" and r.random() < 0.5:
        return fill(r, r.choice(HELD_ENDINGS), a=a)
    if value.numeric:
        t = r.random()
        if t < 0.10:
            return step(r, r.random() < 0.4, a.replace("\\", "")) if "frac" not in a else f"It is {a}."
        return fill(r, pick(r, STATEMENTS if t < 0.58 else _NUMBER_ENDINGS, split), a=a)
    if value.kind in ("mc", "bool"):
        return choice_ending(r, value, a, split)
    t = r.random()
    if t < 0.33:
        return fill(r, pick(r, STATEMENTS, split), a=a)
    context = fill(r, pick(r, _CONTEXTS, split))
    if t < 0.60:
        return sentence(fill(r, pick(r, _SUBJECTS, split)) + f" {r.choice(_LINKS)} {a}{context}", r)
    if t < 0.75:
        thing = r.choice(["it", "the {w}", "{P}", "the {w} of {P}", "this", "most of the {w}"])
        return sentence(fill(r, "{a} {v} " + thing, a=a) + context, r)
    return sentence(fill(r, pick(r, _FRAMES, split), a=a, c=context), r)


def choice_ending(r: random.Random, value: Value, a: str, split: Split) -> str:
    """A letter alone, in brackets or with the option's text; yes or no as a first word or in a statement."""
    if value.kind == "bool":
        reason = fill(r, r.choice(["the {w} {v} the {w}", "{Q} {v} it", "the {w} is in {P}", "{x} is less than {y}"]))
        if r.random() < 0.4:
            return r.choice([f"{a}.", f"{a}, {reason}.", f"{a}, because {reason}.", f"{a}. {reason.capitalize()}."])
        if a.lower() in ("true", "false") and r.random() < 0.5:
            return r.choice([f"The statement is {a}.", f"This is {a}.", f"That's {a}.", f"It is {a} that {reason}."])
        return fill(r, pick(r, STATEMENTS, split), a=a)
    shown = r.choice(
        [
            a,
            a,
            f"({a})",
            f"({a})",
            f"{a})",
            f"{a}) {value.option}",
            f"{a}. {value.option}",
            f"({a}) {value.option}",
            f"{a}: {value.option}",
        ]
    )
    if r.random() < 0.3:
        return r.choice(
            [
                f"Option {a}.",
                f"option {a}",
                f"The correct option is {shown}",
                f"I choose {shown}.",
                f"Choice {a} is correct.",
                f"({a}) is right.",
                f"{a} is correct.",
                f"The best choice is {shown}.",
                f"I'd pick {shown}",
            ]
        )
    return fill(r, pick(r, STATEMENTS, split), a=shown)


def answer_first(r: random.Random, value: Value, a: str, o: str | None, parts: list[str]) -> str:
    """The answer, and then its reasons, in which other values occur."""
    shown = a if value.kind != "mc" else r.choice([a, f"({a})", f"{a}) {value.option}", f"Option {a}"])
    asides = [aside(r, o, value.numeric) for _ in range(r.choice([0, 1, 1, 2]))]
    reasons = r.choice([" ", " ", "\n"]).join([*parts[-3:], *asides]) if parts or asides else aside(r, o, value.numeric)
    if value.kind == "mc" and not o:
        reasons = remark(r)
    return r.choice(_TEXTS["firsts"]).format(a=shown, b=reasons)


def respond(
    r: random.Random,
    value: Value,
    split: Split,
    other: Value | None = None,
    length: str = "mixed",
    unit: bool = True,
    tail: float | None = None,
) -> str:
    """A response whose final answer is ``value``; ``other`` is a value that it mentions but does not conclude."""
    a = write(r, value)
    if unit:
        a += write_unit(r, value)
    o = write(r, other) + (write_unit(r, other) if other and r.random() < 0.3 else "") if other else ""
    if length == "bare":
        return a + r.choice(["", "", "", ".", ".", "!", "\n", " "])
    annotate = value.numeric and r.random() < 0.35
    lines = {"line": 0, "long": r.randint(8, 16)}.get(length)
    if lines is None:
        lines = r.choice([0, 0, 0, 1, 1, 2, 2, 3, 4, 5, 6])
    parts = working(r, lines, annotate, value.numeric or (value.kind == "mc" and r.random() < 0.5))
    if value.kind == "mc" and r.random() < 0.3:
        letters = list("ABCD")
        parts += (
            [f"{x}) {words.salad(r, 1, 3)}" for x in letters]
            if r.random() < 0.4
            else [f"Option {r.choice(letters)} is {r.choice(words.WORDS)}."]
        )
    if other:
        t = r.random()
        if t < 0.35:
            parts.insert(r.randint(0, len(parts)), fill(r, pick(r, GUESSES, split), o=o))
        elif t < 0.6:
            parts.append(ending(r, other, o, split) + " " + pick(r, SLIPS, split))
        elif t < 0.8 and value.numeric and other.numeric and "frac" not in o:
            parts.insert(r.randint(0, len(parts)), step(r, annotate, o))
    final = ending(r, value, a, split)
    if annotate and r.random() < 0.6 and "frac" not in a:
        parts.append(step(r, True, a.split(" ")[0]))
        final = r.choice(["A: {a}", "#### {a}", "A: {a}", "The answer is {a}."]).format(a=a)
    if r.random() < 0.12:
        parts.insert(0, pick(r, OPENERS, split))
    if r.random() < 0.10 and tail is None:
        return answer_first(r, value, a, o if other else None, [p for p in parts if not o or o not in p])
    if r.random() < 0.12:
        final = joined(r, final, o if other else None)
    parts.append(final)
    if r.random() < 0.25:
        parts += [aside(r, o if other else None, value.numeric) for _ in range(r.choice([1, 1, 1, 2]))]
    usual = 0.35 if length != "long" else 0.15
    if r.random() < (usual if tail is None else tail):
        if other and r.random() < 0.45:
            parts.append(fill(r, pick(r, DENIALS, split), o=o))
        elif value.numeric or r.random() < 0.5:
            parts.append(fill(r, pick(r, CLOSERS + ENDS, split)))
        else:
            parts.append(fill(r, pick(r, _AFTER + ENDS, split)))
        if r.random() < 0.15:
            parts.append(fill(r, r.choice(CLOSERS + ENDS)))
    gap = r.choice([" ", "\n", "\n", "\n\n"]) if lines else r.choice([" ", " ", "\n"])
    return gap.join(parts)
