"""What the judge was trained to be asked: regular expressions for ``genrm.json``, and examples in ``domain.json``.

    python -m training.tiny.domain

writes ``data/domain.json``: for each kind of criterion its canonical wording first, then wordings from training.
The expressions cover the whole grammar of ``phrasings.py``, held-out combinations included.
"""

from __future__ import annotations

import json
import random
import re

from . import phrasings as ph
from .texts import DATA
from .worlds import TRAIN

CANONICAL = {
    "verify": "Does the response's final answer equal the reference answer?",
    "answer": "The response states a final answer.",
    "steps": "The response shows its working.",
    "refusal": "The response contains an apology or a refusal.",
    "bullets": "The response uses a bulleted list.",
    "numbering": "The response has a numbered list.",
    "code": "The response contains a fenced code block.",
    "question": "The response asks a question.",
    "doubt": "The response expresses uncertainty.",
    "greeting": "The response opens with a greeting.",
}
EXAMPLES = 60
ARTICLE = "(?:an? |the |its |at least one )?"
SUBJECT = r"[a-z' ]{2,24}"  # wider than the list of subjects, and far shorter


def _any(options: list[str]) -> str:
    return "(?:" + "|".join(re.escape(option) for option in sorted(set(options))) + ")"


def _pattern(template: str, slots: dict[str, str]) -> str:
    parts = re.split(r"\{(\w+)\}", template.rstrip("."))
    return "".join(slots[part] if i % 2 else re.escape(part) for i, part in enumerate(parts))


def _around_noun(templates: list[str], slots: dict[str, str]) -> str:
    """All templates with the noun written once: any of their beginnings, the noun, any of their endings."""
    halves = [re.split(r"\{[oOb]\}", template.rstrip(".")) for template in templates]
    before, after = ("|".join(dict.fromkeys(_pattern(half[i], slots) for half in halves)) for i in (0, 1))
    return f"(?:{before}){slots['o']}(?:{after})"


def _wrapped(core: str) -> str:
    """A wording, alone or in one of the wrappers."""
    around = sorted(set(ph.WRAPPERS) - {"{c}"})
    before = _any([w.split("{c}")[0] for w in around if not w.startswith("{c}")])
    after = _any([w.split("{c}")[1] for w in around if w.startswith("{c}")])
    return f"{before}?{core}\\.?{after}?"


def expressions() -> list[dict[str, str | bool]]:
    """The entries of ``domain`` in ``genrm.json``."""
    asks = [ask.rstrip(".") for ask in ph.VERIFY]
    found: list[dict[str, str | bool]] = [{"ask": _wrapped(_any(asks)), "reference": True}]
    for key in ph.KEYS:
        slots = {
            "s": SUBJECT,
            "o": ARTICLE + _any([ph.bare(noun) for noun in ph.NOUNS[key]]),
            "v3": _any([v3 for v3, _ in ph.VERBS[key]]),
            "v": _any([v for _, v in ph.VERBS[key]]),
        }
        slots["S"] = slots["s"]
        whole = slots | {
            "v3": _any([v3 for v3, _ in ph.PREDICATES[key]]),
            "v": _any([v for _, v in ph.PREDICATES[key]]),
        }
        cores = [_around_noun(ph.POSITIVE + ph.NEGATIVE, slots)]
        cores += [_pattern(t, whole) for t in ph.POSITIVE_VP + ph.NEGATIVE_VP]
        found.append({"ask": _wrapped("(?:" + "|".join(dict.fromkeys(cores)) + ")")})
    return found


def examples() -> dict[str, list[str]]:
    """Canonical and trained wordings of every kind of criterion."""
    r = random.Random("domain")
    out = {"verify": [CANONICAL["verify"], *(ask for ask in ph.VERIFY if ask != CANONICAL["verify"])]}
    for key in ph.KEYS:
        asks = [CANONICAL[key]]
        while len(asks) < EXAMPLES:
            ask = ph.closed(r, key, r.random() < 0.5, TRAIN)
            if ask not in asks:
                asks.append(ask)
        out[key] = asks
    return out


if __name__ == "__main__":
    (DATA / "domain.json").write_text(json.dumps(examples(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
