"""All that turns votes and criteria into rewards, in one list: voting rules, aggregates, shapes, control rewards.

    >>> [(kind, sum(row["kind"] == kind for row in catalogue()) > 5) for kind in KINDS]
    [('vote', True), ('aggregate', True), ('shape', True), ('control', True)]
    >>> [row["name"] for row in find("min")]
    ['vote:min', 'aggregate:min']

Names, parameters and ranges are read from what a rubric is checked against: :data:`genrm.voting.rule.RULES`,
:data:`genrm.specs.reward.AGGREGATES`, the registry of shapes and the controls. Shapes go by their name alone, the
others by ``kind:name``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genrm.rewards.controls import CONTROLS
from genrm.rewards.shaping import Parameter, shapes
from genrm.specs.reward import AGGREGATES, AggregateSpec
from genrm.voting.rule import HOW, NEEDS_P, NUMBERS, RULES, RuleName

KINDS = ("vote", "aggregate", "shape", "control")

Row = dict[str, Any]

_CONSISTENCY = "Self-Consistency Improves Chain of Thought Reasoning in Language Models"
_SOFT = "Soft Self-Consistency Improves Language Model Agents"
_ENSEMBLES = "Reward Model Ensembles Help Mitigate Overoptimization"
_LIKELY = "mean score of the votes for the label with the largest sum of likelihoods"
_GENERALIST = "Inference-Time Scaling for Generalist Reward Modeling"

# What it does, its formula (s: scores of the votes, m their mean, v their variance over n), its paper.
_VOTES: Mapping[RuleName, tuple[str, str, str | None]] = {
    "mean": ("The mean of the votes.", "m = sum w s / sum w", _CONSISTENCY),
    "median": ("The middle vote, or the mean of the two in the middle.", "median(s)", None),
    "trimmed_mean": ("The mean without the ends.", "mean of s without floor(t n) votes at each end", None),
    "majority": (
        "What most votes say; ties go towards the mean, then down.",
        "mean score of the top label",
        _CONSISTENCY,
    ),
    "sum": ("The sum of the votes.", "sum s; as a score in [0, 1]: sum s / n", _GENERALIST),
    "min": ("The most sceptical vote.", "min s", _ENSEMBLES),
    "max": ("The most generous vote.", "max s", None),
    "quantile": ("A quantile of the votes, linear between neighbours.", "quantile(s, q)", None),
    "mean_minus_var": ("The mean less a price for disagreement.", "m - lambda v", _ENSEMBLES),
    "mean_minus_std": ("The mean less a price for disagreement, in units of the score.", "m - lambda sqrt(v)", None),
    "robust": ("Between the mean and the worst case.", "lambda m + (1 - lambda) min s", "Reward-Robust RLHF in LLMs"),
    "log_mean_exp": ("Between min (eta < 0) and max (eta > 0); the mean at 0.", "log(mean exp(eta s)) / eta", None),
    "soft": ("The mean score of the mixture of the label distributions.", "sum over labels of mean(p) score", _SOFT),
    "likelihood": ("The majority, each vote weighted by how likely it was.", _LIKELY, _SOFT),
    "confidence": (
        "The mean, each vote weighted by how sure it is.",
        "sum c s / sum c, c = 1 - entropy(p) / ln(labels)",
        None,
    ),
}
_NUMBER = {
    "trimmed_mean": ("t", "share of the votes cut off at each end"),
    "quantile": ("q", "0 is min, 0.5 the median, 1 max"),
    "mean_minus_var": ("lambda", "price of disagreement"),
    "mean_minus_std": ("lambda", "price of disagreement"),
    "robust": ("lambda", "1 is the mean, 0 the minimum"),
    "log_mean_exp": ("eta", "below 0 towards min, above towards max"),
}


def catalogue() -> list[Row]:
    """Every entry, votes first, in the order of the calculation."""
    return [
        *map(_vote, RULES),
        *map(_aggregate, AGGREGATES.values()),
        *({"kind": "shape", **shape.row()} for shape in shapes().values()),
        *map(_control, CONTROLS),
    ]


def find(name: str) -> list[Row]:
    """The entries of a name: one for ``aggregate:min``, those of all kinds for ``min``, none if it is unknown."""
    rows = catalogue()
    return [row for row in rows if row["name"] == name] or [
        row for row in rows if row["name"].partition(":")[2] == name
    ]


def _vote(name: RuleName) -> Row:
    summary, formula, paper = _VOTES[name]
    parameters = []
    if name in NUMBERS:
        default, low, high = NUMBERS[name]
        known, meaning = _NUMBER[name]
        ends = "high" if name == "trimmed_mean" else ""
        parameters = [_parameter(Parameter(known, meaning, low, high, open=ends, default=default))]  # type: ignore[arg-type]
    elif name == "likelihood":
        parameters = [_parameter(Parameter("how", "token probabilities of a vote as one", choices=HOW, default=HOW[0]))]
    missing = "failed votes are left out; without any vote no score"
    if name in NEEDS_P:
        missing += "; where the engine shows no label probabilities the criterion fails"
    return {
        "kind": "vote",
        "name": f"vote:{name}",
        "summary": summary,
        "formula": formula,
        "paper": paper,
        "needs": ["votes", "probabilities"] if name in NEEDS_P else ["votes"],
        "inputs": ["scores"],
        "missing": missing,
        "parameters": parameters,
        "python": "genrm.voting.rules.vote_array",
    }


def _aggregate(spec: type[AggregateSpec]) -> Row:
    from genrm.rewards.tree import AGGREGATES as FUNCTIONS

    # Gated and holistic have no function of their own: they are the weighted mean with a gate, and one question.
    functions = {"gated": "genrm.rewards.aggregate.gate", "holistic": None}
    function = FUNCTIONS.get(spec.name)
    return {
        "kind": "aggregate",
        "name": f"aggregate:{spec.name}",
        "summary": (spec.__doc__ or "").partition("\n")[0].replace("``", ""),
        "formula": spec.formula,
        "paper": spec.paper,
        "needs": ["criteria"],
        "inputs": ["scores", "weights"],
        "missing": f"fail: no reward; skip: {spec.missing}",
        "parameters": [_field(spec, name) for name in spec.model_fields],
        "python": f"{function.__module__}.{function.__name__}" if function else functions[spec.name],
    }


def _control(name: str) -> Row:
    control = CONTROLS[name]
    return {
        "kind": "control",
        "name": f"control:{name}",
        "summary": control.summary,
        "formula": control.formula,
        "paper": control.paper,
        "needs": ["control"],
        "inputs": ["prompts", "completions"],
        "missing": control.missing,
        "parameters": [],
        "python": f"{control.__module__}.{control.__name__}",
    }


def _parameter(parameter: Parameter) -> Row:
    return {
        "name": parameter.name,
        "default": parameter.default,
        "range": parameter.range,
        "meaning": parameter.meaning,
    }


def _field(spec: type[AggregateSpec], name: str) -> Row:
    field = spec.model_fields[name]
    if name == "scale":
        return {"name": name, "default": "1 to 10", "range": "a scale", "meaning": field.description or ""}
    schema = spec.model_json_schema()["properties"][name]
    default = None if field.is_required() else field.default
    return {"name": name, "default": default, "range": _range(schema), "meaning": field.description or ""}


def _range(schema: Mapping[str, Any]) -> str:
    """The values that a JSON schema allows, as :class:`Parameter` writes them."""
    if "anyOf" in schema:
        return " | ".join(_range(option) for option in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(schema["enum"])
    if schema.get("type") == "array":
        return f"a list in {_range(schema['items'])}"
    if schema.get("type") == "string":
        return "text"
    low = schema.get("minimum", schema.get("exclusiveMinimum", -float("inf")))
    high = schema.get("maximum", schema.get("exclusiveMaximum", float("inf")))
    return Parameter("", "", low, high, open="low" if "exclusiveMinimum" in schema else "").range
