"""Recorded outputs: one JSON line per completion, written while a judge works and replayed without it.

    {"genrm_records": 1, "engine": "tiny", "model": "genrm-tiny@1:5d1f…", "capabilities": {…}, "card": {…}}
    {"id": "7", "vote": 0, "criteria": ["correct"], "text": "{\\"critique\\":…}", "slots": {"correct": {"p": {…}}}, …}

    >>> from genrm.compiler.output import plan_output
    >>> request = JudgeRequest((), plan_output({"ok": ("no", "yes")}, critique_tokens=9), sample_id="7")
    >>> record_of(request, 0, Completion('{"critique":"","label":"yes"}', Usage(requests=1)))
    {'id': '7', 'vote': 0, 'criteria': ['ok'], 'text': '{"critique":"","label":"yes"}', 'usage': {'requests': 1}}

The first line says who wrote the rest: a replay asks the same questions in the same portions, and trusts a critique as
far as the judge's card does. Everything that decides a verdict is kept, so a replay gives the same criteria and
rewards to the byte. Records that others wrote have no first line, and need only ``id`` and ``text``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from genrm.compiler.output import FREE_TEXT
from genrm.compiler.request import JudgeRequest
from genrm.engines.base import Capabilities, Completion, Engine, SlotReading, TextToken, Usage
from genrm.engines.model_card import ModelCard
from genrm.errors import JudgeError, RefusedError, row_error

VERSION = 1
HEADER = "genrm_records"

LENGTH = frozenset({"length", "max_tokens", "model_length", "max_output_tokens", "incomplete", "abort", "error"})
REFUSED = frozenset({"content_filter", "content management policy", "refusal", "refused", "safety", "blocklist"})
"""What providers call an output that ended before its end, and one that they or the model withheld."""

_MASKED = -1000.0
"""Log-probabilities below it stand for tokens that a grammar forbade; some servers write -9999."""


def header_of(engine: Engine) -> dict[str, Any]:
    """The first line of a recording."""
    card: ModelCard | None = getattr(engine, "card", None)
    can = engine.capabilities
    return {
        HEADER: VERSION,
        "engine": engine.name,
        "model": engine.model,
        "capabilities": {"prompts": can.prompts, "joint": can.joint, "probabilities": can.probabilities},
        "card": None if card is None else {key: value for key, value in asdict(card).items() if value or value == 0},
    }


def capabilities_of(header: Mapping[str, Any]) -> Capabilities:
    """What the recorded judge could do, as far as it shapes the questions. Raises KeyError or TypeError."""
    can = header["capabilities"]
    return Capabilities(prompts=can["prompts"], joint=can["joint"], probabilities=can["probabilities"])


def record_of(request: JudgeRequest, index: int, outcome: Completion | JudgeError) -> dict[str, Any]:
    """The record of what an engine gave for the seed at ``index`` of a request."""
    record: dict[str, Any] = {
        "id": request.sample_id,
        "vote": request.first_vote + index,
        "criteria": list(request.output.slots),
    }
    if isinstance(outcome, JudgeError):
        spent = {} if outcome.usage is None else {"usage": _spent(outcome.usage)}
        return record | {"error": outcome.row()} | spent
    record["text"] = outcome.text
    if outcome.thinking is not None:
        record["thinking"] = outcome.thinking
    if outcome.cut:
        record["finish_reason"] = "length"
    if outcome.slots:
        record["slots"] = {slot: _reading(reading) for slot, reading in outcome.slots.items()}
    if outcome.tokens:
        record["tokens"] = {
            slot: [[token.text, token.p, dict(token.alternatives)] for token in tokens]
            for slot, tokens in outcome.tokens.items()
        }
    if outcome.closed:
        record["closed"] = list(outcome.closed)
    record["usage"] = _spent(outcome.usage)
    return record


def outcome_of(record: Mapping[str, Any]) -> Completion | JudgeError:
    """What the engine gave, from its record.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: the record is malformed.
    """
    if (error := record.get("error")) is not None:
        known = row_error(error)
        if not isinstance(known, JudgeError):
            raise ValueError(f"error is {error!r}, no error of a judge")
        return known.spent(_usage(record["usage"])) if record.get("usage") else known
    reason = record.get("finish_reason")
    if isinstance(reason, str) and reason.lower() in REFUSED:
        return RefusedError(f"the recorded judge declined to judge (finish_reason {reason!r})")
    text = record["text"]
    if not isinstance(text, str):
        raise TypeError(f"text is a {type(text).__name__}, no string")
    tokens = {slot: tuple(_token(*token) for token in row) for slot, row in (record.get("tokens") or {}).items()}
    if record.get("logprobs"):
        tokens.setdefault(FREE_TEXT, _openai_tokens(record["logprobs"]))
    thinking = record.get("thinking")
    if thinking is not None and not isinstance(thinking, str):
        raise TypeError(f"thinking is a {type(thinking).__name__}, no string")
    return Completion(
        text,
        _usage(record.get("usage") or {}),
        {slot: _slot(value) for slot, value in (record.get("slots") or {}).items()},
        tokens,
        cut=isinstance(reason, str) and reason.lower() in LENGTH,
        closed=tuple(record.get("closed") or ()),
        thinking=thinking,
    )


def _token(text: Any, p: Any, alternatives: Mapping[Any, Any]) -> TextToken:
    """A token whose probabilities are some; NaN, which JSON files of others can hold, would become a label's."""
    found = {other: float(weight) for other, weight in alternatives.items()}
    if not isinstance(text, str) or not all(isinstance(other, str) for other in found):
        raise TypeError(f"tokens are texts, found {text!r}")
    if wrong := [weight for weight in (float(p), *found.values()) if not 0.0 <= weight <= 1.0]:
        raise ValueError(f"the probability of token {text!r} or of its alternatives is {wrong[0]}")
    return TextToken(text, float(p), found)


