"""Loading by name, path, dict and object; what is tolerated, and what a missing rubric says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrm.errors import SpecError
from genrm.specs.load import build_criteria, hints, library_files, load_rubric
from genrm.specs.rubric import Rubric

TEXT = "name: x\ncriteria:\n  - id: a\n    ask: Is it?\n"


def test_by_name_path_text_dict_and_object(tmp_path, monkeypatch):
    path = tmp_path / "mine.yaml"
    path.write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    rubric = load_rubric(path)
    assert load_rubric("math-verify").name == "math-verify"
    assert load_rubric("mine.yaml") == load_rubric("./mine.yaml") == load_rubric(str(path)) == rubric
    assert load_rubric({"name": "x", "criteria": [{"id": "a", "ask": "Is it?"}]}) == rubric
    assert load_rubric(rubric) is rubric


def test_a_file_in_the_working_folder_does_not_hide_the_library(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "math-verify").mkdir()
    assert load_rubric("math-verify").name == "math-verify"


@pytest.mark.parametrize("encode", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_byte_order_marks_and_line_ends_do_not_matter(tmp_path, encode, newline):
    path = tmp_path / "mine.yml"
    path.write_bytes(TEXT.replace("\n", newline).encode(encode))
    assert load_rubric(path) == load_rubric({"name": "x", "criteria": [{"id": "a", "ask": "Is it?"}]})


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("maths-verify", "write 'math-verify'"),
        ("zzz", "use one of code-review"),
        ("nowhere/rubric.yaml", "there is no such file"),
        ("mth-verify.yaml", "did you mean 'math-verify'"),
        ("", "is a folder"),
        (".", "is a folder"),
        (TEXT, "is the text of a rubric"),
        ("x" * 5000, "is the text of a rubric"),
        ("no\0where", "there is no rubric"),
        (7, "cannot be read from a int"),
        (None, "cannot be read from a NoneType"),
    ],
)
def test_a_rubric_that_is_not_there(source, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError) as caught:
        load_rubric(source)
    assert words in str(caught.value)


def test_a_misspelt_path_is_compared_with_its_neighbours(tmp_path):
    (tmp_path / "polite.yaml").write_text(TEXT)
    with pytest.raises(SpecError, match=r"did you mean 'polite\.yaml'"):
        load_rubric(tmp_path / "poilte.yaml")


def test_other_endings_are_refused(tmp_path):
    path = tmp_path / "rubric.txt"
    path.write_text(TEXT)
    with pytest.raises(SpecError, match=r"ends in \.yaml"):
        load_rubric(path)


def test_faults_of_a_dict_have_fields_and_no_lines():
    with pytest.raises(SpecError) as caught:
        load_rubric({"name": "x", "criteria": [{"id": "a", "ask": "?"}, {"id": "a", "ask": "?", "weight": 0}]})
    assert {(fault.file, fault.line, fault.field) for fault in caught.value.faults} == {
        (None, None, "criteria[1].weight"),
        (None, None, "criteria[1].id"),
    }
    assert "used twice: criteria[0] and criteria[1]" in str(caught.value)


def test_faults_cannot_steer_a_terminal():
    with pytest.raises(SpecError) as caught:
        load_rubric({"name": "\ud800", "\x1b[31m" * 50: "\x1b[2J"})
    assert len(caught.value.faults) == 2
    assert all(len(line) < 400 and line.isprintable() for line in str(caught.value).splitlines())


def test_a_dict_that_contains_itself_ends():
    data = {"name": "x", "criteria": []}
    data["criteria"].append({"id": "g", "criteria": data["criteria"]})
    with pytest.raises(SpecError, match="contains itself"):
        load_rubric(data)


KEYS = ["name", "id", "ask", "criteria", "scale", "weight", "check", "vote", "principles"]
KEYS += ["labels", "label", "value", "min", "max", "likert", "anchors"]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3) | st.integers(), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(anything)
def test_no_data_ends_in_anything_but_a_rubric_or_named_faults(data):
    faults = ()
    try:
        rubric = load_rubric({"name": "x", "criteria": [data]})
    except SpecError as error:
        rubric, faults = None, error.faults
    assert isinstance(rubric, Rubric) or faults
    assert all(fault.fix and "Input should" not in fault.message for fault in faults)


def test_hints_are_no_faults():
    assert [hint.field for hint in hints(load_rubric({"name": "rows-bring-them"}))] == ["criteria"]
    vague = load_rubric({"name": "x", "criteria": [{"id": "a", "ask": "?", "scale": "likert-5"}]})
    assert "labels mean" in str(hints(vague)[0])
    assert hints(load_rubric("helpfulness")) == []


def test_points_without_anything_to_earn_are_a_fault_before_any_row_fails():
    faults_only = {"name": "x", "criteria": [{"id": "a", "ask": "?", "weight": -1}], "reward": {"aggregate": "points"}}
    with pytest.raises(SpecError, match=r"no criterion has a weight above 0.*weighted_mean"):
        load_rubric(faults_only)
    assert load_rubric(faults_only | {"criteria": [{"id": "b", "ask": "?"}, *faults_only["criteria"]]})


def test_library_names_are_file_names():
    for name, path in library_files().items():
        assert load_rubric(path).name == name


def test_criteria_of_a_row():
    criteria = build_criteria(["Is it kind?", {"id": "x", "ask": "Is it?", "scale": "likert-3", "weight": -1}])
    assert [(item.id, item.effective_weight) for item in criteria] == [("c1", 1.0), ("x", -1.0)]
    assert criteria[0].ask == "Is it kind?"
    for wrong in ("Is it kind?", {"id": "a", "ask": "?"}, 3):
        with pytest.raises(SpecError, match="a list of criteria is needed"):
            build_criteria(wrong)


@pytest.mark.parametrize("name", ["a" * 300, f"folder/{'a' * 300}.yaml", "\ud800", "\ud800" * 300])
def test_a_name_that_no_file_can_have_is_a_fault(name):
    with pytest.raises(SpecError, match=r"name|no rubric|no such file"):
        load_rubric(name)
