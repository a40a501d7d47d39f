"""The library: what every rubric in it keeps to, and that its README tells the truth."""

import re
from itertools import pairwise

import pytest

from genrm.resources import rubrics_dir
from genrm.specs.load import hints, library_files, load_rubric

NAMES = sorted(library_files())
ASKED = {
    "code-review",
    "factual-correctness",
    "helpfulness",
    "instruction-following",
    "math-verify",
    "rag-groundedness",
    "response-form",
    "safety-refusal",
    "summary-faithfulness",
    "surface-checks",
    "tool-call-quality",
    "writing",
}


def test_what_was_promised_is_there():
    assert set(NAMES) >= ASKED


@pytest.mark.parametrize("name", NAMES)
def test_each_says_what_it_is_for_and_has_no_hints(name):
    rubric = load_rubric(name)
    assert rubric.name == name
    assert 20 <= len(rubric.description) <= 100
    assert rubric.criteria
    assert hints(rubric) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_label_of_a_scale_is_explained_and_unlike_its_neighbours(name):
    for leaf in load_rubric(name).leaves():
        if not leaf.is_judged or leaf.scale.kind == "binary":
            continue
        meanings = [label.means for label in leaf.scale.labels]
        assert all(meaning and len(meaning.split()) >= 5 for meaning in meanings), leaf.id
        for first, second in pairwise(meanings):
            a, b = (set(re.findall(r"[a-z]+", meaning.lower())) for meaning in (first, second))
            assert len(a ^ b) >= 5, f"{name}.{leaf.id}: {first!r} and {second!r} differ by too little"


@pytest.mark.parametrize("name", NAMES)
def test_questions_are_single_and_neutral(name):
    for leaf in load_rubric(name).leaves():
        if leaf.is_judged:
            assert leaf.ask is not None
            assert leaf.ask.count("?") <= 1
            assert "penal" not in leaf.ask.lower()
            assert "weight" not in leaf.ask.lower()


def test_the_questions_that_the_embedded_judge_knows():
    (correct,) = load_rubric("math-verify").criteria
    assert (correct.id, correct.ask) == ("correct", "Does the response's final answer equal the reference answer?")
    assert load_rubric("math-verify").protocol == "verify"
    assert all(leaf.scale.kind == "binary" for leaf in load_rubric("response-form").leaves())
    assert any(leaf.effective_weight < 0 for leaf in load_rubric("response-form").leaves())


def test_one_asks_no_model_and_one_counts_points():
    assert not any(leaf.is_judged for leaf in load_rubric("surface-checks").leaves())
    signed = [load_rubric(name) for name in NAMES if load_rubric(name).reward.aggregate == "points"]
    assert any({leaf.effective_weight < 0 for leaf in rubric.leaves()} == {True, False} for rubric in signed)


def test_the_readme_lists_every_rubric_with_its_protocol():
    table = {
        match[1]: match[2]
        for match in re.finditer(
            r"^\| \[`([a-z-]+)`\]\(\1\.yaml\) \|.*\| (pointwise|verify) \|",
            (rubrics_dir() / "README.md").read_text(),
            re.MULTILINE,
        )
    }
    assert table == {name: load_rubric(name).protocol for name in NAMES}
