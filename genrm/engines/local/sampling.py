"""Choosing tokens: a stream of uniform numbers per row, and one batched look at the logits.

    >>> uniform = Uniforms(7)
    >>> uniform() == Uniforms(7)()
    True

A row's choice depends on its seed and its own logits alone: the k-th choice takes the k-th number of the row's
stream and inverts the cumulative distribution in float64. What shares the batch changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from genrm.engines.labels import Branch
from genrm.errors import EngineError

if TYPE_CHECKING:
    from torch import Tensor

ALTERNATIVES = 5


class Uniforms:
    """Numbers in [0, 1) that follow from a seed (any integer; two that differ by 2**64 are the same)."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.Generator(np.random.Philox(seed % 2**64))

    def __call__(self) -> float:
        return float(self._generator.random())


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """Ask for the next token.

    Attributes:
        mask: legal tokens as bits (see :class:`genrm.engines.local.vocabulary.StringMatcher`); None when all are.
        uniform: in [0, 1).
        temperature: 0 takes the most likely token, and of several the first.
    """

    mask: NDArray[np.int32] | None
    uniform: float
    temperature: float


@dataclass(frozen=True, slots=True)
class Drawn:
    """A token, its probability at temperature 1 among the legal ones, and the most likely tokens in its place."""

    token: int
    p: float
    likely: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Read:
    """Ask for the log-probabilities of the edges of branches; the prefixes are not written."""

    branches: tuple[Branch, ...]


def draw(logits: Tensor, asks: Sequence[Draw]) -> list[Drawn | EngineError]:
    """One token per row of ``logits`` (rows, vocabulary); an error in place of a row whose logits are not finite."""
    import torch

    logits = logits.double()
    masked = torch.where(_legal(asks, logits), logits, -torch.inf)
    p = torch.softmax(masked, dim=-1)
    sound = torch.isfinite(p).all(dim=-1).tolist()
    temperature = torch.tensor([ask.temperature or 1.0 for ask in asks], dtype=p.dtype, device=p.device)
    tempered = p if bool((temperature == 1).all()) else torch.softmax(masked / temperature[:, None], dim=-1)
    cumulative = tempered.cumsum(dim=-1)
    total = cumulative[:, -1:].contiguous()
    uniform = torch.tensor([[ask.uniform] for ask in asks], dtype=p.dtype, device=p.device)
    # Rounding may carry the target to the total: the last token that has any probability is the bound.
    last = torch.searchsorted(cumulative, total).clamp(max=p.shape[1] - 1)
    sampled = torch.minimum(torch.searchsorted(cumulative, uniform * total, right=True), last)[:, 0]
    greedy = torch.tensor([ask.temperature == 0 for ask in asks], device=p.device)
    tokens = torch.where(greedy, masked.argmax(dim=-1), sampled)
    said = p.gather(1, tokens[:, None])[:, 0].tolist()
    top, ids = p.topk(min(ALTERNATIVES, p.shape[1]), dim=-1)
    rows = zip(sound, tokens.tolist(), said, ids.tolist(), top.tolist(), strict=True)
    return [
        Drawn(token, weight, tuple((i, q) for i, q in zip(likely, weights, strict=True) if q > 0))
        if fine
        else _broken()
        for fine, token, weight, likely, weights in rows
    ]


def edge_masses(logits: Tensor, branch: Branch) -> list[float]:
    """Log-probability of each edge of a branch under ``logits`` (vocabulary,) at temperature 1, unmasked."""
    import torch

    log_p = torch.log_softmax(logits.double(), dim=-1)
    return [float(torch.logsumexp(log_p[list(edge)], dim=0)) for edge in branch.edges]


def _legal(asks: Sequence[Draw], logits: Tensor) -> Tensor:
    """Masks as booleans (rows, vocabulary)."""
    import torch

    width = logits.shape[1]
    words = np.stack([_all_of(width) if ask.mask is None else ask.mask for ask in asks])
    bits = torch.from_numpy(words).to(logits.device)[:, :, None] >> torch.arange(32, device=logits.device)
    return (bits & 1).flatten(1)[:, :width].bool()


def _all_of(width: int) -> NDArray[np.int32]:
    return np.full((width + 31) // 32, -1, dtype=np.int32)


def _broken() -> EngineError:
    return EngineError("the model gives no finite probabilities; try another dtype", retryable=False)
