"""Voting rules and adaptive votes in a judge: what is asked, what the row says, and what fails instead of guessing."""

import pytest

from genrm.errors import EngineError, SpecError
from genrm.judging.judge import Judge
from genrm.specs.load import load_rubric
from genrm.voting.seeds import vote_seed

P = {"no": 0.3, "yes": 0.7}


def rubric(vote, **criterion):
    return {"name": "t", "vote": vote, "criteria": [{"id": "a", "ask": "Is it?", **criterion}]}


def judge(vote, votes=None, rule=None, **criterion):
    return Judge(rubric(vote, **criterion), model="scripted", votes=votes, vote_rule=rule)


def by_seed(labels, p=None):
    """Answers that depend on the vote alone: on its seed, wherever in a request it stands."""

    def script(request, vote, slot):
        slots = " ".join(request.output.slots)
        index = {vote_seed(0, "0", place, slots): place for place in range(32)}
        label = labels[index[request.seeds[vote]] % len(labels)]
        return label if p is None else (label, p)

    return script


def asked(engine):
    return [len(request.seeds) for request in engine.requests]


def row(vote, **options):
    return judge(vote, **options).judge(response="x").row()


def test_votes_end_when_the_decision_stands(scripted):
    engine = scripted(by_seed(["yes"]))
    found = row({"min": 3, "max": 16, "stop": 0.95, "rule": "majority"})["criteria"]["a"]
    assert asked(engine) == [3, 1]
    assert found["votes_used"] == 4
    assert found["votes"] == ["yes"] * 4
    assert found["p_change"] == pytest.approx(0.020362, abs=1e-6)
    assert {request.temperature for request in engine.requests} == {0.7}


def test_a_divided_judge_is_asked_to_the_end_and_sees_the_same_votes_as_a_fixed_number(scripted):
    labels = ["yes", "no"]
    engine = scripted(by_seed(labels))
    adaptive = row({"min": 3, "max": 8, "stop": 0.99, "rule": "majority"})
    assert sum(asked(engine)) == 8
    fixed = row({"n": 8, "rule": "majority"})
    assert adaptive["criteria"]["a"]["votes"] == fixed["criteria"]["a"]["votes"] == labels * 4
    assert adaptive["criteria"]["a"]["p_change"] == 0
    assert adaptive["reward"] == fixed["reward"]
    assert "p_change" not in fixed["criteria"]["a"]


def test_the_first_votes_are_a_prefix_of_the_fixed_ones(scripted):
    labels = ["yes", "yes", "no", "yes", "yes", "yes", "yes", "yes", "no", "yes"]
    scripted(by_seed(labels))
    votes = row({"min": 2, "max": 10, "stop": 0.9, "rule": "majority"})["criteria"]["a"]["votes"]
    assert 2 <= len(votes) < 10
    assert votes == labels[: len(votes)]


def test_soft_votes_stop_earlier(scripted):
    scripted(by_seed(["yes"], {"no": 0.1, "yes": 0.9}))
    soft = row({"min": 1, "max": 16, "stop": 0.95, "rule": "soft"})["criteria"]["a"]
    assert soft["votes_used"] < 4
    assert soft["score"] == pytest.approx(0.9)
    assert (soft["label"], soft["variance"]["within"]) == ("yes", pytest.approx(0.09))


def test_joint_criteria_are_asked_until_all_have_enough(scripted):
    spec = rubric({"min": 3, "max": 9, "stop": 0.95, "rule": "majority"})
    spec["criteria"].append({"id": "b", "ask": "And?"})
    index = {vote_seed(0, "0", place, "a b"): place for place in range(32)}
    scripted(lambda r, v, slot: "yes" if slot == "a" else ["yes", "no"][index[r.seeds[v]] % 2])
    found = Judge(spec, model="scripted").judge(response="x").row()["criteria"]
    assert found["a"]["votes_used"] == found["b"]["votes_used"] > 4
    assert found["a"]["p_change"] <= 0.05


def test_a_fixed_number_overrides_an_adaptive_vote_and_is_another_rubric(scripted):
    vote = {"min": 3, "max": 16, "stop": 0.95, "rule": "majority"}
    engine = scripted(by_seed(["yes"]))
    adaptive, fixed = judge(vote), judge(vote, votes=5)
    assert (adaptive.votes, fixed.votes) == (16, 5)
    assert adaptive.rubric.digest != fixed.rubric.digest
    fixed.judge(response="x")
    assert asked(engine) == [5]


