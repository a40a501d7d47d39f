"""What every adapter does: read the rows, warm up, judge them, and print CPU, wall time and the scores that came out.

    python ADAPTER.py ADDRESS ROWS.json CONCURRENCY

An adapter hands :func:`run` a function from rows to scores. This file imports nothing but the standard library: it runs
in the environment of each peer.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

Row = dict[str, str]
ASK = "Is the response correct, and do its steps hold?"
WARM_UP = 20
LOOP = asyncio.Runner()
"""One loop for the warm-up and the measured rows: clients that live on are bound to theirs."""


def run(judge: Callable[[Sequence[Row], str, int], Sequence[Any]]) -> None:
    """Measure ``judge(rows, address, concurrency)``; the first rows are judged twice, the first time uncounted."""
    address, path, concurrency = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with open(path, encoding="utf-8") as file:
        rows = json.load(file)
    judge(rows[:WARM_UP], address, concurrency)
    cpu, wall = time.process_time(), time.monotonic()
    scores = judge(rows, address, concurrency)
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    if len(scores) != len(rows):
        raise RuntimeError(f"{len(rows)} rows went in, {len(scores)} scores came out")
    found = sorted({str(score) for score in scores})
    print("\n" + json.dumps({"cpu_us": cpu / len(rows) * 1e6, "rows_per_s": len(rows) / wall, "scores": found}))


def at_once(work: Callable[[Row], Awaitable[Any]], rows: Sequence[Row], concurrency: int) -> list[Any]:
    """The results of all rows, so many at a time."""

    async def collect() -> list[Any]:
        free = asyncio.Semaphore(concurrency)

        async def one(row: Row) -> Any:
            async with free:
                return await work(row)

        return await asyncio.gather(*(one(row) for row in rows))

    return LOOP.run(collect())
