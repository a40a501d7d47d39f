"""An output plan, written by an engine that is reached by calls: the usual path is one call for all votes.

    >>> completions = await write(request, caller)                                           # doctest: +SKIP

The whole plan is the constraint of one call. Label distributions are read from the tokens that come back
(:mod:`genrm.engines.calls.distributions`); what is broken or cut is mended vote by vote
(:mod:`genrm.engines.calls.settle`). Thinking happens in the same call where the caller can keep it out of the
grammar, else in a call before, whose text is the prefill of the constrained one; a caller without either is asked
without thinking.
"""

from __future__ import annotations

import copy
from collections.abc import Coroutine
from typing import Any

from genrm.compiler.output import FREE_TEXT, Free, Thinking
from genrm.compiler.request import JudgeRequest
from genrm.engines.base import Completion
from genrm.engines.calls.asking import Asking, Settings
from genrm.engines.calls.call import Caller, Constraint, Reply
from genrm.engines.calls.distributions import text_token
from genrm.engines.calls.settle import Settling
from genrm.engines.calls.together import together
from genrm.errors import JudgeError

DEFAULTS = Settings()


async def write(request: JudgeRequest, caller: Caller, settings: Settings = DEFAULTS) -> list[Completion | JudgeError]:
    """One completion per seed of the request, in order, or its error.

    ``request.timeout_s`` is one deadline for all calls that the request takes, from when the turn of the first came.
    An answer that stays broken or cut is a completion that reads as ``unparseable`` or ``truncated``, so that its
    usage counts.

    Raises:
        JudgeError: the first call gave nothing at all.
    """
    asking = Asking(request, caller, settings)
    if request.output.free is not None:
        return await _write_free(asking, request.output.free)
    if _thinks_first(asking):
        return await together([_caught(_think_first(asking, thought)) for thought in await _thoughts(asking)])
    replies = await _write_plan(asking)
    return await together(
        [_caught(_settled(asking, seed, reply)) for seed, reply in zip(request.seeds, replies, strict=True)]
    )


async def _write_plan(asking: Asking) -> list[Reply | JudgeError]:
    """The one call."""
    plan = asking.request.output
    thinking = plan.thinking if asking.offers.thinking else None
    # The prompt asks for thinking; where it happens inside the answer, since no grammar forbids it, it needs the room.
    inside = plan.thinking if asking.offers.grammar == "none" and thinking is None else None
    return await asking.ask(
        asking.request.messages,
        constraint=Constraint(plan.regex, plan.json_schema),
        max_tokens=plan.answer_tokens + (inside.max_tokens if inside else 0),
        top_logprobs=_top_logprobs(asking),
        thinking=thinking,
    )


async def _settled(asking: Asking, seed: int, reply: Reply | JudgeError) -> Completion:
    if isinstance(reply, JudgeError):
        raise reply
    return await Settling(asking, seed).settle(asking.request.messages, asking.request.output, reply)


async def _write_free(asking: Asking, free: Free) -> list[Completion | JudgeError]:
    """A whole output without a grammar; its verdict format reads it, so nothing is mended here."""
    replies = await asking.ask(
        asking.request.messages,
        max_tokens=free.max_tokens,
        top_logprobs=asking.top_logprobs if free.logprobs else 0,
    )
    return [reply if isinstance(reply, JudgeError) else _free_completion(reply) for reply in replies]


def _free_completion(reply: Reply) -> Completion:
    tokens = {FREE_TEXT: tuple(map(text_token, reply.tokens))} if reply.tokens else {}
    cut = reply.finish == "length"
    return Completion(reply.text, reply.usage, tokens=tokens, cut=cut, thinking=reply.thinking)


def _thinks_first(asking: Asking) -> bool:
    return asking.request.output.thinking is not None and not asking.offers.thinking and asking.offers.prefill


async def _thoughts(asking: Asking) -> list[tuple[int, Reply | JudgeError]]:
    """Free text up to the end mark, for each seed."""
    thinking = asking.request.output.thinking
    assert isinstance(thinking, Thinking)
    replies = await asking.ask(asking.request.messages, max_tokens=thinking.max_tokens, stop=(thinking.end,))
    return list(zip(asking.request.seeds, replies, strict=True))


async def _think_first(asking: Asking, thought: tuple[int, Reply | JudgeError]) -> Completion:
    """The plan behind what was thought."""
    seed, free = thought
    if isinstance(free, JudgeError):
        raise free
    plan = asking.request.output
    assert isinstance(plan.thinking, Thinking)
    # A caller that keeps the stop text breaks its contract harmlessly.
    text = free.text.partition(plan.thinking.end)[0]
    lead = text + plan.thinking.end
    settling = Settling(asking, seed, usage=free.usage, thinking=text)
    if free.finish == "length":
        settling.closed.append("thinking")
    try:
        reply = await asking.ask_one(
            asking.request.messages,
            seed,
            prefill=lead,
            constraint=Constraint(plan.regex, plan.json_schema),
            max_tokens=plan.answer_tokens,
            top_logprobs=_top_logprobs(asking),
        )
    except JudgeError as error:
        raise copy.copy(error).spent(free.usage) from error
    return await settling.settle(asking.request.messages, plan, reply, lead=lead)


def _top_logprobs(asking: Asking) -> int:
    """Alternatives of the main call; none where every slot is read exactly and no critique decides."""
    exact = asking.settings.exact_slots and asking.offers.exact
    return asking.settings.alternatives if exact else asking.top_logprobs


async def _caught(work: Coroutine[Any, Any, Completion]) -> Completion | JudgeError:
    try:
        return await work
    except JudgeError as error:
        return error
