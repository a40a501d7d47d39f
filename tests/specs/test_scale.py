"""Scales: the written forms, the mapping of labels to [0, 1], and what cannot be a scale."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrm.specs.scale import MAX_LABELS, Scale

values = st.floats(min_value=-1e300, max_value=1e300, allow_nan=False).filter(lambda v: v == 0 or abs(v) > 1e-100)


@st.composite
def label_scales(draw):
    points = draw(st.lists(values, min_size=2, max_size=12, unique=True))
    return Scale.parse([{"label": f"label {n}", "value": value} for n, value in enumerate(points)])


scales = st.one_of(
    st.just(Scale.binary()),
    st.integers(2, 11).map(Scale.likert),
    st.tuples(st.integers(-50, 50), st.integers(1, 100)).map(lambda pair: Scale.numeric(pair[0], sum(pair))),
    label_scales(),
)


@given(scales)
def test_scores_lie_in_the_unit_interval_and_reach_both_ends(scale):
    scores = [scale.score(name) for name in scale.names]
    assert min(scores) == 0.0
    assert max(scores) == 1.0
    assert all(0.0 <= score <= 1.0 for score in scores)


@given(scales)
def test_a_larger_value_never_has_a_smaller_score(scale):
    by_value = sorted(scale.names, key=scale.value)
    scores = [scale.score(name) for name in by_value]
    assert scores == sorted(scores)


@given(scales, st.data())
def test_the_expected_score_lies_between_the_scores_that_have_weight(scale, data):
    raw = data.draw(st.lists(st.floats(0, 1), min_size=len(scale.names), max_size=len(scale.names)).filter(sum))
    p = {name: weight / math.fsum(raw) for name, weight in zip(scale.names, raw, strict=True)}
    carrying = [scale.score(name) for name, weight in p.items() if weight > 0]
    assert min(carrying) - 1e-9 <= scale.expected(p) <= max(carrying) + 1e-9
    assert 0.0 <= scale.expected(p) <= 1.0


@given(scales)
def test_a_scale_survives_its_own_dump(scale):
    assert Scale.model_validate(scale.model_dump(by_alias=True)) == scale
    assert Scale.model_validate_json(scale.model_dump_json(by_alias=True)) == scale


@given(scales, st.data())
def test_certainty_gives_the_score_of_the_label(scale, data):
    name = data.draw(st.sampled_from(scale.names))
    assert scale.expected({name: 1.0}) == pytest.approx(scale.score(name), abs=1e-12)


@pytest.mark.parametrize(
    ("written", "names", "scores"),
    [
        ("binary", ("no", "yes"), (0, 1)),
        ("likert-3", ("1", "2", "3"), (0, 0.5, 1)),
        ({"likert": 3, "anchors": {"1": "bad", 3: "good"}}, ("1", "2", "3"), (0, 0.5, 1)),
        ({"min": 0, "max": 10, "step": 5}, ("0", "5", "10"), (0, 0.5, 1)),
        ({"min": -1, "max": 1}, ("-1", "0", "1"), (0, 0.5, 1)),
        ([{"label": "good", "value": 3}, {"label": "poor", "value": -1}], ("good", "poor"), (1, 0)),
        ([{"label": 0, "value": 0}, {"label": 1, "value": 1}], ("0", "1"), (0, 1)),
        ([{"label": "a", "value": -1.7e308}, {"label": "b", "value": 1.7e308}], ("a", "b"), (0, 1)),
    ],
)
def test_written_forms(written, names, scores):
    scale = Scale.parse(written)
    assert scale.names == names
    assert tuple(scale.score(name) for name in names) == pytest.approx(scores)


def test_anchors_become_meanings_whether_their_keys_are_numbers_or_texts():
    for key in (1, "1"):
        scale = Scale.parse({"likert": 2, "anchors": {key: "nothing is there"}})
        assert [label.means for label in scale.labels] == ["nothing is there", None]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("lickert-5", "write likert-5"),
        ("likert-12", "2 to 11 points"),
        ("likert-1", "2 to 11 points"),
        (7, "is no scale"),
        (None, "is no scale"),
        ({"min": 1}, "is no whole scale"),
        ({"min": 1, "maxx": 3}, "write 'max'"),
        ({"min": 5, "max": 1}, "a min below max"),
        ({"min": 0, "max": 10, "step": 3}, "cannot be reached"),
        ({"min": 0, "max": 10_000}, f"at most {MAX_LABELS}"),
        ({"min": 0.0, "max": 1}, "no whole number"),
        ({"min": True, "max": 3}, "no whole number"),
        ({"likert": 3, "anchors": {4: "x"}}, r"anchors for \[4\]"),
        ({"likert": 3, "anchors": {"one": "x"}}, "no whole number"),
        ({"likert": 3, "anchors": {1: ""}}, "anchor of 1 is no text"),
        ({"likert": 3, "anchors": ["x"]}, "no mapping"),
        ([], "has 0 items"),
        ([{"label": "a", "value": 1}], "has 1 items"),
        ([{"label": "a", "value": 1}, {"label": "A", "value": 2}], "letter case only"),
        ([{"label": "a", "value": 1}, {"label": "b", "value": 1}], "all labels have the value 1"),
        ([{"label": "a", "value": 1}, {"label": " b", "value": 2}], "blanks at its ends"),
        ([{"label": "a", "value": 1}, {"label": "b\n", "value": 2}], "blanks at its ends"),
        ([{"label": "a", "value": "1"}, {"label": "b", "value": 2}], "a number is needed"),
        ([{"label": "a", "value": True}, {"label": "b", "value": 2}], "a number is needed"),
        ([{"label": "a", "value": math.inf}, {"label": "b", "value": 2}], "finite"),
        ([{"label": True, "value": 1}, {"label": "b", "value": 2}], "put quotes around it"),
        ([{"label": "a", "value": 1, "mean": "x"}, {"label": "b", "value": 2}], "write 'means'"),
        (["poor", "good"], "a mapping is needed"),
    ],
)
def test_what_is_no_scale_is_refused_with_the_way_out(written, message):
    with pytest.raises(ValueError, match=message) as caught:
        Scale.parse(written)
    assert "Input should" not in str(caught.value)


def test_expected_refuses_what_is_no_distribution():
    scale = Scale.binary()
    with pytest.raises(ValueError, match=r"sum to 0\.5"):
        scale.expected({"yes": 0.5})
    with pytest.raises(ValueError, match="not negative"):
        scale.expected({"yes": 1.5, "no": -0.5})
    with pytest.raises(ValueError, match="sum to 0"):
        scale.expected({})
    with pytest.raises(KeyError):
        scale.expected({"maybe": 1.0})
    with pytest.raises(KeyError):
        scale.score("maybe")


@pytest.mark.parametrize(
    ("kind", "labels"),
    [
        ("numeric", [("poor", 0), ("good", 1)]),
        ("likert", [("1", 1), ("2", 2), ("4", 4)]),
        ("likert", [("2", 2), ("1", 1)]),
        ("numeric", [("1", 10), ("2", 20)]),
        ("numeric", [("1", -1e308), ("2", 1e308)]),
        ("binary", [("no", 1), ("yes", 0)]),
        ("binary", [("bad", 0), ("good", 1)]),
    ],
)
def test_a_stated_kind_has_the_labels_of_that_kind(kind, labels):
    spec = {"kind": kind, "labels": [{"label": name, "value": value} for name, value in labels]}
    with pytest.raises(ValueError, match=f"make no {kind} scale"):
        Scale.parse(spec)
    assert Scale.parse(spec | {"kind": "labels"}).names == tuple(name for name, _ in labels)


def test_the_long_form_of_every_scale_is_read_back():
    for scale in map(Scale.parse, ["binary", "likert-7", {"min": -10, "max": 10, "step": 5}]):
        assert Scale.parse(scale.model_dump(by_alias=True)) == scale
