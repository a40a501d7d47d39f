"""Free text by a verdict format: what counts as a verdict, and above all what does not."""

import math
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrm.compiler.output import FREE_TEXT
from genrm.engines.base import Completion, SlotReading, TextToken, Usage
from genrm.errors import EngineError, TruncatedError, UnparseableError
from genrm.specs.load_format import format_files
from genrm.specs.load_format import load_format as load_format_anew
from genrm.verdicts.foreign import read_foreign
from genrm.verdicts.format_check import completion_of, faults_of_examples, slots_of_examples

PAIR = {"better": ("A", "B", "tie")}


@cache
def named(name):
    return load_format_anew(name)


def load_format(source):
    return named(source) if isinstance(source, str) else load_format_anew(source)


def read(name, text, slots, **fields):
    return read_foreign(load_format(name), Completion(text, Usage(), **fields), slots)


def one(name, text, labels=PAIR["better"], **fields):
    return read_foreign(load_format(name), Completion(text, Usage(), **fields), {"better": labels})["better"]


@pytest.mark.parametrize("name", format_files())
def test_a_format_reads_its_examples_as_they_say(name):
    assert faults_of_examples(load_format(name)) == []


def positive_examples():
    for name in format_files():
        spec = load_format(name)
        for number, example in enumerate(spec.examples):
            if (example.label or example.labels) and not example.top and not example.cut:
                yield pytest.param(name, number, id=f"{name}-{number}")


@pytest.mark.parametrize(("name", "number"), list(positive_examples()))
def test_a_cut_output_says_nothing_and_an_unfinished_one_nothing_else(name, number):
    spec = load_format(name)
    example = spec.examples[number]
    slots = slots_of_examples(spec)
    whole = {slot: verdict.label for slot, verdict in read_foreign(spec, completion_of(example), slots).items()}
    assert any(whole.values())
    first_line = spec.verdict.place == "first_line"
    for end in range(len(example.text)):
        begun = example.text[:end]
        for verdict in read_foreign(spec, Completion(begun, Usage(), cut=True), slots).values():
            assert verdict.label is None or (first_line and "\n" in begun)
            assert verdict.label is not None or isinstance(verdict.error, TruncatedError)
        for slot, verdict in read_foreign(spec, Completion(begun, Usage()), slots).items():
            # Without a word that it was cut, a text that ends behind a quoted verdict looks like one that says it.
            assert verdict.label in (None, whole[slot]) or (name, number) in QUOTING


QUOTING = {
    ("arena-hard", 3),
    ("arena-hard", 5),
    ("equal-or-not", 2),
    ("mt-bench-rating", 4),
    ("boxed", 2),
    ("final-decision", 2),
    ("json", 3),
    ("llmbar-rating", 1),
    ("mt-bench-pair", 2),
    ("mt-bench-rating", 3),
    ("prometheus", 3),
    ("prometheus-pair", 1),
    ("rm-r1", 1),
    ("yes-no", 4),
}


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 60), st.sampled_from(["A", "B", "C"]))
def test_a_verdict_behind_thinking_is_the_only_one(padding, letter):
    text = f"<think>{'x' * padding}[[A]] or [[B]]? </think>\nSo: [[{letter}]]"
    said = one("mt-bench-pair", text)
    assert said.label == {"A": "A", "B": "B", "C": "tie"}[letter]
    assert said.critique == "So:"
    for end in range(text.index("</think>") + len("</think>")):
        for cut in (True, False):
            assert one("mt-bench-pair", text[:end], cut=cut).label is None


def test_thinking_that_the_template_began_is_thinking_too():
    assert one("mt-bench-pair", "Hm, [[A]].</think>[[B]]").label == "B"
    assert one("mt-bench-pair", "Hm, [[A]].</think>").label is None
    assert one("mt-bench-pair", "<think>a</think>[[A]]\n<think>no, [[B]]").label is None


def test_a_quoted_verdict_does_not_count():
    said = one("mt-bench-pair", 'The response says "[[A]]" to steer me.\n\n[[B]]')
    assert said.label == "B"
    assert said.critique == 'The response says "[[A]]" to steer me.'


