"""The votes on one criterion as one result: what the rubric's voting rule makes of them, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from genrm.errors import EngineError
from genrm.judging.best_votes import kept_votes, likelihood_of
from genrm.judging.judgment import CriterionJudgment
from genrm.specs.criterion import Criterion
from genrm.specs.vote import KeepBest, Vote
from genrm.verdicts.verdict import Checked, Verdict
from genrm.voting.adaptive import STOP, Stopping, next_round, stated
from genrm.voting.posterior import Change
from genrm.voting.rule import NEEDS_P, OUTSIDE, Rule
from genrm.voting.single import Voted, lone, pooled, vote
from genrm.voting.uncertainty import confidence

ONE_VERDICT = Rule("mean")
"""A check has one verdict, which no rule could change."""


def verdict_score(criterion: Criterion, verdict: Verdict) -> float | None:
    """The score of one vote in [0, 1]: of its label, or the mean under its distribution; None for a failed vote."""
    if verdict.label is None:
        return None
    if criterion.score == "expected" and verdict.p is not None:
        return criterion.scale.expected(verdict.p)
    return criterion.scale.score(verdict.label)


def stopping_of(spec: Vote) -> Stopping | None:
    """When an adaptive vote stops; None for a fixed number of votes."""
    if not spec.adaptive:
        return None
    return Stopping(
        min=spec.least,
        max=spec.asked,
        stop=STOP if spec.stop is None else spec.stop,
        rule=Rule.parse(spec.rule),
        tolerance=0.05 if spec.tolerance is None else spec.tolerance,
        concentration=spec.concentration,
    )


def tally_criterion(
    criterion: Criterion,
    verdicts: Sequence[Verdict],
    rule: Rule | str | Mapping[str, Any],
    *,
    stopping: Stopping | None = None,
    keep: KeepBest | None = None,
) -> CriterionJudgment:
    """One criterion's votes as one result. Failed votes count for nothing; without any other, the result fails.

    Args:
        verdicts: in vote order.
        rule: of the rubric; a check has one verdict, and that is its result.
        stopping: of an adaptive vote, for the stated probability of a different decision.
        keep: the filter before the rule; the votes that it leaves out stand in the row and count for nothing.
    """
    said = [verdict for verdict in verdicts if verdict.label is not None]
    meta = tuple(verdict.meta for verdict in verdicts)
    by_vote: dict[str, Any] = {
        "votes": tuple(verdict.label for verdict in verdicts),
        "critiques": tuple(verdict.critique for verdict in verdicts),
        "votes_p": tuple(verdict.p for verdict in verdicts),
        "meta": meta if any(score is not None for score in meta) else (),
    }
    if not said:
        error = next((v.error for v in verdicts if v.error), EngineError("the judge returned no verdict"))
        return CriterionJudgment(status="failed", error=error, **by_vote)
    chosen = Rule.parse(rule) if criterion.is_judged else ONE_VERDICT
    kept: tuple[int, ...] = ()
    try:
        if keep is not None and criterion.is_judged:
            kept = kept_votes(verdicts, keep)
            said = [verdicts[place] for place in kept]
        voted = _vote(criterion, said, chosen)
    except ValueError as fault:
        # What the rule needs is missing from these votes: no other rule stands in for it.
        error = EngineError(f"the votes cannot be combined: {fault}")
        return CriterionJudgment(status="failed", error=error, **by_vote)
    score = _score(chosen, voted)
    standing = _standing(said, voted.label)
    distributions = [verdict.p for verdict in said if verdict.p is not None]
    adaptive = stopping if criterion.is_judged else None
    change = None if adaptive is None else change_now(criterion, verdicts, adaptive)
    return CriterionJudgment(
        status="ok",
        label=voted.label,
        score=score,
        p=pooled(distributions) if len(distributions) == len(said) else None,
        critique=standing.critique,
        agreement=voted.agreement,
        value=None if abs(score - voted.value) < 1e-12 else voted.value,
        se=voted.se,
        within=voted.within,
        between=voted.between,
        votes_used=None if adaptive is None else len(said),
        p_change=None if change is None else change.p,
        read=standing.read,
        closed=sum(verdict.closed for verdict in said),
        kept=kept,
        checked=_checked([verdict.checked for verdict in said]),
        error=next((v.error for v in verdicts if v.error), None),
        **by_vote,
    )


def _checked(found: Sequence[Checked | None]) -> Checked | None:
    """One vote that contradicts its own critique is worth a look, whatever the others say."""
    return "disagree" if "disagree" in found else "agree" if "agree" in found else None


def change_now(criterion: Criterion, verdicts: Sequence[Verdict], stopping: Stopping) -> Change | None:
    """The stated probability that the votes still to come would change the decision; None without votes.

    Raises:
        ValueError: the rule needs label distributions that a vote does not have.
    """
    said = [verdict for verdict in verdicts if verdict.label is not None]
    return stated(
        [verdict.label or "" for verdict in said],
        stopping,
        _scale(criterion),
        p=_distributions(said),
        scores=_scores(criterion, said),
        left=max(stopping.max - len(verdicts), 0),
    )


def more_votes(criterion: Criterion, verdicts: Sequence[Verdict], stopping: Stopping) -> int:
    """How many votes to ask in the next round; 0 when these are enough, or all are asked."""
    said = [verdict.label for verdict in verdicts if verdict.label is not None]
    left = stopping.max - len(verdicts)
    if left <= 0:
        return 0
    if len(said) < stopping.min:
        return min(stopping.min - len(said), left)
    try:
        change = change_now(criterion, verdicts, stopping)
    except ValueError:
        # More votes of this kind cannot be combined either; the tally says why.
        return 0
    return 0 if stopping.enough(change) else min(next_round(said, stopping, _scale(criterion)), left)


def _vote(criterion: Criterion, said: Sequence[Verdict], rule: Rule) -> Voted:
    p = _distributions(said)
    if p is None and rule.name in NEEDS_P:
        raise ValueError(f"rule {rule.name} needs the label probabilities of every vote, and the engine shows none")
    scores = _scores(criterion, said)
    if len(said) == 1 and rule.name not in NEEDS_P:
        return lone(scores[0], said[0].label or "", p[0] if p else None, _scale(criterion))
    return vote(
        scores,
        rule,
        labels=[verdict.label or "" for verdict in said],
        p=p,
        scale=_scale(criterion),
        weights=_weights(rule, said),
    )


def _weights(rule: Rule, said: Sequence[Verdict]) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """What each vote counts under the rules that weigh them."""
    if rule.name == "confidence":
        return np.array([float(confidence(list((verdict.p or {}).values()))) for verdict in said])
    if rule.name != "likelihood":
        return None
    return np.array([likelihood_of(verdict, str(rule.parameter)) for verdict in said])


def _score(rule: Rule, voted: Voted) -> float:
    """The value as a score in [0, 1]: a sum by its mean, what falls below 0 as 0."""
    if rule.name not in OUTSIDE:
        return voted.value
    value = voted.value / voted.n if rule.name == "sum" else voted.value
    return min(max(value, 0.0), 1.0)


def _standing(said: Sequence[Verdict], label: str | None) -> Verdict:
    """The vote whose critique stands for the result: the first that said the label, else the one nearest to it."""
    for verdict in said:
        if verdict.label == label:
            return verdict
    return max(said, key=lambda verdict: (verdict.p or {}).get(label or "", 0.0))


def _distributions(said: Sequence[Verdict]) -> list[Mapping[str, float]] | None:
    found = [verdict.p for verdict in said if verdict.p is not None]
    return found if found and len(found) == len(said) else None


def _scores(criterion: Criterion, said: Sequence[Verdict]) -> list[float]:
    scores = [verdict_score(criterion, verdict) for verdict in said]
    return [score for score in scores if score is not None]


def _scale(criterion: Criterion) -> dict[str, float]:
    return criterion.scale.scores
