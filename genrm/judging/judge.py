"""The Judge: a rubric and a model, ready to judge one sample, many, or a stream.

    >>> judge = Judge("math-verify", model="tiny", votes=3)                                  # doctest: +SKIP
    >>> judge.judge(prompt="2+2?", response="It is 4.", reference="4").reward                # doctest: +SKIP
    1.0

A judge holds no results and no connections: it can be shared by threads, pickled and used after a fork.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from genrm.compiler.compile import check_format
from genrm.compiler.render import prompt_digest
from genrm.engines.base import Engine
from genrm.engines.budget import Budget, charge_to
from genrm.engines.model_card import ModelCard
from genrm.errors import EngineError, Fault, InputError, RowError, RunStoppedError, SpecError
from genrm.judging import runtime
from genrm.judging.best_votes import check_filter
from genrm.judging.judgment import Judgment
from genrm.judging.keep import Keep
from genrm.judging.pointwise import Settings, in_domain, judge_sample
from genrm.judging.reward import check_alone
from genrm.judging.window import window
from genrm.specs.load import load_rubric
from genrm.specs.load_format import load_format
from genrm.specs.override import reward_replaced
from genrm.specs.rubric import Rubric
from genrm.specs.sample import Sample
from genrm.specs.verdict_format import VerdictFormat
from genrm.specs.vote import Vote
from genrm.voting.rule import NEEDS_P

logger = logging.getLogger("genrm")

Row = Mapping[str, Any] | Sample


class Judge:
    """A rubric bound to a model.

    Args:
        rubric: a name from the library, a path, a dict or a :class:`Rubric`.
        model: ``tiny`` or ``hf:PATH_OR_ID``; see ``docs/engines.md``.
        votes: verdicts per sample, also where the rubric's vote is adaptive; the rubric's when left out.
        vote_rule: how they become one, in place of the rubric's: ``majority``, ``{"quantile": 0.25}``.
        reward: an aggregate (``"min"``), or a mapping as under ``reward:``, in place of the rubric's.
        seed: votes derive their seeds from this, the sample's id, the vote's index and what is asked.
        timeout_s: deadline of one judge call in seconds; None waits for ever.
        max_in_flight: samples that are judged at the same time.
        format: of judges that write their verdicts in a form of their own: a name (``genrm formats list``), a path,
            a dict or a :class:`VerdictFormat`. None asks for our own form, which a grammar enforces.
        engine_options: passed to the engine, for example ``{"batch_size": 8}``.
        cache: a file that keeps answers, so that the same call is paid for once; see ``docs/cache.md``.
        cache_limit_mb: megabytes that it may have; what was not used for the longest time goes first.
        record: a file that every answer is written to; the model ``replay:FILE`` gives them again.
        budget_usd: US dollars that this judge may spend, as long as it lives; :class:`genrm.errors.RunStoppedError`
            is raised before a call that could exceed it. A pickled copy has what is left then, for itself.

    Raises:
        SpecError: the rubric or a setting is wrong; the message says where and how to fix it. What is wrong with the
            model is found, and raised, on its first use.
    """

    def __init__(
        self,
        rubric: str | Path | Mapping[str, Any] | Rubric,
        model: str = "tiny",
        *,
        votes: int | None = None,
        vote_rule: str | Mapping[str, Any] | None = None,
        reward: str | Mapping[str, Any] | None = None,
        seed: int = 0,
        timeout_s: float | None = 600.0,
        max_in_flight: int = 64,
        format: str | Path | Mapping[str, Any] | VerdictFormat | None = None,
        engine_options: Mapping[str, Any] | None = None,
        cache: str | Path | None = None,
        cache_limit_mb: float | None = None,
        record: str | Path | None = None,
        budget_usd: float | None = None,
    ) -> None:
        self.rubric = with_votes(load_rubric(rubric), votes, vote_rule)
        if reward is not None:
            self.rubric = reward_replaced(self.rubric, reward)
        self.model = model
        self.votes = self.rubric.vote.asked if votes is None else votes
        self.seed = seed
        self.timeout_s = timeout_s
        self.max_in_flight = max_in_flight
        self.format = None if format is None else load_format(format)
        self.engine_options = dict(engine_options or {})
        self.budget = None if budget_usd is None else Budget(budget_usd)
        self.keep = Keep.of(cache, cache_limit_mb, record, format=self.format)
        _check_settings(self)
        if self.format is not None:
            check_format(self.rubric, self.format)

    def __repr__(self) -> str:
        return f"Judge({self.rubric.name!r}, model={self.model!r}, votes={self.votes}, seed={self.seed})"

    def judge(
        self,
        *,
        response: Any,
        prompt: Any = None,
        reference: Any = None,
        context: Any = None,
        criteria: Any = None,
        id: str = "0",
    ) -> Judgment:
        """Judge one response. A failure is in the judgment (``status``, ``error``), not an exception."""
        row = {"id": id, "prompt": prompt, "response": response, "reference": reference}
        return self.judge_many([row | {"context": context, "criteria": criteria}])[0]

    def judge_many(self, rows: Iterable[Row]) -> list[Judgment]:
        """Judge all rows, in order. Rows are input rows (see ``docs/input-and-output.md``) or samples.

        Raises:
            SpecError: ``rows`` is a single row, the model cannot be opened, or it cannot judge by this rubric.
            RunStoppedError: no more calls may be made, because the budget is spent, say; no judgment is returned, so
                who wants those before it uses :meth:`stream`.
        """
        if isinstance(rows, Mapping | str):
            raise SpecError(f"rows: a list of rows is needed, found a single {type(rows).__name__}")
        bound = self._bind()

        def start(row: Row, index: int) -> asyncio.Future[Judgment]:
            return asyncio.ensure_future(bound.judge(row, index))

        async def collect() -> list[Judgment]:
            return [judgment async for judgment in window(rows, start, limit=self.max_in_flight, ordered=True)]

        return runtime.current().call(collect())

    async def stream(
        self, rows: Iterable[Row] | AsyncIterable[Row], *, ordered: bool = True
    ) -> AsyncGenerator[Judgment, None]:
        """Judge rows as they come, at most ``max_in_flight`` at a time; memory does not grow with their number.

        With ``ordered=False`` judgments come as they are ready.

        Raises:
            RunStoppedError: no more calls may be made; the judgments before that have been yielded.
        """
        bound = await asyncio.to_thread(self._bind)
        loop = runtime.current()

        def start(row: Row, index: int) -> asyncio.Future[Judgment]:
            return asyncio.wrap_future(loop.submit(bound.judge(row, index)))

        async with aclosing(window(rows, start, limit=self.max_in_flight, ordered=ordered)) as judgments:
            async for judgment in judgments:
                yield judgment

    def identity(self) -> dict[str, Any]:
        """Everything that decides a judgment, as it stands under ``judge`` in an output row. Opens the engine."""
        engine = self.engine()
        return {
            "engine": engine.name,
            "model": engine.model,
            "rubric": f"{self.rubric.name}@{self.rubric.digest}",
            "prompt": prompt_digest(engine.capabilities.prompts),
            **({} if self.format is None else {"format": self.format.title}),
            # Said only where there is something to say: all that such a judge gives are the labels of its votes.
            **({} if engine.capabilities.probabilities else {"probabilities": False}),
            "seed": self.seed,
        }

    def notices(self) -> list[str]:
        """What people should be told once a run: limits of the judge that this rubric touches."""
        card = self._card()
        if card is None:
            return []
        notes = [card.notice] if card.notice else []
        verify = self.rubric.protocol == "verify"
        stray = [
            leaf.id
            for leaf in self.rubric.leaves()
            if leaf.is_judged and not in_domain(self.rubric, leaf, card, reference=verify)
        ]
        if stray:
            notes.append(
                f"{card.name} was not trained for {', '.join(stray)}; what it says about them is noise and is marked "
                '"in_domain": false'
            )
        if self.rubric.think and card.prompts == "compact":
            notes.append(f"{card.name} does not think: think and think_tokens of the rubric have no effect")
        return notes

    def engine(self) -> Engine:
        """The engine of this process for this judge's model, opened on first use and shared between judges."""
        options = self.engine_options
        if self.format is not None and self.format.record is not None and self.model.startswith("replay:"):
            options = {"record": self.format.record.model_dump(exclude_none=True)} | options
        return runtime.current().engine(self.model, options, self.keep)

    def _card(self) -> ModelCard | None:
        return getattr(self.engine(), "card", None)

    def _bind(self) -> _Bound:
        check_alone(self.rubric)
        check_filter(self.rubric.vote, self.model, self.engine)
        if self.budget is not None:
            check_prices([self])
        rule = self.rubric.vote.rule_name
        if rule in NEEDS_P and not self.engine().capabilities.probabilities:
            raise SpecError(
                f"vote.rule: {rule} reads label probabilities, and {self.model} shows none; use majority or mean"
            )
        if self.rubric.is_holistic and self.engine().capabilities.prompts == "compact":
            raise SpecError(
                f"reward.aggregate: holistic shows all criteria at once, and {self.model} was trained to read one at a "
                "time; use another judge (-m), or another aggregate"
            )
        if self.format is not None:
            check_format(self.rubric, self.format, self.engine().capabilities.prompts)
        settings = Settings(self.votes, self.seed, self.timeout_s, self.format, self.identity())
        return _Bound(self.rubric, self.engine(), self._card(), settings, self.budget)


