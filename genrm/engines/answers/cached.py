"""The answer cache: an engine around any engine that asks it only what nobody has asked before.

    >>> engine = CachedEngine(open_engine("tiny"), AnswerStore("answers.db"))                # doctest: +SKIP
    >>> (await engine.complete(request))[0].usage.cache_hits                                 # doctest: +SKIP
    1

A vote is found by a digest of everything that can change it (:mod:`genrm.engines.answers.key`), its index included, so
votes stay different. Of a request the votes that are in the store are taken from there and the others are asked for in
as few portions as they fall into. The same vote wanted twice at the same time is asked for once: the call belongs to
all who wait for it and ends early only when the last of them has gone. When it fails, each of them tries again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from genrm.compiler.request import JudgeRequest
from genrm.engines.answers.key import AnswerKey, label_of
from genrm.engines.answers.store import AnswerStore
from genrm.engines.base import Completion, Engine, Usage
from genrm.engines.wrapper import Wrapper
from genrm.errors import EngineError, JudgeError, TruncatedError, UnparseableError

JOINS = 2
"""So many failed calls of others a request waits out before it asks on its own, however many want the same."""

_HIT = Usage(cache_hits=1)

Readable = Callable[[JudgeRequest, Completion], bool]


def is_whole(request: JudgeRequest, completion: Completion) -> bool:
    """Whether a completion keeps to its plan, so that it is worth keeping; a free one has to be uncut."""
    if request.output.free is not None:
        return not completion.cut
    try:
        request.output.parse(completion.text, cut=completion.cut)
    except (TruncatedError, UnparseableError):
        return False
    return True


@dataclass(eq=False, slots=True)
class _Flight:
    """A call for some votes that is under way, and how many requests wait for it."""

    task: asyncio.Task[dict[bytes, Completion | JudgeError]]
    waiters: int = 0


@dataclass(slots=True)
class _Wanted:
    """The votes of one request: the index of each by key, and what was found for them."""

    request: JudgeRequest
    keys: tuple[bytes, ...]
    found: dict[bytes, Completion | JudgeError] = field(default_factory=dict)

    def missing(self) -> list[int]:
        return [index for index, key in enumerate(self.keys) if key not in self.found]


class CachedEngine(Wrapper):
    """An engine with a cache in front. Whatever else the engine has (card, probe, …) is found on this one too.

    Args:
        engine: what is asked when the store has no answer.
        store: where answers are kept; several engines may share a file, each by a store of its own.
        options: the engine's options; those that can change an answer are part of the key.
        address: of the server that the engine asks.
        readable: which completions are kept; the others are handed on and asked for again the next time.
    """

    def __init__(
        self,
        engine: Engine,
        store: AnswerStore,
        *,
        options: Mapping[str, Any] | None = None,
        address: str | None = None,
        readable: Readable = is_whole,
    ) -> None:
        super().__init__(engine)
        self.store = store
        self._options, self._address = options or {}, address
        self._readable = readable
        self._flights: dict[bytes, _Flight] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._key: AnswerKey | None = None

    async def complete(self, request: JudgeRequest) -> list[Completion | JudgeError]:
        """One completion per seed, from the store, from a call that is under way, or from the engine.

        A completion that was not paid for has the usage ``cache_hits=1`` and nothing else.

        Raises:
            JudgeError: the engine was asked for all seeds, and has a completion for none.
        """
        if self._key is None:  # what an engine is, it knows when it has been started
            self._key = AnswerKey(self.engine, self._options, self._address)
        wanted = _Wanted(request, self._key.of(request))
        for joins in range(JOINS, -1, -1):
            if not await self._settle(wanted, join=joins > 0):
                break
        return [wanted.found[key] for key in wanted.keys]

    async def _settle(self, wanted: _Wanted, *, join: bool) -> bool:
        """One round: whatever is missing is joined, looked up or asked for. True when a joined call let us down."""
        joined: dict[_Flight, list[int]] = {}
        own: list[int] = []
        for index in wanted.missing():
            flight = self._flights.get(wanted.keys[index])
            # One that everybody has left is being cancelled, and not to be joined.
            if join and flight is not None and flight.waiters:
                joined.setdefault(flight, []).append(index)
            else:
                own.append(index)
        mine = [self._start(wanted, own)] if own else []
        let_down = False
        with _waiting([*joined, *mine]):
            for flight in mine:
                wanted.found |= await _result(flight)
            for flight, indices in joined.items():
                try:
                    found = await _result(flight)
                except Exception:  # what it failed of is the matter of those who asked first
                    found = {}
                for index in indices:
                    key = wanted.keys[index]
                    outcome = found.get(key)
                    if isinstance(outcome, Completion):
                        wanted.found[key] = replace(outcome, usage=_HIT)
                    else:
                        let_down = True
        return let_down

    def _start(self, wanted: _Wanted, indices: list[int]) -> _Flight:
        """Look up and ask for some votes of a request in a task of its own, so that whoever wants them can wait."""
        task = asyncio.get_running_loop().create_task(self._fetch(wanted.request, wanted.keys, indices))
        flight = _Flight(task)
        keys = [wanted.keys[index] for index in indices]
        self._flights.update(dict.fromkeys(keys, flight))
        self._tasks.add(task)

        def ended(task: asyncio.Task[Any]) -> None:
            self._tasks.discard(task)
            for key in keys:
                if self._flights.get(key) is flight:
                    del self._flights[key]
            if not task.cancelled():
                task.exception()  # seen: when all who waited have gone, nobody else asks for it

        task.add_done_callback(ended)
        return flight

    async def _fetch(
        self, request: JudgeRequest, keys: Sequence[bytes], indices: list[int]
    ) -> dict[bytes, Completion | JudgeError]:
        """The votes at these places, from the store and the rest from the engine."""
        stored = await self.store.get([keys[index] for index in indices])
        found: dict[bytes, Completion | JudgeError] = {
            key: replace(completion, usage=_HIT) for key, completion in stored.items()
        }
        portions = list(_portions(index for index in indices if keys[index] not in stored))
        if len(portions) == 1:  # the common case, without tasks
            answers = [await self._ask(request, keys, portions[0])]
        else:
            answers = await asyncio.gather(*(self._ask(request, keys, portion) for portion in portions))
        for answer in answers:
            found |= answer
        return found

    async def _ask(
        self, request: JudgeRequest, keys: Sequence[bytes], portion: range
    ) -> dict[bytes, Completion | JudgeError]:
        """Votes that follow each other, in one request; good ones are kept."""
        part = replace(
            request,
            seeds=request.seeds[portion.start : portion.stop],
            first_vote=request.first_vote + portion.start,
        )
        try:
            outcomes = await self.engine.complete(part)
        except JudgeError as error:
            if len(portion) == len(request.seeds):
                raise
            # What the call cost is counted once, however many votes fail with it.
            others = type(error)(error.message, retryable=error.can_retry)
            return {keys[index]: error if index == portion.start else others for index in portion}
        found = {keys[index]: outcome for index, outcome in zip(portion, outcomes, strict=True)}
        for key, outcome in found.items():
            if isinstance(outcome, Completion) and self._readable(part, outcome):
                self.store.put(key, outcome, label_of(self.engine, self._address))
        return found

    async def start(self) -> None:
        """Start the engine, where it has something to start."""
        if (start := getattr(self.engine, "start", None)) is not None:
            await start()

    async def release(self) -> None:
        """End the calls under way, write what waits and close the store; the engine stays open."""
        for task in list(self._tasks):
            task.cancel()
        # Not in a thread: at the exit of a process none can be started any more.
        self.store.close()

    async def aclose(self) -> None:
        """Free what this and the engine hold."""
        await self.release()
        await self.engine.aclose()


async def _result(flight: _Flight) -> dict[bytes, Completion | JudgeError]:
    """What a call gives. Who is cancelled while waiting for it leaves it to the others."""
    try:
        return await asyncio.shield(flight.task)
    except asyncio.CancelledError:
        this = asyncio.current_task()
        if this is None or this.cancelling():
            raise
        raise EngineError("the engine was closed while it answered") from None


@contextmanager
def _waiting(flights: list[_Flight]) -> Iterator[None]:
    """Counts a request among those who wait for some calls; the last to leave an unfinished call cancels it."""
    for flight in flights:
        flight.waiters += 1
    try:
        yield
    finally:
        for flight in flights:
            flight.waiters -= 1
            if not flight.waiters and not flight.task.done():
                flight.task.cancel()


def _portions(indices: Iterable[int]) -> Iterable[range]:
    """Runs of neighbours: 0 1 2 5 6 → 0–2, 5–6."""
    start = stop = None
    for index in indices:
        if start is None or index != stop:
            if start is not None and stop is not None:
                yield range(start, stop)
            start = index
        stop = index + 1
    if start is not None and stop is not None:
        yield range(start, stop)
