"""The published JSON Schema of the rubric file: what an editor needs for completion and early warnings.

    # yaml-language-server: $schema=https://…/docs/rubric.schema.json     (first line of a rubric file)

It describes the *written* forms (short scales, principles as plain texts), while the models describe the long form
after reading. What a schema cannot say (unique ids, label sets that agree) only ``genrm rubric check`` finds.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from genrm.specs.check import CHECK_KINDS, CheckSpec, JsonSchemaCheck
from genrm.specs.criterion import ID_PATTERN, KIND_WEIGHTS, Kind
from genrm.specs.reward import AGGREGATES, AggregateSpec
from genrm.specs.rubric import NAME_PATTERN, Protocol, Rubric
from genrm.specs.scale import LIKERT_POINTS, MAX_LABELS
from genrm.specs.shape import FIELDS
from genrm.specs.vote import ALIASES, BY, LIKELIHOODS, MAX_VOTES, RULE_NUMBERS, RULES, Vote

if TYPE_CHECKING:
    from genrm.rewards.shaping import Parameter

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string", "minLength": 1}
_ANCHORS: Schema = {
    "description": "What each value of the scale means, keyed by the value.",
    "type": "object",
    "patternProperties": {"^[-+]?[0-9]+$": _TEXT},
    "additionalProperties": False,
}


def rubric_schema() -> Schema:
    """The schema (draft 2020-12) as plain data; the same for every call."""
    definitions: Schema = {"criterion": _criterion(), "scale": _scale(), "label": _label()}
    definitions["check"] = _check(definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "genrm rubric",
        "description": "What is asked of a judge, on which scales, and how the answers become one reward.",
        "type": "object",
        "required": ["name"],
        "additionalProperties": False,
        "properties": _top(),
        "$defs": definitions,
    }


def schema_text() -> str:
    """The schema as it is published: indented JSON with a final line break."""
    return json.dumps(rubric_schema(), indent=2, ensure_ascii=False) + "\n"


def _top() -> Schema:
    principle = _closed(
        {"text": _TEXT, "kind": {"enum": ["positive", "negative"], "default": "positive"}}, required=["text"]
    )
    return {
        "name": _about("Names the rubric in outputs.", {"type": "string", "pattern": NAME_PATTERN}),
        "version": _about("Free text or a number.", {"type": ["string", "number"]}),
        "description": _about("What the rubric is for, in a sentence.", {"type": "string"}),
        "protocol": _about(
            "pointwise: judge a response by itself; verify: compare it with the reference.",
            {"enum": list(get_args(Protocol)), "default": "pointwise"},
        ),
        "principles": _about(
            "Rules that the judge keeps in mind; negative ones name what must not count in favour.",
            {"type": "array", "items": {"anyOf": [_TEXT, principle]}},
        ),
        "criteria": _about(
            "What is judged. Leave it out only when every input row brings its own criteria.",
            {"type": "array", "items": {"$ref": "#/$defs/criterion"}},
        ),
        "ask": _about("One call for all criteria, or one each.", {"enum": ["joint", "separate"], "default": "joint"}),
        "critique": _flag("Write a critique before each label.", default=True),
        "critique_tokens": _about("Budget of one critique in tokens.", _count(Rubric, "critique_tokens")),
        "think": _flag("Let the judge think freely before its verdict.", default=False),
        "think_tokens": _about("Budget of the thinking in tokens.", _count(Rubric, "think_tokens")),
        "vote": _about("How many verdicts a sample gets, and how they become one.", _vote()),
        "reward": _about("How criterion scores become the reward.", _reward()),
        "on_missing": _about(
            "What a criterion without a verdict does to its row: fail the row, or leave the criterion out.",
            {"enum": ["fail", "skip"], "default": "fail"},
        ),
    }


def _criterion() -> Schema:
    kinds = ", ".join(f"{kind} {weight:g}" for kind, weight in KIND_WEIGHTS.items())
    properties = {
        "id": _about(
            "Unique in the rubric; names the criterion in outputs.", {"type": "string", "pattern": ID_PATTERN}
        ),
        "ask": _about("The question that the judge answers.", _TEXT),
        "scale": {"$ref": "#/$defs/scale"},
        "weight": _about("Not 0. A negative weight marks a fault.", {"type": "number", "not": {"const": 0}}),
        "kind": _about(f"Importance when no weight is given: {kinds}.", {"enum": list(get_args(Kind))}),
        "constraint": _flag("A gate that has to be passed.", default=False),
        "score": _about(
            "label: the value of the label that was said; expected: the mean under the label probabilities.",
            {"enum": ["label", "expected"], "default": "label"},
        ),
        "sees_reference": _flag("Show the reference answer with this question.", default=True),
        "check": {"$ref": "#/$defs/check"},
        "cascade": _about("With check and ask: which answers of the check stand without the judge.", _cascade()),
        "criteria": _about(
            "Makes this a group: its score is the weighted mean of what is inside.",
            {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/criterion"}},
        ),
    }
    one_of_three = [{"required": [key]} for key in ("ask", "check", "criteria")]
    return _closed(properties, required=["id"]) | {
        "anyOf": one_of_three,
        "not": {"required": ["check", "criteria"]},
    }


def _cascade() -> Schema:
    trust = {"enum": ["met", "unmet", "both", "neither"], "default": "met"}
    confidence = {"type": "number", "minimum": 0, "maximum": 1, "default": 0}
    parts = {
        "trust": trust,
        "confidence": _about("Weight of an answer of the check that is not trusted, beside the judge's.", confidence),
        "audit": _flag("Ask the judge also where the check stands, for the log of disagreements.", default=False),
    }
    return {"anyOf": [{"enum": trust["enum"]}, _closed(parts)]}


def _scale() -> Schema:
    fewest, most = LIKERT_POINTS
    points = {"type": "integer", "minimum": fewest, "maximum": most}
    whole = {"type": "integer"}
    labels = {"type": "array", "minItems": 2, "maxItems": MAX_LABELS, "items": {"$ref": "#/$defs/label"}}
    return {
        "description": "The labels that the judge may say. Without a scale: binary (no = 0, yes = 1).",
        "anyOf": [
            {"enum": ["binary", *(f"likert-{n}" for n in range(fewest, most + 1))]},
            _closed({"likert": points, "anchors": _ANCHORS}, required=["likert"]),
            _closed(
                {"min": whole, "max": whole, "step": {"type": "integer", "minimum": 1}, "anchors": _ANCHORS},
                required=["min", "max"],
            ),
            _closed(
                {"kind": {"enum": ["binary", "likert", "numeric", "labels"]}, "labels": labels}, required=["labels"]
            ),
            labels,
        ],
    }


def _label() -> Schema:
    name = {"anyOf": [{"type": "string", "minLength": 1, "maxLength": 60}, {"type": "integer"}]}
    return _closed(
        {
            "label": _about("What the judge says.", name),
            "value": _about("What it is worth.", {"type": "number"}),
            "means": _about("What must be seen in a response for this label.", _TEXT),
        },
        required=["label", "value"],
    )


def _check(definitions: Schema) -> Schema:
    """One key, the kind; models that a kind's parameters use are added to ``definitions``."""
    return {
        "description": "A verifiable test; no model is asked.",
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
        "properties": {kind: _check_kind(spec, definitions) for kind, spec in CHECK_KINDS.items()},
    }


