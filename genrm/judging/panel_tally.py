"""From the judgments of a panel's members to the judgment of the panel: no model, no engine, no loop.

    >>> judgment = settle(rubric, [one, two, three], "majority")                             # doctest: +SKIP

Live panels and stored rows that are combined again both come through here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from genrm.engines.base import Usage
from genrm.errors import Fault, RowError, SpecError
from genrm.judging.judgment import CriterionJudgment, Judgment, Status
from genrm.judging.panel_rules import RULES, Estimate, PanelRule, combine, estimate, posterior
from genrm.judging.reward import reward_of, reward_parts
from genrm.specs.criterion import Criterion
from genrm.specs.rubric import Rubric


@dataclass(frozen=True, slots=True)
class PanelJudgment(Judgment):
    """A judgment by a panel. The votes of its criteria are the members' labels, in member order.

    Attributes:
        names: of the members.
        members: their own judgments.
    """

    names: tuple[str, ...] = ()
    members: tuple[Judgment, ...] = field(default=(), repr=False)

    def row(self) -> dict[str, Any]:
        """The output row, with every member's result under ``members``."""
        row = Judgment.row(self)
        row["members"] = [_member_row(name, own) for name, own in zip(self.names, self.members, strict=True)]
        return row


def check_rule(rule: str, weights: Sequence[float] | None, members: int) -> None:
    """Raise SpecError where rule, weights and the number of members do not fit each other."""
    if rule not in RULES:
        raise SpecError(Fault("unknown rule", field="rule", value=repr(rule), fix=f"use one of {', '.join(RULES)}"))
    if rule == "weighted" and weights is None:
        raise SpecError("weights: rule 'weighted' needs one weight per member")
    if weights is None:
        return
    if rule in ("majority", "dawid_skene"):
        raise SpecError(f"weights: rule {rule!r} takes none; use 'weighted' or 'mean'")
    if len(weights) != members:
        raise SpecError(f"weights: {members} members need as many weights, found {len(weights)}")
    if not all(np.isfinite(weights)) or min(weights) < 0 or not any(weights):
        raise SpecError(f"weights: finite, not negative and not all 0 are needed, found {list(weights)}")


def fit_rows(
    rubrics: Sequence[Rubric | None], members: Sequence[Sequence[Judgment]], rule: PanelRule
) -> dict[str, Estimate] | None:
    """What ``dawid_skene`` learns from all rows, criterion by criterion; None for the other rules."""
    if rule != "dawid_skene":
        return None
    criteria: dict[str, Criterion] = {}
    for whole in {id(rubric): rubric for rubric in rubrics if rubric is not None}.values():
        for leaf in whole.leaves():
            # The same id with another question in another row is another criterion.
            criteria.setdefault(_key(leaf), leaf)
    rows = []
    for rubric, own in zip(rubrics, members, strict=True):
        leaves = () if rubric is None else tuple(rubric.leaves())
        rows.append({_key(leaf): _results(own, leaf.id) for leaf in leaves})
    return estimate(criteria, rows)


def settle(
    rubric: Rubric | None,
    members: Sequence[Judgment],
    rule: PanelRule,
    weights: Sequence[float] | None = None,
    *,
    estimates: Mapping[str, Estimate] | None = None,
    number: int = 0,
) -> PanelJudgment:
    """The judgments of all members about one row as the panel's judgment, without its identity.

    Args:
        rubric: with the row's own criteria; None where the row cannot be judged.
        estimates: of :func:`fit_rows`, and ``number``, the row's place in it: for ``dawid_skene``.
    """
    usage = sum((member.usage for member in members), Usage())
    first = next((member.error for member in members if member.error is not None), None)
    results: dict[str, CriterionJudgment] = {}
    if rubric is None or not any(member.criteria for member in members):
        return PanelJudgment(members[0].id, "failed", usage=usage, error=first, members=tuple(members))
    for leaf in rubric.leaves():
        own = _results(members, leaf.id)
        p = None if estimates is None else posterior(leaf, estimates.get(_key(leaf)), number)
        results[leaf.id] = combine(leaf, own, rule, weights, p=p)
    failed: list[RowError | None] = [result.error for result in results.values() if result.status == "failed"]
    status: Status = "ok" if not failed else "failed" if len(failed) == len(results) else "partial"
    scores = {name: result.score for name, result in results.items()}
    reward = None if status == "failed" else reward_of(rubric, scores)
    rewards = [member.reward for member in members if member.reward is not None]
    return PanelJudgment(
        members[0].id,
        status,
        reward=reward,
        reward_std=float(np.std(rewards, ddof=1)) if reward is not None and len(rewards) > 1 else None,
        reward_parts=None if reward is None else reward_parts(rubric, scores),
        row_criteria=members[0].row_criteria,
        criteria=results,
        usage=usage,
        error=next((error for error in failed if error is not None), None),
        members=tuple(members),
    )


def _results(members: Sequence[Judgment], name: str) -> list[CriterionJudgment]:
    """Every member's result on one criterion; one that has none has failed there."""
    missing = [CriterionJudgment(status="failed", error=member.error) for member in members]
    return [member.criteria.get(name, gap) for member, gap in zip(members, missing, strict=True)]


def _key(leaf: Criterion) -> str:
    return f"{leaf.id}\0{leaf.ask}\0{leaf.scale.names}"


def _member_row(name: str, judgment: Judgment) -> dict[str, Any]:
    """A member's result as it would stand in an output row of its own."""
    row = judgment.row()
    kept = ("status", "reward", "reward_std", "criteria", "error")
    return {"name": name, **{key: row[key] for key in kept}}
