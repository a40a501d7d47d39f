"""Judge outputs that others have published, as rows, records and a rubric for `genrm judge -m replay:…`.

Used through `public_data.py`, which tells the commands. Each set says in which verdict format its judge wrote, and
computes from our output rows the figures that its authors published:

- `llmbar/…` (princeton-nlp/LLMBar): ten evaluators; every entry of their `statistics.json`.
- `pandalm/gpt-3.5-turbo`, `pandalm/pandalm-7b` (WeOpenML/PandaLM): agreement with the majority of three people.
- `prometheus` (prometheus-eval/prometheus-eval): three GPT-4 scores a response, read as three votes.
- `nemo_gym/…` (NVIDIA-NeMo/Gym): verdicts and points as their servers recorded them.
- `null_model` (sail-sg/Cheating-LLM-Benchmarks): preferences from the log-probabilities of one token.

Where a publisher stores a verdict in parts, the text of the judge is put together again in the form that its prompt
asks for. A pair is one row whose response shows both texts, and one criterion with a label for each.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Recorded:
    """What a run of `genrm judge` needs; `labels` (by row id) are for the figures alone.

    `file` is the publisher's own file of outputs, where it is replayed as it is and `records` is empty.
    """

    format: str
    rubric: Row
    rows: list[Row]
    records: list[Row]
    labels: Mapping[str, Any]
    file: Path | None = None


def pair_rubric(name: str, ask: str, labels: Sequence[str], votes: int = 1) -> Row:
    """One question about a pair; the first label is the best for what stands first."""
    span = len(labels) - 1
    scale = [{"label": label, "value": (span - place) / span} for place, label in enumerate(labels)]
    rubric = {"name": name, "criteria": [{"id": "better", "ask": ask, "scale": scale}]}
    return {**rubric, "vote": {"n": votes, "rule": "majority"}}


def both(first: str, second: str, names: tuple[str, str]) -> str:
    """The response of a row that shows a pair."""
    return f"{names[0]}:\n{first}\n\n{names[1]}:\n{second}"


def label(row: Row, criterion: str = "better") -> str | None:
    """The label of an output row; None where judging failed."""
    return row["criteria"][criterion]["label"] if row["criteria"] else None


def kappa(first: Sequence[Any], second: Sequence[Any]) -> float:
    """Cohen's kappa of two raters: (p_o - p_e) / (1 - p_e), over all labels that either of them uses."""
    n = len(first)
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    left, right = Counter(first), Counter(second)
    expected = sum(left[name] * right[name] for name in left) / n**2
    return (observed - expected) / (1 - expected)


# LLMBar ---------------------------------------------------------------------------------------------------------

ORDERS = ("False", "True")
"""Whether the two outputs are shown the other way round, as the authors write it."""


def llmbar(data: Path, name: str) -> Recorded:
    """One evaluator of one subset, for example `llmbar/Natural/GPT-4/CoT`."""
    _, subset, judge, method = name.split("/")
    items = json.loads((data / "llmbar" / subset / "evaluators" / judge / method / "result.json").read_text("utf-8"))
    labels = {str(number): item["label"] for number, item in enumerate(items)}
    rows, records = [], []
    for number, item in enumerate(items):
        result = item["results"][-1]
        if method == "Rating":
            for place in (1, 2):
                text, reason = result[f"score_{place}"]
                rows.append({"id": f"{number}-{place}", "prompt": item["input"], "response": item[f"output_{place}"]})
                records.append({"id": f"{number}-{place}", "text": text, "finish_reason": reason})
            continue
        for order in ORDERS:
            shown = (item["output_1"], item["output_2"])[:: -1 if order == "True" else 1]
            response = both(*shown, ("Output (a)", "Output (b)"))
            rows.append({"id": f"{number}-{order}", "prompt": item["input"], "response": response})
            text, reason = result[f"swap = {order}"]["completion"]
            records.append({"id": f"{number}-{order}", "text": text, "finish_reason": reason})
    if method == "Rating":
        ask = "How well does the response follow the instruction?"
        rubric = {"name": "llmbar", "criteria": [{"id": "better", "ask": ask, "scale": {"min": 0, "max": 10}}]}
        return Recorded("llmbar-rating", rubric, rows, records, labels)
    rubric = pair_rubric("llmbar", "Which output follows the instruction more closely?", ("a", "b"))
    return Recorded("llmbar", rubric, rows, records, labels)


