"""What the compiler hands to an engine: the messages, the grammar of the answer, and how often to sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from genrm.compiler.output import OutputPlan


class Message(TypedDict):
    """One chat message, as every engine takes it."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class JudgeRequest:
    """One judge call: the same messages and grammar, sampled once per seed.

    Attributes:
        messages: what the judge reads; everything before the judged response is shared within a group.
        output: what it may say.
        seeds: one per vote; the engine returns as many completions, in this order.
        temperature: 0 takes the most likely token, and the seeds then change nothing.
        sample_id: of the sample; recorded outputs are found by it.
        timeout_s: for engines that keep the deadline themselves (``Capabilities.queues``); None waits for ever.
        first_vote: index of the vote that the first seed stands for; the others follow it.
    """

    messages: tuple[Message, ...]
    output: OutputPlan
    seeds: tuple[int, ...] = (0,)
    temperature: float = 0.0
    sample_id: str = ""
    timeout_s: float | None = None
    first_vote: int = 0
