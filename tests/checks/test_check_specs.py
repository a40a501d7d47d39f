"""Parameters of checks: what parses, and what each fault says. Every example of the docs is parsed."""

import re
from pathlib import Path

import pytest
import yaml

from genrm.checks.registry import CHECKS
from genrm.specs.check import CHECK_KINDS, parse_check
from genrm.specs.criterion import Criterion

DOCS = Path(__file__).resolve().parents[2] / "docs" / "checks.md"
DOC_EXAMPLES = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)]


def test_every_kind_runs_and_has_an_example_that_parses():
    assert set(CHECKS) == set(CHECK_KINDS.values())
    for kind, spec in CHECK_KINDS.items():
        assert parse_check(yaml.safe_load(spec.example)).kind == kind


@pytest.mark.parametrize("example", [item for item in DOC_EXAMPLES if "check" in item], ids=str)
def test_documented_examples_parse(example):
    criterion = Criterion.model_validate({"id": "c", "check": example["check"]})
    assert list(criterion.check) == list(example["check"])


def test_every_kind_is_documented_with_an_example():
    documented = {next(iter(item["check"])) for item in DOC_EXAMPLES if "check" in item}
    assert documented == set(CHECK_KINDS)


def test_the_rubric_of_the_docs_parses():
    (rubric,) = [item for item in DOC_EXAMPLES if "criteria" in item]
    assert [Criterion.model_validate(item).is_judged for item in rubric["criteria"]] == [True, False]


def test_which_kinds_need_a_reference():
    assert {kind for kind, spec in CHECK_KINDS.items() if spec.needs_reference} == {
        "math",
        "number",
        "exact",
        "normalized",
    }


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (5, ["check", "mapping", "5"]),
        ({}, ["exactly one kind", "none"]),
        ({"exact": True, "math": True}, ["exactly one kind", "exact, math"]),
        ({"regx": "a"}, ["'regx'", "regex"]),
        ({1: "a"}, ["no kind 1"]),
        ({"regex": "("}, ["check regex", "'('", "broken", "position 1"]),
        ({"regex": {"pattern": "a", "flags": "iq"}}, ["regex.flags", "'iq'", "i, m, s, x"]),
        ({"regex": {"pattern": "a", "flags": "ii"}}, ["regex.flags", "once"]),
        ({"regex": {"patern": "a"}}, ["regex.patern", "unknown", "pattern, flags"]),
        ({"regex": {"pattern": "a" * 10_001}}, ["regex.pattern", "2000"]),
        ({"regex": True}, ["check regex", "True", "pattern"]),
        ({"contains": {"any": [1]}}, ["contains.any.0", "1"]),
        ({"contains": {"any": []}}, ["contains", "no text"]),
        ({"contains": {"any": [""]}}, ["contains.any.0"]),
        ({"length": {"max": 3}}, ["length.unit", "missing"]),
        ({"length": {"unit": "words"}}, ["no limit"]),
        ({"length": {"unit": "words", "min": 5, "max": 2}}, ["min 5", "max 2"]),
        ({"length": {"unit": "words", "max": True}}, ["length.max", "True"]),
        ({"length": {"unit": "words", "max": -1}}, ["length.max", "-1"]),
        ({"json_schema": {"type": "objct"}}, ["json_schema", "'objct'", "at type"]),
        ({"json_schema": {"pattern": "("}}, ["json_schema", "'('"]),
        ({"json_schema": {"schema": {}, "were": "whole"}}, ["json_schema.were", "schema, where"]),
        ({"math": False}, ["check math", "False"]),
        ({"math": {"precision": 99}}, ["math.precision", "99"]),
        ({"number": {"tolerance": -1}}, ["number.tolerance", "-1"]),
        ({"number": {"tolerance": float("nan")}}, ["number.tolerance"]),
        ({"code_fence": {"count": {"min": 2, "max": 1}}}, ["code_fence.count", "min 2"]),
        ({"repetition": True}, ["check repetition", "max"]),
    ],
)
def test_faults_name_kind_parameter_value_and_fix(spec, words):
    with pytest.raises(ValueError) as caught:
        parse_check(spec)
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"$ref": "https://example.org/s.json"}, "nothing is fetched"),
        ({"properties": {"a": {"$ref": "file:///etc/passwd"}}}, "nothing is fetched"),
        ({"$ref": "#/$defs/missing"}, "leads nowhere"),
        ({"$ref": "#"}, "would end"),
        ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, "would end"),
    ],
)
def test_schema_references_stay_inside_and_end(schema, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        parse_check({"json_schema": schema})


@pytest.mark.parametrize(
    "schema",
    [
        {"$defs": {"n": {"type": "object", "properties": {"next": {"$ref": "#/$defs/n"}}}}, "$ref": "#/$defs/n"},
        {"const": {"$ref": "https://example.org"}},
        {"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"a": {}}, "$ref": "#/definitions/a"},
    ],
)
def test_legal_references_parse(schema):
    assert parse_check({"json_schema": schema}).schema_ == schema


def test_a_check_survives_the_long_form_of_a_criterion():
    criterion = Criterion.model_validate({"id": "c", "check": {"json_schema": {"type": "array"}}})
    assert parse_check(criterion.check) == parse_check({"json_schema": {"type": "array"}})
    assert Criterion.model_validate(criterion.model_dump(exclude_defaults=True)).check == criterion.check
