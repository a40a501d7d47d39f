"""From completions to verdicts, with and without a critique that decides."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrm.compiler.output import plan_output
from genrm.compiler.request import JudgeRequest
from genrm.engines.base import Completion, SlotReading, TextToken, Usage
from genrm.engines.model_card import Decision, ModelCard
from genrm.errors import TruncatedError, UnparseableError
from genrm.verdicts.decision import decided, met_probability
from genrm.verdicts.read import read_verdicts

MARKS = Decision(met="=", unmet="!")
CARD = ModelCard("j", "1", decision=MARKS, extract={"a": r"says (?P<answer>.*); reference (?P<reference>.*): "})


def request(**slots):
    return JudgeRequest((), plan_output(slots or {"correct": ("no", "yes")}, critique_tokens=32))


def completion(text, **facts):
    return Completion(text if isinstance(text, str) else json.dumps(text), Usage(), **facts)


def mark(text, met):
    """A mark where "=" had probability ``met``."""
    p = {"=": met, "!": 1 - met}
    return TextToken(text, p[text], p)


def words(text):
    return tuple(TextToken(piece, 1.0, {piece: 1.0}) for piece in text)


def test_a_verdict_has_what_was_said_and_where_it_was_read():
    reading = {"correct": SlotReading({"no": 0.2, "yes": 0.8}, outside=0.01)}
    found = completion({"critique": "It is 4.", "label": "no"}, slots=reading, closed=("correct",))
    verdict = read_verdicts(request(), found)["correct"]
    assert (verdict.label, verdict.critique, verdict.p) == ("no", "It is 4.", {"no": 0.2, "yes": 0.8})
    assert (verdict.read, verdict.outside, verdict.closed, verdict.error) == ("label", 0.01, True, None)


def test_engines_without_probabilities_give_labels_alone():
    verdict = read_verdicts(request(), completion({"critique": "", "label": "yes"}))["correct"]
    assert (verdict.label, verdict.p, verdict.read, verdict.outside) == ("yes", None, "none", None)


@pytest.mark.parametrize(
    "text",
    ["", "yes", "[]", "null", '{"critique":"x"}', '{"critique":"x","label":"maybe"}', '{"critique":1,"label":"yes"}'],
)
def test_what_cannot_be_read_is_an_error_and_no_label(text):
    verdict = read_verdicts(request(), completion(text))["correct"]
    assert verdict.label is None
    assert verdict.p is None
    assert isinstance(verdict.error, UnparseableError)


def test_what_was_cut_is_truncated():
    verdict = read_verdicts(request(), completion('{"critique":"It is', cut=True))["correct"]
    assert isinstance(verdict.error, TruncatedError)
    assert verdict.label is None


@given(st.text(), st.booleans())
def test_no_text_raises(text, cut):
    verdicts = read_verdicts(request(a=("no", "yes"), b=("1", "2")), completion(text, cut=cut))
    assert set(verdicts) == {"a", "b"}
    assert all((verdict.label is None) == (verdict.error is not None) for verdict in verdicts.values())


@pytest.mark.parametrize(
    "text",
    [
        '{"a":{"critique":"x","label":"yes"},"a":{"critique":"x","label":"no"},"b":{"critique":"x","label":"no"}}',
        "[" * 100_000,
    ],
    ids=["said twice", "nested without end"],
)
def test_a_joint_output_that_is_no_single_object_gives_no_label_at_all(text):
    verdicts = read_verdicts(request(a=("no", "yes"), b=("no", "yes")), completion(text))
    assert [verdict.label for verdict in verdicts.values()] == [None, None]
    assert all(isinstance(verdict.error, UnparseableError) for verdict in verdicts.values())


def test_one_bad_criterion_leaves_the_others():
    good = {"critique": "", "label": "yes"}
    found = completion({"a": good, "b": {"critique": "", "label": "nine"}, "d": good})
    verdicts = read_verdicts(request(a=("no", "yes"), b=("1", "2"), c=("no", "yes"), d=("no", "yes")), found)
    assert [verdicts[slot].label for slot in "abcd"] == ["yes", None, None, "yes"]
    assert "nine" in verdicts["b"].error.message
    assert "'c'" in verdicts["c"].error.message


@pytest.mark.parametrize(
    ("marks", "label", "p_yes"),
    [
        ([("=", 0.9), ("=", 0.8)], "yes", 0.72),
        ([("=", 0.9), ("!", 0.4)], "no", 0.36),
        ([("!", 0.4), ("=", 0.1)], "no", 0.4),
        ([("=", 0.3)], "yes", 0.3),
        # Turned round: a negated question is answered yes where the comparison is not met.
        ([("=", 0.9), ("=", 0.8)], "no", 0.28),
        ([("=", 0.9), ("!", 0.4)], "yes", 0.64),
    ],
)
def test_the_marks_of_a_critique_decide(marks, label, p_yes):
    tokens = [*words("a4|4"), *(mark(text, met) for text, met in marks)]
    p = decided(tokens, MARKS, label=label, labels=("no", "yes"))
    assert p == pytest.approx({"no": 1 - p_yes, "yes": p_yes})
    assert list(p) == ["no", "yes"]


@given(st.lists(st.floats(0.01, 0.99), min_size=1, max_size=8), st.booleans())
def test_marks_give_a_distribution_that_falls_with_every_comparison(chances, unmet):
    tokens = [mark("=", chance) for chance in chances]
    if unmet:
        tokens[-1] = mark("!", chances[-1])
    p, met = met_probability(tokens, MARKS)
    assert met is not unmet
    assert 0 <= p <= min(chances) + 1e-12
    assert sum(decided(tokens, MARKS, label="no", labels=("no", "yes")).values()) == pytest.approx(1)


def test_only_the_share_between_the_marks_counts():
    token = TextToken("=", 0.3, {"=": 0.3, "!": 0.1, "x": 0.6})
    assert met_probability([token], MARKS) == (pytest.approx(0.75), True)


def test_marks_inside_the_quoted_answers_are_no_marks():
    quoted = words("says x=5!; reference 5: ")
    card_patterns = list(CARD.extract.values())
    tokens = [*quoted, mark("=", 0.6)]
    p = decided(tokens, MARKS, label="yes", labels=("no", "yes"), extract=card_patterns)
    assert p["yes"] == pytest.approx(0.6)
    assert decided(quoted, MARKS, label="yes", labels=("no", "yes"), extract=card_patterns) is None


def test_the_label_slot_is_read_where_the_critique_does_not_decide():
    slots = {"correct": SlotReading({"no": 0.1, "yes": 0.9})}
    said = {"critique": "…", "label": "yes"}
    deciding = {"correct": (*words("ok "), mark("=", 0.7))}
    cases = [
        (CARD, completion(said, slots=slots, tokens=deciding), "critique", 0.7),
        (CARD, completion(said, slots=slots, tokens={"correct": words("no marks")}), "label", 0.9),
        (CARD, completion(said, slots=slots, tokens=deciding, closed=("correct",)), "label", 0.9),
        (ModelCard("j", "1"), completion(said, slots=slots, tokens=deciding), "label", 0.9),
        (None, completion(said, slots=slots, tokens=deciding), "label", 0.9),
    ]
    for card, found, read, p_yes in cases:
        verdict = read_verdicts(request(), found, card=card)["correct"]
        assert (verdict.read, verdict.p["yes"]) == (read, pytest.approx(p_yes))


def test_scales_of_more_than_two_labels_are_read_at_the_slot():
    slots = {"q": SlotReading({"1": 0.5, "2": 0.3, "3": 0.2})}
    found = completion({"critique": "=", "label": "1"}, slots=slots, tokens={"q": (mark("=", 0.7),)})
    assert read_verdicts(request(q=("1", "2", "3")), found, card=CARD)["q"].read == "label"
