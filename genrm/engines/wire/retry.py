"""One call from its turn to its answer: attempts, pauses between them, and when to give up.

    >>> line = Line(Limiter(), circuit, Backoff())                                           # doctest: +SKIP
    >>> reply = await line.run(attempt, timeout_s=600)                                       # doctest: +SKIP

An attempt is a coroutine function that returns, or raises :class:`genrm.engines.wire.faults.AttemptError`. It knows
nothing of limits, so every client can be put behind a line.

The pause before the next attempt is drawn evenly from nothing up to a bound that doubles each time ("full jitter", M.
Brooker, 2015), so that clients that failed together do not come back together; where the server asks for a longer one
(``Retry-After``), it is granted, within reason. A call is given up when it has had its attempts, when the next one
would begin after its deadline, or when the fault is its own. In a run that can be resumed one more thing is needed:
that the server answers a ping. Else the row is not at fault, and the call waits at the circuit and starts anew.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import count
from typing import TypeVar

from genrm.engines.wire.circuit import Circuit, is_stoppable
from genrm.engines.wire.faults import AttemptError
from genrm.engines.wire.limits import Limiter
from genrm.errors import DeadlineError

T = TypeVar("T")

ATTEMPT_SHARE, LEAST_ATTEMPT_S = 0.5, 60.0
"""Part of a call's time that an attempt may take, and seconds that it may in any case: where a connection hangs, there
is time left for another one, and a short deadline is left to answers that are slow."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often and after what pauses a call is tried.

    Attributes:
        tries: attempts in all, at least 1.
        base_s: bound of the first pause; it doubles.
        cap_s: the bound never exceeds this.
        longest_wait_s: longest wish of a server (``Retry-After``) that is granted; a call that is asked to wait
            longer fails at once.
    """

    tries: int = 8
    base_s: float = 0.5
    cap_s: float = 30.0
    longest_wait_s: float = 120.0
    random: random.Random = field(default_factory=random.Random, compare=False, repr=False)

    def pause(self, failures: int, asked_s: float | None = None) -> float | None:
        """Seconds to the next attempt after so many failures, at least 1; None when there is to be none."""
        if failures >= self.tries:
            return None
        drawn = self.random.uniform(0.0, min(self.cap_s, self.base_s * 2.0 ** (failures - 1)))
        if asked_s is None:
            return drawn
        # The jitter goes on top: the server told everybody the same moment.
        return None if asked_s > self.longest_wait_s else asked_s + min(drawn, 1.0)


class Line:
    """The way to one server: its limiter, its circuit and the rules for trying again.

    Args:
        attempt_s: an attempt that takes longer is given up and made again; None lets it take half of the call's time,
            at least 60 s, and the last one all that is left.
    """

    def __init__(self, limiter: Limiter, circuit: Circuit, backoff: Backoff, *, attempt_s: float | None = None) -> None:
        self.limiter, self.circuit, self.backoff, self.attempt_s = limiter, circuit, backoff, attempt_s
        self.attempts = 0
        self._numbers = count(1)

    async def run(self, attempt: Callable[[], Awaitable[T]], timeout_s: float | None) -> T:
        """The result of the first attempt that succeeds.

        Args:
            timeout_s: for all attempts together, from when the first turn comes; None for no deadline.

        Raises:
            JudgeError: of the last attempt.
            RunStoppedError: the server stays away; only in a stoppable run.
        """
        loop = asyncio.get_running_loop()
        circuit = self.circuit
        deadline: float | None = None
        call = failures = 0
        fault: AttemptError | None = None
        while True:
            if circuit.is_open:
                await circuit.wait(loop.time() + timeout_s if deadline is None and timeout_s is not None else deadline)
                if is_stoppable():
                    deadline, failures = None, 0
            try:
                # A turn that is waited for after a failure is within the deadline; before it there is none yet.
                async with asyncio.timeout_at(deadline) if failures else nullcontext():
                    turn = await self.limiter.acquire(first=failures > 0)
            except TimeoutError:
                assert fault is not None
                if await self._is_final(fault):
                    raise fault.error from None
                continue
            try:
                if circuit.is_open:
                    continue
                began = loop.time()
                if deadline is None and timeout_s is not None:
                    deadline = began + timeout_s
                end, limit = deadline, self._limit(timeout_s, failures)
                if limit is not None and (deadline is None or began + limit < deadline):
                    end = began + limit
                self.attempts += 1
                try:
                    async with asyncio.timeout_at(end):
                        result = await attempt()
                except AttemptError as raised:
                    fault = raised
                except TimeoutError:
                    fault = _late(timeout_s if end == deadline else limit, again=end != deadline)
                else:
                    turn.overloaded = False
                    circuit.succeeded()
                    return result
                turn.overloaded = True if fault.overload else None if fault.server else False
            finally:
                self.limiter.release(turn)
            failures += 1
            if fault.server:
                call = call or next(self._numbers)
                circuit.failed(call, fault.error, began)
            else:
                circuit.succeeded()
            pause = self.backoff.pause(failures, fault.retry_after_s) if fault.retry else None
            if pause is not None and (deadline is None or loop.time() + pause < deadline):
                await asyncio.sleep(pause)
                continue
            if await self._is_final(fault):
                raise fault.error
            # Nobody is answered, so this is no fault of the call: it waits at the circuit, with a new clock.

    async def _is_final(self, fault: AttemptError) -> bool:
        """Whether a call without further attempts is over; else nobody is answered, and it waits at the circuit."""
        return not (is_stoppable() and fault.server) or await self.circuit.alive()

    def _limit(self, timeout_s: float | None, failures: int) -> float | None:
        """Seconds for the next attempt, as far as they do not go by the deadline."""
        if self.attempt_s is not None or timeout_s is None or failures + 1 >= self.backoff.tries:
            return self.attempt_s
        return max(timeout_s * ATTEMPT_SHARE, LEAST_ATTEMPT_S)


def _late(seconds: float | None, *, again: bool) -> AttemptError:
    error = DeadlineError(f"no answer within {seconds:g} s")
    return AttemptError(error, retry=again, server=True, overload=True)
