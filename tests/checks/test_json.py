import json
import time

import pytest

from genrm.checks.json_ import MAX_DEPTH, read_json
from genrm.errors import DeadlineError

OBJECT = {"json_schema": {"type": "object", "required": ["a"]}}


def at(where):
    return {"json_schema": {"schema": {"type": "object"}, "where": where}}


@pytest.mark.parametrize(
    ("check", "response", "label"),
    [
        (OBJECT, '{"a": 1}', "yes"),
        (OBJECT, '\ufeff {"a": 1}\n', "yes"),
        (OBJECT, '{"b": 1}', "no"),
        (OBJECT, "[1]", "no"),
        (OBJECT, 'Sure:\n```json\n{"a": 1}\n```', "yes"),
        (OBJECT, 'Code:\n```py\nx\n```\nand\n```json\n{"a": 1}\n```', "yes"),
        (OBJECT, '```\n{"a": 1}', "yes"),
        (OBJECT, "no JSON at all", "no"),
        (at("whole"), "```json\n{}\n```", "no"),
        (at("whole"), "{}", "yes"),
        (at("fence"), "{}", "no"),
        (at("fence"), "```\n{}\n```", "yes"),
        ({"json_schema": True}, "[]", "yes"),
        ({"json_schema": True}, "[", "no"),
        ({"json_schema": {"type": "string", "pattern": "^a+$"}}, '"aaa"', "yes"),
        ({"json_schema": {"type": "string", "pattern": "^a+$"}}, '"aab"', "no"),
        ({"json_schema": {"uniqueItems": True}}, "[{}, {}]", "no"),
        ({"json_schema": {"type": "string"}}, '"\\ud800"', "yes"),
    ],
)
def test_label(judged, check, response, label):
    verdict = judged(check, response)
    assert (verdict.label, verdict.error) == (label, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": NaN}', "NaN"),
        ("[-Infinity]", "Infinity"),
        ("[1e999]", "out of range"),
        ('{"a": 1, "a": 2}', "'a' stands there twice"),
        ("[" * 1_000_000, "nests deeper"),
        ("[" * 200 + "]" * 200, "nests deeper"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "nests deeper"),
        ("1" * 10_000, "thousands of digits"),
        ("{'a': 1}", "line 1, column 2"),
        ("", "not JSON"),
    ],
)
def test_json_that_readers_disagree_on_is_refused(judged, text, words):
    assert words in read_json(text)[1]
    assert judged({"json_schema": True}, text or " ").label == "no"


def test_depth_limit_is_exact():
    assert read_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)[1] is None
    assert read_json("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))[1] is not None


def test_the_critique_names_the_place(judged):
    schema = {"json_schema": {"properties": {"a": {"items": {"type": "integer"}}}}}
    assert judged(schema, '{"a": [1, "x"]}').critique == (
        "The JSON breaks the schema at '/a/1': 'x' is not of type 'integer'."
    )
    assert len(judged({"json_schema": {"maxLength": 1}}, json.dumps("x" * 1_000_000)).critique) < 400


def test_a_pattern_that_backtracks_for_ever_is_a_timeout(judged, monkeypatch):
    monkeypatch.setattr("genrm.checks.json_.SCHEMA_SECONDS", 0.5)
    start = time.monotonic()
    verdict = judged({"json_schema": {"pattern": "^(a+)+$"}}, json.dumps("a" * 5000 + "!"))
    assert verdict.label is None
    assert isinstance(verdict.error, DeadlineError)
    assert time.monotonic() - start < 10
    # The next check gets a fresh process.
    assert judged({"json_schema": {"pattern": "^a$"}}, '"a"').label == "yes"


def test_a_megabyte_of_json_is_quick(judged):
    start = time.monotonic()
    assert judged({"json_schema": {"type": "array"}}, "[" + "1," * 500_000 + "1]").label == "yes"
    assert time.monotonic() - start < 10
