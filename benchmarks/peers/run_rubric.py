"""rubric: PerCriterionGrader with the generate function that it ships, which asks Gemini's API."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

os.environ.update(GEMINI_API_KEY="none", GOOGLE_GEMINI_BASE_URL=sys.argv[1])

from harness import ASK, Row, at_once, run
from rubric import Criterion, Rubric
from rubric.autograders import PerCriterionGrader
from rubric.utils import default_per_criterion_generate_fn


def judge(rows: Sequence[Row], address: str, concurrency: int) -> list[float]:
    grader = PerCriterionGrader(default_per_criterion_generate_fn)
    rubric = Rubric([Criterion(weight=1.0, requirement=ASK)])

    async def one(row: Row) -> float:
        report = await rubric.grade(row["response"], autograder=grader, query=row["prompt"])
        return report.score

    return at_once(one, rows, concurrency)


run(judge)
