"""The output plan: parts, regular expression, JSON Schema and parser describe the same texts."""

import json
import re

import jsonschema
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from genrm.compiler.output import Choice, Literal, Text, Thinking, plan_output
from genrm.errors import TruncatedError, UnparseableError

AWKWARD = ('say "no"', "back\\slash", "né/ö", "👍", "{a}|b", "a.*", "1", "10", "\\u0041")

critiques = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
label = st.one_of(
    st.sampled_from(AWKWARD),
    st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12),
)
slot = st.from_regex(r"\A[A-Za-z][A-Za-z0-9_.-]{0,12}\Z")
slots = st.dictionaries(slot, st.lists(label, min_size=2, max_size=5, unique=True).map(tuple), min_size=1, max_size=4)


def write(plan, texts, labels):
    """An output as an engine writes it that walks the parts."""
    written = ""
    for part in plan.parts:
        match part:
            case Literal(text):
                written += text
            case Text(name):
                written += json.dumps(texts[name], ensure_ascii=False)[1:-1]
            case Choice():
                written += part.bodies[part.labels.index(labels[part.slot])]
    return written


@given(slots, st.booleans(), st.data())
def test_whatever_follows_the_parts_matches_regex_and_schema_and_parses_back(slots, critique, data):
    plan = plan_output(slots, critique_tokens=64, critique=critique)
    texts = {name: data.draw(critiques) for name in slots}
    labels = {name: data.draw(st.sampled_from(names)) for name, names in slots.items()}
    text = write(plan, texts, labels)
    assert re.fullmatch(plan.regex, text)
    jsonschema.validate(json.loads(text), plan.json_schema)
    answer = plan.parse(text)
    assert answer.labels == labels
    assert list(answer.labels) == list(slots)
    assert answer.critiques == (texts if critique else {})


@given(slots, st.booleans(), st.data())
def test_what_the_regex_generates_parses(slots, critique, data):
    plan = plan_output(slots, critique_tokens=64, critique=critique)
    text = data.draw(st.from_regex(re.compile(plan.regex), fullmatch=True))
    answer = plan.parse(text)
    assert all(answer.labels[name] in names for name, names in slots.items())
    assert all(body.encode() for body in answer.critiques.values() if body)
    jsonschema.validate(json.loads(text), plan.json_schema)


@given(slots, st.data())
def test_a_label_that_is_not_on_the_scale_is_no_verdict(slots, data):
    plan = plan_output(slots, critique_tokens=64)
    victim = data.draw(st.sampled_from(list(slots)))
    stray = data.draw(label)
    assume(stray not in slots[victim])
    said = {name: {"critique": "x", "label": names[0]} for name, names in slots.items()}
    said[victim]["label"] = stray
    text = json.dumps(said if len(slots) > 1 else said[victim], separators=(",", ":"), ensure_ascii=False)
    assert not re.fullmatch(plan.regex, text)
    with pytest.raises(UnparseableError, match=re.escape(repr(victim))):
        plan.parse(text)


def test_critique_comes_before_its_label_and_criteria_in_rubric_order():
    plan = plan_output({"b": ("no", "yes"), "a": ("1", "2", "3")}, critique_tokens=7)
    assert plan.parts == (
        Literal('{"b":{"critique":"'),
        Text("b", 7),
        Literal('","label":"'),
        Choice("b", ("no", "yes")),
        Literal('"},"a":{"critique":"'),
        Text("a", 7),
        Literal('","label":"'),
        Choice("a", ("1", "2", "3")),
        Literal('"}}'),
    )
    assert list(plan.json_schema["properties"]) == ["b", "a"]
    assert list(plan.json_schema["properties"]["b"]["properties"]) == ["critique", "label"]


def test_without_critique_there_is_no_free_text():
    plan = plan_output({"a": ("no", "yes")}, critique_tokens=7, critique=False)
    assert plan.parts == (Literal('{"label":"'), Choice("a", ("no", "yes")), Literal('"}'))
    assert re.fullmatch(plan.regex, '{"label":"yes"}')


