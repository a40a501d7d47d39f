"""Where the parts of a plan stand in a text, whole or cut at any byte."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrm.compiler.output import Choice, Text, plan_output
from genrm.engines.calls.layout import lay_out, rest_regex, rest_tokens, unfenced, whole_units

SLOTS = {"a": ("no", "yes"), 'sí "b"': ("1", "10", 'say "hi"')}


def written(critique, label, indent=None):
    data = {"a": {"critique": critique, "label": "yes"}, 'sí "b"': {"critique": critique + "!", "label": label}}
    separators = (",", ":") if indent is None else None
    return json.dumps(data, indent=indent, separators=separators, ensure_ascii=indent == 3).encode()


@given(st.text(), st.sampled_from(SLOTS['sí "b"']), st.sampled_from([None, 2, 3]))
def test_every_field_is_found_whatever_it_says(critique, label, indent):
    plan = plan_output(SLOTS, critique_tokens=9)
    data = written(critique + '","label":"no"}', label, indent)
    layout = lay_out(plan, data)
    assert layout.whole
    assert [type(item.part) for item in layout.fields] == [Text, Choice, Text, Choice]
    said = [json.loads(data[item.start - 1 : item.end + 1]) for item in layout.fields]
    assert said[:2] == [critique + '","label":"no"}', "yes"]
    assert said[3] == label
    assert layout.fields[1] == layout.field("a")


@given(st.text(max_size=6), st.integers(0, 400))
def test_a_cut_text_has_the_layout_up_to_there(critique, end):
    plan = plan_output(SLOTS, critique_tokens=9)
    data = written(critique, "10")
    whole, cut = lay_out(plan, data), lay_out(plan, data[:end])
    assert cut.whole == (end >= len(data))
    for found, real in zip(cut.fields, whole.fields, strict=False):
        assert (found.index, found.part, found.start) == (real.index, real.part, real.start)
        assert found.closed == (real.end < end)
        assert found.end == min(real.end, end)


@pytest.mark.parametrize(
    "text",
    [
        '{"label":"yes","critique":"x"}',
        "Sure! {",
        '{"critique":1,"label":"yes"}',
        '{"critique":"x","label":"yes"} ok',
        "[]",
    ],
)
def test_what_leaves_the_shape_has_none(text):
    assert lay_out(plan_output({"a": ("no", "yes")}, critique_tokens=9), text.encode()) is None


@given(st.text(max_size=8), st.booleans(), st.integers(0, 60))
def test_a_body_cut_anywhere_keeps_whole_characters(text, escaped, end):
    body = json.dumps(text, ensure_ascii=escaped)[1:-1].encode(errors="replace")
    kept = whole_units(body[:end])
    assert body.startswith(kept)
    said = json.loads(b'"' + kept + b'"')
    said.encode()
    assert text.encode(errors="replace").decode().startswith(said)
    assert len(body[:end]) - len(kept) < 12


def test_the_rest_of_a_plan_is_its_tail():
    plan = plan_output({"a": ("no", "yes")}, critique_tokens=9)
    assert rest_regex(plan.parts) == plan.regex
    assert rest_tokens(plan.parts) == plan.max_tokens
    assert rest_regex(plan.parts[3:]) == '(no|yes)"\\}'


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ('```json\n{"a": 1}\n```', '{"a": 1}'),
        ('\n```\n{"a": 1}```\n', '{"a": 1}'),
        ('```json\n{"a": "cut', '{"a": "cut'),
        ('{"a": "```json\\n{}```"}', '{"a": "```json\\n{}```"}'),
        ('Here:\n```json\n{"a": 1}\n```', 'Here:\n```json\n{"a": 1}\n```'),
    ],
)
def test_a_fence_around_the_whole_answer_is_taken_off(text, inner):
    assert unfenced(text) == inner
