"""``genrm rubric``: look at the library, check files, bring rubrics in from other formats.

genrm rubric list
genrm rubric check my-rubric.yaml
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from genrm.errors import Fault
    from genrm.specs.importers import Importer

app = typer.Typer(no_args_is_help=True, help="Library, checks and imports of rubrics.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command("list", epilog="Example: genrm rubric list")
def list_(as_json: Json = False) -> None:
    """List the rubrics that come with genrm."""
    from genrm.specs.load import library_files, load_rubric

    rubrics = [load_rubric(path) for path in library_files().values()]
    if as_json:
        _print_json(
            [
                {
                    "name": rubric.name,
                    "version": rubric.version,
                    "description": rubric.description,
                    "protocol": rubric.protocol,
                    "criteria": [leaf.id for leaf in rubric.leaves()],
                }
                for rubric in rubrics
            ]
        )
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "what for", "criteria", box=None, pad_edge=False, header_style="bold")
    for rubric in rubrics:
        table.add_row(rubric.name, rubric.description, ", ".join(leaf.id for leaf in rubric.leaves()))
    Console().print(table)


@app.command(epilog="Example: genrm rubric show math-verify > my-rubric.yaml")
def show(rubric: Annotated[str, typer.Argument(metavar="NAME", help="A name of the library, or a file.")]) -> None:
    """Print the text of a rubric, to read or to begin one's own with."""
    from genrm.errors import SpecError
    from genrm.specs.load import find_rubric
    from genrm.specs.yaml_marks import read_text

    try:
        typer.echo(read_text(find_rubric(rubric)), nl=False)
    except SpecError as error:
        _fail(error.faults)


@app.command(epilog="Example: genrm rubric check my-rubric.yaml another.yaml")
def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Rubric files, or names of the library.")],
    as_json: Json = False,
) -> None:
    """Check rubrics: every fault with file, line, field, value and fix. Exit code 2 when there is one."""
    from dataclasses import asdict, replace

    from genrm.errors import SpecError
    from genrm.specs.load import hints, load_rubric

    reports: list[dict[str, Any]] = []
    for name in files:
        report: dict[str, Any] = {"file": name, "ok": True, "faults": [], "hints": []}
        try:
            rubric = load_rubric(name)
        except SpecError as error:
            report |= {"ok": False, "faults": [asdict(fault) for fault in error.faults]}
            if not as_json:
                _tell(error.faults)
        else:
            notes = [replace(hint, file=name) for hint in hints(rubric)]
            report |= {"hints": [asdict(note) for note in notes], "digest": rubric.digest}
            if not as_json:
                leaves = sum(1 for _ in rubric.leaves())
                typer.echo(f"{name}: ok ({rubric.name} {rubric.version}, {leaves} criteria)")
                _tell(notes, prefix="hint: ")
        reports.append(report)
    if as_json:
        _print_json(reports)
    if not all(report["ok"] for report in reports):
        raise typer.Exit(2)


@app.command(epilog="Example: genrm rubric schema > rubric.schema.json")
def schema() -> None:
    """Print the JSON Schema of rubric files, which gives editors completion and early warnings."""
    from genrm.specs.rubric_schema import schema_text

    typer.echo(schema_text(), nl=False)


