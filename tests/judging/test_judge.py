"""The Judge around an engine: votes, failures, rewards, order, and where it may be called from."""

import asyncio
import gc
import multiprocessing
import os
import pickle
import threading
import time

import pytest

import genrm
from genrm.engines.base import Capabilities
from genrm.errors import EngineError, RateLimitedError, SpecError
from genrm.judging import pointwise, runtime

RUBRIC = {
    "name": "two",
    "criteria": [
        {"id": "good", "ask": "Is it good?", "weight": 3},
        {"id": "rude", "ask": "Is it rude?", "weight": -1},
    ],
}


def judge(rubric=RUBRIC, **options):
    return genrm.Judge(rubric, model="scripted", **options)


def test_reward_weighs_criteria_and_turns_faults(scripted):
    scripted(lambda request, vote, slot: "yes" if slot == "good" else "no")
    judgment = judge().judge(response="x")
    assert judgment.status == "ok"
    assert judgment.reward == 1.0
    assert judgment.criteria["rude"].label == "no"
    scripted(lambda request, vote, slot: "yes")
    assert judge().judge(response="x").reward == pytest.approx(0.75)


def test_votes_are_kept_and_averaged(scripted):
    scripted(lambda request, vote, slot: "yes" if vote < 2 else "no")
    judgment = judge({"name": "one", "criteria": [{"id": "good", "ask": "?"}]}, votes=3).judge(response="x")
    result = judgment.criteria["good"]
    assert result.votes == ("yes", "yes", "no")
    assert result.score == pytest.approx(2 / 3)
    assert result.agreement == pytest.approx(2 / 3)
    assert result.label == "yes"
    assert result.critique == "vote 0 on good"
    assert judgment.reward_std == pytest.approx(0.57735, abs=1e-4)
    assert judgment.usage.requests == 3


@pytest.mark.parametrize(("rule", "score"), [("mean", 0.6), ("median", 1.0), ("majority", 1.0)])
def test_vote_rules(scripted, rule, score):
    scripted(lambda request, vote, slot: "yes" if vote < 3 else "no")
    rubric = {"name": "one", "criteria": [{"id": "good", "ask": "?"}], "vote": {"n": 5, "rule": rule}}
    assert judge(rubric).judge(response="x").criteria["good"].score == pytest.approx(score)


def test_expected_score_uses_the_distribution(scripted):
    scripted(lambda request, vote, slot: ("yes", {"no": 0.2, "yes": 0.8}))
    rubric = {"name": "one", "criteria": [{"id": "good", "ask": "?", "score": "expected"}]}
    judgment = judge(rubric, votes=2).judge(response="x")
    assert judgment.reward == pytest.approx(0.8)
    assert judgment.criteria["good"].p == pytest.approx({"no": 0.2, "yes": 0.8})


def test_a_failed_call_fails_its_criterion_and_no_number_is_made_up(scripted):
    def script(request, vote, slot):
        if slot == "good":
            raise RateLimitedError("slow down")
        return "no"

    scripted(script)
    judgment = judge(RUBRIC | {"ask": "separate"}).judge(response="x")
    assert judgment.status == "partial"
    assert judgment.reward is None
    assert judgment.reward_std is None
    assert judgment.error.category == "rate_limited"
    assert judgment.criteria["good"].score is None
    skipping = judge(RUBRIC | {"ask": "separate", "on_missing": "skip"}).judge(response="x")
    assert skipping.status == "partial"
    assert skipping.reward == 1.0


def test_everything_failed(scripted):
    def script(request, vote, slot):
        raise EngineError("out of order")

    scripted(script)
    judgment = judge(RUBRIC | {"on_missing": "skip"}).judge(response="x")
    assert (judgment.status, judgment.reward) == ("failed", None)
    assert judgment.row()["error"] == {"category": "engine", "message": "out of order", "retryable": True}


def test_a_broken_engine_is_an_error_of_the_row(scripted):
    def script(request, vote, slot):
        raise ZeroDivisionError("oops")

    scripted(script)
    judgment = judge().judge(response="x")
    assert judgment.error.category == "engine"
    assert "ZeroDivisionError" in judgment.error.message


