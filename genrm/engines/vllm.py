"""The engine ``vllm:PATH_OR_ID``: a model that vLLM runs for this process.

    >>> engine = VllmEngine("models/my-judge", tensor_parallel_size=2)                       # doctest: +SKIP
    >>> await engine.start()                                                                 # doctest: +SKIP
    >>> completions = await engine.complete(request)                                         # doctest: +SKIP

All votes of a sample are one request, which reads the prompt once. The output plan is the regular expression that
constrains them; see :mod:`genrm.engines.calls.write` for what becomes of the answers. vLLM itself runs in processes
of its own (:mod:`genrm.engines.vllm_parts.core`), which end with this one.
"""

from __future__ import annotations

import asyncio
import atexit
import importlib.util
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from genrm.compiler.request import JudgeRequest
from genrm.engines.base import Capabilities, Completion, SlotReading, Usage
from genrm.engines.calls.asking import Settings as Writing
from genrm.engines.calls.call import Call, Offers, Reply
from genrm.engines.calls.together import together
from genrm.engines.calls.write import write
from genrm.engines.labels import LabelTree, log_mass
from genrm.engines.vllm_parts.core import end_core, start_core
from genrm.engines.vllm_parts.described import describe
from genrm.engines.vllm_parts.prompts import Prompts
from genrm.engines.vllm_parts.replies import Reader, usage_of
from genrm.engines.vllm_parts.requests import (
    Requests,
    answer_params,
    consecutive,
    score_params,
    thinking_params,
)
from genrm.engines.vllm_parts.settings import Settings, argument_names
from genrm.engines.vllm_parts.turns import Turns
from genrm.errors import (
    ContextOverflowError,
    DeadlineError,
    EngineError,
    JudgeError,
    MissingExtraError,
)

TOP_LOGPROBS = 20
MOST_IDS = 128
"""Tokens whose probabilities vLLM tells in one request."""
CLOSINGS = ('"}}', '"},"')
"""How an output may go on behind a label; tokens that spell a beginning of it end the label."""


