"""A queue before vLLM's own: so many sequences at a time, first come first served.

    >>> turns = Turns(64)
    >>> async with turns.take(5):                                                            # doctest: +SKIP
    ...     ...

vLLM does not say when it begins with a request, and a deadline counts from then. So only about as many sequences are
handed over as run side by side; the others wait here, where their clock stands still.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """At most ``limit`` sequences at a time; more than that at once only when nothing else runs."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._running = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def take(self, count: int) -> AsyncIterator[None]:
        """A turn for ``count`` sequences."""
        if self._waiting or not self._fits(count):
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append((count, turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.cancelled():
                    self._next()
                else:  # its turn had come in the same moment
                    self._release(count)
                raise
        else:
            self._running += count
        try:
            yield
        finally:
            self._release(count)

    def _fits(self, count: int) -> bool:
        return not self._running or self._running + count <= self.limit

    def _release(self, count: int) -> None:
        self._running -= count
        self._next()

    def _next(self) -> None:
        while self._waiting and (self._waiting[0][1].cancelled() or self._fits(self._waiting[0][0])):
            count, turn = self._waiting.popleft()
            if not turn.cancelled():
                self._running += count
                turn.set_result(None)
