"""``genrm compile``: what a judge will read and may say, before any judge is asked.

genrm compile math-verify --row answers.jsonl:3
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from genrm.compiler.request import JudgeRequest
    from genrm.engines.base import Capabilities
    from genrm.specs.rubric import Rubric
    from genrm.specs.sample import Sample

BYTES_PER_TOKEN = 4
"""Of English text, roughly; used where no tokenizer is at hand."""


def compile_(
    rubric: Annotated[str, typer.Argument(metavar="RUBRIC", help="Name in the library, or a rubric file.")],
    row: Annotated[
        str | None,
        typer.Option(metavar="FILE:N", help="The sample: row N of a file, counted from 1. A placeholder otherwise."),
    ] = None,
    field: Annotated[
        list[str] | None, typer.Option(metavar="NAME=PATH", help="Where a field is: response=answer.text. Repeatable.")
    ] = None,
    input_format: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="jsonl, json, csv, tsv or parquet; by the suffix otherwise.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Compile for this judge: its style, limits and tokenizer. Loads it."),
    ] = None,
    style: Annotated[
        str | None, typer.Option(metavar="full|compact", help="Prompt style, without loading a judge; full by default.")
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="For judges that write verdicts in a form of their own; see formats list."),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show exactly what a judge will read and may say: messages, output grammar, score slots, estimated tokens.

    Example: genrm compile math-verify --row answers.jsonl:3

    The same input gives the same bytes. Exit code 2 when the rubric or the row is wrong.
    """
    from genrm.compiler.compile import compile_sample, whole_rubric
    from genrm.errors import InputError
    from genrm.specs.load import load_rubric
    from genrm.specs.load_format import load_format

    spec = load_rubric(rubric)
    reader = _reader(model, style)
    sample = _placeholder(spec) if row is None else _row(row, field or [], input_format)
    whole = whole_rubric(spec, sample)
    if not whole.criteria:
        raise InputError(
            f"the rubric {spec.name!r} has no criteria of its own; give a row that has field 'criteria', --row FILE:N"
        )
    requests = compile_sample(
        spec,
        sample,
        capabilities=reader.capabilities,
        temperature=spec.vote.sampling_temperature(spec.vote.asked),
        format=None if format is None else load_format(format),
    )
    # Named as in an output row, where the criteria of a row do not count as the rubric's.
    report = {"rubric": f"{spec.name}@{spec.digest}", **_report(whole, sample, requests, reader)}
    if json_:
        import orjson

        typer.echo(orjson.dumps(report, option=orjson.OPT_INDENT_2))
    else:
        _show(report, placeholder=row is None)


@dataclass(frozen=True)
class _Reader:
    """Who will read: its abilities, and how its tokens are counted."""

    capabilities: Capabilities
    count: Callable[[str], int]
    counted_by: str


