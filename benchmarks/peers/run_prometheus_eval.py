"""prometheus-eval: absolute grading of a batch through litellm, its rate limit out of the way."""

from __future__ import annotations

from collections.abc import Sequence

from harness import ASK, Row, run
from prometheus_eval import PrometheusEval
from prometheus_eval.litellm import AsyncLiteLLM

RUBRIC = f"[{ASK}]\nScore 1: no\nScore 2: hardly\nScore 3: partly\nScore 4: mostly\nScore 5: yes"


def judge(rows: Sequence[Row], address: str, concurrency: int) -> list[int]:
    # As shipped it makes 100 requests a minute; batches are its way to set how many are in flight.
    model = AsyncLiteLLM(
        "hosted_vllm/mock", batch_size=concurrency, requests_per_minute=10**9, api_base=f"{address}/v1"
    )
    _, scores = PrometheusEval(model=model).absolute_grade(
        instructions=[row["prompt"] for row in rows],
        responses=[row["response"] for row in rows],
        rubric=RUBRIC,
        reference_answers=[""] * len(rows),
    )
    return scores


run(judge)
