"""Loading a causal language model of transformers from a folder or the hub, with its tokenizer and model card.

>>> parts = load_model("models/my-judge", device=None, dtype=None, revision=None)        # doctest: +SKIP
>>> parts.card, parts.context_tokens                                                     # doctest: +SKIP
(None, 32768)
"""

from __future__ import annotations

import importlib.util
import inspect
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genrm.engines.fingerprint import fingerprint
from genrm.engines.model_card import CARD_FILE, DTYPES, ModelCard, load_card
from genrm.errors import Fault, MissingExtraError, SpecError


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model ready to run.

    Attributes:
        width: of its logits.
        fingerprint: of its files, so that other weights under the same name are noticed.
        context_tokens: the longest text that it was made for; None when its configuration does not say.
    """

    model: Any
    tokenizer: Any
    card: ModelCard | None
    fingerprint: str
    width: int
    context_tokens: int | None


def load_model(source: str, *, device: str | None, dtype: str | None, revision: str | None) -> LoadedModel:
    """Load a model.

    Args:
        source: a folder, or a name on the Hugging Face hub.
        device: as PyTorch names it; CUDA where there is one, else the CPU.
        dtype: one of :data:`DTYPES`; that of the model card, else float32 on a CPU and the checkpoint's elsewhere.
        revision: branch, tag or commit on the hub.

    Raises:
        MissingExtraError: torch, transformers or llguidance is not installed.
        SpecError: there is no such model, or it is no causal language model with a fast tokenizer.
    """
    for package in ("torch", "transformers", "llguidance"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, "local", f"the model {source!r}")
    if dtype is not None and dtype not in DTYPES:
        raise _fault("unknown number format", dtype, f"use one of {', '.join(DTYPES)}", field="dtype")
    check_source(source)

    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    with quiet():
        try:
            tokenizer = AutoTokenizer.from_pretrained(source, revision=revision)
            card = find_card(source, revision)
            folder = find_folder(source, revision)
            dtype = dtype or (card.dtype if card else None) or ("float32" if device == "cpu" else "auto")
            model = AutoModelForCausalLM.from_pretrained(
                source, revision=revision, dtype=dtype if dtype == "auto" else getattr(torch, dtype)
            )
            model = model.to(device).eval()
        except SpecError:
            raise
        except Exception as error:  # the boundary to readers of files that somebody else wrote
            why = str(error) if isinstance(error, OSError | ValueError) else f"{type(error).__name__}: {error}"
            raise _fault(f"cannot be loaded: {why}", source, "check the name and the files") from error
    if not getattr(tokenizer, "is_fast", False):
        raise _fault("has no fast tokenizer (tokenizer.json)", source, "convert it: AutoTokenizer … save_pretrained")
    if "past_key_values" not in inspect.signature(model.forward).parameters:
        raise _fault("is no decoder with a key-value cache", source, "use a causal language model")
    config = model.config.get_text_config()
    context = getattr(config, "max_position_embeddings", None)
    return LoadedModel(model, tokenizer, card, fingerprint(folder), config.vocab_size, context)


def check_source(source: str) -> None:
    """A folder that is not there must not be looked for on the hub."""
    path = Path(source).expanduser()
    if not source:
        raise _fault("names no model", source, "write hf:FOLDER or hf:ORGANISATION/NAME")
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise _fault("the folder holds no model", source, "it needs config.json, the weights and the tokenizer")
    elif path.exists():
        raise _fault("is a file", source, "name the folder of the model")
    elif source.startswith((".", "/", "~")) or source.count("/") > 1 or "\\" in source:
        raise _fault("there is no such folder", source, "check the path")


def find_card(source: str, revision: str | None) -> ModelCard | None:
    """The model card in a model's folder or repository, where it has one."""
    from transformers.utils import cached_file

    try:
        path = cached_file(source, CARD_FILE, revision=revision)
    except OSError:
        return None
    return load_card(Path(path).parent) if path else None


def find_folder(source: str, revision: str | None) -> Path:
    """Where the files are: the folder itself, or the hub's snapshot on this machine."""
    from transformers.utils import cached_file

    config = cached_file(source, "config.json", revision=revision)
    return Path(config).parent if config else Path(source)


@contextmanager
def quiet() -> Iterator[None]:
    """Without the bars of transformers, which would run into ours."""
    from transformers.utils import logging as library

    # Said once a process, about a speed-up that needs a compiler; it looks like a fault to those who read it.
    logging.getLogger("transformers.integrations.hub_kernels").setLevel(logging.ERROR)
    shown = library.is_progress_bar_enabled()
    library.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            library.enable_progress_bar()


def _fault(message: str, value: str, fix: str, *, field: str = "model") -> SpecError:
    return SpecError(Fault(message, field=field, value=value, fix=fix))