def test_conflicting_verdicts_can_be_none():
    spec = {"name": "strict", "verdict": {"regex": r"\[\[(?P<label>[AB])\]\]", "conflict": "none"}}
    slots = {"better": ("A", "B")}
    strict = load_format(spec)
    assert read_foreign(strict, Completion("[[A]] [[A]]", Usage()), slots)["better"].label == "A"
    error = read_foreign(strict, Completion("[[A]] [[B]]", Usage()), slots)["better"].error
    assert isinstance(error, UnparseableError)
    assert "contradict" in str(error)
    first = load_format({**spec, "verdict": {**spec["verdict"], "conflict": "match", "match": "first"}})
    assert read_foreign(first, Completion("[[A]] [[B]]", Usage()), slots)["better"].label == "A"


@pytest.mark.parametrize(
    ("name", "text", "cut", "kind"),
    [
        ("mt-bench-pair", "It is cut in the middle of", True, TruncatedError),
        ("mt-bench-pair", "It forgets its verdict.", False, UnparseableError),
        ("mt-bench-pair", "", True, TruncatedError),
        ("mt-bench-pair", "", False, UnparseableError),
        ("mt-bench-pair", "[[A]] was my first thought, but on", True, TruncatedError),
        ("llmbar-rating", "1", True, TruncatedError),
        ("pandalm", "garbage", False, UnparseableError),
        ("json", '{"label": "A", "reason": "', True, TruncatedError),
        ("json", '{"label": "A", "reason": "', False, UnparseableError),
        ("json", '{"label": "A"} {"label": ', False, UnparseableError),
    ],
)
def test_what_was_cut_and_what_is_no_verdict(name, text, cut, kind):
    verdict = one(name, text, ("1", "2") if name in ("llmbar-rating", "pandalm") else ("A", "B"), cut=cut)
    assert verdict.label is None
    assert type(verdict.error) is kind


def test_a_label_off_the_scale_is_no_verdict():
    assert "found 'C'" in str(one("mt-bench-pair", "[[C]]", ("A", "B")).error)


def test_json_by_criterion_keeps_what_is_there():
    slots = {"one": tuple("12345"), "two": tuple("12345")}
    text = '{"criteria": {"One": {"score": 4, "reason": "r"}, "two": {"score": 9}}}'
    verdicts = read("json-by-criterion", text, slots)
    assert (verdicts["one"].label, verdicts["one"].critique) == ("4", "r")
    assert isinstance(verdicts["two"].error, UnparseableError)
    left_out = read("json-by-criterion", '{"criteria": {"one": {"score": 4}}}', slots)
    assert left_out["one"].label == "4"
    assert "leaves it out" in str(left_out["two"].error)
    doubled = read("json-by-criterion", '{"criteria": {"one": {"score": 4}, "ONE": {"score": 5}}}', slots)
    assert all(verdict.label is None for verdict in doubled.values())


def test_verdicts_by_criterion_in_prose():
    spec = load_format(
        {"name": "lines", "verdict": {"regex": r"^(?P<criterion>\w+): (?P<label>\w+)$", "flags": "m", "each": True}}
    )
    slots = {"clear": ("no", "yes"), "kind": ("no", "yes")}
    verdicts = read_foreign(spec, Completion("Clear: yes\nother: no\nkind: no\nkind: yes", Usage()), slots)
    assert {name: verdict.label for name, verdict in verdicts.items()} == {"clear": "yes", "kind": "yes"}


def test_one_verdict_is_not_shared_by_two_criteria():
    with pytest.raises(ValueError, match="one verdict"):
        read("mt-bench-pair", "[[A]]", {"one": ("A", "B"), "two": ("A", "B")})


def tokens(*alternatives, said):
    return {FREE_TEXT: (TextToken(said, dict(alternatives).get(said, 0.0), dict(alternatives)),)}


def test_labels_from_token_probabilities():
    labels = ("first", "second")
    said = one("single-token-m", "m", labels, tokens=tokens(("m", 0.6), ("M", 0.2), ("The", 0.1), said="m"), cut=True)
    assert said.label == "first"
    assert said.p == pytest.approx({"first": 0.75, "second": 0.25})
    assert said.outside == pytest.approx(0.2)
    assert said.read == "label"
    neither = tokens(("Both", 0.9), ("M", 0.04), ("m", 0.01), said="Both")
    read_all_the_same = one("single-token-m", "Both", labels, tokens=neither)
    assert read_all_the_same.label == "second"
    assert read_all_the_same.outside == pytest.approx(0.95)
    strict = load_format("single-token-m").model_dump(by_alias=True, exclude_none=True)
    strict["read"]["otherwise"] = "fail"
    verdict = read_foreign(load_format(strict), Completion("Both", Usage(), tokens=neither), {"better": labels})
    assert isinstance(verdict["better"].error, UnparseableError)
    assert one("single-token-m", "Both", labels, tokens=tokens(("Both", 1.0), said="Both")).label is None
    assert isinstance(one("single-token-m", "m", labels).error, EngineError)


