"""Calls on behalf of one request: one deadline for all of them, and what the caller offers.

>>> asking = Asking(request, caller)                                                     # doctest: +SKIP
>>> replies = await asking.ask(request.messages, constraint=constraint, max_tokens=400)  # doctest: +SKIP
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from genrm.compiler.request import JudgeRequest, Message
from genrm.engines.base import SlotReading
from genrm.engines.calls.call import Call, Caller, Offers, Reply
from genrm.errors import DeadlineError, EngineError, JudgeError


@dataclass(frozen=True, slots=True)
class Settings:
    """How an engine wants plans to be written.

    Attributes:
        exact_slots: read every slot by :meth:`Caller.read_slot`, whatever the tokens show.
        reasks: how often a broken answer is asked for again.
        top_logprobs: most alternatives per token; as many as the caller offers when None.
        whole_tokens: where an alternative that several labels begin with can be split by no call, take it for the label
            that it spells (1, not 10) if the longer ones have tokens of their own there: an assumption that holds for
            models that write what their tokenizer would. Without it such a slot has no distribution.
        marks: tokens of a critique at which the judge decides, without blanks around them; most judges have none.
        alternatives: how many are kept at each mark; those of other tokens are never looked at.
        control_tokens: of the judge's tokenizer; kept out of the judge's own words when they are shown to it again.
    """

    exact_slots: bool = False
    reasks: int = 2
    top_logprobs: int | None = None
    whole_tokens: bool = False
    marks: frozenset[str] = frozenset()
    alternatives: int = 0
    control_tokens: frozenset[str] = frozenset()


@dataclass(slots=True)
class Asking:
    """The calls of one request.

    The deadline counts from when the turn of the first call came: waiting in a queue is no fault of a judge.
    """

    request: JudgeRequest
    caller: Caller
    settings: Settings = field(default_factory=Settings)
    _deadline: float | None = None

    @property
    def offers(self) -> Offers:
        """What the caller can do."""
        return self.caller.offers

    @property
    def top_logprobs(self) -> int:
        """Alternatives per token to ask for."""
        wanted = self.settings.top_logprobs
        return self.offers.top_logprobs if wanted is None else min(wanted, self.offers.top_logprobs)

    async def ask(
        self, messages: Sequence[Message], *, seeds: Sequence[int] | None = None, **how: Any
    ) -> list[Reply | JudgeError]:
        """One reply per seed, in order, or its error. Arguments as those of :class:`Call`.

        Raises:
            JudgeError: there is no reply at all.
        """
        seeds = self.request.seeds if seeds is None else tuple(seeds)
        asked = time.monotonic()
        replies = await self.caller.call(self._call(messages, seeds, how))
        if len(replies) != len(seeds):
            raise EngineError(f"{len(seeds)} texts were asked for, {len(replies)} came", retryable=True)
        self._begin(min([r.began for r in replies if isinstance(r, Reply) and r.began is not None], default=asked))
        return replies

    async def ask_one(self, messages: Sequence[Message], seed: int, **how: Any) -> Reply:
        """The reply for one seed.

        Raises:
            JudgeError: there is none.
        """
        [reply] = await self.ask(messages, seeds=(seed,), **how)
        if isinstance(reply, JudgeError):
            raise reply
        return reply

    async def read_slot(
        self, messages: Sequence[Message], seed: int, prefill: str, labels: tuple[str, ...]
    ) -> SlotReading:
        """The exact distribution of labels behind a prefill. Raises JudgeError."""
        how: dict[str, Any] = {"prefill": prefill, "max_tokens": 1}
        return await self.caller.read_slot(self._call(messages, (seed,), how), labels)

    def _call(self, messages: Sequence[Message], seeds: tuple[int, ...], how: dict[str, Any]) -> Call:
        given: dict[str, Any] = {"temperature": self.request.temperature, "sample_id": self.request.sample_id} | how
        return Call(tuple(messages), seeds=seeds, timeout_s=self._left(), **given)

    def _begin(self, turn: float) -> None:
        if self._deadline is None and self.request.timeout_s is not None:
            self._deadline = turn + self.request.timeout_s

    def _left(self) -> float | None:
        if self._deadline is None:
            return self.request.timeout_s
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise DeadlineError(f"no verdict within {self.request.timeout_s:g} s")
        return left
