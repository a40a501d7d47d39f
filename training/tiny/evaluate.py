"""Every figure of the model card, from one command.

    python -m training.tiny.evaluate --data FOLDER

judges all sets with the shipped models and the other seeds, through the toolkit's own constrained decoder at
temperature 0, and writes ``results/MODEL.json`` per model, ``results.json`` and the table of the model card.
Another judge can be measured too: anything that maps examples to outcomes (``Judge``).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from genrm.compiler.neutral import neutralise
from genrm.compiler.output import plan_output
from genrm.compiler.request import JudgeRequest
from genrm.engines.hf import HfEngine
from genrm.verdicts.read import read_verdicts

from . import suites
from .answers import EXTRACT, agree, canonical, canonical_number, fold
from .card import write_card
from .sample import Example, prompt
from .tokenizer import SPECIAL

HERE = Path(__file__).parent
WEIGHTS = HERE.parents[1] / "genrm" / "tiny" / "weights"
MODELS = {
    f"seed{seed}-{variant}": WEIGHTS / variant if seed == 0 else HERE / "checkpoints" / f"seed{seed}" / variant
    for seed in (0, 1, 2)
    for variant in ("default", "unhardened")
}
WINDOW = 1024


@dataclass(frozen=True)
class Outcome:
    """What a judge said; ``p`` is its probability of yes."""

    label: bool | None
    p: float | None
    critique: str


Judge = Callable[[Sequence[Example]], list[Outcome]]


def toolkit_judge(folder: Path) -> Judge:
    """A checkpoint behind the toolkit's engine, read as the toolkit reads it."""
    engine = HfEngine(str(folder), batch_size=48, device="cpu", threads=1, linger_ms=0.0)
    plan = plan_output({"c": ("no", "yes")}, critique_tokens=128)
    controls = frozenset(SPECIAL)

    def clean(text: str | None) -> str | None:
        return None if text is None else neutralise(text, controls)

    async def one(example: Example) -> Outcome:
        content = prompt(clean(example.criterion) or "", clean(example.reference), clean(example.response) or "")
        request = JudgeRequest(({"role": "user", "content": content},), plan)
        completion = (await engine.complete(request))[0]
        verdict = read_verdicts(request, completion, card=engine.card)["c"]
        label = None if verdict.label is None else verdict.label == "yes"
        return Outcome(label, (verdict.p or {}).get("yes"), verdict.critique or "")

    async def everything(examples: Sequence[Example]) -> list[Outcome]:
        order = sorted(range(len(examples)), key=lambda i: len(examples[i].response))
        outcomes: dict[int, Outcome] = {}
        for start in range(0, len(order), WINDOW):
            part = order[start : start + WINDOW]
            outcomes |= dict(zip(part, await asyncio.gather(*(one(examples[i]) for i in part)), strict=True))
        return [outcomes[i] for i in range(len(examples))]

    return lambda examples: asyncio.run(everything(examples))


def checked(example: Example, outcome: Outcome) -> bool | None:
    """The verdict after comparing in code what the critique says it extracted with the reference."""
    if example.reference is None:
        return outcome.label
    found = re.match(EXTRACT, outcome.critique)
    if not found:
        return outcome.label
    return found["answer"] is not None and agree(found["answer"], example.reference)


def baseline(example: Example) -> bool | None:
    """The regular-expression judge: the last number, or the reference somewhere in the text."""
    if example.reference is None:
        return None
    if re.search(r"\d", example.reference):
        last, wanted = suites.last_number(example.response), suites.last_number(example.reference)
        return last is not None and canonical_number(last) == canonical_number(wanted or "")
    return re.search(rf"\b{re.escape(canonical(example.reference))}\b", fold(example.response)) is not None


