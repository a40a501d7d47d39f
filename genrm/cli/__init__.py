"""The command line: one file a verb. Standard output is for data, standard error for people.

Exit codes: 0 done; 1 finished with rows that have no reward; 2 bad arguments, spec or input; 130 interrupted;
70 a fault of genrm itself.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from genrm.cli import cache as cache_verbs
from genrm.cli import compile as compile_verb
from genrm.cli import doctor as doctor_verb
from genrm.cli import export as export_verbs
from genrm.cli import formats as formats_verbs
from genrm.cli import judge as judge_verb
from genrm.cli import rank as rank_verb
from genrm.cli import rewards as rewards_verbs
from genrm.cli import rubric as rubric_verbs

app = typer.Typer(
    name="genrm",
    help="Rubrics in, critiques and rewards out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("judge")(judge_verb.judge)
app.command("compile")(compile_verb.compile_)
app.command("rank")(rank_verb.rank)
app.command("doctor")(doctor_verb.doctor)
app.add_typer(cache_verbs.app, name="cache")
app.add_typer(rubric_verbs.app, name="rubric")
app.add_typer(formats_verbs.app, name="formats")
app.add_typer(rewards_verbs.app, name="rewards")
app.add_typer(export_verbs.app, name="export")


def _print_version(value: bool) -> None:
    if value:
        from genrm import __version__

        typer.echo(f"genrm {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Rubrics in, critiques and rewards out."""


def main() -> None:
    """Entry point of the ``genrm`` command: every error raised on purpose is a message and exit code 2."""
    from genrm.errors import GenrmError

    try:
        app()
    except GenrmError as error:
        print(f"genrm: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("genrm: interrupted; run the same command again to go on", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(141)
    except Exception:  # a fault of genrm's own: 1 and 2 mean something else to those who call this from scripts
        import traceback

        traceback.print_exc()
        print("genrm: this is a fault of genrm itself; please report it with the lines above", file=sys.stderr)
        sys.exit(70)
