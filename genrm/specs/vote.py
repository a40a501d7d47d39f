"""``vote:`` of a rubric: how many verdicts a sample gets, and how they become one.

    >>> Vote.model_validate({"n": 5, "rule": {"quantile": 0.25}}).asked
    5
    >>> Vote.model_validate({"min": 3, "max": 16, "stop": 0.95, "rule": "majority"}).adaptive
    True
    >>> Vote.model_validate({"n": 8, "keep_best": {"k": 3, "by": "confidence"}}).keep_best.k
    3

``docs/voting.md`` says what the rules compute.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, Strict, field_validator, model_validator

from genrm.specs.faults import closest, wrong
from genrm.specs.scale import FiniteFloat

Count = Annotated[int, Strict()]
MAX_VOTES = 256

VoteRule = Literal[
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
RULES: tuple[str, ...] = get_args(VoteRule)
ALIASES = {"uwo": "mean_minus_var", "lcb": "mean_minus_std"}

# Rules with a number: its default (None: it has to be written), the least and the largest value.
RULE_NUMBERS: dict[str, tuple[float | None, float, float]] = {
    "trimmed_mean": (0.25, 0.0, 0.5),
    "quantile": (None, 0.0, 1.0),
    "mean_minus_var": (None, 0.0, math.inf),
    "mean_minus_std": (None, 0.0, math.inf),
    "robust": (None, 0.0, 1.0),
    "log_mean_exp": (None, -math.inf, math.inf),
}
LIKELIHOODS = ("mean", "min", "product")

BY = ("confidence", "likelihood", "margin", "meta")
"""What votes can be filtered by: what each carries itself, or the score that a meta-judge gave it."""

FIXED_ONLY = ("sum", "likelihood", "confidence")
"""Rules whose result cannot be foreseen before all votes are in."""


class KeepBest(BaseModel):
    """``keep_best:``: only the k votes with the highest score count; the others are kept in the row.

    Attributes:
        k: how many.
        by: ``confidence`` (1 - entropy of the vote's label distribution / log labels), ``margin`` (probability of its
            likeliest label less that of the next), ``likelihood`` (mean probability of its tokens and label), or
            ``meta``: the score that a meta-judge gave the vote.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    k: Count = Field(ge=1, lt=MAX_VOTES)
    by: Literal["confidence", "likelihood", "margin", "meta"]


