"""Re-check in code what a critique says it extracted.

The embedded judge writes the answer and the reference that it compared. Comparing them is trivial for code, so a
verdict that contradicts its own critique, or a critique that misquotes the reference, is flagged as ``disagree``.
The verdict itself is left alone: people decide what a flag is worth.
"""

from __future__ import annotations

import re
from dataclasses import replace

from genrm.checks.answers import same_answer
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
        outcomes = [same_answer(found["answer"], reference) for reference in sample.reference]
        if any(outcomes):
            same = True
        elif None in outcomes:
            return verdict
        else:
            same = False
        said = verdict.label == card.labels[-1]
        return replace(verdict, checked="agree" if same == said else "disagree")
    return verdict
