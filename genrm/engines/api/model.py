"""What litellm's tables say about a model: parameters that its provider takes, output grammar, prices, context.

    >>> model = describe("openai/gpt-4o-mini")                                               # doctest: +SKIP
    >>> model.grammar, "logprobs" in model.params                                            # doctest: +SKIP
    ('json_schema', True)

The tables are a snapshot that comes with litellm: nothing is fetched.
"""

from __future__ import annotations

import logging
import os
import warnings
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from genrm.engines.api.prices import Prices, prices_of
from genrm.engines.calls.call import Grammar
from genrm.errors import Fault, MissingExtraError, SpecError

SCHEMA_PROVIDERS = frozenset({"anthropic", "hosted_vllm"})
"""Providers that keep to a schema although litellm's tables deny it for models that they do not know."""
MANY_LOGPROBS = frozenset({"openai", "azure", "hosted_vllm", "deepseek"})
"""Providers that show 20 alternatives per token; others that show any show 5."""
MOST_TEXTS = {"gemini": 8, "vertex_ai": 8}
"""Texts that one request may ask for, where that is less than 128."""


@dataclass(frozen=True, slots=True)
class ApiModel:
    """A model as litellm knows it.

    Attributes:
        name: with the provider first, as litellm is asked for it.
        provider: litellm's name of the provider.
        params: OpenAI's names of the parameters that it takes.
        grammar: the strongest output constraint that is known of it.
        prices: None where the table has none.
        reasons: it thinks before it answers, unless it is kept from it.
        least_effort: the ``reasoning_effort`` with which it thinks least.
        context_tokens: the longest prompt; None when unknown.
    """

    name: str
    provider: str
    params: frozenset[str]
    grammar: Grammar
    prices: Prices | None
    reasons: bool = False
    least_effort: str = "low"
    context_tokens: int | None = None

    @property
    def top_logprobs(self) -> int:
        """Alternatives per token that may be asked for; 0 where it shows no log-probabilities."""
        if not {"logprobs", "top_logprobs"} <= self.params:
            return 0
        return 20 if self.provider in MANY_LOGPROBS else 5

    @property
    def texts(self) -> int:
        """Texts that one request may ask for."""
        return MOST_TEXTS.get(self.provider, 128) if "n" in self.params else 1


@lru_cache(maxsize=1)
def load_litellm() -> Any:
    """The package, told to fetch nothing, to report nothing and to keep its log to itself; takes seconds.

    Raises:
        MissingExtraError: it is not installed.
    """
    # Read while it is imported: without it the price table is fetched from the network.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    try:
        import litellm
    except ImportError as error:
        if error.name and error.name.partition(".")[0] != "litellm":
            raise
        raise MissingExtraError("litellm", "api", "judging with an API model") from None
    # About types inside litellm, and about calls that were cancelled before litellm made them.
    warnings.filterwarnings("ignore", message=r"Item '.*' on TypedDict class", category=UserWarning)
    warnings.filterwarnings("ignore", message=r"coroutine '.*completion' was never awaited", category=RuntimeWarning)
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        # What it logs may hold prompts and headers, and every error reaches the caller anyway.
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return litellm


async def close_litellm() -> None:
    """Close litellm's clients, forget them, and end its logging task: it outlives the loop otherwise, and complains."""
    from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER

    litellm = load_litellm()
    await litellm.close_litellm_async_clients()
    litellm.in_memory_llm_clients_cache.flush_cache()
    with suppress(RuntimeError, ValueError):  # it may live on a loop that is gone
        await GLOBAL_LOGGING_WORKER.stop()


def describe(name: str, *, api_base: str | None = None, tier: str | None = None) -> ApiModel:
    """What is known of ``provider/model``.

    Args:
        tier: of the provider's service, for its prices; None is the standard one.

    Raises:
        SpecError: the name has no provider that litellm knows.
        MissingExtraError: litellm is not installed.
    """
    litellm = load_litellm()
    try:
        model, provider, _, _ = litellm.get_llm_provider(model=name, api_base=api_base)
    except litellm.BadRequestError:
        fix = "write litellm:PROVIDER/MODEL, such as litellm:openai/gpt-4o-mini; `genrm doctor` helps with engines"
        raise SpecError(Fault("litellm knows no such provider", field="model", value=repr(name), fix=fix)) from None
    params = frozenset(litellm.get_supported_openai_params(model=model, custom_llm_provider=provider) or ())
    try:
        info: dict[str, Any] = dict(litellm.get_model_info(model=model, custom_llm_provider=provider))
    except Exception:  # litellm raises its own and plain errors for models that it does not know
        info = {}
    entry = litellm.model_cost.get(info.get("key", ""), {})
    schema = provider in SCHEMA_PROVIDERS or litellm.supports_response_schema(model, provider)
    return ApiModel(
        name,
        provider,
        params,
        "none" if "response_format" not in params else "json_schema" if schema else "json_object",
        prices_of(entry | {key: value for key, value in info.items() if value is not None}, tier),
        bool(info.get("supports_reasoning")) and "reasoning_effort" in params,
        _least_effort(info, provider),
        info.get("max_input_tokens"),
    )


def _least_effort(info: dict[str, Any], provider: str) -> str:
    if info.get("supports_none_reasoning_effort"):
        return "none"
    if info.get("supports_minimal_reasoning_effort"):
        return "minimal"
    # These do not think unless they are asked to, or take an order not to.
    return {"anthropic": "", "gemini": "disable", "vertex_ai": "disable"}.get(provider, "low")
