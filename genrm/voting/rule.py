"""A voting rule by name: what ``vote: {rule: …}`` may say, and its parameter.

    >>> Rule.parse("mean"), Rule.parse({"quantile": 0.25}).parameter
    (Rule('mean'), 0.25)
    >>> Rule.parse({"lcb": 0.5})
    Rule('mean_minus_std', 0.5)

Rules on scores: mean, median, trimmed_mean (share cut from each end), quantile, min, max, sum, log_mean_exp (eta),
mean_minus_var, mean_minus_std and robust (lambda). Rules on labels: majority, soft (mixture of the label
distributions), likelihood and confidence (votes weighted by how likely they were). ``uwo`` and ``lcb`` are other names
of mean_minus_var and mean_minus_std.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

RuleName = Literal[
    "mean",
    "median",
    "trimmed_mean",
    "majority",
    "sum",
    "min",
    "max",
    "quantile",
    "mean_minus_var",
    "mean_minus_std",
    "robust",
    "log_mean_exp",
    "soft",
    "likelihood",
    "confidence",
]
RULES: tuple[RuleName, ...] = get_args(RuleName)
ALIASES: dict[str, RuleName] = {"uwo": "mean_minus_var", "lcb": "mean_minus_std"}
HOW = ("mean", "min", "product")

# Parameter per rule: its default (None: it has to be written), the least and the largest value.
NUMBERS: dict[str, tuple[float | None, float, float]] = {
    "trimmed_mean": (0.25, 0.0, 0.5),
    "quantile": (None, 0.0, 1.0),
    "mean_minus_var": (None, 0.0, math.inf),
    "mean_minus_std": (None, 0.0, math.inf),
    "robust": (None, 0.0, 1.0),
    "log_mean_exp": (None, -math.inf, math.inf),
}

NEEDS_P = frozenset({"soft", "likelihood", "confidence"})
"""Rules that read the label probabilities of each vote."""

OUTSIDE = frozenset({"sum", "mean_minus_var", "mean_minus_std"})
"""Rules whose value may leave the range of the scores."""


@dataclass(frozen=True, slots=True, repr=False)
class Rule:
    """A rule and its parameter; make one with :meth:`parse`, which checks both."""

    name: RuleName
    parameter: float | str | None = None

    def __repr__(self) -> str:
        return f"Rule({self.name!r})" if self.parameter is None else f"Rule({self.name!r}, {self.parameter!r})"

    @property
    def number(self) -> float:
        """The parameter of a rule that has a number."""
        if not isinstance(self.parameter, (int, float)):
            raise ValueError(f"rule {self.name} has no number; write it as {{{self.name}: NUMBER}}")
        return float(self.parameter)

    def written(self) -> str | dict[str, Any]:
        """As a rubric file says it, in the one form that all equal rules share."""
        return self.name if self.parameter is None else {self.name: self.parameter}

    @classmethod
    def parse(cls, written: str | Mapping[str, Any] | Rule) -> Rule:
        """From a name, or a mapping of one name to its parameter.

        Raises:
            ValueError: there is no such rule, or its parameter is missing or out of range.
        """
        if isinstance(written, Rule):
            return written
        if isinstance(written, Mapping):
            if len(written) != 1:
                raise ValueError(f"a rule has one name, found {dict(written)}; write for example {{quantile: 0.25}}")
            [(name, given)] = written.items()
        else:
            name, given = written, None
        full = ALIASES.get(str(name), name)
        if full not in RULES:
            raise ValueError(f"rule {name!r} is unknown; use one of {', '.join(RULES)}")
        return cls(full, _parameter(full, given))

    @classmethod
    def of_text(cls, text: str) -> Rule:
        """From a command line: ``mean``, ``quantile:0.25`` or ``likelihood:min``.

        Raises:
            ValueError: as :meth:`parse`.
        """
        name, colon, given = text.replace("=", ":").partition(":")
        if not colon:
            return cls.parse(name.strip())
        try:
            number: float | str = float(given)
        except ValueError:
            number = given.strip()
        return cls.parse({name.strip(): number})


def _parameter(name: str, given: Any) -> float | str | None:
    if name == "likelihood":
        if given is None:
            return "mean"
        if given not in HOW:
            raise ValueError(f"likelihood combines token probabilities by {', '.join(HOW)}, found {given!r}")
        return str(given)
    if name not in NUMBERS:
        if given is not None:
            raise ValueError(f"rule {name} has no parameter, found {given!r}; write rule: {name}")
        return None
    default, low, high = NUMBERS[name]
    if given is None:
        if default is None:
            raise ValueError(f"rule {name} needs a number; write it as {{{name}: 0.5}}")
        return default
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not math.isfinite(given):
        raise ValueError(f"rule {name} needs a finite number, found {given!r}; write it as {{{name}: 0.5}}")
    if not low <= given <= high or (name == "trimmed_mean" and given == high):
        raise ValueError(f"the number of {name} lies from {low:g} to {high:g}, found {given:g}")
    return float(given)
