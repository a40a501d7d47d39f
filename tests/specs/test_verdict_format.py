"""Verdict formats as files: what is checked, and where a fault is said to be."""

import pytest

from genrm.errors import SpecError
from genrm.specs.load_format import format_files, load_format
from genrm.specs.verdict_format import VerdictFormat
from genrm.specs.verdict_parts import number_of


def make(**fields):
    return {"name": "mine", "verdict": {"regex": r"(?P<label>\w+)"}, **fields}


def faults(data):
    with pytest.raises(SpecError) as caught:
        load_format(data)
    return [str(fault) for fault in caught.value.faults]


def test_the_formats_that_come_along_are_named_as_their_files():
    assert len(format_files()) >= 18
    for name, path in format_files().items():
        spec = load_format(name)
        assert spec.name == name
        assert spec == load_format(path)
        assert spec.description
        assert spec.source
        assert spec.instructions


def test_faults_come_with_file_and_line(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\nverdict:\n  regex: '[A-C]'\n  match: lats\nnumbers: {min: 5, max: 1}\nlables: {A: [A]}\n"
    )
    found = faults(path)
    assert any(f"{path}:4: verdict.match" in fault and "last" in fault for fault in found)
    assert any(f"{path}:5: numbers" in fault and "not below" in fault for fault in found)
    assert any(f"{path}:6: lables: unknown key" in fault and "'labels'" in fault for fault in found)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"verdict": {"regex": "[A-C]"}}, "no group 'label'"),
        ({"verdict": {"regex": "(?P<label>"}}, "no regular expression"),
        ({"verdict": {"regex": "(?P<label>a{9999}){9999}"}}, "repeats expand"),
        ({"verdict": {}}, "either regex or json"),
        ({"verdict": {"regex": "(?P<label>a)", "json": "a"}}, "either regex or json"),
        ({"verdict": {"json": "a", "place": "first_line"}}, "are for regex"),
        ({"verdict": {"regex": "(?P<label>a)", "each": True}}, "no group 'criterion'"),
        ({"labels": {"yes": ["y"], "no": ["Y"]}}, "means both 'yes' and 'no'"),
        ({"labels": {"yes": ["y"], "no": ["n"]}, "numbers": {"min": 1, "max": 2}}, "exclude each other"),
        ({"numbers": {"min": 2, "max": 1}}, "not below"),
        ({"read": {"token": 0}}, "read needs labels"),
        ({"critique": "behind"}, "choose one of the available"),
        ({"critique": {"regex": "x"}}, "no group 'critique'"),
        ({"critique": {"json": "reason"}}, "needs a verdict at one"),
        ({"critique": {}}, "one place is needed"),
        ({"name": "two words"}, "is no name"),
        ({"no_verdict": ["("]}, "no regular expression"),
        ({"protocol": "pairwize"}, "'pairwise'"),
        ({"default": "A"}, "unknown key"),
    ],
)
def test_what_is_wrong_is_named(fields, says):
    assert any(says in fault for fault in faults(make(**fields))), faults(make(**fields))


def test_a_name_that_is_close_is_suggested():
    assert "arena-hard" in faults("arena-herd")[0]
    assert "file's path" in faults("nothing like it")[0]


def test_letter_case_counts_only_where_it_is_said_to():
    labels = {"labels": {"first": ["m"], "second": ["M"]}}
    assert any("means both" in fault for fault in faults(make(**labels)))
    spec = load_format(make(**labels, case=True))
    assert spec.label_of("M", ("first", "second")) == "second"
    assert load_format(make()).label_of(" **YES** ", ("no", "yes")) == "yes"


@pytest.mark.parametrize(
    ("said", "label"), [("4", "4"), ("4.0", "4"), ("+4", "4"), ("04", "4"), ("4.5", None), ("6", None), ("four", None)]
)
def test_numbers_are_numbers_of_the_scale(said, label):
    spec = load_format(make(numbers={"min": 1, "max": 5}))
    assert spec.label_of(said, tuple("12345")) == label


def test_half_points_are_half_points():
    spec = load_format(make(numbers={"min": 1, "max": 5, "step": 0.5}))
    assert spec.label_of("4.50", ("4", "4.5", "5")) == "4.5"
    assert spec.label_of("4.25", ("4", "4.25", "5")) is None
    assert number_of("1e3") is None
    assert number_of("٣") is None


def test_a_scale_has_to_fit():
    pair = load_format("mt-bench-pair")
    assert pair.problem(("A", "B")) is None
    assert pair.problem(("b", "TIE", "a")) is None
    assert "'yes' and 'no'" in pair.problem(("yes", "no"))
    rating = load_format("mt-bench-rating")
    assert rating.problem(tuple(map(str, range(1, 11)))) is None
    assert "'0'" in rating.problem(("0", "1"))
    assert load_format("boxed").problem(("anything", "else")) is None


def test_the_digest_changes_with_what_decides_and_with_nothing_else():
    plain = load_format(make())
    assert load_format(make(description="words", source="paper", examples=[{"text": "x"}])).digest == plain.digest
    assert load_format(make(record={"text": "output"})).digest == plain.digest
    for change in ({"case": True}, {"critique": "after"}, {"instructions": "Write A."}, {"no_verdict": ["x"]}):
        assert load_format(make(**change)).digest != plain.digest
    assert isinstance(load_format(plain), VerdictFormat)
