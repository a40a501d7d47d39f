"""The arguments of vLLM's engine: what the user gave, what genrm needs, and defaults for a judge.

    >>> given = Settings("models/my-judge", dtype=None, arguments={"tensor_parallel_size": 2})
    >>> given.arguments
    {'tensor_parallel_size': 2}

Everything that vLLM's ``AsyncEngineArgs`` takes is passed on, except what would make a judgment another one behind
genrm's back (:data:`KEPT`). The defaults differ from vLLM's own in four places, and each can be set:

* ``gpu_memory_utilization`` 0.4, not 0.92: the model that is trained is usually on the same GPU.
* ``max_model_len`` at most 32,768 (8,192 on a CPU): a judge reads one sample, and room for a longer one is memory.
* ``block_size`` 32 on a CPU, not 128: a prompt is cached in whole blocks, and a rubric is a few hundred tokens.
* ``kv_cache_memory_bytes`` 1 GiB on a CPU, where vLLM takes nearly all memory that is free.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genrm.engines.vllm_parts.imports import import_vllm
from genrm.errors import Fault, SpecError

BACKENDS = ("guidance", "xgrammar", "outlines")
"""Grammar back ends that enforce all of an output plan. lm-format-enforcer does not run in vLLM 0.32, and "auto" is
settled by the first request of all: what it does not know of later ones it drops without a word."""

KEPT = {
    "model": "name the model in vllm:MODEL",
    "tokenizer": "put the tokenizer into the model's folder",
    "structured_outputs_config": f"use grammar={'|'.join(BACKENDS)}",
    "reasoning_parser": "leave it out: the grammar begins behind the thinking that the rubric asks for",
    "logprobs_mode": "leave it out: label probabilities are read at temperature 1",
    "skip_tokenizer_init": "leave it out: the grammar needs the tokenizer",
    "runner": "leave it out: a judge generates",
    "headless": "leave it out: the engine runs in this process",
}
"""Arguments that genrm sets itself, and what to do instead."""

GPU_SHARE = 0.4
CONTEXT, CPU_CONTEXT = 32768, 8192
CPU_KV_BYTES = 1 << 30
CPU_SEQUENCES = 64
CPU_BLOCK = 32
LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)


@dataclass(frozen=True)
class Settings:
    """What the user asked for.

    Attributes:
        source: folder or name on the hub.
        dtype: number format; decided by :meth:`vllm_arguments` when None.
        grammar: back end of constrained decoding, one of :data:`BACKENDS`.
        lora: folder of an adapter.
        arguments: further arguments of vLLM's engine.
        context: what the model's configuration says that it reads.
        hybrid: some layers keep a state instead of keys and values (Mamba, short convolutions).
    """

    source: str
    dtype: str | None
    grammar: str = "guidance"
    revision: str | None = None
    lora: Path | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    context: int | None = None
    hybrid: bool = False

    def check(self) -> None:
        """Find what can be found without loading vLLM.

        Raises:
            SpecError: an option is wrong.
        """
        faults = [
            Fault("is set by genrm", field=name, value=repr(self.arguments[name]), fix=fix)
            for name, fix in KEPT.items()
            if name in self.arguments
        ]
        if self.grammar not in BACKENDS:
            fix = f"use one of {', '.join(BACKENDS)}"
            faults.append(Fault("no back end that keeps to a grammar", field="grammar", value=self.grammar, fix=fix))
        if self.lora is not None and not (self.lora / "adapter_config.json").is_file():
            fix = "name a folder with adapter_config.json and the adapter's weights"
            faults.append(Fault("is no LoRA adapter", field="lora", value=str(self.lora), fix=fix))
        if faults:
            raise SpecError(faults)

    def vllm_arguments(self, *, cpu: bool) -> dict[str, Any]:
        """All arguments for ``AsyncEngineArgs``.

        Raises:
            SpecError: arguments that cannot go together on a CPU.
        """
        chosen: dict[str, Any] = {
            "dtype": self.dtype or ("float32" if cpu else "auto"),
            "revision": self.revision,
            "max_model_len": min(self.context or CONTEXT, CPU_CONTEXT if cpu else CONTEXT),
            "enable_prefix_caching": True,
            "use_tqdm_on_load": False,
            "disable_log_stats": True,
        }
        chosen |= self._for_cpu() if cpu else {"gpu_memory_utilization": GPU_SHARE}
        if self.lora is not None:
            chosen |= {"enable_lora": True, "max_lora_rank": lora_rank(self.lora)}
        chosen |= self.arguments
        if cpu:
            _check_cpu(chosen)
        return chosen | {
            "model": self.source,
            "structured_outputs_config": {"backend": self.grammar},
            "max_logprobs": max(20, int(chosen.get("max_logprobs", 20))),
        }

    def _for_cpu(self) -> dict[str, Any]:
        context = int(self.arguments.get("max_model_len", 0) or min(self.context or CPU_CONTEXT, CPU_CONTEXT))
        return {
            "enforce_eager": True,
            "block_size": CPU_BLOCK,
            "kv_cache_memory_bytes": CPU_KV_BYTES,
            "max_num_seqs": CPU_SEQUENCES,
            # A seeded vote whose prompt is read in two pieces ends the whole engine: a CPU's generator has no offset.
            "enable_chunked_prefill": False,
            "max_num_batched_tokens": max(8192, context),
            # The compiled one of vLLM 0.32 gives LFM2 wrong positions; its form in PyTorch agrees with transformers.
            "compilation_config": {"custom_ops": ["-rotary_embedding"]},
            # The prefix cache of such models needs prompts in pieces.
            "enable_prefix_caching": not self.hybrid,
        }


def _check_cpu(chosen: Mapping[str, Any]) -> None:
    if chosen["enable_chunked_prefill"]:
        raise SpecError(
            Fault(
                "votes with seeds end vLLM's engine when prompts are read in pieces on a CPU",
                field="enable_chunked_prefill",
                value=repr(chosen["enable_chunked_prefill"]),
                fix="leave it out",
            )
        )
    if int(chosen["max_num_batched_tokens"]) < int(chosen["max_model_len"] or 0):
        raise SpecError(
            Fault(
                "less than max_model_len would have prompts read in pieces",
                field="max_num_batched_tokens",
                value=str(chosen["max_num_batched_tokens"]),
                fix=f"at least {chosen['max_model_len']}",
            )
        )


def argument_names() -> frozenset[str]:
    """The arguments of the installed vLLM's engine."""
    import_vllm()
    from vllm.engine.arg_utils import AsyncEngineArgs

    return frozenset(item.name for item in dataclasses.fields(AsyncEngineArgs) if item.init)


def lora_rank(folder: Path) -> int:
    """The smallest rank that vLLM knows and that an adapter fits in.

    Raises:
        SpecError: the adapter does not say its rank, or it is too large.
    """
    try:
        rank = int(json.loads((folder / "adapter_config.json").read_text())["r"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SpecError(
            Fault("adapter_config.json has no rank 'r'", field="lora", value=str(folder), fix="save it with peft")
        ) from error
    fitting = [known for known in LORA_RANKS if known >= rank]
    if not fitting:
        raise SpecError(Fault(f"vLLM takes ranks up to {LORA_RANKS[-1]}", field="lora", value=f"rank {rank}"))
    return fitting[0]