def test_a_distribution_that_the_engine_gives_is_kept():
    reading = SlotReading({"A": 0.7, "B": 0.3}, 0.01)
    verdict = one("mt-bench-pair", "[[B]]", ("A", "B"), slots={"better": reading})
    assert (verdict.label, verdict.p, verdict.outside) == ("B", reading.p, 0.01)
    assert math.isclose(sum(verdict.p.values()), 1)


@settings(deadline=None)
@given(st.text(alphabet='{}":,[]\\ab1\n', max_size=200))
def test_no_text_breaks_the_reader(text):
    for name in ("json", "json-by-criterion", "mt-bench-pair", "pandalm", "yes-no"):
        verdict = one(name, text, ("1", "2") if name == "pandalm" else ("no", "yes"))
        assert (verdict.label is None) != (verdict.error is None)


def test_a_slow_expression_is_stopped():
    spec = load_format({"name": "slow", "verdict": {"regex": r"(?P<label>(a|aa)+)$"}})
    verdict = read_foreign(spec, Completion("a" * 5000 + "b", Usage()), {"x": ("a", "b")})["x"]
    assert verdict.label is None
    assert "took more than" in str(verdict.error)


def test_braces_without_end_are_no_endless_work():
    assert "braces" in str(one("json", "{" * 100_000).error)


@pytest.mark.parametrize(
    "text",
    [
        '{"quote": {"label": "A"}, "label": "B",}',
        'It says {"label": "A"}. {"label": "B",}',
        "It says {\"label\": \"A\"}. {'label': 'B'}",
        '{"quote": {"label": "A"} /* no */, "label": "B"}',
    ],
)
def test_an_object_that_is_not_json_leaves_no_quotation_for_a_verdict(text):
    assert "not JSON" in str(one("json", text).error)
    assert one("json", text + ' {"label": "B"}').label == "B"


@pytest.mark.parametrize(
    ("name", "text"), [("json", "{x " * 1900 + '"a" ' * 60_000), ("pandalm", "1\n" + " " * 200_000)]
)
def test_long_outputs_are_read_in_little_time(name, text):
    assert one(name, text, ("1", "2")).label == ("1" if name == "pandalm" else None)


def test_a_critique_whose_expression_takes_too_long_is_an_error_of_its_verdict(monkeypatch):
    def too_slow(*_):
        raise UnparseableError("the expression took more than 1 s", retryable=False)

    monkeypatch.setattr("genrm.verdicts.foreign._critique", too_slow)
    assert isinstance(one("mt-bench-pair", "[[A]]").error, UnparseableError)


def test_a_token_that_begins_a_longer_word_is_no_label():
    tokens = {FREE_TEXT: (TextToken("No", 0.9, {"No": 0.9}), TextToken("thing", 0.9, {}))}
    assert one("yes-no-token", "Nothing", ("no", "yes"), tokens=tokens).label is None


@pytest.mark.parametrize("instructions", ["{% labels %}", "Say {{ labelz }}."])
def test_the_check_of_a_format_renders_its_instructions(instructions):
    spec = load_format("yes-no").model_copy(update={"instructions": instructions})
    assert any("instructions" in fault for fault in faults_of_examples(spec))


@pytest.mark.parametrize("text", ["<thinking>It asks for [[A]]. Hm", "So: <think> maybe [[A]]"])
def test_thinking_without_an_end_is_no_verdict_wherever_it_begins(text):
    [verdict] = read_foreign(load_format("mt-bench-pair"), Completion(text, Usage()), {"better": ("A", "B")}).values()
    assert verdict.label is None


@pytest.mark.parametrize("end", ["</s>", "<|im_end|>", "<|eot_id|>\n"])
def test_the_end_of_a_turn_is_no_part_of_an_output(end):
    slots = {"quality": tuple("12345")}
    [verdict] = read_foreign(load_format("prometheus"), Completion(f"Good. [RESULT] 4{end}", Usage()), slots).values()
    assert verdict.label == "4"
