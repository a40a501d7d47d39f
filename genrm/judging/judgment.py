"""A judgment: the voted result of one sample, and the output row that it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from genrm.engines.base import Usage
from genrm.errors import RowError
from genrm.specs.criterion import Criterion
from genrm.verdicts.verdict import Checked, Read, Verdict

Status = Literal["ok", "partial", "failed"]


@dataclass(frozen=True, slots=True)
class CriterionJudgment:
    """The voted result of one criterion.

    Attributes:
        score: in [0, 1]; None when the criterion has no verdict.
        p: mean label distribution over the votes.
        critique: of the vote that stands for the result (the first one that said the voted label).
        critiques: of all votes, in vote order.
        votes: labels in vote order; None where a vote failed.
        agreement: share of the votes that said the voted label.
        value: what the voting rule gave, where that is not the score: ``sum`` is divided by the number of votes, and
            mean_minus_var and mean_minus_std are clipped to [0, 1].
        se: standard error of the mean of the votes' scores; None for a single vote.
        within: mean variance of the score inside the votes' label distributions; None without them.
        between: variance of the votes' mean scores; None for a single vote.
        votes_used: votes that counted, of an adaptive vote.
        p_change: stated probability that the decision after all votes would have been another; of an adaptive vote.
        votes_p: label distribution of each vote, in vote order; None where a vote has none.
        token_p: per vote the probabilities of its critique's tokens; kept for the rules that weigh votes by them.
        kept: places of the votes that ``keep_best`` let count, in ascending order; empty without a filter.
        meta: the score of a meta-judge per vote, in vote order; empty where no vote has one.
        rule: what the check of a cascade said.
        by: who decided in a cascade: the rule, the judge, or the mix of both.
        checked: what code found about the critiques: "disagree" when that of any vote contradicts its verdict,
            misquotes the reference, or quotes an answer that the response does not hold.
        in_domain: False when the judge was not made for this question (the embedded judge declares its domain).
    """

    status: Literal["ok", "failed"]
    label: str | None = None
    score: float | None = None
    p: Mapping[str, float] | None = None
    critique: str | None = None
    critiques: tuple[str | None, ...] = ()
    votes: tuple[str | None, ...] = ()
    agreement: float | None = None
    value: float | None = None
    se: float | None = None
    within: float | None = None
    between: float | None = None
    votes_used: int | None = None
    p_change: float | None = None
    read: Read = "none"
    closed: int = 0
    checked: Checked | None = None
    in_domain: bool | None = None
    votes_p: tuple[Mapping[str, float] | None, ...] = ()
    token_p: tuple[tuple[float, ...], ...] = ()
    kept: tuple[int, ...] = ()
    meta: tuple[float | None, ...] = ()
    rule: Verdict | None = None
    by: Literal["rule", "judge", "mix"] | None = None
    error: RowError | None = None

    def row(self) -> dict[str, Any]:
        """As it stands under ``criteria`` in an output row; optional facts appear only where there are any."""
        row: dict[str, Any] = {"status": self.status, "label": self.label, "score": _rounded(self.score)}
        if self.p is not None:
            row["p"] = {label: kept(weight) for label, weight in self.p.items()}
            row["read"] = self.read
        if self.critique is not None:
            row["critique"] = self.critique
        if self.votes:
            row["votes"] = list(self.votes)
            row["agreement"] = _rounded(self.agreement)
        if self.value is not None:
            row["value"] = _rounded(self.value)
        if self.se is not None:
            row["se"] = _rounded(self.se)
            row["variance"] = {"within": _rounded(self.within), "between": _rounded(self.between)}
        if self.votes_used is not None:
            row["votes_used"] = self.votes_used
            row["p_change"] = _rounded(self.p_change)
        if len(self.critiques) > 1 or (self.by == "rule" and self.critiques):
            row["critiques"] = list(self.critiques)
        if len(self.votes_p) > 1 and any(p is not None for p in self.votes_p):
            row["votes_p"] = [None if p is None else dict(p) for p in self.votes_p]
        if any(self.token_p):
            row["token_p"] = [list(tokens) for tokens in self.token_p]
        if self.kept:
            row["kept"] = list(self.kept)
        if self.meta:
            row["meta"] = list(self.meta)
        if self.by is not None and self.rule is not None:
            row["by"] = self.by
            row["rule"] = {"label": self.rule.label, "critique": self.rule.critique}
            if self.rule.error is not None:
                row["rule"]["error"] = self.rule.error.row()
        if self.closed:
            row["closed"] = self.closed
        if self.checked is not None:
            row["checked"] = self.checked
        if self.in_domain is False:
            row["in_domain"] = False
        if self.error is not None:
            row["error"] = self.error.row()
        return row


@dataclass(frozen=True, slots=True)
class Judgment:
    """The result of one sample.

    ``reward`` is None exactly when ``status`` is "failed" (or "partial" under ``on_missing: fail``).
    ``reward_std`` is the standard deviation of the reward over the votes; None for a single vote. ``reward_parts``
    says what the reward was made of, where that is more than a weighted mean; ``row_criteria`` are the criteria that
    the sample brought itself, without which its reward could not be computed again.
    """

    id: str
    status: Status
    reward: float | None = None
    reward_std: float | None = None
    criteria: Mapping[str, CriterionJudgment] = field(default_factory=dict)
    judge: Mapping[str, Any] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    error: RowError | None = None
    reward_parts: Mapping[str, Any] | None = None
    row_criteria: tuple[Criterion, ...] = ()

    def row(self) -> dict[str, Any]:
        """The output row; the same judgment gives the same bytes."""
        optional: dict[str, Any] = {}
        if self.reward_parts is not None:
            optional["reward_parts"] = _rounded_parts(self.reward_parts)
        if self.row_criteria:
            brought = [one.model_dump(mode="json", by_alias=True, exclude_defaults=True) for one in self.row_criteria]
            optional["row_criteria"] = brought
        return {
            "id": self.id,
            "status": self.status,
            "reward": _rounded(self.reward),
            "reward_std": _rounded(self.reward_std),
            **optional,
            "criteria": {name: result.row() for name, result in self.criteria.items()},
            "judge": dict(self.judge),
            "usage": {
                "requests": self.usage.requests,
                "prompt_tokens": self.usage.prompt_tokens,
                "cached_tokens": self.usage.cached_tokens,
                "completion_tokens": self.usage.completion_tokens,
                "cost_usd": self.usage.cost_usd,
                **({"cache_hits": self.usage.cache_hits} if self.usage.cache_hits else {}),
            },
            "error": None if self.error is None else self.error.row(),
        }


def kept(value: float) -> float:
    """A probability as it is used and stored, to nine significant digits: a row holds what the reward came from."""
    return float(f"{value:.9g}")


def _rounded_parts(parts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _rounded(part) if isinstance(part, float) else _rounded_parts(part) if isinstance(part, Mapping) else part
        for key, part in parts.items()
    }


def _rounded(value: float | None) -> float | None:
    """Six decimals: finer differences are floating-point noise of the batch, not judgments."""
    return None if value is None else round(value, 6) + 0.0
