"""RewardFunction: what trainers hand over, and what they get back."""

import pytest

import genrm
from genrm.errors import JudgeError, SpecError

VERIFY = {"name": "right-answer", "protocol": "verify", "criteria": [{"id": "correct", "ask": "Is it right?"}]}


def test_text_and_messages_and_columns(scripted):
    engine = scripted(lambda request, vote, slot: "yes")
    reward = genrm.RewardFunction(genrm.Judge(VERIFY, "scripted"), columns={"reference": "solution"})
    prompts = ["2+2?", [{"role": "user", "content": "3+3?"}]]
    completions = ["4", [{"role": "assistant", "content": "6"}]]
    assert reward(prompts, completions, solution=["4", "6"], ignored=[1, 2]) == [1.0, 1.0]
    assert reward.__name__ == "genrm_right_answer"
    assert "3+3?" in engine.requests[1].messages[-1]["content"]


def test_no_judgment_is_none_never_a_number(scripted, caplog):
    scripted(lambda request, vote, slot: "yes")
    reward = genrm.RewardFunction(genrm.Judge(VERIFY, "scripted"))
    assert reward(["p", "p"], ["", "x"], reference=["4", "4"]) == [None, 1.0]
    assert "1 of 2 samples have no reward" in caplog.text


def test_raise_on_failure(scripted):
    scripted(lambda request, vote, slot: "yes")
    reward = genrm.RewardFunction(genrm.Judge(VERIFY, "scripted"), on_failure="raise")
    with pytest.raises(JudgeError, match="reference"):
        reward(["p"], ["x"])


def test_equal_samples_get_equal_seeds(scripted):
    engine = scripted(lambda request, vote, slot: "yes")
    reward = genrm.RewardFunction(genrm.Judge(VERIFY, "scripted", votes=2))
    reward(["p", "p", "p"], ["x", "x", "y"], reference=["1", "1", "1"])
    first, second, other = (request.seeds for request in engine.requests)
    assert first == second
    assert set(first).isdisjoint(other)


def test_lengths_must_agree(scripted):
    scripted(lambda request, vote, slot: "yes")
    reward = genrm.RewardFunction(genrm.Judge(VERIFY, "scripted"))
    with pytest.raises(ValueError, match="zip"):
        reward(["p"], ["x", "y"])
    with pytest.raises(SpecError, match="column 'reference' has 2 values for 1 completions"):
        reward(["p"], ["x"], reference=["1", "2"])
    with pytest.raises(SpecError, match="a list is needed, found a str"):
        reward(["p", "p"], ["x", "y"], reference="42")
    with pytest.raises(SpecError, match=r"a genrm\.Judge is needed, found a str"):
        genrm.RewardFunction("math-verify")


def test_wrong_settings(scripted):
    scripted(lambda request, vote, slot: "yes")
    judge = genrm.Judge(VERIFY, "scripted")
    with pytest.raises(SpecError, match="unknown names answer"):
        genrm.RewardFunction(judge, columns={"answer": "a"})
    with pytest.raises(SpecError, match="'none' or 'raise'"):
        genrm.RewardFunction(judge, on_failure="zero")


def test_a_named_column_that_is_not_there_stops(scripted):
    scripted(lambda request, vote, slot: "yes")
    rubric = {"name": "good", "criteria": [{"id": "good", "ask": "?"}]}
    reward = genrm.RewardFunction(genrm.Judge(rubric, "scripted"), columns={"reference": "solution"})
    with pytest.raises(SpecError, match=r"no column solution \(columns here: answer\)"):
        reward(["p"], ["x"], answer=["4"])
    assert genrm.RewardFunction(genrm.Judge(rubric, "scripted"))(["p"], ["x"], answer=["4"]) == [1.0]
