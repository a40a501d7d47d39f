"""Panels of judges: votes withheld, weights, Dawid-Skene over all rows, stored rows combined again."""

import asyncio
import json
import pickle

import numpy as np
import pytest

import genrm
from genrm.batch.run import BatchOptions, run_batch
from genrm.errors import RateLimitedError, SpecError
from genrm.judging import runtime
from genrm.judging.recombine import recombine

ONE = {"name": "one", "criteria": [{"id": "good", "ask": "Is it good?"}]}
TWO = {
    "name": "two",
    "criteria": [
        {"id": "good", "ask": "Is it good?", "scale": "likert-5"},
        {"id": "short", "check": {"length": {"unit": "words", "max": 3}}},
    ],
}


@pytest.fixture
def members(scripted, monkeypatch):
    """Engines by model name, each with a script of its own."""

    def install(**scripts):
        engines = {}
        for name, script in scripts.items():
            engines[name] = scripted(script)
            engines[name].name = engines[name].model = name
        monkeypatch.setattr("genrm.engines.open_engine", lambda model, **_: engines[model])
        runtime.shutdown()
        return engines

    return install


def says(label):
    def script(request, vote, slot):
        if isinstance(label, Exception):
            raise label
        return label

    return script


def panel(names, rule="majority", rubric=ONE, **options):
    return genrm.Panel([genrm.Judge(rubric, model=name) for name in names], rule, **options)


def test_two_of_three_carry_it(members):
    members(a=says("yes"), b=says("no"), c=says("yes"))
    judgment = panel("abc").judge(response="x")
    result = judgment.criteria["good"]
    assert (judgment.status, judgment.reward, result.label, result.score) == ("ok", 1.0, "yes", 1.0)
    assert result.votes == ("yes", "no", "yes")
    assert result.agreement == pytest.approx(2 / 3)
    assert judgment.reward_std == pytest.approx(0.57735, abs=1e-4)
    assert judgment.usage.requests == 3
    row = judgment.row()
    assert [member["name"] for member in row["members"]] == ["a", "b", "c"]
    assert row["members"][1]["criteria"]["good"]["label"] == "no"
    assert row["judge"]["panel"]["rule"] == "majority"
    json.dumps(row)


def test_failed_members_withhold_and_the_panel_does_not_shrink(members):
    members(a=says("yes"), b=says(RateLimitedError("slow down")), c=says(RateLimitedError("slow down")), d=says("yes"))
    judgment = panel("abc").judge(response="x")
    assert (judgment.status, judgment.reward, judgment.reward_std) == ("failed", None, None)
    assert judgment.criteria["good"].score is None
    assert (judgment.error.category, judgment.error.can_retry) == ("rate_limited", True)
    assert "failed 2, yes 1" in judgment.error.message
    assert panel("abd").judge(response="x").reward == 1.0


@pytest.mark.parametrize("rule", ["majority", "weighted"])
def test_a_split_panel_refuses(members, rule):
    members(a=says("yes"), b=says("no"))
    weights = [1, 1] if rule == "weighted" else None
    judgment = panel("ab", rule, weights=weights).judge(response="x")
    assert judgment.reward is None
    assert (judgment.error.category, judgment.error.can_retry) == ("refused", False)
    assert "more than half" in judgment.error.message


def test_weights_decide(members):
    members(a=says("yes"), b=says("no"), c=says("no"))
    assert panel("abc", "weighted", weights=[3, 1, 1]).judge(response="x").reward == 1.0
    assert panel("abc", "mean", weights=[3, 1, 1]).judge(response="x").reward == pytest.approx(0.6)
    assert panel("abc", "mean").judge(response="x").reward == pytest.approx(1 / 3)


def test_a_mean_needs_more_than_half_of_the_weight(members):
    members(a=says("4"), b=says(RateLimitedError("no")), c=says("3"))
    judgment = panel("abc", "mean", TWO).judge(response="one two")
    assert judgment.criteria["good"].score == pytest.approx(0.625)
    assert judgment.criteria["short"].score == 1.0
    assert judgment.criteria["short"].votes != judgment.criteria["good"].votes
    lost = panel("abc", "mean", TWO, weights=[1, 2, 1]).judge(response="one two")
    assert (lost.status, lost.reward) == ("partial", None)
    assert lost.criteria["short"].score == 1.0


