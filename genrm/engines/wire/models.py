"""Which model of a server is meant.

>>> choose({"data": [{"id": "judge", "max_model_len": 4096}]}, "", "http://localhost:8000/v1")
Served(name='judge', context_tokens=4096)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from genrm.errors import Fault, SpecError

SHOWN = 20
"""Names that an error lists: a gateway has hundreds."""


@dataclass(frozen=True, slots=True)
class Served:
    """A model that a server serves; ``context_tokens``, prompt plus output, is None where the server does not say."""

    name: str
    context_tokens: int | None = None


def choose(listed: Any, wanted: str, url: str) -> Served:
    """The model that is meant by a name, or the only one.

    Args:
        listed: the answer of GET /models.
        wanted: what stands behind the ``#`` of a model name; empty for the only model.
        url: of the server, for the message.

    Raises:
        SpecError: there is no such model, or several and none is named.
    """
    entries = listed.get("data") if isinstance(listed, dict) else None
    if not isinstance(entries, list):
        raise SpecError(Fault("GET /models gives no list of models", field="model", value=url, fix="end it in /v1"))
    named = {str(entry["id"]): entry for entry in entries if isinstance(entry, dict) and "id" in entry}
    if not wanted and len(named) == 1:
        wanted = next(iter(named))
    if wanted in named:
        return Served(wanted, _context(named[wanted]))
    names = ", ".join(list(named)[:SHOWN]) + (" …" if len(named) > SHOWN else "") or "none"
    message = "the server has no model of this name" if wanted else f"the server has {len(named)} models, not one"
    fix = f"write {url}#NAME with one of: {names}"
    raise SpecError(Fault(message, field="model", value=wanted or None, fix=fix))


def _context(entry: Mapping[str, Any]) -> int | None:
    meta = entry.get("meta")
    places = {**(meta if isinstance(meta, Mapping) else {}), **entry}
    for name in ("max_model_len", "n_ctx", "context_length", "context_window", "max_context_length"):
        value = places.get(name)
        if isinstance(value, int) and value > 0:
            return value
    return None
