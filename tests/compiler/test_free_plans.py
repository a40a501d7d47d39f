"""Requests for judges that write in a form of their own."""

import pytest
from prompt_tools import COMPACT, full, make_rubric, make_sample

from genrm.compiler.compile import VERDICT_TOKENS, compile_sample
from genrm.compiler.output import Free
from genrm.engines.base import Completion, Usage
from genrm.errors import InputError, SpecError
from genrm.specs.load_format import format_files, load_format
from genrm.verdicts.format_check import slots_of_examples
from genrm.verdicts.read import read_verdicts

PAIR = {"id": "better", "ask": "Which is better?", "scale": [{"label": "A", "value": 1}, {"label": "B", "value": 0}]}
FIVE = {"id": "clear", "ask": "Is it clear?", "scale": "likert-5"}
YES = {"id": "kind", "ask": "Is it kind?"}


def test_a_free_plan_is_one_part_without_a_grammar():
    spec = load_format("mt-bench-pair")
    (request,) = compile_sample(make_rubric(PAIR, critique_tokens=100), make_sample(), format=spec)
    plan = request.output
    assert plan.parts == (Free(spec.title, 100 + VERDICT_TOKENS),)
    assert plan.max_tokens == 100 + VERDICT_TOKENS
    for use in (lambda: plan.json_schema, lambda: plan.regex, lambda: plan.parse("{}")):
        with pytest.raises(ValueError, match="no grammar"):
            use()


def test_budgets_and_log_probabilities_follow_from_format_and_rubric():
    scale = [{"label": "first", "value": 1}, {"label": "second", "value": 0}]
    (one,) = compile_sample(make_rubric({**PAIR, "scale": scale}), make_sample(), format=load_format("single-token-m"))
    assert (one.output.free.max_tokens, one.output.free.logprobs) == (1, True)
    rubric = make_rubric(YES, critique_tokens=50, think=True, think_tokens=1000)
    (thinking,) = compile_sample(rubric, make_sample(), format=load_format("yes-no"))
    assert thinking.output.free.max_tokens == 1050 + VERDICT_TOKENS
    assert thinking.output.thinking is not None


def test_the_instructions_of_the_format_stand_in_place_of_ours():
    ours, reminder = full(make_rubric(PAIR), make_sample())
    assert "JSON" in ours
    assert "JSON" in reminder
    system, user = full(make_rubric(PAIR), make_sample(), format=load_format("llmbar"))
    assert "JSON" not in system + user
    assert "- Therefore, Output (a) is better." in system
    assert "described" in user
    assert system.split("## What to write")[0] == ours.split("## What to write")[0]
    silent = load_format({"name": "silent", "verdict": {"regex": "(?P<label>[AB])"}})
    system, user = full(make_rubric(PAIR), make_sample(), format=silent)
    assert "## What to write" not in system
    assert "described" not in user


@pytest.mark.parametrize("name", format_files())
def test_instructions_name_the_labels_of_the_scale(name):
    spec = load_format(name)
    slots = slots_of_examples(spec)
    criteria = [
        {"id": slot, "ask": "Which?", "scale": [{"label": label, "value": n} for n, label in enumerate(labels)]}
        for slot, labels in slots.items()
    ]
    system, _ = full(make_rubric(*criteria), make_sample(), format=spec)
    written = system.split("## What to write")[1]
    first, last = (spec.says(labels[place]) for labels in list(slots.values())[:1] for place in (0, -1))
    if name not in {"points", "yes-no", "yes-no-token", "final-decision"}:  # these spell their labels out
        assert first in written
        assert last in written or name == "mt-bench-rating"
    assert "\x00" not in system
    if spec.verdict.each:
        assert all(slot in written for slot in slots)


def test_a_label_is_no_template():
    scale = [{"label": "{{ 1 + 1 }}", "value": 1, "means": "{% raw %}"}, {"label": "B", "value": 0}]
    system, _ = full(make_rubric({**PAIR, "scale": scale}), make_sample(), format=load_format("boxed"))
    assert "one of {{ 1 + 1 }}, B in a box" in system


def test_criteria_share_a_request_where_the_format_has_a_label_for_each():
    rubric = make_rubric(FIVE, {**FIVE, "id": "kind"})
    each = compile_sample(rubric, make_sample(), format=load_format("json-by-criterion"))
    assert [list(request.output.slots) for request in each] == [["clear", "kind"]]
    apart = compile_sample(rubric, make_sample(), format=load_format("prometheus"))
    assert [list(request.output.slots) for request in apart] == [["clear"], ["kind"]]


def test_a_scale_that_the_format_cannot_say():
    with pytest.raises(SpecError, match=r"criterion kind: scale: .*never says 'no' and 'yes'.*Fix: give"):
        compile_sample(make_rubric(YES), make_sample(), format=load_format("prometheus"))
    with pytest.raises(InputError, match="never says"):
        compile_sample(make_rubric(FIVE), make_sample(criteria=[YES]), format=load_format("prometheus"))
    with pytest.raises(SpecError, match="form of its own"):
        compile_sample(make_rubric(FIVE), make_sample(), capabilities=COMPACT, format=load_format("prometheus"))


def test_a_template_that_is_wrong_is_a_fault_of_the_format():
    spec = load_format({"name": "odd", "verdict": {"regex": "(?P<label>.)"}, "instructions": "{{ lables }}"})
    with pytest.raises(SpecError, match="lables"):
        compile_sample(make_rubric(YES), make_sample(), format=spec)


def test_a_free_output_is_read_by_its_own_format_and_by_no_other():
    spec = load_format("prometheus")
    (request,) = compile_sample(make_rubric(FIVE), make_sample(), format=spec)
    completion = Completion("Feedback: Clear. [RESULT] 4", Usage())
    verdict = read_verdicts(request, completion, format=spec)["clear"]
    assert (verdict.label, verdict.critique) == ("4", "Clear.")
    for other in (None, load_format("boxed")):
        with pytest.raises(ValueError, match="is needed"):
            read_verdicts(request, completion, format=other)