def test_a_label_off_the_scale_is_unparseable(scripted):
    scripted(lambda request, vote, slot: "maybe")
    judgment = judge().judge(response="x")
    assert judgment.error.category == "unparseable"
    assert judgment.reward is None


def test_some_failed_votes_are_withheld(scripted):
    scripted(lambda request, vote, slot: "perhaps" if vote == 1 else "yes")
    result = (
        judge({"name": "one", "criteria": [{"id": "good", "ask": "?"}]}, votes=3).judge(response="x").criteria["good"]
    )
    assert result.votes == ("yes", None, "yes")
    assert result.score == 1.0
    assert result.error.category == "unparseable"


def test_deadline(scripted):
    scripted(lambda request, vote, slot: "yes", delay_s=5)
    judgment = judge(timeout_s=0.05).judge(response="x")
    assert judgment.error.category == "timeout"
    assert judgment.reward is None


def test_checks_ask_no_model(scripted):
    engine = scripted(lambda request, vote, slot: "yes")
    rubric = {"name": "checks", "criteria": [{"id": "has_x", "check": {"contains": "x"}}]}
    judgment = judge(rubric).judge(response="a x b")
    assert judgment.reward == 1.0
    assert engine.requests == []
    assert judgment.usage.requests == 0


def test_bad_rows_are_failed_judgments(scripted):
    scripted(lambda request, vote, slot: "yes")
    rows = [{"response": ""}, {"prompt": "?"}, {"response": 3}, {"response": "x", "prompt": 1}, {"response": "ok"}]
    judgments = judge().judge_many(rows)
    assert [j.status for j in judgments] == ["failed"] * 4 + ["ok"]
    assert {j.error.category for j in judgments[:4]} == {"bad_input"}
    assert [j.id for j in judgments] == ["0", "1", "2", "3", "4"]


def test_criteria_of_the_row_are_added(scripted):
    scripted(lambda request, vote, slot: "no")
    judgment = judge().judge(response="x", criteria=["Is it short?", {"id": "kind", "ask": "Is it kind?"}])
    assert list(judgment.criteria) == ["good", "rude", "c1", "kind"]
    clash = judge().judge(response="x", criteria=[{"id": "good", "ask": "?"}])
    assert clash.error.category == "bad_input"
    none = judge({"name": "empty"}).judge(response="x")
    assert none.error.category == "bad_input"


def test_one_criterion_a_call_for_judges_that_need_it(scripted):
    engine = scripted(lambda request, vote, slot: "yes", capabilities=Capabilities(joint=False))
    judge().judge(response="x")
    assert [list(request.output.slots) for request in engine.requests] == [["good"], ["rude"]]


def test_order_is_kept_and_streaming_equals_many(scripted):
    scripted(lambda request, vote, slot: "yes", delay_s=0.001)
    rows = [{"id": f"r{n}", "response": str(n)} for n in range(40)]
    many = [j.row() for j in judge(max_in_flight=7).judge_many(rows)]

    async def collect(ordered):
        return [j.row() async for j in judge(max_in_flight=7).stream(rows, ordered=ordered)]

    assert [row["id"] for row in many] == [row["id"] for row in rows]
    assert asyncio.run(collect(True)) == many
    assert sorted(asyncio.run(collect(False)), key=lambda row: int(row["id"][1:])) == many


def test_seeds_come_from_run_sample_and_vote(scripted):
    engine = scripted(lambda request, vote, slot: "yes")
    judge(votes=3, seed=1).judge(response="x", id="a")
    judge(votes=3, seed=1).judge(response="other", id="a")
    judge(votes=3, seed=2).judge(response="x", id="a")
    judge(votes=3, seed=1).judge(response="x", id="b")
    first, same, other_seed, other_id = (request.seeds for request in engine.requests)
    assert first == same
    assert len({*first, *other_seed, *other_id}) == 9
    assert engine.requests[0].temperature > 0


