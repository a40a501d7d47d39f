"""Whether a panel is worth its members: how their errors go together, and whether plain majority is the best rule.

    >>> panel = PanelSummary()
    >>> panel.add({"criteria": {}, "members": []})
    >>> panel.row()
    {}

Computed from the members' labels in the output rows. The truth is not known there: errors are counted against the
panel's own label, and accuracies are estimated by Dawid-Skene with one number per member. Errors that all members share
look like the truth, so correlations are too low and accuracies too high where members are relatives;
``docs/panels.md`` shows the same with given labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from genrm.voting.dawid_skene import dawid_skene
from genrm.voting.optimality import majority_certificate
from genrm.voting.panels import error_correlation, label_errors

MAX_ROWS = 20_000
"""Rows whose labels are kept, from the first on: beyond them figures no longer move."""

MIN_ROWS = 20
"""Rows below which neither correlations nor accuracies mean anything."""

Labels = list[tuple[str | None, tuple[str | None, ...]]]


@dataclass(slots=True)
class PanelSummary:
    """The members' labels by criterion; memory does not grow beyond :data:`MAX_ROWS` rows."""

    names: tuple[str, ...] = ()
    labels: dict[str, Labels] = field(default_factory=dict)

    def add(self, row: Mapping[str, Any]) -> None:
        """Take one output row in; rows of a single judge, and unread ones, have no members."""
        members = row.get("members") or ()
        if not members:
            return
        names = tuple(member["name"] for member in members)
        self.names = self.names or names
        if names != self.names:
            return
        for name, result in row["criteria"].items():
            kept = self.labels.setdefault(name, [])
            if len(kept) < MAX_ROWS:
                said = tuple(member["criteria"].get(name, {}).get("label") for member in members)
                kept.append((result.get("label"), said))

    def row(self) -> dict[str, Any]:
        """For ``--json``: names and, by criterion, correlation and certificate; empty without a panel."""
        found = {name: one for name, rows in self.labels.items() if (one := _criterion(rows))}
        return {"members": list(self.names), "criteria": found} if found else {}


def _criterion(rows: Labels) -> dict[str, Any] | None:
    """None where members cannot differ, or too few rows have been seen."""
    names = sorted({label for own, said in rows for label in (own, *said) if label is not None})
    if len(rows) < MIN_ROWS or len(names) < 2 or len(rows[0][1]) < 2:
        return None
    place = {name: index for index, name in enumerate(names)}
    labels = np.array([[place.get(label or "", -1) for label in said] for _, said in rows])
    present = labels >= 0
    truth = np.array([place.get(own or "", -1) for own, _ in rows])
    codes = np.where(present, labels, 0)
    errors, known = label_errors(codes, np.maximum(truth, 0), mask=present, truth_mask=truth >= 0)
    together = error_correlation(errors, mask=known)
    fit = dawid_skene(codes, len(names), mask=present, model="symmetric")
    accuracy = np.clip(np.einsum("k,mkk->m", fit.prior, fit.confusion), 1e-6, 1 - 1e-6)
    certificate = majority_certificate(accuracy, len(names))
    return {
        "n": len(rows),
        "correlation": [[_number(value) for value in line] for line in together.r],
        "mean_correlation": _number(together.mean),
        "effective_size": _number(together.effective_size),
        "accuracy": [_number(value) for value in accuracy],
        "majority_optimal": certificate.optimal,
        "majority_accuracy": _number(certificate.majority_accuracy),
        "best_accuracy": _number(certificate.best_accuracy),
    }


def _number(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else round(float(value), 6) + 0.0
