"""What code says about a critique: quotes that are none, comparisons that do not hold."""

import pytest

from genrm.engines.model_card import parse_card
from genrm.judging.recheck import recheck
from genrm.specs.sample import Sample
from genrm.verdicts.verdict import Verdict

CARD = parse_card(
    {
        "name": "quoting",
        "version": "1",
        "labels": ["no", "yes"],
        "extract": {"verify": "^response (?:answers (?P<answer>.+?)|gives no answer); reference (?P<reference>.+?):"},
    }
)


@pytest.mark.parametrize(
    ("critique", "label", "response", "reference", "checked"),
    [
        ("response answers 25; reference 25: =", "yes", "34 - 9 = 25", "25", "agree"),
        ("response answers 23; reference 25: !", "no", "34 - 9 = 23", "25", "agree"),
        ("response answers 25; reference 25: !", "no", "34 - 9 = 25", "25", "disagree"),
        ("response answers 25; reference 25: =", "yes", "It is 24.", "25", "disagree"),
        ("response answers 79; reference 79: =", "yes", "It is 79.", "69", "disagree"),
        ("response answers 37.5; reference 37.5: =", "yes", "**$37.50** in all", "$37.50", "agree"),
        ("response answers 150 km; reference 150: =", "yes", "so 150km", "150", "agree"),
        ("response answers sao paulo; reference sao paulo: =", "yes", "It is São Paulo.", "São Paulo", "agree"),
        ("response answers 1/2; reference 1/2: =", "yes", r"\\boxed{\\frac{1}{2}}", "1/2", "agree"),
        ("response gives no answer; reference 25: !", "no", "Hm.", "25", None),
        ("who knows", "no", "Hm.", "25", None),
        ("response answers nyc; reference new york city: !", "no", "It is NYC.", "New York City", None),
    ],
)
def test_checked(critique, label, response, reference, checked):
    verdict = recheck(Verdict("a", label, critique), Sample(response, reference=(reference,)), CARD)
    assert verdict.checked == checked
    assert verdict.label == label


def test_any_reference_will_do():
    sample = Sample("It is four.", reference=("4", "four"))
    verdict = Verdict("a", "yes", "response answers four; reference four: =")
    assert recheck(verdict, sample, CARD).checked == "agree"


def test_without_a_reference_or_a_label_nothing_is_checked():
    verdict = Verdict("a", "yes", "response answers 4; reference 4: =")
    assert recheck(verdict, Sample("4"), CARD).checked is None
    assert (
        recheck(Verdict("a", None, "response answers 4; reference 4: ="), Sample("4", reference=("4",)), CARD).checked
        is None
    )