def test_failed_votes_are_no_votes(scripted):
    index = {vote_seed(0, "0", place, "a"): place for place in range(32)}
    scripted(lambda r, v, s: "nonsense" if index[r.seeds[v]] % 2 else "yes")
    found = row({"min": 3, "max": 9, "stop": 0.95, "rule": "majority"})["criteria"]["a"]
    assert found["votes"].count(None) + found["votes_used"] == len(found["votes"])
    assert found["votes_used"] == 3 or len(found["votes"]) == 9
    assert found["score"] == 1.0


def test_a_round_without_any_verdict_ends_the_asking(scripted):
    def broken(*_):
        raise EngineError("down")

    engine = scripted(broken)
    found = row({"min": 3, "max": 9, "stop": 0.95, "rule": "majority"})
    assert (found["status"], found["reward"]) == ("failed", None)
    assert asked(engine) == [3]


def test_sum_and_penalties_are_brought_to_a_score_in_the_open(scripted):
    scripted(by_seed(["yes", "no", "yes", "yes"]))
    total = row({"n": 4, "rule": "sum"})["criteria"]["a"]
    assert (total["value"], total["score"]) == (3.0, 0.75)
    low = row({"n": 4, "rule": {"lcb": 3.0}})["criteria"]["a"]
    assert low["value"] == pytest.approx(0.75 - 3 * (0.1875**0.5), abs=1e-6)
    assert low["score"] == 0
    assert "value" not in row({"n": 4, "rule": "mean"})["criteria"]["a"]


@pytest.mark.parametrize("rule", ["soft", "likelihood", "confidence"])
def test_rules_that_read_probabilities_fail_without_them(scripted, rule):
    scripted(by_seed(["yes"]))
    found = row({"n": 3, "rule": rule})
    assert found["reward"] is None
    assert "label probabilities" in found["error"]["message"]
    scripted(by_seed(["yes", "no", "yes"], P))
    assert row({"n": 3, "rule": rule})["reward"] is not None


def test_a_check_has_one_verdict_under_every_rule(scripted):
    scripted(by_seed(["yes"], P))
    spec = rubric({"min": 2, "max": 4, "stop": 0.9, "rule": "soft"})
    spec["criteria"].append({"id": "c", "check": {"regex": "x"}})
    found = Judge(spec, model="scripted").judge(response="x").row()
    assert found["criteria"]["c"]["score"] == 1.0
    assert "votes_used" not in found["criteria"]["c"]


def test_the_rule_can_be_overridden(scripted):
    scripted(by_seed(["yes", "yes", "no"]))
    assert row({"n": 3, "rule": "majority"})["reward"] == 1.0
    assert row({"n": 3, "rule": "majority"}, rule="min")["reward"] == 0.0
    assert row({"n": 3}, rule={"quantile": 1})["reward"] == 1.0
    for bad in ("modus", {"quantile": 3}):
        with pytest.raises(SpecError, match="vote rule"):
            judge({"n": 3}, rule=bad)
    with pytest.raises(SpecError, match="cannot be foreseen"):
        judge({"max": 4}, rule="sum")
    both = judge({"max": 4}, votes=3, rule="sum")
    assert (both.rubric.vote.rule_name, both.votes) == ("sum", 3)


@pytest.mark.parametrize(
    ("vote", "words"),
    [
        ({"stop": 0.9}, "no max"),
        ({"n": 3, "max": 5}, "both"),
        ({"min": 9, "max": 5}, "more than max"),
        ({"max": 5, "rule": "sum"}, "foreseen"),
        ({"max": 5, "stop": 0.0}, "too small"),
        ({"max": 5, "temperature": 0.0}, "temperature 0"),
        ({"rule": "quantile"}, "needs a number"),
        ({"rule": {"quantile": 2}}, "from 0 to 1"),
        ({"rule": {"a": 1, "b": 2}}, "one name"),
        ({"rule": 3}, "no rule"),
        ({"rule": {"likelihood": "max"}}, "likelihood"),
        ({"rule": {"mean": 0.5}}, "no parameter"),
    ],
)
def test_faults_of_the_spec_name_the_fix(vote, words):
    with pytest.raises(SpecError, match=words) as caught:
        load_rubric(rubric(vote))
    assert all(fault.fix for fault in caught.value.faults)


def test_equal_rules_have_one_digest():
    one, two = ({"n": 3, "rule": rule} for rule in ({"lcb": 1}, {"mean_minus_std": 1.0}))
    assert load_rubric(rubric(one)).digest == load_rubric(rubric(two)).digest
