"""Scores against other scores of the same prompt: of reference responses, of a baseline, under altered prompts.

    >>> par(0.9, [0.9, 0.9]).item(), contrastive([0.9, 0.1], [[0.5], [0.5]]).tolist()
    (0.5, [0.4, -0.4])

A score says little by itself: judges differ in their level, prompts in their difficulty. All of these need something
to compare with. A sample that has nothing raises, because the raw score would stand on another scale.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from genrm.rewards.groups import Floats, Masked, mean, read
from genrm.rewards.shaping import Parameter, shape

TEMPERATURE = Parameter("temperature", "differences of this size count as 1", low=0, open="low")
NOTHING = "A present score without any reference raises; a masked score is NaN."


@shape(
    "par",
    summary="Bounds the reward by comparing with reference responses: gains fade where hacking would begin.",
    formula="(1/K) Σₖ σ((r − r_ref,k) / temperature)",
    paper="Reward Shaping to Mitigate Reward Hacking in RLHF",
    missing=NOTHING,
    needs=("score", "reference"),
    parameters=(TEMPERATURE,),
)
def par(
    scores: ArrayLike,
    reference: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    reference_mask: ArrayLike | None = None,
    temperature: float = 1.0,
) -> Floats:
    """``mean over k of sigmoid((r - r_ref,k) / temperature)``, in (0, 1); far outside it rounds to 0 or 1.

    "Reward Shaping to Mitigate Reward Hacking in RLHF" (preference as reward). Scores in [0, 1] differ by little:
    a temperature of 0.1 or 0.2 spreads them over the range.

    Args:
        scores: any shape S.
        reference: shape S + (K,), or one that broadcasts to it, such as (groups, 1, K) for scores of
            (groups, samples): scores of K reference responses to the same prompt.
        mask: shape S, True = present; a masked sample comes out as NaN.
        reference_mask: the shape of ``reference``; the mean is over those that are present.
        temperature: above 0.

    Raises:
        ValueError: a present score has no reference, a present value is not finite, or shapes do not fit.
    """
    own, others = _against(scores, reference, mask, reference_mask, "reference scores")
    return mean(sigmoid(_in_units(_differences(own, others.values), temperature)), others.mask)[..., 0]


@shape(
    "lsc",
    summary="Log-probability of being better than the reference; a sum of these over criteria is a soft AND.",
    formula="log σ((r − Q_quantile(r_ref)) / temperature)",
    paper="Transforming and Combining Rewards for Aligning Large Language Models",
    missing=NOTHING,
    needs=("score", "reference"),
    parameters=(TEMPERATURE, Parameter("quantile", "which quantile of the references is the bar", low=0, high=1)),
)
def lsc(
    scores: ArrayLike,
    reference: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    reference_mask: ArrayLike | None = None,
    temperature: float = 1.0,
    quantile: float = 0.5,
) -> Floats:
    """``log sigmoid((r - r_ref) / temperature)``, below 0; rounds to 0 far above the reference.

    "Transforming and Combining Rewards for Aligning Large Language Models": beyond the reference more score brings
    ever less, below it the loss is linear, so that one bad criterion decides a sum over criteria.

    Args:
        scores, reference, mask, reference_mask, temperature: as for :func:`par`.
        quantile: of the K reference scores (linear interpolation); it is the bar ``r_ref``.

    Raises:
        ValueError: as :func:`par`.
    """
    own, others = _against(scores, reference, mask, reference_mask, "reference scores")
    return log_sigmoid(_in_units(_differences(own, _quantile(others, quantile)), temperature))[..., 0]


@shape(
    "contrastive",
    summary="Subtracts what the starting model gets on the same prompt, so that easy prompts bring nothing.",
    formula="r − (1/K) Σₖ r_base,k",
    paper="Improving Reinforcement Learning from Human Feedback Using Contrastive Rewards",
    missing="A present score without any baseline raises; a masked score is NaN.",
    needs=("score", "reference"),
)
def contrastive(
    scores: ArrayLike,
    baseline: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    baseline_mask: ArrayLike | None = None,
) -> Floats:
    """``r - mean over k of r_base,k``: a response as good as the baseline gets 0.

    "Improving Reinforcement Learning from Human Feedback Using Contrastive Rewards".

    Args:
        scores: any shape S.
        baseline: shape S + (K,) or broadcasting to it: scores of K responses of the model before training.
        mask, baseline_mask: True = present.

    Raises:
        ValueError: as :func:`par`.
    """
    own, others = _against(scores, baseline, mask, baseline_mask, "baseline scores")
    return _differences(own, mean(others.values, others.mask))[..., 0]


@shape(
    "text_norm",
    summary="How much the score depends on the prompt: a response that pleases under any prompt loses.",
    formula="exp(r / T) / (exp(r / T) + Σₖ exp(r_alt,k / T)), T = temperature",
    paper="Confidence-aware Reward Optimization for Fine-tuning Text-to-Image Models",
    missing="A present score without any altered prompt raises; a masked score is NaN.",
    needs=("score", "prompts"),
    parameters=(TEMPERATURE,),
)
def text_norm(
    scores: ArrayLike,
    altered: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    altered_mask: ArrayLike | None = None,
    temperature: float = 1.0,
) -> Floats:
    """Softmax share of the true prompt, in (0, 1): ``1 / (K + 1)`` for a response whose score ignores the prompt.

    "Confidence-aware Reward Optimization for Fine-tuning Text-to-Image Models" (TextNorm).

    Args:
        scores: any shape S: the response judged under its own prompt.
        altered: shape S + (K,): the same response judged under K altered prompts. Samples with fewer of them have
            another level; compare only samples with equally many.
        mask, altered_mask: True = present.
        temperature: above 0.

    Raises:
        ValueError: as :func:`par`.
    """
    own, others = _against(scores, altered, mask, altered_mask, "scores under altered prompts")
    excess = -_in_units(_differences(own, others.values), temperature)
    top = np.maximum(np.where(others.mask, excess, -np.inf).max(axis=-1, keepdims=True, initial=-np.inf), 0.0)
    with np.errstate(invalid="ignore"):
        rest = np.where(others.mask, np.exp(np.where(excess == top, 0.0, excess - top)), 0.0)
    share = np.exp(-top) / (np.exp(-top) + rest.sum(axis=-1, keepdims=True))
    return np.where(own.mask[..., None], share, np.nan)[..., 0]


def sigmoid(x: Floats) -> Floats:
    """The logistic function, without overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, small) / (1.0 + small)


