"""Which votes count under ``keep_best``: the k with the highest score of their own or of a meta-judge.

    >>> from genrm.specs.vote import KeepBest
    >>> votes = [Verdict("a", "yes", p={"no": 0.4, "yes": 0.6}), Verdict("a", "yes", p={"no": 0.1, "yes": 0.9})]
    >>> kept_votes(votes, KeepBest(k=1, by="margin"))
    (1,)

A meta-judge is not asked here: whoever asks one puts its score into ``Verdict.meta`` before the votes are tallied, live
or from a stored row (``criteria.NAME.meta``, one number per vote).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from genrm.engines.base import Engine
from genrm.errors import SpecError
from genrm.specs.vote import KeepBest, Vote
from genrm.verdicts.verdict import Verdict
from genrm.voting.uncertainty import confidence, keep_best, margin, token_likelihood


def check_filter(vote: Vote, model: str, engine: Callable[[], Engine]) -> None:
    """Refuse a filter that a live judge cannot apply, before any call is made.

    Raises:
        SpecError: it is by a meta-judge, or by label probabilities that the engine does not show.
    """
    if vote.keep_best is None:
        return
    by = vote.keep_best.by
    if by == "meta":
        raise SpecError(
            "vote.keep_best: by: meta needs the scores of a meta-judge, which no judge gives while it judges; judge "
            "without keep_best, record them in the output rows as criteria.NAME.meta (one number per vote), and "
            "re-score: genrm judge --rescore OUT -r RUBRIC -o NEW"
        )
    if not engine().capabilities.probabilities:
        raise SpecError(f"vote.keep_best: by: {by} reads label probabilities, and {model} shows none; remove it")


def kept_votes(verdicts: Sequence[Verdict], spec: KeepBest) -> tuple[int, ...]:
    """The places of the votes that count, ascending; of equal scores the earlier vote is kept.

    Args:
        verdicts: in vote order; failed ones take no part.

    Raises:
        ValueError: a vote lacks what the filter looks at; no other measure stands in for it.
    """
    places = [place for place, verdict in enumerate(verdicts) if verdict.label is not None]
    if not places:
        return ()
    scores = [_score(verdicts[place], spec) for place in places]
    mask = keep_best(scores, spec.k)
    return tuple(np.array(places)[mask].tolist())


def likelihood_of(verdict: Verdict, how: str = "mean") -> float:
    """The likelihood of a vote from the probabilities of its critique's tokens and of its label.

    Raises:
        ValueError: the vote has no label probability.
    """
    if verdict.p is None or verdict.label is None:
        raise ValueError("the engine shows no label probabilities")
    return float(token_likelihood([*verdict.token_p, verdict.p[verdict.label]], how))  # type: ignore[arg-type]


def _score(verdict: Verdict, spec: KeepBest) -> float:
    if spec.by == "meta":
        if verdict.meta is None:
            raise ValueError(
                "keep_best: by: meta needs the score of a meta-judge for every vote, and a vote has none; record them "
                "in the row as criteria.NAME.meta, a list with one number per vote, and re-score it"
            )
        return verdict.meta
    if verdict.p is None:
        raise ValueError(f"keep_best: by: {spec.by} reads the label probabilities of every vote, and a vote has none")
    if spec.by == "likelihood":
        return likelihood_of(verdict)
    p = list(verdict.p.values())
    return float(confidence(p) if spec.by == "confidence" else margin(p))