def test_inside_a_running_loop(scripted):
    scripted(lambda request, vote, slot: "yes")

    async def notebook():
        return judge().judge(response="x").reward

    assert asyncio.run(notebook()) == 0.75


def test_in_threads(scripted):
    scripted(lambda request, vote, slot: "yes", delay_s=0.001)
    shared, rewards = judge(), []

    def work():
        rewards.extend(j.reward for j in shared.judge_many([{"response": "x"}] * 5))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rewards == [0.75] * 30


def test_pickle(scripted):
    scripted(lambda request, vote, slot: "yes")
    original = judge(votes=2, seed=5)
    original.judge(response="x")
    copy = pickle.loads(pickle.dumps(original))
    assert repr(copy) == repr(original)
    assert copy.judge(response="x").row() == original.judge(response="x").row()
    function = pickle.loads(pickle.dumps(genrm.RewardFunction(original)))
    assert function(["p"], ["x"]) == [0.75]


def _in_child(queue, shared):
    queue.put((os.getpid(), shared.judge(response="x").reward))


def test_after_fork(scripted):
    scripted(lambda request, vote, slot: "yes")
    shared = judge()
    assert shared.judge(response="x").reward == 0.75
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_child, args=(queue, shared))
    child.start()
    pid, reward = queue.get(timeout=20)
    child.join(timeout=20)
    assert pid != os.getpid()
    assert reward == 0.75
    assert shared.judge(response="x").reward == 0.75


def test_the_private_loop_refuses_to_wait_for_itself(scripted):
    scripted(lambda request, vote, slot: "yes")

    async def inner():
        return judge().judge(response="x")

    with pytest.raises(RuntimeError, match="own event loop"):
        runtime.current().call(inner())


@pytest.mark.parametrize(
    "options",
    [
        *({"votes": 0}, {"votes": "3"}, {"votes": True}, {"max_in_flight": 0}),
        *({"seed": 1.5}, {"timeout_s": 0}, {"timeout_s": -1}, {"timeout_s": "1"}),
    ],
    ids=str,
)
def test_bad_settings(scripted, options):
    scripted(lambda request, vote, slot: "yes")
    (name,) = options
    with pytest.raises(SpecError, match=rf"^{name}: "):
        judge(**options)


def test_one_row_is_no_list_of_rows(scripted):
    scripted(lambda request, vote, slot: "yes")
    with pytest.raises(SpecError, match="a list of rows is needed"):
        judge().judge_many({"response": "x"})


@pytest.mark.parametrize("response", ["", " \n\t", "\u200b", "\u202e", "\x00"])
def test_a_response_that_shows_nothing_is_bad_input(scripted, response):
    scripted(lambda request, vote, slot: "yes")
    judgment = judge().judge(response=response)
    assert (judgment.reward, judgment.error.category) == (None, "bad_input")


def test_identity_names_everything_that_decides(scripted):
    scripted(lambda request, vote, slot: "yes")
    identity = judge(seed=3).judge(response="x").row()["judge"]
    assert identity["engine"] == "scripted"
    assert identity["rubric"].startswith("two@sha256:")
    assert identity["prompt"].startswith("sha256:")
    assert identity["seed"] == 3


def test_criteria_asked_apart_get_seeds_of_their_own(scripted):
    engine = scripted(lambda request, vote, slot: "yes")
    judge(RUBRIC | {"ask": "separate"}, votes=2).judge(response="x")
    first, second = (request.seeds for request in engine.requests)
    assert set(first).isdisjoint(second)


@pytest.mark.parametrize(
    "row",
    [
        "text",
        None,
        ["response", "x"],
        {"response": "x", "prompt": [{"role": ["user"], "content": "?"}]},
        {"response": [{"role": {}, "content": "?"}]},
    ],
)
def test_a_row_of_any_shape_fails_alone(scripted, row):
    scripted(lambda request, vote, slot: "yes")
    broken, fine = judge().judge_many([row, {"response": "x"}])
    assert (broken.status, broken.error.category, broken.id) == ("failed", "bad_input", "0")
    assert fine.reward == 0.75