def _check_kind(spec: type[CheckSpec], definitions: Schema) -> Schema:
    long = spec.model_json_schema(by_alias=True)
    definitions.update(long.pop("$defs", {}))
    for key in ("title", "description"):
        long.pop(key, None)
    about = (spec.__doc__ or "").strip().partition("\n")[0]
    if spec is JsonSchemaCheck:
        # The parameters may be the schema itself, whose keys are not ours.
        return {"description": about, "type": ["object", "boolean"], "not": {"const": False}}
    for name, schema in long["properties"].items():
        if schema.get("type") == "array":
            long["properties"][name] = {"anyOf": [_TEXT, schema]}
    forms: list[Schema] = [long]
    if spec.short is not None:
        forms.append(_TEXT)
    elif not long.get("required"):
        forms.append({"const": True})
    return {"description": about, "examples": [spec.example], "anyOf": forms}


def _vote() -> Schema:
    share = {"type": "number", "minimum": 0, "maximum": 1}
    return _closed(
        {
            "n": _about("A fixed number of votes.", _count(Vote, "n")),
            "rule": _about("How the votes become one.", _vote_rule()),
            "temperature": {"type": "number", "minimum": 0, "maximum": 2},
            "min": _about("Adaptive: the fewest votes.", _votes(default=3)),
            "max": _about("Adaptive: the most votes; instead of n.", _votes()),
            "stop": _about(
                "Adaptive: end when the decision stands with this probability after max votes as well.",
                {"type": "number", "exclusiveMinimum": 0, "maximum": 1, "default": 0.97},
            ),
            "tolerance": _about("Adaptive: a value that moves by no more is the same decision.", share),
            "concentration": _about(
                "Adaptive: how closely the judge's probabilities repeat (genrm rewards concentration OUT).",
                {"type": "number", "exclusiveMinimum": 0},
            ),
            "keep_best": _about("Only the k votes with the highest score count.", _keep_best()),
        }
    )