def test_a_bad_row_fails_and_the_others_do_not(members):
    members(a=says("yes"), b=says("yes"))
    judgments = panel("ab").judge_many([{"response": ""}, {"id": "k", "response": "x"}])
    assert [(j.id, j.reward) for j in judgments] == [("0", None), ("k", 1.0)]
    assert judgments[0].error.category == "bad_input"
    assert json.loads(json.dumps(judgments[0].row()))["members"][0]["status"] == "failed"


def test_stream_keeps_order_and_rows_may_bring_criteria(members):
    members(a=says("yes"), b=says("yes"), c=says("no"))
    rows = [{"id": str(n), "response": "x", "criteria": [f"Is it {n}?"]} for n in range(5)]

    async def collect():
        return [judgment async for judgment in panel("abc").stream(rows)]

    judgments = asyncio.run(collect())
    assert [j.id for j in judgments] == list("01234")
    assert all(len(j.criteria) == 2 and j.reward == 1.0 for j in judgments)


def noisy(accuracy, seed):
    """Says what the response is, with errors of its own."""
    rng = np.random.default_rng(seed)
    wrong = {str(n): bool(rng.random() > accuracy) for n in range(200)}

    def script(request, vote, slot):
        number = next(
            n for n in sorted(wrong, key=len, reverse=True) if f"number {n}." in request.messages[-1]["content"]
        )
        return "yes" if (int(number) % 2 == 0) != wrong[number] else "no"

    return script


def test_dawid_skene_lets_no_member_decide_alone(members):
    members(a=says("yes"), b=says(RateLimitedError("later")), c=says(RateLimitedError("later")))
    found = panel("abc", "dawid_skene").judge_many([{"response": "x"}, {"response": "y"}])
    assert [(one.status, one.reward, one.criteria["good"].score) for one in found] == [("failed", None, None)] * 2
    members(a=says("yes"), b=says("yes"), c=says(RateLimitedError("later")))
    assert panel("abc", "dawid_skene").judge_many([{"response": "x"}])[0].criteria["good"].label == "yes"


def test_dawid_skene_weighs_members_by_all_rows(members):
    members(a=noisy(0.97, 1), b=noisy(0.6, 2), c=noisy(0.6, 3), d=noisy(0.6, 4))
    rows = [{"id": str(n), "response": f"number {n}."} for n in range(200)]

    def right(judgments):
        labels = [j.criteria["good"].label for j in judgments]
        return sum((label == "yes") == (n % 2 == 0) and label is not None for n, label in enumerate(labels))

    weighed = panel("abcd", "dawid_skene")
    judgments = weighed.judge_many(rows)
    plain = panel("abcd").judge_many(rows)
    assert right(judgments) > right(plain) + 20
    result = judgments[0].criteria["good"]
    assert result.score == pytest.approx(result.p["yes"])
    again = recombine([j.row() for j in plain], ONE, "dawid_skene")
    assert [row["reward"] for row in again] == pytest.approx([j.reward for j in judgments], abs=1e-5)
    assert [row["criteria"]["good"]["critique"] for row in again] == [j.criteria["good"].critique for j in judgments]
    assert again[0]["judge"]["panel"]["rule"] == "dawid_skene"
    assert again[0]["usage"] == plain[0].row()["usage"]
    back = recombine(again, ONE, "majority")
    assert [row["reward"] for row in back] == [j.row()["reward"] for j in plain]
    with pytest.raises(SpecError, match="judge_many"):
        weighed.judge(response="x")
    with pytest.raises(SpecError, match="recombine"):
        asyncio.run(anext(weighed.stream(rows)))


