"""One private event-loop thread per process, on which all engines and clients live.

    >>> call(some_coroutine())                                                               # doctest: +SKIP

So the same judge works from plain code, inside a running loop (Jupyter), from threads and after a fork: callers
hand a coroutine over and wait; nobody's own loop is touched. After a fork the child starts anew, because threads
and model workers do not survive one.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
import threading
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from genrm.errors import EngineError

if TYPE_CHECKING:
    from genrm.engines.base import Engine
    from genrm.judging.keep import Keep

logger = logging.getLogger("genrm")

T = TypeVar("T")

CLOSE_SECONDS = 10.0
"""How long the exit of a process waits for its engines."""
CLOSED = "genrm's engines were shut down before there was an answer"


class Runtime:
    """An event loop in a daemon thread, and the engines that were opened on it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._engines: dict[tuple[str, str], Engine] = {}
        self._kept: dict[tuple[object, ...], Engine] = {}
        self._lock = threading.Lock()
        self._calls: set[asyncio.Task[Any]] = set()
        self._ended: set[asyncio.Task[Any]] = set()
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="genrm", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine on the private loop.

        Raises:
            EngineError: it is closed.
        """
        if self._closing:
            coroutine.close()
            raise EngineError(CLOSED)
        return asyncio.run_coroutine_threadsafe(self._until_closed(coroutine), self.loop)

    async def _until_closed(self, coroutine: Coroutine[Any, Any, T]) -> T:
        task = asyncio.current_task()
        assert task is not None
        self._calls.add(task)
        try:
            return await coroutine
        except asyncio.CancelledError:
            if task not in self._ended:
                raise
            raise EngineError(CLOSED) from None
        finally:
            self._calls.discard(task)

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the private loop and wait for its result.

        An interrupt of the waiting thread cancels the coroutine.
        """
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError("called from genrm's own event loop; await the coroutine instead")
        future = self.submit(coroutine)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def engine(self, model: str, options: Mapping[str, Any], keep: Keep | None = None) -> Engine:
        """The engine of this model and options, opened at most once per process; with ``keep``, a wrapper around it."""
        from genrm.engines import open_engine

        key = (model, repr(sorted(options.items())))
        with self._lock:
            if key not in self._engines:
                engine = open_engine(model, **options)
                # Engines that talk to a server ask it what it can do, on the loop on which they will live.
                if (start := getattr(engine, "start", None)) is not None:
                    self.call(start())
                self._engines[key] = engine
            engine = self._engines[key]
            if keep is None:
                return engine
            if (*key, keep) not in self._kept:
                self._kept[*key, keep] = keep.around(model, engine, options)
            return self._kept[*key, keep]

    def close(self) -> None:
        """End what is under way, close every engine and stop the loop.

        Whoever waits for a result gets an :class:`EngineError`; an engine that is deep in a computation is left to
        itself.
        """
        with self._lock:
            engines, self._engines = list(self._engines.values()), {}
            kept, self._kept = list(self._kept.values()), {}

        async def close_all() -> None:
            # On a loop that has stopped, callers would wait for ever.
            # Nobody waits for those that are being cancelled already.
            self._ended = {call for call in self._calls if not call.cancelling()}
            for call in self._ended:
                call.cancel()
            if self._calls:
                await asyncio.wait(set(self._calls), timeout=CLOSE_SECONDS)
            # First what waits to be written: an engine may take its time.
            for wrapper in kept:
                if (release := getattr(wrapper, "release", None)) is not None:
                    try:
                        await release()
                    except Exception:  # one that fails must not cost the others what they have to write
                        logger.exception("a cache or a recording could not be closed")
            closing = asyncio.gather(*(engine.aclose() for engine in engines), return_exceptions=True)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(closing, CLOSE_SECONDS)

        if self._thread.is_alive():
            self._closing = True
            asyncio.run_coroutine_threadsafe(close_all(), self.loop).result()
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(timeout=5)


_current: Runtime | None = None
_guard = threading.Lock()


def current() -> Runtime:
    """The runtime of this process, started on first use."""
    global _current
    with _guard:
        if _current is None:
            _current = Runtime()
        return _current


def shutdown() -> None:
    """Close the engines of this process and free their memory. The next call starts a new runtime."""
    global _current
    with _guard:
        runtime, _current = _current, None
    if runtime is not None:
        runtime.close()


def _after_fork() -> None:
    global _current, _guard
    _current = None
    _guard = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(shutdown)