def _reader(model: str | None, style: str | None) -> _Reader:
    from genrm.engines.base import Capabilities
    from genrm.errors import Fault, SpecError

    def estimate(text: str) -> int:
        return -(-len(text.encode()) // BYTES_PER_TOKEN)

    guess = f"estimate, a token for {BYTES_PER_TOKEN} bytes"
    if model is None:
        if style not in (None, "full", "compact"):
            raise SpecError(
                Fault("unknown prompt style", field="--style", value=repr(style), fix="use full or compact")
            )
        if style == "compact":
            return _Reader(Capabilities(prompts="compact", joint=False), estimate, guess)
        return _Reader(Capabilities(), estimate, guess)
    if style is not None:
        raise SpecError("--style and --model exclude each other: a model has its own style. Fix: leave --style out")
    from genrm.judging import runtime

    engine = runtime.current().engine(model, {})
    if engine.count_tokens("") is None:
        return _Reader(engine.capabilities, estimate, guess)
    by = f"tokenizer of {engine.model}, chat template aside"
    return _Reader(engine.capabilities, lambda text: engine.count_tokens(text) or 0, by)


def _placeholder(rubric: Rubric) -> Sample:
    from genrm.specs.sample import Sample, Turn

    needs_reference = rubric.protocol == "verify"
    return Sample(
        response="[the response that is judged]",
        prompt=(Turn("user", "[the prompt that it answers]"),),
        reference=("[the reference answer]",) if needs_reference else (),
        id="placeholder",
    )


def _row(place: str, fields: list[str], format: str | None) -> Sample:
    """The sample in row N of FILE, read and mapped as ``genrm judge`` would.

    Raises:
        SpecError: the place is malformed or beyond the end.
        FileError: the file cannot be read.
        InputError: the row cannot be judged; the message names file and row.
    """
    from genrm.batch.fields import FieldMap
    from genrm.batch.readers import open_source
    from genrm.errors import Fault, InputError, SpecError
    from genrm.specs.sample import Sample

    name, colon, number = place.rpartition(":")
    if not (colon and name and number.isascii() and number.isdigit() and int(number) > 0):
        fix = "write FILE:N with N from 1, for example answers.jsonl:3"
        raise SpecError(Fault("names no row", field="--row", value=repr(place), fix=fix))
    wanted, last = int(number), 0
    mapping = FieldMap.parse(fields)
    for raw in open_source(name, format).rows():
        last = raw.line
        if last < wanted:
            continue
        if last > wanted:
            break
        try:
            if raw.row is None:
                raise raw.error or InputError("the row is empty")
            return Sample.from_row(mapping.apply(raw.row).row, default_id=number)
        except InputError as error:
            raise InputError(f"{name}:{number}: {error.message}") from None
    if last > wanted:
        raise SpecError(Fault("no row begins at this line", file=name, line=wanted, fix=f"the next one is {last}"))
    raise SpecError(
        Fault("there is no such row", field="--row", value=repr(place), fix=f"the last one is {name}:{last}")
    )


def _report(rubric: Rubric, sample: Sample, requests: list[JudgeRequest], reader: _Reader) -> dict[str, Any]:
    from genrm.compiler.neutral import neutralise
    from genrm.compiler.render import prompt_digest

    leaves = {leaf.id: leaf for leaf in rubric.leaves()}
    return {
        "prompt": prompt_digest(reader.capabilities.prompts),
        "style": reader.capabilities.prompts,
        "sample": neutralise(sample.id),
        "requests": [_request(request, leaves, reader) for request in requests],
        "checks": [leaf.id for leaf in leaves.values() if leaf.check is not None],
        "tokens_counted_by": reader.counted_by,
    }


def _request(request: JudgeRequest, leaves: dict[str, Any], reader: _Reader) -> dict[str, Any]:
    from genrm.compiler.output import Choice
    from genrm.compiler.render import all_text

    plan = request.output
    # A free output has no grammar; a verdict format reads it.
    free = plan.free is not None
    return {
        "messages": list(request.messages),
        "json_schema": None if free else plan.json_schema,
        "regex": None if free else plan.regex,
        "parts": [_part(part) for part in plan.parts],
        "slots": {
            part.slot: {
                label: {
                    "writes": body,
                    "value": leaves[part.slot].scale.value(label),
                    "score": leaves[part.slot].scale.score(label),
                }
                for label, body in zip(part.labels, part.bodies, strict=True)
            }
            for part in plan.parts
            if isinstance(part, Choice)
        },
        "temperature": request.temperature,
        "tokens": {"prompt": reader.count(all_text(request.messages)), "output_at_most": plan.max_tokens},
    }


def _part(part: Any) -> dict[str, Any]:
    from genrm.compiler.output import Choice, Free, Literal, Text, Thinking

    match part:
        case Literal(text):
            return {"literal": text}
        case Text(name, budget):
            return {"text": name, "max_tokens": budget}
        case Choice(slot, labels):
            return {"choice": slot, "labels": list(labels)}
        case Thinking(end, budget):
            return {"thinking_until": end, "max_tokens": budget}
        case Free(name, budget):
            return {"free": name, "max_tokens": budget}
    raise TypeError(f"no part of an output: {part!r}")


def _show(report: dict[str, Any], *, placeholder: bool) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    total = len(report["requests"])
    _block(
        console,
        "compiled",
        f"rubric   {report['rubric']}\nprompt   {report['prompt']} ({report['style']})\n"
        f"sample   {report['sample']}\nrequests {total}"
        + (f"\nchecks   {', '.join(report['checks'])} (code answers these, no judge)" if report["checks"] else ""),
    )
    for number, request in enumerate(report["requests"], 1):
        for message in request["messages"]:
            _block(console, f"request {number} of {total} · {message['role']} message", message["content"])
        _block(console, f"request {number} of {total} · what the judge may say", _may_say(request))
        tokens = request["tokens"]
        text = f"prompt {tokens['prompt']} ({report['tokens_counted_by']}), output at most {tokens['output_at_most']}"
        _block(console, f"request {number} of {total} · tokens", text)
    if placeholder:
        typer.echo(
            "The sample is a placeholder; --row FILE:N shows one of yours (context and reference appear where a row "
            "has them).",
            err=True,
        )


def _may_say(request: dict[str, Any]) -> str:
    import json

    lines = []
    for part in request["parts"]:
        match part:
            case {"literal": text}:
                lines.append(f"writes   {text}")
            case {"text": name, "max_tokens": budget}:
                lines.append(f"free     critique of {name}, at most {budget} tokens")
            case {"thinking_until": end, "max_tokens": budget}:
                lines.append(f"free     thinking up to {end}, at most {budget} tokens")
            case {"choice": slot}:
                labels = request["slots"][slot].items()
                values = ", ".join(f"{facts['writes']} = {facts['value']:g}" for _, facts in labels)
                lines.append(f"chooses  {slot}: {values}")
            case {"free": name, "max_tokens": budget}:
                lines.append(f"free     everything, at most {budget} tokens; read by the format {name}")
    if request["json_schema"] is None:
        return "\n".join(lines)
    schema = json.dumps(request["json_schema"], ensure_ascii=False)
    return "\n".join(lines) + f"\n\nJSON Schema: {schema}"


def _block(console: Console, title: str, text: str) -> None:
    """A panel on a terminal; a heading and the very text elsewhere, so that pipes lose and gain nothing."""
    if console.is_terminal:
        from rich.panel import Panel
        from rich.text import Text

        console.print(Panel(Text(text), title=Text(title), title_align="left"))
    else:
        typer.echo(f"--- {title} ---\n{text}\n")
