"""Where a critique decides: the label distribution of judges that compare inside their critique.

    >>> equal = TextToken("=", 0.8, {"=": 0.8, "!": 0.2})
    >>> unequal = TextToken("!", 0.5, {"!": 0.5, "=": 0.5})
    >>> met_probability((equal, unequal), Decision(met="=", unmet="!"))
    (0.4, False)

Once a critique has said how a comparison came out, the label merely repeats it: its token is saturated near 0 or 1,
and its calibration error is the judge's error rate. The uncertainty stands earlier, at the tokens that decide. A judge
that marks each comparison as met or unmet, and is done at the first unmet one, says yes with the probability that
every mark is a met one: the product, over the marks it wrote, of p(met) / (p(met) + p(unmet)).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from genrm.engines.base import TextToken
from genrm.engines.model_card import Decision


def met_probability(tokens: Sequence[TextToken], decision: Decision) -> tuple[float, bool] | None:
    """The probability in [0, 1] that every comparison is met, and whether the critique says so.

    Marks after the first unmet one decide nothing. None when the critique has no mark.
    """
    product, seen = 1.0, False
    for token in tokens:
        mark = token.text.strip()
        if mark not in (decision.met, decision.unmet):
            continue
        weights = {decision.met: 0.0, decision.unmet: 0.0}
        for text, p in {**token.alternatives, token.text: token.p}.items():
            if text.strip() in weights:
                weights[text.strip()] += p
        total = sum(weights.values())
        if total <= 0.0:
            continue
        seen = True
        product *= weights[decision.met] / total
        if mark == decision.unmet:
            return product, False
    return (product, True) if seen else None


def decided(
    tokens: Sequence[TextToken],
    decision: Decision,
    *,
    label: str,
    labels: Sequence[str],
    extract: Iterable[str] = (),
) -> Mapping[str, float] | None:
    """The distribution over two labels that the marks of a critique give; None where they give none.

    Which label goes with "met" is taken from the label that was said, so a negated question turns it round.

    Args:
        tokens: of the critique.
        label: that was said.
        labels: both labels of the slot.
        extract: expressions over the critique that end where the comparisons begin; a mark inside the quoted
            answers is then no mark.
    """
    if len(labels) != 2 or label not in labels:
        return None
    found = met_probability(_after(tokens, extract), decision)
    if found is None:
        return None
    p, met = found
    other = next(name for name in labels if name != label)
    said_means_met = {label: p, other: 1.0 - p}
    p_of = said_means_met if met else {label: 1.0 - p, other: p}
    return {name: p_of[name] for name in labels}


def _after(tokens: Sequence[TextToken], extract: Iterable[str]) -> Sequence[TextToken]:
    """The tokens behind the end of the first expression that matches."""
    text = "".join(token.text for token in tokens)
    start = next((found.end() for pattern in extract if (found := re.search(pattern, text))), 0)
    place = 0
    for index, token in enumerate(tokens):
        if place >= start:
            return tokens[index:]
        place += len(token.text)
    return ()
