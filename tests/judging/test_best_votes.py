"""keep_best: which votes count, live and from stored rows, and what is said where a score is missing."""

import json

import pytest

import genrm
from genrm.engines.base import Capabilities
from genrm.errors import InputError, SpecError
from genrm.judging.best_votes import kept_votes
from genrm.judging.rescore import rescore
from genrm.specs.override import votes_filtered
from genrm.specs.vote import KeepBest, Vote
from genrm.verdicts.verdict import Verdict
from genrm.voting.seeds import vote_seed

YES = (0.95, 0.1, 0.6, 0.55)
"""P(yes) of the four votes: sure, sure, unsure, unsure."""


def rubric(by="confidence", k=2, **vote):
    keep = {} if by is None else {"keep_best": {"k": k, "by": by}}
    return {"name": "t", "vote": {"n": 4, **keep, **vote}, "criteria": [{"id": "a", "ask": "Is it?"}]}


def answers(request, vote, slot):
    place = {vote_seed(0, "0", index, "a"): index for index in range(8)}[request.seeds[vote]]
    yes = YES[place % 4]
    return ("yes" if yes > 0.5 else "no"), {"no": 1 - yes, "yes": yes}


def judged(**options):
    return genrm.Judge(rubric(**options), "scripted").judge(response="x").row()


@pytest.mark.parametrize("by", ["confidence", "margin", "likelihood"])
def test_only_the_best_votes_count_and_all_stand_in_the_row(scripted, by):
    scripted(answers)
    found = judged(by=by)["criteria"]["a"]
    # By the likelihood of what each said: 0.95, 0.9, 0.6, 0.55; the two measures of certainty agree here.
    assert (found["votes"], found["kept"]) == (["yes", "no", "yes", "yes"], [0, 1])
    assert found["score"] == 0.5
    assert judged(by=None)["criteria"]["a"]["score"] == 0.75


def test_rescoring_filters_the_same_votes(scripted):
    scripted(answers)
    plain, filtered = judged(by=None), judged(by="margin")
    again = rescore([json.loads(json.dumps(plain))], rubric(by="margin"))[0]
    assert again["reward"] == filtered["reward"]
    assert again["criteria"]["a"]["kept"] == [0, 1]


def test_recorded_scores_of_a_meta_judge_filter_and_stay_in_the_row(scripted):
    scripted(answers)
    row = judged(by=None)
    row["criteria"]["a"]["meta"] = [0.1, 0.2, 9.0, 0.3]
    again = rescore([row], rubric(by="meta", k=1))[0]["criteria"]["a"]
    assert (again["kept"], again["meta"], again["label"]) == ([2], [0.1, 0.2, 9.0, 0.3], "yes")


def test_without_scores_of_a_meta_judge_the_criterion_fails_and_says_what_to_do(scripted):
    scripted(answers)
    row = judged(by=None)
    again = rescore([row], rubric(by="meta"))[0]
    assert again["reward"] is None
    assert "criteria.NAME.meta" in again["criteria"]["a"]["error"]["message"]
    for bad in ([1.0], "high", [1, 2, 3, "x"], [1, 2, 3, float("nan")]):
        row["criteria"]["a"]["meta"] = bad
        with pytest.raises(InputError, match="meta is a list"):
            rescore([row], rubric(by="meta"))


def test_what_a_live_judge_cannot_filter_by_is_refused_before_any_call(scripted):
    engine = scripted(answers)
    with pytest.raises(SpecError, match="--rescore"):
        judged(by="meta")
    engine.capabilities = Capabilities(probabilities=False)
    with pytest.raises(SpecError, match="shows none"):
        judged(by="confidence")
    assert engine.requests == []


def test_failed_votes_take_no_part_and_ties_go_to_the_earlier_vote():
    votes = [Verdict("a", error=InputError("x")), *(Verdict("a", "yes", p={"no": 0.2, "yes": 0.8}) for _ in range(3))]
    assert kept_votes(votes, KeepBest(k=2, by="confidence")) == (1, 2)
    assert kept_votes(votes[:1], KeepBest(k=2, by="confidence")) == ()
    with pytest.raises(ValueError, match="label probabilities"):
        kept_votes([Verdict("a", "yes")], KeepBest(k=1, by="margin"))


@pytest.mark.parametrize(
    ("vote", "words"),
    [
        ({"n": 2, "keep_best": {"k": 2, "by": "margin"}}, "leaves nothing out"),
        ({"max": 8, "keep_best": {"k": 2, "by": "margin"}}, "none can stop early"),
        ({"n": 4, "keep_best": {"k": 2, "by": "luck"}}, "confidence"),
        ({"n": 4, "keep_best": {"k": 0, "by": "meta"}}, "greater than"),
        ({"n": 4, "concentration": 3}, "no max"),
        ({"max": 8, "rule": "majority", "concentration": 3}, "does not read"),
        ({"max": 8, "rule": "soft", "concentration": 0}, "greater than 0"),
    ],
)
def test_votes_that_cannot_be_filtered_are_refused(vote, words):
    with pytest.raises(ValueError, match=words):
        Vote.model_validate(vote)


def test_the_command_line_has_the_filter_too():
    plain = genrm.load_rubric(rubric(by=None))
    assert votes_filtered(plain, "3:margin").vote.keep_best == KeepBest(k=3, by="margin")
    assert votes_filtered(plain, "6:margin", 8).vote.n == 8
    assert votes_filtered(plain, "9:meta", stored=True).vote.keep_best.k == 9
    for bad in ("margin", "0:margin", "3:luck", "4:margin"):
        with pytest.raises(SpecError, match="keep-best"):
            votes_filtered(plain, bad)


def test_soft_adaptive_votes_begin_with_one_and_a_known_concentration_needs_fewer(scripted):
    scripted(lambda request, vote, slot: ("yes", {"no": 0.3, "yes": 0.7}))
    spec = {"name": "t", "criteria": [{"id": "a", "ask": "?"}]}

    def used(**vote):
        judge = genrm.Judge(spec | {"vote": {"max": 16, "rule": "soft", **vote}}, "scripted")
        return judge.judge(response="x").row()["criteria"]["a"]["votes_used"]

    assert Vote.model_validate({"max": 16, "rule": "soft"}).least == 1
    assert Vote.model_validate({"max": 16}).least == 3
    assert used(concentration=200) < used() < 16
