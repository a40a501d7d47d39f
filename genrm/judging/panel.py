"""A panel: several judges look at every sample, and their results become one.

    >>> panel = Panel([Judge("math-verify", "tiny"), Judge("math-verify", "tiny:unhardened")])     # doctest: +SKIP
    >>> panel.judge(prompt="2+2?", response="It is 4.", reference="4").reward                      # doctest: +SKIP
    1.0

A panel is used like a :class:`genrm.Judge`: by ``judge``, ``judge_many``, ``stream``, a reward function or a batch run.
It helps as far as its members err apart; votes of one model, or models of one base, do not.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from genrm.compiler.compile import whole_rubric
from genrm.engines.budget import Budget, charge_to
from genrm.errors import InputError, SpecError
from genrm.judging import runtime
from genrm.judging.judge import Judge, Row, check_prices
from genrm.judging.judgment import Judgment
from genrm.judging.kinship import shared_bases
from genrm.judging.panel_rules import Estimate, PanelRule
from genrm.judging.panel_tally import PanelJudgment as PanelJudgment
from genrm.judging.panel_tally import check_rule, fit_rows, settle
from genrm.judging.pointwise import gather_all
from genrm.judging.window import window
from genrm.specs.rubric import Rubric
from genrm.specs.sample import Sample


class Panel:
    """Several judges as one.

    Args:
        judges: the members. They share criteria, ``reward`` and ``on_missing``; models, principles, votes and seeds
            may differ.
        rule: ``majority``: the label that more than half of all members say. ``weighted``: the same with weights.
            ``mean``: the (weighted) mean of the scores. ``dawid_skene``: members are weighed by confusion matrices
            that are estimated from all rows, so it works in :meth:`judge_many` only.
        weights: one per member, not negative; for ``weighted`` and ``mean``.
        budget_usd: US dollars that all members together may spend, as for :class:`genrm.Judge`.

    A member that failed withholds its vote. It does not shrink the panel: where no label has more than half of all
    members, or members with more than half of the weight have no score, the criterion has failed and has no score.

    Raises:
        SpecError: members do not fit each other, or rule and weights do not.
    """

    def __init__(
        self,
        judges: Iterable[Judge],
        rule: PanelRule = "majority",
        *,
        weights: Sequence[float] | None = None,
        budget_usd: float | None = None,
    ) -> None:
        self.judges = tuple(judges)
        self.rule: PanelRule = rule
        self.weights = None if weights is None else tuple(float(weight) for weight in weights)
        if not self.judges:
            raise SpecError("judges: a panel has at least one member")
        check_rule(rule, self.weights, len(self.judges))
        self.budget = None if budget_usd is None else Budget(budget_usd)
        if any(judge.budget is not None for judge in self.judges):
            raise SpecError("judges: a member has a budget of its own; give budget_usd to the panel, for all of them")
        first = self.judges[0].rubric
        for number, judge in enumerate(self.judges[1:], 2):
            if _shared_part(judge.rubric) != _shared_part(first):
                raise SpecError(
                    f"judges: member {number} has other criteria, reward or on_missing ({judge.rubric.name!r}) than "
                    f"the first ({first.name!r}); a panel answers the same questions"
                )

    def __repr__(self) -> str:
        return f"Panel({list(self.judges)!r}, rule={self.rule!r}, weights={self.weights!r})"

    @property
    def rubric(self) -> Rubric:
        """The rubric of the first member; criteria and reward are those of all."""
        return self.judges[0].rubric

    @property
    def votes(self) -> int:
        """Verdicts per sample, all members together."""
        return sum(judge.votes for judge in self.judges)

    @property
    def max_in_flight(self) -> int:
        """Samples that are judged at the same time: as many as the most careful member wants."""
        return min(judge.max_in_flight for judge in self.judges)

    @property
    def names(self) -> tuple[str, ...]:
        """The members' model names, numbered where one occurs again."""
        seen: dict[str, int] = {}
        names = []
        for judge in self.judges:
            seen[judge.model] = seen.get(judge.model, 0) + 1
            names.append(judge.model if seen[judge.model] == 1 else f"{judge.model} ({seen[judge.model]})")
        return tuple(names)

    def judge(
        self,
        *,
        response: Any,
        prompt: Any = None,
        reference: Any = None,
        context: Any = None,
        criteria: Any = None,
        id: str = "0",
    ) -> PanelJudgment:
        """Judge one response. A failure is in the judgment (``status``, ``error``), not an exception."""
        self._needs_no_rows("judge")
        row = {"id": id, "prompt": prompt, "response": response, "reference": reference}
        return self.judge_many([row | {"context": context, "criteria": criteria}])[0]

    def judge_many(self, rows: Iterable[Row]) -> list[PanelJudgment]:
        """Judge all rows, in order. With ``dawid_skene`` the members are weighed once all rows have their votes."""
        bound = self._bind()

        def start(row: Row, index: int) -> asyncio.Future[_Heard]:
            return asyncio.ensure_future(bound.hear(row, index))

        async def collect() -> list[_Heard]:
            return [heard async for heard in window(rows, start, limit=self.max_in_flight, ordered=True)]

        return bound.settle_all(runtime.current().call(collect()))

    async def stream(
        self, rows: Iterable[Row] | AsyncIterable[Row], *, ordered: bool = True
    ) -> AsyncIterator[PanelJudgment]:
        """Judge rows as they come, as :meth:`genrm.Judge.stream` does.

        Raises:
            SpecError: the rule is ``dawid_skene``, which has to see all rows first.
        """
        self._needs_no_rows("stream")
        bound = await asyncio.to_thread(self._bind)
        loop = runtime.current()

        def start(row: Row, index: int) -> asyncio.Future[_Heard]:
            return asyncio.wrap_future(loop.submit(bound.hear(row, index)))

        async for heard in window(rows, start, limit=self.max_in_flight, ordered=ordered):
            yield bound.settle(heard)

    def identity(self) -> dict[str, Any]:
        """Everything that decides a judgment, as it stands under ``judge`` in an output row. Opens the engines."""
        own = [judge.identity() for judge in self.judges]
        shared = {
            "engine": "panel",
            "model": " + ".join(self.names),
            "rubric": own[0]["rubric"],
            "prompt": _common(identity["prompt"] for identity in own),
            "seed": _common(identity["seed"] for identity in own),
        }
        members = []
        for name, judge, identity in zip(self.names, self.judges, own, strict=True):
            # What all have in common is said once: an identity stands in every output row.
            apart = {key: value for key, value in identity.items() if shared.get(key, self) != value}
            members.append({"name": name, **apart, "votes": judge.votes})
        weights = None if self.weights is None else list(self.weights)
        return {**shared, "panel": {"rule": self.rule, "weights": weights, "members": members}}

    def notices(self) -> list[str]:
        """What people should be told once a run: the members' notices, and what weakens this panel."""
        notes = list(dict.fromkeys(note for judge in self.judges for note in judge.notices()))
        served = [judge.engine().model for judge in self.judges]
        for base, indices in shared_bases((judge.model for judge in self.judges), served).items():
            who = ", ".join(self.names[index] for index in indices)
            notes.append(
                f"members of the panel share the base model {base}: {who}; they tend to make the same mistakes, so "
                "their agreement proves little"
            )
        if self.rule == "majority" and len(self.judges) == 2:
            notes.append("a majority of two members is both of them; where they differ there is no verdict")
        return notes

    def _needs_no_rows(self, what: str) -> None:
        if self.rule == "dawid_skene":
            raise SpecError(
                f"rule 'dawid_skene' estimates the members from all rows, so {what} cannot use it; use judge_many, or "
                "judge by 'majority' and combine the stored rows again with genrm.judging.recombine.recombine"
            )

    def _bind(self) -> _BoundPanel:
        if self.budget is not None:
            check_prices(self.judges)
        return _BoundPanel(self, tuple(judge._bind() for judge in self.judges), self.identity())


