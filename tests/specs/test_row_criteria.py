"""Criteria that a row brings along: read with the sample, named when wrong."""

import pytest

from genrm.errors import InputError
from genrm.specs.sample import Sample


def sample(criteria):
    return Sample.from_row({"response": "x", "criteria": criteria})


def test_questions_and_whole_criteria_can_be_mixed():
    criteria = sample(
        ["Is it kind?", {"id": "depth", "ask": "How deep?", "scale": {"likert": 3, "anchors": {"1": "flat"}}}]
    ).criteria
    assert [item.id for item in criteria] == ["c1", "depth"]
    assert criteria[1].scale.labels[0].means == "flat"


def test_nested_and_verifiable_criteria_are_read():
    (group,) = sample(
        [{"id": "g", "criteria": [{"id": "a", "ask": "?"}, {"id": "b", "check": {"regex": "x"}}]}]
    ).criteria
    assert [leaf.id for leaf in group.leaves()] == ["a", "b"]


def test_none_and_nothing_bring_none():
    assert sample(None).criteria == ()
    assert sample([]).criteria == ()


@pytest.mark.parametrize(
    ("criteria", "words"),
    [
        ("Is it kind?", "a list of criteria is needed"),
        ([{"id": "a"}], "criteria[0]: asks nothing"),
        ([{"id": "a", "ask": "?", "weight": 0}], "criteria[0].weight"),
        ([{"id": "a", "ask": "?"}, {"id": "a", "ask": "?"}], "'a' is used twice"),
        ([{"id": "a", "ask": "?", "scal": "binary"}, {"id": "b"}], "write 'scale' (and 1 more)"),
        ([5], "mapping is needed"),
        ([""], "criteria[0].ask: is empty"),
    ],
)
def test_wrong_ones_are_bad_input_with_field_and_fix(criteria, words):
    with pytest.raises(InputError) as caught:
        sample(criteria)
    assert caught.value.category == "bad_input"
    assert words in caught.value.message
