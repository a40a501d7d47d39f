"""Which models of a panel are relatives: the same base model under several names makes the same mistakes.

    >>> shared_bases(["tiny", "tiny:unhardened", "hf:Qwen/Qwen3-8B", "vllm:qwen/qwen3-8b@main"])
    {'tiny': (0, 1), 'qwen/qwen3-8b': (2, 3)}

Names are compared without engine, provider, revision and adapter, in lower case; a folder by its real path, a folder of
an adapter by the base model that its ``adapter_config.json`` names, and a folder of the hub's cache by the model's id.
Nothing is loaded and nothing is fetched: two copies of one model in different folders are not recognised.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

LOCAL = ("hf", "vllm", "sglang", "transformers")
"""Engines whose name is a folder or an id on the hub."""

CACHED = re.compile(r"models--([^/\\]+)[/\\]snapshots[/\\]")


def base_of(model: str) -> str:
    """What the models of one base have in common."""
    name = model.strip()
    if name.startswith(("http://", "https://")):
        address, _, served = name.partition("#")
        return _hub(served) if served else address.rstrip("/").casefold()
    kind, colon, rest = name.partition(":")
    if kind == "tiny":
        return "tiny"
    if colon and kind == "litellm":
        # The provider that serves a model says nothing about it; what follows is organisation/name or a bare name.
        return _hub(rest.partition("/")[2] or rest)
    return _local(rest if colon and kind in LOCAL else name)


def shared_bases(models: Iterable[str], served: Iterable[str] = ()) -> dict[str, tuple[int, ...]]:
    """The bases that two or more of the models share, with the indices of these models.

    Args:
        models: model names.
        served: what their engines call the models, where known, in the same order; equal bases there count as well.
    """
    groups: dict[str, list[int]] = {}
    for index, model in enumerate(models):
        groups.setdefault(base_of(model), []).append(index)
    answering: dict[str, list[int]] = {}
    for index, model in enumerate(served):
        answering.setdefault(_hub(model), []).append(index)
    for base, members in answering.items():
        if not any(set(members) <= set(known) for known in groups.values()):
            groups[base] = members
    return {base: tuple(members) for base, members in groups.items() if len(members) > 1}


def _local(source: str) -> str:
    if cached := CACHED.search(source):
        return cached[1].replace("--", "/", 1).casefold()
    path = Path(source).expanduser()
    if not path.is_dir():
        return _hub(source)
    real = path.resolve()
    config = real / "adapter_config.json"
    if config.is_file():
        try:
            base = json.loads(config.read_text(encoding="utf-8")).get("base_model_name_or_path")
        except (OSError, ValueError, AttributeError):
            base = None
        if isinstance(base, str) and base and base != source:
            return _local(base)
    if cached := CACHED.search(str(real) + "/"):
        return cached[1].replace("--", "/", 1).casefold()
    return str(real)


def _hub(name: str) -> str:
    """An id on the hub without revision (@…) and adapter (#… or +…)."""
    return re.split(r"[@#+]", name, maxsplit=1)[0].strip("/").casefold()
