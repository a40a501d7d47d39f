"""What the flags of ``genrm judge`` mean: text becomes settings, or an error that names the flag and the fix.

>>> engine_options(["dtype=bfloat16", "batch_size=8"], None)
{'dtype': 'bfloat16', 'batch_size': 8}
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def engine_options(given: list[str] | None, batch_size: int | None) -> dict[str, Any]:
    """Options of the engine; values are read as YAML, so 8 is a number and true a truth value."""
    import yaml

    from genrm.errors import Fault, SpecError

    options: dict[str, Any] = {} if batch_size is None else {"batch_size": batch_size}
    for text in given or ():
        name, equals, value = text.partition("=")
        try:
            if not equals or not name:
                raise ValueError
            options[name.strip().replace("-", "_")] = yaml.safe_load(value)
        except (ValueError, yaml.YAMLError):
            fault = Fault("no engine option", field="--engine-arg", value=text, fix="write NAME=VALUE")
            raise SpecError(fault) from None
    return options


def keeping(cache: str | None, limit: float | None, record: str | None, *, judges: int, output: str) -> dict[str, Any]:
    """What the judges are told about a cache and a recording."""
    from genrm.errors import Fault, SpecError

    if limit is not None and cache is None:
        raise SpecError("--cache-limit is the size of a cache; add --cache FILE")
    if record is not None and judges > 1:
        fix = "record each judge in a run of its own, and make the panel of -m replay:FILE for each"
        raise SpecError(Fault("a recording holds the answers of one judge", field="--record", fix=fix))
    for name, file in (("--cache", cache), ("--record", record)):
        if file is not None and output != "-" and Path(file).expanduser().resolve() == Path(output).resolve():
            raise SpecError(Fault("is the output as well", field=name, value=file, fix="name another file"))
    given = {"cache": cache, "cache_limit_mb": limit, "record": record}
    return {name: value for name, value in given.items() if value is not None}


def rule_of(text: str) -> Any:
    from genrm.errors import SpecError
    from genrm.specs.vote import rule_of_text

    try:
        return rule_of_text(text)
    except ValueError as error:
        raise SpecError(f"--vote-rule {text}: {error}") from None


def panel_of(judges: list[Any], rule: str | None, weights: str | None, budget_usd: float | None) -> Any:
    """The panel of several judges."""
    from genrm.errors import Fault, SpecError
    from genrm.judging.panel import Panel

    if len(judges) == 1:
        raise SpecError("--panel and --panel-weights are for several judges; repeat -m")
    if rule == "dawid_skene":
        fix = "judge by --panel majority, then: genrm judge --rescore OUT --panel dawid_skene -r RUBRIC -o NEW"
        raise SpecError(Fault("it weighs members by all rows, which a run has not yet", field="--panel", fix=fix))
    shares = shares_of(weights)
    chosen: Any = rule or ("majority" if shares is None else "weighted")
    return Panel(judges, chosen, weights=shares, budget_usd=budget_usd)


def shares_of(weights: str | None) -> list[float] | None:
    from genrm.errors import Fault, SpecError

    try:
        return None if weights is None else [float(part) for part in weights.split(",")]
    except ValueError:
        raise SpecError(Fault("no numbers", field="--panel-weights", value=weights, fix="write 2,1,1")) from None


def needs_file(output: str, flag: str) -> None:
    from genrm.errors import SpecError

    if output == "-" or not Path(output).is_file():
        raise SpecError(f"{flag} needs the output file of an earlier run; name it with -o OUT")
