"""The evaluation sets. Each is a list of examples that depends on nothing but its name and its size.

Generated sets draw values, wordings and styles that are held out of training; ``gsm8k`` and ``hand`` read files.
"""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Callable
from pathlib import Path

from .degenerates import MASTER_KEYS, OTHERS
from .phrasings import KEYS
from .sample import Example, closed_example, degenerate_example, odd_example, verify_example
from .texts import load
from .worlds import ALL_HELD, Split

HAND = Path(__file__).parent / "data" / "hand.jsonl"
GSM8K = "gsm8k/example_model_solutions.jsonl"
GSM8K_MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
ASK = "Does the response's final answer equal the reference answer?"
UNSEEN = Split(values="held")
_LAST = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:/\d+)?|-?\.\d+")


class UnavailableError(Exception):
    """A set whose file is not there; the message says which."""


def last_number(text: str) -> str | None:
    """The last number in a text, as it is written."""
    found = _LAST.findall(text)
    return found[-1] if found else None


def _draw(
    name: str, n: int, make: Callable[[random.Random], Example], keep: Callable[[Example], bool] | None = None
) -> list[Example]:
    r = random.Random(f"evaluation:{name}")
    out: list[Example] = []
    while len(out) < n:
        example = make(r)
        if keep is None or keep(example):
            out.append(example)
    return out


def _said(example: Example) -> str:
    return example.critique.removeprefix("response answers ").split("; reference")[0].split(" ")[0]


def _number_after(example: Example) -> bool:
    """Whether another number follows the answer."""
    last = last_number(example.response)
    return last is not None and last.replace(",", "").rstrip("0").rstrip(".") != _said(example).rstrip("0").rstrip(".")


def _verify(kind: str, split: Split, **options: float) -> Callable[[random.Random], Example]:
    return lambda r: verify_example(r, split, kind=kind, **options)


def _natural(n: int) -> list[Example]:
    cases = [(name.split(": ")[0], name.endswith("no"), ask) for name, asks in load("natural").items() for ask in asks]
    r = random.Random("evaluation:natural")
    return [closed_example(r, ALL_HELD, key, negated, ask) for key, negated, ask in (cases * (n // len(cases) + 1))[:n]]


def gsm8k(folder: str | None) -> list[Example]:
    """The published model solutions of GSM8K's test set, whole, without the question."""
    folder = folder or os.environ.get("GENRM_DATA")
    path = Path(folder or ".") / GSM8K
    if not path.exists():
        raise UnavailableError(f"no file {GSM8K} under --data or GENRM_DATA ({folder or 'neither is given'})")
    out = []
    for line in path.read_text().splitlines():
        row = json.loads(line)
        reference = re.split(r"####|\nA:", row["ground_truth"])[-1].strip()
        for model in GSM8K_MODELS:
            item = row[model]
            out.append(Example(ASK, reference, item["solution"], "", bool(item["is_correct"]), "verify", "int"))
    return out


def hand() -> list[Example]:
    """Examples written by hand, by someone who did not write the generator."""
    if not HAND.exists():
        raise UnavailableError(f"no file {HAND.name}")
    rows = [json.loads(line) for line in HAND.read_text().splitlines() if line.strip()]
    return [
        Example(row["criterion"], row.get("reference"), row["response"], "", row["label"] in (1, True, "yes", "1"),
                "verify" if row.get("reference") is not None else "closed", row.get("kind", ""))
        for row in rows
    ]  # fmt: skip


def _keys(name: str, keys: list[str], each: int) -> list[Example]:
    r = random.Random(f"evaluation:{name}")
    return [degenerate_example(r, response=key, split=UNSEEN) for key in keys for _ in range(each)]


def generated(n: int) -> dict[str, list[Example]]:
    """Every generated set with ``n`` examples (sub-rows have fewer)."""
    few = max(50, n // 2)
    return {
        "numbers, unseen": _draw("numbers", n, _verify("number", UNSEEN)),
        "numbers, all held out": _draw("numbers held", n, _verify("number", ALL_HELD)),
        "words, unseen": _draw("words", n, _verify("word", UNSEEN)),
        "words, all held out": _draw("words held", n, _verify("word", ALL_HELD)),
        "distractors after numbers": _draw(
            "distractors", n, _verify("number", UNSEEN, distract=0.6, tail=1.0), _number_after
        ),
        "distractors around words": _draw(
            "word distractors", n, _verify("word", UNSEEN, distract=1.0, tail=0.6), lambda e: "distractor" in e.tags
        ),
        "multiple choice": _draw("mc", few, _verify("mc", ALL_HELD)),
        "yes/no, true/false": _draw("bool", few, _verify("bool", ALL_HELD)),
        "fractions": _draw("frac", few, _verify("frac", ALL_HELD)),
        "units": _draw("unit", few, _verify("number", ALL_HELD), lambda e: "unit" in e.tags),
        "long working": _draw("long", few, lambda r: verify_example(r, UNSEEN, kind="number", length="long")),
        "odd openings with an answer": _draw("odd", few, lambda r: odd_example(r, split=UNSEEN)),
        "closed list, trained wordings": _draw("closed", n, lambda r: closed_example(r, Split(values="held"))),
        "closed list, held combinations (a)": _draw("closed a", n, lambda r: closed_example(r, Split("held", "held"))),
        "closed list, natural wordings (b)": _natural(n),
        "master keys": _keys("keys", MASTER_KEYS, max(10, n // 10)),
        "other degenerates": _keys("others", OTHERS, max(5, n // 40)),
    }


__all__ = ["HAND", "KEYS", "UnavailableError", "generated", "gsm8k", "hand", "last_number"]
