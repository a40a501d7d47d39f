"""``litellm:provider/model``: judges behind an API, through litellm's own client.

    >>> engine = LitellmEngine("openai/gpt-4o-mini")                                         # doctest: +SKIP
    >>> engine.offers.grammar, engine.prices                                                 # doctest: +SKIP
    ('json_schema', Prices(input=1.5e-07, output=6e-07, ...))

litellm turns OpenAI's names into each provider's request and each provider's answer into OpenAI's; the answers are
read as those of any server (:mod:`genrm.engines.wire.replies`). Limits, retries and the circuit are ours
(:mod:`genrm.engines.wire.retry`), so litellm's own retries are off. Every answer carries its cost, and a call is
charged to the budget that it is made under (:mod:`genrm.engines.budget`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakSet

from genrm.compiler.request import JudgeRequest
from genrm.engines.api import faults
from genrm.engines.api.arguments import arguments, most_tokens
from genrm.engines.api.model import close_litellm, describe, load_litellm
from genrm.engines.api.options import check, find_address, find_key, given_prices
from genrm.engines.api.prices import most_prompt_tokens, response_cost
from genrm.engines.base import Capabilities, Completion, SlotReading, Usage
from genrm.engines.budget import Purse, current_budget
from genrm.engines.calls.asking import Settings
from genrm.engines.calls.call import Call, Grammar, Offers, Reply
from genrm.engines.calls.write import write
from genrm.engines.wire import replies
from genrm.engines.wire.circuit import Circuit
from genrm.engines.wire.faults import AttemptError
from genrm.engines.wire.limits import Limiter
from genrm.engines.wire.retry import Backoff, Line
from genrm.errors import EngineError, JudgeError, RunStoppedError

PING_TOKENS = 16
_open: WeakSet[LitellmEngine] = WeakSet()


class LitellmEngine:
    """An API model as an engine.

    Args:
        model: ``provider/model``, as litellm writes it.
        api_base: address of the API, in place of the provider's.
        api_key_env: name of the environment variable that holds the key; the provider's own by default.
        timeout: seconds after which an attempt is given up and made again within the deadline of its call; None is half
            of the call's time, at least 60.
        max_concurrency: most calls in flight; within it the engine finds out what the provider bears.
        tries: attempts per call.
        patience: seconds that calls wait for a provider that fails them all, before the run is ended.
        grammar: ``json_schema``, ``json_object`` or ``none``, where litellm's tables are wrong about the model.
        top_logprobs: alternatives per token; 0 for a model that shows none although the tables say so.
        reask: how often a broken answer is asked for again, with its fault shown.
        whole_tokens: where a label begins another one (1 and 10), take a token that spells a label for that label: an
            assumption, and without it such a slot has no distribution.
        input_cost_per_token, output_cost_per_token: US dollars, for models that litellm's table does not have.
        extra: more arguments for ``litellm.acompletion``.

    Attributes:
        prices: the dearest that may apply; None when unknown.
        address: of the API, where it is not the provider's; a cache keeps the answers of each apart.

    Raises:
        SpecError: the name or an option is wrong, or the variable with the key is not set.
        MissingExtraError: litellm is not installed.
    """

    name = "litellm"

    def __init__(
        self,
        model: str,
        *,
        api_base: str | None = None,
        api_key_env: str | None = None,
        timeout: float | None = None,
        max_concurrency: int = 64,
        tries: int = 8,
        patience: float = 300.0,
        grammar: str | None = None,
        top_logprobs: int | None = None,
        reask: int = 2,
        whole_tokens: bool = False,
        input_cost_per_token: float | None = None,
        output_cost_per_token: float | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        check(extra, grammar, max_concurrency=(max_concurrency, 1), tries=(tries, 1), reask=(reask, 0))
        self.model = model
        tier = None if extra is None else extra.get("service_tier")
        known = describe(model, api_base=api_base, tier=tier)
        self._base, self.address = api_base, api_base or find_address(known.provider)
        self._known = known if top_logprobs != 0 else replace(known, params=known.params - {"top_logprobs"})
        self._given = given_prices(input_cost_per_token, output_cost_per_token)
        self.prices = self._given or known.prices
        self._key, self._where = find_key(model, api_key_env, api_base)
        self._extra, self._timeout = dict(extra or {}), timeout
        self._grammar: Grammar = grammar or known.grammar  # type: ignore[assignment]
        shown = self._known.top_logprobs
        self.offers = Offers(
            grammar=self._grammar,
            top_logprobs=shown if top_logprobs is None else min(shown, top_logprobs),
            n=known.texts > 1,
            thinking=known.reasons,
            images=True,
        )
        self.capabilities = Capabilities(
            probabilities=self.offers.top_logprobs > 0, seeds=False, context_tokens=known.context_tokens, queues=True
        )
        self._settings = Settings(reasks=reask, whole_tokens=whole_tokens)
        circuit = Circuit(self._ping, name=model, patience_s=patience)
        limiter = Limiter(most=max_concurrency, start=min(32, max_concurrency))
        self._line = Line(limiter, circuit, Backoff(tries=tries), attempt_s=timeout)
        _open.add(self)

    def __repr__(self) -> str:
        return f"LitellmEngine({self.model!r})"

    async def complete(self, request: JudgeRequest) -> list[Completion | JudgeError]:
        """One completion per seed of the request, in that order, or the error in its place.

        Raises:
            JudgeError: there is none.
            RunStoppedError: the budget is spent, or the provider stays away in a run that can be resumed.
        """
        return await write(request, self, self._settings)

    def count_tokens(self, text: str) -> int | None:
        """None: the provider's tokenizer is not at hand, and another one's count would be a guess."""
        return None

    async def aclose(self) -> None:
        """Give the connections back, if no other engine of this kind is open: litellm shares them, closed or not."""
        await self._line.circuit.aclose()
        _open.discard(self)
        if not _open:
            await close_litellm()

    def report(self) -> list[tuple[str, str]]:
        """What is known of the model, for people."""
        known, prices = self._known, self.prices
        cost = "unknown" if prices is None else f"{prices.input * 1e6:g} in, {prices.output * 1e6:g} out"
        shown = self.offers.top_logprobs
        return [
            ("model", self.model),
            ("structured output", self.offers.grammar),
            ("log-probabilities", f"{shown} alternatives" if shown else "none: votes only"),
            ("texts per request", str(known.texts)),
            ("USD per million tokens", cost),
        ]

    async def call(self, call: Call) -> list[Reply | JudgeError]:
        """One reply per seed, in order, or the error in its place.

        Raises:
            JudgeError: there is no reply at all.
            RunStoppedError: no more calls may be made.
        """
        size = self._known.texts
        groups = [call.seeds[start : start + size] for start in range(0, len(call.seeds), size)]
        if len(groups) == 1:
            return await self._several(call, groups[0])
        # All of them end before anything is raised: what is under way is paid for.
        answers = await asyncio.gather(*(self._several(call, group) for group in groups), return_exceptions=True)
        found: list[Reply | JudgeError] = []
        for group, answer in zip(groups, answers, strict=True):
            if isinstance(answer, JudgeError):
                found += [answer] + [type(answer)(answer.message, retryable=answer.can_retry)] * (len(group) - 1)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                found += answer
        errors = [reply for reply in found if isinstance(reply, JudgeError)]
        if len(errors) == len(found):
            for other in errors[1:]:
                errors[0].spent(other.usage)
            raise errors[0]
        return found

    async def read_slot(self, call: Call, labels: tuple[str, ...]) -> SlotReading:
        """No API has it, and :attr:`offers` says so."""
        raise EngineError("API models do not show named tokens", retryable=False)

    async def _several(self, call: Call, seeds: Sequence[int]) -> list[Reply | JudgeError]:
        """The replies for seeds that share a request."""
        asked = arguments(call, seeds, self._known, grammar=self._grammar)
        began: list[float] = []
        wasted = Usage()

        async def attempt() -> list[Reply | JudgeError]:
            nonlocal wasted
            began.append(time.monotonic())
            try:
                return await self._paid(asked, len(seeds), purse)
            except AttemptError as fault:
                wasted += fault.error.usage or Usage()
                raise

        async with Purse(current_budget(), self._worst(asked, len(seeds) * most_tokens(call, self._known))) as purse:
            found = await self._line.run(attempt, call.timeout_s)
        if wasted != Usage():
            first = found[0]
            found[0] = first.spent(wasted) if isinstance(first, JudgeError) else _with(first, wasted)
        return [replace(reply, began=began[-1]) if isinstance(reply, Reply) else reply for reply in found]

    async def _paid(self, asked: Mapping[str, Any], count: int, purse: Purse) -> list[Reply | JudgeError]:
        """One attempt, and what it cost."""
        await purse.ready()
        cost: float | None = None
        try:
            response = await self._post(asked)
            cost = response_cost(response, self.model, self._given)
            return self._read(response.model_dump(), count, cost)
        except Exception as error:
            if isinstance(error, AttemptError) or (bill := faults.billed(error)) is None:
                raise self._fault(error) from None
            cost = 0.0 if bill is False else cost
            raise self._fault(error) from None
        finally:
            # Where nobody knows, as after a timeout, all that was set aside counts; one that was not billed keeps it.
            if cost != 0.0:
                purse.paid(cost)

    def _fault(self, error: Exception) -> AttemptError:
        return error if isinstance(error, AttemptError) else faults.of_exception(error, self._where)

    async def _post(self, asked: Mapping[str, Any]) -> Any:
        given: dict[str, Any] = {"api_base": self._base, "api_key": self._key, "timeout": self._timeout}
        given = {name: value for name, value in given.items() if value is not None}
        return await load_litellm().acompletion(
            **{**asked, **given, "max_retries": 0, "num_retries": 0, "drop_params": True, **self._extra}
        )

    def _read(self, data: Any, count: int, cost: float | None) -> list[Reply | JudgeError]:
        for choice in data.get("choices") or ():
            # Where litellm puts what OpenAI says beside the content.
            message = choice.get("message") or {}
            message.setdefault("refusal", (message.get("provider_specific_fields") or {}).get("refusal"))
        try:
            found = replies.read(data, count)
        except replies.ShapeError as error:
            fault = EngineError(f"{self.model}: {error}").spent(Usage(requests=1, cost_usd=cost))
            raise AttemptError(fault, retry=True, server=False) from None
        usages = replies.usage_of(data.get("usage"), count)
        # The first bears the cost of all, as it bears the prompt.
        usages[0] = replace(usages[0], cost_usd=cost)
        return [
            reply.spent(usage) if isinstance(reply, JudgeError) else replace(reply, usage=usage)
            for reply, usage in zip(found, usages, strict=True)
        ]

    def _worst(self, asked: Mapping[str, Any], completion_tokens: int) -> float:
        """The most that a request can cost; 0 where prices are unknown, and then there is no budget either."""
        if self.prices is None:
            return 0.0
        schema = asked.get("response_format", {}).get("json_schema")
        return self.prices.worst(most_prompt_tokens(asked["messages"], schema), completion_tokens)

    async def _ping(self) -> None:
        """The smallest call. It costs a few tokens, so a budget is charged for it too."""
        call = Call(({"role": "user", "content": "Hi"},), max_tokens=PING_TOKENS)
        asked = arguments(call, (0,), self._known, grammar="none")
        try:
            async with Purse(current_budget(), self._worst(asked, most_tokens(call, self._known))) as purse:
                await self._paid(asked, 1, purse)
        except RunStoppedError as stop:
            raise AttemptError(EngineError(str(stop), retryable=False), retry=False, server=True) from None


def _with(reply: Reply, usage: Usage) -> Reply:
    return replace(reply, usage=reply.usage + usage)
