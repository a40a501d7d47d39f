"""Shapes over a file: rewards that need the whole group, references or other fields, from an output file.

    >>> summary = apply_file("out.jsonl", "shaped.jsonl", load_rubric("r.yaml"), input="in.jsonl")   # doctest: +SKIP

The score of each row is computed again from its stored verdicts, as re-scoring does; then the shape works on all rows
together, which are held in memory. A row without score stays without reward, and never stands in its group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from genrm.batch.lines import json_rows
from genrm.batch.readers import open_source
from genrm.batch.rescore import plain_rows, write_rows
from genrm.batch.summary import Summary
from genrm.errors import FileError, InputError
from genrm.judging.reward import top_scores
from genrm.judging.shaped import Shapeable, shape_rows
from genrm.specs.load import build_criteria
from genrm.specs.rubric import Rubric


def apply_file(
    file: str,
    output: str,
    rubric: Rubric,
    *,
    input: str | None = None,
    restart: bool = False,
    limit: int | None = None,
    on_row: Callable[[Mapping[str, Any]], None] = lambda _: None,
) -> Summary:
    """Write the rows of an output file with the rewards that the shape of a rubric gives them.

    Args:
        file: the output file of ``genrm judge``.
        output: a file, or ``-`` for standard output.
        input: the rows that were judged: their fields (prompt, group, references) are read by line.
        restart: overwrite a file that is there.
        limit: only the first so many rows.

    Raises:
        FileError: a file cannot be read, or a row lacks what the shape needs; the message names row and field.
    """
    given = {} if input is None else _lines(input)
    # Read before anything is written: a shape needs every row of a group.
    rows = list(_shaped(file, rubric, given, limit))
    return write_rows(iter(rows), file, output, restart=restart, on_row=on_row)


def _shaped(
    file: str, rubric: Rubric, given: Mapping[int, Mapping[str, Any]], limit: int | None
) -> Iterator[dict[str, Any]]:
    plain = rubric.with_reward(rubric.reward.unshaped())
    kept = _lines(file, limit)
    rows, shapeable = [], []
    weights: dict[tuple[float, ...], int] = {}
    for row, (line, stored) in zip(plain_rows(file, plain, limit), kept.items(), strict=True):
        whole = rubric.with_criteria(build_criteria(row["row_criteria"])) if row.get("row_criteria") else rubric
        scores = {name: result["score"] for name, result in row["criteria"].items()}
        own, weight = top_scores(whole, scores) if row["reward"] is not None else ((), ())
        if weight:
            weights.setdefault(weight, line)
        fields = {**given.get(int(row.get("line", line)), {}), **stored, **row}
        shapeable.append(Shapeable(row["reward"], fields, own, f"{file}:{line}"))
        rows.append(row)
    if len(weights) > 1 and "criteria" in rubric.reward.needs:
        raise FileError(f"{file}: rows of different criteria cannot be normalised together by its shape")
    try:
        made = shape_rows(rubric.reward, shapeable, weights=next(iter(weights), ()))
    except InputError as error:
        raise FileError(str(error)) from None
    name = rubric.reward.shaping[0]
    for row, one in zip(rows, made, strict=True):
        score = row["reward"]
        parts = {**(row.get("reward_parts") or {"aggregate": rubric.reward.rule.name}), "score": score, "shape": name}
        identity = {**row["judge"], "rubric": f"{rubric.name}@{rubric.digest}"}
        # The spread over votes was that of the score, on another scale than the reward.
        changed = {"reward": _rounded(one.reward), "reward_std": None, "judge": identity}
        if score is not None:
            changed["reward_parts"] = parts | {key: _rounded(value) for key, value in one.parts.items()}
        yield _ordered({**row, **changed})


def _ordered(row: dict[str, Any]) -> dict[str, Any]:
    """With the keys in the order of every output row, also where ``reward_parts`` is new."""
    first = [key for key in ("id", "status", "reward", "reward_std", "reward_parts") if key in row]
    return {key: row[key] for key in dict.fromkeys([*first, *row])}


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return round(value, 6) + 0.0 if isinstance(value, float) else value


def _lines(path: str, limit: int | None = None) -> dict[int, dict[str, Any]]:
    open_source(path, "jsonl")
    rows = {}
    with Path(path).open("rb") as file:
        for line in islice(json_rows(file), limit):
            if line.row is None:
                raise FileError(f"{path}:{line.line}: {line.error or InputError('no row')}")
            rows[line.line] = line.row
    return rows
