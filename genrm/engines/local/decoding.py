"""The token loop: many votes written side by side by one model.

    >>> Decoder(model, pad_id=0).run(rows)           # every row is delivered its completion or its error
    ...                                                                                      # doctest: +SKIP

Prompts that are equal are read once and their cache is repeated for the votes. Then every step feeds one token a
row: forced, drawn under a grammar or chosen as a label, as each row's :class:`Writer` says. Rows that are finished or
no longer wanted leave the batch; a fault of one row stays with it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from genrm.engines.base import Completion
from genrm.engines.local.kv_cache import NoRowsError, take
from genrm.engines.local.sampling import Draw, Read, draw, edge_masses
from genrm.engines.local.writer import Move, Moves, Writer
from genrm.errors import EngineError, JudgeError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(eq=False)
class Row:
    """One vote to be written.

    Attributes:
        prompt: its tokens.
        writer: makes a fresh writer; called again when a batch has to be repeated.
        deliver: takes the completion or the error, once.
        dropped: whether nobody waits for it any more.
        begin: is told when the row goes into a batch.
        shared: its prompt is that of an earlier vote of the same request. Whether the cache really held it depends
            on the batch, which must not show in what a run writes.
    """

    prompt: tuple[int, ...]
    writer: Callable[[], Writer]
    deliver: Callable[[Completion | JudgeError], None]
    dropped: Callable[[], bool] = lambda: False
    begin: Callable[[], None] = lambda: None
    shared: bool = False
    done: bool = field(default=False, init=False)

    def finish(self, outcome: Completion | JudgeError) -> None:
        """Deliver an outcome; the row is over."""
        self.done = True
        if isinstance(outcome, Completion):
            prompt = len(self.prompt)
            usage = replace(outcome.usage, prompt_tokens=prompt, cached_tokens=prompt if self.shared else 0)
            outcome = replace(outcome, usage=usage)
        self.deliver(outcome)


_Place = tuple[int, tuple[int, ...]]
"""A row of the batch and the beginning of a label."""


class _Live:
    """A row in a batch: its writer's moves, and the one that waits for an answer."""

    def __init__(self, row: Row) -> None:
        self.row = row
        writer = row.writer()
        self.tokens = [*row.prompt, *writer.lead]
        self._moves: Moves = writer.moves()
        self.move: Move | None = None

    def go(self, answer: Any = None) -> None:
        """Answer the last move and go on to the next; the row is finished when there is none."""
        try:
            if isinstance(answer, EngineError):
                raise answer
            self.move = self._moves.send(answer)
        except StopIteration as stop:
            self.leave(stop.value)
        except JudgeError as error:
            self.leave(error)

    def leave(self, outcome: Completion | JudgeError) -> None:
        self.move = None
        self.row.finish(outcome)


def _begin(row: Row) -> _Live | None:
    """The row with its writer; None, and the error delivered, when what it must say cannot be spelled."""
    if row.dropped():
        row.finish(_unwanted())
        return None
    try:
        return _Live(row)
    except JudgeError as error:
        row.finish(error)
        return None


def _unwanted() -> EngineError:
    # Who gave up does not see it; who still waits does so at an engine that was closed.
    return EngineError("the engine was closed", retryable=False)


