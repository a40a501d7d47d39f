"""The pointwise and verify protocols: each response is judged on its own, criterion by criterion."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from genrm.checks import run_check
from genrm.compiler.compile import compile_sample, shows_reference, whole_rubric
from genrm.compiler.request import JudgeRequest
from genrm.engines.base import Engine, Usage
from genrm.engines.model_card import ModelCard
from genrm.errors import DeadlineError, EngineError, InputError, JudgeError, RowError
from genrm.judging.judgment import Judgment
from genrm.judging.recheck import recheck
from genrm.judging.tally import tally
from genrm.specs.criterion import Criterion
from genrm.specs.rubric import Rubric
from genrm.specs.sample import Sample
from genrm.verdicts.read import read_verdicts
from genrm.verdicts.verdict import Verdict
from genrm.voting.seeds import vote_seed


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run fixes for every sample."""

    votes: int
    seed: int
    timeout_s: float | None


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
    requests = compile_sample(
        rubric,
        sample,
        capabilities=engine.capabilities,
        temperature=rubric.vote.sampling_temperature(settings.votes),
    )
    checks = [leaf for leaf in whole.leaves() if leaf.check is not None]
    answers: list[_Answer | Verdict] = await asyncio.gather(
        *(_ask(_seeded(request, settings), engine, card, settings.timeout_s) for request in requests),
        *(asyncio.to_thread(run_check, leaf, sample) for leaf in checks),
    )
    votes: dict[str, tuple[Verdict, ...]] = {}
    usage = Usage()
    for answer in answers:
        if isinstance(answer, Verdict):
            votes[answer.criterion] = (answer,)
        else:
            votes |= answer.votes
            usage += answer.usage
    known = _known(whole, sample, card)
    if card is not None and card.extract:
        votes |= {name: tuple(recheck(v, sample, card) for v in votes[name]) for name, made in known.items() if made}
    try:
        judgment = tally(whole, votes)
    except ValueError as error:  # weights that cannot be aggregated: the criteria of this row made them so
        raise InputError(f"field 'criteria': {error}") from None
    criteria = {name: replace(result, in_domain=known.get(name)) for name, result in judgment.criteria.items()}
    return replace(judgment, id=sample.id, usage=usage, criteria=criteria)


def _seeded(request: JudgeRequest, settings: Settings) -> JudgeRequest:
    """The request with a seed for each vote; criteria that are asked apart err apart, so each request has its own."""
    part = " ".join(request.output.slots)
    seeds = tuple(vote_seed(settings.seed, request.sample_id, index, part) for index in range(settings.votes))
    return replace(request, seeds=seeds, timeout_s=settings.timeout_s)


@dataclass(frozen=True, slots=True)
class _Answer:
    votes: dict[str, tuple[Verdict, ...]]
    usage: Usage


async def _ask(request: JudgeRequest, engine: Engine, card: ModelCard | None, timeout_s: float | None) -> _Answer:
    """The verdicts of one request; an error becomes failed verdicts of its criteria."""
    slots = request.output.slots
    try:
        # An engine with a queue starts the clock when the turn of a call comes: waiting for others is no fault of it.
        async with asyncio.timeout(None if engine.capabilities.queues else timeout_s):
            completions = await engine.complete(request)
    except TimeoutError:
        return _failed(request, DeadlineError(f"no verdict within {timeout_s:g} s"))
    except RowError as error:
        return _failed(request, error)
    except Exception as error:  # the boundary to third-party engines: whatever breaks there fails this call alone
        return _failed(request, EngineError(f"{type(error).__name__}: {error}"))
    read = [
        {slot: Verdict(slot, error=completion) for slot in slots}
        if isinstance(completion, JudgeError)
        else read_verdicts(request, completion, card=card)
        for completion in completions
    ]
    votes = {slot: tuple(verdicts[slot] for verdicts in read) for slot in slots}
    return _Answer(votes, sum((c.usage for c in completions if not isinstance(c, JudgeError)), Usage()))


def _failed(request: JudgeRequest, error: RowError) -> _Answer:
    votes = {slot: tuple(Verdict(slot, error=error) for _ in request.seeds) for slot in request.output.slots}
    return _Answer(votes, Usage(requests=1))


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
