"""The distribution function of the Beta distribution, over arrays, with numpy alone.

>>> beta_cdf(0.25, [1.0, 2.0], [1.0, 1.0]).round(6).tolist()
[0.25, 0.0625]
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_lgamma = np.vectorize(math.lgamma, otypes=[np.float64])


def log_beta(a: ArrayLike, b: ArrayLike) -> Floats:
    """``log B(a, b)`` for a, b > 0, elementwise."""
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    result: Floats = _lgamma(x) + _lgamma(y) - _lgamma(x + y)
    return result


def beta_cdf(x: float, a: ArrayLike, b: ArrayLike, *, steps: int = 300) -> Floats:
    """``P(X <= x)`` for X ~ Beta(a, b), elementwise; 0 below 0 and 1 above 1.

    The continued fraction of the incomplete beta function, on the side of the mean where it converges ("Handbook of
    Mathematical Functions", 26.5.8), by Lentz's method.

    Raises:
        ValueError: a or b is not positive, or x is NaN.
    """
    p, q = np.broadcast_arrays(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64))
    if not ((p > 0) & (q > 0)).all() or math.isnan(x):
        raise ValueError("a and b are positive and x is a number")
    if x <= 0 or x >= 1:
        return np.full(p.shape, float(x >= 1))
    turn = x > (p + 1) / (p + q + 2)
    front = np.exp(p * math.log(x) + q * math.log1p(-x) - log_beta(p, q))
    a1, b1, z = np.where(turn, q, p), np.where(turn, p, q), np.where(turn, 1 - x, x)
    part = front * _fraction(a1, b1, z, steps) / a1
    return np.clip(np.where(turn, 1 - part, part), 0.0, 1.0)


def _fraction(a: Floats, b: Floats, z: Floats, steps: int) -> Floats:
    tiny = 1e-300
    c = np.ones_like(z)
    d = 1 - (a + b) * z / (a + 1)
    d = 1 / np.where(np.abs(d) < tiny, tiny, d)
    value = d.copy()
    for m in range(1, steps + 1):
        for top in (
            m * (b - m) * z / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * z / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 + top * d
            d = 1 / np.where(np.abs(d) < tiny, tiny, d)
            c = 1 + top / c
            c = np.where(np.abs(c) < tiny, tiny, c)
            value = value * (c * d)
        if np.abs(c * d - 1).max() < 1e-12:
            break
    return value
