"""``reward:`` of a rubric: forms, faults with their fix, what fits which criteria, and the parts in the output."""

import re

import pytest

import genrm
from genrm.compiler.compile import compile_sample
from genrm.engines.base import Capabilities
from genrm.errors import SpecError
from genrm.judging.reward import reward_of, reward_parts
from genrm.rewards.tree import AGGREGATES as FUNCTIONS
from genrm.specs.load import load_rubric
from genrm.specs.override import reward_of_text, reward_replaced
from genrm.specs.reward import AGGREGATES, RewardSpec, parse_aggregate
from genrm.specs.sample import Sample
from genrm.specs.yaml_marks import parse_yaml

CRITERIA = [
    {"id": "a", "ask": "Is it right?", "kind": "essential"},
    {"id": "rude", "ask": "Is it rude?", "weight": -2},
    {"id": "safe", "ask": "Is it safe?", "constraint": True},
]


def rubric(aggregate="weighted_mean", criteria=CRITERIA, **reward):
    return load_rubric({"name": "x", "criteria": criteria, "reward": {"aggregate": aggregate, **reward}})


@pytest.mark.parametrize("name", AGGREGATES)
def test_every_example_parses_and_every_aggregate_has_its_function(name):
    written = parse_yaml(f"aggregate: {AGGREGATES[name].example}").data["aggregate"]
    assert parse_aggregate(written).name == name
    assert name in FUNCTIONS or name in ("gated", "holistic")


def test_two_spellings_of_one_reward_have_one_digest():
    assert rubric("soft_min").digest == rubric({"soft_min": {"temperature": 0.1}}).digest
    assert rubric(shape="affine").digest == rubric(shape={"affine": {"scale": 1.0}}).digest
    assert rubric("soft_min").digest != rubric({"soft_min": {"temperature": 0.2}}).digest


@pytest.mark.parametrize(
    ("reward", "message"),
    [
        ({"aggregate": "soft-min"}, "write 'soft_min'"),
        ({"aggregate": 3}, "choose one of the available"),
        ({"aggregate": {"soft_min": {"temprature": 1}}}, "unknown parameter 'temprature'.*write 'temperature'"),
        ({"aggregate": {"soft_min": {"temperature": 0}}}, "temperature.*found 0"),
        ({"aggregate": {"soft_min": {}, "min": {}}}, "exactly one name"),
        ({"aggregate": {"min": 3}}, "parameters are a mapping"),
        ({"aggregate": {"min": {"x": 3}}}, "min has no parameters"),
        ({"aggregate": "hierarchical"}, "holistic is missing"),
        ({"aggregate": {"hierarchical": {"holistic": "safe"}}}, "write one of a, rude"),
        ({"aggregate": "log_sigmoid_sum"}, "reference is missing"),
        ({"aggregate": {"lexicographic": {"margins": [0.5]}}}, "1 margins for 2 criteria"),
        ({"aggregate": {"lexicographic": {"margins": 0.0001}}}, "widen the margins"),
        ({"aggregate": {"lexicographic": {"margins": 1e-320}}}, "widen the margins"),
        ({"aggregate": {"lexicographic": {"margins": 0}}}, "lexicographic: margins: Input should be greater than 0"),
        ({"shape": "par", "inputs": {"grup": "x"}}, "grup.*is no input of shape par"),
        ({"shape": "affine", "inputs": {"group": "x"}}, "affine reads the score alone"),
        ({"shape": "par", "inputs": {"reference": " "}}, "names no field"),
        ({"shape": {"affine": {"scal": 2}}}, "write 'scale'"),
        ({"shape": {"affine": {"scale": "big"}}}, "scale"),
        ({"shape": "afine"}, "write 'affine'"),
        ({"temperature": 1}, "unknown key"),
    ],
)
def test_faults_name_the_value_and_the_fix(reward, message):
    with pytest.raises(SpecError, match=r"(?s)Fix: ") as caught:
        load_rubric({"name": "x", "criteria": CRITERIA, "reward": reward})
    assert re.search(message, str(caught.value))


def test_gated_needs_a_gate_and_has_its_floor():
    with pytest.raises(SpecError, match="no criterion is a constraint"):
        rubric("gated", CRITERIA[:2])
    gated = rubric({"gated": {"floor": -1, "threshold": 0.9}})
    assert reward_of(gated, {"a": 1.0, "rude": 0.0, "safe": 0.8}) == -1.0
    assert reward_of(gated, {"a": 1.0, "rude": 0.0, "safe": 0.9}) == 1.0
    assert reward_parts(gated, {"a": 1.0, "rude": 0.0, "safe": 0.8})["closed"] == ["safe"]