@dataclass(frozen=True, slots=True)
class _Heard:
    """One row with what all members said about it; ``criteria`` are those of the row."""

    rubric: Rubric | None
    members: tuple[Judgment, ...]


class _BoundPanel:
    """A panel with its engines open."""

    def __init__(self, panel: Panel, bound: Sequence[Any], identity: Mapping[str, Any]) -> None:
        self.panel, self.bound, self.identity, self.names = panel, bound, identity, panel.names

    async def hear(self, row: Row, index: int) -> _Heard:
        """All members judge the row, at the same time."""
        with charge_to(self.panel.budget):
            members = await gather_all(*(bound.judge(row, index) for bound in self.bound))
        try:
            sample = row if isinstance(row, Sample) else Sample.from_row(row, default_id=str(index))
            return _Heard(whole_rubric(self.panel.rubric, sample), tuple(members))
        except InputError:
            return _Heard(None, tuple(members))  # each member says so too

    def settle(self, heard: _Heard, estimates: Mapping[str, Estimate] | None = None, number: int = 0) -> PanelJudgment:
        """The panel's judgment of one row."""
        judgment = settle(
            heard.rubric, heard.members, self.panel.rule, self.panel.weights, estimates=estimates, number=number
        )
        return replace(judgment, names=self.names, judge=self.identity)

    def settle_all(self, rows: Sequence[_Heard]) -> list[PanelJudgment]:
        """The panel's judgments of all rows."""
        fits = fit_rows([heard.rubric for heard in rows], [heard.members for heard in rows], self.panel.rule)
        return [self.settle(heard, fits, number) for number, heard in enumerate(rows)]


def _shared_part(rubric: Rubric) -> Any:
    return rubric.criteria, rubric.reward, rubric.on_missing


def _common(values: Iterable[Any]) -> Any:
    """The value that all have; None where they differ (each member's own stands with it)."""
    different = list(dict.fromkeys(values))
    return different[0] if len(different) == 1 else None
