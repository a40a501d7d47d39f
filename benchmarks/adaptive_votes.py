"""Adaptive votes against a fixed sixteen on the same streams: votes used, decisions that differ, and what was stated.

    python benchmarks/adaptive_votes.py [--samples 20000] [--soft-samples 1000] [--seed 0] [--json]

*Hard*: a judge says yes with a probability of its own for each sample, drawn from Beta(0.3, 0.3), Beta(0.5, 0.5) or
Beta(1, 1); the decision is the majority. *Soft*: each vote shows a probability that scatters around the sample's with
the concentration K (K = inf: it shows the sample's own; K = 0: all of them saturated, which is the hard case again);
the decision is the likelier label of the mixture. *Measured*: the same streams by a judge whose concentration was
estimated before, from four votes on each of 150 other samples. *Recorded*: the three GPT-4 scores of each response in
``prometheus_feedback/vicuna_eval.json`` (folder GENRM_DATA), as they stand (at most 3 votes), and as the label shares
from which 16 votes are drawn. Each line of a curve is one value of ``stop``; "same" has a 95 % interval (Wilson), and
"stated" is the mean of the probability of a different decision that was stated when the asking ended.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genrm.batch.summary import wilson
from genrm.voting.concentration import fit_concentration
from genrm.voting.posterior import change_of_labels
from genrm.voting.rules import vote_array
from genrm.voting.soft_posterior import change_of_soft

STOPS = (0.8, 0.9, 0.95, 0.96, 0.97, 0.975, 0.98, 0.99, 0.995)
SHAPES = (0.3, 0.5, 1.0)
CONCENTRATIONS = (0.0, 0.25, 1.0, 10.0, 50.0, float("inf"))
TOTAL = 16
MEASURED = 150
"""Other samples that a concentration is estimated from."""

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Point:
    """One value of ``stop`` on one set of streams."""

    stream: str
    stop: float
    used: float
    share: float
    same: float
    same_95: tuple[float, float]
    stated: float
    n: int


def curve(stream: str, p: Array, now: Array, *, least: int) -> Iterator[Point]:
    """The curve of streams with the stated probability and the decision after each vote, both (samples, votes)."""
    n, total = p.shape
    for stop in STOPS:
        enough = p <= 1 - stop + 1e-12
        enough[:, : least - 1] = False
        enough[:, -1] = True
        last = enough.argmax(1)
        row = np.arange(n)
        same = int((now[row, last] == now[:, -1]).sum())
        used = float((last + 1).mean())
        low, high = wilson(same, n)
        yield Point(stream, stop, used, used / total, same / n, (low, high), float(p[row, last].mean()), n)


def labels(codes: Array, values: list[float]) -> tuple[Array, Array]:
    """Stated probability and majority after each vote of streams of labels (samples, votes)."""
    n, total = codes.shape
    counts = (codes[..., None] == np.arange(len(values))).cumsum(1)
    scores = np.asarray(values)[codes]
    p, now = np.empty((n, total)), np.empty((n, total), dtype=np.int64)
    for place in range(total):
        keys, back = np.unique(counts[:, place], axis=0, return_inverse=True)
        stated = [change_of_labels(key.tolist(), values, total, "majority").p for key in keys]
        p[:, place] = np.array(stated)[back.ravel()]
        now[:, place] = vote_array(scores[:, : place + 1], "majority", codes=codes[:, : place + 1]).label
    return p, now


def mixtures(yes: Array, concentration: float | None = None) -> tuple[Array, Array]:
    """The same for streams of probabilities of yes, by a judge of this measured concentration."""
    n, total = yes.shape
    p = np.empty((n, total))
    for row in range(n):
        for place in range(total):
            seen = yes[row, : place + 1]
            p[row, place] = change_of_soft(both(seen), [0.0, 1.0], total, concentration=concentration).p
            if p[row, place] <= 1 - max(STOPS):
                # No curve goes on from here.
                p[row, place:] = p[row, place]
                break
    return p, yes.cumsum(1) / np.arange(1, total + 1) > 0.5


def both(yes: Array) -> Array:
    """Label distributions from probabilities of yes."""
    return np.stack([1 - yes, yes], -1)


def soft_votes(rng: np.random.Generator, theta: Array, concentration: float) -> Array:
    """Probabilities of yes as votes show them."""
    if concentration == 0:
        return (rng.random((len(theta), TOTAL)) < theta[:, None]).astype(float)
    if np.isinf(concentration):
        return np.repeat(theta[:, None], TOTAL, 1)
    a = np.maximum(concentration * theta, 1e-6)[:, None]
    b = np.maximum(concentration * (1 - theta), 1e-6)[:, None]
    return rng.beta(a, b, (len(theta), TOTAL))


def recorded() -> Array | None:
    """Three recorded scores from 1 to 5 per response, as codes from 0; None where the data are not at hand."""
    root = Path(os.environ.get("GENRM_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    path = root / "prometheus_feedback" / "vicuna_eval.json"
    if not path.is_file():
        return None
    scores = [row["gpt4_score"] for row in json.loads(path.read_text(encoding="utf-8"))]
    return np.array([[int(score) - 1 for score in row] for row in scores if len(row) == 3])


def points(samples: int, soft_samples: int, seed: int, note: Callable[[str], None]) -> Iterator[Point]:
    """Every curve."""
    for index, shape in enumerate(SHAPES):
        rng = np.random.default_rng([seed, index])
        theta = rng.beta(shape, shape, samples)
        codes = (rng.random((samples, TOTAL)) < theta[:, None]).astype(np.int64)
        yield from curve(f"hard Beta({shape:g}, {shape:g})", *labels(codes, [0.0, 1.0]), least=3)
    for index, shape in enumerate(SHAPES):
        for number, concentration in enumerate(CONCENTRATIONS):
            rng = np.random.default_rng([seed, index, number])
            theta = np.clip(rng.beta(shape, shape, soft_samples), 1e-9, 1 - 1e-9)
            stream = f"soft Beta({shape:g}, {shape:g}) K={concentration:g}"
            votes = soft_votes(rng, theta, concentration)
            yield from curve(stream, *mixtures(votes), least=1)
            before = np.random.default_rng([seed, index, number, 1])
            others = np.clip(before.beta(shape, shape, MEASURED), 1e-9, 1 - 1e-9)
            known = fit_concentration(list(both(soft_votes(before, others, concentration)[:, :4]))).value
            yield from curve(f"{stream}, measured {known:.3g}", *mixtures(votes, known), least=1)
    scores = recorded()
    if scores is None:
        note("recorded votes: skipped, no prometheus_feedback/vicuna_eval.json in the folder GENRM_DATA")
        return
    values = [0.0, 0.25, 0.5, 0.75, 1.0]
    yield from curve("recorded, 3 votes", *labels(scores, values), least=1)
    rng = np.random.default_rng([seed, 99])
    drawn = np.take_along_axis(scores, rng.integers(0, 3, (len(scores), TOTAL)), 1)
    yield from curve("recorded shares, 16 votes", *labels(drawn, values), least=3)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--samples", type=int, default=20_000)
    options.add_argument("--soft-samples", type=int, default=1_000)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    notes: list[str] = []
    stream = ""
    for point in points(given.samples, given.soft_samples, given.seed, notes.append):
        if given.json:
            print(json.dumps(asdict(point)))
            continue
        if point.stream != stream:
            stream = point.stream
            print(
                f"\n{stream}, n = {point.n:,}\n  stop   votes   share   same (95 %)                 different  stated"
            )
        low, high = point.same_95
        print(
            f"  {point.stop:<6g} {point.used:5.2f} {point.share:7.1%}   {point.same:7.2%} ({low:.2%} to {high:.2%})"
            f"   {1 - point.same:8.4f}   {point.stated:.4f}"
        )
    for text in notes:
        print(f"\n{text}")


if __name__ == "__main__":
    main()