def llmbar_figures(recorded: Recorded, out: Iterable[Row]) -> Row:
    """The entries of `statistics.json`.

    Their kappas are computed from winners in which 2 is coded as 0 and labels in which it is not, so they are far
    below the true ones; `true_kappa_…` stand beside them, with no verdict as a label of its own.
    """
    said = {row["id"]: label(row) for row in out}
    rated = recorded.format == "llmbar-rating"
    winners = {
        order: [(_rated if rated else _shown)(said, number, order) for number in recorded.labels] for order in ORDERS
    }
    truth = list(recorded.labels.values())
    n = len(truth)
    right = {order: [str(t) == w for t, w in zip(truth, winners[order], strict=True)] for order in ORDERS}
    correct = {order: sum(right[order]) for order in ORDERS}
    pairs = list(zip(winners["False"], winners["True"], strict=True))
    figures: Row = {f"correct_{order}": _share(correct[order], n) for order in ORDERS}
    figures["correct_average"] = f"{(correct['False'] + correct['True']) / 2 / n * 100}%"
    figures["correct_both"] = _share(sum(map(all, zip(right["False"], right["True"], strict=True))), n)
    figures["equal"] = _share(sum(first == second for first, second in pairs), n)
    coded = {order: [int(winner == "1") for winner in winners[order]] for order in ORDERS}
    figures |= {f"kappa_{order}": kappa(coded[order], truth) for order in ORDERS}
    figures["kappa_average"] = (figures["kappa_False"] + figures["kappa_True"]) / 2
    figures["kappa_agreement"] = kappa(coded["False"], coded["True"])
    for order in ORDERS:
        figures[f"true_kappa_{order}"] = kappa(winners[order], [str(t) for t in truth])
    return {**figures, "without_verdict": sum(name is None for name in said.values())}


def _shown(said: Mapping[str, str | None], number: str, order: str) -> str | None:
    """The output that won a comparison: its number in the data set; None without a verdict."""
    first, second = ("1", "2") if order == "False" else ("2", "1")
    return {"a": first, "b": second, None: None}[said[f"{number}-{order}"]]


def _rated(said: Mapping[str, str | None], number: str, order: str) -> str:
    """The output with the higher rating; equal ratings go to the one shown second, and a failed one decides nothing.

    Without both ratings the authors' script lets the first one shown win; that is their rule, kept for their figures.
    """
    first, second = (said[f"{number}-{place}"] for place in ("1", "2"))
    if first is None or second is None:
        return "1" if order == "False" else "2"
    if int(first) == int(second):
        return "2" if order == "False" else "1"
    return "1" if int(first) > int(second) else "2"


def _share(count: int, n: int) -> str:
    return f"{count} / {n} = {count / n * 100}%"


# PandaLM --------------------------------------------------------------------------------------------------------


def pandalm(data: Path, name: str) -> Recorded:
    """`pandalm/gpt-3.5-turbo` or `pandalm/pandalm-7b`."""
    judge = name.split("/")[1]
    prefix = "gpt" if judge.startswith("gpt") else "pandalm"
    folder = data / "pandalm"
    items = json.loads((folder / "testset-v1.json").read_text("utf-8"))
    outputs = json.loads((folder / f"{judge}-testset-v1.json").read_text("utf-8"))
    rows = [
        {
            "id": str(item["idx"]),
            "prompt": "\n\n".join(part for part in (item["instruction"], item["input"]) if part),
            "response": both(item["response1"], item["response2"], ("Response 1", "Response 2")),
        }
        for item in items
    ]
    records = []
    for item in outputs:
        # PandaLM-7B's verdicts are stored as numbers, with 0 for a tie.
        verdict = {"0": "Tie"}.get(str(item[f"{prefix}_result"]), str(item[f"{prefix}_result"]))
        text = f"{verdict}\n\n### Reason: {item[f'{prefix}_reason']}\n\n### Reference: {item[f'{prefix}_reference']}"
        records.append({"id": str(item["idx"]), "text": text})
    people = {str(item["idx"]): [_pandalm_label(item[f"annotator{person}"]) for person in (1, 2, 3)] for item in items}
    rubric = pair_rubric("pandalm", "Which response is better?", ("1", "tie", "2"))
    return Recorded("pandalm", rubric, rows, records, people)


def pandalm_figures(recorded: Recorded, out: Iterable[Row]) -> Row:
    """Agreement with the majority of the people; a failed row agrees with nobody.

    GPT-3.5's 38 ties are stored as the word `Tie`, people's as 0. Compared as they stand no tie of GPT-3.5 is ever
    right, which gives 69.27 %; read as ties, five of them are, which gives 69.77 %.
    """
    said = {row["id"]: label(row) for row in out}
    majority = {}
    for name, votes in recorded.labels.items():
        ((top, count),) = Counter(votes).most_common(1)
        majority[name] = top if count >= 2 else None

    def percent(right: int) -> float:
        return round(100 * right / len(majority), 2)

    agree = [top for name, top in majority.items() if top is not None and said[name] == top]
    return {
        "n": len(majority),
        "with_majority": sum(top is not None for top in majority.values()),
        "unanimous": sum(len(set(votes)) == 1 for votes in recorded.labels.values()),
        "agreement_percent": percent(len(agree)),
        "agreement_percent_ties_wrong": percent(sum(top != "tie" for top in agree)),
        "without_verdict": sum(name is None for name in said.values()),
    }


def _pandalm_label(value: Any) -> str:
    return "tie" if str(value) == "0" else str(value)


# Prometheus -----------------------------------------------------------------------------------------------------

_PROMETHEUS = re.compile(
    r"###The instruction to evaluate:\n(.*)\n\n###Response to evaluate:\n(.*)\n\n"
    r"###Reference Answer \(Score 5\):\n(.*)\n\n###Score Rubrics:\n\[(.*?)\]\n(.*)\n\n###Feedback:",
    re.DOTALL,
)


def prometheus(data: Path, name: str) -> Recorded:
    """Every row brings its own criterion, with what each score means, and its own three feedbacks."""
    items = json.loads((data / "prometheus_feedback" / "vicuna_eval.json").read_text("utf-8"))
    rows, records = [], []
    for number, item in enumerate(items):
        match = _PROMETHEUS.search(item["instruction"])
        if match is None:
            raise ValueError(f"vicuna_eval.json: item {number} is not in the Prometheus form")
        prompt, response, reference, ask, scores = match.groups()
        anchors = dict(re.findall(r"Score (\d): (.*)", scores))
        criterion = {"id": "score", "ask": ask, "scale": {"likert": 5, "anchors": anchors}}
        row = {"id": str(number), "prompt": prompt, "response": response, "reference": reference}
        rows.append({**row, "criteria": [criterion]})
        for vote, (feedback, score) in enumerate(zip(item["gpt4_feedback"], item["gpt4_score"], strict=True)):
            records.append({"id": str(number), "vote": vote, "text": f"Feedback: {feedback} [RESULT] {score}"})
    labels = {str(number): list(map(str, item["gpt4_score"])) for number, item in enumerate(items)}
    rubric = {"name": "prometheus", "criteria": [], "vote": {"n": 3, "rule": "mean"}}
    return Recorded("prometheus", rubric, rows, records, labels)


def prometheus_figures(recorded: Recorded, out: Iterable[Row]) -> Row:
    """How far the three votes on a response lie apart."""
    votes = {row["id"]: row["criteria"]["score"]["votes"] for row in out}
    read = [list(map(int, said)) for said in votes.values() if None not in said]
    return {
        "n": len(votes),
        "as_recorded": sum(votes[name] == scores for name, scores in recorded.labels.items()),
        "unanimous": sum(len(set(said)) == 1 for said in read),
        "differ_by_2_or_more": sum(max(said) - min(said) >= 2 for said in read),
        "without_verdict": len(votes) - len(read),
    }


# NeMo Gym -------------------------------------------------------------------------------------------------------


def nemo_gym(data: Path, name: str) -> Recorded:
    """`nemo_gym/arena`, `nemo_gym/imo_points`, `nemo_gym/imo_words`, `nemo_gym/frontier` or `nemo_gym/math`."""
    server, build = NEMO_GYM[name.split("/")[1]]
    path = data / "nemo_gym" / server / "example_rollouts.jsonl"
    return build([json.loads(line) for line in path.open(encoding="utf-8")])


def _arena(items: list[Row]) -> Recorded:
    rows, records, labels = [], [], {}
    for item in items:
        for order in ("gen_base", "base_gen"):
            name = f"{item['uid']}-{order}"
            shown = (_output_text(item["response"]), item["baseline_answer"])[:: 1 if order == "gen_base" else -1]
            response = both(*shown, ("Assistant A", "Assistant B"))
            rows.append({"id": name, "prompt": item["question"], "response": response})
            records.append({"id": name, "text": item[f"judgement_{order}"]})
            labels[name] = None if item[f"invalid_{order}"] else item[f"verdict_{order}"]
    scale = ("A>>B", "A>B", "A=B", "B>A", "B>>A")
    return Recorded("arena-hard", pair_rubric("arena", "Which answer is better?", scale), rows, records, labels)


def _one_each(format: str, items: list[Row], scale: Any, text: str, truth: str, prompt: str) -> Recorded:
    rows, records, labels = [], [], {}
    for number, item in enumerate(items):
        rows.append({"id": str(number), "prompt": item[prompt], "response": _output_text(item["response"])})
        records.append({"id": str(number), "text": item[text]})
        labels[str(number)] = item[truth]
    rubric = {"name": format, "criteria": [{"id": "better", "ask": "Is the response right?", "scale": scale}]}
    return Recorded(format, rubric, rows, records, labels)


def _imo_points(items: list[Row]) -> Recorded:
    found = _one_each("points", items, {"min": 0, "max": 7}, "judge_output", "judge_points", "problem")
    labels = {name: None if points is None else str(points) for name, points in found.labels.items()}
    return Recorded(found.format, found.rubric, found.rows, found.records, labels)


def _imo_words(items: list[Row]) -> Recorded:
    """The same outputs as words: two end in a Judgement, the others in points, which is no yes or no."""
    found = _one_each("yes-no", items, "binary", "judge_output", "judge_points", "problem")
    labels = {name: "no" if points is None else None for name, points in found.labels.items()}
    return Recorded(found.format, found.rubric, found.rows, found.records, labels)


def _frontier(items: list[Row]) -> Recorded:
    found = _one_each("yes-no", items, "binary", "judge_output", "verdict", "question")
    labels = {name: verdict.casefold() for name, verdict in found.labels.items()}
    return Recorded(found.format, found.rubric, found.rows, found.records, labels)


def _math(items: list[Row]) -> Recorded:
    """Rows on which the library was not sure and a judge was asked; a reward of 0 after that is its no."""
    rows, records, labels = [], [], {}
    for number, item in enumerate(items):
        for call in item["judge_evaluations"] or ():
            rows.append({"id": str(number), "response": item["extracted_answer"], "reference": item["expected_answer"]})
            records.append({"id": str(number), "text": _output_text(call["response"])})
            labels[str(number)] = "yes" if item["reward"] == 1.0 else "no"
    rubric = {"name": "math", "criteria": [{"id": "better", "ask": "Does the answer equal the reference?"}]}
    return Recorded("equal-or-not", rubric, rows, records, labels)


def _output_text(response: Row) -> str:
    """The text of a response object of the OpenAI Responses API; a placeholder where a model said nothing."""
    parts = [part["text"] for item in response["output"] if item["type"] == "message" for part in item["content"]]
    return "\n".join(parts) if any(part.strip() for part in parts) else "[no answer]"


