"""The options of the engine for API models, checked before anything is asked: numbers, prices, key, extra arguments.

>>> given_prices(1.5e-7, 6e-7)
Prices(input=1.5e-07, output=6e-07, request=0.0, long_input=None, long_output=None)
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import get_args

from genrm.engines.api.faults import Where
from genrm.engines.api.model import load_litellm
from genrm.engines.api.prices import Prices
from genrm.engines.calls.call import Grammar
from genrm.errors import Fault, SpecError

GRAMMARS = tuple(name for name in get_args(Grammar) if name != "regex")
OURS = frozenset(
    {"model", "messages", "n", "max_tokens", "max_completion_tokens", "stream", "num_retries", "max_retries"}
    | {"tools", "tool_choice", "functions", "web_search_options", "response_format", "fallbacks", "mock_response"}
)
"""Arguments that genrm sets itself, or that a budget could not be kept with."""


def check(extra: object, grammar: object, **numbers: tuple[object, int]) -> None:
    """Whether these options make sense.

    Args:
        numbers: value and least value of whole numbers, by name.

    Raises:
        SpecError: one does not.
    """
    for field, (value, least) in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise SpecError(Fault(f"a whole number of at least {least} is needed", field=field, value=repr(value)))
    if grammar is not None and grammar not in GRAMMARS:
        fix = f"use {', '.join(GRAMMARS)}"
        raise SpecError(Fault("no grammar of API models", field="grammar", value=repr(grammar), fix=fix))
    if extra is None:
        return
    if not isinstance(extra, Mapping):
        fix = "write extra='{service_tier: flex}'"
        raise SpecError(Fault("a mapping is needed", field="extra", value=repr(extra), fix=fix))
    if "api_key" in extra:
        raise SpecError(Fault("a key does not belong here", field="extra", fix="name its variable: api_key_env=NAME"))
    if taken := sorted(OURS & set(extra)):
        raise SpecError(Fault(f"genrm sets {', '.join(taken)} itself", field="extra", fix="leave it out"))


def given_prices(first: float | None, last: float | None) -> Prices | None:
    """The prices that the user gives, in US dollars per token; None to ask litellm's table. Raises SpecError."""
    if first is None and last is None:
        return None
    for field, value in (("input_cost_per_token", first), ("output_cost_per_token", last)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
            fix = "give both, in US dollars for one token: 1.5e-7 is 0.15 USD for a million"
            raise SpecError(Fault("no price of a token", field=field, value=repr(value), fix=fix))
    return Prices(float(first or 0.0), float(last or 0.0))


def find_address(provider: str) -> str | None:
    """The server that the environment points litellm's client of a provider at; None for the provider's own."""
    names = (f"{provider.upper()}_{name}" for name in ("BASE_URL", "API_BASE"))
    return next((value for name in names if (value := os.environ.get(name))), None)


def find_key(model: str, variable: str | None, api_base: str | None) -> tuple[str | None, Where]:
    """The key, None where litellm is to find it itself, and where it comes from.

    Raises:
        SpecError: the variable that holds it is not set.
    """
    missing = load_litellm().validate_environment(model=model)
    names = (variable,) if variable else tuple(n for n in missing["missing_keys"] if n.endswith("_API_KEY"))
    if variable or (names and len(names) == len(missing["missing_keys"])):
        value = os.environ.get(names[0])
        if value:
            return value, Where(model, names, value)
        if variable or api_base is None:
            fix = f"export {names[0]}=…" + ("" if variable else ", or name another with api_key_env")
            raise SpecError(Fault("the environment variable with the key is not set", field=names[0], fix=fix))
        # A server of one's own asks for none, and OpenAI's client does not start without.
        return "none", Where(model, names)
    provider = model.partition("/")[0]
    own = f"{provider.upper()}_API_KEY"
    return None, Where(model, (own,), os.environ.get(own, ""))
