"""The pointwise and verify protocols: each response is judged on its own, criterion by criterion."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

from genrm.checks import run_check
from genrm.compiler.compile import compile_sample, shows_reference, whole_rubric
from genrm.compiler.request import JudgeRequest
from genrm.engines.base import NOTHING, Engine, Usage
from genrm.engines.model_card import ModelCard
from genrm.errors import (
    DeadlineError,
    EngineError,
    InputError,
    JudgeError,
    RowError,
    RunStoppedError,
    TruncatedError,
    UnparseableError,
)
from genrm.judging.cascade import asks_judge
from genrm.judging.judgment import Judgment
from genrm.judging.recheck import recheck
from genrm.judging.tally import tally
from genrm.judging.voted import more_votes, stopping_of
from genrm.specs.criterion import Criterion
from genrm.specs.rubric import Rubric
from genrm.specs.sample import Sample
from genrm.specs.verdict_format import VerdictFormat
from genrm.verdicts.read import read_verdicts
from genrm.verdicts.verdict import Verdict
from genrm.voting.seeds import vote_seed

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run fixes for every sample.

    ``format`` reads the outputs of judges that write in a form of their own; ``identity`` is said in every judgment.
    """

    votes: int
    seed: int
    timeout_s: float | None
    format: VerdictFormat | None = None
    identity: Mapping[str, Any] = field(default_factory=dict)


async def judge_sample(
    rubric: Rubric, sample: Sample, engine: Engine, card: ModelCard | None, settings: Settings
) -> Judgment:
    """Judge one sample. A failure of a call fails the criteria that it asked about, nothing else.

    Raises:
        InputError: the sample cannot be judged with this rubric.
    """
    whole = whole_rubric(rubric, sample)
    if not whole.criteria:
        raise InputError("neither the rubric nor the row has criteria; add them to the rubric or as field 'criteria'")
    cascades = [leaf for leaf in whole.leaves() if leaf.cascade is not None]
    rules = await _run_checks(cascades, sample) if cascades else {}
    requests = compile_sample(
        rubric,
        sample,
        capabilities=engine.capabilities,
        temperature=rubric.vote.sampling_temperature(settings.votes),
        skip=[leaf.id for leaf in cascades if not asks_judge(leaf, rules.get(leaf.id))],
        format=settings.format,
    )
    checks = [leaf for leaf in whole.leaves() if leaf.check is not None and leaf.cascade is None]
    answers: list[_Answer | Verdict] = await gather_all(
        *(_ask_enough(_seeded(request, settings), whole, engine, card, settings) for request in requests),
        *(asyncio.to_thread(run_check, leaf, sample) for leaf in checks),
    )
    votes: dict[str, tuple[Verdict, ...]] = {}
    usage = NOTHING
    for answer in answers:
        if isinstance(answer, Verdict):
            votes[answer.criterion] = (answer,)
        else:
            votes |= answer.votes
            usage += answer.usage
    known = _known(whole, sample, card)
    if card is not None and card.extract:
        votes |= {
            name: tuple(recheck(v, sample, card) for v in votes[name])
            for name, made in known.items()
            if made and name in votes
        }
    about: dict[str, Any] = {"id": sample.id, "judge": settings.identity, "usage": usage}
    try:
        judgment = tally(whole, votes, rules, **about, row_criteria=sample.criteria)
    except ValueError as error:  # weights that cannot be aggregated: the criteria of this row made them so
        raise InputError(f"field 'criteria': {error}") from None
    if not known:
        return judgment
    criteria = {name: replace(result, in_domain=known.get(name)) for name, result in judgment.criteria.items()}
    return replace(judgment, criteria=criteria)


async def gather_all(*works: Awaitable[T]) -> list[T]:
    """All results, in order; the first exception is raised when all have ended: what is under way is paid for."""
    if len(works) == 1:
        # Most rubrics take one call a row: a task for it would only be work.
        return [await works[0]]
    found = await asyncio.gather(*works, return_exceptions=True)
    for result in found:
        if isinstance(result, BaseException):
            raise result
    return cast("list[T]", found)


async def _run_checks(leaves: Sequence[Criterion], sample: Sample) -> dict[str, Verdict]:
    found = await asyncio.gather(*(asyncio.to_thread(run_check, leaf, sample) for leaf in leaves))
    return {verdict.criterion: verdict for verdict in found}


