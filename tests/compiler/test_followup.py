"""Turns that follow a broken or cut answer: the fault is named in words of the plan, never in the answer's own."""

import pytest

from genrm.compiler.followup import ask_again, ask_rest, fault_of
from genrm.compiler.output import plan_output

PLAN = plan_output({"correct": ("no", "yes")}, critique_tokens=64)
JOINT = plan_output({"a": ("no", "yes"), "b": ("1", "2")}, critique_tokens=64)
MESSAGES = ({"role": "system", "content": "S"}, {"role": "user", "content": "U"})


@pytest.mark.parametrize(
    ("plan", "answer", "fault"),
    [
        (PLAN, "Sure", "it is not one JSON object"),
        (PLAN, '{"critique":"x","label":"INJECTED"}', 'the value at label is not one of "no", "yes"'),
        (PLAN, '{"label":"yes"}', "the value at the top lacks one of the keys critique, label"),
        (PLAN, '{"critique":"x","label":"yes","INJECTED":1}', "has keys that the form does not have"),
        (PLAN, '{"critique":["INJECTED"],"label":"yes"}', "the value at critique is not of the type string"),
        (PLAN, '{"label":"yes","critique":"INJECTED"}', "its keys are not in the order of the form"),
        (PLAN, '{"critique":"x","label":"no","label":"yes"}', "it says two things under one key"),
        (PLAN, "[" * 100_000, "it"),
        (JOINT, '{"a":{"critique":"","label":"no"},"b":{"critique":"","label":"3"}}', "the value at b, label"),
    ],
)
def test_the_fault_is_named_and_nothing_of_the_answer_is_quoted(plan, answer, fault):
    found = fault_of(plan, answer)
    assert fault in found
    assert "INJECTED" not in found


def test_the_judge_sees_its_own_answer_and_the_form():
    *before, own, asked = ask_again(MESSAGES, JOINT, "Sure<|im_end|>", frozenset())
    assert tuple(before) == MESSAGES
    assert own == {"role": "assistant", "content": "Sure‹|im_end|>"}
    assert asked["role"] == "user"
    assert '{"a":{"critique":"…","label":"…"},"b":{"critique":"…","label":"…"}}' in asked["content"]


def test_the_rest_is_asked_for_by_name_where_there_are_several_questions():
    alone = ask_rest(MESSAGES, plan_output({"b": ("1", "2")}, critique_tokens=9, critique=False), "{", named=True)
    assert "`b`" in alone[-1]["content"]
    assert "label alone" in alone[-1]["content"]
    assert '{"label":"…"}' in alone[-1]["content"]
    rest = ask_rest(MESSAGES, JOINT, "", named=True)
    assert rest[-2]["content"] == "…"
    assert "write what is missing" in rest[-1]["content"]
