"""Requests to a running vLLM, and what its failures mean.

    >>> result = await Requests(core, None).send(prompt, answer_params(call, (7, 8)))        # doctest: +SKIP

Every request ends with one result for all its votes; one that is cancelled here is called off in vLLM too.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genrm.compiler.output import Thinking
from genrm.engines.calls.call import Call
from genrm.engines.wire.circuit import is_stoppable
from genrm.errors import EngineError, RunStoppedError


class Requests:
    """Sends requests to an ``AsyncLLM``, with a LoRA adapter where there is one."""

    def __init__(self, core: Any, lora: Path | None) -> None:
        from vllm.lora.request import LoRARequest

        self._core = core
        self._lora = LoRARequest(lora.name, 1, str(lora)) if lora else None
        self._ids = itertools.count()

    async def send(self, prompt: Sequence[int], params: Any) -> Any:
        """The finished ``RequestOutput`` for a prompt.

        Raises:
            EngineError: vLLM refused the request, failed, or has ended.
            RunStoppedError: vLLM has ended, and the call belongs to a run that can be resumed.
        """
        from vllm.exceptions import VLLMClientError
        from vllm.inputs import tokens_input
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        result = None
        try:
            # vLLM's own preparation of a prompt goes through a thread; tokens need none.
            inputs = tokens_input(prompt_token_ids=list(prompt))
            name = f"genrm-{next(self._ids)}"
            async for finished in self._core.generate(inputs, params, name, lora_request=self._lora):
                result = finished
        except VLLMClientError as error:
            raise EngineError(f"vLLM refuses the request: {error}", retryable=False) from error
        except EngineDeadError as error:
            raise ended() from error
        except EngineGenerateError as error:
            if self._core.errored:
                raise ended() from error
            cause = error.__cause__ or error
            raise EngineError(f"vLLM failed: {type(cause).__name__}: {cause}") from error
        if result is None:
            raise EngineError("vLLM gave no result")
        return result


def ended() -> Exception:
    """What is raised when vLLM's processes are gone: every further call would fail as well."""
    message = "vLLM's engine has ended; its last messages (VLLM_LOGGING_LEVEL=INFO shows more) say why"
    if is_stoppable():
        return RunStoppedError(f"{message}. Run the same command again to go on")
    return EngineError(message)


def answer_params(call: Call, seeds: Sequence[int]) -> Any:
    """Sampling of the answers of a call, one per seed; the seeds are consecutive."""
    from vllm import SamplingParams
    from vllm.sampling_params import StructuredOutputsParams

    regex = call.constraint.regex if call.constraint else None
    return SamplingParams(
        **_votes(call, seeds),
        max_tokens=call.max_tokens,
        logprobs=call.top_logprobs or None,
        flat_logprobs=True,
        stop=list(call.stop) or None,
        structured_outputs=StructuredOutputsParams(regex=regex) if regex is not None else None,
        detokenize=bool(call.stop),
    )


def thinking_params(call: Call, thinking: Thinking, seeds: Sequence[int], end: Sequence[int]) -> Any:
    """Sampling of the thinking, up to its end mark; ``end`` are the mark's tokens."""
    from vllm import SamplingParams

    stop: dict[str, Any] = {"stop_token_ids": list(end)}
    if len(end) > 1:
        stop = {"stop": [thinking.end], "detokenize": True}
    return SamplingParams(**{"detokenize": False} | _votes(call, seeds) | stop, max_tokens=thinking.max_tokens)


def score_params(ids: Sequence[int]) -> Any:
    """Sampling that reads the probabilities of some tokens; nothing is masked, so they are the model's own."""
    from vllm import SamplingParams

    return SamplingParams(**_common(), max_tokens=1, temperature=0.0, logprob_token_ids=list(ids), detokenize=False)


def _votes(call: Call, seeds: Sequence[int]) -> dict[str, Any]:
    # vLLM gives the i-th text of a request the seed of the request plus i.
    seed = seeds[0] if call.temperature > 0 else None
    return _common() | {"n": len(seeds), "seed": seed, "temperature": call.temperature}


def _common() -> dict[str, Any]:
    from vllm.sampling_params import RequestOutputKind

    # Each object is used once, so vLLM need not copy it.
    return {"output_kind": RequestOutputKind.FINAL_ONLY, "skip_special_tokens": False, "skip_clone": True}


def consecutive(seeds: Sequence[int]) -> list[tuple[int, ...]]:
    """Seeds in runs that count upwards by one: each run is one request.

    >>> consecutive((4, 5, 6, 9))
    [(4, 5, 6), (9,)]
    """
    runs: list[list[int]] = []
    for seed in seeds:
        if runs and seed == runs[-1][-1] + 1:
            runs[-1].append(seed)
        else:
            runs.append([seed])
    return [tuple(run) for run in runs]