def test_thinking_comes_first_and_is_outside_regex_and_parser():
    thinking = Thinking("</think>", 50)
    plan = plan_output({"a": ("no", "yes")}, critique_tokens=7, thinking=thinking)
    bare = plan_output({"a": ("no", "yes")}, critique_tokens=7)
    assert plan.parts == (thinking, *bare.parts)
    assert plan.regex == bare.regex
    assert plan.max_tokens == bare.max_tokens + 50


@given(slots, st.data())
def test_max_tokens_bounds_every_output_of_one_byte_tokens(slots, data):
    plan = plan_output(slots, critique_tokens=10)
    labels = {name: data.draw(st.sampled_from(names)) for name, names in slots.items()}
    text = write(plan, dict.fromkeys(slots, "x" * 10), labels)
    assert len(text.encode()) <= plan.max_tokens


BINARY = plan_output({"a": ("no", "yes")}, critique_tokens=7)
JOINT = plan_output({"a": ("no", "yes"), "b": ("no", "yes")}, critique_tokens=7)


@pytest.mark.parametrize(
    ("plan", "text", "reason"),
    [
        (BINARY, "", "not JSON"),
        (BINARY, "yes", "not JSON"),
        (BINARY, '"yes"', "JSON object"),
        (BINARY, "[]", "JSON object"),
        (BINARY, "[" * 100_000, "not JSON"),
        (BINARY, '{"label":"yes"}', "critique, label"),
        (BINARY, '{"critique":"x"}', "critique, label"),
        (BINARY, '{"label":"yes","critique":"x"}', "in this order"),
        (BINARY, '{"critique":"x","label":"no","label":"yes"}', "'label' twice"),
        (BINARY, '{"critique":"x","label":"yes","score":1}', "score"),
        (BINARY, '{"critique":"x","label":"Yes"}', "no, yes"),
        (BINARY, '{"critique":"x","label":true}', "True"),
        (BINARY, '{"critique":"x","label":["yes"]}', "no, yes"),
        (BINARY, '{"critique":null,"label":"yes"}', "no text"),
        (BINARY, '{"critique":"x","label":"yes"} {"critique":"x","label":"no"}', "not JSON"),
        (JOINT, '{"a":{"critique":"x","label":"yes"}}', "a, b"),
        (JOINT, '{"a":{"critique":"x","label":"yes"},"b":"yes"}', "'b'"),
        (JOINT, '{"b":{"critique":"x","label":"yes"},"a":{"critique":"x","label":"yes"}}', "in this order"),
        (JOINT, '{"critique":"x","label":"yes"}', "a, b"),
    ],
)
def test_everything_else_is_unparseable(plan, text, reason):
    with pytest.raises(UnparseableError, match=reason):
        plan.parse(text)


def test_only_a_cut_text_that_is_no_whole_object_is_truncated():
    with pytest.raises(TruncatedError, match="cut before its verdict"):
        BINARY.parse('{"critique":"so lo', cut=True)
    assert BINARY.parse('{"critique":"x","label":"yes"}', cut=True).labels == {"a": "yes"}


def test_blanks_and_raw_line_breaks_are_forgiven():
    answer = BINARY.parse('\n{ "critique": "two\nlines\t",\n "label" : "no" }\n')
    assert answer.critiques == {"a": "two\nlines\t"}


def test_half_surrogate_pairs_in_a_critique_become_replacement_characters():
    answer = BINARY.parse(r'{"critique":"\ud800 \ud83d\ude00 \udc00","label":"no"}')
    assert answer.critiques["a"] == "\ufffd 😀 \ufffd"


@pytest.mark.parametrize("slots", [{}, {"a": ("yes",)}, {"a": ("yes", "yes")}])
def test_a_plan_needs_something_to_choose(slots):
    with pytest.raises(ValueError, match="at least"):
        plan_output(slots, critique_tokens=7)