def test_a_fault_of_ours_fails_its_row_alone(scripted, monkeypatch, caplog):
    scripted(lambda request, vote, slot: "yes")

    real = pointwise.tally

    def break_the_first(*given, **known):
        if not caplog.records:
            raise KeyError("oops")
        return real(*given, **known)

    monkeypatch.setattr(pointwise, "tally", break_the_first)
    broken, fine = judge(max_in_flight=1).judge_many([{"response": "x", "id": "a"}, {"response": "x", "id": "b"}])
    assert (broken.id, broken.status, broken.reward) == ("a", "failed", None)
    assert "KeyError" in broken.error.message
    assert not broken.error.can_retry
    assert fine.reward == 0.75
    assert "'a'" in caplog.text


def test_a_stream_left_early_cancels_what_is_under_way(scripted):
    engine = scripted(lambda request, vote, slot: "yes")
    running, cancelled = [], []
    inner = engine.complete

    async def slow(request):
        running.append(request.sample_id)
        try:
            while request.sample_id != "0" or len(running) < 3:
                await asyncio.sleep(0.001)
        except asyncio.CancelledError:
            cancelled.append(request.sample_id)
            raise
        return await inner(request)

    engine.complete = slow

    async def first():
        stream = judge().stream([{"response": "x"}] * 3)
        found = await anext(stream)
        await stream.aclose()
        while len(cancelled) < 2:
            await asyncio.sleep(0.001)
        return found.id

    assert asyncio.run(asyncio.wait_for(first(), 20)) == "0"
    assert sorted(cancelled) == ["1", "2"]


def test_a_shutdown_ends_what_is_under_way(scripted):
    asked = threading.Event()
    engine = scripted(lambda request, vote, slot: "yes")

    async def hang(request):
        asked.set()
        await asyncio.sleep(3600)

    engine.complete = hang
    outcomes = []

    def wait(how):
        try:
            outcomes.append(how())
        except EngineError as error:
            outcomes.append(str(error))

    async def stream():
        return [judgment async for judgment in judge().stream([{"response": "x"}])]

    waiting = []
    for how in (lambda: judge().judge(response="x"), lambda: asyncio.run(stream())):
        waiting.append(threading.Thread(target=wait, args=(how,), daemon=True))
        waiting[-1].start()
        assert asked.wait(20)
        asked.clear()
    old = runtime.current()
    runtime.shutdown()
    for thread in waiting:
        thread.join(20)
    assert [text.count("shut down") for text in outcomes] == [1, 1]
    with pytest.raises(EngineError, match="shut down"):
        old.call(asyncio.sleep(0))


def test_a_shutdown_is_silent_about_what_was_cancelled_before(scripted, caplog):
    gc.collect()  # what other tests left behind complains now, not below
    caplog.clear()
    asked = threading.Event()
    engine = scripted(lambda request, vote, slot: "yes")

    async def slow_to_end(request):
        asked.set()
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.2)

    engine.complete = slow_to_end
    work = runtime.current().submit(judge().engine().complete(None))
    assert asked.wait(20)
    work.cancel()
    runtime.shutdown()
    del work
    gc.collect()
    assert not caplog.records


def test_the_exit_of_a_process_does_not_wait_for_a_stuck_engine(scripted, monkeypatch):
    engine = scripted(lambda request, vote, slot: "yes")
    judge().judge(response="x")
    engine.aclose = lambda: asyncio.sleep(60)
    monkeypatch.setattr(runtime, "CLOSE_SECONDS", 0.05)
    began = time.monotonic()
    runtime.shutdown()
    assert time.monotonic() - began < 10


def test_one_failed_vote_of_an_engine_is_withheld(scripted):
    engine = scripted(lambda request, vote, slot: "yes")
    whole = engine.complete

    async def some(request):
        completions = await whole(request)
        return [EngineError("lost"), *completions[1:]]

    engine.complete = some
    judgment = judge(votes=3).judge(response="x")
    assert judgment.status == "ok"
    assert judgment.criteria["good"].votes == (None, "yes", "yes")
    assert judgment.usage.requests == 2
