"""Re-scoring: the same rubric gives the same rewards, another one gives what live judging would have given."""

import json
import random

import pytest

import genrm
from genrm.errors import InputError, RateLimitedError
from genrm.judging.rescore import judgment_of
from genrm.specs.load import load_rubric

SHORT = {"length": {"unit": "words", "max": 2}}
RUBRIC = {
    "name": "three",
    "criteria": [
        {"id": "good", "ask": "?", "weight": 3, "score": "expected"},
        {"id": "depth", "ask": "?", "scale": "likert-5"},
        {"id": "rude", "ask": "?", "weight": -1},
        {"id": "group", "criteria": [{"id": "kind", "ask": "?"}, {"id": "short", "check": SHORT}]},
        {"id": "safe", "ask": "?", "constraint": True},
    ],
    "vote": {"n": 5, "rule": "mean"},
}  # fmt: skip
REWARDS = [
    "weighted_mean",
    "points",
    "all_pass",
    {"gated": {"floor": -1}},
    "geometric",
    "min",
    {"soft_min": {"temperature": 0.3}},
    {"lexicographic": {"margins": 0.25}},
    {"hierarchical": {"holistic": "good"}},
    {"log_sigmoid_sum": {"reference": 0.5}},
]


def script(seed, broken=0.0):
    def say(request, vote, slot):
        rng = random.Random(f"{seed}{request.sample_id}{request.seeds[vote]}{slot}")
        if rng.random() < broken:
            return "nonsense"
        labels = request.output.slots[slot]
        weights = [rng.random() ** 4 for _ in labels]
        p = {label: weight / sum(weights) for label, weight in zip(labels, weights, strict=True)}
        return rng.choice(labels), p

    return say


def judged(rubric, n=24):
    rows = [{"id": str(i), "response": "one two three"[: 5 + i]} for i in range(n)]
    return genrm.Judge(rubric, model="scripted").judge_many(rows)


def stored(judgments):
    return [json.loads(json.dumps(judgment.row())) for judgment in judgments]


@pytest.mark.parametrize("rule", ["mean", "median", "majority", "soft", "min", {"quantile": 0.25}, {"lcb": 0.5}])
@pytest.mark.parametrize("broken", [0.0, 0.2])
def test_the_same_rubric_reproduces_every_reward(scripted, rule, broken):
    scripted(script(1, broken))
    rubric = RUBRIC | {"vote": {"n": 5, "rule": rule}, "on_missing": "skip"}
    live = judged(rubric)
    bound = load_rubric(rubric)
    for number, (judgment, row) in enumerate(zip(live, stored(live), strict=True), 1):
        again = judgment_of(row, bound, number)
        assert again.reward == judgment.reward or abs(again.reward - judgment.reward) <= 1e-12
        assert again.row() == row | {"judge": again.row()["judge"]}
    assert any(judgment.reward is not None for judgment in live)


@pytest.mark.parametrize("reward", REWARDS, ids=str)
def test_another_rubric_gives_what_live_judging_gives(scripted, reward):
    scripted(script(6))
    other = RUBRIC | {"reward": {"aggregate": reward}, "vote": {"n": 5, "rule": "median"}}
    rows = genrm.rescore(stored(judged(RUBRIC)), other)
    live = stored(judged(other))
    assert [row["reward"] for row in rows] == [row["reward"] for row in live]
    assert [row.get("reward_parts") for row in rows] == [row.get("reward_parts") for row in live]
    assert len({row["reward"] for row in rows}) > 1
    assert rows[0]["judge"]["rescored"] == stored(judged(RUBRIC))[0]["judge"]["rubric"]


def test_a_criterion_without_a_stored_verdict_is_missing(scripted):
    scripted(lambda request, vote, slot: "yes")
    small = {"name": "small", "criteria": [{"id": "a", "ask": "?"}]}
    more = {"name": "more", "criteria": [{"id": "a", "ask": "?"}, {"id": "b", "ask": "?"}]}
    rows = stored(judged(small, 1))
    (failed,) = genrm.rescore(rows, more)
    assert (failed["status"], failed["reward"]) == ("partial", None)
    assert "row 1: no verdict on criterion 'b'" in failed["error"]["message"]
    assert genrm.rescore(rows, more | {"on_missing": "skip"})[0]["reward"] == 1.0
    (less,) = genrm.rescore(stored(judged(more, 1)), small)
    assert list(less["criteria"]) == ["a"]


def test_a_label_that_is_not_on_the_new_scale_is_no_verdict(scripted):
    scripted(lambda request, vote, slot: "yes")
    rows = stored(judged({"name": "x", "criteria": [{"id": "a", "ask": "?"}]}, 1))
    (row,) = genrm.rescore(rows, {"name": "y", "criteria": [{"id": "a", "ask": "?", "scale": "likert-5"}]})
    assert row["reward"] is None
    assert "row 1: criterion 'a': the stored label 'yes' is not on its scale" in row["error"]["message"]


def test_failures_stay_failures_with_their_reason(scripted):
    def say(request, vote, slot):
        raise RateLimitedError("slow down")

    scripted(say)
    rubric = {"name": "x", "criteria": [{"id": "a", "ask": "?"}]}
    (row,) = genrm.rescore(stored(judged(rubric, 1)), rubric)
    assert (row["status"], row["reward"]) == ("failed", None)
    assert row["error"] == {"category": "rate_limited", "message": "slow down", "retryable": True}
    unread = stored(genrm.Judge(rubric, model="scripted").judge_many([{"prompt": "no response"}]))
    assert genrm.rescore(unread, rubric)[0]["error"] == unread[0]["error"]


def test_criteria_of_a_row_are_kept_for_re_scoring(scripted):
    scripted(lambda request, vote, slot: "yes" if slot == "own" else "no")
    rubric = {"name": "x", "criteria": [{"id": "a", "ask": "?"}]}
    row = {"id": "1", "response": "r", "criteria": [{"id": "own", "ask": "Is it?", "weight": 3}]}
    judgments = genrm.Judge(rubric, model="scripted").judge_many([row])
    assert judgments[0].reward == 0.75
    assert genrm.rescore(stored(judgments), rubric)[0]["reward"] == 0.75
    assert genrm.rescore(stored(judgments), rubric | {"reward": {"aggregate": "min"}})[0]["reward"] == 0.0


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"status": "ok", "criteria": []},
        {"prompt": "x", "response": "y"},
        {"status": "ok", "criteria": {"a": 3}, "judge": {}},
        {"status": "ok", "criteria": {"a": {"votes": ["yes"]}}, "judge": {}, "usage": 3},
    ],
)
def test_what_is_no_output_row_is_named(row):
    with pytest.raises(InputError, match="row 1: no output row"):
        genrm.rescore([row], {"name": "x", "criteria": [{"id": "a", "ask": "?"}]})
