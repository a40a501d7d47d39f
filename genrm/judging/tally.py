"""From votes to one result: the verdicts of a criterion become its judgment, and the criteria become the reward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from genrm.errors import EngineError, RowError
from genrm.judging.judgment import CriterionJudgment, Judgment, Status
from genrm.rewards.tree import Node, aggregate
from genrm.specs.criterion import Criterion
from genrm.specs.rubric import Rubric
from genrm.verdicts.verdict import Checked, Verdict
from genrm.voting.rules import Rule, pooled, vote

Votes = Mapping[str, Sequence[Verdict]]
"""Per criterion id, its verdicts in vote order (a check has one)."""


def verdict_score(criterion: Criterion, verdict: Verdict) -> float | None:
    """The score of one vote in [0, 1]: of its label, or the mean under its distribution; None for a failed vote."""
    if verdict.label is None:
        return None
    if criterion.score == "expected" and verdict.p is not None:
        return criterion.scale.expected(verdict.p)
    return criterion.scale.score(verdict.label)


def tally_criterion(criterion: Criterion, verdicts: Sequence[Verdict], rule: Rule) -> CriterionJudgment:
    """One criterion's votes as one result. Failed votes count for nothing; without any other, the result fails."""
    said = [verdict for verdict in verdicts if verdict.label is not None]
    labels = tuple(verdict.label for verdict in verdicts)
    critiques = tuple(verdict.critique for verdict in verdicts)
    if not said:
        error = next((v.error for v in verdicts if v.error), EngineError("the judge returned no verdict"))
        return CriterionJudgment(status="failed", votes=labels, critiques=critiques, error=error)
    names = [verdict.label or "" for verdict in said]
    scores = [verdict_score(criterion, verdict) or 0.0 for verdict in said]
    voted = vote(scores, rule, labels=names)
    standing = next(verdict for verdict in said if verdict.label == voted.label)
    distributions = [verdict.p for verdict in said if verdict.p is not None]
    return CriterionJudgment(
        status="ok",
        label=voted.label,
        score=voted.value,
        p=pooled(distributions) if len(distributions) == len(said) else None,
        critique=standing.critique,
        critiques=critiques,
        votes=labels,
        agreement=voted.agreement,
        read=standing.read,
        closed=sum(verdict.closed for verdict in said),
        checked=_checked([verdict.checked for verdict in said]),
        error=next((v.error for v in verdicts if v.error), None),
    )


def _checked(found: Sequence[Checked | None]) -> Checked | None:
    """One vote that contradicts its own critique is worth a look, whatever the others say."""
    return "disagree" if "disagree" in found else "agree" if "agree" in found else None


def reward_of(rubric: Rubric, scores: Mapping[str, float | None]) -> float | None:
    """The reward of a rubric's criterion scores; None when ``on_missing`` says that one is missing too many."""
    nodes = tuple(_node(criterion, scores) for criterion in rubric.criteria)
    return aggregate(nodes, how=rubric.reward.aggregate, on_missing=rubric.on_missing)


def _node(criterion: Criterion, scores: Mapping[str, float | None]) -> Node:
    children = tuple(_node(child, scores) for child in criterion.criteria or ())
    return Node(
        score=None if children else scores.get(criterion.id),
        children=children,
        weight=criterion.effective_weight,
        constraint=criterion.constraint,
    )


def tally(rubric: Rubric, votes: Votes) -> Judgment:
    """All votes of a sample as its judgment, without id, judge and usage, which the caller knows."""
    leaves = {criterion.id: criterion for criterion in rubric.leaves()}
    results = {name: tally_criterion(leaf, votes.get(name, ()), rubric.vote.rule) for name, leaf in leaves.items()}
    reward = reward_of(rubric, {name: result.score for name, result in results.items()})
    failed = [result.error for result in results.values() if result.status == "failed"]
    status: Status = "ok" if not failed else "failed" if len(failed) == len(results) else "partial"
    return Judgment(
        id="",
        status=status,
        reward=None if status == "failed" else reward,
        reward_std=None if reward is None else _spread(rubric, leaves, votes),
        criteria=results,
        error=_first(failed),
    )


def _spread(rubric: Rubric, leaves: Mapping[str, Criterion], votes: Votes) -> float | None:
    """Standard deviation (n - 1) of the reward over the votes, each vote read as a judgment of its own."""
    rewards = []
    for index in range(max((len(verdicts) for verdicts in votes.values()), default=0)):
        scores = {}
        for name, leaf in leaves.items():
            verdicts = votes.get(name, ())
            verdict = verdicts[0] if len(verdicts) == 1 else verdicts[index] if index < len(verdicts) else None
            scores[name] = verdict_score(leaf, verdict) if verdict else None
        if (reward := reward_of(rubric, scores)) is not None:
            rewards.append(reward)
    return float(np.std(rewards, ddof=1)) if len(rewards) > 1 else None


def _first(errors: Sequence[RowError | None]) -> RowError | None:
    return next((error for error in errors if error is not None), None)
