import inspect
import json
import math

import numpy as np
import pytest

from genrm.rewards import shaping
from genrm.rewards.shaping import Parameter, find_shape, shape, shapes

ENTRIES = list(shapes().values())


@pytest.fixture
def own(monkeypatch):
    """A registry that a test may add to."""
    monkeypatch.setattr(shaping, "_SHAPES", dict(shapes()))


def describe(name, parameters=()):
    return shape(name, summary="s", formula="f", missing="m", needs=("score",), parameters=parameters)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_entries_are_complete(entry):
    assert entry.summary.endswith(".")
    assert entry.missing.endswith(".")
    assert entry.formula
    assert entry.needs
    assert entry.paper is None or f'"{entry.paper}"' in entry.function.__doc__
    arrays = [need for need in entry.needs if need not in ("group",)]
    assert len(entry.inputs) == len(arrays) + ("criteria" in entry.needs)
    assert json.loads(json.dumps(entry.row(), allow_nan=False))["name"] == entry.name
    assert "Raises:" in entry.function.__doc__
    assert "Args:" in entry.function.__doc__


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.parameters], ids=lambda entry: entry.name)
def test_parameters_out_of_range_are_refused_by_call_and_by_check(entry):
    scores = np.full((2, 3), 0.5)
    arrays = {
        "reference": scores[..., None],
        "altered": scores[..., None],
        "right": np.ones((2, 3), dtype=bool),
        "lengths": scores,
        "costs": scores,
        "uncertainty": scores,
        "weights": [1.0, 1.0, 1.0],
    }
    given = [
        arrays.get(name, np.full((2, 2, 3), 0.5) if "criteria" in entry.needs else scores) for name in entry.inputs
    ]
    if "group" not in entry.needs or "criteria" in entry.needs:
        assert np.asarray(entry(*given)).size
    for parameter in entry.parameters:
        entry.check({parameter.name: parameter.default})
        for wrong in (math.nan, math.inf, "much", [1.0]):
            with pytest.raises(ValueError, match=parameter.name):
                entry(*given, **{parameter.name: wrong})
            with pytest.raises(ValueError, match=parameter.name):
                entry.check({parameter.name: wrong})


def test_unknown_names_are_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match="no parameter 'temprature'; it has temperature"):
        find_shape("par").check({"temprature": 1.0})
    with pytest.raises(ValueError, match="no shape 'parr'; there are identity"):
        find_shape("parr")


@pytest.mark.parametrize(
    ("parameter", "good", "bad", "text"),
    [
        (Parameter("a", "", low=0, open="low"), [1e-9, 5, np.float32(2)], [0, -1, True, None], "(0, ∞)"),
        (Parameter("a", "", low=0, high=1), [0, 1], [1.1, 10**400], "[0, 1]"),
        (Parameter("a", "", low=0, high=1, open="both", optional=True), [0.5, None], [0, 1], "none | (0, 1)"),
        (Parameter("a", "", choices=(True, False)), [True, False], [1, 0, "true"], "true | false"),
        (Parameter("a", "", choices=("fail", "skip")), ["skip"], ["drop", None], "fail | skip"),
    ],
)
def test_ranges(parameter, good, bad, text):
    assert parameter.range == text
    for value in good:
        parameter.check(value)
    for value in bad:
        with pytest.raises(ValueError, match="not allowed"):
            parameter.check(value)


@pytest.mark.usefixtures("own")
def test_a_function_of_ones_own_stands_beside_the_others():
    @describe("cubed", (Parameter("power", "exponent", low=1),))
    def cubed(scores, *, mask=None, power=3.0):
        return np.asarray(scores) ** power

    entry = find_shape("cubed")
    assert entry.inputs == ("scores",)
    assert entry.parameters[0].default == 3.0
    assert entry([2.0]).tolist() == cubed([2.0]).tolist() == [8.0]
    with pytest.raises(ValueError, match="power: 0"):
        cubed([2.0], power=0)
    with pytest.raises(ValueError, match="registered already"):
        describe("cubed")(lambda scores, *, mask=None: scores)


@pytest.mark.usefixtures("own")
def test_a_description_that_does_not_fit_the_function_is_refused():
    with pytest.raises(ValueError, match="described are"):
        describe("half")(lambda scores, *, mask=None, factor=0.5: scores)
    with pytest.raises(ValueError, match="not allowed"):
        describe("half", (Parameter("factor", "", low=1),))(lambda scores, *, mask=None, factor=0.5: scores)


def test_masks_are_the_only_undescribed_arguments():
    for entry in ENTRIES:
        names = [a.name for a in inspect.signature(entry.function).parameters.values() if a.kind is a.KEYWORD_ONLY]
        assert [n for n in names if "mask" not in n] == [p.name for p in entry.parameters]
        assert "mask" in names


def test_shapes_of_one_score():
    assert find_shape("identity")([0.25, 1.0]).tolist() == [0.25, 1.0]
    assert find_shape("affine")([0.0, 1.0], scale=2.0, offset=-1.0).tolist() == [-1.0, 1.0]
    assert np.isnan(find_shape("affine")([np.nan], mask=np.array([False]), offset=1.0)).all()
