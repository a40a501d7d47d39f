"""``genrm compile``: what people and programs see of a compiled request, and every way to ask for too much."""

import json
from types import SimpleNamespace

import jsonschema
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from genrm.cli import compile as verb
from genrm.engines.base import Capabilities
from genrm.errors import FileError, GenrmError, InputError, SpecError
from genrm.judging import runtime

RUBRIC = """\
name: tone
criteria:
  - id: polite
    ask: Is it polite?
    scale: [{label: rude, value: -1}, {label: "so \\"so\\"", value: 0}, {label: kind, value: 3}]
  - id: brief
    check: {length: {unit: words, max: 9}}
"""
ROWS = [
    '{"id": "first", "prompt": "Hi?", "response": "Hello {{ x }} [bold]there[/bold]"}',
    '{"question": "Hi?", "answer": {"text": "Hm."}, "reference": 4}',
    "{broken",
    '{"prompt": "no response"}',
    "",
    '{"prompt": "Hi?", "response": "Last."}',
]

app = typer.Typer()
app.command()(verb.compile_)


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def shown(*words):
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result.stdout


def report(*words):
    return json.loads(shown(*words, "--json"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "tone.yaml").write_text(RUBRIC)
    (tmp_path / "rows.jsonl").write_text("\n".join(ROWS) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_json_says_all_that_a_judge_reads_and_may_say(folder):
    data = report("tone.yaml", "--row", "rows.jsonl:1")
    assert data["rubric"].startswith("tone@sha256:")
    assert (data["style"], data["sample"], data["checks"]) == ("full", "first", ["brief"])
    assert data["prompt"].startswith("sha256:")
    (request,) = data["requests"]
    assert [message["role"] for message in request["messages"]] == ["system", "user"]
    assert "Hello {{ x }} [bold]there[/bold]" in request["messages"][1]["content"]
    assert request["slots"]["polite"] == {
        "rude": {"writes": "rude", "value": -1.0, "score": 0.0},
        'so "so"': {"writes": 'so \\"so\\"', "value": 0.0, "score": 0.25},
        "kind": {"writes": "kind", "value": 3.0, "score": 1.0},
    }
    jsonschema.validate({"critique": "x", "label": 'so "so"'}, request["json_schema"])
    assert request["parts"][1] == {"text": "polite", "max_tokens": 256}
    size = sum(len(message["content"].encode()) for message in request["messages"]) + 1
    assert request["tokens"]["prompt"] == -(-size // 4)
    assert data["tokens_counted_by"] == "estimate, a token for 4 bytes"


def test_same_input_same_bytes(folder):
    assert shown("tone.yaml", "--row", "rows.jsonl:1", "--json") == shown(
        "tone.yaml", "--row", "rows.jsonl:1", "--json"
    )
    assert shown("tone.yaml") == shown("tone.yaml")


def test_piped_output_holds_the_very_text(folder):
    text = shown("tone.yaml", "--row", "rows.jsonl:1")
    (request,) = report("tone.yaml", "--row", "rows.jsonl:1")["requests"]
    for message in request["messages"]:
        assert f"--- request 1 of 1 · {message['role']} message ---\n{message['content']}\n" in text
    assert 'chooses  polite: rude = -1, so \\"so\\" = 0, kind = 3' in text
    assert "brief (code answers these, no judge)" in text
    assert f"JSON Schema: {json.dumps(request['json_schema'])}" in text
    assert "\x1b" not in text


def test_on_a_terminal_there_are_panels(folder, capsys):
    console = Console(force_terminal=True, width=60, color_system=None)
    verb._block(console, "a [b]title[/b]", "some [bold]text[/bold] {{ x }}")
    text = capsys.readouterr().out
    assert "╭─ a [b]title[/b]" in text
    assert "some [bold]text[/bold] {{ x }}" in text


def test_without_a_row_the_sample_is_a_visible_placeholder(folder):
    result = run("tone.yaml")
    assert "[the response that is judged]" in result.stdout
    assert "The sample is a placeholder" in result.stderr
    assert "reference" not in result.stdout.partition("user message ---")[2]
    data = report("math-verify")
    assert "[the reference answer]" in data["requests"][0]["messages"][1]["content"]


def test_fields_are_mapped_as_when_judging(folder):
    data = report("tone.yaml", "--row", "rows.jsonl:2", "--field", "response=answer.text", "--style", "compact")
    assert data["requests"][0]["messages"] == [{"role": "user", "content": "<|criterion|>Is it polite?<|response|>Hm."}]
    assert (data["sample"], data["style"]) == ("2", "compact")
    assert data["prompt"] != report("tone.yaml")["prompt"]


def test_rows_are_counted_by_line(folder):
    assert report("tone.yaml", "--row", "rows.jsonl:6")["sample"] == "6"


def test_the_format_can_be_said(folder):
    (folder / "rows.data").write_text(ROWS[0])
    assert "add --format" in str(run("tone.yaml", "--row", "rows.data:1").exception)
    assert report("tone.yaml", "--row", "rows.data:1", "--input-format", "jsonl")["sample"] == "first"


def test_thinking_is_shown(folder):
    (folder / "thinker.yaml").write_text(RUBRIC + "think: true\nthink_tokens: 77\n")
    assert "free     thinking up to </think>, at most 77 tokens" in shown("thinker.yaml")


def test_a_rubric_of_checks_asks_no_judge(folder):
    (folder / "checks.yaml").write_text("name: c\ncriteria: [{id: a, check: {contains: {any: [x]}}}]\n")
    data = report("checks.yaml")
    assert (data["requests"], data["checks"]) == ([], ["a"])


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        (["--row", "rows.jsonl"], SpecError, "write FILE:N"),
        (["--row", "rows.jsonl:0"], SpecError, "with N from 1"),
        (["--row", "rows.jsonl:x"], SpecError, "write FILE:N"),
        (["--row", ":1"], SpecError, "write FILE:N"),
        (["--row", "rows.jsonl:99"], SpecError, "the last one is rows.jsonl:6"),
        (["--row", "nowhere.jsonl:1"], FileError, "nowhere.jsonl: there is no such file"),
        (["--row", "rows.jsonl:3"], InputError, "rows.jsonl:3: not valid JSON"),
        (["--row", "rows.jsonl:4"], InputError, "rows.jsonl:4: field 'response' is missing"),
        (["--row", "rows.jsonl:5"], InputError, "rows.jsonl:5: "),
        (["--row", "rows.jsonl:1", "--field", "response=nope"], InputError, "this row has no 'nope'"),
        (["--row", "rows.jsonl:1", "--field", "nope"], SpecError, "NAME=PATH"),
        (["--style", "loud"], SpecError, "use full or compact"),
        (["--style", "full", "--model", "tiny"], SpecError, "exclude each other"),
    ],
)
def test_what_is_wrong_is_said(folder, words, kind, message):
    result = run("tone.yaml", *words)
    assert isinstance(result.exception, kind)
    assert isinstance(result.exception, GenrmError)
    assert message in str(result.exception)
    assert result.stdout == ""


def test_a_verify_rubric_wants_a_row_with_a_reference(folder):
    result = run("math-verify", "--row", "rows.jsonl:1")
    assert isinstance(result.exception, InputError)
    assert "field 'reference' is missing" in str(result.exception)


def test_a_rubric_that_waits_for_criteria_of_rows_says_so(folder):
    (folder / "bare.yaml").write_text("name: bare\n")
    (folder / "own.jsonl").write_text('{"response": "R", "criteria": ["Is it short?"]}\n')
    result = run("bare.yaml")
    assert "no criteria of its own" in str(result.exception)
    assert list(report("bare.yaml", "--row", "own.jsonl:1")["requests"][0]["slots"]) == ["c1"]


def test_errors_leave_with_2(folder, monkeypatch, capsys):
    from genrm.cli import main

    monkeypatch.setattr("sys.argv", ["genrm", "compile", "tone.yaml", "--row", "rows.jsonl:99"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("genrm: --row: there is no such row")


@pytest.mark.parametrize("counts", [True, False])
def test_a_model_brings_its_style_its_control_tokens_and_its_tokenizer(folder, monkeypatch, counts):
    engine = SimpleNamespace(
        model="small",
        capabilities=Capabilities(prompts="compact", joint=False, control_tokens=frozenset({"Hello"})),
        count_tokens=lambda text: len(text.split()) if counts else None,
    )
    opened = []
    monkeypatch.setattr(runtime.Runtime, "engine", lambda self, model, options: opened.append(model) or engine)
    data = report("tone.yaml", "--row", "rows.jsonl:1", "--model", "hf:small")
    (request,) = data["requests"]
    assert opened == ["hf:small"]
    assert (
        request["messages"][0]["content"] == "<|criterion|>Is it polite?<|response|>H·ello {{ x }} [bold]there[/bold]"
    )
    assert request["tokens"]["prompt"] == (7 if counts else 18)
    assert ("tokenizer of small" in data["tokens_counted_by"]) is counts


def test_the_rubric_is_named_as_in_output_rows_whatever_the_row_brings(folder):
    row = {"response": "Hm.", "id": "a\ud800\x1b[2J", "criteria": ["Is it short?"]}
    (folder / "own.jsonl").write_text(json.dumps(row) + "\n")
    data = report("tone.yaml", "--row", "own.jsonl:1")
    assert data["rubric"] == report("tone.yaml")["rubric"]
    assert list(data["requests"][0]["slots"]) == ["polite", "c1"]
    assert data["sample"] == "a\ufffd␛[2J"
