"""openevals: an asynchronous LLM-as-judge with a yes/no score and its reasons, through langchain-openai."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

os.environ.update(OPENAI_API_KEY="none", OPENAI_BASE_URL=f"{sys.argv[1]}/v1", LANGSMITH_TRACING="false")

from harness import ASK, Row, at_once, run
from openevals.llm import create_async_llm_as_judge

PROMPT = ASK + "\n\n<prompt>\n{inputs}\n</prompt>\n\n<response>\n{outputs}\n</response>"


def judge(rows: Sequence[Row], address: str, concurrency: int) -> list[bool]:
    evaluator = create_async_llm_as_judge(prompt=PROMPT, model="openai:mock", feedback_key="correct")

    async def one(row: Row) -> bool:
        result = await evaluator(inputs=row["prompt"], outputs=row["response"])
        return result["score"]

    return at_once(one, rows, concurrency)


run(judge)
