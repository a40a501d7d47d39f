"""The page about engines says what the conformance suite says."""

import importlib.util
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "make_engines.py"


@pytest.fixture(scope="module")
def maker():
    spec = importlib.util.spec_from_file_location("make_engines", PAGE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_is_current(maker):
    text = maker.PAGE.read_text(encoding="utf-8")
    assert maker.page(text) == text, "run: python docs/make_engines.py"


def test_a_page_without_marks_is_refused(maker):
    with pytest.raises(ValueError, match="lacks the lines"):
        maker.page("no marks")
