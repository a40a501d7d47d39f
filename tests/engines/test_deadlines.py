"""Deadlines of engines with a queue, votes that fail alone, and fingerprints of models."""

import asyncio
import threading
import time
from dataclasses import replace

import pytest

from genrm.compiler.output import plan_output
from genrm.compiler.request import JudgeRequest
from genrm.engines.base import Completion, Usage
from genrm.engines.fingerprint import WHOLE, fingerprint
from genrm.engines.local.batching import Worker
from genrm.engines.local.decoding import Row
from genrm.errors import DeadlineError, EngineError

PLAN = plan_output({"a": ("no", "yes")}, critique_tokens=4)
DONE = Completion("{}", Usage())


def rows(request):
    return [Row((seed,), lambda: None, deliver=lambda _: None) for seed in request.seeds]


def request(*seeds, timeout_s=None):
    return JudgeRequest((), PLAN, seeds=seeds, timeout_s=timeout_s)


def run_with(run, *requests, batch_size=1):
    """The outcomes of requests that come at the same time."""

    async def go():
        worker = Worker(rows, run, batch_size=batch_size)
        try:
            return await asyncio.gather(*map(worker.submit, requests), return_exceptions=True)
        finally:
            await worker.close()

    return asyncio.run(go())


def test_waiting_for_others_is_not_counted():
    def slow(batch):
        time.sleep(0.06)
        for row in batch:
            row.finish(DONE)

    outcomes = run_with(slow, *(request(n, timeout_s=0.2) for n in range(8)))
    assert [len(outcome) for outcome in outcomes] == [1] * 8


def test_a_row_that_runs_too_long_is_given_up():
    released = threading.Event()

    def hang(batch):
        while not all(row.dropped() for row in batch):
            time.sleep(0.01)
        released.set()
        for row in batch:
            row.finish(EngineError("unwanted"))

    (outcome,) = run_with(hang, request(1, timeout_s=0.1))
    assert isinstance(outcome, DeadlineError)
    assert "within 0.1 s" in outcome.message
    assert released.is_set()


def test_a_call_behind_a_model_that_hangs_is_given_up_too():
    stop = threading.Event()

    def hang(batch):
        stop.wait(10)
        for row in batch:
            row.finish(DONE)

    async def go():
        worker = Worker(rows, hang, batch_size=1)
        first = asyncio.ensure_future(worker.submit(request(1, timeout_s=None)))
        await asyncio.sleep(0.05)
        try:
            with pytest.raises(DeadlineError):
                await worker.submit(request(2, timeout_s=0.1))
        finally:
            stop.set()
            await first
            await worker.close()

    asyncio.run(go())


def test_one_vote_that_fails_leaves_the_others():
    def some(batch):
        for row in batch:
            row.finish(EngineError("broken") if row.prompt == (2,) else DONE)

    ((first, second, third),) = run_with(some, request(1, 2, 3), batch_size=3)
    assert (first, third) == (replace(DONE, usage=first.usage), replace(DONE, usage=third.usage))
    assert isinstance(second, EngineError)


def test_votes_that_all_fail_are_an_error_of_the_call():
    def none(batch):
        for row in batch:
            row.finish(EngineError("broken"))

    (outcome,) = run_with(none, request(1, 2), batch_size=2)
    assert isinstance(outcome, EngineError)


def test_a_fingerprint_follows_names_and_contents(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    first = fingerprint(tmp_path)
    assert first == fingerprint(tmp_path)
    assert len(first) == 12
    (tmp_path / "README.md").write_text("no part of the model")
    assert fingerprint(tmp_path) == first
    (tmp_path / "model.safetensors").write_bytes(b"weightz")
    assert fingerprint(tmp_path) != first


def test_large_files_count_by_size_and_ends(tmp_path):
    path = tmp_path / "model.safetensors"
    with path.open("wb") as file:
        file.truncate(WHOLE + 10)
    first = fingerprint(tmp_path)
    with path.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"x")
    assert fingerprint(tmp_path) != first
