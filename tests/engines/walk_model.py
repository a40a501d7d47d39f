"""A language model without weights, for tests: what it says next follows from a hash of what has been said.

It is a caller (:class:`genrm.engines.calls.call.Caller`) whose true label distributions can be computed, so tests know
what reading a slot should give. It is not a judge: it reads nothing, and what it says means nothing.
"""

from __future__ import annotations

import asyncio
import codecs
import hashlib
import json
import math
import random
from dataclasses import dataclass, field
from functools import cache, lru_cache

import regex

from genrm.engines.base import SlotReading, Usage
from genrm.engines.calls.call import Call, Offers, Reply, Token

PIECES = [
    b'{"',
    b"critique",
    b'":"',
    b'","',
    b"label",
    b'":',
    b'"}',
    b'"},"',
    b'":{"',
    b'"yes',
    b'":"1',
    b'no"',
    b"yes",
    b"no",
    b"10",
    b'1"}',
    b"tie",
    b"ti",
    b"ied",
    b'"tie',
    b" a",
    b" the ",
    b"ok.",
    b"\\n",
    b"\\u00e9",
    "größ".encode(),
    "ö".encode()[:1],
    "ö".encode()[1:],
    "短".encode()[:2],
    "短".encode()[2:],
    "🙂".encode()[:2],
    "🙂".encode()[2:],
]
LETTERS = {bytes([b]) for b in range(32, 127)} | {bytes([b]) for b in "größer größte 短い 🙂🙃 é".encode()}
VOCABULARY = tuple(dict.fromkeys([*sorted(LETTERS), *PIECES]))

# In a critique any text may have come before: what follows does not depend on it, so it need not be matched again.
BEHIND = regex.compile(rb'("critique": ?")[^"\\]*$')


@lru_cache(maxsize=64)
def compiled(pattern: str) -> regex.Pattern:
    return regex.compile(pattern.encode())


@dataclass
class Walk:
    """The model.

    Attributes:
        offers: what it pretends to be able to do.
        salt: another salt is another model.
        vocabulary: every token.
        long: how unlikely critiques are to end, from 0 (they end soon) on.
        calls: every call that was made, for tests to look at.
    """

    offers: Offers
    salt: str = ""
    vocabulary: tuple[bytes, ...] = VOCABULARY
    long: float = 0.0
    calls: list[Call] = field(default_factory=list)

    async def call(self, call: Call):
        self.calls.append(call)
        await asyncio.sleep(0)
        prompt = sum(len(message["content"]) for message in call.messages)
        return [
            self.write(call, seed, Usage(1 if i == 0 else 0, prompt if i == 0 else 0))
            for i, seed in enumerate(call.seeds)
        ]

    async def read_slot(self, call: Call, labels: tuple[str, ...]) -> SlotReading:
        self.calls.append(call)
        assert call.prefill.endswith('"')
        p = self.truth(call.prefill.encode(), labels)
        return SlotReading(p, 0.25)

    def write(self, call: Call, seed: int, usage: Usage) -> Reply:
        """One text; with ``offers.masked`` false the alternatives are those of the model without the constraint."""
        start = said = call.prefill.encode()
        pattern = compiled(call.constraint.regex) if call.constraint else None
        chance = random.Random(f"{seed} {self.salt} {said!r} {len(call.messages)}")
        tokens, finish = [], "length"
        for _ in range(call.max_tokens):
            wanted = self.wanted(said)
            # The first bytes of a character that is not whole yet.
            half = said[len(said.decode(errors="ignore").encode()) :]
            before = BEHIND.sub(rb"\1", said[len(start) : len(said) - len(half)])
            legal = {v: w for v, w in wanted.items() if fits(pattern, before, half, v)}
            if not legal:
                finish = "stop"
                break
            token = max(legal, key=legal.get) if call.temperature == 0 else choose(chance, legal)
            shown = legal if self.offers.masked else wanted
            total = sum(shown.values())
            top = sorted(((v, math.log(w / total)) for v, w in shown.items()), key=lambda item: -item[1])
            # Servers fill the rest with what the grammar forbids.
            top = [*top, *((v, -9999.0) for v in self.vocabulary if v not in shown)][: call.top_logprobs]
            tokens.append(Token(token, math.log(shown[token] / total), tuple(top)))
            said += token
            if call.stop and said.endswith(call.stop[0].encode()):
                finish = "stop"
                break
        text = said[len(start) :].decode(errors="ignore")
        if call.stop:
            text = text.removesuffix(call.stop[0])
        usage = usage + Usage(completion_tokens=len(tokens))
        return Reply(text, finish, tuple(tokens) if call.top_logprobs else None, usage=usage)

    def wanted(self, said: bytes) -> dict[bytes, float]:
        """Weight of every token behind what has been said."""
        digest = hashlib.blake2b(said + self.salt.encode(), digest_size=8).digest()
        chance = random.Random(digest)
        weights = {v: chance.expovariate(1.0) ** 2 for v in self.vocabulary}
        for v in weights:
            if v.startswith(b'"'):
                weights[v] *= 6.0 * 10.0**-self.long
        return weights

    def truth(self, before: bytes, labels: tuple[str, ...], done: bytes = b"") -> dict[str, float]:
        """The probability of each label behind ``before``, over every way in which tokens can spell it."""
        bodies = {label: (json.dumps(label, ensure_ascii=False)[1:-1] + '"').encode() for label in labels}

        @cache
        def share(done: bytes) -> dict[str, float]:
            ended = [label for label, body in bodies.items() if done.startswith(body)]
            if ended:
                return {ended[0]: 1.0}
            weights = {
                v: w
                for v, w in self.wanted(before + done).items()
                if any(tail(body).startswith(done + v) for body in bodies.values())
            }
            total = sum(weights.values())
            found: dict[str, float] = {}
            for v, w in weights.items():
                for label, p in share(done + v).items():
                    found[label] = found.get(label, 0.0) + p * w / total
            return found

        def tail(body: bytes) -> bytes:
            return body + b"}"

        found = share(done)
        return {label: found.get(label, 0.0) for label in labels}


def fits(pattern: regex.Pattern | None, before: bytes, half: bytes, token: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(half + token)
    except UnicodeDecodeError:
        return False
    return pattern is None or pattern.fullmatch(before + half + token, partial=True) is not None


def choose(chance: random.Random, weights: dict[bytes, float]) -> bytes:
    [token] = chance.choices(list(weights), list(weights.values()))
    return token
