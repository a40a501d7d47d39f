"""Judging with genrm over vLLM, beside raw `generate` on the same prompts: what genrm adds, and what grammars cost.

    .venv-vllm/bin/python benchmarks/vllm_judge.py --rows 64 --repeats 5

One vLLM engine per grammar back end; on each, in turns and in one process:

* judge: `Judge.judge_many`, one call per row with a critique and a label, label distributions included;
* generate: vLLM's own `AsyncLLM.generate` on the same prompt tokens with the same constraint, sampling and seeds;
* exact: as judge, with every score slot read by a call of its own;
* free: `generate` without the constraint, for as many tokens as the constrained answers have on average.

The model is the embedded judge, which ends its answers by itself; its vocabulary has 512 tokens. What a grammar costs
with a larger one is seen with --random, a model with random weights that fills its budgets: there `generate` repeats
also the calls that complete cut critiques, and all at once, so only the rates mean something. Ratios are medians over
the repeats, with the lowest and the highest. Without vLLM the script says so and does nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

RUBRIC = {
    "name": "bench",
    "protocol": "verify",
    "critique_tokens": 64,
    "criteria": [{"id": "correct", "ask": "Does the response's final answer equal the reference answer?"}],
}
VOTES = 4
ENGINE = {"max_model_len": 2048, "max_num_seqs": 64}
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_model(folder: Path, *, vocabulary: int, width: int, layers: int) -> None:
    """A random Qwen3 with a byte-level tokenizer that was trained on Python's standard library."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, Qwen3Config

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    library = Path(os.__file__).parent
    inner.train_from_iterator((path.read_text(errors="replace") for path in sorted(library.glob("*.py"))), trainer)
    outer = PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token="<|im_end|>", pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>"],
    )  # fmt: skip
    outer.chat_template = TEMPLATE
    outer.save_pretrained(folder)
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=inner.get_vocab_size(), hidden_size=width, intermediate_size=2 * width, num_hidden_layers=layers,
        num_attention_heads=width // 32, num_key_value_heads=1, head_dim=32, max_position_embeddings=4096,
        bos_token_id=None, eos_token_id=2, pad_token_id=0,
    )  # fmt: skip
    AutoModelForCausalLM.from_config(config).float().save_pretrained(folder)


def make_rows(count: int) -> list[dict[str, str]]:
    rows = []
    for i in range(count):
        total = 2 * i + 3
        said = f"{i} + {i + 3} = {total}\nThe answer is {total + i % 2}."
        rows.append({"id": str(i), "prompt": f"What is {i} + {i + 3}?", "reference": str(total), "response": said})
    return rows