def tally(examples: Sequence[Example], said: Sequence[bool | None]) -> dict[str, float | int]:
    """Counts of right verdicts, of wrong answers accepted and of right answers rejected."""
    right = sum(a == e.label for e, a in zip(examples, said, strict=True))
    no = sum(not e.label for e in examples)
    accepted = sum(a is True and not e.label for e, a in zip(examples, said, strict=True))
    rejected = sum(a is not True and e.label for e, a in zip(examples, said, strict=True))
    return {
        "n": len(examples),
        "right": right,
        "accuracy": right / len(examples),
        "negatives": no,
        "false_accepts": accepted,
        "positives": len(examples) - no,
        "false_rejects": rejected,
    }


def measure(judge: Judge, sets: dict[str, list[Example]]) -> dict[str, dict]:
    """All figures of one judge."""
    results = {}
    for name, examples in sets.items():
        begun = time.time()
        outcomes = judge(examples)
        row: dict = tally(examples, [o.label for o in outcomes])
        row["checked"] = tally(examples, [checked(e, o) for e, o in zip(examples, outcomes, strict=True)])
        guesses = [baseline(e) for e in examples]
        if None not in guesses:
            row["baseline"] = tally(examples, guesses)
        row["parts"] = _parts(name, examples, outcomes)
        row["seconds"] = round(time.time() - begun, 1)
        row["errors"] = [
            {
                "criterion": e.criterion,
                "reference": e.reference,
                "response": e.response[-300:],
                "critique": o.critique,
                "label": e.label,
                "p": o.p,
            }
            for e, o in zip(examples, outcomes, strict=True)
            if o.label != e.label
        ][:25]
        results[name] = row
        print(
            f"{name:36s} {row['accuracy']:.4f} of {row['n']}  checked {row['checked']['accuracy']:.4f}  "
            f"baseline {row.get('baseline', {}).get('accuracy', float('nan')):.4f}  {row['seconds']} s",
            flush=True,
        )
    return results


def _parts(name: str, examples: Sequence[Example], outcomes: Sequence[Outcome]) -> dict[str, list[int]]:
    """Right verdicts and n by key, kind or degenerate response."""
    parts: dict[str, list[int]] = {}
    for example, outcome in zip(examples, outcomes, strict=True):
        key = (
            repr(example.response) if name in ("master keys", "other degenerates") else f"{example.task} {example.kind}"
        )
        right, n = parts.get(key, [0, 0])
        parts[key] = [right + (outcome.label == example.label), n + 1]
    return dict(sorted(parts.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder with gsm8k/example_model_solutions.jsonl (or GENRM_DATA)")
    parser.add_argument(
        "--models", nargs="+", choices=list(MODELS), default=[m for m, p in MODELS.items() if p.exists()]
    )
    parser.add_argument("--n", type=int, default=1000, help="examples of each generated set")
    parser.add_argument("--folder", type=Path, help="judge this folder instead, and only print")
    args = parser.parse_args()
    sets = suites.generated(args.n)
    skipped = {}
    for name, load in (("gsm8k", lambda: suites.gsm8k(args.data)), ("hand-written", suites.hand)):
        try:
            sets[name] = load()
        except suites.UnavailableError as error:
            skipped[name] = str(error)
            print(f"skipped {name}: {error}")
    if args.folder:
        measure(toolkit_judge(args.folder), sets)
        return
    (HERE / "results").mkdir(exist_ok=True)
    for name in args.models:
        print(f"== {name}", flush=True)
        record = {"model": name, "n": args.n, "skipped": skipped, "sets": measure(toolkit_judge(MODELS[name]), sets)}
        (HERE / "results" / f"{name}.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    found = [json.loads(path.read_text()) for path in sorted((HERE / "results").glob("*.json"))]
    (HERE / "results.json").write_text(json.dumps(_brief(found), indent=1, ensure_ascii=False) + "\n")
    write_card(HERE / "results.json", WEIGHTS.parent / "MODEL_CARD.md")


def _brief(records: list[dict]) -> dict:
    """The records without their lists of errors."""
    return {
        record["model"]: {name: {k: v for k, v in row.items() if k != "errors"} for name, row in record["sets"].items()}
        for record in records
    }


if __name__ == "__main__":
    main()
