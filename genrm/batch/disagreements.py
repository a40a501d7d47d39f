"""The log of rule against judge: every criterion of an output file on which a cascade's check and judge both spoke.

    >>> [case["kind"] for case in disagreements("out.jsonl")]                                # doctest: +SKIP
    ['agree', 'judge_missed']

"Cooper: Co-Optimizing Policy and Reward Models in Reinforcement Learning for Large Language Models" trains its judge
on such cases: the rule is right, and the judge is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from genrm.batch.lines import json_rows
from genrm.errors import FileError, InputError
from genrm.judging.cascade import disagreement


def disagreements(output: str, input: str | None = None) -> Iterator[dict[str, Any]]:
    """One case per row and criterion where both spoke.

    Args:
        output: an output file of ``genrm judge``.
        input: the rows that were judged, in JSON lines; found by line, their fields come under ``row``.

    Yields:
        ``id``, ``line``, ``criterion``, ``kind`` (``agree``, ``judge_missed``: the check says yes, ``judge_fooled``:
        the check says no), ``rule``, ``judge`` (labels), ``critique`` (of the judge), ``evidence`` (of the check).

    Raises:
        FileError: a file cannot be read, or a line is no output row; the message names it.
    """
    rows = dict(_rows(input)) if input is not None else {}
    for line, row in _rows(output):
        if not isinstance(row.get("criteria"), Mapping):
            raise FileError(f"{output}:{line}: no output row of genrm judge: it has no field criteria")
        for name, result in row["criteria"].items():
            if not _has_verdicts(result):
                raise FileError(
                    f"{output}:{line}: no output row of genrm judge: criterion {name!r} has no votes to read"
                )
            kind = disagreement(result)
            if kind is None:
                continue
            rule = result["rule"]["label"]
            other = "no" if rule == "yes" else "yes"
            judge = rule if kind == "agree" else other
            case = {"id": row.get("id"), "line": row.get("line", line), "criterion": name, "kind": kind}
            case |= {"rule": rule, "judge": judge, "critique": _critique(result, judge)}
            case["evidence"] = result["rule"].get("critique")
            if input is not None:
                case["row"] = rows.get(case["line"])
            yield case


def _has_verdicts(result: Any) -> bool:
    return (
        isinstance(result, Mapping)
        and isinstance(result.get("rule"), Mapping | None)
        and isinstance(result.get("votes"), list | None)
    )


def _critique(result: Mapping[str, Any], label: str) -> str | None:
    """The critique of the first vote that said the label."""
    votes = result["votes"]
    critiques = result.get("critiques") or [result.get("critique")] * len(votes)
    return next((critique for vote, critique in zip(votes, critiques, strict=False) if vote == label), None)


def _rows(path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with Path(path).open("rb") as file:
            for line in json_rows(file):
                if line.row is None:
                    raise FileError(f"{path}:{line.line}: {line.error or InputError('no row')}")
                yield line.line, line.row
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from None