class VllmEngine:
    """A model as an engine and as a :class:`genrm.engines.calls.call.Caller`.

    Args:
        source: a folder, or a name on the Hugging Face hub.
        dtype: number format; the model card's, else float32 on a CPU and the checkpoint's on a GPU.
        revision: branch, tag or commit on the hub.
        lora: folder of a LoRA adapter that makes the model a judge.
        grammar: back end of constrained decoding: guidance, xgrammar or outlines.
        exact_slots: read every score slot by calls of its own, which show the probability mass outside the labels;
            else the distributions are those under the grammar.
        name: how the engine is named in output rows.
        arguments: further arguments of vLLM's engine, such as ``tensor_parallel_size=2``.

    Attributes:
        model: the name and version of the model card, else the source, with a fingerprint of the files.
        card: what the model's folder says about it; None for most models.

    Raises:
        MissingExtraError: vLLM is not installed.
        SpecError: the model or an option is wrong.
    """

    def __init__(
        self,
        source: str,
        *,
        dtype: str | None = None,
        revision: str | None = None,
        lora: str | None = None,
        grammar: str = "guidance",
        exact_slots: bool = False,
        name: str = "vllm",
        **arguments: Any,
    ) -> None:
        if importlib.util.find_spec("vllm") is None:
            raise MissingExtraError("vllm", "vllm", f"the model {source!r}")
        self.name = name
        self._settings = Settings(source, dtype, grammar, revision, Path(lora) if lora else None, arguments)
        self._settings.check()
        found = describe(self._settings)
        self.model, self.card, self._settings = found.identity, found.card, found.settings
        self._vocabulary = found.vocabulary
        self._prompts, self._reader = Prompts(found.chat, found.vocabulary), Reader(found.vocabulary)
        self.capabilities = Capabilities(
            prompts=self.card.prompts if self.card else "full",
            joint=not (self.card and self.card.one_criterion),
            context_tokens=self._settings.context,
            control_tokens=found.chat.control_tokens,
            queues=True,
        )
        self._core: Any = None
        self._requests: Requests | None = None
        self._turns = Turns(1)
        self._tree = lru_cache(maxsize=1024)(self._find_tree)
        decision = self.card.decision if self.card else None
        self._writing = Writing(
            exact_slots=exact_slots,
            marks=frozenset((decision.met, decision.unmet)) if decision else frozenset(),
            alternatives=5 if decision else 0,
            control_tokens=self.capabilities.control_tokens,
        )

    @staticmethod
    def passed_on() -> frozenset[str] | None:
        """The arguments of vLLM's engine; None, for any, where vLLM is missing: that is what has to be said then."""
        return None if importlib.util.find_spec("vllm") is None else argument_names()

    async def start(self) -> None:
        """Start vLLM; the context length and the room for sequences are known after it.

        Raises:
            SpecError: vLLM refuses the model or an argument.
        """
        if self._core is None:
            self._core = await asyncio.to_thread(start_core, self._settings)
            self._requests = Requests(self._core, self._settings.lora)
            # Registered this late it runs before multiprocessing waits for its processes at exit.
            atexit.register(self._end)
            config = self._core.vllm_config
            self.capabilities = replace(self.capabilities, context_tokens=config.model_config.max_model_len)
            self._turns = Turns(2 * config.scheduler_config.max_num_seqs)

    @property
    def offers(self) -> Offers:
        """What it can do."""
        return Offers(
            grammar="regex",
            prefill=True,
            top_logprobs=TOP_LOGPROBS,
            masked=True,
            exact=True,
            n=True,
            seeds=True,
            thinking=True,
        )

    async def complete(self, request: JudgeRequest) -> list[Completion | JudgeError]:
        """One completion per seed of the request, in that order, or the error in its place.

        Raises:
            ContextOverflowError: prompt and output together are longer than the model reads.
            EngineError: vLLM failed or has ended.
            RunStoppedError: vLLM has ended, and the call belongs to a run that can be resumed.
        """
        return await write(request, self, self._writing)

    def count_tokens(self, text: str) -> int:
        """Tokens of a text."""
        return len(self._vocabulary.encode(text))

    async def aclose(self) -> None:
        """End vLLM's processes. Calls in flight fail."""
        if self._core is not None:
            await asyncio.to_thread(self._end)

    def _end(self) -> None:
        core, self._core, self._requests = self._core, None, None
        if core is not None:
            atexit.unregister(self._end)
            end_core(core)

    async def call(self, call: Call) -> list[Reply | JudgeError]:
        """One reply per seed, in order, or its error. See :class:`genrm.engines.calls.call.Caller`."""
        prompt = self._prompts.tokens(call)
        budget = call.max_tokens + (call.thinking.max_tokens if call.thinking else 0)
        self._check_length(len(prompt), budget)
        # Greedy votes are all alike, so one is asked for.
        seeds = call.seeds if call.temperature > 0 else call.seeds[:1]
        async with self._turns.take(len(seeds)):
            began = time.monotonic()
            async with _deadline(call.timeout_s):
                replies = await self._replies(call, prompt, seeds)
        replies = [reply if isinstance(reply, JudgeError) else replace(reply, began=began) for reply in replies]
        if all(isinstance(reply, JudgeError) for reply in replies):
            raise next(reply for reply in replies if isinstance(reply, JudgeError))
        first = replies[0]
        again = replace(first, usage=Usage()) if isinstance(first, Reply) else first
        return replies + [again] * (len(call.seeds) - len(replies))

    async def _replies(self, call: Call, prompt: list[int], seeds: Sequence[int]) -> list[Reply | JudgeError]:
        answer = self._answer if call.thinking is None else self._think_and_answer
        found = await together([answer(call, prompt, run) for run in consecutive(seeds)])
        return [reply for replies in found for reply in replies]

    async def _answer(self, call: Call, prompt: list[int], seeds: Sequence[int]) -> list[Reply | JudgeError]:
        """The answers behind a prompt, all votes in one request."""
        try:
            result = await self._send(prompt, answer_params(call, seeds))
        except JudgeError as error:
            return [error] * len(seeds)
        return [
            self._reader.reply(output, usage_of(result, index), stop=call.stop)
            for index, output in enumerate(result.outputs)
        ]

    async def _think_and_answer(self, call: Call, prompt: list[int], seeds: Sequence[int]) -> list[Reply | JudgeError]:
        """First free thinking, all votes in one request; then each vote's answer behind its own thinking."""
        assert call.thinking is not None
        end = self._prompts.mark(call.thinking.end)
        try:
            result = await self._send(prompt, thinking_params(call, call.thinking, seeds, end))
        except JudgeError as error:
            return [error] * len(seeds)

        async def behind(index: int, seed: int) -> Reply | JudgeError:
            assert call.thinking is not None
            mark, output, spent = call.thinking.end, result.outputs[index], usage_of(result, index)
            ids, text = self._reader.written(output, (mark,))
            thought = text.lstrip().removeprefix(mark.replace("</", "<", 1))
            if output.finish_reason != "stop":
                # Whoever asked closes the thinking and asks for the answer behind it.
                reply = self._reader.reply(output, spent)
                return (
                    reply if isinstance(reply, JudgeError) else replace(reply, text="", tokens=None, thinking=thought)
                )
            [answer] = await self._answer(call, [*prompt, *ids, *end], (seed,))
            if isinstance(answer, JudgeError):
                return answer
            return replace(answer, thinking=thought, usage=spent + answer.usage)

        return await together([behind(index, seed) for index, seed in enumerate(seeds)])

    async def read_slot(self, call: Call, labels: tuple[str, ...]) -> SlotReading:
        """The exact distribution of labels behind ``call.prefill``, and the unmasked mass outside them.

        One token is asked for at each place where the spellings of labels part; what stands before is in the cache.
        See :class:`genrm.engines.calls.call.Caller`.
        """
        prompt, tree = self._prompts.tokens(call), self._tree(labels)
        self._check_length(len(prompt) + max(len(branch.prefix) for branch in tree.branches), 1)
        async with self._turns.take(len(tree.branches)), _deadline(call.timeout_s):
            masses = await together([self._masses([*prompt, *branch.prefix], branch.edges) for branch in tree.branches])
        p, outside = tree.distribution(masses)
        return SlotReading(p, outside)

    async def _masses(self, prompt: list[int], edges: Sequence[Sequence[int]]) -> list[float]:
        """Log-probability of each edge of a branch behind a prompt."""
        ids = sorted({token for edge in edges for token in edge})
        found: dict[int, float] = {}
        for start in range(0, len(ids), MOST_IDS):
            result = await self._send(prompt, score_params(ids[start : start + MOST_IDS]))
            found |= {token: float(item.logprob) for token, item in result.outputs[0].logprobs[0].items()}
        return [log_mass([found[token] for token in edge]) for edge in edges]

    def _find_tree(self, labels: tuple[str, ...]) -> LabelTree:
        closing = {token for literal in CLOSINGS for token in self._vocabulary.starting(literal)}
        return LabelTree(labels, self._vocabulary.spell, tuple(sorted(closing)))

    async def _send(self, prompt: list[int], params: Any) -> Any:
        if self._requests is None:
            raise EngineError("the engine is not running", retryable=False)
        return await self._requests.send(prompt, params)

    def _check_length(self, prompt: int, output: int) -> None:
        limit = self.capabilities.context_tokens
        if limit is not None and prompt + output > limit:
            raise ContextOverflowError(
                f"the prompt has {prompt} tokens and the output may have {output}, together {prompt + output}; "
                f"{self.model} reads {limit}"
            )


@asynccontextmanager
async def _deadline(seconds: float | None) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise DeadlineError(f"no verdict within {seconds:g} s") from None
