"""The registry of shapes: every function that turns scores into rewards, with its formula, paper and parameters.

    >>> from genrm.rewards.shaping import shapes
    >>> par = shapes()["par"]
    >>> par.needs, [str(parameter) for parameter in par.parameters]
    (('score', 'reference'), ['temperature = 1 in (0, ∞)'])
    >>> float(par(0.5, [0.5, 0.5]))
    0.5

``@shape`` registers a function, one's own too: it then stands in ``genrm rewards list``. The decorated function
checks its parameters against their ranges before it runs. What it takes besides parameters are arrays, named by its
positional arguments in the order of ``needs``; a ``mask`` (True = present) goes with them.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import wraps
from importlib import import_module
from types import MappingProxyType
from typing import Any, Literal, ParamSpec, SupportsFloat, TypeVar

Need = Literal[
    "score", "reference", "group", "steps", "cost", "length", "outcome", "prompts", "criteria", "votes", "uncertainty"
]
"""What a shape works on. ``score`` alone: one sample at a time. ``reference``: scores of other responses to the same
prompt. ``group``: all samples of a prompt together. ``outcome``: right or wrong, by a verifier. ``prompts``: scores
of the response under altered prompts. ``criteria`` and ``votes``: one score each, before they were combined."""

MODULES = ("identity", "reference", "group", "verified", "length", "steps", "risk")

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number or choice that a shape can be given, with the values that it may have.

    Attributes:
        name: as in the function's signature.
        meaning: what it does, in one clause.
        low, high: the range of a number.
        open: the ends that are not part of the range; ends at infinity never are.
        choices: the values there are, when it is no number.
        optional: None is a value too.
        default: of the function's signature.
    """

    name: str
    meaning: str
    low: float = -math.inf
    high: float = math.inf
    open: Literal["", "low", "high", "both"] = ""
    choices: tuple[str | bool, ...] = ()
    optional: bool = False
    default: float | str | bool | None = None

    @property
    def range(self) -> str:
        """The values it may have: ``(0, 1]``, or ``a | b``."""
        if self.choices:
            text = " | ".join(_plain(choice) for choice in self.choices)
        else:
            left = "(" if self.open in ("low", "both") or math.isinf(self.low) else "["
            right = ")" if self.open in ("high", "both") or math.isinf(self.high) else "]"
            text = f"{left}{_plain(self.low)}, {_plain(self.high)}{right}"
        return f"none | {text}" if self.optional else text

    def __str__(self) -> str:
        return f"{self.name} = {_plain(self.default)} in {self.range}"

    def check(self, value: Any) -> None:
        """Nothing, if the parameter may have this value.

        Raises:
            ValueError: it may not; the message names parameter, value and range.
        """
        if not self._allows(value):
            raise ValueError(f"{self.name}: {value!r} is not allowed; use a value in {self.range}")

    def _allows(self, value: Any) -> bool:
        if value is None:
            return self.optional
        if self.choices:
            return any(value is choice or (isinstance(choice, str) and value == choice) for choice in self.choices)
        # A number of numpy's counts, a truth value or a text that float() would take does not.
        if isinstance(value, (bool, str)) or not isinstance(value, SupportsFloat):
            return False
        try:
            number = float(value)
        except OverflowError:
            return False
        if not math.isfinite(number):
            return False
        above = number > self.low if self.open in ("low", "both") else number >= self.low
        return above and (number < self.high if self.open in ("high", "both") else number <= self.high)


