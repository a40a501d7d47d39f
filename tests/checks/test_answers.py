from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrm.checks.answers import normal_words, same_answer, same_quantity
from genrm.checks.numbers import Quantity, final_number, parse_number

TEXTS = st.text(max_size=60)


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("$1,250.00", 1250, "dollar"),
        ("-$5", -5, "dollar"),
        ("\\$18", 18, "dollar"),
        ("$18$", 18, ""),
        ("€3", 3, "euro"),
        ("18%", 18, "%"),
        ("18 \\%", 18, "%"),
        ("3/4", Fraction(3, 4), ""),
        ("1 3/4", Fraction(7, 4), ""),
        ("$\\frac{3}{4}$", Fraction(3, 4), ""),
        ("\\dfrac12", Fraction(1, 2), ""),
        ("½", Fraction(1, 2), ""),
        ("- 5", -5, ""),
        ("007", 7, ""),
        ("1e5", 100_000, ""),
        ("1\u202f000", 1000, ""),
        ("twelve", 12, ""),
        ("forty-two apples", 42, "apple"),
        ("18 km/h", 18, "kilometer/hour"),
        ("**18**.", 18, ""),
    ],
)
def test_numbers_are_read_exactly(text, value, unit):
    assert parse_number(text) == Quantity(Fraction(value), unit)


@pytest.mark.parametrize(
    "text", ["", "x", "5/0", "5-3", "2^10", "1,2", "3.5.2", "10:30", "1e999999999", "9" * 101, "1 250"]
)
def test_what_is_no_single_number(text):
    assert parse_number(text) is None


@given(st.fractions(max_denominator=10**6))
def test_fractions_are_read_back(value):
    assert parse_number(f"{value.numerator}/{value.denominator}") == Quantity(value)


@given(st.integers(-(10**15), 10**15))
def test_the_final_number_is_found_behind_any_prose(value):
    assert final_number(f"First 3 - 2 = 1.\nSo the total is {value:,}.") == Quantity(Fraction(value))


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("18", "18.00", True),
        ("18", "19", False),
        ("-5", "5", False),
        ("1/2", "0.5", True),
        ("50%", "0.5", True),
        ("50%", "50", True),
        ("0.5%", "50", False),
        ("5 km", "5 kilometers", True),
        ("5 km", "5 m", False),
        ("1 km", "1000 m", None),
        ("5 apples", "5 oranges", None),
        ("5 apples", "5", True),
        ("twelve", "12", True),
        ("B", "(b)", True),
        ("option B", "B.", True),
        ("B", "C", False),
        ("B. Paris", "Paris", True),
        ("B", "Paris", None),
        ("the Eiffel Tower", "Eiffel tower.", True),
        ("\\boxed{\\text{Paris}}", "paris", True),
        ("Paris", "London", False),
        ("Paris", "Paris, France", None),
        ("NYC", "New York City", None),
        ("USA", "United States", None),
        ("colour", "color", None),
        ("18", "Paris", None),
        ("", "", None),
        ("café", "cafe\u0301", True),
    ],
)
def test_same_answer(a, b, same):
    assert same_answer(a, b) is same
    assert same_answer(b, a) is same


@given(TEXTS, TEXTS)
def test_same_answer_is_symmetric_and_total(a, b):
    assert same_answer(a, b) is same_answer(b, a)


@given(TEXTS)
def test_a_text_is_never_different_from_itself(text):
    assert same_answer(text, text) is not False


@given(st.lists(st.sampled_from(["the", "a", "cat", "dog", "sat", "12", "3.50", "1,000", "Paris"]), min_size=1))
def test_normalisation_is_idempotent_on_words(words):
    once = normal_words(" ".join(words))
    assert normal_words(" ".join(once)) == once


def test_figures_beyond_a_float_are_compared():
    assert same_answer("5", "12345678901e299") is False
    assert same_answer("12345678901e299", "12345678901e299") is True
    big, small = parse_number("12345678901e299"), parse_number("5")
    assert same_quantity(big, small, relative=0.1) is False
    assert same_quantity(small, big, tolerance=0.1) is False
