"""Rows of a key-value cache: keep some, repeat some, or copy some aside, for every kind of layer.

    >>> cache = take(cache, [0, 0, 0, 1, 1, 1])      # two prompts, three votes each         # doctest: +SKIP

Attention caches and the convolution or recurrent states of hybrid models (LFM2 and its kind) share one operation in
transformers, the reordering of a beam search; everything here is made of it. ``batch_repeat_interleave``, its
better-known sister, is missing from the hybrid layers.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any


class NoRowsError(Exception):
    """This cache cannot be taken apart into rows."""


def take(cache: Any, rows: Sequence[int], device: Any = None) -> Any:
    """A new cache with these rows of ``cache``, in this order, each as often as it is named; ``cache`` is unchanged.

    Raises:
        NoRowsError: the cache has no rows that could be taken.
    """
    import torch

    if not hasattr(cache, "layers") or not hasattr(cache, "reorder_cache"):
        raise NoRowsError
    twin = copy.copy(cache)
    twin.layers = [_twin(layer) for layer in cache.layers]
    try:
        twin.reorder_cache(torch.tensor(rows, device=device))
    except (NotImplementedError, AttributeError) as error:
        raise NoRowsError from error
    return twin


def _twin(layer: Any) -> Any:
    """A layer whose tensors can be replaced without touching the original."""
    twin = copy.copy(layer)
    for name, value in vars(twin).items():
        if isinstance(value, dict):
            setattr(twin, name, dict(value))
    return twin
