"""``genrm judge``: a file of responses in, a file of judgments out.

genrm judge answers.jsonl -r math-verify -o out.jsonl
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer


def judge(
    input: Annotated[
        str, typer.Argument(metavar="IN", help="Rows as .jsonl, .json, .csv, .tsv or .parquet; - reads JSON lines.")
    ],
    rubric: Annotated[str, typer.Option("--rubric", "-r", help="Name in the library, or a rubric file.")],
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", "-m", help="The judge: tiny (embedded, the default) or hf:PATH_OR_ID. Repeat: a panel."
        ),
    ] = None,
    panel: Annotated[
        str | None,
        typer.Option(
            metavar="RULE",
            help="How several -m become one: majority (the default), mean, weighted; dawid_skene with --rescore.",
        ),
    ] = None,
    panel_weights: Annotated[
        str | None, typer.Option(metavar="W,W,…", help="A weight for each -m; for --panel weighted and mean.")
    ] = None,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="OUT", help="JSON lines, one for each row; - is standard output.")
    ] = "-",
    votes: Annotated[int | None, typer.Option(min=1, help="Verdicts for each row; the rubric's by default.")] = None,
    vote_rule: Annotated[
        str | None,
        typer.Option(
            metavar="RULE", help="How they become one: majority, median, quantile:0.25; the rubric's by default."
        ),
    ] = None,
    keep_best: Annotated[
        str | None,
        typer.Option(metavar="K:BY", help="Only the K best votes count, by confidence, likelihood, margin or meta."),
    ] = None,
    reward: Annotated[
        str | None,
        typer.Option(
            metavar="REWARD",
            help="An aggregate (min) or a mapping ('{aggregate: {soft_min: {temperature: 0.2}}}'); the rubric's by "
            "default.",
        ),
    ] = None,
    rescore: Annotated[
        bool, typer.Option("--rescore", help="IN is an output file: compute its rewards again; no model is asked.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Votes derive their seeds from it; the same seed gives the same rows.")] = 0,
    field: Annotated[
        list[str] | None, typer.Option(metavar="NAME=PATH", help="Where a field is: response=answer.text. Repeatable.")
    ] = None,
    input_format: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="jsonl, json, csv, tsv or parquet; by the suffix otherwise.")
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="How the judge writes verdicts, for judges with a form of their own: formats list."
        ),
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
    engine_arg: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="An option of the engine, such as dtype=bfloat16. Repeatable."),
    ] = None,
    api_key_env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The environment variable with the server's key; the key is never logged."),
    ] = None,
    budget_usd: Annotated[
        float | None,
        typer.Option(metavar="USD", help="Stop before OUT has cost more in all; the same command can go on."),
    ] = None,
    cache: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Keep answers in this file, so that the same call is paid for once."),
    ] = None,
    cache_limit: Annotated[
        float | None, typer.Option(metavar="MB", min=1, help="Size that the cache may have; no limit by default.")
    ] = None,
    record: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write every answer down, for -m replay:FILE to give again.")
    ] = None,
    show: Annotated[int | None, typer.Option(min=0, help="Rows shown at the end; 5 on a terminal, else none.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="The summary as JSON on standard output.")] = False,
    no_progress: Annotated[bool, typer.Option("--no-progress", help="No bar and no log lines.")] = False,
) -> None:
    """Judge a file: a critique, a label and a reward for every row.

    Example: genrm judge answers.jsonl -r math-verify --field reference=gold -o out.jsonl

    A panel: genrm judge answers.jsonl -r math-verify -m tiny -m tiny:unhardened --panel mean

    Other rewards from the same verdicts: genrm judge --rescore out.jsonl -r stricter.yaml -o new.jsonl

    The same command again goes on where a stopped one ended.

    Exit codes: 0 every row has a reward; 1 some have none; 2 bad input; 130 stopped.
    """
    from genrm.batch.fields import FieldMap
    from genrm.batch.options import BatchOptions
    from genrm.batch.progress import reporter
    from genrm.batch.run import run_batch
    from genrm.cli.judge_settings import engine_options, keeping, needs_file, panel_of, rule_of, shares_of
    from genrm.errors import SpecError
    from genrm.judging.judge import Judge, check_prices

    if json_ and output == "-":
        raise SpecError("--json writes the summary to standard output, where the rows go; add -o OUT")
    if restart and (retry_failed or retry_all_failed):
        raise SpecError("--restart judges every row anew and --retry-failed keeps the finished ones; choose one")
    wanted = (5 if sys.stderr.isatty() else 0) if show is None else show
    shown: list[Mapping[str, Any]] = []

    def keep(row: Mapping[str, Any]) -> None:
        if len(shown) < wanted:
            shown.append(row)

    if rescore:
        given: dict[str, Any] = {"-m": model, "--votes": votes, "--field": field, "--input-format": input_format}
        given |= {"--timeout": timeout, "--batch-size": batch_size, "--engine-arg": engine_arg, "--format": format}
        given |= {"--retry-failed": retry_failed or retry_all_failed, "--cache": cache, "--record": record}
        given |= {"--budget-usd": budget_usd, "--cache-limit": cache_limit, "--api-key-env": api_key_env}
        if asked := [name for name, value in given.items() if value]:
            raise SpecError(f"--rescore asks no model and reads an output file, so {', '.join(asked)} has no meaning")
        chosen: dict[str, Any] = {
            "panel": panel,
            "weights": shares_of(panel_weights),
            "restart": restart,
            "limit": limit,
        }
        chosen["keep_best"] = keep_best
        summary = _rescore(input, output, rubric, vote_rule, reward, on_row=keep, **chosen)
        _tell(summary, shown, None if output == "-" else Path(output), json_)
        raise typer.Exit(summary.exit_code)
    if retry_all_failed or retry_failed:
        needs_file(output, "--retry-failed")
    options = BatchOptions(
        input=input,
        output=output,
        format=input_format,
        fields=FieldMap.parse(field or ()),
        limit=limit,
        ordered=not unordered,
        restart=restart,
        retry="all" if retry_all_failed else "retryable" if retry_failed else "no",
    )
    settings: dict[str, Any] = {} if format is None else {"format": format}
    if timeout is not None:
        settings["timeout_s"] = timeout or None
    if max_in_flight is not None:
        settings["max_in_flight"] = max_in_flight
    settings |= keeping(cache, cache_limit, record, judges=len(model or ()), output=output)
    options_of_engine = engine_options(engine_arg, batch_size)
    if api_key_env is not None:
        options_of_engine["api_key_env"] = api_key_env
    if options_of_engine:
        settings["engine_options"] = options_of_engine
    if vote_rule is not None:
        settings["vote_rule"] = rule_of(vote_rule)
    if reward is not None:
        from genrm.specs.override import reward_of_text

        settings["reward"] = reward_of_text(reward)
    names = model or ["tiny"]
    several = len(names) > 1 or panel or panel_weights
    if budget_usd is not None and not several:
        settings["budget_usd"] = budget_usd
    asked = _filtered(rubric, keep_best, votes)
    judges = [Judge(asked, name, votes=votes, seed=seed, **settings) for name in names]
    if restart and judges[0].keep is not None:
        judges[0].keep = replace(judges[0].keep, anew=True)
    bound = panel_of(judges, panel, panel_weights, budget_usd) if several else judges[0]
    if budget_usd is not None:
        # Now and not with the first row: nothing is written yet.
        check_prices(judges)
    # Rows leave next to no reference cycles behind: looking for them as often as Python does takes a tenth of the time.
    gc.set_threshold(20_000)
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


def _filtered(rubric: str, keep_best: str | None, votes: int | None) -> Any:
    """The rubric, with the filter of votes that the command line names."""
    if keep_best is None:
        return rubric
    from genrm.specs.load import load_rubric
    from genrm.specs.override import votes_filtered

    return votes_filtered(load_rubric(rubric), keep_best, votes)


def _rescore(
    input: str,
    output: str,
    rubric: str,
    vote_rule: str | None,
    reward: str | None,
    *,
    keep_best: str | None,
    **options: Any,
) -> Any:
    """The rewards of an output file under another rubric."""
    from genrm.batch.rescore import rescore_file
    from genrm.cli.judge_settings import rule_of
    from genrm.judging.judge import with_votes
    from genrm.specs.load import load_rubric
    from genrm.specs.override import reward_of_text, reward_replaced, votes_filtered

    bound = load_rubric(rubric)
    if keep_best is not None:
        bound = votes_filtered(bound, keep_best, stored=True)
    if vote_rule is not None:
        bound = with_votes(bound, None, rule_of(vote_rule))
    if reward is not None:
        bound = reward_replaced(bound, reward_of_text(reward))
    return rescore_file(input, output, bound, **options)


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
    if summary.stopped is not None:
        again = "" if output is None else f"; {summary.go_on}"
        console.print(f"genrm: stopped: {summary.stopped}{again}", markup=False, soft_wrap=True)
    if as_json:
        import json

        typer.echo(json.dumps(summary.row()))
    if output is not None:
        console.print(str(output), markup=False, soft_wrap=True)
