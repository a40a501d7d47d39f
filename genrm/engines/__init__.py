"""Engines: what runs a judge. One file a back end, one protocol, opened by model name.

>>> engine = open_engine("hf:models/my-judge", batch_size=8)                             # doctest: +SKIP
"""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any

from genrm.errors import Fault, SpecError

if TYPE_CHECKING:
    from genrm.engines.base import Engine

KINDS = {
    "tiny": "genrm.engines.tiny:TinyEngine",
    "hf": "genrm.engines.hf:HfEngine",
    "vllm": "genrm.engines.vllm:VllmEngine",
    "http": "genrm.engines.openai:OpenAIEngine",
    "https": "genrm.engines.openai:OpenAIEngine",
    "litellm": "genrm.engines.litellm:LitellmEngine",
    "replay": "genrm.engines.replay:ReplayEngine",
}
"""Beginning of a model name, and the class that runs such models. Modules load on first use."""

FORMS = (
    "tiny",
    "tiny:unhardened",
    "hf:PATH_OR_ID",
    "vllm:PATH_OR_ID",
    "http://host:port/v1#name",
    "litellm:provider/model",
    "replay:FILE",
)


def open_engine(model: str, **options: Any) -> Engine:
    """The engine of a model name, one of :data:`FORMS`.

    Args:
        options: of the engine, see ``docs/engines.md``.

    Raises:
        SpecError: the name or an option is wrong, or there is no such model.
        MissingExtraError: the engine's packages are not installed.
    """
    kind, colon, rest = model.partition(":")
    if kind not in KINDS or not (colon or kind == "tiny"):
        fix = f"write hf:{model}" if "/" in model and not colon else f"use one of {', '.join(FORMS)}"
        raise SpecError(Fault("unknown model name", field="model", value=repr(model), fix=fix))
    engine = engine_class(kind)
    _check_options(options, engine)
    if kind == "tiny":
        rest = rest if colon else "default"
    opened: Engine = engine(model if kind in ("http", "https") else rest, **options)
    return opened


def engine_class(kind: str) -> Any:
    """The class behind the beginning of a model name; loads its module."""
    module, _, name = KINDS[kind].partition(":")
    return getattr(importlib.import_module(module), name)


def engine_options(engine: Any) -> list[str]:
    """Names of the options of an engine's class: the keyword arguments of its constructors."""
    names: dict[str, None] = {}
    for owner in inspect.getmro(engine):
        if "__init__" in vars(owner) and owner is not object:
            names |= dict.fromkeys(
                parameter.name
                for parameter in inspect.signature(owner).parameters.values()
                if parameter.kind is parameter.KEYWORD_ONLY and parameter.name != "name"
            )
    return list(names)


def _check_options(options: dict[str, Any], engine: Any) -> None:
    allowed = engine_options(engine)
    # Engines that pass options on to a library say themselves which ones it knows.
    passes_on = getattr(engine, "accepts_option", lambda _: False)
    for name in options:
        if name not in allowed and not passes_on(name):
            raise SpecError(
                Fault("unknown engine option", field=name, value=repr(options[name]), fix=f"use {', '.join(allowed)}")
            )
