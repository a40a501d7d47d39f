"""What every engine is: takes a :class:`JudgeRequest`, gives one :class:`Completion` per seed, knows no rubric.

An engine raises :class:`genrm.errors.JudgeError` when it has no completion; it never returns a made-up one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from genrm.compiler.output import Answer
from genrm.compiler.request import JudgeRequest
from genrm.errors import JudgeError

PromptStyle = Literal["full", "compact"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and calls that a completion cost; ``prompt_tokens`` includes ``cached_tokens``.

    ``cached_tokens`` are those whose prefill the engine had at hand; ``cache_hits`` are completions that were taken
    whole from genrm's own answer cache and cost nothing.
    """

    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = None
    cache_hits: int = 0

    def __add__(self, other: Usage) -> Usage:
        if self is NOTHING:
            return other
        if other is NOTHING:
            return self
        costs = [cost for cost in (self.cost_usd, other.cost_usd) if cost is not None]
        return Usage(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
            sum(costs) if costs else None,
            self.cache_hits + other.cache_hits,
        )


NOTHING = Usage()
"""What sums of usage begin with."""


@dataclass(frozen=True, slots=True)
class SlotReading:
    """The label distribution at one score slot.

    Attributes:
        p: probability per legal label, summing to 1.
        outside: probability mass that the unconstrained model put on anything but the legal labels; None where
            the engine does not show it.
    """

    p: Mapping[str, float]
    outside: float | None = None


@dataclass(frozen=True, slots=True)
class TextToken:
    """One generated token of a critique and the probabilities of the alternatives at its place."""

    text: str
    p: float
    alternatives: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Completion:
    """One sampled output.

    Attributes:
        text: the JSON text of the plan, without the thinking part.
        slots: label distribution per score slot; empty where the engine shows no probabilities.
        tokens: the tokens of each critique, for judges whose decision falls inside the critique.
        cut: a token limit ended the output before the plan was complete.
        closed: critiques (or "thinking") that reached their budget and were closed by force.
        thinking: what the judge thought before its verdict.
        answer: what the text says of the plan, where the engine has read it already.
    """

    text: str
    usage: Usage
    slots: Mapping[str, SlotReading] = field(default_factory=dict)
    tokens: Mapping[str, tuple[TextToken, ...]] = field(default_factory=dict)
    cut: bool = False
    closed: tuple[str, ...] = ()
    thinking: str | None = None
    answer: Answer | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do; the compiler and the judge adapt to it.

    Attributes:
        prompts: which set of prompt templates the model was made for.
        joint: several criteria fit in one call; else each is asked alone.
        probabilities: score slots come with label distributions.
        seeds: the same seed gives the same completion.
        context_tokens: the longest prompt plus output; None when unknown.
        control_tokens: the tokenizer's special tokens; the compiler keeps them out of the judged material.
        queues: calls wait in a queue of the engine's own, and it keeps their deadline itself, from when their turn
            comes; other engines are cut off by the caller.
    """

    prompts: PromptStyle = "full"
    joint: bool = True
    probabilities: bool = True
    seeds: bool = True
    context_tokens: int | None = None
    control_tokens: frozenset[str] = frozenset()
    queues: bool = False


class Engine(Protocol):
    """The one protocol. Implementations are safe to call from one event loop with many calls in flight."""

    @property
    def name(self) -> str:
        """How it is called in output rows."""
        ...

    @property
    def model(self) -> str:
        """What answers, as precisely as it can be known: other weights under the same name have another one."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        ...

    async def complete(self, request: JudgeRequest) -> list[Completion | JudgeError]:
        """One completion per seed of the request, in that order; where one seed has none, its error stands there.

        Raises:
            JudgeError: no seed has a completion; the subclass is the category.
        """
        ...

    def count_tokens(self, text: str) -> int | None:
        """Tokens of a text, or None when the tokenizer is not at hand."""
        ...

    async def aclose(self) -> None:
        """Free what the engine holds."""
        ...
