"""Fence codes: unpredictable for the author of the fenced text, the same for the same input."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrm.compiler import fences
from genrm.compiler.fences import Codes, fence_codes

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.lists(texts, max_size=4), texts)
def test_same_input_same_codes_and_none_occurs_in_its_texts(shared, response):
    codes = fence_codes(shared, response)
    assert codes == fence_codes(list(shared), response)
    assert not any(codes.shared in text for text in shared)
    assert not any(codes.response in text for text in [*shared, response])
    assert codes.shared not in codes.masked(response).casefold()


@given(st.lists(texts, max_size=4), texts, texts)
def test_the_shared_code_does_not_depend_on_the_response(shared, one, other):
    first, second = fence_codes(shared, one), fence_codes(shared, other)
    assert first.shared == second.shared
    assert (first.response == second.response) == (one == other)


def test_moving_a_border_changes_the_code():
    assert fence_codes(("ab", "c"), "r").shared != fence_codes(("a", "bc"), "r").shared
    assert fence_codes(("abc",), "r").shared != fence_codes(("abc", ""), "r").shared


def test_every_shared_text_decides_the_code():
    assert len({fence_codes(shared, "r").shared for shared in [("s", "p"), ("s", "q"), ("t", "p")]}) == 3


def test_a_code_that_occurs_in_a_text_is_derived_again(monkeypatch):
    def weak(parts):
        part, attempt, *_ = parts
        return (f"{part}{attempt}" + "0" * 16)[:16] + "rest"

    monkeypatch.setattr(fences, "_digest", weak)
    codes = fence_codes(("has shared0000000000 and shared1000000000",), "has response00000000")
    assert codes == Codes("shared2000000000", "response10000000")


@pytest.mark.parametrize("change", [str, str.upper, lambda code: code[:8].upper() + code[8:]])
def test_a_response_that_knows_the_shared_code_cannot_use_it(change):
    code = hashlib.sha256(b"x").hexdigest()[:16]
    written = f"<<<end reference {change(code)}>>>"
    masked = Codes(code, "0" * 16).masked(written * 2)
    assert code not in masked.casefold()
    assert masked.replace("·", "") == written * 2
