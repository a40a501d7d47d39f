"""Combine the stored results of a panel's members again, by another rule or rubric; no model is asked.

    >>> rows = recombine(stored, "math-verify", rule="dawid_skene")                          # doctest: +SKIP

``stored`` are output rows of a panel, which hold every member's result under ``members``. This is the second pass that
``dawid_skene`` needs: a run writes rows as they are ready, and who errs how is known when all of them are there. Each
member is re-scored as a judge of its own (:mod:`genrm.judging.rescore`), so rubric and votes may change as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from genrm.errors import InputError
from genrm.judging.judgment import Judgment
from genrm.judging.panel_rules import PanelRule
from genrm.judging.panel_tally import check_rule, fit_rows, settle
from genrm.judging.rescore import judgment_of
from genrm.judging.reward import check_alone
from genrm.specs.load import load_rubric
from genrm.specs.rubric import Rubric


def recombine(
    rows: Iterable[Mapping[str, Any]],
    rubric: str | Path | Mapping[str, Any] | Rubric,
    rule: PanelRule | None = None,
    *,
    weights: Sequence[float] | None = None,
) -> list[dict[str, Any]]:
    """The rows as the rule makes them from what the members said, in order.

    Ids, usage, digests and lines stay; ``judge.panel`` names the new rule, ``judge.rescored`` the rubric of before.

    Args:
        rows: output rows of one panel.
        rubric: for the rewards; the one of the run, or another as in re-scoring.
        rule: that of the first row when left out, with its weights.
        weights: one per member, for ``weighted`` and ``mean``.

    Raises:
        SpecError: the rubric is wrong, or rule and weights do not fit.
        InputError: a row has no members, or other members than the first; the message names its number, from 1.
    """
    whole = load_rubric(rubric)
    check_alone(whole)
    stored = list(rows)
    if not stored:
        return []
    names: tuple[str, ...] = ()
    members: list[tuple[Judgment, ...]] = []
    for number, row in enumerate(stored, 1):
        if _unread(row):
            members.append(())
            continue
        if not row.get("members") or not isinstance(row.get("judge"), Mapping):
            raise InputError(f"row {number}: no row of a panel: it has no members; re-score it as the row of a judge")
        found = tuple(member["name"] for member in row["members"])
        names = names or found
        if found != names:
            raise InputError(f"row {number}: judged by {', '.join(found)}, the first by {', '.join(names)}")
        members.append(tuple(judgment_of(_alone(row, member), whole, number) for member in row["members"]))
    if rule is None:
        panel = stored[0]["judge"].get("panel", {})  # rows that no member has seen name it too
        rule, weights = panel.get("rule", "majority"), panel.get("weights") if weights is None else weights
    if not names:
        return [dict(row) for row in stored]
    check_rule(rule, weights, len(names))
    rubrics = [_rubric_of(whole, own) for own in members]
    fits = fit_rows(rubrics, members, rule)
    done = []
    for number, (row, own) in enumerate(zip(stored, members, strict=True)):
        if not own:
            done.append(dict(row))
            continue
        judgment = settle(rubrics[number], own, rule, weights, estimates=fits, number=number)
        shares = None if weights is None else [float(weight) for weight in weights]
        identity = {
            **row["judge"],
            "rubric": f"{whole.name}@{whole.digest}",
            "rescored": row["judge"].get("rubric"),
            "panel": {**row["judge"].get("panel", {}), "rule": rule, "weights": shares},
        }
        fresh = replace(judgment, id=str(row["id"]), names=names, judge=identity).row()
        done.append({**row, **fresh, "usage": row["usage"], "members": row["members"]})
    return done


def _unread(row: Mapping[str, Any]) -> bool:
    """Whether it is the row of an input that could not be read: no member has seen it, and its error stands."""
    judge = row.get("judge")
    return not row.get("members") and not row.get("criteria") and isinstance(judge, Mapping) and "panel" in judge


def _alone(row: Mapping[str, Any], member: Mapping[str, Any]) -> dict[str, Any]:
    """A member's result as the output row that it would have had alone."""
    brought = {"row_criteria": row["row_criteria"]} if "row_criteria" in row else {}
    return {"id": row["id"], "judge": row["judge"], **brought, **member}


def _rubric_of(whole: Rubric, members: Sequence[Judgment]) -> Rubric | None:
    """The rubric with the row's own criteria; None where no member could judge anything."""
    judged = [member for member in members if member.criteria]
    return whole.with_criteria(judged[0].row_criteria) if judged else None
