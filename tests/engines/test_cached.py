"""The answer cache around a scripted engine: what is paid for, what is kept, and who waits for whom."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from genrm.compiler.output import Free, Thinking, plan_output
from genrm.compiler.request import JudgeRequest
from genrm.engines.answers.cached import CachedEngine
from genrm.engines.answers.key import AnswerKey, label_of
from genrm.engines.answers.store import AnswerStore
from genrm.engines.base import Capabilities, Completion, SlotReading, Usage
from genrm.engines.calls.call import Offers
from genrm.errors import EngineError, RunStoppedError, TruncatedError

PLAN = plan_output({"correct": ("no", "yes")}, critique_tokens=8)


class ScriptedEngine:
    """No model: answers "yes" with the vote's index as critique, after ``gate`` opens; ``script`` may say otherwise.

    ``calls`` holds the seeds of every request that reached it.
    """

    name, model = "scripted", "scripted-1:00"

    def __init__(self, *, seeds=True, script=None, gate=None):
        self.capabilities = Capabilities(seeds=seeds)
        self.calls, self.script, self.gate = [], script or {}, gate
        self.cancelled = self.closed = 0
        self.card = "a card"

    async def complete(self, request):
        self.calls.append((request.first_vote, request.seeds))
        try:
            if self.gate is not None:
                await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        outcomes = [self.answer(request, index) for index in range(len(request.seeds))]
        if all(isinstance(outcome, BaseException) for outcome in outcomes):
            raise outcomes[0]
        return outcomes

    def answer(self, request, index):
        vote = request.first_vote + index
        planned = self.script.get(vote)
        if isinstance(planned, list):
            planned = planned.pop(0) if planned else None
        if planned is not None:
            return planned
        usage = Usage(requests=1, prompt_tokens=10, completion_tokens=3, cost_usd=0.01)
        text = f'{{"critique":"vote {vote}","label":"yes"}}'
        return Completion(text, usage, {"correct": SlotReading({"no": 0.1 / 3, "yes": 1 - 0.1 / 3}, 1e-17)})

    def count_tokens(self, text):
        return len(text)

    async def aclose(self):
        self.closed += 1


def request(text="2+2?", *, seeds=(5,), first_vote=0, temperature=1.0, plan=PLAN, **other):
    return JudgeRequest(({"role": "user", "content": text},), plan, seeds, temperature, first_vote=first_vote, **other)


@pytest.fixture
def store(tmp_path):
    made = AnswerStore(tmp_path / "answers.db")
    yield made
    made.close()


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 60))


async def until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.002)


def test_the_same_call_is_paid_for_once_also_by_another_process(tmp_path):
    first, second = (CachedEngine(ScriptedEngine(), AnswerStore(tmp_path / "a.db")) for _ in range(2))
    [paid] = run(first.complete(request()))
    run(first.aclose())
    [free] = run(second.complete(request(sample_id="another", timeout_s=3.0)))
    run(second.aclose())
    assert paid.usage == Usage(requests=1, prompt_tokens=10, completion_tokens=3, cost_usd=0.01)
    assert free == replace(paid, usage=Usage(cache_hits=1))
    assert second.engine.calls == []
    assert second.engine.closed == 1


def test_it_stands_for_its_engine(store):
    engine = CachedEngine(ScriptedEngine(), store)
    assert (engine.name, engine.model, engine.card) == ("scripted", "scripted-1:00", "a card")
    assert engine.capabilities is engine.engine.capabilities
    assert engine.count_tokens("abc") == 3
    with pytest.raises(AttributeError):
        _ = engine.probe


def test_votes_that_are_missing_are_asked_for_in_runs(store):
    engine = CachedEngine(ScriptedEngine(), store)
    seeds = tuple(range(100, 107))
    run(engine.complete(request(seeds=seeds[2:4], first_vote=2)))
    run(engine.complete(request(seeds=seeds[6:], first_vote=6)))
    engine.engine.calls.clear()
    found = run(engine.complete(request(seeds=seeds)))
    assert sorted(engine.engine.calls) == [(0, (100, 101)), (4, (104, 105))]
    assert [f"vote {vote}" in one.text for vote, one in enumerate(found)] == [True] * 7
    assert [one.usage.cache_hits for one in found] == [0, 0, 1, 1, 0, 0, 1]


def test_keys_hold_whatever_can_change_an_answer():
    base = ScriptedEngine()
    plain = request(seeds=(7, 8))

    def keys(asked=plain, engine=base, address=None, **options):
        return AnswerKey(engine, options, address).of(asked)

    def changed(**attributes):
        other = ScriptedEngine()
        vars(other).update(attributes)
        return other

    free = replace(PLAN, free=Free("arena@sha256:1", 64))
    others = [
        keys(engine=changed(name="http")),
        keys(engine=changed(model="scripted-1:01")),
        keys(engine=changed(offers=Offers(prefill=True))),
        keys(engine=changed(arithmetic="cpu torch.float32")),
        keys(engine=changed(arithmetic="cuda torch.bfloat16")),
        keys(address="http://a:1/v1"),
        keys(address="http://b:1/v1"),
        keys(dtype="float32"),
        keys(extra_body={"top_k": 1}),
        keys(request("2+3?", seeds=(7, 8))),
        keys(replace(plain, messages=({"role": "system", "content": "2+2?"},))),
        keys(replace(plain, temperature=0.5)),
        keys(replace(plain, temperature=0.0)),
        keys(replace(plain, seeds=(9, 10))),
        keys(replace(plain, first_vote=1)),
        keys(replace(plain, output=plan_output({"correct": ("yes", "no")}, critique_tokens=8))),
        keys(replace(plain, output=plan_output({"correct": ("no", "yes")}, critique_tokens=9))),
        keys(replace(plain, output=plan_output({"right": ("no", "yes")}, critique_tokens=8))),
        keys(replace(plain, output=replace(PLAN, critique=False))),
        keys(replace(plain, output=replace(PLAN, thinking=Thinking("</think>", 9)))),
        keys(replace(plain, output=free)),
        keys(replace(plain, output=replace(free, free=Free("arena@sha256:2", 64)))),
    ]
    every = [key for group in [keys(), *others] for key in group]
    assert len(set(every)) == len(every) == 2 * 23
    assert keys() == keys(batch_size=3) == keys(replace(plain, sample_id="x", timeout_s=1.0))


def test_seeds_count_only_where_they_steer():
    cold, warm = request(temperature=0.0, seeds=(1,)), request(temperature=1.0, seeds=(1,))
    for engine, asked, apart in (
        (ScriptedEngine(), cold, False),
        (ScriptedEngine(), warm, True),
        (ScriptedEngine(seeds=False), warm, False),
    ):
        key = AnswerKey(engine, {})
        assert (key.of(asked) != key.of(replace(asked, seeds=(2,)))) is apart


def test_a_password_in_an_address_is_in_no_label():
    address = "https://me:secret@host:8000/v1"
    assert label_of(ScriptedEngine(), address) == "scripted-1:00 at https://host:8000/v1"
    assert label_of(ScriptedEngine()) == "scripted-1:00"


def test_errors_and_outputs_that_cannot_be_read_are_not_kept(store):
    cut = Completion('{"critique":"half', Usage(requests=1), cut=True)
    broken = Completion('{"label":"maybe"}', Usage(requests=1))
    inner = ScriptedEngine(script={0: [cut], 1: [broken], 2: [TruncatedError("cut")]})
    engine = CachedEngine(inner, store)
    first = run(engine.complete(request(seeds=(1, 2, 3, 4))))
    assert first[:2] == [cut, broken]
    assert isinstance(first[2], TruncatedError)
    second = run(engine.complete(request(seeds=(1, 2, 3, 4))))
    assert [one.usage.cache_hits for one in second] == [0, 0, 0, 1]
    assert inner.calls == [(0, (1, 2, 3, 4)), (0, (1, 2, 3))]


def test_a_failure_of_the_engine_is_raised_as_it_is(store):
    for error in (EngineError("down"), RunStoppedError("the budget is spent"), RuntimeError("a fault")):
        engine = CachedEngine(ScriptedEngine(script={0: error}), store)
        with pytest.raises(type(error), match=str(error)):
            run(engine.complete(request(f"{error}")))
    with_hits = CachedEngine(ScriptedEngine(), store)
    run(with_hits.complete(request("mixed", seeds=(1,))))
    with_hits.engine.script[1] = EngineError("down")
    hit, failed = run(with_hits.complete(request("mixed", seeds=(1, 2))))
    assert hit.usage.cache_hits == 1
    assert isinstance(failed, EngineError)


def test_what_a_failed_call_has_cost_counts_once(store):
    engine = CachedEngine(ScriptedEngine(), store)
    run(engine.complete(request(seeds=(5,))))
    error = EngineError("down").spent(Usage(requests=1, cost_usd=0.5))
    engine.engine.script = {1: error, 2: error, 3: error}
    found = run(engine.complete(request(seeds=(5, 6, 7, 8))))
    assert [str(one) for one in found[1:]] == ["down"] * 3
    assert [one.usage for one in found] == [Usage(cache_hits=1), error.usage, None, None]


def test_the_same_call_at_the_same_time_is_made_once(store):
    async def main():
        engine = CachedEngine(ScriptedEngine(gate=asyncio.Event()), store)
        waiting = [asyncio.ensure_future(engine.complete(request(seeds=(1, 2)))) for _ in range(9)]
        overlapping = asyncio.ensure_future(engine.complete(request(seeds=(2, 3), first_vote=1)))
        await until(lambda: len(engine.engine.calls) == 2)
        engine.engine.gate.set()
        found = await asyncio.gather(*waiting, overlapping)
        assert sorted(engine.engine.calls) == [(0, (1, 2)), (2, (3,))]
        assert sum(one.usage.requests for row in found for one in row) == 3
        assert sum(one.usage.cache_hits for row in found for one in row) == 17
        assert len({one.text for row in found for one in row}) == 3

    run(main())


def test_who_gives_up_does_not_take_the_call_from_the_others(store):
    async def main():
        engine = CachedEngine(ScriptedEngine(gate=asyncio.Event()), store)
        leader, second, third = (asyncio.ensure_future(engine.complete(request())) for _ in range(3))
        await until(lambda: engine.engine.calls)
        leader.cancel()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await second
        assert not third.done()
        engine.engine.gate.set()
        [found] = await third
        assert found.usage.cache_hits == 1
        assert len(engine.engine.calls) == 1
        assert engine.engine.cancelled == 0
        with pytest.raises(asyncio.CancelledError):
            await leader

    run(main())


def test_a_call_that_nobody_waits_for_is_cancelled_and_can_be_made_again(store):
    async def main():
        engine = CachedEngine(ScriptedEngine(gate=asyncio.Event()), store)
        waiting = [asyncio.ensure_future(engine.complete(request())) for _ in range(3)]
        await until(lambda: engine.engine.calls)
        for one in waiting:
            one.cancel()
        # At once, while the old call is on its way out.
        again = asyncio.ensure_future(engine.complete(request()))
        await asyncio.gather(*waiting, return_exceptions=True)
        await until(lambda: engine.engine.cancelled)
        engine.engine.gate.set()
        [found] = await again
        assert found.usage.requests == 1
        assert len(engine.engine.calls) == 2

    run(main())


def test_when_a_call_fails_those_who_waited_try_themselves(store):
    async def main():
        inner = ScriptedEngine(gate=asyncio.Event(), script={0: [EngineError("once")]})
        engine = CachedEngine(inner, store)
        waiting = [asyncio.ensure_future(engine.complete(request())) for _ in range(5)]
        await until(lambda: inner.calls)
        inner.gate.set()
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(found[0], EngineError)
        assert all(len(row) == 1 for row in found[1:])
        assert len(inner.calls) == 2, "the second call served all who were left"

    run(main())


def test_an_engine_that_always_fails_fails_everybody_and_soon(store):
    async def main():
        inner = ScriptedEngine(gate=asyncio.Event(), script={0: EngineError("for good")})
        engine = CachedEngine(inner, store)
        waiting = [asyncio.ensure_future(engine.complete(request())) for _ in range(20)]
        await until(lambda: inner.calls)
        inner.gate.set()
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(one, EngineError) for one in found)
        assert len(inner.calls) == 20, "each has asked once, none has waited for nineteen others"

    run(main())


def test_closing_ends_the_calls_under_way(store):
    async def main():
        engine = CachedEngine(ScriptedEngine(gate=asyncio.Event()), store)
        waiting = asyncio.ensure_future(engine.complete(request()))
        await until(lambda: engine.engine.calls)
        await engine.aclose()
        with pytest.raises(EngineError, match="closed"):
            await waiting
        assert engine.engine.closed == 1

    run(main())


def test_many_requests_with_random_cancellations_end_well(store):
    import random

    async def main():
        dice = random.Random(4)

        class Slow(ScriptedEngine):
            async def complete(self, request):
                await asyncio.sleep(dice.random() * 0.01)
                if dice.random() < 0.2:
                    raise EngineError("now and then")
                return await super().complete(request)

        engine = CachedEngine(Slow(), store)

        async def one(number):
            start = dice.randrange(3)
            asked = request(f"question {dice.randrange(12)}", seeds=(start, start + 1), first_vote=start)
            try:
                async with asyncio.timeout(0.004 if dice.random() < 0.3 else 30):
                    found = await engine.complete(asked)
            except (TimeoutError, EngineError) as error:
                return type(error)
            for vote, item in enumerate(found, start):
                # One of the two can fail alone, when the other one was there already.
                assert isinstance(item, EngineError) or f"vote {vote}" in item.text
            return "ok"

        results = await asyncio.gather(*(one(number) for number in range(400)))
        assert results.count("ok") > 200
        await until(lambda: not engine._flights and not engine._tasks)

    run(main())
