"""From votes to one result: the verdicts of a criterion become its judgment, and the criteria become the reward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from genrm.errors import RowError
from genrm.judging.cascade import settle
from genrm.judging.judgment import CriterionJudgment, Judgment, Status, kept
from genrm.judging.reward import reward_of as reward_of
from genrm.judging.reward import reward_parts
from genrm.judging.voted import stopping_of as stopping_of
from genrm.judging.voted import tally_criterion as tally_criterion
from genrm.judging.voted import verdict_score as verdict_score
from genrm.specs.criterion import Criterion
from genrm.specs.rubric import Rubric
from genrm.verdicts.verdict import Verdict

Votes = Mapping[str, Sequence[Verdict]]
"""Per criterion id, its verdicts in vote order (a check has one)."""


def tally(rubric: Rubric, votes: Votes, rules: Mapping[str, Verdict] = MappingProxyType({}), **known: Any) -> Judgment:
    """All votes of a sample as its judgment.

    The one scoring core: live judging and re-scoring both end here. Probabilities are brought to the digits that an
    output row keeps before anything is computed from them, so a stored row has the same reward.

    Args:
        rubric: with the sample's own criteria.
        rules: per criterion with a cascade, what its check said.
        known: fields of the judgment that the votes say nothing of: ``id``, ``judge``, ``usage``, ``row_criteria``.

    Raises:
        ValueError: the weights of the criteria cannot be aggregated.
    """
    leaves = {criterion.id: criterion for criterion in rubric.leaves()}
    said = {name: tuple(_kept(verdict) for verdict in votes.get(name, ())) for name in leaves}
    results = {name: _result(rubric, leaf, said[name], rules.get(name)) for name, leaf in leaves.items()}
    scores = {name: result.score for name, result in results.items()}
    reward = reward_of(rubric, scores)
    failed = [result.error for result in results.values() if result.status == "failed"]
    status: Status = "ok" if not failed else "failed" if len(failed) == len(results) else "partial"
    if status == "failed":
        reward = None
    return Judgment(
        status=status,
        reward=reward,
        reward_std=None if reward is None else _spread(rubric, leaves, said, rules),
        reward_parts=None if reward is None else reward_parts(rubric, scores),
        criteria=results,
        error=_first(failed),
        **({"id": ""} | known),
    )


def _result(
    rubric: Rubric, criterion: Criterion, verdicts: Sequence[Verdict], rule: Verdict | None
) -> CriterionJudgment:
    stopping = stopping_of(rubric.vote) if verdicts else None
    keep = rubric.vote.keep_best
    result = tally_criterion(criterion, verdicts, rubric.vote.rule, stopping=stopping, keep=keep)
    if rubric.vote.weighs_tokens:
        result = replace(result, token_p=tuple(verdict.token_p for verdict in verdicts))
    return settle(criterion, rule, result)


def _kept(verdict: Verdict) -> Verdict:
    if verdict.p is None and not verdict.token_p:
        return verdict
    p = None if verdict.p is None else {label: kept(weight) for label, weight in verdict.p.items()}
    return replace(verdict, p=p, token_p=tuple(map(kept, verdict.token_p)))


def _spread(
    rubric: Rubric, leaves: Mapping[str, Criterion], votes: Votes, rules: Mapping[str, Verdict]
) -> float | None:
    """Standard deviation (n - 1) of the reward over the votes, each vote read as a judgment of its own."""
    most = max((len(verdicts) for verdicts in votes.values()), default=0)
    if most < 2:
        return None
    rewards = []
    for index in range(most):
        scores = {}
        for name, leaf in leaves.items():
            verdicts = votes.get(name, ())
            verdict = verdicts[0] if len(verdicts) == 1 else verdicts[index] if index < len(verdicts) else None
            scores[name] = _score_of_vote(leaf, verdict, rules.get(name))
        if (reward := reward_of(rubric, scores)) is not None:
            rewards.append(reward)
    return float(np.std(rewards, ddof=1)) if len(rewards) > 1 else None


def _score_of_vote(criterion: Criterion, verdict: Verdict | None, rule: Verdict | None) -> float | None:
    if criterion.cascade is None:
        return None if verdict is None else verdict_score(criterion, verdict)
    alone = tally_criterion(criterion, () if verdict is None else (verdict,), "mean")
    return settle(criterion, rule, alone).score


def _first(errors: Sequence[RowError | None]) -> RowError | None:
    return next((error for error in errors if error is not None), None)
