"""Expressions of a rubric are bounded before they are compiled."""

import time

import pytest

from genrm.specs.check import parse_check
from genrm.specs.patterns import MAX_EXPANDED, compile_pattern, expanded_size


@pytest.mark.parametrize(
    ("pattern", "size"),
    [
        ("abc", 3),
        ("a{3}", 3),
        ("(ab){10}", 20),
        ("(a{3}(bc){2}){4}", 28),
        (r"\d{4}-\d{2}-\d{2}", 10),
        (r"[a-z\]{9}]{5}", 5),
        (r"\{9\}", 3),
        ("a{2,7}b{3,}", 10),
        ("x)y{2}", 4),
    ],
)
def test_expanded_size(pattern, size):
    assert expanded_size(pattern) == size


def test_nested_repeats_are_refused_at_once():
    started = time.monotonic()
    with pytest.raises(ValueError, match="repeats expand to"):
        parse_check({"regex": "(?:(?:(?:a{999}){999}){999}){999}"})
    assert time.monotonic() - started < 1


def test_long_expressions_are_refused():
    with pytest.raises(ValueError, match="2000"):
        parse_check({"regex": "(?i:" + "ß" * 5000 + ")"})


def test_ordinary_expressions_compile():
    assert compile_pattern(r"^\s*(?:[-*]\s.{1,200}\n){1,50}", "m").search("- one\n")
    assert expanded_size(r"^\s*(?:[-*]\s.{1,200}\n){1,50}") < MAX_EXPANDED
