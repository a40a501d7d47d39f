"""The published JSON Schema of the rubric file: what an editor needs for completion and early warnings.

    # yaml-language-server: $schema=https://…/docs/rubric.schema.json     (first line of a rubric file)

It describes the *written* forms (short scales, principles as plain texts), while the models describe the long form
after reading. What a schema cannot say (unique ids, label sets that agree) only ``genrm rubric check`` finds.
"""

from __future__ import annotations

import json
from typing import Any, get_args

from pydantic import BaseModel

from genrm.specs.check import CHECK_KINDS, CheckSpec, JsonSchemaCheck
from genrm.specs.criterion import ID_PATTERN, KIND_WEIGHTS, Kind
from genrm.specs.rubric import NAME_PATTERN, Aggregate, Protocol, Rubric, Vote, VoteRule
from genrm.specs.scale import LIKERT_POINTS, MAX_LABELS

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
    temperature = {"type": "number", "minimum": 0, "maximum": 2}
    return _closed(
        {
            "n": _count(Vote, "n"),
            "rule": {"enum": list(get_args(VoteRule)), "default": "mean"},
            "temperature": temperature,
        }
    )


def _reward() -> Schema:
    aggregate = {"enum": list(get_args(Aggregate)), "default": "weighted_mean"}
    return _closed({"aggregate": aggregate, "shape": {"const": "identity"}})


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