class Vote(BaseModel):
    """A fixed number of votes, ``n``, or an adaptive one: ``min``, ``max`` and ``stop``.

    Attributes:
        rule: a name, or a mapping of one name to its parameter, in one form for all ways to write it.
        stop: an adaptive vote ends when its decision stands with this probability after ``max`` votes as well.
        tolerance: for rules that give a value: a value that moves by no more is the same decision.
        concentration: of an adaptive vote, how closely the judge's probabilities repeat, measured on other rows
            (``genrm rewards concentration OUT``); votes that repeat are fewer.
        keep_best: a filter before the rule.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n: Count = Field(default=1, ge=1, le=MAX_VOTES)
    rule: str | dict[str, float | str] = "mean"
    temperature: FiniteFloat | None = Field(default=None, ge=0.0, le=2.0)
    min: Count | None = Field(default=None, ge=1, le=MAX_VOTES)
    max: Count | None = Field(default=None, ge=1, le=MAX_VOTES)
    stop: FiniteFloat | None = Field(default=None, gt=0.0, le=1.0)
    tolerance: FiniteFloat | None = Field(default=None, ge=0.0, le=1.0)
    concentration: FiniteFloat | None = Field(default=None, gt=0.0)
    keep_best: KeepBest | None = None

    @field_validator("rule", mode="before")
    @classmethod
    def _rule(cls, rule: Any) -> Any:
        return canonical_rule(rule)

    @model_validator(mode="after")
    def _one_kind(self) -> Vote:
        if self.max is None:
            for key in ("min", "stop", "tolerance", "concentration"):
                if getattr(self, key) is not None:
                    raise wrong(f"{key} says when to stop, but there is no max", "add max: 16, or write n alone")
            if self.keep_best is not None and self.keep_best.k >= self.n:
                raise wrong(
                    f"keep_best keeps {self.keep_best.k} of {self.n} votes, which leaves nothing out",
                    f"write a k below n, or an n above {self.keep_best.k}",
                )
            return self
        if "n" in self.model_fields_set:
            raise wrong(
                "n and max are both there", "write n for a fixed number of votes, min and max for an adaptive one"
            )
        if self.least > self.max:
            raise wrong(f"min {self.least} is more than max {self.max}", f"write a min of at most {self.max}")
        if self.rule_name in FIXED_ONLY:
            raise wrong(
                f"what rule {self.rule_name} gives cannot be foreseen, so no vote can stop early",
                "write n for a fixed number of votes, or use majority, soft or mean",
            )
        if self.keep_best is not None:
            raise wrong(
                "which votes are the best is known when all are in, so none can stop early",
                "write n for a fixed number of votes, or remove keep_best",
            )
        if self.concentration is not None and self.rule_name == "majority":
            raise wrong(
                "concentration is about label probabilities, which majority does not read",
                "remove it, or write rule: soft",
            )
        if self.temperature == 0.0 and self.max > 1:
            raise wrong("at temperature 0 all votes are the same one", "remove temperature, or write a single vote")
        return self

    @property
    def rule_name(self) -> str:
        """The rule without its parameter."""
        return self.rule if isinstance(self.rule, str) else next(iter(self.rule))

    @property
    def weighs_tokens(self) -> bool:
        """Whether votes are weighed or filtered by how likely their tokens were, which a row then has to keep."""
        by = None if self.keep_best is None else self.keep_best.by
        return self.rule_name == "likelihood" or by == "likelihood"

    @property
    def adaptive(self) -> bool:
        """Whether the number of votes depends on what they say."""
        return self.max is not None

    @property
    def asked(self) -> int:
        """The number of votes, the largest one when it is adaptive."""
        return self.n if self.max is None else self.max

    @property
    def least(self) -> int:
        """The fewest votes of an adaptive vote: ``min``, else 3 (or ``max``, if that is less), and 1 for rule soft.

        One label says nothing about the next one; one probability can, and what it leaves open is stated.
        """
        return min(1 if self.rule_name == "soft" else 3, self.asked) if self.min is None else self.min

    def fixed(self, n: int) -> Vote:
        """The same rule with a fixed number of votes."""
        adaptive = dict.fromkeys(("min", "max", "stop", "tolerance", "concentration"))
        return self.model_copy(update={"n": n, **adaptive})

    def sampling_temperature(self, n: int) -> float:
        """The stated temperature, else 0 for a single vote and 0.7 when votes have to differ."""
        if self.temperature is not None:
            return self.temperature
        return 0.0 if n == 1 else 0.7


def canonical_rule(written: Any) -> str | dict[str, float | str]:
    """The one form of a rule: its name, or ``{name: parameter}``.

    Raises:
        ValueError: there is no such rule, or its parameter is missing or out of range; with the fix.
    """
    fix = "write a name such as majority, or a name with its parameter such as {quantile: 0.25}"
    if isinstance(written, Mapping):
        if len(written) != 1:
            raise wrong(f"a rule has one name, found {len(written)}", fix)
        [(name, given)] = written.items()
    else:
        name, given = written, None
    if not isinstance(name, str):
        raise wrong(f"{name!r} is no rule", fix)
    name = ALIASES.get(name, name)
    if name not in RULES:
        guess = closest(name, [*RULES, *ALIASES])
        raise wrong(f"there is no rule {name!r}", f"write {guess!r}" if guess else f"use one of {', '.join(RULES)}")
    if name == "likelihood":
        if given not in (None, *LIKELIHOODS):
            raise wrong(f"likelihood does not know {given!r}", f"write {{likelihood: {' | '.join(LIKELIHOODS)}}}")
        return {name: given or "mean"}
    if name not in RULE_NUMBERS:
        if given is not None:
            raise wrong(f"rule {name} has no parameter", f"write rule: {name}")
        return name
    default, low, high = RULE_NUMBERS[name]
    given = default if given is None else given
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not math.isfinite(given):
        raise wrong(f"rule {name} needs a number", f"write {{{name}: 0.5}}" if name != "trimmed_mean" else "write 0.25")
    if not low <= given <= high or (name == "trimmed_mean" and given == high):
        raise wrong(f"the number of {name} is {given:g}", f"write one from {low:g} to {high:g}")
    return {name: float(given)}


def rule_of_text(text: str) -> str | dict[str, float | str]:
    """A rule as a command line has it: ``majority``, ``quantile:0.25``, ``likelihood:min``.

    Raises:
        ValueError: as :func:`canonical_rule`.
    """
    name, colon, given = text.strip().partition(":")
    if not colon:
        return canonical_rule(name)
    try:
        number: float | str = float(given)
    except ValueError:
        number = given.strip()
    return canonical_rule({name.strip(): number})


def keep_best_of_text(text: str) -> KeepBest:
    """A filter as a command line has it: ``3:confidence``.

    Raises:
        ValueError: it is none; with the fix.
    """
    k, _, by = text.strip().partition(":")
    if not k.strip().isdigit() or not 0 < int(k) < MAX_VOTES or by.strip() not in BY:
        raise wrong(f"{text!r} is no filter of votes", f"write K:BY with BY one of {', '.join(BY)}, as in 3:confidence")
    return KeepBest.model_validate({"k": int(k), "by": by.strip()})
