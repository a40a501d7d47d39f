"""The concentration of a judge's votes, criterion by criterion, from an output file with several votes per row.

>>> concentrations("out.jsonl")["correct"].value                                         # doctest: +SKIP
37.2
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from genrm.batch.lines import json_rows
from genrm.batch.readers import open_source
from genrm.errors import FileError
from genrm.voting.concentration import Concentration, fit_concentration

MAX_ROWS = 2_000
"""Rows that are read: beyond them the interval is far narrower than the judge's own variation."""


def concentrations(path: str) -> dict[str, Concentration]:
    """For each criterion with label probabilities of at least two votes in some row.

    Raises:
        FileError: the file cannot be read, or no row has them.
    """
    open_source(path, "jsonl")
    votes: dict[str, list[list[list[float]]]] = {}
    with Path(path).open("rb") as file:
        for number, line in enumerate(json_rows(file)):
            if number >= MAX_ROWS:
                break
            criteria = (line.row or {}).get("criteria")
            if not isinstance(criteria, Mapping):
                raise FileError(f"{path}:{line.line}: no output row of genrm judge: it has no field criteria")
            for name, result in criteria.items():
                known = [p for p in result.get("votes_p") or () if p]
                if len(known) > 1:
                    labels = sorted({label for p in known for label in p})
                    votes.setdefault(name, []).append([[p.get(label, 0.0) for label in labels] for p in known])
    if not votes:
        raise FileError(
            f"{path}: no criterion has the label probabilities of two votes or more; judge a hundred rows with "
            "--votes 4 and an engine that shows probabilities"
        )
    return {name: fit_concentration(rows) for name, rows in votes.items()}