def _keep_best() -> Schema:
    k = {"type": "integer", "minimum": 1, "maximum": MAX_VOTES - 1}
    return _closed({"k": k, "by": {"enum": list(BY)}}, required=["k", "by"])


def _vote_rule() -> Schema:
    numbers: dict[str, Schema] = {}
    for name in [*RULE_NUMBERS, *ALIASES]:
        _, low, high = RULE_NUMBERS[ALIASES.get(name, name)]
        bounds = {"minimum": low, "maximum": high}
        numbers[name] = {"type": "number"} | {key: bound for key, bound in bounds.items() if math.isfinite(bound)}
    forms = [_closed({name: schema}, required=[name]) for name, schema in numbers.items()]
    forms.append(_closed({"likelihood": {"enum": list(LIKELIHOODS)}}, required=["likelihood"]))
    plain = [name for name in RULES if name not in RULE_NUMBERS or RULE_NUMBERS[name][0] is not None]
    return {"anyOf": [{"enum": plain}, *forms], "default": "mean"}


def _votes(default: int | None = None) -> Schema:
    count: Schema = {"type": "integer", "minimum": 1, "maximum": MAX_VOTES}
    return count if default is None else count | {"default": default}


def _reward() -> Schema:
    return _closed(
        {
            "aggregate": _about("How criterion scores become one score.", _named(_aggregates(), "weighted_mean")),
            "shape": _about("What is done to that score then.", _named(_shapes(), "identity")),
            "inputs": _about(
                "Row fields that hold what the shape needs besides the score.",
                _closed({need: {"type": "string", "minLength": 1, "default": name} for need, name in FIELDS.items()}),
            ),
        }
    )


def _named(forms: dict[str, Schema], default: str) -> Schema:
    """A name alone, where no parameter is needed, or a name with its parameters."""
    plain = [name for name, form in forms.items() if not form.get("required")]
    return {"anyOf": [{"enum": plain}, *(_closed({n: form}, required=[n]) for n, form in forms.items())]} | {
        "default": default
    }


def _aggregates() -> dict[str, Schema]:
    return {name: _aggregate(spec) for name, spec in AGGREGATES.items()}


def _aggregate(spec: type[AggregateSpec]) -> Schema:
    about = (spec.__doc__ or "").strip().partition("\n")[0].replace("``", "")
    properties = {}
    for name in spec.model_fields:
        long = {"$ref": "#/$defs/scale"} if name == "scale" else spec.model_json_schema()["properties"][name]
        properties[name] = {key: value for key, value in long.items() if key != "title"}
    required = [name for name, field in spec.model_fields.items() if field.is_required()]
    return _about(about, _closed(properties, required=required))


def _shapes() -> dict[str, Schema]:
    """Every shape; those that need more than a score are applied by ``genrm rewards apply``."""
    from genrm.rewards.shaping import shapes

    forms = {}
    for name, entry in shapes().items():
        properties = {p.name: _parameter(p) for p in entry.parameters}
        forms[name] = _about(entry.summary, _closed(properties))
    return forms


def _parameter(parameter: Parameter) -> Schema:
    if parameter.choices:
        form: Schema = {"enum": list(parameter.choices)}
    else:
        form = {"type": "number"}
        for bound, key, end in ((parameter.low, "inimum", "low"), (parameter.high, "aximum", "high")):
            if math.isfinite(bound):
                exclusive = parameter.open in (end, "both")
                form[("exclusiveM" if exclusive else "m") + key] = bound
        if parameter.optional:
            form = {"anyOf": [{"type": "null"}, form]}
    return _about(parameter.meaning, form | {"default": parameter.default})


def _count(model: type[BaseModel], name: str) -> Schema:
    """The whole number that a field of a model allows, bounds and default included."""
    field: Schema = model.model_json_schema()["properties"][name]
    return {key: value for key, value in field.items() if key != "title"}


def _flag(description: str, *, default: bool) -> Schema:
    return {"description": description, "type": "boolean", "default": default}


def _about(description: str, schema: Schema) -> Schema:
    return {"description": description, **schema}


def _closed(properties: Schema, required: list[str] | None = None) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }
