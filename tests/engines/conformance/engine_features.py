"""What engines have in common, what each of them declares not to have, and the table of it for ``docs/engines.md``.

Every feature is a case in ``conformance_cases.py`` that runs against every engine that has it. Where an engine says
in its capabilities whether it has a feature, what is declared here is checked against what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


def _capability(name: str) -> Callable[[Any], bool]:
    return lambda engine: bool(getattr(engine.capabilities, name))


@dataclass(frozen=True)
class Feature:
    """One row of the table.

    Attributes:
        title: what an engine does that has it.
        said: whether an open engine says that it has it; None where engines do not say.
    """

    title: str
    said: Callable[[Any], bool] | None = None


FEATURES: Mapping[str, Feature] = {
    "labels": Feature("labels of the scale and nothing else, in any order that the rubric gives them"),
    "critique_first": Feature("critique before label, criteria in the rubric's order"),
    "scales": Feature("every scale: binary, likert-5, 1 to 10, labels of your own"),
    "shared_beginnings": Feature("labels of several tokens, labels that share a beginning (1 and 10, tie and tied)"),
    "unicode": Feature("any script in labels, ids and texts"),
    "empty_critique": Feature("a verdict behind an empty critique"),
    "long_critique": Feature("a critique over its budget is closed, the verdict kept"),
    "score_only": Feature("no critique where the rubric wants none"),
    "joint": Feature("several criteria in one call", _capability("joint")),
    "thinking": Feature("free thinking before the verdict"),
    "free_form": Feature("outputs in a form of the judge's own (verdict formats)"),
    "probabilities": Feature("label distributions at score slots", _capability("probabilities")),
    "outside": Feature("the probability mass outside the labels"),
    "distinct": Feature("votes differ at temperature 1"),
    "greedy": Feature("temperature 0 repeats itself"),
    "seeds": Feature("the same seeds give the same texts", _capability("seeds")),
    "usage": Feature("usage of all votes adds up, the prompt of a shared request counted once"),
    "overflow": Feature("a prompt that is too long is `context_overflow`"),
    "refusal": Feature("an answer that is withheld is `refused`"),
    "deadline": Feature("a call over its deadline is `timeout`, and the engine goes on"),
    "cancelled": Feature("a cancelled call leaves the engine working"),
    "images": Feature("image parts in messages; without it such a row fails as `bad_input`"),
}

ABSENT = "–"
PRESENT = "yes"


@dataclass(frozen=True)
class Column:
    """One engine of the table.

    Attributes:
        lacks: features that it does not have, with the reason.
        against: what the cases run against.
        marks: of its tests.
    """

    title: str
    against: str
    lacks: Mapping[str, str]
    marks: tuple[str, ...] = ()


NO_IMAGES = {"images": "no engine takes them yet"}
LOCAL = {"refusal": "a model under the grammar cannot withhold its answer"} | NO_IMAGES

COLUMNS: Mapping[str, Column] = {
    "tiny": Column(
        "`tiny`",
        "the embedded judge",
        {
            "joint": "it was trained on one criterion a call",
            "thinking": "the writer can, the judge was not trained to",
            "free_form": "the writer can, the judge writes no form but its own: such a run is refused",
        }
        | LOCAL,
    ),
    "hf": Column("`hf:`", "a random Qwen3", LOCAL),
    "vllm": Column("`vllm:`", "vLLM in process with a random Qwen3", LOCAL, ("full", "vllm")),
    "served": Column("`http:` (vLLM)", "a real `vllm serve` of a random Qwen3, with `exact_slots`", LOCAL, ("full",)),
    "http": Column(
        "`http:` (plain)",
        "a fake server with JSON schemas, log-probabilities and `n`, without prefill",
        {
            "thinking": "needs a server with prefill, or one that keeps thinking apart",
            "outside": "needs `logprob_token_ids`, or log-probabilities without masks",
        }
        | NO_IMAGES,
    ),
    "litellm": Column(
        "`litellm:`",
        "litellm's client and a fake server in OpenAI's format",
        {
            "thinking": "only with models that reason",
            "outside": "API models show no unmasked log-probabilities",
            "seeds": "providers do not promise it",
        }
        | NO_IMAGES,
    ),
    "replay": Column(
        "`replay:`",
        "a recording of a random walk",
        {
            "outside": "as far as it was recorded",
            "overflow": "nothing is asked",
            "deadline": "nothing is waited for",
            "cancelled": "nothing is waited for",
        }
        | NO_IMAGES,
    ),
}


def table() -> str:
    """The table in Markdown."""
    rows = ["| | " + " | ".join(column.title for column in COLUMNS.values()) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    rows += [
        f"| {feature.title} | "
        + " | ".join(ABSENT if name in column.lacks else PRESENT for column in COLUMNS.values())
        + " |"
        for name, feature in FEATURES.items()
    ]
    notes = [
        f"- {column.title}, checked against {column.against}. Without: "
        + "; ".join(f"*{FEATURES[name].title}* ({reason})" for name, reason in column.lacks.items() if name != "images")
        + "."
        if set(column.lacks) - {"images"}
        else f"- {column.title}, checked against {column.against}."
        for column in COLUMNS.values()
    ]
    return "\n".join([*rows, "", *notes, ""])
