"""genrm through ``http://…/v1#model``, as the other adapters use their package."""

from __future__ import annotations

from collections.abc import Sequence

from harness import ASK, Row, run

from genrm import Judge

RUBRIC = {"name": "peers", "criteria": [{"id": "correct", "ask": ASK, "scale": "binary"}]}


def judge(rows: Sequence[Row], address: str, concurrency: int) -> list[float | None]:
    engine = {"concurrency": [concurrency, concurrency]}
    genrm = Judge(RUBRIC, model=f"{address}/v1#mock", max_in_flight=concurrency, engine_options=engine)
    return [judgment.reward for judgment in genrm.judge_many(rows)]


run(judge)
