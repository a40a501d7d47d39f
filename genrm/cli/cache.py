"""``genrm cache``: what an answer cache holds, and how to make it smaller.

genrm cache stats answers.db
genrm cache clear answers.db --older-than 30
"""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="The answer cache of genrm judge --cache: statistics, clearing.")

DAY_S = 86_400.0

CacheFile = Annotated[Path, typer.Argument(metavar="FILE", help="As given to genrm judge --cache.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command(epilog="Example: genrm cache stats answers.db")
def stats(file: CacheFile, as_json: Json = False) -> None:
    """Say how many answers of which models a cache holds, and how often they were used."""
    from genrm.engines.answers.file import AnswerFile, file_bytes

    with AnswerFile.open(file, create=False) as opened:
        shares = opened.shares()
        size = file_bytes(file)
    if as_json:
        import json

        models = [
            {
                "model": share.model,
                "answers": share.answers,
                "bytes": share.bytes,
                "hits": share.hits,
                "oldest": _time(share.oldest),
                "last_used": _time(share.last_used),
            }
            for share in shares
        ]
        answers, hits = sum(share.answers for share in shares), sum(share.hits for share in shares)
        whole = {"file": str(file), "file_bytes": size, "answers": answers, "hits": hits, "models": models}
        typer.echo(json.dumps(whole))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from genrm.batch.render import plain

    console = Console(highlight=False)
    table = Table("model", box=None, pad_edge=False, header_style="bold")
    for name in ("answers", "size", "hits", "oldest", "last used"):
        table.add_column(name, justify="right", no_wrap=True)
    for share in shares:
        dates = (_day(share.oldest), _day(share.last_used))
        table.add_row(
            Text(plain(share.model)), f"{share.answers:,}", _size(share.bytes), f"{share.hits:,}", *map(Text, dates)
        )
    answers = sum(share.answers for share in shares)
    console.print(f"{file}: {answers:,} answers, {_size(size)} on disk", markup=False, soft_wrap=True)
    if shares:
        console.print(table)


@app.command(epilog="Examples: genrm cache clear answers.db   ·   genrm cache clear answers.db --older-than 30")
def clear(
    file: CacheFile,
    older_than: Annotated[
        float | None, typer.Option(metavar="DAYS", min=0, help="Only answers that were not used for so many days.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this model's, as stats shows it; http* is a pattern.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Drop answers; all of them when nothing else is said."""
    from genrm.engines.answers.file import AnswerFile, file_bytes
    from genrm.errors import Fault, SpecError

    with AnswerFile.open(file, create=False) as opened:
        if not opened.writable:
            raise SpecError(Fault("is read-only", field="cache", value=str(file), fix="chmod u+w, also its folder"))
        known = [share.model for share in opened.shares()]
        since = None if older_than is None else time.time() - older_than * DAY_S
        dropped = opened.clear(unused_since=since, model=model)
        left = sum(share.answers for share in opened.shares())
    if as_json:
        import json

        typer.echo(json.dumps({"file": str(file), "dropped": dropped, "left": left, "file_bytes": file_bytes(file)}))
        return
    typer.echo(f"{file}: {dropped:,} answers dropped, {left:,} left, {_size(file_bytes(file))} on disk")
    if model is not None and not dropped and known:
        typer.echo(f"genrm: models in it: {', '.join(known)}", err=True)


def _size(count: int) -> str:
    value: float = count
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.3g} {unit}" if unit != "B" else f"{count} B"
        value /= 1000
    return f"{value:,.1f} GB"


def _time(seconds: int | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds).astimezone().isoformat()


def _day(seconds: int | None) -> str:
    return "–" if seconds is None else datetime.fromtimestamp(seconds).strftime("%Y-%m-%d")
