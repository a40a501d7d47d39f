"""Voting and shaping of 1,000,000 x 8 votes on one core, beside the same arithmetic in a plain Python loop.

python benchmarks/votes_and_shapes.py
"""

from __future__ import annotations

import os

# One thread for numpy, before it is loaded.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import statistics
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from genrm.rewards import group_rank, group_std, par, stratified
from genrm.voting import vote_array

SAMPLES, VOTES, SLICE, RUNS = 1_000_000, 8, 20_000, 3
# Groups to shape at a time: as much as the caches of a core hold. Voting does so by itself.
BLOCK = 16_384
LIMIT = 2.0
REFERENCE = [0.4, 0.6]


def plain_mean(votes: list[float]) -> tuple[float, float]:
    middle = sum(votes) / len(votes)
    return middle, (sum((vote - middle) ** 2 for vote in votes) / (len(votes) - 1)) ** 0.5


def plain_majority(votes: list[float]) -> float:
    counts = Counter(votes)
    top = max(counts.values())
    middle = sum(votes) / len(votes)
    return min((vote for vote in counts if counts[vote] == top), key=lambda vote: (abs(vote - middle), vote))


def plain_std(scores: list[float]) -> list[float]:
    middle = sum(scores) / len(scores)
    spread = (sum((score - middle) ** 2 for score in scores) / len(scores)) ** 0.5
    return [(score - middle) / (spread + 1e-6) for score in scores]


def plain_rank(scores: list[float]) -> list[float]:
    ranked = sorted(scores)
    places: dict[float, list[int]] = {}
    for place, score in enumerate(ranked):
        places.setdefault(score, []).append(place)
    return [sum(places[score]) / len(places[score]) / (len(scores) - 1) for score in scores]


def plain_par(scores: list[float]) -> list[float]:
    from math import exp

    return [sum(1 / (1 + exp(ref - score)) for ref in REFERENCE) / len(REFERENCE) for score in scores]


def plain_stratified(scores: list[float], right: list[bool]) -> list[float]:
    out = []
    ends = {}
    for side in (True, False):
        inside = [score for score, good in zip(scores, right, strict=True) if good == side]
        ends[side] = (min(inside), max(inside)) if inside else (0.0, 0.0)
    for score, good in zip(scores, right, strict=True):
        low, high = ends[good]
        shade = (score - low) / (high - low) if high > low else 0.5
        out.append((0.9 if good else -0.1) + 0.2 * shade)
    return out


def seconds(work: Callable[[], Any], runs: int = RUNS) -> float:
    times = []
    for _ in range(runs):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return statistics.median(times)


def in_blocks(function: Callable[..., Any], *arrays: np.ndarray) -> Callable[[], Any]:
    return lambda: [function(*(a[at : at + BLOCK] for a in arrays)) for at in range(0, SAMPLES, BLOCK)]


def main() -> None:
    rng = np.random.default_rng(0)
    # Votes on a scale of five labels, and the eight samples of each prompt as groups.
    votes = rng.integers(0, 5, (SAMPLES, VOTES)) / 4
    codes = (votes * 4).astype(np.int64)
    labels = np.arange(5) / 4
    scores = rng.random((SAMPLES, VOTES))
    right = rng.random((SAMPLES, VOTES)) < 0.5
    few_votes, few_scores, few_right = (array[:SLICE].tolist() for array in (votes, scores, right))
    work: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
        "vote: mean": (
            lambda: vote_array(votes, "mean"),
            lambda: [plain_mean(row) for row in few_votes],
        ),
        "vote: majority": (
            lambda: vote_array(votes, "majority", codes=codes, values=labels),
            lambda: [plain_majority(row) for row in few_votes],
        ),
        "group_std": (in_blocks(group_std, scores), lambda: [plain_std(row) for row in few_scores]),
        "group_rank": (in_blocks(group_rank, scores), lambda: [plain_rank(row) for row in few_scores]),
        "par": (in_blocks(lambda r: par(r, REFERENCE), scores), lambda: [plain_par(row) for row in few_scores]),
        "stratified": (
            in_blocks(stratified, scores, right),
            lambda: [plain_stratified(*row) for row in zip(few_scores, few_right, strict=True)],
        ),
    }
    print(f"{SAMPLES:,} x {VOTES}, one core, CPU seconds (median of {RUNS}; the loop on {SLICE:,} rows, scaled up)\n")
    print(f"{'':16} {'genrm':>8} {'loop':>8} {'ratio':>8}")
    times = {}
    for name, (fast, slow) in work.items():
        times[name] = seconds(fast)
        loop = seconds(slow, 1) * SAMPLES / SLICE
        print(f"{name:16} {times[name]:8.2f} {loop:8.2f} {loop / times[name]:7.1f}x")
    print()
    for vote in ("vote: mean", "vote: majority"):
        both = times[vote] + times["group_std"]
        verdict = "within" if both < LIMIT else "OVER"
        print(f"{vote} and group_std together: {both:.2f} s, {verdict} the goal of {LIMIT:.0f} s")


if __name__ == "__main__":
    main()
