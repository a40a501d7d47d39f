"""Intake: ids, duplicates, digests, and the fault of every bad row."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrm.batch.fields import FieldMap
from genrm.batch.ids import SeenIds
from genrm.batch.intake import digest_of, intake
from genrm.batch.readers import open_source


@pytest.fixture
def items(write_rows):
    def read(rows, *options):
        return list(intake(open_source(str(write_rows(rows))), FieldMap.parse(options)))

    return read


def test_an_id_falls_back_to_the_line(items):
    found = items(
        [{"response": "a"}, {"id": "x", "response": "b"}, {"id": 9, "response": "c"}, {"id": "", "response": "d"}]
    )
    assert [(item.id, item.sample.id) for item in found] == [("1", "1"), ("x", "x"), ("9", "9"), ("4", "4")]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({}, "'response' is missing"),
        ({"prompt": "q"}, "'response' is missing"),
        ({"response": ""}, "empty"),
        ({"response": None}, "found None"),
        ({"response": 4}, "found 4"),
        ({"response": {"text": "x"}}, "response"),
        ({"response": "r", "prompt": 4}, "'prompt'"),
        ({"response": "r", "prompt": [{"role": "king", "content": "x"}]}, "role"),
        ({"response": "r", "reference": {}}, "'reference'"),
        ({"response": "r", "criteria": "x"}, "criteria"),
        ({"response": "r", "id": [1]}, "'id'"),
        ({"response": "r", "id": True}, "'id'"),
        ({"response": "r", "id": 1.5}, "'id'"),
        ({"chosen": "a", "rejected": "b"}, "one response at a time"),
    ],
)
def test_rows_that_cannot_be_judged(items, row, said):
    bad, good = items([row, {"response": "fine"}])
    assert bad.sample is None
    assert bad.error.category == "bad_input"
    assert said in bad.error.message
    assert (bad.line, bad.id) == (1, "1")
    assert good.sample.response == "fine"


@pytest.mark.parametrize("good", [{"id": "2", "response": "b"}, {"id": 2, "response": "b"}])
def test_an_unreadable_row_takes_no_id_from_a_good_one(tmp_path, good):
    path = tmp_path / "in.jsonl"
    path.write_text('{"id": "0", "response": "a"}\n{broken\n' + json.dumps(good) + '\n{"response": "c"}\n')
    found = list(intake(open_source(str(path)), FieldMap()))
    assert [(item.line, item.id, item.error is None) for item in found] == [
        (1, "0", True),
        (2, "2", False),
        (3, "2", True),
        (4, "4", True),
    ]


def test_duplicates_name_the_first_line(items):
    found = items(
        [
            {"id": "a", "response": "1"},
            {"id": "b", "response": "2"},
            {"id": "a", "response": "3"},
            {"id": "a", "response": "4"},
        ]
    )
    assert [item.error is None for item in found] == [True, True, False, False]
    assert "'a' is a duplicate: line 1 has it" in found[2].error.message
    assert "line 1" in found[3].error.message


def test_numbers_and_texts_are_the_same_id(items):
    assert items([{"id": 7, "response": "x"}, {"id": "7", "response": "y"}])[1].error is not None


def test_a_line_number_as_id_is_taken_too(items):
    rows = [{"response": "x"}, {"id": "1", "response": "y"}, {"id": "4", "response": "z"}, {"response": "w"}]
    assert [item.error is None for item in items(rows)] == [True, False, True, False]


@given(st.lists(st.one_of(st.none(), st.sampled_from(["1", "2", "3", "4", "5", "a", "b", "01"])), max_size=12))
def test_ids_are_unique_like_in_a_plain_dictionary(ids):
    seen = SeenIds()
    first: dict[str, int] = {}
    for line, id in enumerate(ids, start=1):
        name = str(line) if id is None else id
        expected = first.get(name)
        first.setdefault(name, line)
        assert (seen.claim_line(line) if id is None else seen.claim(id, line)) == expected
    seen.close()


def test_the_digest_is_of_what_is_judged():
    row = {"id": "1", "prompt": "p", "response": "r", "extra": 1}
    assert digest_of(row) == digest_of({"extra": 2, "response": "r", "prompt": "p", "id": "1"})
    assert (
        len(
            {
                digest_of(row | change)
                for change in ({}, {"id": "2"}, {"prompt": "q"}, {"response": "s"}, {"reference": "x"})
            }
        )
        == 5
    )
    assert digest_of(row).startswith("sha256:")
    assert len(digest_of(row)) == 7 + 16


def test_the_digest_takes_anything():
    deep: list = []
    for _ in range(5000):
        deep = [deep]
    texts = [digest_of({"response": value}) for value in ("\ud83d", 10**40, deep, float("nan"))]
    assert len(set(texts)) == 4


def test_remarks_about_aliases_come_once(write_rows):
    said: list[str] = []
    path = write_rows([{"question": "q", "output": "o"}] * 3)
    assert [item.sample.prompt[0].text for item in intake(open_source(str(path)), FieldMap(), said.append)] == ["q"] * 3
    assert said == ["taking prompt from 'question', response from 'output'; --field NAME=PATH takes another"]


def test_remarks_name_what_is_unclear(write_rows):
    said: list[str] = []
    path = write_rows([{"instruction": "i", "input": "x", "response": "r"}] * 2)
    assert [item.sample.prompt for item in intake(open_source(str(path)), FieldMap(), said.append)] == [(), ()]
    assert said == [
        "'instruction' and 'input' could each be the prompt, so none is taken; say --field prompt=instruction"
    ]


def test_deep_rows_fail_alone(items):
    deep = ('{"response":"r","prompt":' + "[" * 900 + "]" * 900 + "}").encode()
    found = items([deep, {"response": "r", "note": json.loads("[" * 900 + "]" * 900)}])
    assert found[0].error is not None
    assert found[1].sample is not None
