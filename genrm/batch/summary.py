"""What a run came to: counts, the spread of the rewards, pass rates, tokens; constant memory at any number of rows.

>>> summary = Summary()
>>> summary.add({"status": "ok", "reward": 0.75, "criteria": {}, "usage": {}, "error": None})
>>> summary.row()["reward"]["mean"]
0.75
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from genrm.batch.panel_summary import PanelSummary

BINS = 10
MAX_CRITERIA = 200
"""Criteria with figures of their own; rows that each bring their own criteria could name any number of them."""

OTHERS = "(others)"
PASS_SCORE = 0.5
MIN_FOR_INTERVAL = 10
Z_95 = 1.959964
"""The normal distribution has 95 % of its mass within so many standard deviations."""


@dataclass(slots=True)
class Spread:
    """Running mean and standard deviation (Welford's method), least and largest value."""

    n: int = 0
    mean: float = 0.0
    min: float = math.inf
    max: float = -math.inf
    _squares: float = 0.0

    def add(self, value: float) -> None:
        """Take one value in."""
        self.n += 1
        step = value - self.mean
        self.mean += step / self.n
        self._squares += step * (value - self.mean)
        self.min, self.max = min(self.min, value), max(self.max, value)

    @property
    def std(self) -> float | None:
        """Standard deviation with n - 1; None for fewer than two values."""
        return math.sqrt(self._squares / (self.n - 1)) if self.n > 1 else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of the mean by the normal approximation; None for fewer than ten values, where that is none."""
        if self.std is None or self.n < MIN_FOR_INTERVAL:
            return None
        half = Z_95 * self.std / math.sqrt(self.n)
        return self.mean - half, self.mean + half


def wilson(passed: int, n: int) -> tuple[float, float]:
    """95 % interval of a rate, for n > 0; "Probable Inference, the Law of Succession, and Statistical Inference"."""
    rate, z2 = passed / n, Z_95**2
    middle = (rate + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * math.sqrt(rate * (1 - rate) / n + z2 / (4 * n * n))
    return max(middle - half, 0.0), min(middle + half, 1.0)


@dataclass(slots=True)
class CriterionSummary:
    """One criterion over all rows: scores, passes (score of at least 0.5), failed verdicts."""

    scores: Spread = field(default_factory=Spread)
    passed: int = 0
    failed: int = 0

    def row(self) -> dict[str, Any]:
        """For ``--json``; rates are None where no row has a score."""
        n = self.scores.n
        return {
            "n": n,
            "pass_rate": _rounded(self.passed / n) if n else None,
            "pass_rate_95": [_rounded(bound) for bound in wilson(self.passed, n)] if n else None,
            "mean": _rounded(self.scores.mean) if n else None,
            "failed": self.failed,
        }


@dataclass(slots=True)
class Summary:
    """Figures over all rows of the output file, of this run and of the ones it goes on from.

    Attributes:
        rows: rows in the output.
        resumed: of these, the ones that were there before.
        no_reward: rows without a reward; the exit code is 1 when there are any.
        histogram: rewards in ten equal bins of [0, 1], the last one closed; ``below`` and ``above`` count the rest.
        interrupted: the run was stopped before its end, by a signal.
        stopped: why it ended by itself before its end: a budget is spent, a server stays away; None where it did not.
        go_on: how people resume it then.
        wall_s: seconds of this run.
    """

    rows: int = 0
    resumed: int = 0
    no_reward: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    reward: Spread = field(default_factory=Spread)
    histogram: list[int] = field(default_factory=lambda: [0] * BINS)
    below: int = 0
    above: int = 0
    criteria: dict[str, CriterionSummary] = field(default_factory=dict)
    agreement: Spread = field(default_factory=Spread)
    checked: Counter[str] = field(default_factory=Counter)
    closed: int = 0
    out_of_domain: int = 0
    panel: PanelSummary = field(default_factory=PanelSummary)
    usage: Counter[str] = field(default_factory=Counter)
    cost_usd: float | None = None
    interrupted: bool = False
    stopped: str | None = None
    go_on: str = ""
    wall_s: float = 0.0

    def add(self, row: Mapping[str, Any], *, resumed: bool = False) -> None:
        """Take one output row in."""
        self.rows += 1
        self.resumed += resumed
        self.statuses[row["status"]] += 1
        if row["error"] is not None:
            self.errors[row["error"]["category"]] += 1
        if row["reward"] is None:
            self.no_reward += 1
        else:
            self._add_reward(row["reward"])
        for name, result in row["criteria"].items():
            self._add_criterion(name, result)
        self.panel.add(row)
        self.out_of_domain += any(result.get("in_domain") is False for result in row["criteria"].values())
        for name, value in row["usage"].items():
            if name == "cost_usd":
                self.cost_usd = self.cost_usd if value is None else (self.cost_usd or 0.0) + value
            else:
                self.usage[name] += value

    def _add_reward(self, reward: float) -> None:
        self.reward.add(reward)
        if reward < 0:
            self.below += 1
        elif reward > 1:
            self.above += 1
        else:
            self.histogram[min(int(reward * BINS), BINS - 1)] += 1

    def _add_criterion(self, name: str, result: Mapping[str, Any]) -> None:
        key = name if name in self.criteria or len(self.criteria) < MAX_CRITERIA else OTHERS
        summary = self.criteria.setdefault(key, CriterionSummary())
        if result["score"] is None:
            summary.failed += 1
        else:
            summary.scores.add(result["score"])
            summary.passed += result["score"] >= PASS_SCORE
        if len(result.get("votes", ())) > 1 and result.get("agreement") is not None:
            self.agreement.add(result["agreement"])
        if "checked" in result:
            self.checked[result["checked"]] += 1
        self.closed += result.get("closed", 0)

    @property
    def rows_per_s(self) -> float | None:
        """Rows of this run in a second."""
        return (self.rows - self.resumed) / self.wall_s if self.wall_s > 0 else None

    @property
    def unfinished(self) -> bool:
        """The same command has to go on."""
        return self.interrupted or self.stopped is not None

    @property
    def exit_code(self) -> int:
        """0 every row has a reward, 1 some have none, 130 interrupted or stopped."""
        return 130 if self.unfinished else 1 if self.no_reward else 0

    def row(self) -> dict[str, Any]:
        """The summary as one JSON object."""
        n = self.reward.n
        return {
            "rows": self.rows,
            "resumed": self.resumed,
            "no_reward": self.no_reward,
            "statuses": {name: self.statuses[name] for name in ("ok", "partial", "failed")},
            "errors": dict(sorted(self.errors.items())),
            "reward": {
                "n": n,
                "mean": _rounded(self.reward.mean) if n else None,
                "mean_95": [_rounded(bound) for bound in self.reward.interval or ()] or None,
                "std": _rounded(self.reward.std),
                "min": self.reward.min if n else None,
                "max": self.reward.max if n else None,
                "histogram": list(self.histogram),
                "below": self.below,
                "above": self.above,
            },
            "criteria": {name: summary.row() for name, summary in self.criteria.items()},
            "agreement": _rounded(self.agreement.mean) if self.agreement.n else None,
            "checked": {name: self.checked[name] for name in ("agree", "disagree")},
            "closed_critiques": self.closed,
            "out_of_domain": self.out_of_domain,
            **({"panel": panel} if (panel := self.panel.row()) else {}),
            "usage": {**self.usage, "cost_usd": self.cost_usd},
            "interrupted": self.interrupted,
            "stopped": self.stopped,
            "wall_s": round(self.wall_s, 3),
            "rows_per_s": _rounded(self.rows_per_s),
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
