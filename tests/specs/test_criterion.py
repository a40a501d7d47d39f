"""Criteria and rubrics as objects: weights, kinds, groups, digests, and criteria that cannot stand together."""

import pickle

import pytest
from pydantic import ValidationError

from genrm.errors import SpecError
from genrm.specs.criterion import KIND_WEIGHTS, Criterion, check_criteria
from genrm.specs.load import load_rubric
from genrm.specs.rubric import Rubric, Vote


def criterion(name="a", **keys):
    return Criterion.model_validate({"id": name, "ask": "Is it?"} | keys)


def rubric(*criteria, **keys):
    return Rubric.model_validate({"name": "test", "criteria": list(criteria)} | keys)


@pytest.mark.parametrize("kind", sorted(KIND_WEIGHTS))
def test_a_kind_gives_the_weight_unless_one_is_stated(kind):
    assert criterion(kind=kind).effective_weight == KIND_WEIGHTS[kind]
    assert criterion(kind=kind, weight=-2).effective_weight == -2
    assert criterion().effective_weight == 1.0


def test_a_criterion_is_judged_or_verifiable_or_a_group():
    judged, checked = (
        criterion(),
        Criterion.model_validate({"id": "c", "check": {"length": {"unit": "words", "max": 3}}}),
    )
    group = Criterion.model_validate({"id": "g", "ask": "What it stands for.", "criteria": [{"id": "x", "ask": "?"}]})
    assert [item.is_judged for item in (judged, checked, group)] == [True, False, False]
    assert [item.is_group for item in (judged, checked, group)] == [False, False, True]


def test_leaves_come_in_rubric_order_and_walk_gives_parents_first():
    inner = {"id": "g", "criteria": [{"id": "x", "ask": "?"}, {"id": "h", "criteria": [{"id": "y", "ask": "?"}]}]}
    tree = rubric(inner, {"id": "z", "ask": "?"})
    assert [leaf.id for leaf in tree.leaves()] == ["x", "y", "z"]
    assert [node.id for node in tree.criteria[0].walk()] == ["g", "x", "h", "y"]


def test_two_spellings_of_one_check_have_one_digest():
    short = rubric({"id": "a", "check": {"regex": "^x"}})
    long = rubric({"id": "a", "check": {"regex": {"pattern": "^x", "negate": False}}})
    assert short.digest == long.digest


def test_null_inside_a_json_schema_is_kept():
    check = {"json_schema": {"type": ["string", "null"], "enum": ["a", None]}}
    stored = Criterion.model_validate({"id": "a", "check": check}).check
    assert stored is not None
    assert stored["json_schema"]["schema"]["enum"] == ["a", None]


@pytest.mark.parametrize(
    "change",
    [
        {"principles": ["Be strict."]},
        {"ask": "separate"},
        {"critique": False},
        {"vote": {"n": 2}},
        {"reward": {"aggregate": "points"}},
        {"criteria": [{"id": "a", "ask": "Is it not?"}]},
        {"criteria": [{"id": "a", "ask": "Is it?", "weight": 2}]},
        {"criteria": [{"id": "a", "ask": "Is it?", "scale": "likert-5"}]},
    ],
)
def test_the_digest_follows_what_can_change_a_judgment(change):
    base = {"name": "test", "criteria": [{"id": "a", "ask": "Is it?"}]}
    assert Rubric.model_validate(base | change).digest != Rubric.model_validate(base).digest


def test_the_digest_ignores_words_about_the_rubric():
    base = {"name": "test", "criteria": [{"id": "a", "ask": "Is it?"}]}
    assert Rubric.model_validate(base | {"description": "x", "version": 2}).digest == Rubric.model_validate(base).digest


def test_a_rubric_survives_dump_and_pickle():
    written = rubric(
        {"id": "a", "ask": "?", "scale": {"likert": 3, "anchors": {1: "x"}}},
        {"id": "b", "check": {"contains": {"any": ["x"]}}, "weight": -1},
        {"id": "g", "criteria": [{"id": "c", "ask": "?"}]},
    )
    again = Rubric.model_validate(written.model_dump(mode="json", by_alias=True))
    assert again == written
    assert again.digest == written.digest
    assert pickle.loads(pickle.dumps(written)) == written


def test_criteria_of_a_row_are_appended_and_checked_against_the_rubric():
    base = rubric({"id": "a", "ask": "?"})
    assert [leaf.id for leaf in base.with_criteria((criterion("b"),)).leaves()] == ["a", "b"]
    assert base.with_criteria(()) is base
    with pytest.raises(ValueError, match="'a' is used twice"):
        base.with_criteria((criterion("a"),))


def test_equal_labels_need_equal_values():
    low = criterion("low", scale=[{"label": "poor", "value": 0}, {"label": "good", "value": 1}])
    high = criterion("high", scale=[{"label": "Good", "value": 5}, {"label": "Poor", "value": 0}])
    with pytest.raises(ValueError, match="same labels with different values"):
        check_criteria([low, high])
    same = criterion("same", scale=[{"label": "good", "value": 1}, {"label": "poor", "value": 0}])
    check_criteria([low, same])
    with pytest.raises(ValidationError, match=r"criteria\[0\] and criteria\[1\]"):
        rubric(low.model_dump(by_alias=True), high.model_dump(by_alias=True))


def test_votes_that_have_to_differ_are_sampled_warm():
    assert Vote().sampling_temperature(1) == 0.0
    assert Vote().sampling_temperature(3) > 0.0
    assert Vote(temperature=0.2).sampling_temperature(3) == 0.2


def test_types_are_not_guessed():
    for keys in ({"weight": "2"}, {"weight": True}, {"constraint": "yes"}, {"id": 5}, {"kind": "Essential"}):
        with pytest.raises(ValidationError):
            criterion(**keys)
    for keys in ({"vote": {"n": "3"}}, {"vote": {"n": 2.0}}, {"critique": 1}, {"version": True}):
        with pytest.raises(ValidationError):
            rubric(**keys)


def test_a_check_has_no_scale_but_yes_and_no():
    check = {"id": "short", "check": {"length": {"unit": "words", "max": 3}}}
    with pytest.raises(SpecError, match="yes or no"):
        load_rubric({"name": "a", "criteria": [check | {"scale": "likert-5"}]})
    turned = [{"label": "no", "value": 1}, {"label": "yes", "value": 0}]
    for scale in ("binary", turned):
        load_rubric({"name": "a", "criteria": [check | {"scale": scale}]})


def test_the_digest_of_a_rubric_with_a_row_s_criteria_is_its_own():
    rubric = load_rubric({"name": "a", "criteria": [{"id": "x", "ask": "?"}]})
    extra = load_rubric({"name": "b", "criteria": [{"id": "y", "ask": "?"}]}).criteria
    assert rubric.digest != rubric.with_criteria(extra).digest
    whole = load_rubric({"name": "a", "criteria": [{"id": "x", "ask": "?"}, {"id": "y", "ask": "?"}]})
    assert rubric.with_criteria(extra).digest == whole.digest
