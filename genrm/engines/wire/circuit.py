"""The circuit: when everything fails, calls wait for the server instead of failing one by one.

    >>> circuit = Circuit(ping, name="http://localhost:8000")                                # doctest: +SKIP
    >>> if circuit.is_open:                                                                  # doctest: +SKIP
    ...     await circuit.wait(deadline)

It opens when several calls in a row have failed for some seconds and a *ping*, the smallest call that the server has
answered before, fails too: so rows that bring a healthy server to fall over are not taken for a dead server. It says
so once. While it is open nothing but pings goes out; the first good one closes it.

How long calls wait depends on who asks. A run that can be resumed (:func:`stoppable`) loses nothing by ending, and
everything by writing thousands of failed rows: its calls wait with their clocks stopped, and when the server stays
away for ``patience_s`` the run ends with :class:`genrm.errors.RunStoppedError`. Anyone else, such as a reward function
in a training loop, gets the error within the deadline of the call, and at once when patience is over.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

from genrm.engines.wire.faults import AttemptError
from genrm.errors import EngineError, JudgeError, RunStoppedError

logger = logging.getLogger("genrm")

MIN_CALLS = 8
"""Different calls that must have failed in a row."""
MIN_SECONDS = 5.0
"""How long nothing may have succeeded before it opens."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
PING_TIMEOUT_S = 30.0
DOUBTS = 3
"""Pings before it opens: a server that breaks one call in ten is not down."""

_stoppable: ContextVar[bool] = ContextVar("genrm_stoppable", default=False)


@contextmanager
def stoppable() -> Iterator[None]:
    """Calls made inside (also by tasks and threads started there) belong to a run that can be ended and resumed."""
    token = _stoppable.set(True)
    try:
        yield
    finally:
        _stoppable.reset(token)


def is_stoppable() -> bool:
    """Whether this call belongs to a run that can be ended and resumed."""
    return _stoppable.get()


