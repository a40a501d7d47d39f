"""autorubric: one criterion, one call a row, through litellm."""

from __future__ import annotations

from collections.abc import Sequence

from autorubric import LLMConfig, Rubric
from autorubric.graders import CriterionGrader
from harness import ASK, Row, at_once, run


def judge(rows: Sequence[Row], address: str, concurrency: int) -> list[float]:
    config = LLMConfig(model="openai/mock", api_base=f"{address}/v1", api_key="none")
    grader = CriterionGrader(judge_model_config=config)
    rubric = Rubric.from_dict([{"name": "correct", "weight": 1.0, "requirement": ASK}])

    async def one(row: Row) -> float:
        report = await rubric.grade(to_grade=row["response"], grader=grader, query=row["prompt"])
        return report.score

    return at_once(one, rows, concurrency)


run(judge)