def test_parts_say_what_a_shaped_and_grouped_reward_was_made_of():
    grouped = [{"id": "g", "criteria": CRITERIA[:2]}, {"id": "b", "ask": "?"}]
    shaped = rubric(criteria=grouped, shape={"affine": {"scale": 2, "offset": -1}})
    scores = {"a": 1.0, "rude": 1.0, "b": 1.0}
    assert reward_of(shaped, scores) == pytest.approx(2 * (1 / 3 + 1) / 2 - 1)
    parts = reward_parts(shaped, scores)
    assert parts == {
        "aggregate": "weighted_mean",
        "score": pytest.approx(2 / 3),
        "shape": "affine",
        "groups": {"g": pytest.approx(1 / 3)},
    }
    assert reward_parts(rubric(criteria=CRITERIA[:2]), scores) is None


@pytest.mark.parametrize("name", set(AGGREGATES) - {"holistic"})
def test_a_missing_verdict_is_no_number_under_any_aggregate(name):
    needed = {"hierarchical": {"holistic": "a"}, "log_sigmoid_sum": {"reference": 0.5}, "gated": {}}
    chosen = rubric({name: needed[name]} if name in needed else name)
    assert reward_of(chosen, {"a": 1.0, "rude": 0.0, "safe": 1.0}) is not None
    assert reward_of(chosen, {"a": None, "rude": 0.0, "safe": 1.0}) is None


def test_criteria_of_a_row_must_fit_the_aggregate():
    with pytest.raises(ValueError, match="2 margins for 3"):
        rubric({"lexicographic": {"margins": [0.5, 0.5]}}).with_criteria(
            load_rubric({"name": "r", "criteria": [{"id": "own", "ask": "?"}]}).criteria
        )


def test_holistic_asks_one_question_about_all_and_keeps_gates_apart():
    requests = compile_sample(rubric({"holistic": {"scale": "likert-7"}}), Sample("hello"))
    assert [list(request.output.slots) for request in requests] == [["overall"], ["safe"]]
    whole, gate = (request.messages[0]["content"] for request in requests)
    assert "- [essential] Is it right?" in whole
    assert "- [a fault of weight 2: it counts against the response] Is it rude?" in whole
    assert "a whole number from 1 (least) to 7 (most)" in whole
    assert "Is it safe?" not in whole
    assert "Is it right?" not in gate
    assert reward_of(rubric("holistic"), {"overall": 0.75, "safe": 1.0}) == 0.75
    assert reward_of(rubric("holistic"), {"overall": 0.75, "safe": 0.0}) == 0.0


def test_a_criterion_called_overall_is_like_any_other_without_holistic():
    criteria = [{"id": "overall", "ask": "?"}, {"id": "b", "ask": "?"}]
    (request,) = compile_sample(rubric(criteria=criteria), Sample("hello"))
    assert list(request.output.slots) == ["overall", "b"]
    with pytest.raises(SpecError, match="rename it"):
        rubric("holistic", criteria)


def test_what_holistic_cannot_ask():
    with pytest.raises(SpecError, match="is a check"):
        rubric("holistic", [CRITERIA[0], {"id": "n", "check": {"regex": "x"}}])
    with pytest.raises(SpecError, match="only constraints"):
        rubric("holistic", CRITERIA[2:])
    with pytest.raises(SpecError, match="one at a time"):
        compile_sample(rubric("holistic"), Sample("hello"), capabilities=Capabilities(prompts="compact"))


def test_the_reward_can_be_replaced_by_the_caller():
    plain = rubric()
    assert reward_replaced(plain, "min").reward == RewardSpec(aggregate="min")
    assert reward_replaced(rubric("min"), {"shape": "affine"}).reward.aggregate == "min"
    assert reward_replaced(plain, "min").digest == rubric("min").digest != plain.digest
    assert reward_of_text("{aggregate: min}") == {"aggregate": "min"}
    for broken in ("[1]", "{", "3"):
        with pytest.raises(SpecError, match="a name or a mapping"):
            reward_of_text(broken)
    with pytest.raises(SpecError, match="no criterion is a constraint"):
        reward_replaced(rubric(criteria=CRITERIA[:2]), "gated")
    with pytest.raises(SpecError, match="choose one"):
        genrm.Judge("helpfulness", reward="best")


def test_a_judge_that_cannot_be_asked_holistically_is_refused_before_any_row():
    judge = genrm.Judge(rubric("holistic"), "tiny")
    with pytest.raises(SpecError, match="holistic shows all criteria at once, and tiny"):
        judge.judge_many([{"prompt": "p", "response": "r"}])