class Decoder:
    """Runs batches of rows on a causal language model of transformers. To be used from one thread.

    Args:
        model: takes ``input_ids``, ``attention_mask`` and ``past_key_values``.
        pad_id: a token that fills up shorter prompts; it is never attended to.
    """

    def __init__(self, model: Any, pad_id: int) -> None:
        self.model = model
        self._pad = pad_id
        self._accepts = frozenset(inspect.signature(model.forward).parameters)

    def run(self, rows: Sequence[Row]) -> None:
        """Write all rows. Never raises: whatever goes wrong is delivered to the rows that it concerns.

        A batch that does not fit into the memory of the device is halved and repeated.
        """
        import torch

        try:
            with torch.inference_mode():
                self._run(rows)
            return
        except torch.OutOfMemoryError as error:
            too_large = str(error)
        except Exception as error:  # the boundary to the model: any fault of its code fails this batch, not the engine
            known = error if isinstance(error, JudgeError) else EngineError(f"{type(error).__name__}: {error}")
            for row in rows:
                if not row.done:
                    row.finish(known)
            return
        # Not inside the handler: there the traceback keeps the tensors of the failed batch alive.
        left = [row for row in rows if not row.done]
        if len(left) == 1:
            left[0].finish(EngineError(f"one row does not fit into memory: {too_large}", retryable=False))
        elif left:
            torch.cuda.empty_cache()
            half = len(left) // 2
            self.run(left[:half])
            self.run(left[half:])

    def _run(self, rows: Sequence[Row]) -> None:
        live = [item for row in rows if (item := _begin(row))]
        if not live:
            return
        batch = self._read_prompts(live)
        for item in live:
            item.go()
        while True:
            self._answer(live, batch)
            for item in live:
                if item.move is not None and item.row.dropped():
                    item.leave(_unwanted())
            left = [index for index, item in enumerate(live) if item.move is not None]
            if not left:
                return
            if 2 * len(left) <= len(live) and batch.keep(left):
                live = [live[index] for index in left]
            tokens = [item.move if isinstance(item.move, int) else self._pad for item in live]
            batch = self._step(batch, tokens)
            for item, token in zip(live, tokens, strict=True):
                if item.move is not None:
                    item.tokens.append(token)
                    item.go()

    def _read_prompts(self, live: Sequence[_Live]) -> _Batch:
        """Read every different prompt once; a cache that cannot be repeated makes each row read its own."""
        prompts = {tuple(item.tokens): None for item in live}
        places = {prompt: index for index, prompt in enumerate(prompts)}
        batch = self._prefill(list(prompts))
        rows = [places[tuple(item.tokens)] for item in live]
        if rows != list(range(len(prompts))) and not batch.keep(rows):
            batch = self._prefill([tuple(item.tokens) for item in live])
        return batch

    def _prefill(self, prompts: Sequence[tuple[int, ...]]) -> _Batch:
        import torch

        width = max(map(len, prompts))
        device = self.model.device
        ids = torch.tensor([[self._pad] * (width - len(p)) + list(p) for p in prompts], device=device)
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=device)
        return self._forward(ids, mask, (mask.cumsum(dim=-1) - 1).clamp(min=0), None)

    def _step(self, batch: _Batch, tokens: Sequence[int]) -> _Batch:
        """The batch after one more token a row; the cache of the old one is used up."""
        import torch

        ids = torch.tensor(tokens, device=batch.mask.device)[:, None]
        mask = torch.cat([batch.mask, torch.ones_like(ids)], dim=1)
        return self._forward(ids, mask, mask.sum(dim=-1, keepdim=True) - 1, batch.cache)

    def _forward(self, ids: Tensor, mask: Tensor, positions: Tensor, cache: Any) -> _Batch:
        extra: dict[str, Any] = {"position_ids": positions, "logits_to_keep": 1}
        output = self.model(
            input_ids=ids,
            attention_mask=mask,
            past_key_values=cache,
            use_cache=True,
            **{name: value for name, value in extra.items() if name in self._accepts},
        )
        if output.past_key_values is None:
            raise EngineError(f"{type(self.model).__name__} keeps no key-value cache", retryable=False)
        return _Batch(mask, output.past_key_values, output.logits[:, -1])

    def _answer(self, live: Sequence[_Live], batch: _Batch) -> None:
        """Answer questions until every row stands at a token to feed, or is finished."""
        while asking := [index for index, item in enumerate(live) if isinstance(item.move, Draw | Read)]:
            drawing = [index for index in asking if isinstance(live[index].move, Draw)]
            answers: dict[int, Any] = {}
            if drawing:
                asks = [move for index in drawing if isinstance(move := live[index].move, Draw)]
                answers = dict(zip(drawing, draw(batch.logits[drawing], asks), strict=True))
            answers |= self._masses(live, batch, [index for index in asking if index not in answers])
            for index in asking:
                live[index].go(answers[index])

    def _masses(self, live: Sequence[_Live], batch: _Batch, reading: Sequence[int]) -> dict[int, list[list[float]]]:
        """Log-probabilities of the edges of every branch that these rows ask about."""
        branches = {
            (index, branch.prefix): branch
            for index in reading
            if isinstance(move := live[index].move, Read)
            for branch in move.branches
        }
        found: dict[_Place, list[float]] = {
            place: edge_masses(batch.logits[place[0]], branch) for place, branch in branches.items() if not place[1]
        }
        for depth in sorted({len(prefix) for _, prefix in branches if prefix}):
            places = [place for place in branches if len(place[1]) == depth]
            logits = self._look_ahead(live, batch, places)
            found |= {place: edge_masses(row, branches[place]) for place, row in zip(places, logits, strict=True)}
        masses: dict[int, list[list[float]]] = {index: [] for index in reading}
        for index, prefix in branches:
            masses[index].append(found[index, prefix])
        return masses

    def _look_ahead(self, live: Sequence[_Live], batch: _Batch, places: Sequence[_Place]) -> Tensor:
        """Logits after a row and a prefix of equal length each, (places, vocabulary), on a copy of the cache."""
        rows = [index for index, _ in places]
        aside = _Batch(batch.mask, batch.cache, batch.logits)
        if not aside.keep(rows):
            return self._prefill([(*live[index].tokens, *prefix) for index, prefix in places]).logits
        for step in zip(*(prefix for _, prefix in places), strict=True):
            aside = self._step(aside, step)
        return aside.logits


@dataclass(eq=False)
class _Batch:
    """What the model knows: attention mask (rows, length), cache, and the logits (rows, vocabulary) to go on from."""

    mask: Tensor
    cache: Any
    logits: Tensor

    def keep(self, rows: Sequence[int]) -> bool:
        """Make these rows the batch, each as often as it is named; False (and nothing happens) where that fails."""
        try:
            self.cache = take(self.cache, rows, self.mask.device)
        except NoRowsError:
            return False
        self.mask, self.logits = self.mask[list(rows)], self.logits[list(rows)]
        return True
