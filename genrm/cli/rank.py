"""``genrm rank``: who is best, from judged rows, scores or pairwise results.

genrm rank ours.jsonl theirs.jsonl
genrm rank games.csv --rule bradley_terry --json
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

ENDS = ("low", "score", "high")


def rank(
    files: Annotated[list[str], typer.Argument(metavar="FILE…", help="Judged rows, scores or pairwise results.")],
    rule: Annotated[
        list[str] | None, typer.Option("--rule", metavar="RULE", help="Only this one, such as borda. Repeatable.")
    ] = None,
    by: Annotated[
        str, typer.Option(metavar="WHAT", help="Of several judged files, the voters: reward (rows) or criteria.")
    ] = "reward",
    margin: Annotated[float, typer.Option(min=0, help="Scores that differ by at most this are tied in pairs.")] = 0.0,
    tie_model: Annotated[
        str, typer.Option(metavar="MODEL", help="Ties of Bradley-Terry: half a win each, or davidson.")
    ] = "half",
    seed: Annotated[int, typer.Option(help="Of the orders in which Elo plays the games.")] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many rows of each file.")] = None,
    input_format: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="jsonl, json, csv, tsv or parquet; by the suffix otherwise.")
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="OUT", help="Write the rankings as JSON to this file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Rank candidates: by plurality, Borda, Dowdall, Copeland, minimax, win rate, Bradley-Terry and Elo.

    Example: genrm rank ours.jsonl theirs.jsonl

    Several outputs of genrm judge: each file is a candidate and each row a voter. One: each row is a candidate and each
    criterion a voter. Scores: rows with candidate, voter, score, or a table with a column for each candidate. Pairs:
    rows with a, b and winner (or p). Missing cells stay missing, and equal scores share a rank.
    """
    from genrm.batch.ranking import RULES, rankings
    from genrm.batch.ranking_input import read_table
    from genrm.errors import Fault, SpecError
    from genrm.specs.faults import closest

    chosen = [name.replace("-", "_") for name in rule or ()]
    for name in chosen:
        if name not in RULES:
            guess = closest(name, RULES)
            fix = f"write {guess}" if guess else f"use one of {', '.join(RULES)}"
            raise SpecError(Fault("there is no such rule", field="--rule", value=name, fix=fix))
    if by not in ("reward", "criteria"):
        raise SpecError(Fault("there is no such voter", field="--by", value=by, fix="use reward or criteria"))
    if tie_model not in ("half", "davidson"):
        raise SpecError(Fault("there is no such model", field="--tie-model", value=tie_model, fix="half or davidson"))
    table = read_table(files, by=by, margin=margin, limit=limit, form=input_format)
    found = rankings(table, chosen, tie_model=tie_model, seed=seed)
    if as_json or output is not None:
        import orjson

        text = orjson.dumps(found, option=orjson.OPT_INDENT_2).decode()
        if output is not None:
            Path(output).write_text(text + "\n", encoding="utf-8")
        if as_json:
            typer.echo(text)
            return
    _show(found)


def _show(found: dict[str, Any]) -> None:
    from rich.console import Console

    from genrm.batch.render import plain

    console = Console(highlight=False)
    # Two tables: with their intervals, strengths and ratings are too wide to stand beside all other rules.
    wide = {name: result for name, result in found["rules"].items() if "low" in result["ranking"][0]}
    narrow = {name: result for name, result in found["rules"].items() if name not in wide}
    for part in (narrow, wide):
        if part:
            console.print(_table(part))
            console.print()
    told = Console(stderr=True, highlight=False)
    kind = "voters" if "voters" in found else "results"
    facts = [f"{found['candidates']:,} candidates, {found[kind]:,} {kind}, {found['missing']:,} missing cells"]
    winner = found["condorcet_winner"]
    facts.append("nobody beats every other one" if winner is None else f"{plain(winner, 40)} beats every other one")
    cycles = found["cycles"]
    if cycles["n"]:
        facts.append(f"cycles: {cycles['cyclic']:,} of {cycles['n']:,} decided triples ({cycles['rate']:.1%})")
    facts += [f"{name} left out: {why}" for name, why in found["left_out"].items()]
    for fact in facts:
        told.print(fact, markup=False, soft_wrap=True)


def _table(rules: dict[str, Any]) -> Any:
    """A row for each candidate, first those that the first rule puts first: rank and score by each rule."""
    from rich.table import Table
    from rich.text import Text

    from genrm.batch.render import plain

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("candidate", overflow="fold")
    for name in rules:
        table.add_column(name, justify="right", no_wrap=True)
    cells: dict[str, list[str]] = {}
    for result in rules.values():
        for entry in result["ranking"]:
            cells.setdefault(entry["candidate"], []).append(_cell(entry))
    for candidate, row in cells.items():
        table.add_row(Text(plain(candidate, 40)), *map(Text, row))
    return table


def _cell(entry: dict[str, Any]) -> str:
    """Rank and score, with its interval where there is one."""
    if entry["rank"] is None:
        return "–"
    if entry.get("low") is None:
        return f"{entry['rank']}. {entry['score']:.3g}"
    low, score, high = (f"{entry[name]:.0f}" if entry["score"] > 100 else f"{entry[name]:.3g}" for name in ENDS)
    return f"{entry['rank']}. {score} ({low} to {high})"
