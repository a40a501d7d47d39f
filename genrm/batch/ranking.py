"""Rankings of what files hold: judged rows, score tables or pairwise results, by every rule of ``genrm.voting``.

    >>> table = scores_of([("q1", "a", 0.9), ("q1", "b", 0.4), ("q2", "a", 0.2), ("q2", "b", None)])
    >>> [entry["candidate"] for entry in rankings(table)["rules"]["borda"]["ranking"]]
    ['a', 'b']

What a voter did not score is missing, never 0, and equal scores are a tie. :mod:`genrm.batch.ranking_input` reads the
files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from genrm.errors import InputError
from genrm.voting.bradley_terry import bradley_terry, elo
from genrm.voting.panels import Bools, Floats, Ints
from genrm.voting.rankings import (
    Ranking,
    borda,
    condorcet_winner,
    copeland,
    cycle_rate,
    dowdall,
    minimax,
    pairwise,
    plurality,
    win_rate,
)

POSITIONAL: Mapping[str, Callable[..., Ranking]] = {"plurality": plurality, "borda": borda, "dowdall": dowdall}
PAIRED: Mapping[str, Callable[..., Ranking]] = {"copeland": copeland, "minimax": minimax, "win_rate": win_rate}
RULES = (*POSITIONAL, *PAIRED, "bradley_terry", "elo")

MAX_CELLS = 100_000_000
"""Most comparisons (voters x candidates x candidates) that are held at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """What is ranked.

    Attributes:
        candidates: their names, in order of first sight.
        scores: shape (voters, candidates), NaN where missing; None where only pairs are known.
        wins, ties: shape (candidates, candidates), as in :mod:`genrm.voting.rankings`.
        voters: how many voters, or pairwise results, there are.
    """

    candidates: tuple[str, ...]
    scores: Floats | None
    wins: Floats
    ties: Floats
    voters: int


def scores_of(cells: Iterable[tuple[str, str, float | None]], *, margin: float = 0.0) -> Table:
    """A table from (voter, candidate, score) cells; None is a missing score.

    Args:
        margin: scores that differ by at most this are tied when candidates meet in pairs.

    Raises:
        InputError: there are fewer than two candidates, too many, or a voter scored one twice.
    """
    candidates: dict[str, int] = {}
    voters: dict[str, dict[int, float]] = {}
    for voter, candidate, score in cells:
        place = candidates.setdefault(candidate, len(candidates))
        row = voters.setdefault(voter, {})
        if place in row:
            raise InputError(f"voter {voter!r} has two scores for {candidate!r}; a cell has one")
        row[place] = np.nan if score is None else float(score)
    _enough(len(candidates), len(voters))
    scores = np.full((len(voters), len(candidates)), np.nan)
    for number, row in enumerate(voters.values()):
        scores[number, list(row)] = list(row.values())
    table = pairwise(scores, margin=margin)
    return Table(tuple(candidates), scores, table.wins, table.ties, len(voters))


def pairs_of(results: Iterable[tuple[str, str, float, float]]) -> Table:
    """A table from pairwise results (a, b, share of a, weight); a share of 0.5 is a tie.

    Shares other than 0, 0.5 and 1 are probabilities: both sides win their part.

    Raises:
        InputError: there is no result, or a candidate meets itself.
    """
    candidates: dict[str, int] = {}
    met: dict[tuple[int, int], list[float]] = {}
    n = 0
    for first, second, share, weight in results:
        if first == second:
            raise InputError(f"{first!r} is compared with itself")
        i, j = (candidates.setdefault(name, len(candidates)) for name in (first, second))
        won, tied, lost = (0.0, weight, 0.0) if share == 0.5 else (share * weight, 0.0, (1 - share) * weight)
        for key, parts in (((i, j), (won, tied)), ((j, i), (lost, tied))):
            cell = met.setdefault(key, [0.0, 0.0])
            cell[0] += parts[0]
            cell[1] += parts[1]
        n += 1
    _enough(len(candidates), 1)
    size = len(candidates)
    wins, ties = np.zeros((size, size)), np.zeros((size, size))
    for (i, j), (won, tied) in met.items():
        wins[i, j], ties[i, j] = won, tied
    return Table(tuple(candidates), None, wins, ties, n)


