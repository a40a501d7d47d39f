"""A budget in US dollars: a call sets its worst case aside before it is made, and gives back what it did not need.

    >>> budget = Budget(0.50)
    >>> async def ask():
    ...     async with Purse(budget, 0.02) as purse:
    ...         await purse.ready()
    ...         purse.paid(0.004)
    >>> asyncio.run(ask()); budget.spent_usd
    0.004

So the budget is never exceeded, however many calls are in flight and whatever they turn out to cost. A call that
does not fit waits while others are in flight, in order of asking; when none is, the run is over.

The budget of a run travels with the context (:func:`charge_to`), because engines are shared: an engine charges
whatever budget its caller works under.
"""

from __future__ import annotations

import asyncio
import copy
import logging
import math
import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from genrm.errors import Fault, RunStoppedError, SpecError

logger = logging.getLogger("genrm")

MARGIN = 1e-9
"""Part of a budget that is left alone: sums of many costs are off by far less."""


@dataclass(eq=False, slots=True)
class Hold:
    """Money in US dollars that is set aside for one attempt at a call."""

    usd: float


class Budget:
    """Money for one run; used on one event loop, and started anew behind a fork or a pickle.

    Args:
        limit_usd: US dollars, above 0.
        spent_usd: of these, what is gone already.

    Attributes:
        spent_usd: costs so far, and all that was set aside for calls whose cost nobody knows.
        watch: told before every call how much may be gone once it is made; so a killed run can be gone on with.
        charged: what is in it of the spending of files, by path; so none is counted twice.

    Raises:
        SpecError: ``limit_usd`` is no amount of money.
    """

    def __init__(self, limit_usd: float, *, spent_usd: float = 0.0) -> None:
        number = isinstance(limit_usd, int | float) and not isinstance(limit_usd, bool)
        if not number or not math.isfinite(limit_usd) or limit_usd <= 0:
            raise SpecError(
                Fault("an amount in US dollars above 0 is needed", field="budget_usd", value=repr(limit_usd))
            )
        self.limit_usd = float(limit_usd)
        self.spent_usd = spent_usd
        self.watch: Callable[[float], None] | None = None
        self.charged: dict[str, float] = {}
        self._start()

    def _start(self) -> None:
        self._holds: list[Hold] = []
        self._waiting: deque[tuple[asyncio.Future[Hold], float]] = deque()
        self._process = os.getpid()

    def __repr__(self) -> str:
        return f"Budget({self.limit_usd!r}, spent_usd={self.spent_usd!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {"limit_usd": self.limit_usd, "spent_usd": self.exposed_usd, "charged": dict(self.charged)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.limit_usd, self.spent_usd, self.charged = state["limit_usd"], state["spent_usd"], state["charged"]
        self.watch = None
        self._start()

    @property
    def exposed_usd(self) -> float:
        """What is spent, or may turn out to be when the calls in flight are over."""
        return self.spent_usd + math.fsum(hold.usd for hold in self._holds)

    async def take(self, usd: float) -> Hold:
        """Set money aside; wait for it while calls are in flight that may leave some over.

        Raises:
            RunStoppedError: it does not fit, and nothing is in flight.
        """
        if os.getpid() != self._process:
            # The calls in flight are the parent's; here they will never end.
            self.spent_usd = self.exposed_usd
            self._start()
        turn: asyncio.Future[Hold] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, usd))
        self._admit()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                # The money came in the same moment; nothing was asked for with it.
                self.settle(turn.result(), 0.0)
            else:
                turn.cancel()
                self._admit()
            raise

    def settle(self, hold: Hold, cost: float | None) -> None:
        """End a hold.

        Args:
            cost: what the call cost; None when nobody knows, as after a timeout: then all of it counts as spent.
        """
        with suppress(ValueError):  # behind a fork the parent's holds are forgotten
            self._holds.remove(hold)
        if cost is not None and cost > hold.usd * (1 + MARGIN):
            logger.warning("a call cost %.6f USD, more than the %.6f that it could cost at most", cost, hold.usd)
        self.spent_usd += hold.usd if cost is None else cost
        self._admit()

    def _fits(self, usd: float) -> bool:
        return self.exposed_usd + usd <= self.limit_usd * (1 - MARGIN)

    def _admit(self) -> None:
        """Give money to whoever is next, as long as it fits; tell them when waiting for it is of no use."""
        while self._waiting:
            turn, usd = self._waiting[0]
            if turn.done():
                self._waiting.popleft()
            elif self._fits(usd):
                self._waiting.popleft()
                turn.set_result(hold := Hold(usd))
                self._holds.append(hold)
                if self.watch is not None:
                    self.watch(self.exposed_usd)
            elif not self._holds:
                # The run is over for all who wait: a smaller call that fits would be paid for and then thrown away.
                stop = self._spent(usd)
                for turn, _ in self._waiting:
                    if not turn.done():
                        turn.set_exception(copy.copy(stop))
                self._waiting.clear()
            else:
                return

    def _spent(self, usd: float) -> RunStoppedError:
        left = max(self.limit_usd - self.spent_usd, 0.0)
        return RunStoppedError(
            f"the budget of {self.limit_usd:g} USD has {left:.6f} left, and the next call may cost up to {usd:.6f}",
            go_on="the same command with a larger --budget-usd goes on from here",
        )


class Purse:
    """The money of one call over its attempts, as a context manager: what is left at the end goes back.

    Args:
        budget: None for calls that nobody counts.
        usd: the most that one attempt can cost.
    """

    def __init__(self, budget: Budget | None, usd: float) -> None:
        self.budget, self.usd = budget, usd
        self._hold: Hold | None = None

    async def __aenter__(self) -> Purse:
        await self.ready()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.paid(0.0)

    async def ready(self) -> None:
        """Before an attempt: have the money for it. Raises RunStoppedError when there is none."""
        if self.budget is not None and self._hold is None:
            self._hold = await self.budget.take(self.usd)

    def paid(self, cost: float | None) -> None:
        """After an attempt: what it cost, None when nobody knows. One that was not billed needs no word."""
        if self.budget is not None and self._hold is not None:
            hold, self._hold = self._hold, None
            self.budget.settle(hold, cost)


_budget: ContextVar[Budget | None] = ContextVar("genrm_budget", default=None)


def charge_to(budget: Budget | None) -> AbstractContextManager[None]:
    """Calls made inside, also by tasks that are started there, are charged to a budget; None changes nothing."""
    return nullcontext() if budget is None else _charged(budget)


@contextmanager
def _charged(budget: Budget) -> Iterator[None]:
    token = _budget.set(budget)
    try:
        yield
    finally:
        _budget.reset(token)


def current_budget() -> Budget | None:
    """The budget that calls made here are charged to."""
    return _budget.get()
