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


def _print_json(data: Any) -> None:
    import orjson

    typer.echo(orjson.dumps(data, option=orjson.OPT_INDENT_2).decode())
