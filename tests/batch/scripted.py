"""A scripted judge: no model, an answer by rule, a delay by rule; and a program that runs a batch with it.

    python tests/batch/scripted.py IN OUT [--delay S] [--unordered] [--retry] [--seed N]

The program exists to be killed. What it judges it also appends to ``OUT.judged`` (ids, one a line).
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from genrm.batch.fields import FieldMap
from genrm.batch.run import BatchOptions, run_batch
from genrm.engines.base import Usage
from genrm.errors import DeadlineError, TruncatedError
from genrm.judging.judgment import CriterionJudgment, Judgment
from genrm.judging.window import window
from genrm.specs.sample import Sample


class ScriptedJudge:
    """Rewards the share of the letter ``a``; ``timeout`` and ``truncated`` as response fail like that.

    Args:
        delay_s: longest time that a judgment takes; each takes a random part of it.
        broken: whether responses that ask for a failure get one.
    """

    def __init__(
        self, *, delay_s: float = 0.0, seed: int = 0, broken: bool = True, in_flight: int = 8, log: Path | None = None
    ) -> None:
        self.delay_s, self.seed, self.broken, self.in_flight, self.log = delay_s, seed, broken, in_flight, log
        self.votes = 1
        self.judged: list[str] = []

    def identity(self) -> dict[str, Any]:
        return {"engine": "scripted", "model": "scripted", "rubric": "letters@sha256:00", "seed": self.seed}

    def notices(self) -> list[str]:
        return ["scripted is no real judge"]

    async def stream(self, rows: AsyncIterator[Sample], *, ordered: bool = True) -> AsyncIterator[Judgment]:
        def start(sample: Sample, _: int) -> asyncio.Future[Judgment]:
            return asyncio.ensure_future(self.judge(sample))

        async for judgment in window(rows, start, limit=self.in_flight, ordered=ordered):
            yield judgment

    async def judge(self, sample: Sample) -> Judgment:
        self.judged.append(sample.id)
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(sample.id + "\n")
        if self.delay_s:
            await asyncio.sleep(random.random() * self.delay_s)
        usage = Usage(requests=1, prompt_tokens=10, completion_tokens=2)
        errors = {"timeout": DeadlineError("too slow"), "truncated": TruncatedError("cut")}
        if self.broken and sample.response in errors:
            error = errors[sample.response]
            criteria = {"letters": CriterionJudgment(status="failed", error=error)}
            return Judgment(sample.id, "failed", criteria=criteria, judge=self.identity(), usage=usage, error=error)
        score = sample.response.count("a") / len(sample.response)
        label = "yes" if score >= 0.5 else "no"
        result = CriterionJudgment(
            "ok", label, score, {"no": 1 - score, "yes": score}, f"Read {sample.response[:200]!r}.", votes=(label,)
        )
        return Judgment(sample.id, "ok", score, criteria={"letters": result}, judge=self.identity(), usage=usage)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("input")
    parser.add_argument("output")
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--unordered", action="store_true")
    parser.add_argument("--retry", action="store_true")
    arguments = parser.parse_args()
    judge = ScriptedJudge(
        delay_s=arguments.delay,
        seed=arguments.seed,
        broken=not arguments.retry,
        log=Path(arguments.output + ".judged"),
    )
    options = BatchOptions(
        arguments.input,
        arguments.output,
        fields=FieldMap(),
        ordered=not arguments.unordered,
        retry="all" if arguments.retry else "no",
    )
    return run_batch(judge, options).exit_code


if __name__ == "__main__":
    sys.exit(main())
