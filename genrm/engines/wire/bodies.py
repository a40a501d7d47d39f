"""From a call to the body of a chat completion, in the dialect of the server.

    >>> body = build(Call(({"role": "user", "content": "Hi"},), max_tokens=8), Dialect("m"), seed=0)
    >>> body["max_tokens"], body["temperature"]
    (8, 0.0)

Nothing is sent that a probe has not seen the server keep to, apart from what every server knows: some answer unknown
parameters with an error, and most ignore them in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from genrm.engines.calls.call import Call, Constraint, Grammar

RegexField = Literal["structured_outputs", "regex", "response_format"]
"""Where a regular expression is put: by vLLM, by SGLang, by TGI."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a server wants to be asked.

    Attributes:
        model: the name that it serves the model under.
        grammar: the strongest constraint that it keeps to.
        regex_field: where a regular expression goes; only with ``grammar="regex"``.
        length_field: the name of the limit on generated tokens.
        thinking_switch: it takes ``chat_template_kwargs`` with ``enable_thinking``.
        thinking_budget: it takes ``thinking_token_budget``, so that thinking never uses up the room of the answer.
        seeds: it takes ``seed``.
        extra: merged into every body; a value of None takes a field out.
    """

    model: str
    grammar: Grammar = "none"
    regex_field: RegexField = "structured_outputs"
    length_field: str = "max_tokens"
    thinking_switch: bool = False
    thinking_budget: bool = False
    seeds: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)


def build(call: Call, dialect: Dialect, *, seed: int, n: int = 1) -> dict[str, Any]:
    """The body of a request for ``n`` texts; their seeds are ``seed`` and those that follow it."""
    body: dict[str, Any] = {
        "model": dialect.model,
        "messages": call.messages,
        dialect.length_field: call.max_tokens + (call.thinking.max_tokens if call.thinking else 0),
        "temperature": call.temperature,
    }
    if call.prefill:
        body["messages"] = [*call.messages, {"role": "assistant", "content": call.prefill}]
        body["add_generation_prompt"] = False
        body["continue_final_message"] = True
    if dialect.seeds:
        body["seed"] = seed % (1 << 63)
    if n > 1:
        body["n"] = n
    if call.top_logprobs:
        body["logprobs"] = True
        body["top_logprobs"] = call.top_logprobs
    if call.stop:
        body["stop"] = call.stop
    if call.constraint is not None:
        body |= constrain(call.constraint, dialect)
    if call.thinking is not None and dialect.thinking_budget:
        body["thinking_token_budget"] = call.thinking.max_tokens
    if dialect.thinking_switch:
        body["chat_template_kwargs"] = {"enable_thinking": call.thinking is not None}
    return merged(body, dialect.extra) if dialect.extra else body


def constrain(constraint: Constraint, dialect: Dialect) -> dict[str, Any]:
    """The fields that bind an answer, as strongly as the server can; none where it cannot."""
    if dialect.grammar == "regex":
        if dialect.regex_field == "structured_outputs":
            return {"structured_outputs": {"regex": constraint.regex}}
        if dialect.regex_field == "regex":
            return {"regex": constraint.regex}
        return {"response_format": {"type": "regex", "value": constraint.regex}}
    if constraint.json_schema is None or dialect.grammar == "none":
        return {}
    if dialect.grammar == "json_object":
        return {"response_format": {"type": "json_object"}}
    # vLLM insists on a name; OpenAI keeps to a schema only when it is strict.
    schema = {"name": "verdict", "schema": constraint.json_schema, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def merged(body: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """The body with more fields; objects are merged, None removes."""
    for name, value in extra.items():
        if value is None:
            body.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(body.get(name), Mapping):
            body[name] = {**body[name], **value}
        else:
            body[name] = value
    return body


def encode(body: Mapping[str, Any]) -> bytes:
    """The bytes of a body; half surrogate pairs, which no UTF-8 can hold, become U+FFFD."""
    try:
        return orjson.dumps(body)
    except TypeError:
        return orjson.dumps(_whole(body))


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Mapping):
        return {_whole(key): _whole(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(item) for item in value]
    return value
