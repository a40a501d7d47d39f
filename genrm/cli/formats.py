"""``genrm formats``: how released judges write their verdicts, as data.

genrm formats show arena-hard
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

app = typer.Typer(help="Verdict formats: how judges of others write their verdicts.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Format = Annotated[str, typer.Argument(metavar="FORMAT", help="Name of a format, or a format file.")]


@app.callback()
def _formats() -> None:
    """Verdict formats: how judges of others write their verdicts."""


@app.command("list")
def list_(json_: Json = False) -> None:
    """The formats that come with genrm.

    Example: genrm formats list
    """
    from genrm.specs.load_format import format_files, load_format

    rows = []
    for path in format_files().values():
        spec = load_format(path)
        rows.append({"name": spec.name, "protocol": spec.protocol, "description": spec.description})
    if json_:
        _print_json(rows)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("name", "protocol", "what a judge writes"):
        table.add_column(title, no_wrap=title == "name")
    for row in rows:
        table.add_row(row["name"], row["protocol"], row["description"].replace("[", r"\["))
    Console(highlight=False).print(table)


@app.command("show")
def show(format: Format, json_: Json = False) -> None:
    """A format as its file says it; with --json as it was understood, with its digest.

    Example: genrm formats show prometheus
    """
    from genrm.specs.load_format import find_format, load_format

    spec = load_format(format)
    if json_:
        _print_json({**spec.model_dump(mode="json", by_alias=True, exclude_defaults=True), "digest": spec.digest})
    else:
        typer.echo(find_format(format).read_text(encoding="utf-8"), nl=False)


@app.command("check")
def check(format: Format, json_: Json = False) -> None:
    """Whether a format is sound, and reads its own examples as it says.

    Example: genrm formats check prometheus

    Exit code 2 when it does not.
    """
    from genrm.errors import Fault, SpecError
    from genrm.specs.load_format import find_format, load_format
    from genrm.verdicts.format_check import faults_of_examples

    spec = load_format(format)
    if found := faults_of_examples(spec):
        raise SpecError([Fault(text, str(find_format(format))) for text in found])
    if json_:
        _print_json({"name": spec.name, "digest": spec.digest, "examples": len(spec.examples)})
    else:
        typer.echo(f"{spec.name}: sound; {len(spec.examples)} examples are read as they say")


def _print_json(value: Any) -> None:
    import orjson

    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))
