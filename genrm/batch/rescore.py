"""Re-scoring a file: every row of an output file gets the reward of another rubric, and no model is asked.

    >>> summary = rescore_file("out.jsonl", "new.jsonl", load_rubric("math-verify"))         # doctest: +SKIP

The new file appears under its name when it is whole: until then it is written beside it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from genrm.batch.journal import encode
from genrm.batch.lines import json_rows
from genrm.batch.output import StreamSink, check_output
from genrm.batch.readers import open_source
from genrm.batch.summary import Summary
from genrm.errors import FileError, InputError
from genrm.judging.panel_rules import PanelRule
from genrm.judging.recombine import recombine
from genrm.judging.rescore import rescored
from genrm.judging.reward import check_alone
from genrm.specs.rubric import Rubric


def rescore_file(
    input: str,
    output: str,
    rubric: Rubric,
    *,
    restart: bool = False,
    limit: int | None = None,
    panel: PanelRule | None = None,
    weights: Sequence[float] | None = None,
    on_row: Callable[[Mapping[str, Any]], None] = lambda _: None,
) -> Summary:
    """Write the rows of an output file with the rewards of another rubric.

    Args:
        input: the output file of ``genrm judge``, as JSON lines.
        output: a file, or ``-`` for standard output.
        restart: overwrite a file that is there.
        panel: for the output of a panel, the rule that combines its members, with ``weights``; that of the run when
            left out. Such a file is held in memory as a whole.

    Raises:
        FileError: the input cannot be read or is no output file (the message names the line), or the output is there.
    """
    check_alone(rubric)
    open_source(input, "jsonl")
    of_panel = is_of_panel(input)
    if (panel is not None or weights is not None) and not of_panel:
        raise FileError(f"{input}: no output of a panel; a rule for panels has no meaning for the rows of one judge")
    rows = _recombined(input, rubric, limit, panel, weights) if of_panel else _rescored(input, rubric, limit)
    return write_rows(rows, input, output, restart=restart, on_row=on_row)


def write_rows(
    rows: Iterator[dict[str, Any]],
    input: str,
    output: str,
    *,
    restart: bool = False,
    on_row: Callable[[Mapping[str, Any]], None] = lambda _: None,
) -> Summary:
    """Write rows that were made from those of ``input``, under the name of ``output`` only when it is whole."""
    began = time.monotonic()
    path = check_output(output, open_source(input, "jsonl"))
    summary = Summary()
    if path is None:
        with StreamSink(None) as sink:
            for row in rows:
                sink.append(row)
                _count(summary, row, on_row)
    else:
        if path.exists() and path.stat().st_size and not restart:
            raise FileError(f"{output}: the file is there; name another one, or overwrite it with --restart")
        part = path.with_name(path.name + ".part")
        try:
            with part.open("wb") as file:
                for row in rows:
                    file.write(encode(row))
                    _count(summary, row, on_row)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    if not summary.rows:
        raise FileError(f"{input}: there are no rows in it")
    summary.wall_s = time.monotonic() - began
    return summary


def plain_rows(input: str, rubric: Rubric, limit: int | None = None) -> Iterator[dict[str, Any]]:
    """The rows of an output file with the rewards of a rubric, whoever judged them."""
    return _recombined(input, rubric, limit, None, None) if is_of_panel(input) else _rescored(input, rubric, limit)


def _rescored(input: str, rubric: Rubric, limit: int | None) -> Iterator[dict[str, Any]]:
    with Path(input).open("rb") as file:
        for count, line in enumerate(json_rows(file)):
            if count == limit:
                return
            try:
                if line.error is not None:
                    raise line.error
                yield rescored(line.row or {}, rubric, line.line)
            except InputError as error:
                message = str(error).removeprefix(f"row {line.line}: ")
                raise FileError(f"{input}:{line.line}: {message}") from None


def is_of_panel(input: str) -> bool:
    """Whether the first row was judged by a panel."""
    with Path(input).open("rb") as file:
        first = next(iter(json_rows(file)), None)
    judge = None if first is None or first.row is None else first.row.get("judge")
    return isinstance(judge, Mapping) and "panel" in judge


def _recombined(
    input: str, rubric: Rubric, limit: int | None, panel: PanelRule | None, weights: Sequence[float] | None
) -> Iterator[dict[str, Any]]:
    with Path(input).open("rb") as file:
        lines = list(islice(json_rows(file), limit))
    for line in lines:
        if line.error is not None:
            raise FileError(f"{input}:{line.line}: {line.error}") from None
    try:
        yield from recombine([line.row or {} for line in lines], rubric, panel, weights=weights)
    except InputError as error:
        raise FileError(f"{input}: {error}") from None


def _count(summary: Summary, row: Mapping[str, Any], on_row: Callable[[Mapping[str, Any]], None]) -> None:
    # The verdicts were paid for when they were given.
    summary.add({**row, "usage": dict.fromkeys(row["usage"], 0) | {"cost_usd": None}})
    on_row(row)
