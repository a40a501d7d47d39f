"""Field mapping and aliases."""

from __future__ import annotations

import pytest

from genrm.batch.fields import FieldMap
from genrm.errors import InputError, SpecError


def mapped(row, *options):
    return FieldMap.parse(options).apply(row).row


def test_paths_reach_into_objects_and_lists():
    row = {"q": "2+2?", "choices": [{"message": {"text": "4"}}], "other": 1}
    assert mapped(row, "prompt=q", "response=choices.0.message.text") == {"prompt": "2+2?", "response": "4", "other": 1}


def test_a_key_with_dots_comes_before_a_path():
    assert mapped({"a.b": "x", "a": {"b": "y"}}, "response=a.b")["response"] == "x"


def test_names_can_be_swapped():
    assert mapped({"prompt": "p", "response": "r"}, "prompt=response", "response=prompt") == {
        "prompt": "r",
        "response": "p",
    }


def test_a_named_response_wins_over_the_pair_it_comes_from():
    assert mapped({"prompt": "p", "chosen": "c", "rejected": "r"}, "response=chosen") == {
        "prompt": "p",
        "response": "c",
    }


@pytest.mark.parametrize("path", ["gold", "meta.gold", "list.5", "list.x", "text.0"])
def test_a_named_field_that_is_not_there_fails_the_row(path):
    with pytest.raises(InputError, match=rf"--field reference={path}"):
        mapped({"response": "r", "meta": {}, "list": [1], "text": "t"}, f"reference={path}")


def test_null_is_there():
    assert mapped({"response": "r", "gold": None}, "reference=gold")["reference"] is None


@pytest.mark.parametrize("option", ["prompt", "prompt=", "=x", "promt=x"])
def test_malformed_options(option):
    with pytest.raises(SpecError, match="--field"):
        FieldMap.parse([option])


def test_a_field_is_mapped_once():
    with pytest.raises(SpecError, match="mapped twice"):
        FieldMap.parse(["prompt=a", "prompt=b"])


def test_aliases_are_taken_and_said():
    result = FieldMap().apply({"question": "q", "output": "o", "ground_truth": "g", "passage": "c"})
    assert result.row == {"prompt": "q", "response": "o", "reference": "g", "context": "c"}
    assert result.taken == {
        "prompt": "question",
        "response": "output",
        "reference": "ground_truth",
        "context": "passage",
    }


def test_the_contract_name_comes_first_and_nothing_is_said():
    row = {"prompt": "p", "question": "q", "response": "r", "answer": "a"}
    result = FieldMap().apply(row)
    assert result.row == row
    assert result.taken == {}


def test_two_candidates_are_no_choice():
    result = FieldMap().apply({"instruction": "i", "input": "x", "response": "r"})
    assert "prompt" not in result.row
    assert result.taken == {}
    assert result.unclear == {"prompt": ("instruction", "input")}


@pytest.mark.parametrize(
    ("row", "response"),
    [({"answer": "a"}, "a"), ({"answer": "a", "output": "o"}, "o"), ({"answer": "a", "response": "r"}, "r")],
)
def test_answer_is_a_response_only_without_another(row, response):
    result = FieldMap().apply(row).row
    assert result["response"] == response
    assert "reference" not in result


def test_an_alias_that_is_used_already_is_not_used_twice():
    row = FieldMap.parse(["reference=answer"]).apply({"question": "q", "answer": "a"}).row
    assert row == {"prompt": "q", "reference": "a"}


def test_pairs_are_not_shadowed_by_an_alias():
    assert "response" not in mapped({"chosen": "c", "rejected": "r", "output": "o"})