def log_sigmoid(x: Floats) -> Floats:
    """Its logarithm, exact where the function itself has become 0."""
    return np.minimum(x, 0.0) - np.log1p(np.exp(-np.abs(x)))


def _differences(own: Masked, others: Floats) -> Floats:
    """``own - others`` along the last axis, NaN where either is missing; infinite beyond the largest number."""
    with np.errstate(over="ignore"):
        return np.asarray(own.values[..., None] - others)


def _in_units(differences: Floats, temperature: float) -> Floats:
    """Differences over the temperature; infinite where that is beyond the largest number, which a sigmoid bears."""
    with np.errstate(over="ignore"):
        return differences / temperature


def _against(
    scores: ArrayLike, reference: ArrayLike, mask: ArrayLike | None, reference_mask: ArrayLike | None, name: str
) -> tuple[Masked, Masked]:
    if reference is None:
        raise ValueError(f"there are no {name}; judge reference responses to the same prompts and pass their scores")
    own, others = read(scores, mask), _references(reference, reference_mask, name)
    try:
        shape = np.broadcast_shapes((*own.values.shape, 1), others.values.shape)
    except ValueError:
        shape = ()
    if shape[:-1] != own.values.shape:
        raise ValueError(f"{name} of {others.values.shape} do not fit scores of {own.values.shape}: add an axis of K")
    wide = (*own.values.shape, others.values.shape[-1])
    present = np.broadcast_to(others.mask, wide) & own.mask[..., None]
    if lost := int((own.mask & ~present.any(axis=-1)).sum()):
        raise ValueError(
            f"{lost} of {int(own.mask.sum())} scores have no {name}; judge reference responses to the same prompts, "
            "or mask these samples"
        )
    return own, Masked(np.broadcast_to(others.values, wide), present)


def _references(reference: ArrayLike, mask: ArrayLike | None, name: str) -> Masked:
    values = np.asarray(reference, dtype=np.float64)
    missing = int((~np.isfinite(values)).sum()) if mask is None else 0
    if missing:
        raise ValueError(
            f"{missing} of {values.size} {name} are None, NaN or infinite; a shape has no reward without them: judge "
            "the reference responses, or say with reference_mask=… (baseline_mask, altered_mask; True = present) "
            "which to leave out"
        )
    return read(values, mask, name, axes=1)


def _quantile(values: Masked, q: float) -> Floats:
    """Quantile of what is present along the last axis (kept, length 1), with linear interpolation."""
    ranked = np.sort(np.where(values.mask, values.values, np.inf), axis=-1)
    n = values.mask.sum(axis=-1, keepdims=True)
    place = q * np.maximum(n - 1, 0)
    low = np.floor(place).astype(np.intp)
    high = np.minimum(low + 1, np.maximum(n - 1, 0))
    share = place - low
    below, above = np.take_along_axis(ranked, low, axis=-1), np.take_along_axis(ranked, high, axis=-1)
    with np.errstate(invalid="ignore"):
        between = np.where(below == above, below, below * (1 - share) + above * share)
    return np.where(n > 0, between, np.nan)