def test_recombining_needs_members(members):
    members(a=says("yes"), b=says(RateLimitedError("no")), c=says("yes"))
    rows = [j.row() for j in panel("abc").judge_many([{"response": "x"}, {"response": ""}])]
    same = recombine(rows, ONE, "majority")
    assert [row["reward"] for row in same] == [1.0, None]
    assert same[1]["error"] == rows[1]["error"]
    assert recombine(rows, ONE, "weighted", weights=[1, 5, 1])[0]["error"]["category"] == "rate_limited"
    assert same[0] == {**rows[0], "judge": same[0]["judge"]}
    assert recombine(rows, ONE)[0]["reward"] == 1.0
    with pytest.raises(genrm.InputError, match="row 2: no row of a panel"):
        recombine([rows[0], {key: value for key, value in rows[0].items() if key != "members"}], ONE)
    with pytest.raises(genrm.InputError, match="row 2: judged by a, c"):
        recombine([rows[0], panel("ac").judge(response="x").row()], ONE)
    with pytest.raises(SpecError, match="weight"):
        recombine(rows, ONE, "weighted")
    assert recombine([], ONE) == []


def test_another_rubric_and_rows_with_criteria_of_their_own(members):
    members(a=says("yes"), b=says("yes"), c=says("no"))
    row = {"response": "x", "criteria": [{"id": "own", "ask": "Is it?", "weight": 3}]}
    rows = [panel("abc").judge(**row).row()]
    assert rows[0]["reward"] == 1.0
    turned = {"name": "turned", "criteria": [{"id": "good", "ask": "Is it bad?", "weight": -1}]}
    assert recombine(rows, turned)[0]["reward"] == pytest.approx(0.75)
    extra = {"name": "more", "criteria": [*ONE["criteria"], {"id": "new", "ask": "?"}]}
    lost = recombine(rows, extra)[0]
    assert (lost["status"], lost["reward"]) == ("partial", None)


def test_a_batch_run_takes_a_panel_and_goes_on(members, tmp_path):
    members(a=says("yes"), b=says("yes"), c=says("no"))
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(json.dumps({"id": str(n), "response": "x"}) + "\n" for n in range(4)))
    summary = run_batch(panel("abc"), BatchOptions(str(source), str(out)))
    assert (summary.exit_code, summary.rows) == (0, 4)
    before = out.read_bytes()
    assert run_batch(panel("abc"), BatchOptions(str(source), str(out))).resumed == 4
    assert out.read_bytes() == before
    with pytest.raises(genrm.GenrmError):
        run_batch(panel("abc", "mean"), BatchOptions(str(source), str(out)))


def test_a_reward_function_takes_a_panel(members):
    members(a=says("yes"), b=says("yes"))
    assert genrm.RewardFunction(panel("ab"))(prompts=["?"], completions=["x"]) == [1.0]


def test_notices_name_relatives(members):
    members(a=says("yes"), b=says("yes"))
    engines = members(a=says("yes"), b=says("yes"), c=says("yes"))
    assert not any("share" in note for note in panel("abc").notices())
    twice = panel("aab")
    assert twice.names == ("a", "a (2)", "b")
    assert any("share the base model a: a, a (2);" in note for note in twice.notices())
    engines["c"].model = "b"
    assert any("share the base model b: b, c;" in note for note in panel("abc").notices())
    assert any("two members" in note for note in panel("ab").notices())


def test_settings_travel_through_pickle():
    one = pickle.loads(pickle.dumps(panel(["tiny", "tiny:unhardened", "tiny"], "mean", weights=[1, 2, 3])))
    assert (one.rule, one.weights, one.votes, len(one.judges)) == ("mean", (1.0, 2.0, 3.0), 3, 3)
    assert "mean" in repr(one)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: genrm.Panel([]), "at least one"),
        (lambda: panel(["tiny"], "most"), "'most'"),
        (lambda: panel(["tiny"], "weighted"), "one weight per member"),
        (lambda: panel(["tiny"], "majority", weights=[1]), "takes none"),
        (lambda: panel(["tiny"], "mean", weights=[1, 2]), "1 members"),
        (lambda: panel(["tiny"], "mean", weights=[0]), "not all 0"),
        (lambda: genrm.Panel([genrm.Judge(ONE), genrm.Judge(TWO)]), "member 2"),
    ],
)
def test_faults_of_a_panel(make, message):
    with pytest.raises(SpecError, match=message):
        make()
