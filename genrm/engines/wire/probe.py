"""What a server can do, found out by asking it: a dozen requests of a few tokens, once per process.

    >>> found = await Prober(post, "m").run()                                                # doctest: +SKIP
    >>> found.grammar, found.top_logprobs                                                    # doctest: +SKIP
    ('regex', 20)

Status 200 proves nothing: servers ignore parameters that they do not know. So each ability is asked for something
that shows in the answer: a text that no model writes on its own, two texts for ``n=2``, a prompt that is shorter
because the judge's turn was left open, the probability of a token that nobody would name.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from genrm.compiler.output import Thinking
from genrm.compiler.request import Message
from genrm.engines.calls.call import Call, Constraint, Grammar, Offers
from genrm.engines.wire.bodies import Dialect, RegexField, build
from genrm.engines.wire.exact import ExactSlots, Post
from genrm.engines.wire.replies import FORBIDDEN
from genrm.errors import EngineError, JudgeError

PROBE_S = 60.0
"""Seconds for one request of a probe; servers load adapters and grammars on first use."""

CODE = Constraint(r"zq[0-7]{3}xj")
WORD = Constraint(
    "",
    {
        "type": "object",
        "properties": {"zqj": {"type": "string", "enum": ["xkw", "wvx"]}},
        "required": ["zqj"],
        "additionalProperties": False,
    },
)
WORD_TEXT = re.compile(r'\s*\{\s*"zqj"\s*:\s*"(xkw|wvx)"\s*\}\s*')
HELLO: tuple[Message, ...] = ({"role": "user", "content": "Say hello. Do not write JSON."},)
RANDOM: tuple[Message, ...] = ({"role": "user", "content": "Write a long line of random letters and digits."},)


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found out.

    Attributes:
        dialect: how to ask.
        offers: what the engine may rely on.
        context_tokens: None when the server does not say.
        cached_tokens: the usage tells how much of a prompt came from the cache.
        n_seeds: text i of a request with ``n`` is the text of seed + i, so asking together or apart is the same.
        requests: that the probe took.
    """

    dialect: Dialect
    offers: Offers = field(default_factory=Offers)
    context_tokens: int | None = None
    cached_tokens: bool = False
    n_seeds: bool = False
    requests: int = 0

    def rows(self) -> list[tuple[str, str]]:
        """What was found out, for people: (what, value)."""
        offers = self.offers
        by = f" ({self.dialect.regex_field})" if offers.grammar == "regex" else ""
        masked = ", masked by the grammar" if offers.masked and offers.grammar != "none" else ""
        return [
            ("model", self.dialect.model),
            ("context", f"{self.context_tokens:,} tokens" if self.context_tokens else "unknown"),
            ("constraint", offers.grammar + by),
            ("logprobs", f"{offers.top_logprobs} alternatives{masked}" if offers.top_logprobs else "no"),
            ("exact slots", _yes(offers.exact)),
            ("several texts a request", _yes(offers.n)),
            ("seeds", _yes(offers.seeds)),
            ("prefill", _yes(offers.prefill)),
            ("thinking apart", _yes(offers.thinking)),
            ("cached tokens shown", _yes(self.cached_tokens)),
            ("probe requests", str(self.requests)),
        ]


def _yes(value: bool) -> str:
    return "yes" if value else "no"


