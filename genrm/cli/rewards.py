"""``genrm rewards``: voting rules, aggregates, shapes and control rewards, all that stands between votes and rewards.

genrm rewards list --kind vote
genrm rewards show par
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

app = typer.Typer(no_args_is_help=True, help="Voting rules, aggregates, reward shapes, controls: list or show them.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command("list", epilog="Examples: genrm rewards list   ·   genrm rewards list --needs group --json")
def list_(
    kind: Annotated[
        str | None, typer.Option("--kind", metavar="KIND", help="Only these: vote, aggregate, shape or control.")
    ] = None,
    needs: Annotated[
        str | None, typer.Option("--needs", metavar="WHAT", help="Only those that work on this, such as steps.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List voting rules, aggregates, shapes and control rewards with what each works on and what it is for."""
    from genrm.rewards.catalogue import KINDS, catalogue

    rows = catalogue()
    if kind is not None:
        if kind not in KINDS:
            typer.echo(f"genrm: --kind {kind}: there is no such kind; use {', '.join(KINDS)}", err=True)
            raise typer.Exit(2)
        rows = [row for row in rows if row["kind"] == kind]
    kinds = dict.fromkeys(need for row in rows for need in row["needs"])
    if needs is not None:
        if needs not in kinds:
            typer.echo(f"genrm: --needs {needs}: nothing needs that; use {', '.join(kinds)}", err=True)
            raise typer.Exit(2)
        rows = [row for row in rows if needs in row["needs"]]
    if as_json:
        _print_json(rows)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("kind", "name", "needs", "what for", box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(row["kind"], row["name"], ", ".join(row["needs"]), row["summary"])
    Console().print(table)


@app.command(epilog="Example: genrm rewards show par")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As in the list.")],
    as_json: Json = False,
) -> None:
    """Show one of them: formula, paper, parameters with ranges, what happens when something is missing."""
    from genrm.rewards.catalogue import catalogue, find
    from genrm.specs.faults import closest

    found = find(name)
    if len(found) > 1:
        typer.echo(
            f"genrm: {name!r} is the name of {len(found)}; use {' or '.join(r['name'] for r in found)}", err=True
        )
        raise typer.Exit(2)
    if not found:
        names = [row["name"] for row in catalogue()]
        guess = closest(name, [*names, *(known.partition(":")[2] for known in names if ":" in known)])
        hint = f"did you mean {guess!r}?" if guess else "genrm rewards list shows all"
        typer.echo(f"genrm: there is no reward {name!r}; {hint}", err=True)
        raise typer.Exit(2)
    row = found[0]
    if as_json:
        _print_json(row)
        return
    typer.echo(f"{row['name']}: {row['summary']}\n")
    fields = {"formula": row["formula"], "paper": row["paper"], "kind": row["kind"], "needs": ", ".join(row["needs"])}
    for label, text in (fields | {"missing": row["missing"], "python": row["python"]}).items():
        if text:
            typer.echo(f"{label:8} {text}")
    if row["parameters"]:
        typer.echo("\nparameters")
    for parameter in row["parameters"]:
        required = parameter["default"] is None and not parameter["range"].startswith("none")
        default = "none" if parameter["default"] is None else str(parameter["default"]).lower()
        given = "(needed)" if required else f"= {default}"
        typer.echo(f"  {parameter['name']} {given}, in {parameter['range']}: {parameter['meaning']}")


@app.command(epilog="Example: genrm rewards apply out.jsonl -r grouped.yaml --input in.jsonl -o shaped.jsonl")
def apply(
    file: Annotated[str, typer.Argument(metavar="OUT", help="An output file of genrm judge, as JSON lines.")],
    rubric: Annotated[str, typer.Option("--rubric", "-r", help="Name in the library, or a rubric file.")],
    input: Annotated[
        str | None,
        typer.Option("--input", "-i", metavar="IN", help="The rows that were judged (.jsonl): prompts, references."),
    ] = None,
    reward: Annotated[
        str | None, typer.Option(metavar="REWARD", help="In place of the rubric's: '{shape: group_std}'.")
    ] = None,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="NEW", help="JSON lines; - is standard output.")
    ] = "-",
    restart: Annotated[bool, typer.Option("--restart", help="Overwrite NEW.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many rows.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The summary as JSON on standard output.")] = False,
) -> None:
    """Shape the rewards of judged rows together: by group, references, lengths, outcomes. No model is asked.

    Rows of one `group` (a field), or of equal prompts, are a group. `reward: {inputs: {…}}` names other fields.

    Exit codes: 0 every row has a reward; 1 some have none; 2 bad input.
    """
    from rich.console import Console

    from genrm.batch.apply import apply_file
    from genrm.batch.render import summary_view
    from genrm.errors import SpecError
    from genrm.specs.load import load_rubric
    from genrm.specs.override import reward_of_text, reward_replaced

    if as_json and output == "-":
        raise SpecError("--json writes the summary to standard output, where the rows go; add -o NEW")
    bound = load_rubric(rubric)
    if reward is not None:
        bound = reward_replaced(bound, reward_of_text(reward))
    summary = apply_file(file, output, bound, input=input, restart=restart, limit=limit)
    Console(stderr=True, highlight=False).print(summary_view(summary))
    if as_json:
        _print_json(summary.row())
    raise typer.Exit(summary.exit_code)


@app.command(epilog="Example: genrm rewards concentration out.jsonl")
def concentration(
    file: Annotated[str, typer.Argument(metavar="OUT", help="An output file with several votes for each row.")],
    as_json: Json = False,
) -> None:
    """How closely the judge's probabilities repeat from vote to vote: for `vote: {rule: soft, concentration: …}`.

    Near 0, a vote says no more than a label; from 10 on, a few votes say what sixteen would.
    """
    from genrm.batch.concentration import concentrations

    found = concentrations(file)
    if as_json:
        _print_json(
            {
                name: {
                    "concentration": round(one.value, 4),
                    "low": round(one.low, 4),
                    "high": round(one.high, 4),
                    "n": one.n,
                }
                for name, one in found.items()
            }
        )
        return
    for name, one in found.items():
        typer.echo(f"{name}: {one.value:.3g} (95 %: {one.low:.3g} to {one.high:.3g}, {one.n:,} rows)")


def _print_json(data: Any) -> None:
    import orjson

    typer.echo(orjson.dumps(data, option=orjson.OPT_INDENT_2).decode())
