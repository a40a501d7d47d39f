"""Re-check in code what a critique says it extracted.

The embedded judge writes the answer and the reference that it compared. Whether the response holds that answer,
whether that is the reference, and whether the two are equal is trivial for code, so a verdict that contradicts its own
critique, or a critique that misquotes, is flagged as ``disagree``. The verdict itself is left alone: people decide what
a flag is worth.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import replace

from genrm.checks.answers import normal_words, same_answer
from genrm.engines.model_card import ModelCard
from genrm.specs.sample import Sample
from genrm.verdicts.verdict import Verdict


def recheck(verdict: Verdict, sample: Sample, card: ModelCard) -> Verdict:
    """The verdict with ``checked`` set where its critique names an extracted answer and the sample has a reference."""
    if verdict.label is None or not verdict.critique or not sample.reference:
        return verdict
    for pattern in card.extract.values():
        found = re.search(pattern, verdict.critique)
        if found is None or found["answer"] is None:  # nothing was extracted, so there is nothing to compare
            continue
        references = [_folded(reference) for reference in sample.reference]
        answer, compared = _folded(found["answer"]), _folded(found["reference"])
        if _any(same_answer(compared, reference) for reference in references) is False:
            return replace(verdict, checked="disagree")
        if not _stands_in(answer, _folded(sample.response)):
            return replace(verdict, checked="disagree")
        same = _any(same_answer(answer, reference) for reference in references)
        if same is None:
            return verdict
        said = verdict.label == card.labels[-1]
        return replace(verdict, checked="agree" if same == said else "disagree")
    return verdict


def _folded(text: str) -> str:
    """Without accents, which the judge leaves out."""
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))


def _any(outcomes: Iterable[bool | None]) -> bool | None:
    """True when one is; False when all are; None when code cannot tell."""
    seen = list(outcomes)
    return True if True in seen else None if None in seen else False


def _stands_in(answer: str, response: str) -> bool:
    """Whether the response holds a quoted answer: the same words somewhere in it, or the same letters and digits."""
    words, text = normal_words(answer), normal_words(response)
    if any(text[start : start + len(words)] == words for start in range(len(text) - len(words) + 1)):
        return True
    return _letters(answer) in _letters(response)


def _letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())
