"""Shapes that need more than one score: rewards of many judged rows at once, from their scores and their fields.

    >>> from genrm.specs.reward import RewardSpec
    >>> spec = RewardSpec.model_validate({"shape": "group_rank"})
    >>> rows = [Shapeable(score, {"group": "q1"}) for score in (0.2, 0.9, 0.4)]
    >>> [made.reward for made in shape_rows(spec, rows)]
    [0.0, 1.0, 0.5]

A live judge sees one row at a time; here all rows of a group are there. ``genrm rewards apply`` (a file) and
:class:`genrm.RewardFunction` (a batch of a trainer) both come through here, so they give the same rewards. A row
without score takes no part and has no reward; an input that is missing raises, and the raw score stands in for nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from genrm.errors import InputError, excerpt
from genrm.rewards.groups import Grouped, to_groups
from genrm.rewards.shaping import Shape, find_shape
from genrm.specs.reward import RewardSpec
from genrm.specs.shape import FIELDS

PER_STEP = frozenset({"step_clip", "step_delta", "step_min_credit"})
"""Shapes with a credit for each step; the reward is their sum, and the credits are in the parts."""

LISTS = ("reference", "prompts", "steps", "votes")
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Shapeable:
    """One row.

    Attributes:
        score: before the shape; None where the row was not judged.
        fields: of the row, by name; paths of ``inputs`` lead into them.
        criteria: scores of the criteria at the top, for ``multi_objective``; None where one is missing.
        name: of the row, for messages.
    """

    score: float | None
    fields: Mapping[str, Any]
    criteria: tuple[float | None, ...] = ()
    name: str = "row"


@dataclass(frozen=True, slots=True)
class Shaped:
    """The reward (None: the shape gives none, as it documents) and what else the shape says about the row."""

    reward: float | None
    parts: Mapping[str, Any]


def shape_rows(spec: RewardSpec, rows: Sequence[Shapeable], *, weights: Sequence[float] = ()) -> list[Shaped]:
    """The rewards of all rows, in order.

    Args:
        spec: with the shape and the fields of its inputs.
        rows: all rows of every group.
        weights: of the criteria at the top, negative for a fault; for ``multi_objective``.

    Raises:
        InputError: a row lacks an input, or it is no value that the shape takes; the message names row and field.
    """
    name, parameters = spec.shaping
    shape = find_shape(name)
    needs = shape.needs
    present = [index for index, row in enumerate(rows) if _takes_part(row, needs)]
    found = [Shaped(None, {})] * len(rows)
    if not present:
        return found
    chosen = [rows[index] for index in present]
    read: dict[str, list[Any]] = {n: [_read(spec, n, row) for row in chosen] for n in needs if n in FIELDS}
    try:
        made = _values(shape, parameters, chosen, read, weights)
    except ValueError as error:
        raise InputError(f"shape {name}: {error}") from None
    for index, one in zip(present, made, strict=True):
        found[index] = one
    return found


def field_of(spec: RewardSpec, need: str) -> str:
    """The field of the row that an input is read from."""
    return spec.inputs.get(need, FIELDS[need])


def _takes_part(row: Shapeable, needs: Sequence[str]) -> bool:
    if "criteria" in needs:
        return any(score is not None for score in row.criteria)
    return row.score is not None


def _values(
    shape: Shape,
    parameters: Mapping[str, Any],
    rows: Sequence[Shapeable],
    read: Mapping[str, list[Any]],
    weights: Sequence[float],
) -> list[Shaped]:
    scores = np.array([math.nan if row.score is None else row.score for row in rows])
    grouped = None if "group" not in read else to_groups(np.zeros(len(rows)), read["group"])
    lay: Callable[[Any], Any] = (lambda flat: flat) if grouped is None else lambda flat: _laid(grouped, flat)
    arrays: list[Any] = []
    options: dict[str, Any] = dict(parameters)
    if grouped is not None:
        options["mask"] = grouped.mask
    # `group` has no array of its own, and `criteria` has two.
    for need, argument in zip((n for n in shape.needs if n != "group"), shape.inputs, strict=False):
        if need == "score":
            arrays.append(lay(scores))
        elif need == "criteria":
            table = np.array([[math.nan if s is None else s for s in row.criteria] for row in rows])
            laid = lay(table)
            arrays += [laid, list(weights)]
            options["mask"] = ~np.isnan(laid)
        elif need in LISTS:
            values, mask = _padded(read[need])
            arrays.append(lay(values))
            options["mask" if need == shape.needs[0] else f"{argument}_mask"] = lay(mask)
        else:
            arrays.append(lay(np.array(read[need])))
    made = np.asarray(shape(*arrays, **options))
    if grouped is not None:
        # A weight of the group belongs to each of its rows.
        made = made[grouped.rows] if made.ndim == 1 else made[grouped.rows, grouped.columns]
    return [_shaped(shape.name, made[index], scores[index], read, index) for index in range(len(rows))]


def _shaped(name: str, value: Any, score: float, read: Mapping[str, list[Any]], index: int) -> Shaped:
    if name in PER_STEP:
        credits = [float(one) for one in np.atleast_1d(value)[: len(read["steps"][index])]]
        if any(math.isnan(one) for one in credits):
            return Shaped(None, {})
        return Shaped(math.fsum(credits), {"credits": credits})
    if name == "prof":
        # A filter: what is kept has the reward of the verifier, and what is not has none.
        kept = bool(value)
        return Shaped(float(read["outcome"][index]) if kept else None, {"kept": kept})
    if name == "variance_weight":
        weight = float(value)
        return Shaped(None, {}) if math.isnan(weight) else Shaped(weight * float(score), {"weight": weight})
    reward = float(value)
    return Shaped(None if math.isnan(reward) else reward, {})


def _laid(grouped: Grouped, flat: Any) -> Any:
    """Values of shape (n, …) as (groups, samples, …); what no row fills is 0 or False, and masked."""
    array = np.asarray(flat)
    out = np.zeros(grouped.values.shape + array.shape[1:], dtype=array.dtype)
    if array.dtype.kind == "f":
        out[:] = np.nan
    out[grouped.rows, grouped.columns] = array
    return out


def _padded(lists: Sequence[Sequence[float]]) -> tuple[Any, Any]:
    width = max(map(len, lists))
    values, mask = np.full((len(lists), width), np.nan), np.zeros((len(lists), width), dtype=bool)
    for index, one in enumerate(lists):
        known = [value is not None for value in one]
        values[index, : len(one)] = [math.nan if value is None else value for value in one]
        mask[index, : len(one)] = known
    return values, mask


def _read(spec: RewardSpec, need: str, row: Shapeable) -> Any:
    """One input of one row."""
    path = field_of(spec, need)
    value = _at(row.fields, path)
    if need == "group":
        if (value is _ABSENT or value is None) and "group" not in spec.inputs:
            path, value = "prompt", _at(row.fields, "prompt")
        if value is _ABSENT or value is None:
            raise _missing(row, need, path, "the same text or number in all rows of a group")
        return value if isinstance(value, str | int) else json.dumps(value, sort_keys=True, default=repr)
    if value is _ABSENT or value is None:
        raise _missing(row, need, path, "a list of numbers" if need in LISTS else "a value")
    if need == "outcome":
        if isinstance(value, bool):
            return value
        if _is_number(value) and 0 <= value <= 1:
            return value >= 0.5
        raise InputError(f"{row.name}: field {path!r}: true, false or a score is needed, found {excerpt(value)}")
    if need in LISTS:
        numbers = [value] if _is_number(value) else value
        if not isinstance(numbers, list | tuple) or not numbers:
            raise InputError(f"{row.name}: field {path!r}: a list of numbers is needed, found {excerpt(value)}")
        for number in numbers:
            if number is not None and not _is_number(number):
                raise InputError(f"{row.name}: field {path!r}: a list of numbers is needed, found {excerpt(number)}")
        return numbers
    if not _is_number(value):
        raise InputError(f"{row.name}: field {path!r}: a number is needed, found {excerpt(value)}")
    return float(value)


def _missing(row: Shapeable, need: str, path: str, what: str) -> InputError:
    return InputError(
        f"{row.name}: the shape needs {need}, and the row has no field {path!r} ({what}); add it to the rows, or name "
        f"another field in the rubric: reward: {{inputs: {{{need}: FIELD}}}}"
    )


def _at(fields: Mapping[str, Any], path: str) -> Any:
    if path in fields:
        return fields[path]
    value: Any = fields
    for step in path.split("."):
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list | tuple) and step.isascii() and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return _ABSENT
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