class Bench:
    """One engine, and the same work done in several ways."""

    def __init__(self, folder: Path, grammar: str, rows: list[dict[str, str]], options: dict[str, Any]) -> None:
        from genrm.judging.judge import Judge

        self.rows = rows
        self.judge = Judge(RUBRIC, f"vllm:{folder}", votes=VOTES, engine_options=options | {"grammar": grammar})
        self.engine: Any = self.judge.engine()
        self.calls: list[Any] = []
        self.tokens = 0

    def record(self) -> None:
        """Run once, and keep the calls that the judge made."""
        whole = self.engine.call

        async def recording(call: Any) -> Any:
            self.calls.append(call)
            return await whole(call)

        self.engine.call = recording
        self.judge.judge_many(self.rows)
        del self.engine.call

    def judged(self) -> float:
        start = time.perf_counter()
        judgments = self.judge.judge_many(self.rows)
        seconds = time.perf_counter() - start
        assert all(judgment.status == "ok" for judgment in judgments)
        return seconds

    def exact(self) -> float:
        writing = self.engine._writing
        self.engine._writing = replace(writing, exact_slots=True)
        try:
            return self.judged()
        finally:
            self.engine._writing = writing

    def generated(self, *, free: bool = False) -> float:
        """Seconds of raw generate; counts the tokens."""
        from genrm.judging import runtime

        return runtime.current().call(self._generate(free))

    async def _generate(self, free: bool) -> float:
        from vllm import SamplingParams
        from vllm.inputs import tokens_input
        from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

        engine, limit = self.engine, asyncio.Semaphore(self.judge.max_in_flight)
        prompts = [engine._prompts.tokens(call) for call in self.calls]
        average = max(1, self.tokens // max(1, sum(len(call.seeds) for call in self.calls)))
        count = 0

        async def one(index: int, call: Any, prompt: list[int]) -> None:
            nonlocal count
            params = SamplingParams(
                n=len(call.seeds), temperature=call.temperature, max_tokens=call.max_tokens,
                logprobs=call.top_logprobs or None, flat_logprobs=True, detokenize=False,
                seed=call.seeds[0] if call.temperature > 0 else None, output_kind=RequestOutputKind.FINAL_ONLY,
                structured_outputs=StructuredOutputsParams(regex=call.constraint.regex),
            )  # fmt: skip
            if free:
                params.structured_outputs, params.max_tokens, params.ignore_eos = None, average, True
            async with limit:
                async for result in engine._core.generate(
                    tokens_input(prompt_token_ids=prompt), params, f"raw-{index}"
                ):
                    count += sum(len(output.token_ids) for output in result.outputs)

        start = time.perf_counter()
        await asyncio.gather(
            *(one(i, call, prompt) for i, (call, prompt) in enumerate(zip(self.calls, prompts, strict=True)))
        )
        seconds = time.perf_counter() - start
        if not free:
            self.tokens = count
        self.count = count
        return seconds


def spread(values: list[float], form: str = ".3f") -> str:
    return f"{statistics.median(values):{form}} [{min(values):{form}}, {max(values):{form}}]"


def measure(bench: Bench, repeats: int) -> None:
    bench.record()
    bench.generated()
    bench.judged()
    times: dict[str, list[float]] = {"judge": [], "generate": [], "exact": [], "free": []}
    work: dict[str, list[float]] = {name: [] for name in times}
    rates: dict[str, list[float]] = {"generate": [], "free": []}
    ways: dict[str, Callable[[], float]] = {
        "generate": bench.generated,
        "judge": bench.judged,
        "free": lambda: bench.generated(free=True),
        "exact": bench.exact,
    }
    for _ in range(repeats):
        for name, way in ways.items():
            before = time.process_time()
            times[name].append(way())
            work[name].append(time.process_time() - before)
            if name in rates:
                rates[name].append(bench.count / times[name][-1])
    base = times["generate"]
    print(f"  {len(bench.calls)} calls for {len(bench.rows)} rows, {bench.tokens} tokens")
    print(f"  generate, constrained    {spread(base)} s, {spread(rates['generate'], '.0f')} tokens/s")
    print(f"  generate, free           {spread(rates['free'], '.0f')} tokens/s")
    for name, text in (("judge", "judge / generate"), ("exact", "judge, exact slots / generate")):
        print(f"  {text:<32} {spread([a / b for a, b in zip(times[name], base, strict=True)])}")
    own = [a - b for a, b in zip(work["judge"], work["generate"], strict=True)]
    votes = len(bench.rows) * VOTES
    print(f"  CPU time of this process per vote: generate {spread([1e3 * w / votes for w in work['generate']])} ms,")
    print(f"    judge adds {spread([1e3 * w / votes for w in own])} ms")
    ratio = [a / b for a, b in zip(rates["generate"], rates["free"], strict=True)]
    print(f"  constrained / free tokens per s  {spread(ratio)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--grammar", action="append", help="back ends; all three by default")
    parser.add_argument("--model", type=Path, help="a model folder in place of the embedded judge")
    parser.add_argument("--random", action="store_true", help="a random model")
    parser.add_argument("--vocabulary", type=int, default=32000, help="of the random model")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--layers", type=int, default=2)
    given = parser.parse_args()
    if importlib.util.find_spec("vllm") is None:
        print("vLLM is not installed here; run this with .venv-vllm/bin/python (make .venv-vllm/installed)")
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        from genrm.resources import tiny_dir

        model = Path(folder) if given.random else given.model or tiny_dir("default")
        if given.random:
            make_model(model, vocabulary=given.vocabulary, width=given.width, layers=given.layers)
        import torch

        options = dict(ENGINE) if torch.cuda.is_available() else ENGINE | {"kv_cache_memory_bytes": 128 << 20}
        for grammar in given.grammar or ["guidance", "xgrammar", "outlines"]:
            print(f"{grammar}:", flush=True)
            bench = Bench(model, grammar, make_rows(given.rows), options)
            measure(bench, given.repeats)
            from genrm.judging import runtime

            runtime.shutdown()


if __name__ == "__main__":
    sys.exit(main())
