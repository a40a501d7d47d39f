"""Memory and pace of the path from file to file, with a judge that costs nothing.

    python benchmarks/stream_memory.py [ROWS]

Reads, checks, digests and writes 200,000 rows of about 500 bytes, and compares the memory of the process after a
tenth of them with that at the end.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from genrm.batch.run import BatchOptions, run_batch
from genrm.engines.base import Usage
from genrm.judging.judgment import CriterionJudgment, Judgment
from genrm.judging.window import window
from genrm.specs.sample import Sample


class InstantJudge:
    """Gives every row the same judgment at once."""

    votes = 1

    def identity(self) -> dict[str, Any]:
        return {"engine": "instant", "model": "instant", "rubric": "none@sha256:0", "seed": 0}

    def notices(self) -> list[str]:
        return []

    async def stream(self, rows: AsyncIterator[Sample], *, ordered: bool = True) -> AsyncIterator[Judgment]:
        async def judge(sample: Sample) -> Judgment:
            result = CriterionJudgment("ok", "yes", 1.0, {"no": 0.1, "yes": 0.9}, "Fine. " * 20, votes=("yes",))
            return Judgment(sample.id, "ok", 1.0, None, {"fine": result}, self.identity(), Usage(1, 100, 0, 30))

        def start(sample: Sample, _: int) -> asyncio.Future[Judgment]:
            return asyncio.ensure_future(judge(sample))

        async for judgment in window(rows, start, limit=64, ordered=ordered):
            yield judgment


def measure(rows: int, *, ordered: bool = True, ids: bool = True) -> dict[str, float]:
    """Megabytes of resident memory after a tenth of the rows, their growth until the end, and rows a second."""
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder, "in.jsonl"), Path(folder, "out.jsonl")
        with source.open("w") as file:
            for number in range(rows):
                row = {"prompt": f"Question {number}?", "response": f"Answer {number}. " * 25}
                file.write(json.dumps(({"id": f"row-{number}"} if ids else {}) | row) + "\n")
        seen = 0
        early = 0.0

        def watch(_: Mapping[str, Any]) -> None:
            nonlocal seen, early
            seen += 1
            if seen == rows // 10:
                early = _resident_mb()

        summary = run_batch(InstantJudge(), BatchOptions(str(source), str(output), ordered=ordered), on_row=watch)
        growth = _resident_mb() - early
        if summary.rows != rows:
            raise RuntimeError(f"{rows} rows went in and {summary.rows} came out")
        return {"rows": rows, "early_mb": early, "growth_mb": growth, "rows_per_s": summary.rows_per_s or 0.0}


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    figures = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
    print(json.dumps({name: round(value, 1) for name, value in figures.items()}))
