"""A judgment: the voted result of one sample, and the output row that it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from genrm.engines.base import Usage
from genrm.errors import RowError
from genrm.verdicts.verdict import Checked, Read

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
    read: Read = "none"
    closed: int = 0
    checked: Checked | None = None
    in_domain: bool | None = None
    error: RowError | None = None

    def row(self) -> dict[str, Any]:
        """As it stands under ``criteria`` in an output row; optional facts appear only where there are any."""
        row: dict[str, Any] = {"status": self.status, "label": self.label, "score": _rounded(self.score)}
        if self.p is not None:
            row["p"] = {label: _rounded(weight) for label, weight in self.p.items()}
            row["read"] = self.read
        if self.critique is not None:
            row["critique"] = self.critique
        if self.votes:
            row["votes"] = list(self.votes)
            row["agreement"] = _rounded(self.agreement)
        if len(self.critiques) > 1:
            row["critiques"] = list(self.critiques)
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
    ``reward_std`` is the standard deviation of the reward over the votes; None for a single vote.
    """

    id: str
    status: Status
    reward: float | None = None
    reward_std: float | None = None
    criteria: Mapping[str, CriterionJudgment] = field(default_factory=dict)
    judge: Mapping[str, Any] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    error: RowError | None = None

    def row(self) -> dict[str, Any]:
        """The output row; the same judgment gives the same bytes."""
        return {
            "id": self.id,
            "status": self.status,
            "reward": _rounded(self.reward),
            "reward_std": _rounded(self.reward_std),
            "criteria": {name: result.row() for name, result in self.criteria.items()},
            "judge": dict(self.judge),
            "usage": {
                "requests": self.usage.requests,
                "prompt_tokens": self.usage.prompt_tokens,
                "cached_tokens": self.usage.cached_tokens,
                "completion_tokens": self.usage.completion_tokens,
                "cost_usd": self.usage.cost_usd,
            },
            "error": None if self.error is None else self.error.row(),
        }


def _rounded(value: float | None) -> float | None:
    """Six decimals: finer differences are floating-point noise of the batch, not judgments."""
    return None if value is None else round(value, 6) + 0.0
