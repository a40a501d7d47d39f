"""How the results of a panel's members become one result: the pure half of :mod:`genrm.judging.panel`.

    >>> yes, no = (CriterionJudgment(status="ok", label=name, score=s) for name, s in (("yes", 1.0), ("no", 0.0)))
    >>> from genrm.specs.criterion import Criterion
    >>> combine(Criterion(id="good", ask="Is it good?"), [yes, no, yes], "majority").label
    'yes'

A member that failed withholds its vote and the panel does not shrink: a label needs more than half of the weight of
all members, and a mean needs members with more than half of it. Otherwise the criterion has failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from genrm.errors import RefusedError, RowError
from genrm.judging.judgment import CriterionJudgment
from genrm.specs.criterion import Criterion
from genrm.voting.dawid_skene import DawidSkene, dawid_skene
from genrm.voting.panels import panel_majority, panel_mean
from genrm.voting.single import nearest_label, pooled

PanelRule = Literal["majority", "mean", "weighted", "dawid_skene"]

RULES: tuple[PanelRule, ...] = ("majority", "mean", "weighted", "dawid_skene")


@dataclass(frozen=True, slots=True)
class Estimate:
    """What Dawid-Skene found for one criterion: the fit, and its row for each sample that was asked about it."""

    fit: DawidSkene
    places: Mapping[int, int]


def combine(
    criterion: Criterion,
    results: Sequence[CriterionJudgment],
    rule: PanelRule,
    weights: Sequence[float] | None = None,
    *,
    p: Mapping[str, float] | None = None,
) -> CriterionJudgment:
    """One criterion's result from its members' results, in member order.

    The score of a voted label is its place on the scale, whatever fractions the members had; ``mean`` averages the
    members' scores. A check is no opinion: its first result stands.

    Args:
        p: for ``dawid_skene``, the posterior of the sample; None where there is none.
    """
    if not asks_members(criterion):
        return next((result for result in results if result.status == "ok"), results[0])
    said = [result for result in results if result.label is not None and result.score is not None]
    base = CriterionJudgment(
        status="failed",
        votes=tuple(result.label for result in results),
        closed=sum(result.closed for result in results),
        in_domain=False if any(result.in_domain is False for result in results) else None,
        error=next((result.error for result in results if result.error is not None), None),
    )
    found = _value(criterion, results, rule, weights, p)
    if found is None:
        return replace(base, error=_undecided(results, rule))
    label, score = found
    standing = next((result for result in said if result.label == label), said[0])
    distributions = [result.p for result in said if result.p is not None]
    mixture = pooled(distributions) if len(distributions) == len(said) else None
    return replace(
        base,
        status="ok",
        label=label,
        score=score,
        p=dict(p) if rule == "dawid_skene" and p is not None else mixture,
        read=standing.read,
        critique=standing.critique,
        agreement=sum(result.label == label for result in results) / len(results),
        checked=standing.checked,
    )


def asks_members(criterion: Criterion) -> bool:
    """Whether members can differ on it: not on a check, unless it has a cascade to the judge."""
    return criterion.check is None or criterion.cascade is not None


def _value(
    criterion: Criterion,
    results: Sequence[CriterionJudgment],
    rule: PanelRule,
    weights: Sequence[float] | None,
    p: Mapping[str, float] | None,
) -> tuple[str, float] | None:
    """The panel's label and score; None where it has none."""
    scale = criterion.scale
    present = [result.label is not None and result.score is not None for result in results]
    if rule == "dawid_skene":
        if p is None or 2 * sum(present) <= len(results):  # what failed withholds its vote here too
            return None
        ordered = sorted(p.values(), reverse=True)
        if ordered[0] - ordered[1] <= 1e-9:  # two labels are equally probable
            return None
        return max(p, key=lambda name: p[name]), scale.expected(p)
    if rule == "mean":
        scores = [result.score if known else 0.0 for result, known in zip(results, present, strict=True)]
        voted = panel_mean(np.array(scores, dtype=np.float64), weights, mask=present)
        if not voted.mask:
            return None
        labels = {result.label: scale.score(result.label) for result in results if result.label is not None}
        return nearest_label(float(voted.value), labels), float(voted.value)
    index = [scale.names.index(result.label) if result.label is not None else 0 for result in results]
    elected = panel_majority(index, weights, n_labels=len(scale.names), mask=present)
    if not elected.mask:
        return None
    label = scale.names[int(elected.label)]
    return label, scale.score(label)


def _undecided(results: Sequence[CriterionJudgment], rule: PanelRule) -> RowError:
    """Why there is no result: the votes are split, or too many members failed."""
    counts: dict[str, int] = {}
    for result in results:
        counts[result.label or "failed"] = counts.get(result.label or "failed", 0) + 1
    split = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    asked = f"of the {len(results)} members" if len(results) > 1 else "of the one member"
    why = {
        "mean": f"the panel has no mean: members with a score hold no more than half of the weight {asked}",
        "dawid_skene": f"no label is the most probable one, or no more than half have a verdict {asked}",
    }.get(rule, f"no label has more than half of the weight {asked}")
    error = next((result.error for result in results if result.label is None and result.error is not None), None)
    if error is None:
        return RefusedError(f"{why} ({split})")
    return type(error)(f"{why} ({split}); first failure: {error.message}", retryable=error.can_retry)


def estimate(
    criteria: Mapping[str, Criterion], rows: Sequence[Mapping[str, Sequence[CriterionJudgment]]]
) -> dict[str, Estimate]:
    """Dawid-Skene for each judged criterion over all rows; rows without a vote on it have no place in it."""
    fits: dict[str, Estimate] = {}
    for name, criterion in criteria.items():
        if not asks_members(criterion):
            continue
        places: dict[int, int] = {}
        votes: list[list[int]] = []
        known: list[list[bool]] = []
        for number, row in enumerate(rows):
            results = row.get(name, ())
            if any(result.label is not None for result in results):
                places[number] = len(votes)
                known.append([result.label is not None for result in results])
                votes.append([_place(criterion, result.label) for result in results])
        if votes:
            fit = dawid_skene(np.array(votes), len(criterion.scale.names), mask=known, model=_model(criterion, votes))
            fits[name] = Estimate(fit, places)
    return fits


def posterior(criterion: Criterion, estimate: Estimate | None, number: int) -> dict[str, float] | None:
    """The label distribution that the fit gives to one row; None where the row had no vote."""
    if estimate is None or number not in estimate.places:
        return None
    row = estimate.fit.p[estimate.places[number]]
    return dict(zip(criterion.scale.names, map(float, row), strict=True))


def _place(criterion: Criterion, label: str | None) -> int:
    return 0 if label is None else criterion.scale.names.index(label)


def _model(criterion: Criterion, votes: Sequence[Sequence[int]]) -> Literal["full", "symmetric"]:
    """Whole confusion matrices only where there are about ten votes to each of their cells."""
    return "full" if len(votes) >= 10 * len(criterion.scale.names) ** 2 else "symmetric"
