"""Arrays with holes, and groups of samples: the ground that all shapes stand on.

    >>> batch = to_groups([1.0, 2.0, 5.0], ["a", "b", "a"])
    >>> batch.values.tolist(), batch.mask.tolist()
    ([[1.0, 5.0], [2.0, nan]], [[True, True], [True, False]])
    >>> batch.back(batch.values * 10).tolist()
    [10.0, 20.0, 50.0]

One convention for what is missing: ``mask``, True = present. What stands under False is never read, and comes out as
NaN. A present value must be a finite number.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]

# A spread this small beside the values themselves is rounding, not a difference.
FLAT = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Masked:
    """Values and which of them are present; absent ones are NaN."""

    values: Floats
    mask: Bools


@dataclass(frozen=True, slots=True, eq=False)
class Grouped:
    """Samples laid out by group, with the way back.

    Attributes:
        values: shape (groups, samples), NaN where there is none; groups in order of first sight.
        mask: the same shape; True where a present sample stands.
        rows, columns: shape (n,), where each sample went.
    """

    values: Floats
    mask: Bools
    rows: Ints
    columns: Ints

    def like(self, values: ArrayLike, mask: ArrayLike | None = None) -> Masked:
        """Other values of the same samples, shape (n,) or (n, …), laid out in the same way."""
        flat = read(values, mask)
        out = np.full(self.values.shape + flat.values.shape[1:], np.nan)
        out[self.rows, self.columns] = flat.values
        present = np.zeros(out.shape, dtype=bool)
        present[self.rows, self.columns] = flat.mask
        return Masked(out, present)

    def back(self, values: ArrayLike) -> Floats:
        """Values of shape (groups, samples) in the order in which the samples came, shape (n,)."""
        return np.asarray(values, dtype=np.float64)[self.rows, self.columns]


def to_groups(scores: ArrayLike, groups: Sequence[Hashable], mask: ArrayLike | None = None) -> Grouped:
    """Lay samples out as (groups, samples) by the id of their group.

    Args:
        scores: shape (n,); finite where present.
        groups: the id of each sample's group, n of them: text, numbers, whatever can be a dict's key.
        mask: shape (n,), True = present.

    Raises:
        ValueError: the lengths differ, or a present score is not finite.
    """
    flat = read(scores, mask)
    if flat.values.ndim != 1 or len(groups) != flat.values.size:
        raise ValueError(f"one group id per score is needed, found {len(groups)} for scores of {flat.values.shape}")
    numbers: dict[Hashable, int] = {}
    rows = np.fromiter((numbers.setdefault(group, len(numbers)) for group in groups), dtype=np.intp, count=len(groups))
    sizes = np.bincount(rows, minlength=len(numbers))
    order = np.argsort(rows, kind="stable")
    columns = np.empty_like(rows)
    columns[order] = np.arange(rows.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    shape = (len(numbers), int(sizes.max()) if sizes.size else 0)
    values, present = np.full(shape, np.nan), np.zeros(shape, dtype=bool)
    values[rows, columns], present[rows, columns] = flat.values, flat.mask
    return Grouped(values, present, rows, columns)


def read(values: ArrayLike, mask: ArrayLike | None = None, name: str = "scores", *, axes: int = 0) -> Masked:
    """Values as an array with its mask; what is masked becomes NaN.

    Args:
        values: any shape with at least ``axes`` axes.
        mask: a shape that broadcasts to that of ``values``; everything is present without one.
        name: what the values are, for the message.
        axes: how many axes they have at least.

    Raises:
        ValueError: a present value is None, NaN or infinite, the mask is not boolean, or shapes do not fit.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim < axes:
        raise ValueError(f"{name} have at least {axes} axes, found the shape {array.shape}")
    if mask is None:
        if not np.isfinite(array).all():
            raise ValueError(f"{name} hold None, NaN or infinity; say with mask=… (True = present) what is missing")
        return Masked(array, np.ones(array.shape, dtype=bool))
    present = np.asarray(mask)
    if present.dtype != np.bool_:
        raise ValueError(f"a mask of {name} is an array of booleans, True = present; found {present.dtype}")
    try:
        present = np.broadcast_to(present, array.shape)
    except ValueError:
        raise ValueError(f"the mask of {name} has the shape {present.shape}, they have {array.shape}") from None
    if not np.isfinite(array[present]).all():
        raise ValueError(f"{name} hold None, NaN or infinity where the mask says that they are present")
    return Masked(np.where(present, array, np.nan), present)


