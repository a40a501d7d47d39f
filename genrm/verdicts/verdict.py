"""A verdict: one vote on one criterion, with its critique and label distribution, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from genrm.errors import RowError

Read = Literal["label", "critique", "none"]
Checked = Literal["agree", "disagree"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One vote on one criterion.

    Attributes:
        criterion: its id.
        label: what was said; None exactly when ``error`` is set.
        critique: the text before the label.
        p: probability per label, summing to 1; None where the engine shows none (and for checks).
        read: where ``p`` was read: at the score slot ("label"), at the tokens inside the critique that decide
            ("critique"), or nowhere.
        outside: probability mass outside the legal labels at the score slot, where known.
        token_p: probability of each token of the critique, where the engine shows them.
        closed: the critique reached its budget and was closed.
        checked: whether code agrees with what the critique says it extracted; None when nothing could be checked.
        meta: the score that a meta-judge gave this vote, higher is better; None where none did.
        error: why there is no label.
    """

    criterion: str
    label: str | None = None
    critique: str | None = None
    p: Mapping[str, float] | None = None
    read: Read = "none"
    outside: float | None = None
    token_p: tuple[float, ...] = ()
    closed: bool = False
    checked: Checked | None = None
    meta: float | None = None
    error: RowError | None = None
