"""Votes beside each other: seeds, neighbours, cancellation, and faults that stay where they belong."""

import asyncio
import multiprocessing
import subprocess
import sys
import time
import weakref

import pytest

from genrm.engines.local.batching import next_batch
from genrm.engines.local.decoding import Row
from genrm.engines.local.sampling import Uniforms
from genrm.engines.local.writer import pick
from genrm.errors import ContextOverflowError, EngineError

LIKERT = tuple(map(str, range(1, 11)))


def facts(completion):
    """What must not depend on the batch, to the digits that an output row shows."""
    return (
        completion.text,
        completion.closed,
        {slot: {k: round(v, 6) for k, v in reading.p.items()} for slot, reading in completion.slots.items()},
        {slot: round(reading.outside, 6) for slot, reading in completion.slots.items()},
        {name: [(t.text, round(t.p, 6)) for t in tokens] for name, tokens in completion.tokens.items()},
    )


def test_a_vote_is_the_same_whatever_its_neighbours(engine, ask, complete):
    slots = {"a": ("no", "yes"), "b": LIKERT}
    request = ask("Is 2+2=4?", slots, seeds=(7,), critique_tokens=20)
    [alone] = complete(engine, request)
    others = [ask("x" * (9 * i), slots, seeds=(i, i + 1), critique_tokens=3 * i + 1) for i in range(5)]
    [together], *_ = complete(engine, request, *others)
    assert facts(together) == facts(alone)


def test_votes_of_one_call_equal_calls_of_one_vote(engine, ask, complete):
    seeds = tuple(range(20, 29))
    together = complete(engine, ask(seeds=seeds))
    apart = [complete(engine, ask(seeds=(seed,)))[0] for seed in seeds]
    assert [facts(completion) for completion in together] == [facts(completion) for completion in apart]


def test_seeds_repeat_and_differ(engine, ask, complete):
    seeds = (1, 2, 3, 2**63, -5)
    first, second = (complete(engine, ask(seeds=seeds, critique_tokens=30)) for _ in range(2))
    assert [completion.text for completion in first] == [completion.text for completion in second]
    assert len({completion.text for completion in first}) == len(seeds)


def test_completions_come_in_the_order_of_the_seeds(open_hf, ask, complete):
    engine = open_hf(batch_size=2)
    forwards = complete(engine, ask(seeds=(1, 2, 3, 4, 5)))
    backwards = complete(engine, ask(seeds=(5, 4, 3, 2, 1)))
    assert [c.text for c in forwards] == [c.text for c in reversed(backwards)]


def test_usage_counts_the_shared_prompt_once(engine, ask, complete):
    request = ask(seeds=(1, 2, 3))
    completions = complete(engine, request)
    prompt = completions[0].usage.prompt_tokens
    assert prompt > 10
    assert [c.usage.cached_tokens for c in completions] == [0, prompt, prompt]
    for completion in completions:
        assert completion.usage.requests == 1
        assert completion.usage.prompt_tokens == prompt
        critique = len(completion.tokens["correct"])
        assert critique < completion.usage.completion_tokens <= request.output.max_tokens


def test_a_prompt_that_is_too_long_fails_alone_and_before_any_work(engine, ask, monkeypatch):
    calls = []
    forward = engine.decoder._forward
    monkeypatch.setattr(engine.decoder, "_forward", lambda *a: (calls.append(1), forward(*a))[1])
    long, short = ask("word " * 700), ask()

    async def both():
        return await asyncio.gather(engine.complete(long), engine.complete(short), return_exceptions=True)

    error, completions = asyncio.run(both())
    assert isinstance(error, ContextOverflowError)
    assert "reads 640" in error.message
    assert str(long.output.max_tokens) in error.message
    assert short.output.parse(completions[0].text).labels
    calls.clear()
    with pytest.raises(ContextOverflowError):
        asyncio.run(engine.complete(long))
    assert calls == []


def test_a_cancelled_call_leaves_the_batch_and_the_engine_works_on(engine, ask, complete):
    slow = ask(slots={str(i): LIKERT for i in "abcdefgh"}, seeds=tuple(range(8)), critique_tokens=40)

    async def impatient():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await engine.complete(slow)
        started = time.monotonic()
        await engine.complete(ask(critique=False))
        return time.monotonic() - started

    whole = time.monotonic()
    complete(engine, slow)
    whole = time.monotonic() - whole
    assert asyncio.run(impatient()) < whole


class Broken:
    """Stands before a decoder's model and fails when told to."""

    def __init__(self, decoder, monkeypatch):
        self.forward = decoder._forward
        self.sizes = []
        self.fault = lambda size: None
        monkeypatch.setattr(decoder, "_forward", self)

    def __call__(self, ids, *rest):
        self.sizes.append(len(ids))
        self.fault(len(ids))
        return self.forward(ids, *rest)


@pytest.fixture
def broken(engine, monkeypatch):
    return Broken(engine.decoder, monkeypatch)


def test_a_fault_of_the_model_is_an_engine_error_and_passes(engine, ask, complete, broken):
    def fault(size):
        raise IndexError("index out of range in self")

    broken.fault = fault
    with pytest.raises(EngineError, match="IndexError: index out of range"):
        complete(engine, ask())
    broken.fault = lambda size: None
    assert len(complete(engine, ask())) == 1


def test_a_batch_that_does_not_fit_is_halved(engine, ask, complete, broken):
    import torch

    request = ask(seeds=(1, 2, 3, 4, 5), critique_tokens=8)
    wanted = [facts(completion) for completion in complete(engine, request)]

    def fault(size):
        if size > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    broken.fault = fault
    assert [facts(completion) for completion in complete(engine, request)] == wanted
    assert max(broken.sizes) > 2


