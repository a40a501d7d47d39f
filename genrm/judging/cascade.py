"""Rule first, judge for the rest: the check and the judge of one criterion become one result.

    >>> from genrm.specs.criterion import Criterion
    >>> spec = {"id": "right", "ask": "Is it right?", "check": {"number": True}, "cascade": "met"}
    >>> stands(Criterion.model_validate(spec), Verdict("right", label="yes"))
    True
    >>> stands(Criterion.model_validate(spec), Verdict("right", label="no"))
    False

A check that cannot tell (an error, no label) is never trusted: then the judge alone decides. Where both have spoken
the row keeps both answers, so that it is also the log of their disagreements (:func:`disagreement`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from genrm.judging.judgment import CriterionJudgment
from genrm.specs.criterion import Criterion
from genrm.verdicts.verdict import Verdict

Outcome = Literal["agree", "judge_missed", "judge_fooled"]
"""``judge_missed``: the check says yes and the judge no; ``judge_fooled``: the other way round."""


def stands(criterion: Criterion, rule: Verdict | None) -> bool:
    """Whether the answer of the check is the result, without the judge."""
    if criterion.cascade is None or rule is None or rule.label is None:
        return False
    return criterion.cascade.trust in ("both", "met" if rule.label == "yes" else "unmet")


def asks_judge(criterion: Criterion, rule: Verdict | None) -> bool:
    """Whether the judge is asked, given what the check said."""
    return not stands(criterion, rule) or (criterion.cascade is not None and criterion.cascade.audit)


def settle(criterion: Criterion, rule: Verdict | None, judged: CriterionJudgment) -> CriterionJudgment:
    """The result of a cascade.

    Where the check stands, its answer is the score. Elsewhere it is the judge's score s_j, or with
    ``confidence: c`` above 0 the mean ``(c s_r + c_j s_j) / (c + c_j)`` of rule and judge, where c_j is the judge's
    own confidence ``|2 P(yes) - 1|`` (P(yes) from its label probabilities, else its voted score); with no confidence
    on either side the plain mean. Without a verdict of the judge there is none.

    Args:
        rule: what the check said; None when it did not run.
        judged: the judge's votes as one result; failed with no votes where it was not asked.
    """
    cascade = criterion.cascade
    if cascade is None or rule is None:
        return judged
    if stands(criterion, rule):
        kept = judged if judged.votes else CriterionJudgment(status="ok")
        return replace(
            kept,
            status="ok",
            label=rule.label,
            score=_score(rule),
            critique=rule.critique,
            checked=None,
            value=None,
            rule=rule,
            by="rule",
            error=judged.error if judged.votes else None,
        )
    if rule.label is None or cascade.confidence == 0 or judged.score is None:
        return replace(judged, rule=rule, by="judge")
    certainty = abs(2 * (judged.p["yes"] if judged.p is not None else judged.score) - 1)
    weight, total = cascade.confidence, cascade.confidence + certainty
    score = (weight * _score(rule) + certainty * judged.score) / total
    label = judged.label if score == 0.5 else "yes" if score > 0.5 else "no"
    return replace(judged, score=score, label=label, rule=rule, by="mix")


def disagreement(result: Mapping[str, Any]) -> Outcome | None:
    """How rule and judge differ in one criterion of an output row; None where not both have spoken.

    The judge's answer is the label that most of its votes said; an even split is none.
    """
    rule = (result.get("rule") or {}).get("label")
    votes = [label for label in result.get("votes") or () if label is not None]
    yes = sum(label == "yes" for label in votes)
    if rule is None or 2 * yes == len(votes):
        return None
    said = "yes" if 2 * yes > len(votes) else "no"
    return "agree" if said == rule else "judge_missed" if rule == "yes" else "judge_fooled"


def _score(rule: Verdict) -> float:
    return 1.0 if rule.label == "yes" else 0.0