@dataclass(frozen=True, slots=True)
class Shape:
    """One entry of the registry; calling it calls the function.

    Attributes:
        name: as in a rubric's ``reward: {shape: …}`` and in ``genrm rewards show``.
        function: the decorated function.
        paper: the title of the paper that the formula comes from; None for plain arithmetic.
        formula: in one line.
        summary: what it is for, in one sentence.
        missing: what happens when an ingredient is missing.
        needs: what it works on.
        inputs: the names of its array arguments, in the order of ``needs`` (``group`` is no array of its own).
        parameters: what it can be given.
    """

    name: str
    function: Callable[..., Any]
    paper: str | None
    formula: str
    summary: str
    missing: str
    needs: tuple[Need, ...]
    inputs: tuple[str, ...]
    parameters: tuple[Parameter, ...]

    def __call__(self, *arrays: Any, **options: Any) -> Any:
        return self.function(*arrays, **options)

    def check(self, options: Mapping[str, Any]) -> None:
        """Nothing, if the shape can be called with these parameters: for specs, before any score is there.

        Raises:
            ValueError: a parameter is unknown or out of range.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name, value in options.items():
            if name not in known:
                raise ValueError(f"{self.name} has no parameter {name!r}; it has {', '.join(known) or 'none'}")
            known[name].check(value)

    def row(self) -> dict[str, Any]:
        """This entry for programs: plain lists and texts."""
        return {
            "name": self.name,
            "summary": self.summary,
            "formula": self.formula,
            "paper": self.paper,
            "needs": list(self.needs),
            "inputs": list(self.inputs),
            "missing": self.missing,
            "parameters": [
                {"name": p.name, "default": p.default, "range": p.range, "meaning": p.meaning} for p in self.parameters
            ],
            "python": f"{self.function.__module__}.{self.function.__name__}",
        }


_SHAPES: dict[str, Shape] = {}


def shape(
    name: str,
    *,
    summary: str,
    formula: str,
    missing: str,
    needs: tuple[Need, ...],
    paper: str | None = None,
    parameters: tuple[Parameter, ...] = (),
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Register the decorated function under ``name``; see :class:`Shape` for the arguments.

    Keyword arguments of the function are its parameters (their defaults are read from the signature), those with
    ``mask`` in their name are masks, and its positional arguments are arrays.

    Raises:
        ValueError: the name is taken, or the parameters are not those of the signature.
    """

    def register(function: Callable[P, R]) -> Callable[P, R]:
        if name in _SHAPES:
            raise ValueError(f"shape {name!r} is registered already")
        arguments = inspect.signature(function).parameters.values()
        inputs = tuple(a.name for a in arguments if a.kind is a.POSITIONAL_OR_KEYWORD)
        defaults = {a.name: a.default for a in arguments if a.kind is a.KEYWORD_ONLY and "mask" not in a.name}
        if list(defaults) != [parameter.name for parameter in parameters]:
            raise ValueError(f"shape {name!r} takes {list(defaults)}, described are {[p.name for p in parameters]}")
        known = {p.name: _with_default(p, defaults[p.name]) for p in parameters}

        @wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            for key, value in kwargs.items():
                if key in known:
                    known[key].check(value)
            return function(*args, **kwargs)

        _SHAPES[name] = Shape(name, checked, paper, formula, summary, missing, needs, inputs, tuple(known.values()))
        return checked

    return register


def shapes() -> Mapping[str, Shape]:
    """Every shape there is, by name: those of genrm in the order of the documentation, then one's own."""
    homes = [f"genrm.rewards.{module}" for module in MODULES]
    for home in homes:
        import_module(home)
    # Whatever was imported first: the order is that of MODULES.
    place = {home: index for index, home in enumerate(homes)}
    ordered = sorted(_SHAPES.values(), key=lambda entry: place.get(entry.function.__module__, len(place)))
    return MappingProxyType({entry.name: entry for entry in ordered})


def find_shape(name: str) -> Shape:
    """The shape of this name.

    Raises:
        ValueError: there is none; the message lists those that there are.
    """
    known = shapes()
    if name not in known:
        raise ValueError(f"there is no shape {name!r}; there are {', '.join(known)}")
    return known[name]


def _with_default(parameter: Parameter, default: Any) -> Parameter:
    described = replace(parameter, default=default)
    described.check(default)
    return described


def _plain(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return str(value) if isinstance(value, str) or value != int(value) else str(int(value) if value else 0)
