"""Aggregates in which one bad criterion cannot be bought off by the others. Pure functions over arrays.

    >>> geometric([1.0, 0.25]), minimum([1.0, 0.25]), all_pass([1.0, 0.25])
    (0.5, 0.25, 0.0)
    >>> round(soft_min([1.0, 0.25], temperature=0.2), 3), round(log_sigmoid_sum([1.0, 0.25], reference=0.5), 3)
    (0.384, -1.3)

Scores have the shape (…, criteria) and lie in [0, 1]; of a fault (weight below 0) it is the absence, ``1 - score``,
that counts: g below. ``mask`` is True where a score is present.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from genrm.rewards.cells import Cells, Rewards, cells, ratio, total, unwrap

LARGE = 1e8
"""Beyond this temperature mean and variance are all that is left of a soft minimum of scores in [0, 1]."""


def all_pass(
    scores: ArrayLike, weights: ArrayLike | None = None, mask: ArrayLike | None = None, *, threshold: float = 0.5
) -> Rewards:
    """1 if ``g >= threshold`` for every criterion, 0 if one fails.

    A missing criterion is not taken for a pass: without a failing one the reward is then NaN.

    Args:
        scores: shape (…, n), in [0, 1].
        weights: shape (n,) or (…, n): only the sign counts, and 0 leaves a criterion out.
        mask: True = present.
        threshold: the lowest g that passes.

    Returns:
        Shape (…), each 0, 1 or NaN.

    Raises:
        ValueError: shapes differ, a value is out of range, or no weight differs from 0.
    """
    c = _checked(scores, weights, mask)
    failed = (c.counting & (c.good < threshold)).any(axis=-1)
    known = (c.present | (c.weights == 0)).all(axis=-1)
    return unwrap(np.where(failed, 0.0, np.where(known, 1.0, np.nan)))


def geometric(scores: ArrayLike, weights: ArrayLike | None = None, mask: ArrayLike | None = None) -> Rewards:
    """The weighted geometric mean ``exp(sum |w| ln g / sum |w|)``, in [0, 1]; 0 as soon as one g is 0.

    Never above the weighted mean. Missing criteria are left out; NaN where all are missing.

    Args:
        scores: shape (…, n), in [0, 1].
        weights: shape (n,) or (…, n), finite.
        mask: True = present.

    Raises:
        ValueError: shapes differ, a value is out of range, or no weight differs from 0.
    """
    c = _checked(scores, weights, mask)
    zero = (c.counting & (c.good == 0)).any(axis=-1)
    logs = np.log(np.where(c.counting & (c.good > 0), c.good, 1.0))
    return unwrap(np.where(zero, 0.0, np.exp(ratio(total(c.size * logs), total(c.size)))))


def minimum(scores: ArrayLike, weights: ArrayLike | None = None, mask: ArrayLike | None = None) -> Rewards:
    """The smallest g, in [0, 1]. "MaxMin-RLHF: Alignment with Diverse Human Preferences" takes it over groups.

    Weights count by their sign alone. Missing criteria are left out, which makes the result an upper bound; NaN
    where all are missing.

    Raises:
        ValueError: shapes differ, a value is out of range, or no weight differs from 0.
    """
    c = _checked(scores, weights, mask)
    lowest = np.min(np.where(c.counting, c.good, np.inf), axis=-1)
    return unwrap(np.where(np.isinf(lowest), np.nan, lowest))


def soft_min(
    scores: ArrayLike, weights: ArrayLike | None = None, mask: ArrayLike | None = None, *, temperature: float = 0.1
) -> Rewards:
    """``-T ln(sum |w| exp(-g / T) / sum |w|)``: between the minimum (T near 0) and the weighted mean (T large).

    The smooth form of the minimum of "MaxMin-RLHF: Alignment with Diverse Human Preferences". A mean with weights
    exp(-g / T), which also goes by the name, falls when an already good criterion gets better; this form never does.

    Args:
        scores: shape (…, n), in [0, 1].
        weights: shape (n,) or (…, n), finite.
        mask: True = present; missing criteria are left out.
        temperature: T above 0, in units of the score.

    Returns:
        Shape (…), in [0, 1]; NaN where all are missing.

    Raises:
        ValueError: the temperature is not above 0, shapes differ, a value is out of range, or all weights are 0.
    """
    _positive(temperature)
    c = _checked(scores, weights, mask)
    lowest = np.min(np.where(c.counting, c.good, np.inf), axis=-1)
    base = np.where(np.isinf(lowest), 0.0, lowest)
    # Seen from the lowest score no exponent is above 0, so nothing overflows.
    with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
        away = np.where(c.counting, c.good, base[..., None]) - base[..., None]
        # log1p and expm1 keep the digits where all terms are near 1; the plain logarithm keeps a lowest score of little
        # weight where they are not; and T times a number near 0 is lost altogether where 1 / T is near rounding.
        relative = ratio(total(c.size * np.expm1(-away / temperature)), total(c.size))
        near = base - temperature * np.log1p(relative)
        logs = np.where(c.counting, np.log(np.where(c.counting, c.size, 1.0)) - away / temperature, -np.inf)
        top = logs.max(axis=-1, initial=-np.inf)
        far = base - temperature * (top + np.log(total(np.exp(logs - top[..., None]))) - np.log(total(c.size)))
        mean = base + ratio(total(c.size * away), total(c.size))
        spread = ratio(total(c.size * (away - (mean - base)[..., None]) ** 2), total(c.size))
        series = mean - spread / 2 / temperature
        soft = np.where(temperature > LARGE, series, np.where(relative > -0.5, near, far))
    return unwrap(np.where(np.isinf(lowest), np.nan, np.clip(soft, base, 1.0)))


def log_sigmoid_sum(
    scores: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reference: ArrayLike | None = None,
    temperature: float = 1.0,
) -> Rewards:
    """``sum |w| ln sigmoid((g - g_ref) / T)``, at most 0: a soft AND of "better than the reference".

    "Transforming and Combining Rewards for Aligning Large Language Models". Each term saturates once its criterion
    is clearly better than the reference, while a criterion far below costs without bound, so one bad criterion
    dominates. The weights are used as given, so they set the scale of the reward.

    Args:
        scores: shape (…, n). Any finite numbers are fine: raw rewards as in the paper, or scores in [0, 1].
        weights: shape (n,) or (…, n), finite; of a fault the sign of ``score - reference`` is turned.
        mask: True = present. A sum cannot do without a term: left out it would count as perfect. So a missing
            criterion leaves NaN.
        reference: the score of a reference response, or of a typical response of the base policy: a number, or
            shape (n,) or (…, n).
        temperature: T above 0; small values make the AND sharper.

    Returns:
        Shape (…), at most 0; NaN where a criterion is missing.

    Raises:
        ValueError: the reference is missing or not finite, the temperature is not above 0, or shapes differ.
    """
    if reference is None:
        raise ValueError(
            "log_sigmoid_sum compares with a reference score, and there is none; give reference= (the score of a "
            "reference response) or use another aggregate, such as geometric"
        )
    _positive(temperature)
    s = np.asarray(scores, dtype=np.float64)
    w = np.ones(s.shape[-1:]) if weights is None else np.asarray(weights, dtype=np.float64)
    ref = np.asarray(reference, dtype=np.float64)
    present = np.ones(s.shape, dtype=np.bool_) if mask is None else np.asarray(mask, dtype=np.bool_)
    s, w, ref, present = np.broadcast_arrays(s, w, ref, present)
    if not np.isfinite(ref).all() or not np.isfinite(w).all() or not np.isfinite(s[present]).all():
        raise ValueError("scores, weights and reference are finite numbers; leave missing scores out with mask=")
    with np.errstate(over="ignore"):
        margin = np.where(w < 0, -1.0, 1.0) * (np.where(present, s, ref) - ref) / temperature
        terms = np.where(w == 0, 0.0, -np.abs(w) * np.logaddexp(0.0, -margin))
        value = total(terms)
    known = (present | (w == 0)).all(axis=-1)
    return unwrap(np.where(known, value, np.nan))


def _checked(scores: ArrayLike, weights: ArrayLike | None, mask: ArrayLike | None) -> Cells:
    c = cells(scores, weights, mask)
    if not (c.weights != 0).any(axis=-1).all():
        raise ValueError("no criterion has a weight other than 0, so nothing counts; give one a weight")
    return c


def _positive(temperature: float) -> None:
    if not (np.isfinite(temperature) and temperature > 0):
        raise ValueError(f"a temperature is a finite number above 0, found {temperature}; for 0 take the minimum")
