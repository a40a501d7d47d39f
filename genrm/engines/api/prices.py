"""What a call to an API model costs, and what it can cost at most, in US dollars.

    >>> Prices(input=3e-6, output=15e-6).worst(prompt_tokens=1000, completion_tokens=100)
    0.0045

What a call did cost is litellm's to say (:func:`response_cost`): it knows cached tokens, tiers and hours of the day.
What it can cost is bounded here by the dearest prices that may apply. A model that litellm's table does not have, or
has without a price, costs an unknown amount: None, never 0.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LONG_PROMPT = 100_000
"""From so many tokens on, prices for long prompts may apply; none begins lower than at 128,000."""
OVERHEAD_TOKENS = 2048
"""What providers add to a prompt: marks of the chat, and the instructions that come with tools and schemas."""
IMAGE_TOKENS = 16_384
"""More than any provider counts for one image."""


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars per token; the dearest that can apply.

    Attributes:
        input: for a token of the prompt, one that is written to the provider's cache included.
        output: for a token that the model writes, thinking included.
        request: for a call.
        long_input, long_output: the same for prompts over :data:`LONG_PROMPT` tokens; None where there is no other.
    """

    input: float
    output: float
    request: float = 0.0
    long_input: float | None = None
    long_output: float | None = None

    def worst(self, prompt_tokens: int, completion_tokens: int) -> float:
        """The most that a call with so many tokens costs."""
        long = prompt_tokens > LONG_PROMPT
        per_input = max(self.input, self.long_input or 0.0) if long else self.input
        per_output = max(self.output, self.long_output or 0.0) if long else self.output
        return self.request + prompt_tokens * per_input + completion_tokens * per_output


def prices_of(entry: Mapping[str, Any], tier: str | None = None) -> Prices | None:
    """The prices in a model's entry of litellm's table; None where it has none.

    ``tier`` is that of the provider's service; its prices count beside the standard ones, to which providers fall back.
    Prices of 0 are the table's way to say that nobody has entered any.
    """
    tiers = [tier for tier in entry.get("tiered_pricing") or () if isinstance(tier, Mapping)]
    every = [entry, *tiers]
    inputs = ["input_cost_per_token", "cache_creation_input_token_cost"]
    outputs = ["output_cost_per_token", "output_cost_per_reasoning_token"]
    if tier is not None:
        inputs += [f"{name}_{tier}" for name in inputs]
        outputs += [f"{name}_{tier}" for name in outputs]
    first, last = _dearest(every, inputs, long=False), _dearest(every, outputs, long=False)
    if not first or last is None:
        return None
    request = entry.get("input_cost_per_request")
    return Prices(
        first,
        last,
        float(request) if isinstance(request, int | float) else 0.0,
        _dearest(every, inputs, long=True),
        _dearest(every, outputs, long=True),
    )


def _dearest(entries: Iterable[Mapping[str, Any]], names: Sequence[str], *, long: bool) -> float | None:
    found = [
        float(value)
        for entry in entries
        for key, value in entry.items()
        if isinstance(value, int | float)
        and any(key == name or (long and key.startswith(f"{name}_above_")) for name in names)
    ]
    return max(found, default=None)


def most_prompt_tokens(messages: Sequence[Mapping[str, Any]], schema: Mapping[str, Any] | None) -> int:
    """An upper bound of a prompt's tokens under any tokenizer: none has tokens of less than a byte.

    The providers' own tokenizers are not at hand, and an estimate by another one is no bound.
    """
    images = 0
    for message in messages:
        content = message.get("content")
        if isinstance(content, list):
            images += sum(isinstance(part, Mapping) and part.get("type") == "image_url" for part in content)
    text = json.dumps([list(messages), schema], ensure_ascii=False)
    # A schema is sent twice where it becomes a tool: as the tool, and in what the provider says about it.
    extra = 0 if schema is None else len(json.dumps(schema, ensure_ascii=False).encode(errors="replace"))
    return len(text.encode(errors="replace")) + extra + OVERHEAD_TOKENS + images * IMAGE_TOKENS


def response_cost(response: Any, model: str, prices: Prices | None) -> float | None:
    """What a response of litellm cost, None when unknown.

    Args:
        model: its full name, provider first.
        prices: given by the user, and then they count; None asks litellm's table.
    """
    if prices is not None:
        usage = response.usage
        return prices.worst(int(usage.prompt_tokens or 0), int(usage.completion_tokens or 0))
    import litellm

    try:
        cost = litellm.completion_cost(completion_response=response, model=model)
    except Exception:  # litellm raises whatever its tables lead it to; a response is not lost for that
        return None
    return float(cost) if cost > 0 else None
