"""A live judge that writes in a form of its own."""

from genrm import Judge
from genrm.engines.base import Completion, Usage
from genrm.judging.panel import Panel

RUBRIC = {
    "name": "pair",
    "criteria": [
        {"id": "better", "ask": "Which is better?", "scale": [{"label": "A", "value": 1}, {"label": "B", "value": 0}]},
        {"id": "kind", "ask": "Which is kinder?", "scale": [{"label": "A", "value": 1}, {"label": "B", "value": 0}]},
    ],
    "vote": {"n": 3, "rule": "mean"},
}
ROW = {"id": "1", "response": "A: yes. B: no. [[B]]"}


def writes(scripted, monkeypatch, texts):
    """An engine that writes these texts, one a vote."""
    engine = scripted(lambda *_: "A")
    asked = []

    async def complete(request):
        asked.append(request)
        return [Completion(text, Usage(1), cut=cut) for text, cut in texts[: len(request.seeds)]]

    monkeypatch.setattr(engine, "complete", complete)
    return asked


def test_votes_are_read_by_the_format(scripted, monkeypatch):
    texts = [("Quotes [[B]], says [[A]]", False), ("[[B]]", False), ("It quotes [[A]] and", True)]
    asked = writes(scripted, monkeypatch, texts)
    [judgment] = Judge(RUBRIC, model="scripted", format="mt-bench-pair").judge_many([ROW])
    assert judgment.criteria["better"].votes == ("A", "B", None)
    assert judgment.reward == 0.5
    assert judgment.criteria["better"].error.category == "truncated"
    assert judgment.judge["format"].startswith("mt-bench-pair@sha256:")
    assert [list(request.output.slots) for request in asked] == [["better"], ["kind"]]
    assert all(request.output.free.format == judgment.judge["format"] for request in asked)


def test_no_vote_with_a_verdict_is_no_reward(scripted, monkeypatch):
    writes(scripted, monkeypatch, [("Both are fine.", False)] * 3)
    [judgment] = Judge(RUBRIC, model="scripted", format="mt-bench-pair").judge_many([ROW])
    assert judgment.status == "failed"
    assert judgment.reward is None
    assert judgment.error.category == "unparseable"


def test_members_of_a_panel_may_write_in_different_forms(scripted, monkeypatch):
    writes(scripted, monkeypatch, [("[[A]] Therefore, Output (a) is better.", False)] * 3)
    own = {"name": "own", "verdict": {"regex": r"Output \((?P<label>\w)\)"}}
    judges = [Judge(RUBRIC, model="scripted", format=name) for name in ("mt-bench-pair", own)]
    [judgment] = Panel(judges, "mean").judge_many([ROW])
    assert judgment.reward == 1.0
    formats = [member["format"].partition("@")[0] for member in judgment.judge["panel"]["members"]]
    assert formats == ["mt-bench-pair", "own"]