class Prober:
    """Asks a server.

    Args:
        post: as :data:`genrm.engines.wire.exact.Post`; retries of passing faults are its business.
        dialect: what is known already: the model's name, extra fields.
    """

    def __init__(self, post: Post, dialect: Dialect) -> None:
        self._send = post
        self._dialect = dialect
        self._requests = 0
        self._in_doubt = False

    async def run(self, context_tokens: int | None = None) -> Probe:
        """Everything there is to find out.

        Raises:
            JudgeError: the server answers not even the plainest request.
        """
        await self._plain()
        # First: a judge that thinks unless it is told not to would think away the few tokens of all other requests.
        switch, thinks, budget = await self._thinking()
        self._dialect = replace(self._dialect, thinking_switch=switch, thinking_budget=budget)
        grammar, texts, prefill = await asyncio.gather(self._grammar(), self._texts(), self._prefill())
        level, by, masked = grammar
        takes_seeds, tops, n, seeds, n_seeds, cached = texts
        self._dialect = replace(self._dialect, grammar=level, regex_field=by, seeds=takes_seeds)
        exact = prefill and await self._exact()
        if self._in_doubt:
            await self._plain()
        offers = Offers(level, prefill, tops, masked, exact, n, seeds, thinks)
        return Probe(self._dialect, offers, context_tokens, cached, n_seeds, self._requests)

    async def _post(self, path: str, body: dict[str, Any], timeout_s: float | None = PROBE_S) -> Any:
        self._requests += 1
        return await self._send(path, body, timeout_s)

    async def _ask(
        self, call: Call, *, seed: int = 7, n: int = 1, dialect: Dialect | None = None, **more: Any
    ) -> dict[str, Any] | None:
        """The answer; None where the server does not take the request."""
        try:
            body = build(call, dialect or self._dialect, seed=seed, n=n)
            data = await self._post("/chat/completions", body | more)
        except JudgeError as error:
            # Some servers answer 500 to what they do not know; whether this one fell over is asked at the end.
            self._in_doubt |= error.can_retry
            return None
        return data if isinstance(data, dict) and _choices(data) else None

    async def _plain(self) -> None:
        """The plainest request; finds out how the limit on tokens is called."""
        body = build(Call(HELLO, max_tokens=1), replace(self._dialect, seeds=False), seed=0)
        try:
            data = await self._post("/chat/completions", body)
        except EngineError as error:
            if "max_completion_tokens" not in error.message or self._dialect.length_field != "max_tokens":
                raise
            # OpenAI's later models take the limit under this name alone.
            self._dialect = replace(self._dialect, length_field="max_completion_tokens")
            return await self._plain()
        if not isinstance(data, dict) or not _choices(data):
            raise EngineError("/chat/completions answers, but not with a chat completion", retryable=False)
        return None

    async def _grammar(self) -> tuple[Grammar, RegexField, bool]:
        """The strongest constraint that is kept to, where a regular expression goes, and whether it masks."""
        fields: tuple[RegexField, ...] = ("structured_outputs", "regex", "response_format")
        for by in fields:
            kept = await self._kept(CODE, re.compile(CODE.regex), "regex", by)
            if kept is not None:
                return "regex", by, kept
        kept = await self._kept(WORD, WORD_TEXT, "json_schema")
        if kept is not None:
            return "json_schema", fields[0], kept
        kept = await self._kept(WORD, re.compile(r"\s*\{.*", re.DOTALL), "json_object")
        return ("none", fields[0], False) if kept is None else ("json_object", fields[0], kept)

    async def _kept(
        self, constraint: Constraint, wanted: re.Pattern[str], level: Grammar, by: RegexField = "structured_outputs"
    ) -> bool | None:
        """Whether log-probabilities are masked under a constraint; None when it is not kept to.

        A failure is looked at twice: what is found out here holds for the whole life of a process.
        """
        dialect = replace(self._dialect, grammar=level, regex_field=by)
        call = Call(HELLO, max_tokens=48, constraint=constraint, temperature=1.0)
        for seed, top in ((7, 5), (8, 0)):
            data = await self._ask(replace(call, top_logprobs=top), seed=seed, dialect=dialect)
            if data is not None and wanted.fullmatch(_text(data).rstrip()):
                return _masked(data)
        return None

    async def _texts(self) -> tuple[bool, int, bool, bool, bool, bool]:
        """Whether seeds are taken; alternatives; ``n``; seeds repeat, and follow each other under ``n``; cached tokens.

        All of it is asked while other requests run, as in use: a server whose numbers depend on what else is in its
        batch takes seeds and does not repeat itself.
        """
        call = Call(RANDOM, max_tokens=12, temperature=1.0)
        data, n, seeded = None, 1, True
        for n, top, seeded in ((2, 20, True), (2, 5, True), (2, 0, True), (1, 20, True), (1, 0, True), (1, 0, False)):
            dialect = replace(self._dialect, seeds=seeded)
            data = await self._ask(replace(call, top_logprobs=top), seed=11, n=n, dialect=dialect)
            if data is not None:
                break
        if data is None or not seeded:
            return False, 0, False, False, False, data is not None and _shows_cached(data)
        alone, next_ = await asyncio.gather(self._ask(call, seed=11), self._ask(call, seed=12))
        texts = _texts(data)
        one, other = (_text(answer) if answer else None for answer in (alone, next_))
        seeds = one == texts[0] and other is not None and other != one
        # A server that gives every text of a request the same seed gives one vote, twice.
        together = n > 1 and len(texts) == n and not (texts[0] == texts[1] and seeds)
        n_seeds = together and seeds and texts[1] == other
        return True, _alternatives(data), together, seeds, n_seeds, _shows_cached(data)

    async def _prefill(self) -> bool:
        """A turn that goes on has neither an end mark nor the beginning of a new turn: its prompt is shorter."""
        call = Call(HELLO, max_tokens=1, prefill="zqj zqj")
        going_on, closed = await asyncio.gather(
            self._ask(call), self._ask(call, add_generation_prompt=True, continue_final_message=False)
        )
        sizes = [_prompt_tokens(data) for data in (going_on, closed) if data is not None]
        return len(sizes) == 2 and 0 < sizes[0] < sizes[1]

    async def _thinking(self) -> tuple[bool, bool, bool]:
        """Whether thinking can be switched, comes apart from the answer, and has a budget of its own."""
        call = Call(HELLO, max_tokens=8, temperature=1.0, thinking=Thinking("</think>", 8))
        dialect = replace(self._dialect, thinking_switch=True)
        data = await self._ask(call, dialect=dialect)
        if data is None:
            return False, False, False
        message = data["choices"][0]["message"]
        if not (message.get("reasoning_content") or message.get("reasoning")):
            return True, False, False
        return True, True, await self._ask(call, dialect=replace(dialect, thinking_budget=True)) is not None

    async def _exact(self) -> bool:
        """Whether a token that nobody would name has its probability shown."""
        slots = ExactSlots(self._post, self._dialect)
        call = Call(HELLO, max_tokens=1, prefill='{"label":"')
        try:
            tokens = await slots.spell("zqj", PROBE_S)
            return len(await slots.logprobs(call, tokens)) == len(set(tokens))
        except JudgeError as error:
            self._in_doubt |= error.can_retry
            return False


