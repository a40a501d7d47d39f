"""One worker thread that owns a model: calls from any event loop come in, batches of similar rows are run.

    >>> worker = Worker(prepare, run, batch_size=16)                                         # doctest: +SKIP
    >>> [completion] = await worker.submit(request)                                          # doctest: +SKIP

A row is one vote. The oldest waiting row always goes with the next batch, in the company of those nearest to it in
length, so that little is padded and nobody starves. A worker belongs to the process that made it: threads do not
survive a fork, so nothing here may be shared with a child.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass

from genrm.compiler.request import JudgeRequest
from genrm.engines.base import Completion
from genrm.engines.local.decoding import Row
from genrm.errors import DeadlineError, EngineError, JudgeError

Prepare = Callable[[JudgeRequest], list[Row]]
"""Rows of a request, one per seed, each without its destination; raises JudgeError for a request that cannot run."""


@dataclass(eq=False, slots=True)
class _Call:
    """A request with a future per seed, and when the first of its rows went into a batch."""

    request: JudgeRequest
    futures: tuple[Future[Completion], ...]
    submitted: float
    begun: float | None = None

    def begin(self) -> None:
        """A row of this call goes into a batch."""
        self.begun = self.begun or time.monotonic()

    def overdue(self, seconds: float, last_batch: float) -> bool:
        """Whether it has run for so long, or has waited for its turn while no batch was begun for twice as long."""
        now = time.monotonic()
        if self.begun is None:
            return now - max(self.submitted, last_batch) > 2 * seconds
        return now - self.begun > seconds


LOOK_SECONDS = 5.0
"""How often a waiting call looks whether it is overdue, at least."""


class Worker:
    """The thread, its queue, and the choice of the next batch.

    Args:
        prepare: makes the rows of a request; runs on the thread.
        run: writes a batch of rows, and delivers to each.
        batch_size: most rows in a batch.
        linger_s: how long an unfilled batch waits for more company after each newcomer, in seconds.
        start: runs on the thread before anything else.
    """

    def __init__(
        self,
        prepare: Prepare,
        run: Callable[[Sequence[Row]], None],
        *,
        batch_size: int,
        linger_s: float = 0.004,
        start: Callable[[], None] = lambda: None,
    ) -> None:
        self._prepare, self._run, self._start = prepare, run, start
        self._batch_size, self._linger_s = batch_size, linger_s
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._last_batch = time.monotonic()
        self._process = os.getpid()
        self._thread = threading.Thread(target=self._serve, name="genrm-model", daemon=True)
        self._thread.start()

    async def submit(self, request: JudgeRequest) -> list[Completion | JudgeError]:
        """One completion per seed, in order, or its error. Cancelling drops the rows at their next token.

        The request's deadline counts from when its first row goes into a batch. What has waited while the thread
        began no batch for twice that time is given up too: the model hangs.

        Raises:
            JudgeError: there is no completion at all, or the worker is closed or belongs to another process.
        """
        if self._process != os.getpid():
            raise EngineError("this engine was opened before a fork; open one in each process", retryable=False)
        if self._closing.is_set():
            raise EngineError("the engine is closed", retryable=False)
        futures = tuple(Future[Completion]() for _ in request.seeds)
        call = _Call(request, futures, time.monotonic())
        self._calls.put(call)
        try:
            await self._settled(call)
            outcomes = [_outcome(future, request.timeout_s) for future in futures]
        finally:
            for future in futures:
                future.cancel()
        errors = [item for item in outcomes if isinstance(item, JudgeError)]
        if errors and len(errors) == len(outcomes):
            raise errors[0]
        return outcomes

    async def _settled(self, call: _Call) -> None:
        """Wait until every row of a call is done, or the call is overdue."""
        loop, done, left = asyncio.get_running_loop(), asyncio.Event(), len(call.futures)

        def count() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                done.set()

        def tell(_: Future[Completion]) -> None:
            # On the thread of the model; the loop that waited may have ended since.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(count)

        for future in call.futures:
            future.add_done_callback(tell)
        seconds = call.request.timeout_s
        while not done.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), seconds and min(seconds / 4, LOOK_SECONDS))
            if seconds and call.overdue(seconds, self._last_batch):
                return

    async def close(self) -> None:
        """End the thread; rows that are still waited for get an error. Returns when it has ended."""
        if self._process != os.getpid():
            return
        self._closing.set()
        self._calls.put(None)
        # Looked after, not joined in a thread of the loop's executor: while Python exits there is none any more.
        while self._thread.is_alive():
            await asyncio.sleep(0.005)

    def _serve(self) -> None:
        waiting: list[Row] = []
        try:
            self._start()
            while not self._closing.is_set():
                waiting += self._receive(block=not waiting)
                if waiting:
                    batch = next_batch(waiting, self._batch_size)
                    self._last_batch = time.monotonic()
                    for row in batch:
                        row.begin()
                    self._run(batch)
                waiting = [row for row in waiting if not row.done]
        finally:
            self._closing.set()
            for row in [*waiting, *self._receive(block=False)]:
                row.finish(EngineError("the engine was closed", retryable=False))

    def _receive(self, *, block: bool) -> list[Row]:
        """Everything in the queue; waits for the first call when ``block``, and then a little for company."""
        rows: list[Row] = []
        timeout: float | None = None if block else 0.0
        while True:
            try:
                call = self._calls.get(timeout=timeout) if timeout is None or timeout > 0 else self._calls.get_nowait()
            except queue.Empty:
                return rows
            if call is None:
                return rows
            rows += self._rows(call)
            timeout = self._linger_s if block and len(rows) < self._batch_size else 0.0

    def _rows(self, call: _Call) -> list[Row]:
        try:
            rows = self._prepare(call.request)
        except Exception as error:  # the boundary to tokenizers and templates: a fault fails this call alone
            known = error if isinstance(error, JudgeError) else EngineError(f"{type(error).__name__}: {error}")
            for future in call.futures:
                _settle(future, known)
            return []
        for row, future in zip(rows, call.futures, strict=True):
            self._connect(row, future)
            row.begin = call.begin
        return rows

    def _connect(self, row: Row, future: Future[Completion]) -> None:
        row.deliver = lambda outcome: _settle(future, outcome)
        row.dropped = lambda: future.cancelled() or self._closing.is_set()


def next_batch(waiting: Sequence[Row], size: int) -> list[Row]:
    """The oldest row and those nearest to it in length, at most ``size``; votes of one request stay together."""
    length = len(waiting[0].prompt)
    return sorted(waiting, key=lambda row: abs(len(row.prompt) - length))[:size]


def _outcome(future: Future[Completion], timeout_s: float | None) -> Completion | JudgeError:
    """What a row came to; it is overdue when it came to nothing yet."""
    if not future.done() or future.cancelled():
        return DeadlineError(f"no verdict within {timeout_s:g} s of its turn")
    error = future.exception()
    if error is not None and not isinstance(error, JudgeError):
        raise error
    return error if error is not None else future.result()


def _settle(future: Future[Completion], outcome: Completion | JudgeError) -> None:
    try:
        if isinstance(outcome, Completion):
            future.set_result(outcome)
        else:
            future.set_exception(outcome)
    except InvalidStateError:
        return  # cancelled between the last token and now
