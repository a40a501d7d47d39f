import time

import pytest

from genrm.errors import InputError


@pytest.mark.parametrize(
    ("check", "response", "references", "label"),
    [
        ("exact", " Paris\n", ["Paris"], "yes"),
        ("exact", "paris", ["Paris"], "no"),
        ("exact", "Paris", ["London", "Paris"], "yes"),
        ("normalized", "The Eiffel Tower.", ["eiffel tower"], "yes"),
        ("normalized", "ＰＡＲＩＳ", ["Paris"], "yes"),
        ("normalized", "1,250.00", ["1250"], "yes"),
        ("normalized", "$1,250", ["1250 dollars"], "yes"),
        ("normalized", "It is Paris", ["Paris"], "no"),
        ("normalized", "U.S.", ["US"], "yes"),
        ("normalized", "A", ["a"], "yes"),
        ("number", "16 - 3 = 13, so 13 * 2 = $26.", ["26"], "yes"),
        ("number", "I get 26. There were 3 steps.", ["26"], "no"),
        ("number", "\\boxed{26} in 3 steps", ["26"], "yes"),
        ("number", "#### 1,234\nDone in 2 steps.", ["1234"], "yes"),
        ("number", "it falls by -5", ["−5"], "yes"),
        ("number", "16-3", ["-3"], "no"),
        ("number", "16 - 3", ["3"], "yes"),
        ("number", "one half: 1/2", ["0.5"], "yes"),
        ("number", "so 50%", ["0.5"], "yes"),
        ("number", "it weighs 5 kg", ["5"], "yes"),
        ("number", "no number here", ["4"], "no"),
        ("number", "0.1 + 0.2 = 0.3", ["3/10"], "yes"),
        ("number", "1e999999999", ["4"], "no"),
        ("number", "18", ["She sells 9 * 2 = 18.\n#### 18"], "yes"),
        ("number", "7", ["seven is no digit here", "7"], "yes"),
    ],
)
def test_label(judged, check, response, references, label):
    verdict = judged({check: True}, response, *references)
    assert (verdict.label, verdict.error) == (label, None)


@pytest.mark.parametrize(
    ("parameters", "response", "label"),
    [
        ({"tolerance": 0.01}, "3.14", "yes"),
        ({"tolerance": 0.001}, "3.14", "no"),
        ({"relative": 0.01}, "3.12", "yes"),
        ({"relative": 0.001}, "3.12", "no"),
        ({"tolerance": 0.1, "relative": 0.0001}, "3.2", "yes"),
    ],
)
def test_number_tolerance(judged, parameters, response, label):
    assert judged({"number": parameters}, response, "3.1416").label == label


def test_the_edge_of_the_tolerance_counts(judged):
    assert judged({"number": {"tolerance": 0.1}}, "0.4", "0.3").label == "yes"


@pytest.mark.parametrize(
    ("response", "reference", "label"),
    [
        ("I think the capital is Paris, France.", "Paris", "yes"),
        ("Parisian food", "Paris", "no"),
        ("It took 1,250 days", "1250", "yes"),
        ("It took 11250 days", "1250", "no"),
        ("答えは東京です", "東京", "yes"),
        ("the one and only", "The One", "yes"),
    ],
)
def test_normalized_containment_respects_word_boundaries(judged, response, reference, label):
    assert judged({"normalized": {"contains": True}}, response, reference).label == label


def test_exact_parameters(judged):
    assert judged({"exact": {"ignore_case": True}}, "PARIS", "Paris").label == "yes"
    assert judged({"exact": {"strip": False}}, "Paris ", "Paris").label == "no"


@pytest.mark.parametrize("check", ["math", "number", "exact", "normalized"])
@pytest.mark.parametrize("references", [(), ("",), (" ", "\n")])
def test_without_a_reference_there_is_no_label(judged, check, references):
    verdict = judged({check: True}, "4", *references)
    assert verdict.label is None
    assert verdict.critique is None
    assert isinstance(verdict.error, InputError)
    assert "reference" in verdict.error.message


@pytest.mark.parametrize(("check", "reference"), [("number", "Paris"), ("number", "1,2"), ("normalized", "?!")])
def test_a_reference_of_the_wrong_kind_gives_no_label(judged, check, reference):
    verdict = judged({check: True}, "4", reference)
    assert verdict.label is None
    assert isinstance(verdict.error, InputError)


@pytest.mark.parametrize("text", ["9" * 1_000_000, "1 " * 500_000, "1,111" * 200_000, "-" * 1_000_000, "$" * 1_000_000])
@pytest.mark.parametrize("check", [{"number": True}, {"normalized": True}, {"normalized": {"contains": True}}])
def test_hostile_megabytes_are_quick(judged, check, text):
    start = time.monotonic()
    assert judged(check, text, "4").error is None
    assert time.monotonic() - start < 10


def test_a_broken_check_function_is_an_error_and_no_label(judged, monkeypatch):
    monkeypatch.setattr("genrm.checks.match.final_number", lambda text: 1 / 0)
    verdict = judged({"number": True}, "4", "4")
    assert verdict.label is None
    assert verdict.error.row()["category"] == "engine"
    assert "ZeroDivisionError" in verdict.error.message
