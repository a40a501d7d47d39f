"""Client CPU of a one-call judgment through ``http://…/v1#model``, beside a bare aiohttp loop with the same requests.

    python benchmarks/client_overhead.py [--rows 4000] [--rounds 7] [--concurrency 64]

A mock server in a process of its own answers at once (``mock_server.py``). In each round genrm judges the rows (one
criterion, one vote), and a plain loop on aiohttp then posts the very same bodies with the same concurrency: *bare* has
the bodies as bytes and loads the JSON of the answers, *usual* is what people write (``post(json=…)``, ``.json()``).
The ratio is to *bare*. CPU is user and system time of this process: all its threads, not the server. Once with a
server that shows no log-probabilities, once with 20 alternatives per token, which both sides then have to parse.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import orjson
from mock_server import MODEL, running

from genrm import Judge

RUBRIC = {
    "name": "overhead",
    "criteria": [{"id": "correct", "ask": "Is the response correct, and do its steps hold?", "scale": "likert-5"}],
}
GOAL = 2.0


def row_of(number: int) -> dict[str, str]:
    """A row of about 1.5 KB; no two are the same."""
    return {
        "id": f"row-{number}",
        "prompt": f"A train travels {number + 60} km in {number % 7 + 2} hours. How fast is it, and why? " * 3,
        "response": f"It covers {number + 60} km, so I divide by {number % 7 + 2}. The speed follows from that. " * 14,
    }


def rows_of(count: int) -> list[dict[str, str]]:
    return [row_of(number) for number in range(count)]


def bodies_of(judge: Judge, rows: list[dict[str, str]]) -> list[bytes]:
    """What genrm posts for the rows."""
    client: Any = judge.engine()._client  # type: ignore[attr-defined]
    post, seen = client.post, []

    async def noted(path: str, body: bytes) -> Any:
        seen.append(body)
        return await post(path, body)

    client.post = noted
    try:
        judge.judge_many(rows)
    finally:
        del client.post
    return seen


async def loop(url: str, bodies: list[Any], concurrency: int, *, usual: bool) -> None:
    """Post all bodies, so many at a time."""
    waiting = iter(bodies)

    async def worker(session: aiohttp.ClientSession) -> None:
        for body in waiting:
            if usual:
                async with session.post(url, json=body) as answer:
                    data = await answer.json()
            else:
                async with session.post(url, data=body, headers=HEADERS) as answer:
                    data = orjson.loads(await answer.read())
            if not data["choices"][0]["message"]["content"]:
                raise RuntimeError("the mock answered nothing")

    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        await asyncio.gather(*(worker(session) for _ in range(concurrency)))


HEADERS = {"Content-Type": "application/json"}


def cpu_of(work: Callable[[], Any]) -> float:
    """CPU seconds of this process."""
    gc.collect()
    began = time.process_time()
    work()
    return time.process_time() - began


def measure(address: str, rows: list[dict[str, str]], rounds: int, concurrency: int) -> dict[str, list[float]]:
    """Microseconds of CPU per judgment, by client, round after round."""
    judge = Judge(
        RUBRIC,
        model=f"{address}/v1#{MODEL}",
        max_in_flight=concurrency,
        engine_options={"concurrency": [concurrency, concurrency]},
    )
    bodies = bodies_of(judge, rows)
    values = [orjson.loads(body) for body in bodies]
    url = f"{address}/v1/chat/completions"

    def judged() -> None:
        labels = {judgment.criteria["correct"].label for judgment in judge.judge_many(rows)}
        if labels != {"5"}:
            raise RuntimeError(f"the mock says 5 of every row, the judgments say {labels}")

    clients: dict[str, Callable[[], Any]] = {
        "genrm": judged,
        "bare": lambda: asyncio.run(loop(url, bodies, concurrency, usual=False)),
        "usual": lambda: asyncio.run(loop(url, values, concurrency, usual=True)),
    }
    spent: dict[str, list[float]] = {name: [] for name in clients}
    for counted in [False, *[True] * rounds]:
        for name, work in clients.items():
            seconds = cpu_of(work)
            if counted:
                spent[name].append(seconds / len(rows) * 1e6)
    return spent


def report(title: str, spent: dict[str, list[float]]) -> None:
    print(title)
    for name, found in spent.items():
        ratios = [one / base for one, base in zip(found, spent["bare"], strict=True)]
        print(
            f"  {name:6} {statistics.median(found):6.0f} us of CPU ({min(found):.0f} to {max(found):.0f})"
            f"  {statistics.median(ratios):5.2f} x bare ({min(ratios):.2f} to {max(ratios):.2f})"
        )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=4000)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--concurrency", type=int, default=64)
    given = options.parse_args()
    rows = rows_of(given.rows)
    print(f"{given.rows} rows, {given.rounds} rounds, {given.concurrency} at a time; CPU per judgment, median (range)")
    for top in (0, 20):
        with running("--port", "0", "--top-logprobs", str(top)) as address:
            spent = measure(address, rows, given.rounds, given.concurrency)
        report(f"{top} alternatives per token" if top else "no log-probabilities", spent)
    print(f"goal: at most {GOAL:.0f} x bare")


if __name__ == "__main__":
    main()