def test_one_row_that_does_not_fit_is_told_so(engine, ask, complete, broken):
    import torch

    def fault(size):
        raise torch.OutOfMemoryError("CUDA out of memory")

    broken.fault = fault
    with pytest.raises(EngineError, match="does not fit into memory"):
        complete(engine, ask(seeds=(1, 2)))


def test_logits_that_are_no_numbers_become_an_error(engine, ask, complete, broken):
    inner = broken.forward

    def poison(*arguments):
        batch = inner(*arguments)
        batch.logits = batch.logits * float("nan")
        return batch

    broken.forward = poison
    for request in (ask(), ask(critique=False)):
        with pytest.raises(EngineError, match="no finite probabilities"):
            complete(engine, request)


def test_caches_without_rows_give_the_same_votes(engine, ask, complete, monkeypatch):
    from genrm.engines.local import decoding
    from genrm.engines.local.kv_cache import NoRowsError

    request = ask(slots={"a": ("no", "yes"), "b": LIKERT}, seeds=(1, 2, 3))
    wanted = [facts(completion) for completion in complete(engine, request)]

    def refuse(*_):
        raise NoRowsError

    monkeypatch.setattr(decoding, "take", refuse)
    assert [facts(completion) for completion in complete(engine, request)] == wanted


def test_an_engine_serves_many_loops_and_threads(engine, ask, complete):
    async def in_threads():
        return await asyncio.gather(*(asyncio.to_thread(complete, engine, ask(seeds=(i,))) for i in range(6)))

    found = asyncio.run(in_threads())
    assert [c[0].text for c in found] == [complete(engine, ask(seeds=(i,)))[0].text for i in range(6)]


@pytest.mark.parametrize("votes", [2, 40])
def test_a_closed_engine_says_so(model_folder, ask, votes):
    from genrm.engines import open_engine

    engine = open_engine(f"hf:{model_folder('qwen3')}", device="cpu", threads=1)
    request = ask(slots=dict.fromkeys("abcdefgh", LIKERT), seeds=tuple(range(votes)), critique_tokens=40)

    async def close_under_way():
        call = asyncio.ensure_future(engine.complete(request))
        await asyncio.sleep(0.03)
        await engine.aclose()
        with pytest.raises(EngineError, match="closed"):
            await call
        with pytest.raises(EngineError, match="closed"):
            await engine.complete(ask())

    asyncio.run(asyncio.wait_for(close_under_way(), 20))


def _in_child(engine, request, pipe):
    try:
        asyncio.run(engine.complete(request))
    except EngineError as error:
        pipe.send(error.message)


def test_a_forked_child_is_told_to_open_its_own_engine(open_hf, ask):
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=_in_child, args=(open_hf(), ask(), theirs))
    child.start()
    assert ours.poll(20)
    assert "fork" in ours.recv()
    child.join(20)
    assert child.exitcode == 0


def test_the_oldest_row_goes_first_with_those_of_its_length():
    rows = [Row(tuple(range(n)), writer=None, deliver=None) for n in (50, 10, 49, 500, 51, 11)]
    assert [len(row.prompt) for row in next_batch(rows, 3)] == [50, 49, 51]
    assert len(next_batch(rows, 99)) == len(rows)


def test_uniforms_are_uniform_and_follow_from_the_seed():
    numbers = Uniforms(3)
    drawn = [numbers() for _ in range(2000)]
    assert all(0 <= number < 1 for number in drawn)
    assert abs(sum(drawn) / len(drawn) - 0.5) < 0.03
    assert Uniforms(3)() == drawn[0] != Uniforms(4)()


@pytest.mark.parametrize("temperature", [1e-3, 0.5, 1.0, 2.0, 50.0])
def test_labels_are_picked_at_a_temperature(temperature):
    p = {"a": 0.5, "b": 0.3, "c": 0.2, "never": 0.0}
    weights = {label: (weight / 0.5) ** (1 / temperature) for label, weight in p.items()}
    grid = [(i + 0.5) / 4000 for i in range(4000)]
    picked = [pick(p, uniform, temperature) for uniform in grid]
    for label, weight in weights.items():
        assert picked.count(label) / 4000 == pytest.approx(weight / sum(weights.values()), abs=1e-3)
    assert "never" not in picked
    assert pick({"a": 0.4, "b": 0.4, "c": 0.2}, 0.99, 0) == "a"


def test_the_exit_of_python_ends_the_thread_of_an_engine():
    """At that point the executors of event loops are gone already."""
    code = """
import atexit
atexit.register(lambda: print(worker._thread.is_alive()))
from genrm.engines.local.batching import Worker
from genrm.judging import runtime
worker = Worker(None, None, batch_size=1)
class Engine:
    aclose = staticmethod(worker.close)
runtime.current()._engines[("a", "")] = Engine
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (found.stdout, found.stderr) == ("False\n", "")


def test_the_memory_of_a_batch_that_did_not_fit_is_free_when_its_halves_run(engine, ask, complete, broken):
    import torch

    held = []

    def fault(size):
        tensor = torch.empty(1)
        assert all(ref() is None for ref in held)
        if size > 1:
            held.append(weakref.ref(tensor))
            raise torch.OutOfMemoryError("CUDA out of memory")

    broken.fault = fault
    assert len(complete(engine, ask(seeds=(1, 2)))) == 2
    assert held
