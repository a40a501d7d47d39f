"""How many calls are in flight: as many as the server bears, found out as TCP does it (AIMD).

    >>> limiter = Limiter(least=1, most=64, start=8)
    >>> limiter.limit
    8
    >>> async with limiter.turn() as turn:                                                   # doctest: +SKIP
    ...     turn.overloaded = await ask()

The limit doubles with every round of good answers until the first overload, and grows by one a round from then on.
Overload (429, 503, a timeout) halves it: when more than a tenth of the latest calls met with it, for one in a hundred
says nothing about how many calls a server bears; and once for all that were in flight together, for they tell of the
same moment. Turns come in order of asking; who has had one already and tries again goes first.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

logger = logging.getLogger("genrm")

WEIGHT = 0.05
"""Of the latest call in the share of overloaded ones, an exponential average: it remembers some twenty calls."""
TOO_MANY = 0.1
"""The share at which the limit is halved; three in a row reach it."""


@dataclass(slots=True)
class Turn:
    """The right to have one call in flight.

    Attributes:
        epoch: number of cuts before it was given; a call that began before the last cut does not cut again.
        overloaded: set by its holder: True lets the limit shrink, False lets it grow, None says nothing.
    """

    epoch: int
    overloaded: bool | None = None


class Limiter:
    """Adaptive concurrency of one server. It belongs to one event loop.

    Args:
        least: never fewer calls than this, at least 1.
        most: never more.
        start: calls at once before anything is known.
    """

    def __init__(self, *, least: int = 1, most: int = 256, start: int = 32) -> None:
        if not 1 <= least <= most:
            raise ValueError(f"1 <= least <= most is needed, found least={least}, most={most}")
        self.least, self.most = least, most
        self.in_flight = 0
        self._window = float(min(max(start, least), most))
        self._slow_start = True
        self._share = 0.0
        self._epoch = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def limit(self) -> int:
        """Calls that may be in flight now."""
        return int(self._window)

    @property
    def waiting(self) -> int:
        """Calls whose turn has not come."""
        return len(self._waiting)

    async def acquire(self, *, first: bool = False) -> Turn:
        """Wait for a turn; hand it back with :meth:`release`. ``first`` goes before all who wait."""
        if self.in_flight < int(self._window) and not self._waiting:
            self.in_flight += 1
            return Turn(self._epoch)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if first:
            self._waiting.appendleft(future)
        else:
            self._waiting.append(future)
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                # The turn came in the same moment; the next in line has it.
                self.in_flight -= 1
                self._admit()
            else:
                with suppress(ValueError):
                    self._waiting.remove(future)
            raise
        return Turn(self._epoch)

    def release(self, turn: Turn) -> None:
        """End a turn and learn from it."""
        if turn.overloaded is False:
            self._share *= 1.0 - WEIGHT
            # Growth without need would make the limit meaningless: only a full house shows that more would fit.
            if self.in_flight >= int(self._window) and self._window < self.most:
                self._window = min(self.most, self._window + (1.0 if self._slow_start else 1.0 / self._window))
        elif turn.overloaded and turn.epoch == self._epoch:
            self._share += WEIGHT * (1.0 - self._share)
            if self._share > TOO_MANY:
                # A limit that was not made use of is no measure of what was too much.
                before = int(self._window)
                self._window = max(float(self.least), float(min(before // 2, self.in_flight)))
                logger.debug("overloaded: at most %d calls in flight, not %d", self.limit, before)
                self._slow_start, self._share = False, 0.0
                self._epoch += 1
        self.in_flight -= 1
        self._admit()

    @asynccontextmanager
    async def turn(self, *, first: bool = False) -> AsyncIterator[Turn]:
        """A turn for a block of code."""
        turn = await self.acquire(first=first)
        try:
            yield turn
        finally:
            self.release(turn)

    def _admit(self) -> None:
        while self._waiting and self.in_flight < int(self._window):
            future = self._waiting.popleft()
            if not future.done():
                self.in_flight += 1
                future.set_result(None)
