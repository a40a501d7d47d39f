"""Shapes over many rows: every shape of the registry, from rows and their fields to rewards, and what is refused."""

import numpy as np
import pytest

import genrm
from genrm import rewards
from genrm.errors import InputError, SpecError
from genrm.judging.rescore import rescore
from genrm.judging.shaped import Shapeable, shape_rows
from genrm.rewards.shaping import shapes
from genrm.specs.reward import RewardSpec

FIELDS = {"reference_rewards": [0.3, 0.5], "altered_rewards": [0.2], "length": 5, "right": True, "cost": 0.1}
FIELDS |= {"steps": [0.9, 0.4], "votes": [0.1, 0.9], "reward_std": 0.05}
RUBRIC = {"name": "t", "criteria": [{"id": "a", "ask": "?", "score": "expected"}]}


def rows(scores, groups, **fields):
    made = []
    for index, (score, group) in enumerate(zip(scores, groups, strict=True)):
        own = {name: values[index] for name, values in fields.items()}
        criteria = (score, None if score is None else 1 - score)
        made.append(Shapeable(score, {**FIELDS, "group": group, **own}, criteria, f"row {index}"))
    return made


def shaped(name, made, **options):
    spec = RewardSpec.model_validate({"shape": name, **options})
    return [one.reward for one in shape_rows(spec, made, weights=[1.0, -0.5])]


@pytest.mark.parametrize("name", [name for name in shapes() if name != "identity"])
def test_every_shape_works_from_fields_and_a_failed_row_has_no_part(name):
    scores, groups = [0.2, 0.9, None, 0.5, 0.7, 0.1], list("abaaab")
    lengths, right = [10, 5, 1, 7, 9, 4], [True, False, True, False, True, True]
    whole = shaped(name, rows(scores, groups, length=lengths, right=right))
    assert whole[2] is None
    left = [i for i in range(6) if i != 2]
    without = rows([scores[i] for i in left], [groups[i] for i in left])
    for row, i in zip(without, left, strict=True):
        row.fields.update(length=lengths[i], right=right[i])
    assert shaped(name, without) == [whole[i] for i in left]
    assert any(reward is not None for reward in whole)


def test_groups_and_references_give_what_the_functions_give():
    scores = np.array([0.2, 0.9, 0.5, 0.4])
    made = rows(scores.tolist(), ["p", "q", "p", "q"], reference_rewards=[[0.1], [0.5, 0.6], [0.2, None], 0.3])
    wanted = rewards.group_std(scores.reshape(2, 2, order="F")).ravel(order="F")
    assert shaped("group_std", made) == pytest.approx(wanted)
    wanted = [rewards.par(s, r).item() for s, r in zip(scores, [[0.1], [0.5, 0.6], [0.2], [0.3]], strict=True)]
    assert shaped("par", made) == pytest.approx(wanted)


def test_groups_go_by_the_prompt_where_no_field_says_otherwise():
    made = [Shapeable(s, {"prompt": p}) for s, p in ((0.1, "x"), (0.2, [{"role": "user"}]), (0.3, "x"))]
    assert shaped("group_rank", made) == [0.0, None, 1.0]
    named = [Shapeable(s, {"meta": {"id": g}}) for s, g in ((0.1, 1), (0.2, 1))]
    assert shaped("group_rank", named, inputs={"group": "meta.id"}) == [0.0, 1.0]


def test_steps_sum_to_a_reward_and_keep_their_credits():
    spec = RewardSpec.model_validate({"shape": "step_delta"})
    one = shape_rows(spec, [Shapeable(0.5, {"steps": [0.9, 0.4]})])[0]
    assert one.reward == pytest.approx(0.9)
    assert one.parts["credits"] == pytest.approx([0.5, 0.4])
    assert shape_rows(spec, [Shapeable(0.5, {"steps": [None, 0.4]})])[0].reward is None


@pytest.mark.parametrize(
    ("name", "fields", "words"),
    [
        ("par", {}, "row has no field 'reference_rewards'"),
        ("par", {"reference_rewards": []}, "a list of numbers is needed"),
        ("par", {"reference_rewards": ["x"]}, "found 'x'"),
        ("par", {"reference_rewards": [None]}, "reference scores"),
        ("group_std", {}, "'prompt'"),
        ("stratified", {"group": 1, "right": "yes"}, "true, false or a score"),
        ("overlong", {"length": "long"}, "a number is needed"),
        ("overlong", {"length": -1}, "0 or more"),
    ],
)
def test_a_missing_input_raises_and_the_raw_score_never_stands_in(name, fields, words):
    with pytest.raises(InputError, match=words):
        shaped(name, [Shapeable(0.5, fields)])


@pytest.mark.parametrize("name", ["group_std", "par", "length_residual"])
def test_where_rows_come_one_by_one_such_a_shape_is_refused_before_any_call(scripted, name):
    engine = scripted(lambda *_: "yes")
    rubric = RUBRIC | {"reward": {"shape": name}}
    judge = genrm.Judge(rubric, "scripted")
    for call in (lambda: judge.judge(response="x"), lambda: rescore([], rubric)):
        with pytest.raises(SpecError, match="genrm rewards apply"):
            call()
    with pytest.raises(SpecError, match="RewardFunction"):
        genrm.Panel([judge, judge]).judge(response="x")
    assert engine.requests == []


def say(request, vote, slot):
    yes = len(request.messages[-1]["content"].split("good")) / 10
    return "yes", {"no": 1 - yes, "yes": yes}


def test_a_reward_function_shapes_each_batch(scripted):
    scripted(say)
    rubric = RUBRIC | {"reward": {"shape": "group_rank"}}
    reward = genrm.RewardFunction(genrm.Judge(rubric, "scripted"))
    texts = ["good", "good good", "good", "bad good good", ""]
    assert reward(["p", "p", "q", "q", "p"], texts) == [0.0, 1.0, 0.0, 1.0, None]
    assert reward(["p"] * 5, texts, group=[1, 1, 2, 2, 1]) == [0.0, 1.0, 0.0, 1.0, None]
    panel = genrm.Panel([genrm.Judge(rubric, "scripted")] * 2, "mean")
    assert genrm.RewardFunction(panel)(["p", "p"], texts[:2]) == [0.0, 1.0]


def test_a_reward_function_reads_references_from_columns(scripted):
    scripted(say)
    rubric = RUBRIC | {"reward": {"shape": "contrastive", "inputs": {"reference": "base"}}}
    reward = genrm.RewardFunction(genrm.Judge(rubric, "scripted"))
    first, second = reward(["p", "p"], ["good", "good good"], base=[[0.1], [0.1]])
    assert second - first == pytest.approx(0.1)
    with pytest.raises(InputError, match="no field 'base'"):
        reward(["p"], ["good"])