def _seeded(request: JudgeRequest, settings: Settings) -> JudgeRequest:
    """The request with a seed for each vote; criteria that are asked apart err apart, so each request has its own."""
    part = " ".join(request.output.slots)
    seeds = tuple(vote_seed(settings.seed, request.sample_id, index, part) for index in range(settings.votes))
    return replace(request, seeds=seeds, timeout_s=settings.timeout_s)


@dataclass(frozen=True, slots=True)
class _Answer:
    votes: dict[str, tuple[Verdict, ...]]
    usage: Usage


async def _ask_enough(
    request: JudgeRequest, rubric: Rubric, engine: Engine, card: ModelCard | None, settings: Settings
) -> _Answer:
    """All votes of a request at once; an adaptive vote in rounds, until every criterion has enough or all are asked.

    A vote's seed follows from its index, so the first votes are those that a fixed number would have had.
    """
    stopping = stopping_of(rubric.vote)
    if stopping is None:
        return await _ask(request, engine, card, settings)
    asked = {leaf.id: leaf for leaf in rubric.leaves() if leaf.id in request.output.slots}
    votes: dict[str, tuple[Verdict, ...]] = dict.fromkeys(asked, ())
    usage, done, size = NOTHING, 0, min(stopping.min, len(request.seeds))
    while size:
        part = replace(request, seeds=request.seeds[done : done + size], first_vote=done)
        answer = await _ask(part, engine, card, settings)
        votes = {name: votes[name] + answer.votes[name] for name in votes}
        usage, done = usage + answer.usage, done + size
        errors = [verdict.error for verdicts in answer.votes.values() for verdict in verdicts]
        if not any(error is None or isinstance(error, TruncatedError | UnparseableError) for error in errors):
            # The call itself failed, not one vote of it: asking on would not mend that.
            break
        wanted = [more for name, leaf in asked.items() if (more := more_votes(leaf, votes[name], stopping))]
        size = min(wanted, default=0)
    return _Answer(votes, usage)


async def _ask(request: JudgeRequest, engine: Engine, card: ModelCard | None, settings: Settings) -> _Answer:
    """The verdicts of one request; an error becomes failed verdicts of its criteria."""
    slots, timeout_s = request.output.slots, settings.timeout_s
    try:
        # An engine with a queue starts the clock when the turn of a call comes: waiting for others is no fault of it.
        if engine.capabilities.queues:
            completions = await engine.complete(request)
        else:
            async with asyncio.timeout(timeout_s):
                completions = await engine.complete(request)
    except TimeoutError:
        return _given_up(request, engine, DeadlineError(f"no verdict within {timeout_s:g} s"))
    except RowError as error:
        return _failed(request, error)
    except RunStoppedError:
        raise
    except Exception as error:  # the boundary to third-party engines: whatever breaks there fails this call alone
        return _given_up(request, engine, EngineError(f"{type(error).__name__}: {error}"))
    read = [
        {slot: Verdict(slot, error=completion) for slot in slots}
        if isinstance(completion, JudgeError)
        else read_verdicts(request, completion, card=card, format=settings.format)
        for completion in completions
    ]
    votes = {slot: tuple(verdicts[slot] for verdicts in read) for slot in slots}
    # What a failed vote cost counts too.
    return _Answer(votes, sum((c.usage for c in completions if c.usage is not None), NOTHING))


def _given_up(request: JudgeRequest, engine: Engine, error: JudgeError) -> _Answer:
    """A failure that the engine did not say itself, so that one that records its answers has to be told."""
    if (note := getattr(engine, "note_failure", None)) is not None:
        note(request, error)
    return _failed(request, error)


def _failed(request: JudgeRequest, error: RowError) -> _Answer:
    votes = {slot: tuple(Verdict(slot, error=error) for _ in request.seeds) for slot in request.output.slots}
    return _Answer(votes, error.usage or Usage(requests=1))


def in_domain(rubric: Rubric, criterion: Criterion, card: ModelCard, *, reference: bool) -> bool:
    """Whether the judge says that it was made for this question, on samples with or without a reference.

    A judge that decides inside its critique was not made to answer without one.
    """
    if card.decision is not None and not rubric.critique:
        return False
    return card.knows(criterion, reference and shows_reference(rubric, criterion, card.prompts))


def _known(rubric: Rubric, sample: Sample, card: ModelCard | None) -> dict[str, bool]:
    """Per judged criterion, whether the judge says that it was made for it; empty for judges without a card."""
    if card is None:
        return {}
    reference = bool(sample.reference)
    return {leaf.id: in_domain(rubric, leaf, card, reference=reference) for leaf in rubric.leaves() if leaf.is_judged}
