"""Re-scoring: the rewards of judged rows under another rubric, from the verdicts that are stored in them.

    >>> rows = rescore(stored, "math-verify")                                                # doctest: +SKIP

No model is asked. What is stored is what was said: labels, critiques and label probabilities of every vote, and the
answers of checks. Votes, scales, weights, aggregate and shape are the new rubric's; its criteria are matched by id.
Both ways to a reward share one core (:func:`genrm.judging.tally.tally`), and rows keep exactly the digits of the
probabilities that live judging uses, so the same rubric gives the same rewards: equal before rounding, not only after.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from genrm.engines.base import Usage
from genrm.errors import InputError, excerpt, row_error
from genrm.judging.judgment import CriterionJudgment, Judgment
from genrm.judging.reward import check_alone
from genrm.judging.tally import tally
from genrm.specs.criterion import Criterion
from genrm.specs.load import build_criteria, load_rubric
from genrm.specs.rubric import Rubric
from genrm.verdicts.verdict import Verdict


def rescore(rows: Iterable[Mapping[str, Any]], rubric: str | Path | Mapping[str, Any] | Rubric) -> list[dict[str, Any]]:
    """The rows with the rewards of another rubric, in order.

    Args:
        rows: output rows of ``genrm judge``, or ``judgment.row()``.
        rubric: a name, a path, a dict or a rubric. A criterion that a row has no verdict on is missing there
            (``on_missing``); verdicts on criteria that the rubric does not have are left out.

    Raises:
        SpecError: the rubric is wrong.
        InputError: a row is no output row; the message names its number, from 1.
    """
    bound = load_rubric(rubric)
    check_alone(bound)
    return [rescored(row, bound, number) for number, row in enumerate(rows, start=1)]


def rescored(row: Mapping[str, Any], rubric: Rubric, number: int) -> dict[str, Any]:
    """One row with the rewards of another rubric; ``number`` is its line, for messages."""
    return judgment_of(row, rubric, number).row() | _kept_fields(row)


def judgment_of(row: Mapping[str, Any], rubric: Rubric, number: int) -> Judgment:
    """The judgment that the stored verdicts of a row make under a rubric."""
    where = f"row {number}"
    results = row.get("criteria")
    if not isinstance(results, Mapping) or "status" not in row or not isinstance(row.get("judge"), Mapping):
        raise InputError(f"{where}: no output row of genrm judge: it needs the fields status, criteria and judge")
    if "members" in row:
        raise InputError(
            f"{where}: the judgment of a panel, whose members voted apart; combine it again with "
            "genrm.judging.recombine, or re-score the output of one member"
        )
    if not all(isinstance(result, Mapping) for result in results.values()):
        raise InputError(f"{where}: no output row of genrm judge: each criterion is an object with its votes")
    if not isinstance(row.get("usage", {}), Mapping | None):
        raise InputError(f"{where}: no output row of genrm judge: its field usage is no object")
    identity = {**row["judge"], "rubric": f"{rubric.name}@{rubric.digest}", "rescored": row["judge"].get("rubric")}
    shell = Judgment(str(row.get("id", "")), "failed", judge=identity, usage=_usage(row.get("usage")))
    if not results:
        # The row could not be judged at all, and what stopped it stands.
        return replace(shell, error=row_error(row.get("error")) or InputError(f"{where}: it has no verdicts"))
    brought = _brought(row, rubric, where)
    try:
        whole = rubric.with_criteria(brought)
        leaves = list(whole.leaves())
        votes = {leaf.id: tuple(_verdicts(leaf, results.get(leaf.id), rubric, where)) for leaf in leaves}
        rules = {leaf.id: rule for leaf in leaves if (rule := _rule(leaf, results.get(leaf.id)))}
        judgment = tally(whole, votes, rules)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{where}: {type(error).__name__}: {error}") from None
    criteria = {name: _facts(result, results.get(name)) for name, result in judgment.criteria.items()}
    return replace(judgment, id=shell.id, judge=identity, usage=shell.usage, criteria=criteria, row_criteria=brought)


def _verdicts(leaf: Criterion, stored: Any, rubric: Rubric, where: str) -> Iterator[Verdict]:
    """The votes on one criterion as they were given; what a row lacks is a verdict that failed."""
    if stored is None:
        yield Verdict(leaf.id, error=InputError(f"{where}: no verdict on criterion {leaf.id!r}; judge the row with it"))
        return
    labels = list(stored.get("votes") or ())
    critiques = stored.get("critiques") or [stored.get("critique")] * len(labels)
    distributions = stored.get("votes_p") or [stored.get("p")] * len(labels)
    tokens = stored.get("token_p")
    meta = _meta(leaf, stored.get("meta"), len(labels), where)
    first = row_error(stored.get("error")) or InputError(f"{where}: the vote on criterion {leaf.id!r} failed")
    needs_tokens = rubric.vote.weighs_tokens and leaf.is_judged
    for index, label in enumerate(labels):
        error = first if label is None else _misfit(leaf, label, distributions[index], where)
        if error is None and needs_tokens and tokens is None and critiques[index] is not None:
            error = InputError(
                f"{where}: criterion {leaf.id!r} has no token probabilities, by which the likelihood weighs votes; "
                "judge the row with this vote"
            )
        if error is not None:
            yield Verdict(leaf.id, error=error, critique=critiques[index])
            continue
        p = distributions[index]
        token_p = tuple(tokens[index]) if tokens is not None else ()
        read = stored.get("read", "none")
        yield Verdict(leaf.id, label, critiques[index], p=p, read=read, token_p=token_p, meta=meta[index])
    if not labels and (leaf.cascade is None or stored.get("rule") is None):
        yield Verdict(leaf.id, error=first)


def _meta(leaf: Criterion, stored: Any, votes: int, where: str) -> list[float | None]:
    """The scores that a meta-judge gave the stored votes."""
    if stored is None:
        return [None] * votes
    scores = list(stored) if isinstance(stored, list | tuple) else None
    known = () if scores is None else [one for one in scores if one is not None]
    if scores is None or len(scores) != votes or not all(_is_number(one) for one in known):
        raise InputError(
            f"{where}: criterion {leaf.id!r}: meta is a list with a number (or null) for each of its {votes} votes, "
            f"found {excerpt(stored)}"
        )
    return scores


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _misfit(leaf: Criterion, label: str, p: Mapping[str, float] | None, where: str) -> InputError | None:
    """What keeps a stored vote from being one on the scale of the new rubric."""
    known = leaf.scale.names
    for name in (label, *(p or ())):
        if name not in known:
            return InputError(
                f"{where}: criterion {leaf.id!r}: the stored label {name!r} is not on its scale ({', '.join(known)}); "
                "re-score with the scale that was judged, or judge the row again"
            )
    return None


def _rule(leaf: Criterion, stored: Any) -> Verdict | None:
    """What the check of a cascade said; a plain check of the stored run counts as one."""
    if leaf.cascade is None or stored is None or not isinstance(stored.get("rule"), Mapping):
        return None
    rule = stored["rule"]
    return Verdict(leaf.id, rule.get("label"), rule.get("critique"), error=row_error(rule.get("error")))


def _facts(result: CriterionJudgment, stored: Any) -> CriterionJudgment:
    """What was found out about the stored critique and does not depend on the rubric."""
    if stored is None:
        return result
    same = result.critique is not None and result.critique == stored.get("critique")
    return replace(
        result,
        closed=stored.get("closed", 0),
        checked=stored.get("checked") if same else None,
        in_domain=stored.get("in_domain"),
    )


def _brought(row: Mapping[str, Any], rubric: Rubric, where: str) -> tuple[Criterion, ...]:
    """The criteria that the row brought itself; where the rubric has one of the same id, the rubric's counts."""
    own = {criterion.id for top in rubric.criteria for criterion in top.walk()}
    try:
        brought = build_criteria(row["row_criteria"]) if row.get("row_criteria") else ()
    except ValueError as error:
        raise InputError(f"{where}: field 'row_criteria': {error}") from None
    return tuple(criterion for criterion in brought if criterion.id not in own)


def _usage(stored: Any) -> Usage:
    """What the verdicts have cost; re-scoring adds nothing."""
    return Usage(**{key: value for key, value in dict(stored or {}).items() if key in Usage.__dataclass_fields__})


def _kept_fields(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("line",) if key in row}
