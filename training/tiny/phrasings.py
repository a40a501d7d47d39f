"""Wordings of the criteria: for checking against a reference, and for the closed list about the response alone.

The closed-list wordings come from a grammar (subject, verb, object, wrapper) with systematic negation.
One combination in eight is held out by hash; ``data/natural.json`` holds wordings that the grammar lacks, for
evaluation.
"""

from __future__ import annotations

import random
import zlib

from .texts import load
from .worlds import Split

_TEXTS = load("phrasings")
VERIFY = _TEXTS["verify"]
VERIFY_HELD = _TEXTS["verify_held"]

KEYS = ("answer", "steps", "refusal", "bullets", "numbering", "code", "question", "doubt", "greeting")


def _pairs(name: str) -> list[tuple[str, str]]:
    return [tuple(line.split("/")) for line in _TEXTS[name]]  # (third person, base)


NOUNS = {key: _TEXTS[f"{key}: nouns"] for key in KEYS}
# key -> verbs that take a noun, as (third person, base)
VERBS = {key: _pairs(f"{key}: verbs") for key in KEYS}
# key -> whole predicates as (third person, base)
PREDICATES = {key: _pairs(f"{key}: predicates") for key in KEYS}
SUBJECTS = _TEXTS["subjects"]
WRAPPERS = _TEXTS["wrappers"]
POSITIVE = _TEXTS["positive"]
NEGATIVE = _TEXTS["negative"]
POSITIVE_VP = _TEXTS["positive_vp"]
NEGATIVE_VP = _TEXTS["negative_vp"]


def bare(noun: str) -> str:
    """A noun phrase without its article."""
    for article in ("a ", "an ", "the ", "its ", "at least one "):
        if noun.startswith(article):
            return noun[len(article) :]
    return noun


def closed(r: random.Random, key: str, negated: bool, split: Split) -> str:
    """A wording of a closed-list criterion from the grammar, of the split."""
    while True:
        s = r.choice(SUBJECTS)
        given = {"s": s, "S": s[:1].upper() + s[1:]}
        if r.random() < 0.66:
            noun = r.choice(NOUNS[key])
            v3, v = r.choice(VERBS[key])
            core = r.choice(NEGATIVE if negated else POSITIVE)
            given |= {"v3": v3, "v": v, "o": noun, "O": noun[:1].upper() + noun[1:], "b": bare(noun)}
        else:
            v3, v = r.choice(PREDICATES[key])
            core = r.choice(NEGATIVE_VP if negated else POSITIVE_VP)
            given |= {"v3": v3, "v": v}
        text = core.format(**given)
        hidden = zlib.crc32(("ask:" + text.lower()).encode()) % 8 == 0
        if hidden == (split.phrasings == "held"):
            break
    if r.random() < 0.08:
        text = text.rstrip(".")
    return r.choice(WRAPPERS).format(c=text)


def verify(r: random.Random, split: Split) -> str:
    """A wording of the comparison with the reference."""
    if split.phrasings == "held":
        return r.choice(VERIFY_HELD)
    text = r.choice(VERIFY)
    return text if r.random() < 0.85 else r.choice(WRAPPERS).format(c=text)
