"""What a model's files say without its weights: tokenizer, chat template, card, context length and fingerprint.

    >>> found = describe(Settings("models/my-judge", dtype=None))                            # doctest: +SKIP
    >>> found.identity, found.settings.context                                               # doctest: +SKIP
    ('models/my-judge:3f9a0c21d4e7', 40960)

It is known before vLLM starts, which takes far longer, so a wrong name is told at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from genrm.engines.chat import Chat
from genrm.engines.fingerprint import fingerprint
from genrm.engines.vllm_parts.settings import Settings
from genrm.errors import Fault, SpecError

if TYPE_CHECKING:
    from genrm.engines.local.vocabulary import Vocabulary
    from genrm.engines.model_card import ModelCard

ATTENTION = {"full_attention", "sliding_attention", "chunked_attention"}
"""Layers that keep keys and values; any other kind keeps a state."""


@dataclass(frozen=True)
class Described:
    """A model that is not loaded yet.

    Attributes:
        identity: name and version of its card, else its source, with fingerprints of the files and of the adapter.
        card: None for most models.
        settings: the given ones, with what the files add.
    """

    identity: str
    card: ModelCard | None
    chat: Chat
    vocabulary: Vocabulary
    settings: Settings


def describe(settings: Settings) -> Described:
    """Read all that does not need the weights.

    Raises:
        SpecError: there is no such model, or its files are broken.
    """
    from transformers import AutoConfig, AutoTokenizer

    from genrm.engines.local.load import check_source, find_card, find_folder, quiet
    from genrm.engines.local.vocabulary import Vocabulary

    source, revision, lora = settings.source, settings.revision, settings.lora
    check_source(source)
    with quiet():
        try:
            tokenizer = AutoTokenizer.from_pretrained(source, revision=revision)
            config = AutoConfig.from_pretrained(source, revision=revision).get_text_config()
            card = find_card(source, revision)
            folder = find_folder(source, revision)
        except (OSError, ValueError) as error:
            fix = "check the name and the files"
            raise SpecError(Fault(f"cannot be loaded: {error}", field="model", value=source, fix=fix)) from error
    identity = f"{card.name}@{card.version}" if card else source
    identity += f":{fingerprint(folder)}" + (f"+{lora.name}:{fingerprint(lora)}" if lora else "")
    layers = set(getattr(config, "layer_types", None) or ())
    settings = replace(
        settings,
        dtype=settings.dtype or (card.dtype if card else None),
        context=getattr(config, "max_position_embeddings", None),
        hybrid=not layers <= ATTENTION,
    )
    return Described(identity, card, Chat(tokenizer, source), Vocabulary(tokenizer, config.vocab_size), settings)
