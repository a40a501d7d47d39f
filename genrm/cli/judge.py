"""``genrm judge``: a file of responses in, a file of judgments out.

genrm judge answers.jsonl -r math-verify -o out.jsonl
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer


def judge(
    input: Annotated[
        str, typer.Argument(metavar="IN", help="Rows as .jsonl, .json, .csv, .tsv or .parquet; - reads JSON lines.")
    ],
    rubric: Annotated[str, typer.Option("--rubric", "-r", help="Name in the library, or a rubric file.")],
    model: Annotated[str, typer.Option("--model", "-m", help="The judge: tiny (embedded) or hf:PATH_OR_ID.")] = "tiny",
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="OUT", help="JSON lines, one for each row; - is standard output.")
    ] = "-",
    votes: Annotated[int | None, typer.Option(min=1, help="Verdicts for each row; the rubric's by default.")] = None,
    seed: Annotated[int, typer.Option(help="Votes derive their seeds from it; the same seed gives the same rows.")] = 0,
    field: Annotated[
        list[str] | None, typer.Option(metavar="NAME=PATH", help="Where a field is: response=answer.text. Repeatable.")
    ] = None,
    format: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="jsonl, json, csv, tsv or parquet; by the suffix otherwise.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many rows.")] = None,
    unordered: Annotated[bool, typer.Option("--unordered", help="Write rows as they are ready.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Overwrite OUT instead of going on with it.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Judge rows of OUT again whose failure may pass, like a timeout.")
    ] = False,
    retry_all_failed: Annotated[
        bool, typer.Option("--retry-all-failed", help="Judge every failed row of OUT again.")
    ] = False,
    max_in_flight: Annotated[int | None, typer.Option(min=1, help="Rows judged at the same time (64).")] = None,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0, help="Deadline of one judge call (600); 0 for none."),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Sequences that a local model decodes at the same time.")
    ] = None,
    show: Annotated[int | None, typer.Option(min=0, help="Rows shown at the end; 5 on a terminal, else none.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="The summary as JSON on standard output.")] = False,
    no_progress: Annotated[bool, typer.Option("--no-progress", help="No bar and no log lines.")] = False,
) -> None:
    """Judge a file: a critique, a label and a reward for every row.

    Example: genrm judge answers.jsonl -r math-verify --field reference=gold -o out.jsonl

    The same command again goes on where a stopped one ended.

    Exit codes: 0 every row has a reward; 1 some have none; 2 bad input; 130 stopped.
    """
    from genrm.batch.fields import FieldMap
    from genrm.batch.progress import reporter
    from genrm.batch.run import BatchOptions, run_batch
    from genrm.errors import SpecError
    from genrm.judging.judge import Judge

    if json_ and output == "-":
        raise SpecError("--json writes the summary to standard output, where the rows go; add -o OUT")
    if restart and (retry_failed or retry_all_failed):
        raise SpecError("--restart judges every row anew and --retry-failed keeps the finished ones; choose one")
    if retry_all_failed or retry_failed:
        _needs_file(output, "--retry-failed")
    options = BatchOptions(
        input=input,
        output=output,
        format=format,
        fields=FieldMap.parse(field or ()),
        limit=limit,
        ordered=not unordered,
        restart=restart,
        retry="all" if retry_all_failed else "retryable" if retry_failed else "no",
    )
    settings: dict[str, Any] = {}
    if timeout is not None:
        settings["timeout_s"] = timeout or None
    if max_in_flight is not None:
        settings["max_in_flight"] = max_in_flight
    if batch_size is not None:
        settings["engine_options"] = {"batch_size": batch_size}
    bound = Judge(rubric, model, votes=votes, seed=seed, **settings)
    wanted = (5 if sys.stderr.isatty() else 0) if show is None else show
    shown: list[Mapping[str, Any]] = []

    def keep(row: Mapping[str, Any]) -> None:
        if len(shown) < wanted:
            shown.append(row)

    with reporter(False if no_progress else None) as report:
        try:
            summary = run_batch(bound, options, report, on_row=keep)
        except BrokenPipeError:
            # Whoever read the rows has enough; 1 would mean that every row had been judged.
            raise typer.Exit(141) from None
        except KeyboardInterrupt:
            # While the model loads, or a second one: the first one in a run comes back with a summary.
            report.note("interrupted; run the same command again to go on")
            raise typer.Exit(130) from None
    _tell(summary, shown, None if output == "-" else Path(output), json_)
    if summary.exit_code:
        raise typer.Exit(summary.exit_code)


def _needs_file(output: str, flag: str) -> None:
    from genrm.errors import SpecError

    if output == "-" or not Path(output).is_file():
        raise SpecError(f"{flag} needs the output file of an earlier run; name it with -o OUT")


def _tell(summary: Any, rows: list[Mapping[str, Any]], output: Path | None, as_json: bool) -> None:
    """The end of a run: rows and summary on standard error, the summary as JSON on standard output."""
    from rich.console import Console

    from genrm.batch.render import rows_table, summary_view

    console = Console(stderr=True, highlight=False)
    if rows:
        console.print()
        console.print(rows_table(rows))
    console.print(summary_view(summary))
    if summary.interrupted:
        again = "" if output is None else "; the same command goes on from here"
        console.print(f"genrm: interrupted{again}", markup=False, soft_wrap=True)
    if as_json:
        import json

        typer.echo(json.dumps(summary.row()))
    if output is not None:
        console.print(str(output), markup=False, soft_wrap=True)
