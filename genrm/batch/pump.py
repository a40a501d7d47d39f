"""An ordinary iterator read from asynchronous code, without letting a slow one stop the loop.

>>> async for item in pump(items, threaded=True): ...                                    # doctest: +SKIP
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from typing import TypeVar

T = TypeVar("T")

AHEAD = 64
_PAUSE_EVERY = 256


async def pump(items: Iterator[T], *, threaded: bool) -> AsyncIterator[T]:
    """The items, in order; whatever the iterator raises is raised here.

    Args:
        items: read at most ``AHEAD`` items before they are wanted.
        threaded: read in a thread of its own, for pipes that can make a reader wait. A daemon thread: one that
            waits for input must not keep the process from ending.
    """
    if not threaded:
        for index, item in enumerate(items):
            yield item
            if index % _PAUSE_EVERY == 0:
                await asyncio.sleep(0)
        return
    loop = asyncio.get_running_loop()
    # Lists of one item, so that the end and a failure cannot be taken for an item.
    queue: asyncio.Queue[list[T] | BaseException | None] = asyncio.Queue()
    room = threading.Semaphore(AHEAD)

    def hand_over(thing: list[T] | BaseException | None) -> None:
        # The loop may have ended with the run while this thread waited for input.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(queue.put_nowait, thing)

    def read() -> None:
        try:
            for item in items:
                room.acquire()
                hand_over([item])
        except BaseException as error:  # raised again where the items are used
            hand_over(error)
        else:
            hand_over(None)

    threading.Thread(target=read, name="genrm-input", daemon=True).start()
    while (thing := await queue.get()) is not None:
        if isinstance(thing, BaseException):
            raise thing
        room.release()
        yield thing[0]