def rankings(table: Table, rules: Sequence[str] = (), *, tie_model: str = "half", seed: int = 0) -> dict[str, Any]:
    """The rankings by the chosen rules, or by all that the table allows, as one JSON object.

    Args:
        rules: names out of :data:`RULES`.
        tie_model: of Bradley-Terry: ``half`` or ``davidson``.
        seed: of the orders that Elo plays the games in.

    Raises:
        InputError: a rule needs what the table does not have.
    """
    chosen = list(rules) or list(RULES)
    found: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    for rule in chosen:
        try:
            found[rule] = _ranked(rule, table, tie_model, seed)
        except ValueError as error:
            if rules:
                raise InputError(f"rule {rule}: {error}") from None
            left_out[rule] = str(error)
    cycles = cycle_rate(table.wins, table.ties)
    winner = int(condorcet_winner(table.wins, table.ties))
    rate = float(cycles.rate)
    return {
        "candidates": len(table.candidates),
        "voters" if table.scores is not None else "results": table.voters,
        "missing": 0 if table.scores is None else int(np.isnan(table.scores).sum()),
        "condorcet_winner": None if winner < 0 else table.candidates[winner],
        "cycles": {
            "rate": None if np.isnan(rate) else round(rate, 6),
            "cyclic": int(cycles.cyclic),
            "n": int(cycles.n),
        },
        "rules": found,
        "left_out": left_out,
    }


def _ranked(rule: str, table: Table, tie_model: str, seed: int) -> dict[str, Any]:
    if rule in POSITIONAL:
        if table.scores is None:
            raise ValueError("it reads whole orders, and pairwise results have none")
        ranking = POSITIONAL[rule](table.scores)
        return {"ranking": _entries(table, ranking.score, ranking.rank, ranking.mask)}
    if rule in PAIRED:
        ranking = PAIRED[rule](table.wins, table.ties)
        return {"ranking": _entries(table, ranking.score, ranking.rank, ranking.mask)}
    if rule == "bradley_terry":
        fit = bradley_terry(table.wins, table.ties, tie_model=tie_model)  # type: ignore[arg-type]
        entries = _entries(table, fit.score, fit.rank, fit.mask, low=fit.low, high=fit.high, component=fit.component)
        return {"ranking": entries, "tie": fit.tie, "converged": fit.converged}
    if rule == "elo":
        rated = elo(table.wins, table.ties, seed=seed)
        known = ~np.isnan(rated.rating)
        return {"ranking": _entries(table, rated.rating, rated.rank, known, low=rated.low, high=rated.high)}
    raise ValueError(f"there is no such rule; use one of {', '.join(RULES)}")


def _entries(table: Table, score: Floats, rank: Ints, mask: Bools, **more: Any) -> list[dict[str, Any]]:
    """Candidates from the first to the last; one about whom nothing is known has rank and score None, at the end."""
    order = sorted(range(len(table.candidates)), key=lambda i: (not mask[i], int(rank[i]), i))
    return [
        {
            "candidate": table.candidates[i],
            "rank": int(rank[i]) if mask[i] else None,
            "score": _number(score[i]),
            **{name: int(values[i]) if name == "component" else _number(values[i]) for name, values in more.items()},
        }
        for i in order
    ]


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 6) + 0.0


def _enough(candidates: int, voters: int) -> None:
    if candidates < 2:
        raise InputError(f"there is nothing to rank: {candidates} candidates were found, at least two are needed")
    if voters * candidates**2 > MAX_CELLS:
        raise InputError(
            f"{candidates:,} candidates and {voters:,} voters make more comparisons than {MAX_CELLS:,}; rank fewer "
            "candidates, or a sample of the rows (--limit)"
        )
