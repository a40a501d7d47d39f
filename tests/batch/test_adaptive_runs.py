"""Adaptive votes in files: a run that goes on, and stored rows of every kind under other rubrics."""

import json
import random

import pytest

import genrm
from genrm.batch.apply import apply_file
from genrm.batch.rescore import rescore_file
from genrm.batch.run import BatchOptions, run_batch
from genrm.engines.base import Capabilities, Completion, SlotReading, Usage
from genrm.errors import EngineError, ResumeError
from genrm.judging import runtime

CRITERIA = [{"id": "a", "ask": "Is it?"}, {"id": "b", "ask": "And?", "weight": 2}]
RUBRIC = {"name": "r", "ask": "separate", "criteria": CRITERIA}
ADAPTIVE = RUBRIC | {"vote": {"min": 3, "max": 9, "rule": "majority"}}


class Engine:
    """A stand-in that answers by seed; rows whose response is ``down`` fail."""

    name = model = "scripted"
    card = None
    capabilities = Capabilities()

    def __init__(self):
        self.asked = 0

    async def complete(self, request):
        self.asked += len(request.seeds)
        if "down" in request.messages[-1]["content"]:
            raise EngineError("the engine is down")
        return [self._say(request, seed) for seed in request.seeds]

    def _say(self, request, seed):
        yes = random.Random(f"{request.sample_id} {seed}").random() ** 0.4
        slots = {slot: {"critique": "c", "label": "yes" if yes > 0.5 else "no"} for slot in request.output.slots}
        data = slots if len(slots) > 1 else next(iter(slots.values()))
        p = {"no": 1 - yes, "yes": yes}
        return Completion(json.dumps(data), Usage(1, 1, 0, 1), {slot: SlotReading(p) for slot in slots})

    def count_tokens(self, text):
        return len(text)

    async def aclose(self):
        pass


@pytest.fixture
def engine(monkeypatch):
    made = Engine()
    monkeypatch.setattr("genrm.engines.open_engine", lambda model, **_: made)
    runtime.shutdown()
    yield made
    runtime.shutdown()


@pytest.fixture
def source(write_rows):
    rows = [{"id": str(i), "prompt": f"p{i % 3}", "response": "down" if i == 4 else f"text {i}"} for i in range(12)]
    return write_rows(rows)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def run(source, output, rubric, **options):
    return run_batch(genrm.Judge(rubric, "scripted"), BatchOptions(str(source), str(output), **options))


def test_an_adaptive_run_goes_on_and_its_rows_are_those_of_one_run(engine, source, tmp_path):
    whole, part = tmp_path / "whole.jsonl", tmp_path / "part.jsonl"
    run(source, whole, ADAPTIVE)
    asked, engine.asked = engine.asked, 0
    run(source, part, ADAPTIVE, limit=5)
    first = engine.asked
    summary = run(source, part, ADAPTIVE)
    assert (summary.rows, summary.resumed) == (12, 5)
    assert engine.asked == asked
    assert 0 < first < asked < 12 * 2 * 9
    assert lines(part) == lines(whole)
    used = {row["criteria"]["a"]["votes_used"] for row in lines(whole) if row["status"] == "ok"}
    assert len(used) > 1
    assert min(used) >= 3
    # Another way to stop is another command.
    with pytest.raises(ResumeError):
        run(source, part, RUBRIC | {"vote": {"min": 3, "max": 9, "rule": "majority", "stop": 0.9}})


def test_adaptive_rows_keep_their_rewards_and_statements_when_rescored(engine, source, tmp_path):
    out, new = tmp_path / "out.jsonl", tmp_path / "new.jsonl"
    run(source, out, ADAPTIVE)
    engine.asked = 0
    rescore_file(str(out), str(new), genrm.load_rubric(ADAPTIVE))
    for old, again in zip(lines(out), lines(new), strict=True):
        assert again["reward"] == old["reward"]
        assert again["criteria"] == old["criteria"]
    # A fixed number and another rule read the votes that there are, and state nothing about more.
    rescore_file(str(out), str(tmp_path / "mean.jsonl"), genrm.load_rubric(RUBRIC | {"vote": {"n": 9, "rule": "mean"}}))
    found = lines(tmp_path / "mean.jsonl")[0]["criteria"]["a"]
    assert "p_change" not in found
    assert found["score"] == pytest.approx(found["votes"].count("yes") / len(found["votes"]), abs=1e-6)
    assert engine.asked == 0


def test_failed_rows_stay_failed_with_their_error_under_any_rubric(engine, source, tmp_path):
    out = tmp_path / "out.jsonl"
    run(source, out, ADAPTIVE)
    failed = lines(out)[4]
    assert (failed["status"], failed["reward"]) == ("failed", None)
    for number, rubric in enumerate(
        [ADAPTIVE, RUBRIC, RUBRIC | {"on_missing": "skip", "reward": {"aggregate": "min"}}]
    ):
        new = tmp_path / f"{number}.jsonl"
        summary = rescore_file(str(out), str(new), genrm.load_rubric(rubric))
        again = lines(new)[4]
        assert (again["status"], again["reward"], summary.no_reward) == ("failed", None, 1)
        assert again["error"]["category"] == failed["error"]["category"]
    shaped = genrm.load_rubric(RUBRIC | {"reward": {"shape": "group_rank"}})
    apply_file(str(out), str(tmp_path / "s.jsonl"), shaped, input=str(source))
    rewards = [row["reward"] for row in lines(tmp_path / "s.jsonl")]
    assert rewards[4] is None
    assert sum(reward is not None for reward in rewards) == 11


def test_rows_of_an_adaptive_panel_are_combined_again_and_shaped(engine, source, tmp_path):
    out = tmp_path / "panel.jsonl"
    panel = genrm.Panel([genrm.Judge(ADAPTIVE, "scripted", seed=seed) for seed in range(3)])
    run_batch(panel, BatchOptions(str(source), str(out)))
    rows = lines(out)
    assert rows[0]["members"][0]["criteria"]["a"]["votes_used"] >= 3
    same, mean, shaped = (tmp_path / f"{name}.jsonl" for name in ("same", "mean", "shaped"))
    rescore_file(str(out), str(same), genrm.load_rubric(ADAPTIVE))
    assert [row["reward"] for row in lines(same)] == [row["reward"] for row in rows]
    rescore_file(str(out), str(mean), genrm.load_rubric(ADAPTIVE), panel="mean")
    assert lines(mean)[0]["judge"]["panel"]["rule"] == "mean"
    grouped = genrm.load_rubric(ADAPTIVE | {"reward": {"shape": "group_minmax"}})
    apply_file(str(out), str(shaped), grouped, input=str(source))
    found = lines(shaped)
    assert all(row["reward"] is None or 0 <= row["reward"] <= 1 for row in found)
    assert (found[4]["status"], found[4]["reward"]) == ("failed", None)
    assert found[0]["members"] == rows[0]["members"]
