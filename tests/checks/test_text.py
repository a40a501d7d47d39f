import time

import pytest

from genrm.checks.fences import fenced_blocks
from genrm.checks.text import count_units
from genrm.errors import DeadlineError


@pytest.mark.parametrize(
    ("check", "response", "label"),
    [
        ({"regex": "b+"}, "abbb", "yes"),
        ({"regex": "^b"}, "abbb", "no"),
        ({"regex": {"pattern": "^B", "flags": "im"}}, "a\nb", "yes"),
        ({"regex": {"pattern": "a.b", "flags": "s"}}, "a\nb", "yes"),
        ({"regex": {"pattern": "[A-D]", "match": "full"}}, "B", "yes"),
        ({"regex": {"pattern": "[A-D]", "match": "full"}}, "B\n", "no"),
        ({"regex": {"pattern": "sorry", "negate": True}}, "fine", "yes"),
        ({"regex": {"pattern": "sorry", "negate": True}}, "sorry!", "no"),
        ({"contains": "Best regards"}, "best regards", "no"),
        ({"contains": {"all": ["a", "b"]}}, "ab", "yes"),
        ({"contains": {"all": ["a", "b"]}}, "a", "no"),
        ({"contains": {"any": ["STRASSE"], "ignore_case": True}}, "die Straße", "yes"),
        ({"contains": {"any": ["x"], "none": ["y"]}}, "xy", "no"),
        ({"contains": {"any": ["x"], "none": ["y"]}}, "z", "no"),
        ({"length": {"unit": "words", "max": 3}}, "one two three", "yes"),
        ({"length": {"unit": "words", "max": 2}}, "one two three", "no"),
        ({"length": {"unit": "words", "min": 1}}, " \n\t", "no"),
        ({"length": {"unit": "characters", "min": 3, "max": 3}}, "a\ud800😀", "yes"),
        ({"code_fence": True}, "```\nx\n```", "yes"),
        ({"code_fence": True}, "```\nx", "no"),
        ({"code_fence": {"language": "py"}}, "~~~Python title=a\nx\n~~~", "yes"),
        ({"code_fence": {"language": "python"}}, "```js\nx\n```", "no"),
        ({"code_fence": {"count": {"max": 1}}}, "```\na\n```\n```\nb\n```", "no"),
        ({"code_fence": {"count": {"max": 0}}}, "no code", "yes"),
        ({"repetition": {"max": 0.2}}, "go on " * 50, "no"),
        ({"repetition": {"max": 0.2}}, "every word of this short text is new", "yes"),
        ({"repetition": {"max": 0.0}}, "short", "yes"),
    ],
)
def test_label(judged, check, response, label):
    verdict = judged(check, response)
    assert (verdict.label, verdict.error) == (label, None)
    assert (verdict.read, verdict.p, verdict.criterion) == ("none", None, "c")


def test_the_critique_says_what_was_found(judged):
    assert judged({"length": {"unit": "words", "max": 100}}, "word " * 112).critique == (
        "Found 112 words; at most 100 are allowed."
    )
    assert judged({"length": {"unit": "words", "min": 2}}, "one").critique == "Found 1 word; at least 2 are needed."
    assert "'c', 'd'" in judged({"contains": {"all": ["a", "c", "d"]}}, "ab").critique
    assert len(judged({"regex": ".*"}, "x" * 10_000).critique) < 200


@pytest.mark.parametrize("check", [{"regex": "(a+)+$"}, {"regex": {"pattern": "(a|aa)+b", "match": "full"}}])
def test_catastrophic_backtracking_is_a_timeout_and_no_label(judged, check):
    start = time.monotonic()
    verdict = judged(check, "a" * 5000 + "!")
    assert time.monotonic() - start < 10
    assert verdict.label is None
    assert isinstance(verdict.error, DeadlineError)
    assert verdict.error.row()["category"] == "timeout"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("...", 0),
        ("No full stop", 1),
        ("One. Two! Three?", 3),
        ("It costs 3.50 dollars, e.g. here. Dr. Who agrees.", 2),
        ("The answer is 4. So be it.", 2),
        ("1. First do this.\n2. Then that.", 2),
        ('He said "stop." Then he left.', 2),
        ("Wait... what?!", 2),
        ("A heading\n\nAnd a sentence.", 2),
        ("これは文です。これも文です！", 2),
        ("J. R. Smith wrote it.", 1),
    ],
)
def test_sentences(text, count):
    assert count_units(text, "sentences") == count


def test_lines_and_paragraphs():
    text = "\n\na\nb\n \n\nc\r\n\r\nd\n"
    assert count_units(text, "lines") == 4
    assert count_units(text, "paragraphs") == 3
    assert count_units("", "paragraphs") == 0


@pytest.mark.parametrize("unit", ["words", "characters", "sentences", "lines", "paragraphs"])
@pytest.mark.parametrize("text", ["a." * 500_000, ". " * 500_000, "\n" * 1_000_000, "e.g. " * 200_000])
def test_counting_a_megabyte_is_quick(unit, text):
    start = time.monotonic()
    assert count_units(text, unit) >= 0
    assert time.monotonic() - start < 10


def test_fences_nest_by_length_and_close_only_with_their_own_kind():
    blocks = fenced_blocks(
        "````md\n```py\nx\n```\n````\n~~~\n```\n~~~ \ntext ``` not a fence\n```inline``` code\n```c\nopen"
    )
    assert [(block.language, block.body, block.closed) for block in blocks] == [
        ("markdown", "```py\nx\n```", True),
        ("", "```", True),
        ("c", "open", False),
    ]