def _choices(data: Mapping[str, Any]) -> bool:
    choices = data.get("choices")
    return (
        isinstance(choices, list)
        and bool(choices)
        and all(isinstance(choice, dict) and isinstance(choice.get("message"), dict) for choice in choices)
    )


def _texts(data: Mapping[str, Any]) -> list[str]:
    return [str(choice["message"].get("content") or "") for choice in data["choices"]]


def _text(data: Mapping[str, Any]) -> str:
    return _texts(data)[0]


def _entries(data: Mapping[str, Any]) -> list[Any]:
    shown = data["choices"][0].get("logprobs")
    entries = shown.get("content") if isinstance(shown, dict) else None
    return entries if isinstance(entries, list) else []


def _alternatives(data: Mapping[str, Any]) -> int:
    return min((len(entry.get("top_logprobs") or ()) for entry in _entries(data)), default=0)


def _masked(data: Mapping[str, Any]) -> bool:
    """Whether only what the constraint allows has a probability; True where nothing is shown."""
    entries = _entries(data)
    top = [item for item in entries[0].get("top_logprobs") or () if item["logprob"] > FORBIDDEN] if entries else []
    starts = ("z", "{", " ", "\n", "\t", "\r")
    return all(not item["token"] or item["token"].startswith(starts) for item in top)


def _shows_cached(data: Mapping[str, Any]) -> bool:
    usage = data.get("usage")
    details = usage.get("prompt_tokens_details") if isinstance(usage, dict) else None
    return isinstance(details, dict) and isinstance(details.get("cached_tokens"), int)


def _prompt_tokens(data: Mapping[str, Any]) -> int:
    usage = data.get("usage")
    tokens = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    return tokens if isinstance(tokens, int) else 0
