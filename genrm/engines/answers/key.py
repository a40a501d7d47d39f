"""What an answer is found by in the answer cache: a digest of everything that can change it.

    >>> key = AnswerKey(engine, {"dtype": "float32"})                                        # doctest: +SKIP
    >>> [digest.hex()[:6] for digest in key.of(request)]                                     # doctest: +SKIP
    ['3c0a51', '9e77d0', '01b2f4']

In it: engine and model with its fingerprint, the server's address, the engine's options, device and number format of
local models, messages, output plan, temperature and the vote's index; the vote's seed where it steers the sampling.
Not in it: the sample's id, deadlines, and options that make an answer only faster or slower. What nobody has thought
of yet counts: an answer that is asked for twice costs a call, a wrong one costs a result.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from genrm.compiler.request import JudgeRequest
from genrm.engines.base import Engine

ANSWER_FORMAT = 1
"""Part of every key. Raise it when genrm would write another answer to the same request."""

PERFORMANCE = frozenset(
    {
        *("batch_size", "linger_ms", "concurrency", "max_concurrency", "max_in_flight"),
        *("max_connections", "tries", "attempt_timeout", "timeout", "patience", "verify_tls", "ca_file"),
        *("input_cost_per_token", "output_cost_per_token"),
        *("gpu_memory_utilization", "kv_cache_memory_bytes"),
    }
)
"""Engine options that change when and whether an answer comes, not what it says. All others are part of the key."""

_DECIDING = tuple(
    sorted({item.name for item in fields(JudgeRequest)} - {"seeds", "first_vote", "sample_id", "timeout_s"})
)
"""Fields of a request that decide an answer; new ones count until somebody says that they do not."""


class AnswerKey:
    """Makes the keys of one engine's answers.

    Args:
        engine: as it is once started. What it offers to plans that are written in calls counts as well.
        options: of the engine.
        address: of the server that it asks.
    """

    def __init__(self, engine: Engine, options: Mapping[str, Any], address: str | None = None) -> None:
        deciding = {name: value for name, value in sorted(options.items()) if name not in PERFORMANCE}
        known = [getattr(engine, name, None) for name in ("offers", "arithmetic")]
        who = [ANSWER_FORMAT, engine.name, engine.model, address, known, deciding]
        self._base = hashlib.sha256(_canonical(who))
        self._seeds = engine.capabilities.seeds

    def of(self, request: JudgeRequest) -> tuple[bytes, ...]:
        """The key of each vote of a request: 32 bytes."""
        base = self._base.copy()
        base.update(_canonical([getattr(request, name) for name in _DECIDING]))
        seeded = request.temperature > 0 and self._seeds
        keys = []
        for vote, seed in enumerate(request.seeds, request.first_vote):
            digest = base.copy()
            digest.update(f"{vote}:{seed if seeded else ''}".encode())
            keys.append(digest.digest())
        return tuple(keys)


def label_of(engine: Engine, address: str | None = None) -> str:
    """How an engine's model is called in the statistics of a cache; a password in an address does not get there."""
    if not address:
        return engine.model
    parts = urlsplit(address)
    return f"{engine.model} at {urlunsplit(parts._replace(netloc=parts.netloc.rpartition('@')[2]))}"


def _canonical(value: Any) -> bytes:
    return json.dumps(value, default=_plain, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return [type(value).__name__, {item.name: getattr(value, item.name) for item in fields(value)}]
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=repr)
    return repr(value)
