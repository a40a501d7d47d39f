"""The engine ``hf:PATH_OR_ID``: any causal language model of transformers, in this process.

    >>> engine = HfEngine("models/my-judge", batch_size=16)                                  # doctest: +SKIP
    >>> completions = await engine.complete(request)                                         # doctest: +SKIP

Decoding follows the output plan token by token, so every model keeps to the grammar, every score slot has a label
distribution, and no verdict is lost to length.
"""

from __future__ import annotations

from functools import partial

from genrm.compiler.request import JudgeRequest
from genrm.engines.base import Capabilities, Completion
from genrm.engines.chat import Chat
from genrm.engines.local.batching import Worker
from genrm.engines.local.decoding import Decoder, Row
from genrm.engines.local.load import load_model
from genrm.engines.local.vocabulary import Vocabulary
from genrm.engines.local.writer import Writer
from genrm.errors import ContextOverflowError, Fault, JudgeError, SpecError


class HfEngine:
    """A model of transformers as an engine.

    Args:
        source: a folder, or a name on the Hugging Face hub.
        batch_size: most votes written side by side.
        dtype: number format of the weights; the model card's, else float32 on a CPU and the checkpoint's on a GPU.
        device: as PyTorch names it; CUDA where there is one, else the CPU.
        threads: CPU threads of PyTorch for this engine; its default when None.
        linger_ms: how long an unfilled batch waits for company.
        revision: branch, tag or commit on the hub.
        name: how the engine is named in output rows.

    Attributes:
        model: the name and version of the model card, else the source, with a fingerprint of the files.
        arithmetic: device and number format, such as "cpu torch.float32"; another one rounds otherwise.
        decoder: the token loop; it and its model belong to the engine's worker thread.
        card: what the model's folder says about it; None for most models.

    Raises:
        MissingExtraError: the extra ``local`` is not installed.
        SpecError: the model or an option is wrong.
    """

    def __init__(
        self,
        source: str,
        *,
        batch_size: int = 16,
        dtype: str | None = None,
        device: str | None = None,
        threads: int | None = None,
        linger_ms: float = 4.0,
        revision: str | None = None,
        name: str = "hf",
    ) -> None:
        for option, value in (("batch_size", batch_size), ("threads", threads)):
            if value is not None and value < 1:
                raise SpecError(Fault("must be at least 1", field=option, value=str(value)))
        loaded = load_model(source, device=device, dtype=dtype, revision=revision)
        self.name, self.card = name, loaded.card
        title = f"{loaded.card.name}@{loaded.card.version}" if loaded.card else source
        self.model = f"{title}:{loaded.fingerprint}"
        self.arithmetic = f"{loaded.model.device.type} {loaded.model.dtype}"
        self._chat = Chat(loaded.tokenizer, source)
        self._vocabulary = Vocabulary(loaded.tokenizer, loaded.width)
        self.capabilities = Capabilities(
            prompts=loaded.card.prompts if loaded.card else "full",
            joint=not (loaded.card and loaded.card.one_criterion),
            context_tokens=loaded.context_tokens,
            control_tokens=self._chat.control_tokens,
            queues=True,
        )
        self.decoder = Decoder(loaded.model, pad_id=loaded.tokenizer.pad_token_id or 0)
        start = partial(_set_threads, threads) if threads else lambda: None
        self._worker = Worker(
            self._rows, self.decoder.run, batch_size=batch_size, linger_s=linger_ms / 1000, start=start
        )

    async def complete(self, request: JudgeRequest) -> list[Completion | JudgeError]:
        """One completion per seed of the request, in that order, or the error in its place.

        Raises:
            ContextOverflowError: prompt and output together are longer than the model reads.
            EngineError: the engine is closed, or the request cannot be spelled.
        """
        return await self._worker.submit(request)

    def count_tokens(self, text: str) -> int:
        """Tokens of a text."""
        return len(self._vocabulary.encode(text))

    async def aclose(self) -> None:
        """End the worker thread. Calls in flight fail."""
        await self._worker.close()

    def _rows(self, request: JudgeRequest) -> list[Row]:
        text = self._chat.render(request.messages, thinking=request.output.thinking is not None)
        prompt = tuple(self._vocabulary.encode(text))
        limit, output = self.capabilities.context_tokens, request.output.max_tokens
        if limit is not None and len(prompt) + output > limit:
            raise ContextOverflowError(
                f"the prompt has {len(prompt)} tokens and the output may have {output}, together "
                f"{len(prompt) + output}; {self.model} reads {limit}"
            )
        return [
            Row(
                prompt,
                partial(Writer, request.output, self._vocabulary, seed=seed, temperature=request.temperature),
                deliver=_nowhere,
                shared=index > 0,
            )
            for index, seed in enumerate(request.seeds)
        ]


def _nowhere(outcome: Completion | JudgeError) -> None:
    """The worker sets where a row goes."""


def _set_threads(count: int) -> None:
    import torch

    torch.set_num_threads(count)
