"""Random models of two families (attention; attention with convolutions) over one small byte-level tokenizer.

They are built once a session, in a second. Random weights are the hardest writers for a grammar: every legal text
comes up. Helpers that tests share are fixtures, because test folders are no packages.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genrm.compiler.output import plan_output
from genrm.compiler.request import JudgeRequest
from genrm.engines.base import Completion

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Merges that matter: pieces that close a string and run into what follows, numbers, and labels that share a beginning.
CORPUS = [
    '{"critique":"The answer is 4, and 10 is no tie.","label":"yes"}',
    '{"critique":"One, two. They tied!","label":"no"}',
    "The response states the reference answer; it is correct. 1 10 tie tied excellent good poor",
    '"a":{"critique":"","label":"10"},"b":{"critique":"ok","label":"tie"}',
]


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(CORPUS * 20, trainer)
    outer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>"],
    )
    outer.add_tokens(["<think>", "</think>"])
    outer.chat_template = TEMPLATE
    return outer


def _config(family: str) -> Any:
    # Wider than the tokenizer's vocabulary, as the logits of released models are.
    shape = {
        "vocab_size": 448,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 640,
        "bos_token_id": None,
        "eos_token_id": 2,
        "pad_token_id": 0,
    }
    if family == "qwen3":
        from transformers import Qwen3Config

        return Qwen3Config(**shape, num_hidden_layers=2, head_dim=16)
    from transformers import Lfm2Config

    layers = ["conv", "full_attention", "conv"]
    return Lfm2Config(**shape, num_hidden_layers=3, layer_types=layers, conv_L_cache=3, block_auto_adjust_ff_dim=False)


@pytest.fixture(scope="session")
def model_folder(tokenizer, tmp_path_factory) -> Callable[[str], Path]:
    """The folder of a random model of a family, saved on first use."""
    import torch
    from transformers import AutoModelForCausalLM

    folders: dict[str, Path] = {}

    def folder(family: str) -> Path:
        if family not in folders:
            torch.manual_seed(1)
            model = AutoModelForCausalLM.from_config(_config(family)).float()
            with torch.no_grad():
                for parameter in model.parameters():
                    if parameter.ndim > 1:
                        parameter.mul_(4)
            folders[family] = tmp_path_factory.mktemp(family)
            model.save_pretrained(folders[family])
            tokenizer.save_pretrained(folders[family])
        return folders[family]

    return folder


@pytest.fixture(scope="session")
def open_hf(model_folder):
    """Opens the engine of a family; engines with the same options are shared by the session."""
    from genrm.engines import open_engine

    engines: dict[tuple[str, str], Any] = {}

    def opened(family: str = "lfm2", **options: Any) -> Any:
        key = (family, repr(sorted(options.items())))
        if key not in engines:
            settings = {"dtype": "float64", "threads": 1, "device": "cpu"} | options
            engines[key] = open_engine(f"hf:{model_folder(family)}", **settings)
        return engines[key]

    yield opened
    for engine in engines.values():
        asyncio.run(engine.aclose())


@pytest.fixture(params=["qwen3", "lfm2"])
def engine(request, open_hf):
    """An engine of each family."""
    return open_hf(request.param)


@pytest.fixture
def ask() -> Callable[..., JudgeRequest]:
    """Makes a request."""

    def make(
        text: str = "Is 2+2=4?",
        slots: dict[str, tuple[str, ...]] | None = None,
        *,
        seeds: tuple[int, ...] = (0,),
        temperature: float = 1.0,
        critique_tokens: int = 12,
        **plan: Any,
    ) -> JudgeRequest:
        output = plan_output(slots or {"correct": ("no", "yes")}, critique_tokens=critique_tokens, **plan)
        return JudgeRequest(({"role": "user", "content": text},), output, seeds, temperature)

    return make


@pytest.fixture
def complete() -> Callable[..., Any]:
    """Runs requests at the same time; for one request its completions, else a list of them."""

    def run(engine: Any, *requests: JudgeRequest) -> Any:
        async def gather() -> list[list[Completion]]:
            return await asyncio.gather(*(engine.complete(request) for request in requests))

        found = asyncio.run(gather())
        return found[0] if len(requests) == 1 else found

    return run


@pytest.fixture
def brute_force() -> Callable[..., Any]:
    """Scores whole label sequences with plain forwards of a fresh model, without cache, batch or grammar."""

    def score(folder: Path, request: JudgeRequest, completion: Completion, slot: str) -> tuple[dict[str, float], float]:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        torch.set_num_threads(1)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64).eval()

        def ids(text: str) -> list[int]:
            return tokenizer.encode(text, add_special_tokens=False)

        def log_p(context: list[int]) -> Any:
            with torch.inference_mode():
                return torch.log_softmax(model(torch.tensor([context])).logits[0, -1], -1)

        prompt = tokenizer.apply_chat_template(list(request.messages), tokenize=False, add_generation_prompt=True)
        labels = request.output.slots[slot]
        assert not request.output.critique, "the tokens of a critique are not in its text"
        lead = ids(prompt) + ids('{"label":"')
        spelled = {label: ids(json.dumps(label, ensure_ascii=False)[1:-1]) for label in labels}
        pieces = {token: tokenizer.decode([token]) for token in range(len(tokenizer))}
        closing = [token for token, piece in pieces.items() if piece and '"}'.startswith(piece)]
        weights = {}
        for label, tokens in spelled.items():
            total = 0.0
            for depth in range(len(tokens) + 1):
                rivals = [other for other in spelled.values() if other[:depth] == tokens[:depth]]
                edges = {tuple([other[depth]] if depth < len(other) else closing) for other in rivals}
                mine = tuple([tokens[depth]] if depth < len(tokens) else closing)
                p = log_p(lead + tokens[:depth]).exp()
                total += float(p[list(mine)].sum().log() - sum(p[list(edge)].sum() for edge in edges).log())
            weights[label] = total
        found = {label: float(torch.tensor(total, dtype=torch.float64).exp()) for label, total in weights.items()}
        first = {tuple(tokens[:1]) for tokens in spelled.values()}
        p = log_p(lead).exp()
        return found, 1.0 - float(sum(p[list(edge)].sum() for edge in first))

    return score


@pytest.fixture(scope="session")
def serve_vllm(tmp_path_factory):
    """Starts a real `vllm serve` for a model folder: ``serve_vllm(folder, "--max-num-seqs", "4")``; one per arguments.

    Tests that use it are marked ``full``; they are skipped where no environment has vLLM.
    """
    from contextlib import ExitStack

    from vllm_serving import serving, vllm_python

    if vllm_python() is None:
        pytest.skip("vLLM is neither installed here nor in .venv-vllm (make .venv-vllm/installed)")
    servers: dict[tuple[str, ...], Any] = {}
    with ExitStack() as stack:

        def serve(folder: Path, *extra: str) -> Any:
            key = (str(folder), *extra)
            if key not in servers:
                log = tmp_path_factory.mktemp("vllm") / "log"
                servers[key] = stack.enter_context(serving(folder, log, *extra))
            return servers[key]

        yield serve


@pytest.fixture(scope="session")
def vllm_server(serve_vllm):
    """A real `vllm serve` of the embedded judge: ``.url`` (ends in /v1), ``.model``, ``.log``, ``.pid``.

    vLLM has no prefix cache for its layers without chunked prefill, which seeds do not survive on a CPU.
    """
    from genrm.resources import tiny_dir

    return serve_vllm(tiny_dir("default"), "--no-enable-prefix-caching")


@pytest.fixture(scope="session")
def vllm_model(tokenizer, tmp_path_factory) -> Path:
    """The folder of a random Qwen3 of a shape that vLLM's CPU attention takes; its template knows enable_thinking."""
    import torch
    from transformers import AutoModelForCausalLM, Qwen3Config

    torch.manual_seed(1)
    config = Qwen3Config(
        vocab_size=448, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=32, max_position_embeddings=2048, bos_token_id=None, eos_token_id=2,
        pad_token_id=0,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_config(config).float()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(4)
    folder = tmp_path_factory.mktemp("vllm-model")
    model.save_pretrained(folder)
    plain = tokenizer.chat_template
    tokenizer.chat_template = TEMPLATE + (
        "{% if add_generation_prompt and not enable_thinking %}<think></think>{% endif %}"
    )
    tokenizer.save_pretrained(folder)
    tokenizer.chat_template = plain
    return folder


@pytest.fixture(scope="session")
def vllm_thinker(vllm_model, tmp_path_factory) -> Path:
    """The model of ``vllm_model``, made to end its thinking soon: ``</think>`` is likely at any place."""
    import shutil

    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("vllm-thinker")
    shutil.copytree(vllm_model, folder, dirs_exist_ok=True)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    end = AutoTokenizer.from_pretrained(folder).convert_tokens_to_ids("</think>")
    with torch.no_grad():
        # No layer writes to the first coordinate, so it is the same at every place, and works as a bias.
        model.model.embed_tokens.weight[:, 0] = 20.0
        for layer in model.model.layers:
            for out in (layer.self_attn.o_proj.weight, layer.mlp.down_proj.weight):
                out.mul_(0.5)
                out[0] = 0.0
        model.lm_head.weight[:, 0] = 0.0
        model.lm_head.weight[end, 0] = 0.6
    model.save_pretrained(folder)
    return folder
