"""Rule first: when the judge is asked, what becomes of both answers, and the log of their disagreements."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import genrm
from genrm.cli import app
from genrm.errors import SpecError
from genrm.judging.cascade import settle
from genrm.judging.judgment import CriterionJudgment
from genrm.specs.criterion import Criterion
from genrm.verdicts.verdict import Verdict


def rubric(cascade, **more):
    criterion = {"id": "right", "ask": "Is it right?", "check": {"number": True}, "cascade": cascade} | more
    return {"name": "cascade", "criteria": [criterion]}


def judge(cascade, response, reference="4", **more):
    return genrm.Judge(rubric(cascade, **more), model="scripted").judge(response=response, reference=reference)


@pytest.mark.parametrize(
    ("cascade", "response", "asked", "score", "by"),
    [
        ("met", "It is 4.", 0, 1.0, "rule"),
        ("met", "It is 5.", 1, 1.0, "judge"),
        ("unmet", "It is 4.", 1, 1.0, "judge"),
        ("unmet", "It is 5.", 0, 0.0, "rule"),
        ("both", "It is 5.", 0, 0.0, "rule"),
        ("neither", "It is 4.", 1, 1.0, "judge"),
        ({"trust": "both", "audit": True}, "It is 5.", 1, 0.0, "rule"),
        ({"trust": "neither", "confidence": 0.5}, "It is 5.", 1, 1 / 1.5, "mix"),
    ],
)
def test_who_decides(scripted, cascade, response, asked, score, by):
    engine = scripted(lambda request, vote, slot: "yes")
    judgment = judge(cascade, response)
    assert len(engine.requests) == asked
    assert judgment.reward == pytest.approx(score)
    assert judgment.row()["criteria"]["right"]["by"] == by
    assert genrm.rescore([judgment.row()], rubric(cascade))[0]["reward"] == judgment.row()["reward"]


def test_a_check_that_cannot_tell_leaves_it_to_the_judge(scripted):
    engine = scripted(lambda request, vote, slot: "no")
    judgment = judge("both", "It is 4.", reference="no number at all")
    assert len(engine.requests) == 1
    assert judgment.reward == 0.0
    rule = judgment.row()["criteria"]["right"]["rule"]
    assert rule["label"] is None
    assert rule["error"]["category"] == "bad_input"


def test_a_judge_that_fails_leaves_no_score_where_the_check_is_not_trusted(scripted):
    scripted(lambda request, vote, slot: "nonsense")
    assert judge({"trust": "met", "confidence": 0.9}, "It is 5.").reward is None
    assert judge({"trust": "met", "audit": True}, "It is 4.").reward == 1.0


CASCADE = Criterion.model_validate(rubric({"trust": "neither", "confidence": 0.6})["criteria"][0])


@given(st.floats(0, 1), st.sampled_from(["yes", "no"]))
def test_the_mix_lies_between_both_and_follows_the_surer(share, said):
    judged = CriterionJudgment("ok", "yes" if share >= 0.5 else "no", share, votes=("yes",))
    rule = Verdict("right", label=said)
    mixed = settle(CASCADE, rule, judged).score
    ruled = 1.0 if said == "yes" else 0.0
    assert min(ruled, share) - 1e-12 <= mixed <= max(ruled, share) + 1e-12
    sure = settle(CASCADE, rule, CriterionJudgment("ok", "yes", 1.0, votes=("yes",))).score
    assert sure == pytest.approx((0.6 * ruled + 1) / 1.6)


@pytest.mark.parametrize(
    ("criterion", "message"),
    [
        ({"id": "a", "ask": "?", "cascade": "met"}, "without both a check and a question"),
        ({"id": "a", "check": {"math": True}, "cascade": "met"}, "without both a check and a question"),
        ({"id": "a", "ask": "?", "check": {"math": True}, "cascade": "sure"}, "met"),
        ({"id": "a", "ask": "?", "check": {"math": True}, "cascade": {"trst": "met"}}, "write 'trust'"),
        ({"id": "a", "ask": "?", "check": {"math": True}, "cascade": "met", "scale": "likert-5"}, "says yes or no"),
    ],
)
def test_faults(criterion, message):
    with pytest.raises(SpecError, match=message):
        genrm.load_rubric({"name": "x", "criteria": [criterion]})


def test_hard_negatives_are_where_both_spoke_and_differ(scripted, tmp_path):
    scripted(lambda request, vote, slot: "yes" if "sure" in request.messages[-1]["content"] else "no")
    responses = ["It is 4.", "It is 4, sure.", "It is 5, sure.", "It is 5."]
    rows = [{"id": str(i), "response": text, "reference": "4"} for i, text in enumerate(responses)]
    judgments = genrm.Judge(rubric({"trust": "both", "audit": True}), model="scripted").judge_many(rows)
    out, source = tmp_path / "out.jsonl", tmp_path / "in.jsonl"
    out.write_text("".join(json.dumps(judgment.row()) + "\n" for judgment in judgments))
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = CliRunner().invoke(app, ["export", "hard-negatives", str(out), "-i", str(source)])
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(case["id"], case["kind"], case["rule"], case["judge"]) for case in found] == [
        ("0", "judge_missed", "yes", "no"),
        ("2", "judge_fooled", "no", "yes"),
    ]
    assert found[0]["row"] == rows[0]
    assert "vote 0" in found[0]["critique"]
    assert "4" in found[0]["evidence"]
    assert "4 criteria; 2 exported" in result.stderr
    only = CliRunner().invoke(app, ["export", "hard-negatives", str(out), "--trust", "met"])
    assert [json.loads(line)["id"] for line in only.stdout.splitlines()] == ["0"]


@pytest.mark.parametrize("criteria", [3, {"a": 3}, {"a": {"rule": 5}}, {"a": {"rule": None, "votes": 3}}])
def test_a_file_that_is_no_output_is_named_with_its_line(tmp_path, criteria):
    out = tmp_path / "out.jsonl"
    out.write_text(json.dumps({"id": "1", "criteria": criteria}) + "\n")
    result = CliRunner().invoke(app, ["export", "hard-negatives", str(out)])
    assert result.exit_code != 0
    assert "out.jsonl:1: no output row of genrm judge" in str(result.exception)
