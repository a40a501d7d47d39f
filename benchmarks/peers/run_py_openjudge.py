"""py-openjudge: an LLMGrader with a template of its own, through the openai package."""

from __future__ import annotations

from collections.abc import Sequence

from harness import ASK, Row, at_once, run
from openjudge.graders.llm_grader import LLMGrader
from openjudge.models.openai_chat_model import OpenAIChatModel

TEMPLATE = (
    ASK + "\n\n<prompt>\n{query}\n</prompt>\n\n<response>\n{response}\n</response>\n\n"
    'Answer with a JSON object: {{"reason": "<why>", "score": <1 to 5>}}'
)


def judge(rows: Sequence[Row], address: str, concurrency: int) -> list[float]:
    model = OpenAIChatModel(model="mock", api_key="none", base_url=f"{address}/v1")
    grader = LLMGrader(model=model, name="correct", template=TEMPLATE)

    async def one(row: Row) -> float:
        result = await grader.aevaluate(query=row["prompt"], response=row["response"])
        return result.score

    return at_once(one, rows, concurrency)


run(judge)
