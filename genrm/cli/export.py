"""``genrm export``: data sets out of judged files.

genrm export hard-negatives out.jsonl > hard.jsonl
"""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="Data sets out of judged files.", no_args_is_help=True)


@app.callback()
def _export() -> None:
    """Data sets out of judged files."""


@app.command("hard-negatives")
def hard_negatives(
    output: Annotated[str, typer.Argument(metavar="OUT", help="An output file of genrm judge, as JSON lines.")],
    input: Annotated[
        str | None,
        typer.Option("--input", "-i", metavar="IN", help="The rows that were judged (.jsonl): adds their fields."),
    ] = None,
    trust: Annotated[
        str, typer.Option(metavar="ANSWER", help="Which answers of the check are taken as right: met, unmet or both.")
    ] = "both",
) -> None:
    """Where a cascade's check and its judge differ, one JSON line each: cases from which a judge can learn.

    Example: genrm export hard-negatives out.jsonl --input answers.jsonl > hard.jsonl

    Both have spoken where the check was not trusted, and in all rows under `cascade: {audit: true}`.
    """
    from genrm.batch.disagreements import disagreements
    from genrm.batch.journal import encode
    from genrm.errors import SpecError

    if trust not in ("met", "unmet", "both"):
        raise SpecError(f"--trust {trust}: use met, unmet or both")
    compared = differ = 0
    for found in disagreements(output, input):
        compared += 1
        if found["kind"] == "agree" or (trust != "both" and found["rule"] != ("yes" if trust == "met" else "no")):
            continue
        differ += 1
        typer.echo(encode(found).decode().rstrip("\n"))
    typer.echo(f"check and judge both spoke on {compared:,} criteria; {differ:,} exported", err=True)
