"""``genrm doctor``: which engines can run here, what is missing, and whether a judgment comes out.

genrm doctor
genrm doctor -m http://127.0.0.1:8000/v1
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from genrm.doctor.examine import Report
    from genrm.doctor.trial import Trial


def doctor(
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="Try this one as well, and say what its server can do. Repeatable."),
    ] = None,
    engine_arg: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="An option of the engine of every -m, such as api_key_env=MY_KEY."),
    ] = None,
    api_key_env: Annotated[
        str | None, typer.Option(metavar="NAME", help="The environment variable with the key of every -m.")
    ] = None,
    no_try: Annotated[bool, typer.Option("--no-try", help="Look only; judge nothing.")] = False,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", min=1, help="For each judgment.")] = 180.0,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Say which engines can run here and what is missing, and try a one-row judgment on each.

    Examples: genrm doctor   ·   genrm doctor -m hf:models/my-judge   ·   genrm doctor -m http://127.0.0.1:8000/v1

    Exit codes: 0 everything that was tried works; 1 something does not.
    """
    from rich.console import Console

    from genrm.cli.judge_settings import engine_options
    from genrm.doctor.examine import examine

    told = Console(stderr=True, highlight=False)

    def step(name: str) -> None:
        status.update(f"judging one row by {name}")

    with told.status("looking around") as status:
        options = engine_options(engine_arg, None)
        if api_key_env is not None:
            options["api_key_env"] = api_key_env
        report = examine(
            models=list(dict.fromkeys(model or ())),
            options=options,
            try_engines=not no_try,
            timeout_s=timeout,
            on_step=step,
        )
    if json_:
        import json

        typer.echo(json.dumps(report.row()))
    else:
        _show(Console(highlight=False), report, tried=not no_try)
    if not report.ok:
        raise typer.Exit(1)


def _show(console: Console, report: Report, *, tried: bool) -> None:
    from rich.text import Text

    for title, parts in (
        ("machine", _machine(report)),
        ("engines", _engines(report)),
        ("judgments", _trials(report) if tried else iter((Text("not tried (--no-try)"),))),
        ("to know", _traps(report)),
        ("packages", _packages(report)),
        ("environment", _environment(report)),
    ):
        shown = list(parts)
        if shown:
            console.print(Text(title, style="bold"))
            for part in shown:
                console.print(part)
            console.print()
    bad = [trial.model for trial in report.trials if not trial.ok]
    if bad:
        console.print(Text(f"does not work: {', '.join(bad)}", style="red"))
    elif tried:
        console.print(Text("everything that was tried works", style="green"))


def _machine(report: Report) -> Iterator[RenderableType]:
    here = report.machine
    rows = [("python", f"{here.python}  {here.executable}"), ("platform", here.platform), ("cores", str(here.cores))]
    if here.memory is not None:
        free = "" if here.free is None else f", {_gib(here.free)} of it free"
        rows.append(("memory", _gib(here.memory) + free))
    if report.torch is not None:
        rows.append(("torch", f"built for {report.torch}"))
    for gpu in here.gpus:
        memory = f"{gpu.memory / 1024:.1f} GiB, {gpu.free / 1024:.1f} GiB of it free"
        rows.append(("gpu", f"{gpu.name}, {memory}, driver {gpu.driver}"))
    if here.gpu_note:
        rows.append(("gpu", here.gpu_note))
    yield _pairs(rows)


def _engines(report: Report) -> Iterator[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for engine in report.engines:
        mark = Text("ready", style="green") if engine.ready else Text("missing", style="yellow")
        note = Text(engine.note if engine.ready else f"{engine.note}. Fix: {engine.fix}")
        table.add_row(Text(engine.form), mark, note)
    yield table


def _trials(report: Report) -> Iterator[RenderableType]:
    from rich.padding import Padding
    from rich.text import Text

    for trial in report.trials:
        yield _verdict(trial)
        facts = list(trial.facts)
        if trial.served and trial.served != trial.model:
            facts.insert(0, ("model", trial.served))
        if trial.critique:
            facts.append(("critique", _plain(trial.critique)))
        if facts and not (trial.ok and trial.model == "replay"):
            yield Padding(_pairs(list(dict(reversed(facts)).items())[::-1]), (0, 0, 0, 2))
    for name in ("hf", "vllm", "http", "litellm"):
        state = next(engine for engine in report.engines if engine.name == name)
        if state.ready and not any(trial.model.partition(":")[0] in (name, f"{name}s") for trial in report.trials):
            yield Text(f"{name}: not tried; name a model: genrm doctor -m {state.form}", style="dim")


def _verdict(trial: Trial) -> RenderableType:
    from rich.text import Text

    if not trial.ok:
        return Text(f"{trial.model}: failed: {_plain(trial.error or '', 600)}", style="red")
    took = f" in {trial.seconds:g} s" if trial.seconds is not None else ""
    text = Text(f"{trial.model}: works", style="green")
    return text.append(f"; said {_plain(trial.label or '')}, reward {trial.reward:.2f}{took}", style="default")


def _traps(report: Report) -> Iterator[RenderableType]:
    from rich.text import Text

    for trap in report.traps:
        text = Text(trap.what, style="red" if trap.serious else "yellow")
        yield text.append(f". Fix: {trap.fix}", style="default")


def _packages(report: Report) -> Iterator[RenderableType]:
    from genrm.doctor.packages import BESIDE, EXTRAS

    def shown(names: tuple[str, ...]) -> str:
        return ", ".join(f"{name} {report.packages[name] or 'missing'}" for name in names)

    rows = [("genrm", f"{report.packages['genrm']}")]
    for extra, names in EXTRAS.items():
        # Another build under another name will do, and the one of the extra would overwrite its files.
        lacking = extra and not all(report.packages[name] or report.packages.get(f"{name}-cpu") for name in names)
        fix = f"  → pip install 'genrm[{extra}]'" if lacking else ""
        rows.append((f"[{extra}]" if extra else "needed", shown(names) + fix))
    rows.append(("beside", ", ".join(f"{name} {report.packages[name]}" for name in BESIDE if report.packages[name])))
    yield _pairs([(name, value) for name, value in rows if value])


def _environment(report: Report) -> Iterator[RenderableType]:
    given = [(name, value) for name, value in report.environment.items() if value is not None]
    if given:
        yield _pairs(given)
    absent = ", ".join(name for name, value in report.environment.items() if value is None)
    if absent:
        yield _pairs([("not set", absent)])


def _pairs(rows: list[tuple[str, str]]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style="dim", overflow="fold", max_width=30)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(Text(name), Text(value))
    return table


def _plain(text: str, limit: int = 200) -> str:
    from genrm.batch.render import plain

    return plain(text, limit)


def _gib(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"
