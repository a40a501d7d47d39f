"""Work that ends in order when a person or a scheduler asks for it.

    >>> interrupted = asyncio.run(until_signal(work()))                                      # doctest: +SKIP

The first SIGINT or SIGTERM cancels the work at its next wait, so no row is ever cut; a second one ends the process.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Coroutine
from typing import Any


async def until_signal(work: Coroutine[Any, Any, None]) -> bool:
    """Run a coroutine; True when SIGINT or SIGTERM cut it short. Outside the main thread no signal is heard."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    stopped = False

    def stop() -> None:
        nonlocal stopped
        stopped = True
        task.cancel()
        for number in signals:
            loop.remove_signal_handler(number)

    for number in signals:
        loop.add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not stopped:
            raise
        return True
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
    return False
