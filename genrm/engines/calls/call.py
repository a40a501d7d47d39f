"""One generation call, as every engine that is not walked token by token can be asked for it.

    >>> call = Call(({"role": "user", "content": "2+2?"},), max_tokens=16)
    >>> call.seeds, call.prefill
    ((0,), '')

An engine implements :class:`Caller`: it says what it offers and answers calls. How an output plan becomes calls, how
slots are read from what comes back, and what happens when an answer is cut is written once, in
:mod:`genrm.engines.calls.write`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from genrm.compiler.output import Thinking
from genrm.compiler.request import Message
from genrm.engines.base import SlotReading, Usage
from genrm.errors import JudgeError

Grammar = Literal["regex", "json_schema", "json_object", "none"]
"""The strongest constraint that a back end keeps to, strongest first."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """What an answer may be; both forms describe the same texts.

    Attributes:
        regex: of the whole answer (behind the prefill and the thinking), in the subset that every back end knows.
        json_schema: the same as a schema; None when the answer is no whole JSON value (it goes on a prefill).
    """

    regex: str
    json_schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A request for one text per seed.

    Attributes:
        messages: what the judge reads.
        prefill: how the judge's own turn begins already; only for callers that offer it. It may hold a whole thinking
            part, with its opening mark where the caller strips marks (``offers.thinking``): a chat template that
            writes the opening mark itself must not lead to two of them.
        constraint: None asks for free text.
        max_tokens: of the answer, for each seed, without the prefill; ``thinking`` has a budget of its own on top.
        seeds: one per vote; consecutive ones may be asked for as one request with ``n``.
        temperature: 0 is greedy.
        top_logprobs: alternatives wanted per token; 0 for no log-probabilities.
        thinking: the judge shall think freely before the constrained answer; None for no thinking.
        stop: texts that end the answer; they are not part of it.
        timeout_s: from when its turn comes; None waits for ever.
        sample_id: for messages and logs alone.
    """

    messages: tuple[Message, ...]
    max_tokens: int
    prefill: str = ""
    constraint: Constraint | None = None
    seeds: tuple[int, ...] = (0,)
    temperature: float = 0.0
    top_logprobs: int = 0
    thinking: Thinking | None = None
    stop: tuple[str, ...] = ()
    timeout_s: float | None = None
    sample_id: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a reply.

    Attributes:
        data: its bytes; tokens may end inside a character. Those of all tokens make up the reply's text.
        logprob: natural logarithm of its probability, at temperature 1.
        top: the likeliest tokens in its place, itself included or not, as (bytes, log-probability). An engine may spell
            them only when they are looked at.
    """

    data: bytes
    logprob: float
    top: Sequence[tuple[bytes, float]] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """One text.

    Attributes:
        text: without prefill, thinking and stop text.
        finish: "length" when a token limit cut it.
        tokens: of the text, without the end token; None where the engine shows none.
        thinking: what came before the answer, without its marks; None where there was none. One that was cut has an
            empty text and the finish "length".
        usage: prompt tokens that several replies share are counted in the first of them alone.
        began: when its turn came, by ``time.monotonic()``; None where calls do not wait in a queue.
    """

    text: str
    finish: Literal["stop", "length"] = "stop"
    tokens: tuple[Token, ...] | None = None
    thinking: str | None = None
    usage: Usage = field(default_factory=Usage)
    began: float | None = None


@dataclass(frozen=True, slots=True)
class Offers:
    """What a caller can do.

    Attributes:
        grammar: the strongest constraint; what is weaker is checked, and asked for again when broken.
        prefill: the judge's turn can be begun for it.
        top_logprobs: most alternatives per token; 0 shows no log-probabilities.
        masked: log-probabilities are renormalised over what the grammar allows (so the mass outside is unknown).
        exact: :meth:`Caller.read_slot` works.
        n: one request gives several texts.
        seeds: the same seed gives the same text.
        thinking: ``Call.thinking`` works; else thinking is asked for by a prefill, or not at all.
        images: messages may hold image parts.
    """

    grammar: Grammar = "none"
    prefill: bool = False
    top_logprobs: int = 0
    masked: bool = True
    exact: bool = False
    n: bool = False
    seeds: bool = False
    thinking: bool = False
    images: bool = False


class Caller(Protocol):
    """What an engine of this kind implements."""

    @property
    def offers(self) -> Offers:
        """What it can do, as found out when it was opened."""
        ...

    async def call(self, call: Call) -> list[Reply | JudgeError]:
        """One reply per seed, in order, or the error in its place.

        Raises:
            JudgeError: there is no reply at all; retries and waiting are over when it is raised.
        """
        ...

    async def read_slot(self, call: Call, labels: tuple[str, ...]) -> SlotReading:
        """The exact distribution of labels behind ``call.prefill``, and the unmasked mass outside them.

        Only where ``offers.exact``. ``call.prefill`` ends at the opening quote of the label.
        """
        ...
