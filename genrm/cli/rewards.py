"""``genrm rewards``: the functions that turn scores into rewards, and the control rewards beside them.

genrm rewards list --needs score
genrm rewards show par
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

app = typer.Typer(no_args_is_help=True, help="Reward shapes and control rewards: list them, read about one.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
CONTROL = "control"


@app.command("list", epilog="Examples: genrm rewards list   ·   genrm rewards list --needs group --json")
def list_(
    needs: Annotated[
        str | None, typer.Option("--needs", metavar="WHAT", help="Only those that work on this, such as steps.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the reward shapes and the control rewards with what each works on and what it is for."""
    rows = _entries()
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

    table = Table("name", "needs", "what for", box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(row["name"], ", ".join(row["needs"]), row["summary"])
    Console().print(table)


@app.command(epilog="Example: genrm rewards show par")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As in the list.")],
    as_json: Json = False,
) -> None:
    """Show one of them: formula, paper, parameters with ranges, what happens when something is missing."""
    from genrm.specs.faults import closest

    entries = {row["name"]: row for row in _entries()}
    if name not in entries:
        guess = closest(name, entries)
        hint = f"did you mean {guess!r}?" if guess else "genrm rewards list shows all"
        typer.echo(f"genrm: there is no reward {name!r}; {hint}", err=True)
        raise typer.Exit(2)
    row = entries[name]
    if as_json:
        _print_json(row)
        return
    typer.echo(f"{row['name']}: {row['summary']}\n")
    fields = {"formula": row["formula"], "paper": row["paper"], "needs": ", ".join(row["needs"])}
    for label, text in (fields | {"missing": row["missing"], "python": row["python"]}).items():
        if text:
            typer.echo(f"{label:8} {text}")
    if row["parameters"]:
        typer.echo("\nparameters")
    for parameter in row["parameters"]:
        default = "none" if parameter["default"] is None else str(parameter["default"]).lower()
        typer.echo(f"  {parameter['name']} = {default}, in {parameter['range']}: {parameter['meaning']}")


def _entries() -> list[dict[str, Any]]:
    from genrm.rewards.controls import CONTROLS
    from genrm.rewards.shaping import shapes

    return [shape.row() for shape in shapes().values()] + [
        {
            "name": f"{CONTROL}:{name}",
            "summary": control.summary,
            "formula": control.formula,
            "paper": control.paper,
            "needs": [CONTROL],
            "inputs": ["prompts", "completions"],
            "missing": control.missing,
            "parameters": [],
            "python": f"{control.__module__}.{control.__name__}",
        }
        for name, control in CONTROLS.items()
    ]


def _print_json(data: Any) -> None:
    import orjson

    typer.echo(orjson.dumps(data, option=orjson.OPT_INDENT_2).decode())
