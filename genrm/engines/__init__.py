"""Engines: what runs a judge. One file a back end, one protocol, opened by model name.

>>> engine = open_engine("hf:models/my-judge", batch_size=8)                             # doctest: +SKIP
"""

from __future__ import annotations

import importlib
import inspect
import re
from typing import TYPE_CHECKING, Any

from genrm.errors import Fault, SpecError
from genrm.specs.faults import closest

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

_ADDRESS = re.compile(r"[\w.-]+:\d+(/|$)")
"""A host and a port, as people type them into a browser."""
_SECRET = re.compile(r"key|token$|secret|password|auth", re.IGNORECASE)


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
        if _ADDRESS.match(model):
            fix = f"write http://{model}"
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
    unknown = [name for name in options if name not in allowed]
    # Engines that pass options on to a library say themselves which ones it knows; to ask may import it.
    passed_on: frozenset[str] | None = getattr(engine, "passed_on", frozenset)() if unknown else frozenset()
    for name in unknown:
        if passed_on is None or name in passed_on:
            continue
        if "api_key_env" in allowed and _SECRET.search(name):
            # What was given may be a key, and messages are logged.
            fix = "put it into an environment variable and name that: api_key_env=NAME"
            raise SpecError(Fault("a key is no engine option", field=name, fix=fix))
        guess = closest(name, (*allowed, *passed_on))
        fix = f"did you mean {guess!r}?" if guess else f"use {', '.join(allowed)}"
        raise SpecError(Fault("unknown engine option", field=name, value=repr(options[name]), fix=fix))
