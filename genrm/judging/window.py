"""A bounded window over a stream of work: so many at a time, results in order or as they are ready."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from typing import Generic, TypeVar

from genrm.errors import RunStoppedError

Item = TypeVar("Item")
Result = TypeVar("Result")

BUFFER = 4
"""How many windows of finished results may wait behind a slow one before no more work is started."""


async def window(
    items: Iterable[Item] | AsyncIterable[Item],
    start: Callable[[Item, int], asyncio.Future[Result]],
    *,
    limit: int,
    ordered: bool,
) -> AsyncGenerator[Result, None]:
    """Start work on each item, at most ``limit`` unfinished at a time, and yield the results.

    ``start`` gets the item and its index. What is unfinished when the consumer stops early is cancelled.

    Once a piece of work ends with :class:`RunStoppedError`, none is started any more. The results before it are
    yielded, without an order those of everything that is under way too, and then it is raised.
    """
    wake = asyncio.Event()
    feed = _Feed(items, wake)
    started: deque[asyncio.Future[Result]] = deque()
    finished: deque[asyncio.Future[Result]] = deque()
    running = index = 0
    stop: RunStoppedError | None = None

    def on_done(future: asyncio.Future[Result]) -> None:
        nonlocal running, stop
        running -= 1
        stop = stop or _stop(future)
        if not ordered:
            finished.append(future)
        wake.set()

    try:
        while True:
            wake.clear()
            while stop is None and running < limit and len(started) < BUFFER * limit and feed.ready():
                future = start(feed.take(), index)
                future.add_done_callback(on_done)
                started.append(future)
                index += 1
                running += 1
            room = False
            while started and (finished or (ordered and started[0].done())):
                future = finished.popleft() if finished else started[0]
                started.remove(future)
                room = True
                if (raised := _stop(future)) is None:
                    yield future.result()
                elif ordered:
                    raised.unwritten = sum(_succeeded(later) for later in started)
                    raise raised
            if stop is not None and not started:
                raise stop
            if feed.exhausted and not started:
                return
            # With a full buffer handed over nothing may be running any more, so nobody would wake this up.
            if not room:
                await wake.wait()
    finally:
        feed.close()
        for future in started:
            future.cancel()


def _stop(future: asyncio.Future[Result]) -> RunStoppedError | None:
    error = None if future.cancelled() else future.exception()
    return error if isinstance(error, RunStoppedError) else None


def _succeeded(future: asyncio.Future[Result]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


class _Feed(Generic[Item]):
    """One item ahead of a plain or asynchronous iterable, without ever blocking on the latter."""

    def __init__(self, items: Iterable[Item] | AsyncIterable[Item], wake: asyncio.Event) -> None:
        self.exhausted = False
        self._wake = wake
        self._held: list[Item] = []
        self._coming: asyncio.Future[Item] | None = None
        self._later = aiter(items) if isinstance(items, AsyncIterable) else None
        self._now = None if isinstance(items, AsyncIterable) else iter(items)

    def ready(self) -> bool:
        """Whether :meth:`take` has an item; if one is under way, ``wake`` is set when it comes."""
        if self._held or self.exhausted:
            return bool(self._held)
        if self._now is not None:
            for item in self._now:
                self._held.append(item)
                return True
            self.exhausted = True
            return False
        if self._coming is None:
            assert self._later is not None
            self._coming = asyncio.ensure_future(anext(self._later))
            self._coming.add_done_callback(lambda _: self._wake.set())
        if self._coming.done():
            coming, self._coming = self._coming, None
            try:
                self._held.append(coming.result())
            except StopAsyncIteration:
                self.exhausted = True
        return bool(self._held)

    def take(self) -> Item:
        return self._held.pop()

    def close(self) -> None:
        if self._coming is not None:
            self._coming.cancel()