def nemo_gym_figures(recorded: Recorded, out: Iterable[Row]) -> Row:
    """How many outputs were read as the server read them; no verdict there is no verdict here."""
    said = {row["id"]: label(row) for row in out}
    return {
        "n": len(said),
        "as_recorded": sum(said[name] == verdict for name, verdict in recorded.labels.items()),
        "without_verdict": sum(name is None for name in said.values()),
        "labels": said,
    }


NEMO_GYM = {
    "arena": ("arena_judge", _arena),
    "imo_points": ("imo_proofbench_judge", _imo_points),
    "imo_words": ("imo_proofbench_judge", _imo_words),
    "frontier": ("frontierscience_judge", _frontier),
    "math": ("math_with_judge", _math),
}


# Null model -----------------------------------------------------------------------------------------------------


def null_model(data: Path, name: str) -> Recorded:
    """The publisher's file is replayed as it is: the verdict format says where its fields are."""
    path = data / "null_model" / "judge_logprobs.jsonl"
    items = [json.loads(line) for line in path.open(encoding="utf-8")]
    rows = [{"id": str(item["i"]), "response": both("[…]", "[…]", ("m", "M"))} for item in items]
    rubric = pair_rubric("null-model", "Which output is better?", ("first", "second"))
    labels = {str(item["i"]): (item["preference"], item["raw_completion"]["text"]) for item in items}
    return Recorded("single-token-m", rubric, rows, [], labels, file=path)


def null_model_figures(recorded: Recorded, out: Iterable[Row]) -> Row:
    """Preferences are 1 + P(m), or its mirror 2 - P(m) where the outputs were shown the other way round.

    Which of the two holds is not in the file; the published preference tells.
    """
    rebuilt, worst = [], 0.0
    for row in out:
        q = row["criteria"]["better"]["p"]["first"]
        preference, _ = recorded.labels[row["id"]]
        nearest = min((1 + q, 2 - q), key=lambda value: abs(value - preference))
        worst = max(worst, abs(nearest - preference))
        rebuilt.append(nearest)
    return {
        "n": len(rebuilt),
        "largest_difference": worst,
        "mean_win_rate": round(sum(rebuilt) / len(rebuilt) - 1, 4),
        "said_neither": sum(text not in ("m", "M") for _, text in recorded.labels.values()),
    }


LLMBAR = [
    f"llmbar/{subset}/{judge}"
    for subset in ("Natural", "Neighbor")
    for judge in ("GPT-4/CoT", "GPT-4/Swap_CoT", "GPT-4/Rating", "GPT-4/Metrics_Reference", "LLaMA2/CoT")
]
SETS = {
    **dict.fromkeys(LLMBAR, (llmbar, llmbar_figures)),
    **dict.fromkeys(("pandalm/gpt-3.5-turbo", "pandalm/pandalm-7b"), (pandalm, pandalm_figures)),
    "prometheus": (prometheus, prometheus_figures),
    **{f"nemo_gym/{name}": (nemo_gym, nemo_gym_figures) for name in NEMO_GYM},
    "null_model": (null_model, null_model_figures),
}


def write(name: str, data: Path, folder: Path) -> str:
    """Write `rows.jsonl`, `records.jsonl` and `rubric.json` of a set; returns the command that judges them."""
    build, _ = SETS[name]
    recorded = build(data, name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rubric.json").write_text(json.dumps(recorded.rubric, indent=1), encoding="utf-8")
    for file, lines in (("rows.jsonl", recorded.rows), ("records.jsonl", recorded.records)):
        if lines:
            text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
            (folder / file).write_text(text, encoding="utf-8")
    records = recorded.file or folder / "records.jsonl"
    return (
        f"genrm judge {folder / 'rows.jsonl'} -r {folder / 'rubric.json'} -m replay:{records} "
        f"--format {recorded.format} -o {folder / 'out.jsonl'}"
    )


def figures(name: str, data: Path, folder: Path) -> Row:
    """The published figures of a set, from the rows that `genrm judge` wrote."""
    build, compute = SETS[name]
    with (folder / "out.jsonl").open(encoding="utf-8") as lines:
        return compute(build(data, name), map(json.loads, lines))
