"""From a :class:`Call` to the arguments of litellm: OpenAI's names, only those that the provider takes.

    >>> arguments(call, (7, 8), model, grammar="json_schema")["n"]                           # doctest: +SKIP
    2

What a provider does not take is left out here and not dropped by litellm in silence: an engine has to know what it
did not ask for. The exception is the temperature of models that only know their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from genrm.engines.api.model import ApiModel
from genrm.engines.calls.call import Call, Grammar

SEED_MASK = 0x7FFFFFFF
"""Gemini takes 32-bit seeds, and the others lose nothing by it."""
CACHE_MARKS = frozenset({"anthropic"})
"""Providers that keep a prefix only where it is marked; the others find shared prefixes by themselves."""
EFFORTS = ((4096, "high"), (2048, "medium"), (0, "low"))
"""``reasoning_effort`` by the thinking budget in tokens; litellm makes the same numbers of it for Anthropic."""
LEAST_THINKING = 1024
"""Anthropic takes no smaller budget."""
ROOM = 4096
"""Tokens added for models that think although nobody asks them to: what they think counts as output."""


def arguments(call: Call, seeds: Sequence[int], model: ApiModel, *, grammar: Grammar) -> dict[str, Any]:
    """The arguments of one request, without address and key.

    Args:
        seeds: of the texts that it asks for; the first one is sent.
        grammar: the constraint that the engine offers.
    """
    offered: dict[str, Any] = {
        "max_tokens": most_tokens(call, model),
        "response_format": _response_format(call, grammar),
        "n": len(seeds) if len(seeds) > 1 else None,
        "seed": seeds[0] & SEED_MASK,
        "stop": list(call.stop) or None,
        "reasoning_effort": effort(call, model),
    }
    if call.thinking is None:
        # Models that think only know their own temperature while they do.
        offered["temperature"] = call.temperature
    if call.top_logprobs and model.top_logprobs:
        offered |= {"logprobs": True, "top_logprobs": min(call.top_logprobs, model.top_logprobs)}
    # Every provider has a limit of tokens, under one of two names, and litellm finds the right one.
    kept = {name: value for name, value in offered.items() if name in model.params or name == "max_tokens"}
    return {
        "model": model.name,
        "messages": _messages(call, model),
        **{name: value for name, value in kept.items() if value is not None},
    }


def most_tokens(call: Call, model: ApiModel) -> int:
    """The limit of output tokens of one text, thinking included."""
    if call.thinking is not None:
        return call.max_tokens + max(call.thinking.max_tokens, LEAST_THINKING)
    return call.max_tokens + (ROOM if model.reasons and model.least_effort not in ("none", "disable", "") else 0)


def effort(call: Call, model: ApiModel) -> str | None:
    """How much the model shall think; None says nothing about it."""
    if not model.reasons:
        return None
    if call.thinking is None:
        return model.least_effort or None
    budget = call.thinking.max_tokens
    return next(name for least, name in EFFORTS if budget >= least)


def _response_format(call: Call, grammar: Grammar) -> dict[str, Any] | None:
    if call.constraint is None or call.constraint.json_schema is None:
        return None
    if grammar == "json_object":
        return {"type": "json_object"}
    if grammar != "json_schema":
        return None
    schema = {"name": "verdict", "strict": True, "schema": dict(call.constraint.json_schema)}
    return {"type": "json_schema", "json_schema": schema}


def _messages(call: Call, model: ApiModel) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = [dict(message) for message in call.messages]
    if model.provider in CACHE_MARKS and messages[0]["role"] == "system":
        # The system message is what all rows of a run share. What is shorter than the provider keeps is not charged.
        mark: Mapping[str, Any] = {"type": "ephemeral"}
        messages[0]["content"] = [{"type": "text", "text": messages[0]["content"], "cache_control": dict(mark)}]
    return messages
