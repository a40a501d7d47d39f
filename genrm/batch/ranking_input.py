"""What is ranked, read from files: judged rows, tables of scores, or results of pairs.

    >>> read_table(["gpt.jsonl", "ours.jsonl"])          # each file a candidate, each id a voter    # doctest: +SKIP

Four forms, told apart by the fields of the first row:

- *Judged rows* of ``genrm judge``. Several files: each is a candidate (by the name of the file), each row id a voter.
  One file: each row is a candidate and each criterion a voter.
- *Scores*, one a row: ``candidate``, ``score`` and ``voter`` (or ``item``, ``judge``).
- *Results of pairs*: ``a``, ``b`` and ``winner`` (a name, ``a``, ``b`` or ``tie``) or ``p`` (probability that a wins),
  and ``count`` if it stands for several.
- *A wide table* (CSV, TSV, or flat JSON): a column for each candidate, a row for each voter, empty cells are missing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from genrm.batch.ranking import Table, pairs_of, scores_of
from genrm.batch.readers import open_source
from genrm.errors import FileError, excerpt

VOTERS = ("voter", "item", "judge")
Row = Mapping[str, Any]
Cell = tuple[str, str, float | None]


def read_table(
    files: Sequence[str], *, by: str = "reward", margin: float = 0.0, limit: int | None = None, form: str | None = None
) -> Table:
    """The table that the files make together.

    Args:
        by: of judged rows in several files, what a voter is: ``reward`` (each row one) or ``criteria`` (each criterion
            of each row one).
        margin: scores that differ by at most this are tied in pairs.
        limit: only the first so many rows of each file.
        form: of the files, by the suffix when None.

    Raises:
        FileError: a file cannot be read, or a row is of no known form; the message names file, line and fix.
        InputError: there is nothing to rank.
    """
    first = next(_rows(files[0], 1, form), None)
    if first is None:
        raise FileError(f"{files[0]}: there are no rows in it")
    _, row = first
    if "criteria" in row and "judge" in row and "status" in row:
        return scores_of(_judged(files, by, limit, form), margin=margin)
    each = ((file, line, row) for file in files for line, row in _rows(file, limit, form))
    if {"a", "b"} <= set(row):
        return pairs_of(_pair(file, line, row) for file, line, row in each)
    if {"candidate", "score"} <= set(row):
        return scores_of((_long(file, line, row) for file, line, row in each), margin=margin)
    return scores_of(_wide(each), margin=margin)


def _rows(file: str, limit: int | None, form: str | None) -> Iterator[tuple[int, Row]]:
    for item in islice(open_source(file, form).rows(), limit):
        if item.error is not None:
            raise FileError(f"{file}:{item.line}: {item.error}")
        yield item.line, item.row or {}


def _judged(files: Sequence[str], by: str, limit: int | None, form: str | None) -> Iterator[Cell]:
    names = _names(files)
    for file, name in zip(files, names, strict=True):
        for line, row in _rows(file, limit, form):
            criteria = row.get("criteria")
            if "reward" not in row or not isinstance(criteria, Mapping):
                raise FileError(f"{file}:{line}: no output row of genrm judge, as the first one is")
            own = str(row.get("id", line))
            if len(files) == 1 or by == "criteria":
                for criterion, result in criteria.items():
                    score = _number(file, line, f"criteria.{criterion}.score", (result or {}).get("score"))
                    yield (criterion, own, score) if len(files) == 1 else (f"{own}/{criterion}", name, score)
            else:
                yield own, name, _number(file, line, "reward", row["reward"])


def _names(files: Sequence[str]) -> list[str]:
    stems = [Path(file).stem for file in files]
    return stems if len(set(stems)) == len(stems) else [str(file) for file in files]


def _pair(file: str, line: int, row: Row) -> tuple[str, str, float, float]:
    first, second = (str(row.get(name) if row.get(name) is not None else "") for name in ("a", "b"))
    if not first or not second:
        raise FileError(f"{file}:{line}: a result of a pair names both candidates, as a and b")
    count = 1.0 if row.get("count") in (None, "") else _number(file, line, "count", row["count"])
    if count is None or count <= 0:
        raise FileError(f"{file}:{line}: field 'count': a number above 0 is needed, found {excerpt(row.get('count'))}")
    if row.get("p") not in (None, ""):
        share = _number(file, line, "p", row["p"])
        if share is None or not 0 <= share <= 1:
            raise FileError(f"{file}:{line}: field 'p': a probability is needed, found {excerpt(row['p'])}")
        return first, second, share, count
    said = row.get("winner")
    # Names come first: a candidate may be called b.
    shares = {"a": 1.0, "b": 0.0, "tie": 0.5} | {second: 0.0, first: 1.0}
    if not isinstance(said, str) or said not in shares:
        known = f"{first}, {second}, a, b or tie"
        raise FileError(f"{file}:{line}: field 'winner': {known} is needed, found {excerpt(said)}")
    return first, second, shares[said], count


def _long(file: str, line: int, row: Row) -> Cell:
    voter = next((str(row[name]) for name in VOTERS if row.get(name) is not None), None)
    if voter is None or row.get("candidate") is None:
        raise FileError(f"{file}:{line}: a score names its candidate and its voter (field {', '.join(VOTERS)})")
    return voter, str(row["candidate"]), _number(file, line, "score", row.get("score"))


def _wide(rows: Iterator[tuple[str, int, Row]]) -> Iterator[Cell]:
    columns: list[str] | None = None
    for number, (file, line, row) in enumerate(rows, 1):
        if columns is None:
            # A column of names is that of the voters, not a candidate.
            columns = [name for name in row if name not in (*VOTERS, "id") and not _is_text(row[name])]
            if len(columns) < 2:
                known = "judged rows, candidate + voter + score, a + b + winner, or a column of scores per candidate"
                raise FileError(
                    f"{file}:{line}: this is no table to rank (fields {', '.join(row)}); it may hold {known}"
                )
        for name in columns:
            yield str(number), name, _number(file, line, name, row.get(name))


def _is_text(value: Any) -> bool:
    try:
        return value not in (None, "") and not math.isfinite(float(value))
    except (TypeError, ValueError):
        return True


def _number(file: str, line: int, name: str, value: Any) -> float | None:
    if value in (None, ""):
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise FileError(f"{file}:{line}: field {name!r}: a number or nothing is needed, found {excerpt(value)}")
    return number
