"""The label distributions of an output that is written: from its tokens, or by further calls where they do not say.

    >>> slots = await read_slots(asking, seed, output)                                       # doctest: +SKIP

In this order: where the engine wants it so, every slot is read exactly; else from the alternatives that came with the
answer; where those leave a label open, exactly if the caller can, else by continuing each open alternative. A slot
whose distribution is not found has none: a verdict does not fail for it.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from genrm.compiler.output import Choice, OutputPlan, Text
from genrm.compiler.request import Message
from genrm.engines.base import NOTHING, SlotReading, TextToken, Usage
from genrm.engines.calls.asking import Asking, Settings
from genrm.engines.calls.call import Constraint, Token
from genrm.engines.calls.layout import Field, Layout, rest_regex
from genrm.engines.calls.slots import MASKED, Fork, Spellings, Sums, alternatives, at_slot, gather, spellings
from genrm.errors import JudgeError

MOST_SPLITS = 6
"""Calls that continue open alternatives of a slot, at most; with more, its distribution is given up."""


@dataclass(slots=True)
class Output:
    """A text of a plan, with what it answered and what came with it.

    Attributes:
        messages: the conversation that it answers.
        lead: how the judge's turn began before it: the thinking part, as a prefill.
        data: the text in UTF-8.
        tokens: with their places in ``data``, as far as they are known.
        usage: of all calls that it took; grows while slots are read.
    """

    messages: tuple[Message, ...]
    plan: OutputPlan
    data: bytes
    tokens: list[tuple[int, Token]] = field(default_factory=list)
    lead: str = ""
    usage: Usage = NOTHING


async def read_slots(asking: Asking, seed: int, output: Output, layout: Layout) -> dict[str, SlotReading]:
    """The distribution of every slot of an output, where it is found."""
    labels = [item for item in layout.fields if isinstance(item.part, Choice) and item.closed]
    if len(labels) == 1:
        found = [await _read(asking, seed, output, labels[0])]
    else:
        found = await asyncio.gather(*(_read(asking, seed, output, item) for item in labels))
    slots = [item.part.slot for item in labels if isinstance(item.part, Choice)]
    return {slot: reading for slot, reading in zip(slots, found, strict=True) if reading is not None}


def critique_tokens(output: Output, layout: Layout, settings: Settings) -> dict[str, tuple[TextToken, ...]]:
    """The tokens of each critique, the one that closes it included; marks with their likeliest alternatives."""
    found: dict[str, tuple[TextToken, ...]] = {}
    for item in layout.fields:
        if isinstance(item.part, Text) and output.tokens:
            # The closing quote may be in a token of its own, or in one with the last words.
            inside = [t for at, t in output.tokens if at <= item.end and at + len(t.data) > item.start]
            found[item.part.name] = tuple(_critique_token(token, settings) for token in inside)
    return found


def _critique_token(token: Token, settings: Settings) -> TextToken:
    text = token.data.decode(errors="replace")
    if text.strip() in settings.marks:
        return text_token(token, settings.alternatives)
    # The alternatives stay as they are: an engine may spell them only when they are looked at.
    return TextToken(text, math.exp(token.logprob) if token.logprob > MASKED else 0.0)


def text_token(token: Token, keep: int | None = None) -> TextToken:
    """A token as text, with its likeliest alternatives; all of them when ``keep`` is None."""
    shown = alternatives(token)
    merged: dict[str, float] = {}
    for data, weight in sorted(shown.items(), key=lambda pair: -pair[1])[:keep]:
        spelled = data.decode(errors="replace")
        merged[spelled] = merged.get(spelled, 0.0) + weight
    return TextToken(token.data.decode(errors="replace"), shown.get(token.data, 0.0), merged)


async def _read(asking: Asking, seed: int, output: Output, item: Field) -> SlotReading | None:
    assert isinstance(item.part, Choice)
    labels, offers = spellings(item.part.labels), asking.offers
    if not (asking.settings.exact_slots and offers.exact):
        sums = _from_tokens(output, item.start, labels)
        if sums is not None:
            if sums.open and sums.complete(masked=offers.masked) and offers.prefill and not offers.exact:
                await _split(asking, seed, output, item, sums, [MOST_SPLITS])
            elif asking.settings.whole_tokens and not offers.exact:
                sums.take_whole(labels)
            reading = sums.reading(masked=offers.masked)
            if reading is not None:
                return reading
    if not offers.exact:
        return None
    prefill = output.lead + output.data[: item.start].decode(errors="replace")
    try:
        return await asking.read_slot(output.messages, seed, prefill, item.part.labels)
    except JudgeError:
        return None


def _from_tokens(output: Output, start: int, labels: Spellings) -> Sums | None:
    place = at_slot(output.tokens, start)
    if place is None:
        return None
    tokens, lead = place
    if not tokens[0].top:
        return None
    return gather(tokens, labels, lead=lead)


async def _split(asking: Asking, seed: int, output: Output, item: Field, sums: Sums, left: list[int]) -> None:
    """Continue each open alternative by a call of its own and split it by what the model says there.

    Args:
        left: how many calls this slot may still take; counted down.
    """
    masked = asking.offers.masked and asking.offers.grammar == "regex"
    for fork in sums.open:
        call = _beyond(output, item, fork) if left[0] > 0 else None
        if call is None:
            return
        left[0] -= 1
        try:
            reply = await asking.ask_one(
                output.messages, seed, temperature=0.0, top_logprobs=asking.top_logprobs, **call
            )
        except JudgeError:
            return
        output.usage += reply.usage
        inner = gather(reply.tokens or (), spellings(sums.labels), done=fork.done)
        if inner.complete(masked=masked):
            await _split(asking, seed, output, item, inner, left)
        reading = inner.reading(masked=masked)
        if reading is None:
            return
        sums.settle(fork, reading.p)


def _beyond(output: Output, item: Field, fork: Fork) -> dict[str, Any] | None:
    """The call that continues an open alternative; None where no text can begin so: it ends inside a character."""
    assert isinstance(item.part, Choice)
    bodies = dict(zip(item.part.labels, (body.encode() for body in item.part.bodies), strict=True))
    if not all(bodies[label].startswith(fork.done) for label in fork.labels):
        return None
    rests = [bodies[label][len(fork.done) :] for label in item.part.labels if label in fork.labels]
    try:
        begun, texts = fork.done.decode(), [rest.decode() for rest in rests]
    except UnicodeDecodeError:
        return None
    behind = output.plan.parts[item.index + 1 :]
    return {
        "prefill": output.lead + output.data[: item.start].decode(errors="replace") + begun,
        # With all that may follow: a token may hold the closing quote and more.
        "constraint": Constraint("(" + "|".join(map(re.escape, texts)) + ")" + rest_regex(behind)),
        "max_tokens": 1 + max(map(len, rests)),
    }


def placed(tokens: Sequence[Token] | None, text: bytes, *, at: int = 0, skip: int = 0) -> list[tuple[int, Token]]:
    """Tokens with their places in an output; none where they do not spell the text.

    Args:
        text: what they are to spell, without its first ``skip`` bytes.
        at: place of the text in the output.
        skip: bytes at the beginning of the tokens that are not in the text.
    """
    found, place = [], 0
    for token in tokens or ():
        if place >= skip and place + len(token.data) <= skip + len(text):
            found.append((at + place - skip, token))
        place += len(token.data)
    spelled = b"".join(token.data for token in tokens or ())
    return found if spelled[skip : skip + len(text)] == text else []
