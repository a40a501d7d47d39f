"""Engines: what runs a judge. One file a back end, one protocol, opened by model name.

>>> engine = open_engine("hf:models/my-judge", batch_size=8)                             # doctest: +SKIP
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from genrm.errors import Fault, SpecError

if TYPE_CHECKING:
    from genrm.engines.base import Engine

FORMS = "tiny, tiny:unhardened, hf:PATH_OR_ID"


def open_engine(model: str, **options: Any) -> Engine:
    """The engine of a model name: ``tiny``, ``tiny:unhardened`` or ``hf:PATH_OR_ID``.

    Args:
        options: of the engine, see ``docs/engines.md``.

    Raises:
        SpecError: the name or an option is wrong, or there is no such model.
        MissingExtraError: the engine's packages are not installed.
    """
    from genrm.engines.hf import HfEngine
    from genrm.engines.tiny import TinyEngine

    _check_options(options, inspect.signature(HfEngine).parameters)
    kind, colon, rest = model.partition(":")
    if kind == "tiny":
        return TinyEngine(rest if colon else "default", **options)
    if kind == "hf" and colon:
        return HfEngine(rest, **options)
    fix = f"use one of {FORMS}"
    if "/" in model and not colon:
        fix = f"write hf:{model}"
    raise SpecError(Fault("unknown model name", field="model", value=repr(model), fix=fix))


def _check_options(options: dict[str, Any], known: Any) -> None:
    allowed = [name for name in known if name not in ("source", "name")]
    for name in options:
        if name not in allowed:
            raise SpecError(
                Fault("unknown engine option", field=name, value=repr(options[name]), fix=f"use {', '.join(allowed)}")
            )
