"""Shapes of one score by itself.

>>> float(affine(0.75, scale=2.0, offset=-1.0))
0.5
"""

from __future__ import annotations

from numpy.typing import ArrayLike

from genrm.rewards.groups import Floats, read
from genrm.rewards.shaping import Parameter, shape


@shape(
    "identity",
    summary="The score as it is: the default of a rubric.",
    formula="r",
    missing="A masked score is NaN.",
    needs=("score",),
)
def identity(scores: ArrayLike, *, mask: ArrayLike | None = None) -> Floats:
    """``r``.

    Args:
        scores: any shape, finite.
        mask: the shape of ``scores``; True = present. Masked entries come out as NaN.

    Raises:
        ValueError: a present score is not finite.
    """
    return read(scores, mask).values


@shape(
    "affine",
    summary="Moves scores to another range, such as [-1, 1] for a trainer that expects signed rewards.",
    formula="scale · r + offset",
    missing="A masked score is NaN.",
    needs=("score",),
    parameters=(
        Parameter("scale", "factor; negative turns the order round"),
        Parameter("offset", "what is added then"),
    ),
)
def affine(scores: ArrayLike, *, mask: ArrayLike | None = None, scale: float = 1.0, offset: float = 0.0) -> Floats:
    """``scale * r + offset``.

    Args:
        scores, mask: as for :func:`identity`.
        scale, offset: finite.

    Raises:
        ValueError: a present score is not finite.
    """
    return scale * read(scores, mask).values + offset
