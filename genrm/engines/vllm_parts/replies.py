"""From what vLLM gives back to replies: token ids become bytes, and log-probabilities go with them.

    >>> reply = Reader(vocabulary).reply(output, usage)                                      # doctest: +SKIP

Text is put together from the bytes of the tokens, once per answer, so vLLM need not do so at every step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

from genrm.engines.base import Usage
from genrm.engines.calls.call import Reply, Token
from genrm.errors import EngineError, JudgeError

if TYPE_CHECKING:
    from genrm.engines.local.vocabulary import Vocabulary

MASKED = -1000.0
"""Log-probabilities below this are those of tokens that the grammar forbids."""


class Reader:
    """Reads outputs of a model with this vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._pieces: dict[int, bytes] = {}

    def piece(self, token: int) -> bytes:
        """What a token spells."""
        known = self._pieces.get(token)
        if known is None:
            known = self._pieces[token] = self._vocabulary.piece(token)
        return known

    def reply(self, output: Any, usage: Usage, *, stop: Sequence[str] = ()) -> Reply | JudgeError:
        """The reply of one of vLLM's ``CompletionOutput``.

        Args:
            stop: texts that ended it; they and what follows them are not part of the reply.
        """
        if output.finish_reason not in ("stop", "length"):
            return EngineError(f"vLLM gave up the request (finish reason {output.finish_reason!r})")
        ids, text = self.written(output, stop)
        tokens = None if output.logprobs is None else self._tokens(ids, output.logprobs)
        return Reply(text, output.finish_reason, tokens, usage=usage)

    def written(self, output: Any, stop: Sequence[str] = ()) -> tuple[list[int], str]:
        """The tokens of an output and their text, without what ended it."""
        ids = list(output.token_ids)
        stopped = ids and output.finish_reason == "stop"
        if stopped and (ids[-1] in self._vocabulary.end_ids or output.stop_reason == ids[-1]):
            ids.pop()
        text = b"".join(map(self.piece, ids)).decode(errors="replace")
        if places := [place for mark in stop if (place := text.find(mark)) >= 0]:
            text = text[: min(places)]
            ids = self._within(ids, len(text.encode()))
        return ids, text

    def _within(self, ids: list[int], size: int) -> list[int]:
        """The tokens that lie in the first ``size`` bytes."""
        end = 0
        for index, token in enumerate(ids):
            end += len(self.piece(token))
            if end > size:
                return ids[:index]
        return ids

    def _tokens(self, ids: list[int], logprobs: Any) -> tuple[Token, ...]:
        # At each place the token itself comes first, then the likeliest ones, itself among them once more.
        places = zip(ids, logprobs.start_indices, logprobs.end_indices, strict=False)
        return tuple(
            Token(self.piece(token), logprobs.logprobs[at], Alternatives(self.piece, logprobs, at + 1, end))
            for token, at, end in places
        )


class Alternatives(Sequence[tuple[bytes, float]]):
    """The likeliest tokens at one place, likeliest first, without those that the grammar forbids.

    vLLM gives them for every token or for none, and only those of a score slot are ever looked at. So they are spelled
    when somebody looks.
    """

    __slots__ = ("_end", "_logprobs", "_piece", "_start")

    def __init__(self, piece: Callable[[int], bytes], logprobs: Any, start: int, end: int) -> None:
        self._piece, self._logprobs, self._start, self._end = piece, logprobs, start, end

    def _spelled(self) -> list[tuple[bytes, float]]:
        ids = self._logprobs.token_ids[self._start : self._end]
        values = self._logprobs.logprobs[self._start : self._end]
        return [(self._piece(token), p) for token, p in zip(ids, values, strict=True) if p > MASKED]

    def __iter__(self) -> Iterator[tuple[bytes, float]]:
        return iter(self._spelled())

    def __len__(self) -> int:
        return len(self._spelled())

    @overload
    def __getitem__(self, index: int) -> tuple[bytes, float]: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[tuple[bytes, float]]: ...

    def __getitem__(self, index: int | slice) -> tuple[bytes, float] | Sequence[tuple[bytes, float]]:
        return self._spelled()[index]


def usage_of(result: Any, index: int) -> Usage:
    """What one answer of vLLM's ``RequestOutput`` cost; the prompt that all share counts in the first."""
    written = len(result.outputs[index].token_ids)
    if index:
        return Usage(completion_tokens=written)
    return Usage(1, len(result.prompt_token_ids), result.num_cached_tokens or 0, written)
