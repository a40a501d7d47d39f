"""Several awaitables as one: all results in order, or none.

>>> first, second = await together([one(), two()])                                       # doctest: +SKIP
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


async def together(works: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """All results, in order; when one fails, or this is cancelled, the others are called off.

    A single one is awaited as it is: most calls have one, and a task costs time.
    """
    if len(works) == 1:
        return [await works[0]]
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        raise
