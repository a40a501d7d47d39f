"""The bounded window: order, limits, early stop, plain and asynchronous sources."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from genrm.judging.window import BUFFER, window


async def _run(items, delays, *, limit, ordered):
    running = peak = 0

    async def work(item, index):
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(delays[index])
        running -= 1
        return item

    def start(item, index):
        return asyncio.ensure_future(work(item, index))

    return [result async for result in window(items, start, limit=limit, ordered=ordered)], peak


def test_order_is_kept_whatever_the_delays():
    delays = [0.03, 0.0, 0.02, 0.0, 0.01]
    results, peak = asyncio.run(_run(range(5), delays, limit=3, ordered=True))
    assert results == [0, 1, 2, 3, 4]
    assert peak == 3


def test_unordered_gives_what_is_ready_first():
    delays = [0.05, 0.0, 0.01]
    results, _ = asyncio.run(_run("abc", delays, limit=3, ordered=False))
    assert results[-1] == "a"
    assert sorted(results) == ["a", "b", "c"]


@pytest.mark.parametrize("ordered", [True, False])
def test_no_item_is_lost_or_doubled(ordered):
    delays = [(index * 7919 % 5) / 1000 for index in range(200)]
    results, peak = asyncio.run(_run(range(200), delays, limit=8, ordered=ordered))
    assert sorted(results) == list(range(200))
    assert peak <= 8


def test_a_slow_head_does_not_let_the_buffer_grow_without_bound():
    taken = []

    def items():
        for index in range(1000):
            taken.append(index)
            yield index

    async def go():
        gate = asyncio.Event()

        async def work(item):
            if item == 0:
                await gate.wait()
            return item

        stream = window(items(), lambda item, _: asyncio.ensure_future(work(item)), limit=4, ordered=True)
        head = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.05)
        held = len(taken)
        gate.set()
        first = await head
        await stream.aclose()
        return first, held

    first, held = asyncio.run(go())
    assert first == 0
    assert held <= BUFFER * 4 + 1


def test_asynchronous_source_that_is_slower_than_the_work():
    async def items() -> AsyncIterator[int]:
        for index in range(5):
            await asyncio.sleep(0.002)
            yield index

    results, _ = asyncio.run(_run(items(), [0.0] * 5, limit=2, ordered=True))
    assert results == [0, 1, 2, 3, 4]


def test_stopping_early_cancels_what_is_unfinished():
    cancelled = []

    async def go():
        async def work(item):
            try:
                await asyncio.sleep(0 if item == 0 else 60)
            except asyncio.CancelledError:
                cancelled.append(item)
                raise
            return item

        stream = window(range(3), lambda item, _: asyncio.ensure_future(work(item)), limit=3, ordered=True)
        assert await anext(stream) == 0
        await stream.aclose()
        await asyncio.sleep(0.01)

    asyncio.run(go())
    assert cancelled == [1, 2]


def test_empty_source():
    results, peak = asyncio.run(_run([], [], limit=2, ordered=True))
    assert results == []
    assert peak == 0


@pytest.mark.parametrize("total", [BUFFER * 4, 100])
def test_a_head_that_is_slower_than_a_full_buffer_does_not_stop_the_stream(total):
    delays = [0.05] + [0.0] * (total - 1)
    results, _ = asyncio.run(asyncio.wait_for(_run(range(total), delays, limit=4, ordered=True), 10))
    assert results == list(range(total))
