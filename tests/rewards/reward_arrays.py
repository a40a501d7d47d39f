"""What the tests of shapes share: batches with holes, and how to walk through them one sample at a time."""

import math

import numpy as np
from hypothesis import strategies as st

SCORE = st.floats(-5, 5).map(lambda value: round(value, 3))
UNIT = st.floats(0, 1).map(lambda value: round(value, 3))
SIZES = st.tuples(st.integers(1, 4), st.integers(1, 6))


@st.composite
def batches(draw, score=SCORE, extra=()):
    """A batch (values, mask), each of (groups, samples), and one more array per strategy in ``extra``."""
    groups, samples = draw(SIZES)

    def table(strategy):
        return np.array([[draw(strategy) for _ in range(samples)] for _ in range(groups)])

    values, mask = table(score).astype(float), table(st.booleans()).astype(bool)
    return (np.where(mask, values, np.nan), mask, *(table(strategy) for strategy in extra))


def present(values, mask):
    """Per group, the positions and values that are present."""
    return [[(i, row[i]) for i in np.flatnonzero(there)] for row, there in zip(values, mask, strict=True)]


def close(first, second, tolerance=1e-9):
    """True when two arrays agree, NaN with NaN."""
    np.testing.assert_allclose(np.asarray(first, float), np.asarray(second, float), rtol=tolerance, atol=tolerance)
    return True


def blank(values):
    return np.full(np.shape(values), math.nan)
