"""What constrained decoding costs: tokens a second of three ways to write, on the same prompts, side by side.

    python benchmarks/constrained_decoding.py [--model tiny|hf:FOLDER] [--rows 32] [--tokens 48] [--rounds 5]

*constrained* is the engine's loop with its grammar and score slots; *loop* is the same loop with every token free
(thinking without a grammar); *generate* is ``model.generate`` of transformers, sampling too. Rounds are interleaved,
so that whatever else the machine does meets all three. The time to read the prompts, which all three spend alike, is
measured too and taken off; the medians of what remains and their ratios to *generate* are printed.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from genrm.compiler.output import Thinking, plan_output
from genrm.compiler.request import JudgeRequest
from genrm.engines import open_engine
from genrm.engines.base import Completion
from genrm.engines.local.decoding import Row
from genrm.engines.local.writer import Writer
from genrm.errors import JudgeError


def request(index: int, tokens: int, *, free: bool) -> JudgeRequest:
    """A prompt about as long as a short judgement's; ``free`` spends the tokens on thinking."""
    text = f"A shop sells {index} apples and {3 * index} pears. " * 6 + f"The answer is {4 * index}."
    labels = {"correct": ("no", "yes")}
    # An end that no model writes keeps the free text going to its budget.
    plan = (
        plan_output(labels, critique_tokens=0, critique=False, thinking=Thinking("\0\0\0", tokens))
        if free
        else plan_output(labels, critique_tokens=tokens)
    )
    return JudgeRequest(({"role": "user", "content": text},), plan, seeds=(index,), temperature=1.0)


def write(engine: Any, requests: list[JudgeRequest]) -> int:
    """Tokens that the engine's decoder wrote, on this thread: no queue, no tokenizer."""
    tokens: list[int] = []
    rows = []

    def count(outcome: Completion | JudgeError) -> None:
        if not isinstance(outcome, Completion):
            raise outcome
        tokens.append(outcome.usage.completion_tokens)

    for asked in requests:
        [row] = engine._rows(asked)
        writer = partial(Writer, asked.output, engine._vocabulary, seed=asked.seeds[0], temperature=1.0)
        rows.append(Row(row.prompt, writer, count))
    engine.decoder.run(rows)
    return sum(tokens)


def generate(engine: Any, requests: list[JudgeRequest], tokens: int) -> int:
    """Tokens that transformers' own loop wrote."""
    import torch

    prompts = [engine._rows(asked)[0].prompt for asked in requests]
    width = max(map(len, prompts))
    model = engine.decoder.model
    ids = torch.tensor([[0] * (width - len(prompt)) + list(prompt) for prompt in prompts], device=model.device)
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=model.device)
    output = model.generate(
        ids, attention_mask=mask, do_sample=True, min_new_tokens=tokens, max_new_tokens=tokens, pad_token_id=0
    )
    return int(output.shape[1] - width) * len(requests)


def read(engine: Any, requests: list[JudgeRequest]) -> int:
    """The prompts alone, without a token written."""
    import torch

    with torch.inference_mode():
        engine.decoder._prefill([engine._rows(asked)[0].prompt for asked in requests])
    return 0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", default="tiny")
    options.add_argument("--rows", type=int, default=32)
    options.add_argument("--tokens", type=int, default=48)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--dtype")
    given = options.parse_args()
    engine: Any = open_engine(given.model, **({"dtype": given.dtype} if given.dtype else {}))

    import torch

    if engine.decoder.model.device.type == "cpu":
        torch.set_num_threads(1)
    constrained = [request(index, given.tokens, free=False) for index in range(given.rows)]
    free = [request(index, given.tokens, free=True) for index in range(given.rows)]
    ways: dict[str, Callable[[], int]] = {
        "constrained": partial(write, engine, constrained),
        "loop": partial(write, engine, free),
        "generate": partial(generate, engine, free, given.tokens),
        "read": partial(read, engine, free),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways if name != "read"}
    for counted in [False, *[True] * given.rounds]:
        seconds, tokens = {}, {}
        for name, work in ways.items():
            started = time.perf_counter()
            tokens[name] = work()
            seconds[name] = time.perf_counter() - started
        for name in rates if counted else ():
            rates[name].append(tokens[name] / (seconds[name] - seconds["read"]))
    base = statistics.median(rates["generate"])
    print(f"{engine.model}, {engine.decoder.model.dtype}, {given.rows} rows, {given.rounds} rounds")
    for name, measures in rates.items():
        middle, spread = statistics.median(measures), f"{min(measures):.0f} to {max(measures):.0f}"
        print(f"{name:12} {middle:8.0f} tokens/s ({spread})  {middle / base:5.2f} x generate")
    asyncio.run(engine.aclose())


if __name__ == "__main__":
    main()
