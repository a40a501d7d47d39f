"""Closed-list criteria: responses with known features, and the critique that names them.

A critique reads ``asked no code; found answer-steps-…code+…greeting+: no code+!``: what the criterion asks for, whether
the response has (``+``) or lacks (``-``) each of nine features, both for the asked one, and a mark, ``=`` (met) or
``!`` (not met).
"""

from __future__ import annotations

import random

from . import responses as rs
from . import words
from .phrasings import KEYS
from .texts import load
from .worlds import Split, Value, draw, write

CRITIQUE = "asked {asked}; found {found}: {last}{mark}"
_TEXTS = load("criteria")
GREETINGS = _TEXTS["greetings"]
REFUSALS = _TEXTS["refusals"]
QUESTIONS = _TEXTS["questions"]
DOUBTS = _TEXTS["doubts"]
FACTS = _TEXTS["facts"]
VAGUE = _TEXTS["vague"]
PROSE_STEPS = _TEXTS["prose_steps"]
CODE = _TEXTS["code"]
LANGUAGES = ["python", "", "", "js", "bash", "sql", "c", "html", "py"]
FENCE = "`" * 3


def _facts(r: random.Random, n: int, pool: list[str], split: Split) -> list[str]:
    return [rs.fill(r, rs.pick(r, pool, split)) for _ in range(n)]


def _list(r: random.Random, key: str, items: list[str]) -> str:
    if key == "bullets":
        mark = r.choice(["- ", "* ", "• ", "- ", "* ", "+ ", "  - "])
        return "\n".join(mark + x for x in items)
    form = r.choice(["{}. ", "{}. ", "{}) ", "({}) ", " {}. "])
    return "\n".join(form.format(i) + x for i, x in enumerate(items, 1))


def compose(r: random.Random, key: str, present: bool, split: Split, simple: bool = False) -> tuple[str, list[str]]:
    """A response and its features: it has (or lacks) ``key``; the others are drawn freely (seldom if simple)."""
    rates = {
        "answer": 0.4,
        "steps": 0.3,
        "refusal": 0.12,
        "bullets": 0.2,
        "numbering": 0.2,
        "code": 0.15,
        "question": 0.25,
        "doubt": 0.2,
        "greeting": 0.25,
    }
    if simple:
        rates = {k: p / 4 for k, p in rates.items()}
    has = {k: r.random() < p for k, p in rates.items()} | {key: present}
    if key != "refusal" and has["refusal"] and key not in ("greeting", "question", "code"):
        has["refusal"] = key not in ("answer", "steps", "doubt") or not present
    if has["refusal"] and key != "answer":
        has["answer"] = has["answer"] and key == "steps"
    if has["answer"] and key == "doubt" and not present:
        has["question"] = False
    value = draw(r, split)
    parts: list[str] = []
    if has["steps"]:
        lines = rs.working(r, r.randint(2, 5), r.random() < 0.3, True)
        lines = [x for x in lines if "=" in x or key == "steps"] or [rs.step(r, False)]
        if r.random() < 0.25 or (key == "answer" and not present):
            lines = _facts(r, r.randint(2, 4), PROSE_STEPS, split)
        elif key == "steps" and not any("=" in x for x in lines):
            lines.append(rs.step(r, False))
        if r.random() < 0.3:
            lines = [
                r.choice(["First", "Then", "Next", "After that", "So"]) + ", " + x[:1].lower() + x[1:] for x in lines
            ]
    else:
        lines = _facts(r, r.choice([0, 1, 1, 2, 3]), VAGUE if key == "answer" else FACTS + VAGUE, split)
    for kind in ("bullets", "numbering"):
        if has[kind]:
            items = (
                lines
                if len(lines) > 1
                else [
                    r.choice([words.salad(r, 1, 4), *_facts(r, 1, VAGUE if key == "answer" else FACTS, split)])
                    for _ in range(r.randint(2, 4))
                ]
            )
            parts.append(_list(r, kind, items))
            lines = []
    if lines:
        parts.append(r.choice([" ", "\n", " "]).join(lines))
    if has["refusal"]:
        parts.insert(0 if r.random() < 0.75 else len(parts), rs.pick(r, REFUSALS, split))
    if has["doubt"]:
        parts.insert(r.randint(0, len(parts)), _facts(r, 1, DOUBTS, split)[0])
    if has["code"]:
        code = rs.fill(r, r.choice(CODE))
        parts.insert(r.randint(0, len(parts)), f"{FENCE}{r.choice(LANGUAGES)}\n{code}\n{FENCE}")
    if has["answer"]:
        final = _statement(r, value, split, key)
        parts.append(final)
    if has["question"]:
        parts.insert(len(parts) if r.random() < 0.7 else 0, _facts(r, 1, QUESTIONS, split)[0])
    if not parts:
        parts = _facts(r, 1, VAGUE, split)
    if has["greeting"]:
        parts.insert(0, rs.pick(r, GREETINGS, split))
    breaks = has["bullets"] or has["numbering"] or has["code"]
    text = ("\n" if breaks or r.random() < 0.3 else " ").join(parts)
    if breaks and r.random() < 0.5:
        text = text.replace("\n" + FENCE, "\n\n" + FENCE)
    return text, [k for k in KEYS if has[k]]


_UNSURE = (
    "think",
    "believe",
    "robabl",
    "would say",
    "'d say",
    "should be",
    "?",
    "must be",
    "guess",
    "I'd",
    "has to be",
)


def _statement(r: random.Random, value: Value, split: Split, key: str) -> str:
    for _ in range(50):
        if value.kind not in ("mc", "bool"):
            text = rs.fill(r, rs.pick(r, rs.STATEMENTS, split), a=write(r, value))
        else:
            text = rs.ending(r, value, write(r, value), split)
        if not any(mark in text for mark in _UNSURE):
            return text
    return f"The answer is {write(r, value)}."


def judge(key: str, negated: bool, found: list[str]) -> tuple[str, bool]:
    """The critique of a closed-list criterion, and its verdict."""
    met = (key in found) != negated
    asked = ("no " if negated else "") + key
    flags = {k: k + ("+" if k in found else "-") for k in KEYS}
    last = asked.removesuffix(key) + flags[key]
    return CRITIQUE.format(asked=asked, found="".join(flags.values()), last=last, mark="=" if met else "!"), met


__all__ = ["CRITIQUE", "KEYS", "compose", "judge"]