class Circuit:
    """The state of one server. It belongs to one event loop.

    Args:
        ping: a tiny real call; it raises :class:`AttemptError` or any other exception when the server does not answer.
        name: of the server, for messages.
        patience_s: how long it may stay open before calls are given up.
        min_calls, min_seconds: when it opens.
        first_pause_s: between pings at first; it doubles up to 30 s.
        ping_timeout_s: of one ping.
    """

    def __init__(
        self,
        ping: Callable[[], Awaitable[object]],
        *,
        name: str,
        patience_s: float = 300.0,
        min_calls: int = MIN_CALLS,
        min_seconds: float = MIN_SECONDS,
        first_pause_s: float = FIRST_PAUSE_S,
        ping_timeout_s: float = PING_TIMEOUT_S,
    ) -> None:
        self.name, self.patience_s = name, patience_s
        self._ping, self._min_calls, self._min_seconds = ping, min_calls, min_seconds
        self._first_pause, self._ping_timeout = first_pause_s, ping_timeout_s
        self._failing: set[int] = set()
        self._failing_since = 0.0
        self._last_error: JudgeError = EngineError("no answer")
        self._opened_at: float | None = None
        self._hopeless = False
        self._closed: asyncio.Future[None] | None = None
        self._waiting = 0
        self._checking: asyncio.Task[bool] | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether calls must wait."""
        return self._opened_at is not None

    def succeeded(self) -> None:
        """The server answered a call, if only to say what is wrong with it."""
        if self._failing:
            self._failing.clear()
        if self._opened_at is not None:
            self._close()

    def failed(self, call: int, error: JudgeError, began: float) -> None:
        """The server did not answer an attempt.

        Args:
            call: tells calls apart; the attempts of one call count once.
            began: when the attempt began, on the loop's clock.
        """
        if not self._failing:
            self._failing_since = began
        self._failing.add(call)
        self._last_error = error
        lasts = asyncio.get_running_loop().time() - self._failing_since
        if self._opened_at is None and len(self._failing) >= self._min_calls and lasts >= self._min_seconds:
            self._check()

    async def alive(self) -> bool:
        """Ask the server; the circuit is open when it does not answer. Callers at the same time share one ping."""
        if self._opened_at is not None:
            return False
        return await asyncio.shield(self._check())

    async def wait(self, deadline: float | None) -> None:
        """Return once it is closed.

        Args:
            deadline: on the loop's clock; for a stoppable run it has no meaning.

        Raises:
            RunStoppedError: patience is over, and the call belongs to a stoppable run.
            JudgeError: patience or the deadline is over; the error of the last call that failed.
        """
        loop = asyncio.get_running_loop()
        stop = _stoppable.get()
        while self._opened_at is not None:
            end = self._opened_at + self.patience_s
            if self._hopeless or loop.time() >= end:
                if self._watch is None:
                    self._start_watch()
                raise self._given_up(stop)
            if not stop and deadline is not None:
                if loop.time() >= deadline:
                    raise self._given_up(stop)
                end = min(end, deadline)
            assert self._closed is not None
            self._waiting += 1
            if self._watch is None:
                self._start_watch()
            try:
                await asyncio.wait((self._closed,), timeout=end - loop.time())
            finally:
                self._waiting -= 1

    async def aclose(self) -> None:
        """End its tasks."""
        for task in (self._watch, self._checking):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    def _given_up(self, stop: bool) -> Exception:
        assert self._opened_at is not None
        lasts = asyncio.get_running_loop().time() - self._opened_at
        since = "fails" if self._hopeless else f"has failed for {lasts:.0f} s"
        text = f"every call to {self.name} {since}; the last one: {self._last_error.message}"
        if stop:
            return RunStoppedError(text)
        return type(self._last_error)(text, retryable=self._last_error.can_retry)

    def _check(self) -> asyncio.Task[bool]:
        if self._checking is None:
            self._checking = asyncio.create_task(self._ask(DOUBTS))
            self._checking.add_done_callback(self._checked)
        return self._checking

    def _checked(self, _: object) -> None:
        self._checking = None

    async def _ask(self, tries: int = 1) -> bool:
        """Ping, so many times while the fault may be a stray one; opens the circuit, or closes it."""
        for left in reversed(range(tries)):
            try:
                async with asyncio.timeout(self._ping_timeout):
                    await self._ping()
            except TimeoutError:
                self._last_error = EngineError(f"no answer within {self._ping_timeout:g} s")
                left = 0
            except Exception as fault:  # whatever keeps the server from answering
                if isinstance(fault, AttemptError):
                    self._last_error = fault.error
                    # A refused key or an unknown model does not mend itself.
                    self._hopeless = not fault.retry
                else:
                    self._last_error = EngineError(f"{type(fault).__name__}: {fault}")
                left = 0 if self._hopeless else left
            else:
                self.succeeded()
                return True
            if not left:
                break
            await asyncio.sleep(self._first_pause / 4)
        self._open()
        return False

    def _open(self) -> None:
        if self._opened_at is not None:
            return
        loop = asyncio.get_running_loop()
        self._opened_at = loop.time()
        self._closed = loop.create_future()
        waiting = "" if self._hopeless else f"; waiting up to {self.patience_s:.0f} s for it"
        logger.warning("%s fails every call%s: %s", self.name, waiting, self._last_error.message)

    def _close(self) -> None:
        assert self._opened_at is not None
        assert self._closed is not None
        lasts = asyncio.get_running_loop().time() - self._opened_at
        self._opened_at, self._hopeless = None, False
        self._closed.set_result(None)
        logger.warning("%s answers again after %.0f s", self.name, lasts)

    def _start_watch(self) -> None:
        self._watch = asyncio.create_task(self._keep_asking())

    async def _keep_asking(self) -> None:
        """Ping now and then while anyone waits, and once after it is given up."""
        pause = self._first_pause
        try:
            while self._opened_at is not None:
                # Clients that lost the same server must not come back in step; jitter is no secret, so the loop's
                # clock will do for it.
                await asyncio.sleep(pause * (0.75 + 0.5 * (asyncio.get_running_loop().time() % 1.0)))
                if await self._ask() or not self._waiting:
                    return
                pause = min(2 * pause, LONGEST_PAUSE_S)
        finally:
            self._watch = None
