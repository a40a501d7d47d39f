"""The cases of the conformance suite, one per feature: the same questions to every engine, the same claims about it.

A case gets a :class:`Bench`, asks, and asserts. It knows nothing of the engine but what the protocol says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from genrm.compiler.output import Free, Thinking, plan_output
from genrm.compiler.request import JudgeRequest
from genrm.engines.base import Completion, Usage
from genrm.errors import ContextOverflowError, DeadlineError, JudgeError, RefusedError
from genrm.judging.runtime import Runtime
from genrm.verdicts.read import read_verdicts

BINARY = {"correct": ("no", "yes")}
LIKERT = {"clear": tuple("12345")}
TEN = {"depth": tuple(map(str, range(1, 11)))}
OWN = {"tone": ("poor", "fair", "good", "excellent")}
JOINT = BINARY | TEN | OWN
SEEDS = tuple(range(8))


@dataclass
class Bench:
    """An open engine and the loop that it lives on."""

    name: str
    engine: Any
    runtime: Runtime

    def request(
        self,
        slots: dict[str, tuple[str, ...]],
        text: str = "Is 2+2=4?",
        *,
        seeds: tuple[int, ...] = (0,),
        temperature: float = 1.0,
        critique_tokens: int = 10,
        timeout_s: float | None = 300.0,
        **plan: Any,
    ) -> JudgeRequest:
        output = plan_output(slots, critique_tokens=critique_tokens, **plan)
        messages = ({"role": "user", "content": text},)
        return JudgeRequest(messages, output, seeds, temperature, sample_id="7", timeout_s=timeout_s)

    def run(self, request: JudgeRequest) -> list[Completion | JudgeError]:
        """What becomes of a request, as a judge would see it."""

        async def ask() -> list[Completion | JudgeError]:
            try:
                # As judges do it: an engine without a queue leaves its deadline to its caller.
                async with asyncio.timeout(None if self.engine.capabilities.queues else request.timeout_s):
                    return await self.engine.complete(request)
            except TimeoutError:
                return [DeadlineError("no verdict") for _ in request.seeds]
            except JudgeError as error:
                return [error] * len(request.seeds)

        return self.runtime.call(ask())

    def judge(self, slots: dict[str, tuple[str, ...]], text: str = "Is 2+2=4?", **how: Any) -> list[Completion]:
        """Completions that all must be verdicts."""
        request = self.request(slots, text, **how)
        found = self.run(request)
        assert len(found) == len(request.seeds)
        for completion in found:
            assert isinstance(completion, Completion), completion
            if request.output.free is None:
                for slot, verdict in read_verdicts(request, completion).items():
                    assert verdict.error is None, verdict.error
                    assert verdict.label in slots[slot]
        return found


def labels(bench: Bench) -> None:
    for slots in (BINARY, TEN):
        [slot] = slots
        turned = {slot: slots[slot][::-1]}
        [one], [other] = (bench.judge(item, temperature=0.0, critique=False) for item in (slots, turned))
        if bench.name != "replay":
            assert one.text == other.text
        for completion, item in ((one, slots), (other, turned)):
            if slot in completion.slots:
                assert tuple(completion.slots[slot].p) == item[slot]
        if slot in one.slots and slot in other.slots and bench.name != "replay":
            # Tokens that were not shown may fall differently; see genrm.engines.calls.slots.NEGLIGIBLE.
            assert one.slots[slot].p == pytest.approx(other.slots[slot].p, abs=5e-3)


def critique_first(bench: Bench) -> None:
    slots = JOINT if bench.engine.capabilities.joint else BINARY
    for completion in bench.judge(slots, seeds=SEEDS[:3]):
        text = completion.text
        places = [text.index(f'"{slot}"') for slot in slots] if len(slots) > 1 else [0]
        assert places == sorted(places)
        for start in places:
            assert 0 <= text.index('"critique"', start) < text.index('"label"', start)


def scales(bench: Bench) -> None:
    for slots in (BINARY, LIKERT, TEN, OWN):
        bench.judge(slots, seeds=SEEDS[:2])


def shared_beginnings(bench: Bench) -> None:
    for names in (("1", "10", "100"), ("tie", "tied", "ti"), ("good", "good enough"), ("excellent", "exceptional")):
        bench.judge({"q": names}, seeds=SEEDS[:3], critique=False)


def unicode(bench: Bench) -> None:
    slots = {"größe": ("größer", "größte", "短い", "🙂", 'say "hi"')}
    bench.judge(slots, "Ist das größer? 短い 🙂 \u202e", seeds=SEEDS[:3])


def empty_critique(bench: Bench) -> None:
    bench.judge(BINARY, seeds=SEEDS[:3], critique_tokens=0)


def long_critique(bench: Bench) -> None:
    found = bench.judge(BINARY, seeds=tuple(range(16)), critique_tokens=1)
    assert not any(completion.cut for completion in found)
    assert any(completion.closed == ("correct",) for completion in found)


def score_only(bench: Bench) -> None:
    for completion in bench.judge(BINARY, seeds=SEEDS[:3], critique=False):
        assert "critique" not in completion.text


def joint(bench: Bench) -> None:
    bench.judge(JOINT, seeds=SEEDS[:2])


def thinking(bench: Bench) -> None:
    for completion in bench.judge(BINARY, seeds=SEEDS[:3], thinking=Thinking("</think>", 16)):
        assert completion.thinking is not None
        assert "</think>" not in completion.text


def free_form(bench: Bench) -> None:
    for completion in bench.judge(BINARY, seeds=SEEDS[:2], free=Free("any@sha256:0", 12)):
        assert completion.text
        assert completion.slots == {}


def probabilities(bench: Bench) -> None:
    seen = 0
    for slots in (BINARY, OWN):
        [slot] = slots
        for completion in bench.judge(slots, seeds=SEEDS[:4]):
            if (reading := completion.slots.get(slot)) is not None:
                seen += 1
                assert tuple(reading.p) == slots[slot]
                assert sum(reading.p.values()) == pytest.approx(1.0)
                assert all(0.0 <= p <= 1.0 for p in reading.p.values())
    assert seen


def outside(bench: Bench) -> None:
    for completion in bench.judge(BINARY, seeds=SEEDS[:3]):
        assert 0.0 <= completion.slots["correct"].outside <= 1.0


def distinct(bench: Bench) -> None:
    assert len({completion.text for completion in bench.judge(BINARY, seeds=SEEDS)}) > 1


def greedy(bench: Bench) -> None:
    found = bench.judge(BINARY, seeds=SEEDS[:3], temperature=0.0) + bench.judge(BINARY, temperature=0.0)
    assert len({completion.text for completion in found}) == 1


def seeds(bench: Bench) -> None:
    first, again = (bench.judge(BINARY, seeds=SEEDS[2:6]) for _ in range(2))
    assert [completion.text for completion in first] == [completion.text for completion in again]
    [alone] = bench.judge(BINARY, seeds=SEEDS[3:4])
    assert bench.name == "replay" or alone.text == first[1].text


def usage(bench: Bench) -> None:
    # Without critiques there is nothing to complete, so every call has the same prompt.
    [alone] = bench.judge(BINARY, seeds=SEEDS[:1], critique=False)
    found = bench.judge(BINARY, seeds=SEEDS[:4], critique=False)
    total = sum((completion.usage for completion in found), Usage())
    assert alone.usage.requests >= 1
    assert alone.usage.prompt_tokens > 0
    assert alone.usage.prompt_tokens <= total.prompt_tokens <= total.requests * alone.usage.prompt_tokens
    assert all(completion.usage.completion_tokens > 0 for completion in found)
    assert total.cached_tokens <= total.prompt_tokens


def overflow(bench: Bench) -> None:
    limit = bench.engine.capabilities.context_tokens or 20_000
    [error] = bench.run(bench.request(BINARY, "2+2=4! " * limit))
    assert isinstance(error, ContextOverflowError)
    assert not error.can_retry
    bench.judge(BINARY)


def refusal(bench: Bench) -> None:
    [error] = bench.run(bench.request(BINARY, "REFUSE this"))
    assert isinstance(error, RefusedError)
    bench.judge(BINARY)


def deadline(bench: Bench) -> None:
    found = bench.run(bench.request(BINARY, seeds=SEEDS, critique_tokens=60, timeout_s=0.001))
    assert all(isinstance(outcome, DeadlineError) for outcome in found), found
    bench.judge(BINARY)


def cancelled(bench: Bench) -> None:
    request = bench.request(BINARY, seeds=tuple(range(32)), critique_tokens=80)

    async def give_up() -> None:
        task = asyncio.ensure_future(bench.engine.complete(request))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    bench.runtime.call(give_up())
    bench.judge(BINARY)


def images(bench: Bench) -> None:
    raise AssertionError("write this case when the first engine takes images")


CASES: dict[str, Callable[[Bench], None]] = {
    case.__name__: case
    for case in (
        labels,
        critique_first,
        scales,
        shared_beginnings,
        unicode,
        empty_critique,
        long_critique,
        score_only,
        joint,
        thinking,
        free_form,
        probabilities,
        outside,
        distinct,
        greedy,
        seeds,
        usage,
        overflow,
        refusal,
        deadline,
        cancelled,
        images,
    )
}
