"""Turn public labelled data into rows for `genrm judge`, and compare the verdicts with the labels.

    python examples/public_data.py rows gsm8k --data DIR --out gsm8k.jsonl
    genrm judge gsm8k.jsonl -r math-verify -m tiny -o gsm8k.out.jsonl
    python examples/public_data.py compare gsm8k.jsonl gsm8k.out.jsonl

DIR holds the files as their authors publish them: `gsm8k/example_model_solutions.jsonl` (openai/grade-school-math) and
`evouna/TQ.json` (wangcunxiang/QA-Eval). A row carries its label in the extra field `is_correct`.

Outputs of judges that others have published are replayed, and the published figures computed from our output rows:

    python examples/public_data.py recorded pandalm/pandalm-7b --data DIR --out FOLDER     # prints the next command
    genrm judge FOLDER/rows.jsonl -r FOLDER/rubric.json -m replay:FOLDER/records.jsonl --format pandalm -o …
    python examples/public_data.py figures pandalm/pandalm-7b --data DIR --out FOLDER
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import recorded_judges

Row = dict[str, Any]

GSM8K_MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
EVOUNA_MODELS = ("fid", "gpt35", "chatgpt", "gpt4", "newbing")


def gsm8k(folder: Path) -> Iterator[Row]:
    """5,276 worked solutions of four models, labelled by whether the final answer is right."""
    with (folder / "gsm8k" / "example_model_solutions.jsonl").open(encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            item = json.loads(line)
            reference = item["ground_truth"].rsplit("A: ", 1)[1].strip()
            for model in GSM8K_MODELS:
                solution = item[model]
                yield {
                    "id": f"{number}-{model}",
                    "prompt": item["question"],
                    "response": solution["solution"],
                    "reference": reference,
                    "is_correct": solution["is_correct"],
                }


def evouna(folder: Path) -> Iterator[Row]:
    """Up to 10,000 answers of five systems to 2,000 questions, labelled by people; improper questions left out."""
    for number, item in enumerate(json.loads((folder / "evouna" / "TQ.json").read_text(encoding="utf-8"))):
        if item["improper"]:
            continue
        for model in EVOUNA_MODELS:
            yield {
                "id": f"{number}-{model}",
                "prompt": item["question"],
                "response": item[f"answer_{model}"],
                "reference": item["golden_answer"].split("/"),
                "is_correct": item[f"judge_{model}"],
            }


SETS = {"gsm8k": gsm8k, "evouna": evouna}


def compare(rows: Path, output: Path) -> dict[str, Any]:
    """Agreement of the rewards with the labels (a reward of at least 0.5 is a yes); rows without reward are counted."""
    labels = {row["id"]: bool(row["is_correct"]) for row in map(json.loads, rows.open(encoding="utf-8"))}
    counts = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
    missing = 0
    for judged in map(json.loads, output.open(encoding="utf-8")):
        if judged["id"] not in labels:
            raise ValueError(f"{output}: row {judged['id']!r} is not in {rows}; name the rows that were judged")
        if judged["reward"] is None:
            missing += 1
        else:
            counts[labels[judged["id"]], judged["reward"] >= 0.5] += 1
    right, wrong = counts[True, True] + counts[True, False], counts[False, True] + counts[False, False]
    return {
        "judged": right + wrong,
        "without_reward": missing,
        "agreement": (counts[True, True] + counts[False, False]) / max(1, right + wrong),
        "false_positive_rate": counts[False, True] / max(1, wrong),
        "false_negative_rate": counts[True, False] / max(1, right),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    make = verbs.add_parser("rows", help="write rows")
    make.add_argument("set", choices=sorted(SETS))
    make.add_argument("--data", type=Path, required=True)
    make.add_argument("--out", type=Path, required=True)
    make.add_argument("--every", type=int, default=1, help="keep every N-th row")
    check = verbs.add_parser("compare", help="compare an output with the labels of its rows")
    check.add_argument("rows", type=Path)
    check.add_argument("output", type=Path)
    for verb, does in (
        ("recorded", "write rows, records and a rubric of published judge outputs"),
        ("figures", "compute what was published from FOLDER/out.jsonl"),
    ):
        replayed = verbs.add_parser(verb, help=does)
        replayed.add_argument("set", choices=sorted(recorded_judges.SETS))
        replayed.add_argument("--data", type=Path, required=True)
        replayed.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    args = parser.parse_args()
    try:
        if args.verb == "recorded":
            print(recorded_judges.write(args.set, args.data, args.out))
            return
        if args.verb == "figures":
            print(json.dumps(recorded_judges.figures(args.set, args.data, args.out), indent=1))
            return
        if args.verb == "compare":
            print(json.dumps(compare(args.rows, args.output), indent=1))
            return
        if args.every < 1:
            parser.error(f"--every: at least 1 is needed, found {args.every}")
        rows = list(SETS[args.set](args.data))[:: args.every]
        with args.out.open("w", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
    except OSError as error:
        parser.error(f"{error.filename}: {error.strerror}")
    except ValueError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
