"""The published JSON Schema: current, valid, true of every rubric of the library, and not blind."""

import json
from pathlib import Path

import jsonschema
import pytest

from genrm.errors import SpecError
from genrm.specs.check import CHECK_KINDS
from genrm.specs.load import library_files, load_rubric
from genrm.specs.rubric_schema import rubric_schema, schema_text
from genrm.specs.yaml_marks import parse_yaml, read_document

ROOT = Path(__file__).parent.parent.parent
PUBLISHED = ROOT / "docs" / "rubric.schema.json"


def faults(data):
    # Editors see the keys of a mapping as texts, as JSON has them.
    instance = json.loads(json.dumps(data))
    return list(jsonschema.Draft202012Validator(rubric_schema()).iter_errors(instance))


def test_the_published_file_is_current():
    assert PUBLISHED.read_text(encoding="utf-8") == schema_text(), "run: genrm rubric schema > docs/rubric.schema.json"


def test_it_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(rubric_schema())


@pytest.mark.parametrize("path", library_files().values(), ids=lambda path: path.stem)
def test_every_rubric_of_the_library_is_valid_and_names_the_schema(path):
    assert faults(read_document(path).data) == []
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=../docs/rubric.schema.json"


@pytest.mark.parametrize("kind", CHECK_KINDS)
def test_the_example_of_every_check_is_valid_in_both(kind):
    check = parse_yaml("{" + CHECK_KINDS[kind].example + "}").data
    data = {"name": "x", "criteria": [{"id": "a", "check": check}]}
    assert faults(data) == []
    assert load_rubric(data).criteria[0].check is not None


GOOD = [
    {},
    {"version": 2, "principles": ["a", {"text": "b", "kind": "negative"}]},
    {"criteria": [{"id": "a", "ask": "?", "scale": scale} for scale in ("binary",)]},
    {"criteria": [{"id": "a", "ask": "?", "scale": "likert-11", "weight": -0.5, "kind": "pitfall"}]},
    {"criteria": [{"id": "a", "ask": "?", "scale": {"likert": 2, "anchors": {1: "x"}}}]},
    {"criteria": [{"id": "a", "ask": "?", "scale": {"min": 0, "max": 9, "step": 3}}]},
    {
        "criteria": [
            {"id": "a", "ask": "?", "scale": [{"label": 1, "value": 1}, {"label": "b", "value": 2, "means": "x"}]}
        ]
    },
    {"criteria": [{"id": "g", "ask": "all", "criteria": [{"id": "a", "check": {"regex": "x"}}]}]},
    {"criteria": [{"id": "a", "check": {"contains": {"any": "one"}}}, {"id": "b", "check": {"math": True}}]},
    {"vote": {"n": 5, "rule": "median", "temperature": 1}, "reward": {"aggregate": "points"}, "on_missing": "skip"},
    {"reward": {"aggregate": {"soft_min": {"temperature": 0.2}}, "shape": {"affine": {"scale": 2}}}},
    {"reward": {"aggregate": {"holistic": {"scale": "likert-7"}}}},
    {"criteria": [{"id": "a", "ask": "?", "check": {"math": True}, "cascade": {"trust": "both", "audit": True}}]},
]
BAD = [
    {"zebra": 1},
    {"name": "two words"},
    {"protocol": "pairwise"},
    {"critique": "yes"},
    {"critique_tokens": 0},
    {"think_tokens": "many"},
    {"vote": {"n": 0}},
    {"vote": {"rule": "mode"}},
    {"reward": {"aggregate": {"soft_min": {"temp": 1}}}},
    {"reward": {"aggregate": "hierarchical"}},
    {"reward": {"shape": {"par": {"temperature": 0}}}},
    {"reward": {"shape": "par", "inputs": {"references": "x"}}},
    {"criteria": [{"id": "a", "ask": "?", "check": {"math": True}, "cascade": "sure"}]},
    {"principles": "be good"},
    {"principles": [5]},
    {"criteria": {"id": "a", "ask": "?"}},
    {"criteria": ["Is it?"]},
    {"criteria": [{"ask": "?"}]},
    {"criteria": [{"id": "1", "ask": "?"}]},
    {"criteria": [{"id": "a"}]},
    {"criteria": [{"id": "a", "ask": ""}]},
    {"criteria": [{"id": "a", "ask": "?", "weight": 0}]},
    {"criteria": [{"id": "a", "ask": "?", "weight": "1"}]},
    {"criteria": [{"id": "a", "ask": "?", "kind": "vital"}]},
    {"criteria": [{"id": "a", "ask": "?", "scale": "likert-12"}]},
    {"criteria": [{"id": "a", "ask": "?", "scale": {"min": 1}}]},
    {"criteria": [{"id": "a", "ask": "?", "scale": {"likert": 5, "anchors": {"one": "x"}}}]},
    {"criteria": [{"id": "a", "ask": "?", "scale": [{"label": "a", "value": 1}]}]},
    {"criteria": [{"id": "a", "ask": "?", "scale": [{"label": "a"}, {"label": "b"}]}]},
    {"criteria": [{"id": "a", "check": {"regx": "x"}}]},
    {"criteria": [{"id": "a", "check": {"regex": "x", "math": True}}]},
    {"criteria": [{"id": "a", "check": {"length": {"unit": "pages", "max": 3}}}]},
    {"criteria": [{"id": "a", "check": {"regex": "x"}, "criteria": [{"id": "b", "ask": "?"}]}]},
    {"criteria": [{"id": "a", "criteria": []}]},
]  # fmt: skip


@pytest.mark.parametrize("part", GOOD, ids=str)
def test_what_the_loader_takes_the_schema_takes(part):
    data = {"name": "x"} | part
    assert faults(data) == []
    assert load_rubric(data).name == "x"


@pytest.mark.parametrize("part", BAD, ids=str)
def test_typical_faults_are_seen_by_both(part):
    data = {"name": "x"} | part
    assert faults(data)
    with pytest.raises(SpecError, match="Fix: "):
        load_rubric(data)


def test_every_key_of_the_models_is_in_the_schema():
    from genrm.specs.criterion import Criterion
    from genrm.specs.rubric import Rubric

    schema = rubric_schema()
    assert set(schema["properties"]) == set(Rubric.model_fields)
    assert set(schema["$defs"]["criterion"]["properties"]) == set(Criterion.model_fields)
    assert set(schema["$defs"]["check"]["properties"]) == set(CHECK_KINDS)
