"""Responses without content that fool judges: the ten published master keys, a second list, and their relatives.

The master keys and ``OTHERS`` are for evaluation only and never occur in training as exact strings;
``degenerate`` draws relatives of them for the hardened sibling.
"""

from __future__ import annotations

import random

from . import responses as rs
from . import words
from .criteria import REFUSALS, VAGUE
from .texts import load
from .worlds import TRAIN

_TEXTS = load("degenerates")
MASTER_KEYS = _TEXTS["master_keys"]
OTHERS = _TEXTS["others"]
_RESERVED = {form for x in MASTER_KEYS + OTHERS for form in (x, x.strip())}
_HEADS = _TEXTS["heads"]
_LINES = _TEXTS["lines"]


def degenerate(r: random.Random) -> str:
    """A response that answers nothing, and is none of the reserved strings."""
    while True:
        t = r.random()
        if t < 0.04:
            text = r.choice(["  ", "   ", "\n\n", " \n", "\t", "\n ", "\n\n\n", "    "])
        elif t < 0.24:
            text = "".join(r.choice(".,:;!?-_*#/()[]{}<>=+~ \n\"'") for _ in range(r.randint(1, 5)))
        elif t < 0.45:
            text = r.choice(_HEADS) + r.choice(["", "", ":", ".", " :", "...", "：", "\n", " "])
        elif t < 0.72:
            text = r.choice(_LINES)
            text = text.lower() if r.random() < 0.1 else text
        elif t < 0.80:
            text = "".join(
                chr(
                    r.choice(
                        [
                            r.randint(0x4E00, 0x9FA0),
                            r.randint(0x3041, 0x3090),
                            r.randint(0x410, 0x44F),
                            r.randint(0xAC00, 0xD700),
                        ]
                    )
                )
                for _ in range(r.randint(1, 5))
            )
        elif t < 0.86:
            text = rs.fill(r, r.choice(VAGUE))
        elif t < 0.92:
            text = r.choice(REFUSALS)
        else:
            text = r.choice(_HEADS) + r.choice([": ", "\n", " - "]) + r.choice(_LINES)
        if r.random() < 0.12:
            text = r.choice([" ", "\n", "  "]) + text + r.choice(["", " ", "\n"])
        # Blank responses have relatives too: other numbers of blanks.
        if text.strip() not in _RESERVED or (not text.strip() and text not in _RESERVED):
            return text


def odd_but_answered(r: random.Random, answer: str) -> str:
    """A hard positive: a degenerate opening that is followed by an answer."""
    head = r.choice([*_HEADS, "Solution", "Respuesta", "解", "Thought process", "Answer", "Score"])
    return r.choice(
        [
            f"{head}: {answer}",
            f"{head} {answer}",
            f"{head}\n{answer}",
            f"{answer}?",
            f"{answer}...",
            f"{r.choice(_LINES[:15])} {answer}",
            f". {answer}",
            f": {answer}",
            f"{head}：{answer}",
            f"{head}:\n\n{answer}.",
            f"{r.choice(_LINES[:15])}\n{words.salad(r, 2, 5)}.\nThe answer is {answer}.",
        ]
    )


__all__ = ["MASTER_KEYS", "OTHERS", "TRAIN", "degenerate", "odd_but_answered"]
