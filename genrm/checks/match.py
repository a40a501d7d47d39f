"""Checks against the reference by code alone: exact text, normalised text, number. Any of the references counts."""

from __future__ import annotations

import unicodedata

from genrm.checks.answers import normal_words, same_quantity
from genrm.checks.numbers import Quantity, after_hashes, final_number, last_boxed, parse_number
from genrm.checks.registry import Finding, check, excerpt
from genrm.errors import InputError
from genrm.specs.check import ExactCheck, NormalizedCheck, NumberCheck
from genrm.specs.sample import Sample


@check(ExactCheck)
def exact(spec: ExactCheck, sample: Sample) -> Finding:
    """The response is one of the references, character by character."""

    def form(text: str) -> str:
        text = text.strip() if spec.strip else text
        return text.casefold() if spec.ignore_case else text

    response = form(sample.response)
    if any(response == form(reference) for reference in sample.reference):
        return Finding(True, f"The response is exactly {excerpt(response)}.")
    return Finding(False, f"The response {excerpt(response)} is not {_references(sample)}.")


@check(NormalizedCheck)
def normalized(spec: NormalizedCheck, sample: Sample) -> Finding:
    """The response, or with ``contains`` a run of words in it, is a reference after normalisation.

    Raises:
        InputError: nothing is left of any reference after normalisation, so everything would contain it.
    """
    references = {reference: normal_words(reference) for reference in sample.reference}
    if not any(references.values()):
        raise InputError(
            f"field 'reference': {_references(sample)} has no letters and no digits, so nothing is left to compare "
            "after normalisation; use the check 'exact'"
        )
    response = normal_words(sample.response)
    number = parse_number(sample.response) if len(sample.response) <= 100 else None
    for reference, words in references.items():
        if not words:
            continue
        if spec.contains:
            if _within(words, response):
                return Finding(True, f"The response contains {excerpt(reference)}.")
        elif response == words or _same_number(number, reference):
            return Finding(True, f"The response is {excerpt(reference)} after normalisation.")
    verb = "does not contain" if spec.contains else "after normalisation is not"
    return Finding(False, f"The response {excerpt(' '.join(response[:20]))} {verb} {_references(sample)}.")


@check(NumberCheck)
def number(spec: NumberCheck, sample: Sample) -> Finding:
    """The final number of the response equals a reference number, within the tolerance.

    Raises:
        InputError: no reference states one number.
    """
    references = [quantity for reference in sample.reference if (quantity := reference_number(reference))]
    if not references:
        raise InputError(
            f"field 'reference': {_references(sample)} is no number; use 'normalized' or 'math', or give the number"
        )
    found = final_number(sample.response)
    if found is None:
        return Finding(False, "The response has no number.")
    for reference in references:
        if same_quantity(found, reference, tolerance=spec.tolerance, relative=spec.relative):
            return Finding(True, f"The final number {shown(found)} equals the reference {shown(reference)}.")
    expected = " or ".join(shown(reference) for reference in references[:5])
    return Finding(False, f"The final number is {shown(found)}; the reference is {expected}.")


def reference_number(text: str) -> Quantity | None:
    """The number of a reference: a bare one, one in ``\\boxed{…}``, or the one after ``####`` of a worked solution."""
    return parse_number(reference_answer(text))


def reference_answer(text: str) -> str:
    """The final answer of a reference, which may be a whole worked solution."""
    for answer in (after_hashes(text), last_boxed(text)):
        if answer is not None:
            return answer
    return text.strip()


def shown(quantity: Quantity) -> str:
    """A quantity for a critique."""
    value = quantity.value
    if value.denominator == 1:
        text = str(value.numerator)
    else:
        try:
            text = f"{float(value):.12g}"
        except OverflowError:
            text = ""
        text = text if text and float(text) == value else f"{value.numerator}/{value.denominator}"
    return f"{text if len(text) <= 40 else text[:39] + '…'} {quantity.unit}".strip()


def _same_number(number: Quantity | None, reference: str) -> bool:
    other = parse_number(unicodedata.normalize("NFKC", reference))
    return number is not None and other is not None and same_quantity(number, other) is True


def _within(needle: tuple[str, ...], words: tuple[str, ...]) -> bool:
    # Words have no blanks inside, so the blanks around them mark their boundaries.
    return f" {' '.join(needle)} " in f" {' '.join(words)} "


def _references(sample: Sample) -> str:
    listed = " or ".join(excerpt(reference) for reference in sample.reference[:5])
    return listed if len(sample.reference) <= 5 else f"{listed} or {len(sample.reference) - 5} more"