def same_shape(first: Masked, second: Masked, names: str) -> Bools:
    """The mask of where both are present.

    Raises:
        ValueError: the shapes differ.
    """
    if first.values.shape != second.values.shape:
        raise ValueError(f"{names} have one shape, found {first.values.shape} and {second.values.shape}")
    return first.mask & second.mask


def count(mask: Bools) -> Ints:
    """How many are present along the last axis, which stays with length 1."""
    return np.asarray(mask.sum(axis=-1, keepdims=True), dtype=np.intp)


def mean(values: Floats, mask: Bools) -> Floats:
    """Mean of what is present along the last axis (kept, length 1); NaN where nothing is.

    The sum is taken of values divided by their number, so that it stays finite up to the largest numbers there are.
    """
    n = count(mask)
    total = np.where(mask, values / np.maximum(n, 1), 0.0).sum(axis=-1, keepdims=True)
    return np.where(n > 0, total, np.nan)


def extent(values: Floats, mask: Bools) -> tuple[Floats, Floats]:
    """Lowest and highest of what is present along the last axis (kept, length 1); NaN where nothing is."""
    some = mask.any(axis=-1, keepdims=True)
    low = np.where(mask, values, np.inf).min(axis=-1, keepdims=True, initial=np.inf)
    high = np.where(mask, values, -np.inf).max(axis=-1, keepdims=True, initial=-np.inf)
    return np.where(some, low, np.nan), np.where(some, high, np.nan)


def is_flat(values: Floats, mask: Bools) -> Bools:
    """True where what is present along the last axis (kept, length 1) differs by no more than rounding."""
    low, high = extent(values, mask)
    size = np.fmax(np.abs(low), np.abs(high))
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(~(high - low > FLAT * size))


def centred(values: Floats, mask: Bools) -> tuple[Floats, Floats]:
    """``(value - mean) / unit`` and the unit, per group along the last axis: deviations that no square overflows.

    The unit is the largest deviation of the group, so deviations lie in [-1, 1]; where it is 0 they are 0.
    """
    deviation = values - mean(values, mask)
    unit = np.where(mask, np.abs(deviation), 0.0).max(axis=-1, keepdims=True, initial=0.0)
    return np.where(mask, deviation / np.where(unit > 0, unit, 1.0), 0.0), unit


def minmax(values: Floats, mask: Bools, flat: float) -> Floats:
    """``(value - lowest) / (highest - lowest)`` along the last axis; ``flat`` where that is 0 / 0."""
    low, high = extent(values, mask)
    level = is_flat(values, mask)
    # In units of the largest, so that the difference of two very large or very small numbers stays one.
    unit = np.where(level, 1.0, np.fmax(np.abs(low), np.abs(high)))
    bottom, top = np.where(level, 0.0, low / unit), np.where(level, 1.0, high / unit)
    # What is masked may be out of all proportion to the unit, and is not looked at.
    out = (np.where(mask & ~level, values, 0.0) / unit - bottom) / (top - bottom)
    return np.where(mask, np.where(level, flat, out), np.nan)


def fill(values: Floats, undefined: Bools, mask: Bools, fallback: float | None) -> Floats:
    """``values`` with ``fallback`` (None = NaN, no reward) where undefined, and NaN where masked."""
    other = np.nan if fallback is None else fallback
    return np.where(mask, np.where(undefined, other, values), np.nan)