def with_votes(rubric: Rubric, votes: int | None, rule: str | Mapping[str, Any] | None) -> Rubric:
    """The rubric with what the caller says about votes in place of its own."""
    if isinstance(votes, int) and votes >= 1 and rubric.vote.adaptive:
        # First, since a fixed number lets rules in that an adaptive vote refuses.
        rubric = rubric.with_vote(rubric.vote.fixed(votes))
    if rule is not None:
        written = rubric.vote.model_dump(exclude_none=True, exclude_unset=True)
        try:
            rubric = rubric.with_vote(Vote.model_validate(written | {"rule": rule}))
        except ValidationError as error:
            raise SpecError(f"vote rule {rule!r}: {error.errors()[0]['msg']}") from None
    return rubric


def check_prices(judges: Sequence[Judge]) -> None:
    """Whether a budget can be kept to.

    Raises:
        SpecError: the price of a judge is unknown, or none of them has one.
    """
    engines = {judge.model: judge.engine() for judge in judges}
    for name, engine in engines.items():
        if getattr(engine, "prices", engine) is None:
            fix = "give input_cost_per_token and output_cost_per_token as options of the engine (--engine-arg)"
            raise SpecError(
                Fault(f"no price of {name} is known, so no budget can be kept", field="budget_usd", fix=fix)
            )
    if not any(hasattr(engine, "prices") for engine in engines.values()):
        fix = "leave it out; it is for litellm: models"
        raise SpecError(Fault(f"{', '.join(engines)} has no price", field="budget_usd", fix=fix))