def _reading(reading: SlotReading) -> dict[str, Any]:
    outside = {} if reading.outside is None else {"outside": reading.outside}
    return {"p": dict(reading.p), **outside}


def _slot(value: Mapping[str, Any]) -> SlotReading:
    """A slot as written here, ``{"p": {label: p}, "outside": …}``, or as the bare distribution."""
    p = value["p"] if isinstance(value.get("p"), Mapping) else value
    found = {str(label): float(weight) for label, weight in p.items()}
    if any(not 0.0 <= weight <= 1.0 for weight in found.values()) or abs(math.fsum(found.values()) - 1.0) > 1e-3:
        raise ValueError(f"slots: probabilities that sum to 1 are needed, found {found}")
    outside = value.get("outside") if p is not value else None
    return SlotReading(found, None if outside is None else float(outside))


def _spent(usage: Usage) -> dict[str, Any]:
    """What was used; a cost of 0 is known, a cost of None is not."""
    return {key: value for key, value in asdict(usage).items() if value or (key == "cost_usd" and value is not None)}


def _usage(value: Mapping[str, Any]) -> Usage:
    known = {item.name for item in fields(Usage)}
    found: dict[str, Any] = {key: item for key, item in value.items() if key in known and item is not None}
    for key, number in found.items():
        kinds: Any = (int, float) if key == "cost_usd" else (int,)
        if isinstance(number, bool) or not isinstance(number, kinds) or not 0 <= number < math.inf:
            raise ValueError(f"usage.{key} is {number!r}, no number from 0")
    return Usage(**found)


def _openai_tokens(logprobs: Any) -> tuple[TextToken, ...]:
    """Tokens with their alternatives from a ``logprobs`` object of the OpenAI API, or from its ``content``."""
    content: Sequence[Mapping[str, Any]] = logprobs["content"] if isinstance(logprobs, Mapping) else logprobs
    return tuple(
        _token(
            token["token"],
            _probability(token["logprob"]),
            {
                other["token"]: _probability(other["logprob"])
                for other in token.get("top_logprobs") or ()
                if not other["logprob"] <= _MASKED
            },
        )
        for token in content
    )


def _probability(logprob: float) -> float:
    """Of a log-probability; rounding may leave one a little above 0."""
    if not logprob <= 1e-3:
        raise ValueError(f"a log-probability is {logprob!r}")
    return min(1.0, math.exp(logprob))
