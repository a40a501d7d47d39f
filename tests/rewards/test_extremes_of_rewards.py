"""Every shape and aggregate at the ends of its parameters and of the scores: no warning, infinity or made-up NaN."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrm.rewards import geometric, log_sigmoid_sum, soft_min
from genrm.rewards.shaping import shapes

TINY = 5e-324
ENTRIES = list(shapes().values())
CELLS = st.one_of(st.floats(0, 1), st.sampled_from([0.0, TINY, 1e-310, 1e-17, 0.5, 1 - 2**-53, 1.0]))
MANY = settings(max_examples=120, deadline=None)


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def ends(parameter):
    """Values at and next to the ends of a parameter's range."""
    if parameter.choices:
        return list(parameter.choices)
    low = max(parameter.low, -1e300)
    high = min(parameter.high, 1e300)
    found = [low, high, TINY, 1e-300, 1e-9, 1.0, 1e9]
    return [value for value in found if parameter._allows(value)] + ([None] if parameter.optional else [])


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
@MANY
@given(data=st.data())
def test_shapes_give_numbers_at_the_ends_of_their_parameters(entry, data):
    shape = (2, 3, 2) if "criteria" in entry.needs else (2, 3)
    cells = st.lists(CELLS, min_size=math.prod(shape), max_size=math.prod(shape))
    scores = np.array(data.draw(cells)).reshape(shape)
    other = np.array(data.draw(cells)).reshape(shape)
    arrays = {
        "reference": other[..., None],
        "baseline": other[..., None],
        "altered": other[..., None],
        "right": other > 0.5,
        "lengths": other * 1000,
        "costs": other,
        "uncertainty": other,
        "weights": [1.0, -0.5],
    }
    options = {}
    for parameter in entry.parameters:
        if data.draw(st.booleans()):
            options[parameter.name] = data.draw(st.sampled_from(ends(parameter)))
    try:
        found = entry(*(arrays.get(name, scores) for name in entry.inputs), **options)
    except ValueError as refused:
        # Parameters that exclude each other are refused by name.
        if not any(name in str(refused) for name in options):
            raise
        return
    found = np.asarray(found, dtype=np.float64)
    assert not np.isinf(found).any() or entry.name in UNBOUNDED, (options, found)
    if entry.name not in ABSTAINING:
        assert not np.isnan(found).any(), (options, found)


UNBOUNDED = {"lsc"}
"""Shapes whose exact value lies beyond the largest number for a tiny temperature: minus infinity is its limit."""
ABSTAINING = {"abstain", "length_residual", "multi_objective"}
"""Shapes that declare NaN for such samples."""


@MANY
@given(
    st.lists(CELLS, min_size=2, max_size=5),
    st.sampled_from([TINY, 1e-310, 1e-300, 1e-17, 1e-9, 1e-3, 1.0, 1e9, 1e300, 1.7e308]),
    st.lists(st.sampled_from([1.0, -1.0, 1e-300, 1e300, -0.5]), min_size=5, max_size=5),
)
def test_soft_aggregates_at_any_temperature_and_weight(scores, temperature, weights):
    w = weights[: len(scores)]
    good = [1 - s if x < 0 else s for s, x in zip(scores, w, strict=True)]
    soft = soft_min(scores, w, temperature=temperature)
    assert min(good) - 1e-12 <= soft <= max(good) + 1e-12
    assert 0 <= geometric(scores, w) <= 1
    assert log_sigmoid_sum(scores, w, reference=0.5, temperature=temperature) <= 0


def test_soft_min_ends_in_minimum_and_mean():
    scores, w = [0.9, 0.2, 0.4], [1.0, 2.0, 1.0]
    mean = float(np.average(scores, weights=w))
    for temperature in (1e8, 1e15, 1e20, 1e300, 1.7e308):
        assert soft_min(scores, w, temperature=temperature) == pytest.approx(mean, abs=1e-8)
    for temperature in (1e-6, 1e-300, TINY):
        assert soft_min(scores, w, temperature=temperature) == pytest.approx(0.2, abs=1e-5)
    # A light criterion at the bottom costs T times the logarithm of its share, and is not lost in rounding.
    light = soft_min([0.0, 1.0], [1e-20, 1.0], temperature=0.001)
    assert light == pytest.approx(0.001 * math.log(1e20), rel=1e-9)