def _check_settings(judge: Judge) -> None:
    for name in ("votes", "max_in_flight"):
        value = getattr(judge, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise SpecError(f"{name}: a whole number of at least 1 is needed, found {value!r}")
    if isinstance(judge.seed, bool) or not isinstance(judge.seed, int):
        raise SpecError(f"seed: a whole number is needed, found {judge.seed!r}")
    timeout = judge.timeout_s
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0):
        raise SpecError(f"timeout_s: seconds above 0 are needed (None waits for ever), found {timeout!r}")


@dataclass(frozen=True, slots=True)
class _Bound:
    """A judge with its engine open: what stays the same for all rows of a run."""

    rubric: Rubric
    engine: Engine
    card: ModelCard | None
    settings: Settings
    budget: Budget | None = None

    async def judge(self, row: Row, index: int) -> Judgment:
        """The judgment of one row; an input that cannot be judged is a failed judgment."""
        name = str(index)
        try:
            if not isinstance(row, Sample | Mapping):
                raise InputError(f"a row is a mapping or a Sample, found a {type(row).__name__}")
            sample = row if isinstance(row, Sample) else Sample.from_row(row, default_id=name)
            name = sample.id or name
            if sample.id != name:
                sample = replace(sample, id=name)
            with charge_to(self.budget):
                return await judge_sample(self.rubric, sample, self.engine, self.card, self.settings)
        except InputError as error:
            given = row.get("id") if isinstance(row, Mapping) else None
            name = str(given) if isinstance(given, (str, int)) and given != "" else name
            return self._failed(name, error)
        except RunStoppedError:
            raise
        except Exception as error:  # a fault of ours that one row brings out must not end the run of all the others
            logger.exception("row %r could not be judged", name)
            return self._failed(name, EngineError(f"{type(error).__name__}: {error}", retryable=False))

    def _failed(self, name: str, error: RowError) -> Judgment:
        return Judgment(id=name, status="failed", judge=self.settings.identity, error=error)
