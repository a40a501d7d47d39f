"""The Python interface on the embedded judge: one sample, many, a stream, and a reward for a trainer.

python examples/python_api.py
"""

from __future__ import annotations

import asyncio

import genrm

ROWS = [
    {"id": "right", "prompt": "What is 12 * 12?", "response": "12 * 12 = 144. The answer is 144.", "reference": "144"},
    {"id": "wrong", "prompt": "What is 12 * 12?", "response": "12 * 12 = 124. The answer is 124.", "reference": "144"},
    {"id": "broken", "prompt": "What is 12 * 12?", "response": 144},
]


async def stream(judge: genrm.Judge) -> None:
    """Judgments as they come, in order, with bounded memory."""
    async for judgment in judge.stream(iter(ROWS)):
        print(f"stream  {judgment.id:7} reward {judgment.reward}")


def main() -> None:
    judge = genrm.Judge("math-verify", model="tiny", votes=3, seed=7)

    one = judge.judge(prompt="2+2?", response="It is 4.", reference="4")
    print(f"one     reward {one.reward}: {one.criteria['correct'].critique}")

    for judgment in judge.judge_many(ROWS):
        reason = judgment.error or judgment.criteria["correct"].critique
        print(f"many    {judgment.id:7} {judgment.status:6} reward {judgment.reward}: {reason}")

    asyncio.run(stream(judge))

    reward = genrm.RewardFunction(judge)
    print("reward ", reward(prompts=["2+2?"] * 2, completions=["4", "5"], reference=["4", "4"]))


if __name__ == "__main__":
    main()