@app.command(
    "import",
    epilog="Examples: genrm rubric import tree.json -o tree.yaml   ·   "
    "genrm rubric import items.json -o rows.jsonl --rubric-out base.yaml",
)
def import_(
    data: Annotated[Path, typer.Argument(metavar="FILE", help="JSON or JSON Lines: one item, or a data set of them.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="OUT.yaml or OUT.json: one rubric. OUT.jsonl: rows with their criteria.")
    ],
    format_: Annotated[
        str, typer.Option("--format", help="auto, biggen, healthbench, rar or paperbench.", metavar="NAME")
    ] = "auto",
    item: Annotated[str | None, typer.Option("--item", help="Take this item of a data set: its key or number.")] = None,
    rubric_out: Annotated[
        Path | None,
        typer.Option("--rubric-out", help="With rows: where their common rubric goes; OUT.rubric.yaml if not given."),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the rubric; that of FILE if not given.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")] = False,
) -> None:
    """Bring rubrics in: score rubrics (BiGGen), signed points (HealthBench), checklists (RaR), trees (PaperBench)."""
    from dataclasses import replace

    from genrm.errors import SpecError
    from genrm.specs.importers import import_rows, import_rubric, read_data
    from genrm.specs.load import SUFFIXES

    rows_wanted = out.suffix.lower() in (".jsonl", ".ndjson")
    if not rows_wanted and out.suffix.lower() not in SUFFIXES:
        _refuse(f"-o {out}: a rubric ends in {', '.join(SUFFIXES)}, rows end in .jsonl")
    if rubric_out is not None and not rows_wanted:
        _refuse("--rubric-out goes with rows; end -o in .jsonl")
    base = rubric_out or out.with_suffix(".rubric.yaml")
    if base.resolve() == out.resolve():
        _refuse(f"-o and --rubric-out both name {out}, and one would overwrite the other; name two files")
    for target in (out, base) if rows_wanted else (out,):
        if target.exists() and data.exists() and target.samefile(data):
            _refuse(f"{target} is the file that is read; write to another one")
        if target.exists() and not force:
            _refuse(f"{target} exists; use --force to overwrite it")
    try:
        content = read_data(data)
        importer = _importer(format_, content)
        if item is not None:
            content = _one_item(content, item)
        called = name or (f"{data.stem}-{item}" if item is not None else data.stem)
        if rows_wanted:
            imported = import_rows(content, name=called, importer=importer)
            _write_rows(out, imported.rows)
            _write_rubric(base, imported.rubric, importer.name)
            bare = sum("response" not in row for row in imported.rows)
            typer.echo(f"{importer.name}: {len(imported.rows)} rows in {out}, their rubric in {base}", err=True)
            if bare:
                typer.echo(f"{bare} rows have no response yet; add a field 'response' before judging", err=True)
            return
        if not importer.matches(content):
            _refuse(
                f"{data} is a data set; end -o in .jsonl for rows with their own criteria, or take one with --item KEY"
            )
        _write_rubric(out, import_rubric(content, name=called, importer=importer), importer.name)
        typer.echo(f"{importer.name}: rubric in {out}", err=True)
    except SpecError as error:
        _fail(tuple(replace(fault, file=fault.file or str(data)) for fault in error.faults))


def _importer(name: str, content: Any) -> Importer:
    from genrm.specs.importers import FORMATS, detect

    if name == "auto":
        return detect(content)
    if name not in FORMATS:
        _refuse(f"--format {name}: there is no such format; use auto, {', '.join(FORMATS)}")
    return FORMATS[name]


def _one_item(content: Any, key: str) -> Any:
    from genrm.specs.faults import closest
    from genrm.specs.importers import items_of

    items = dict(items_of(content))
    if key not in items:
        guess = closest(key, items)
        _refuse(f"--item {key}: there is no such item" + (f"; did you mean {guess!r}?" if guess else ""))
    return items[key]


def _write_rubric(path: Path, rubric: dict[str, Any], origin: str) -> None:
    import json

    from genrm.specs.yaml_marks import dump_yaml

    if path.suffix.lower() == ".json":
        text = json.dumps(rubric, indent=2, ensure_ascii=False) + "\n"
    else:
        text = f"# Imported by `genrm rubric import` from the format {origin}.\n" + dump_yaml(rubric)
    _write(path, text.encode())


def _write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    import orjson

    # Anchors are keyed by whole numbers, which JSON has only as texts.
    _write(path, b"".join(orjson.dumps(row, option=orjson.OPT_NON_STR_KEYS) + b"\n" for row in rows))


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        _refuse(f"{path} cannot be written: {(error.strerror or type(error).__name__).lower()}")


def _print_json(data: Any) -> None:
    import orjson

    typer.echo(orjson.dumps(data, option=orjson.OPT_INDENT_2).decode())


def _tell(faults: Any, prefix: str = "") -> None:
    for fault in faults:
        typer.echo(f"{prefix}{fault}", err=True)


def _fail(faults: tuple[Fault, ...]) -> NoReturn:
    _tell(faults)
    raise typer.Exit(2)


def _refuse(message: str) -> NoReturn:
    typer.echo(f"genrm: {message}", err=True)
    raise typer.Exit(2)
