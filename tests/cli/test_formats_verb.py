"""``genrm formats``, and ``--format`` where judges write in a form of their own."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from genrm.cli import app
from genrm.errors import GenrmError

RUBRIC = {
    "name": "pair",
    "criteria": [
        {"id": "better", "ask": "Which is better?", "scale": [{"label": "A", "value": 1}, {"label": "B", "value": 0}]}
    ],
}
ROWS = [{"id": str(number), "response": f"A: {number}\nB: 0"} for number in range(4)]
RECORDS = [
    {"id": "0", "text": "The first one. [[A]]"},
    {"id": "1", "text": "It says [[A]]; no: [[B]]"},
    {"id": "2", "text": "It says [[A]]; no, it", "finish_reason": "length"},
]


@pytest.fixture
def genrm():
    def call(*arguments):
        result = CliRunner().invoke(app, list(map(str, arguments)))
        if isinstance(result.exception, GenrmError):
            result.exit_code, result.said = 2, str(result.exception)
        elif result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        else:
            result.said = result.stderr
        return result

    return call


@pytest.fixture
def files(tmp_path):
    (tmp_path / "rubric.json").write_text(json.dumps(RUBRIC))
    for name, lines in (("rows.jsonl", ROWS), ("records.jsonl", RECORDS)):
        (tmp_path / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def judge(genrm, files, *options, records="records.jsonl", rubric="rubric.json"):
    paths = ("-r", files / rubric, "-m", f"replay:{files / records}", "-o", files / "out.jsonl")
    return genrm("judge", files / "rows.jsonl", *paths, *options)


def test_recorded_outputs_of_another_judge_become_rows(genrm, files):
    result = judge(genrm, files, "--format", "mt-bench-pair")
    assert result.exit_code == 1, result.said
    rows = [json.loads(line) for line in (files / "out.jsonl").read_text().splitlines()]
    assert [row["reward"] for row in rows] == [1.0, 0.0, None, None]
    assert [row["error"] and row["error"]["category"] for row in rows] == [None, None, "truncated", "engine"]
    assert rows[1]["criteria"]["better"]["critique"] == "It says [[A]]; no:"
    assert rows[0]["judge"]["format"].startswith("mt-bench-pair@sha256:")
    assert rows[0]["judge"]["model"].startswith(f"{files / 'records.jsonl'}:")
    assert "records.jsonl" in rows[3]["error"]["message"]
    assert rows[3]["error"]["retryable"] is False


def test_a_run_is_not_continued_in_another_format(genrm, files):
    judge(genrm, files, "--format", "mt-bench-pair")
    own = files / "own.yaml"
    own.write_text("name: own\nverdict: {regex: '\\[\\[(?P<label>[AB])\\]\\]', match: first}\n")
    result = judge(genrm, files, "--format", own)
    assert result.exit_code == 2
    assert "format" in result.said
    again = judge(genrm, files, "--format", own, "--restart")
    assert again.exit_code == 1
    rows = [json.loads(line) for line in (files / "out.jsonl").read_text().splitlines()]
    assert rows[1]["reward"] == 1.0


def test_a_scale_or_a_judge_that_does_not_fit_is_told_before_any_row(genrm, files):
    assert "never says 'A' and 'B'" in judge(genrm, files, "--format", "yes-no").said
    assert "no such verdict format" in judge(genrm, files, "--format", "yes-or-no").said
    own = genrm("judge", files / "rows.jsonl", "-r", files / "rubric.json", "-m", "tiny", "--format", "mt-bench-pair")
    assert own.exit_code == 2
    assert "form of its own" in own.said
    rescored = genrm("judge", files / "out.jsonl", "-r", files / "rubric.json", "--rescore", "--format", "boxed")
    assert "--format" in rescored.said


def test_compile_shows_the_free_output(genrm, files):
    result = genrm("compile", files / "rubric.json", "--format", "mt-bench-pair")
    assert "everything, at most" in result.stdout
    assert "[[A]]" in result.stdout
    data = json.loads(genrm("compile", files / "rubric.json", "--format", "mt-bench-pair", "--json").stdout)
    [request] = data["requests"]
    assert request["json_schema"] is None
    assert request["parts"][0]["free"].startswith("mt-bench-pair@")


def test_formats_are_listed_shown_and_checked(genrm, tmp_path):
    listed = json.loads(genrm("formats", "list", "--json").stdout)
    assert {"arena-hard", "prometheus"} <= {row["name"] for row in listed}
    assert "[[A>>B]]" in genrm("formats", "list").stdout
    shown = genrm("formats", "show", "prometheus").stdout
    assert shown.startswith("name: prometheus")
    assert json.loads(genrm("formats", "show", "prometheus", "--json").stdout)["digest"].startswith("sha256:")
    assert "sound" in genrm("formats", "check", "prometheus").stdout
    own = tmp_path / "own.yaml"
    own.write_text("name: own\nverdict: {regex: '(?P<label>[AB])'}\nexamples:\n- {text: A, label: B}\n- {text: B}\n")
    result = genrm("formats", "check", own)
    assert result.exit_code == 2
    assert "examples[0]" in result.said
    assert "examples[1]" in result.said
    own.write_text("name: own\nverdict: {regex: '(?P<label>[AB])'}\n")
    assert "one with a label is needed" in genrm("formats", "check", own).said


def test_the_format_of_the_documentation_is_sound(genrm, tmp_path):
    page = Path(__file__).parents[2] / "docs" / "formats.md"
    (body,) = re.findall(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    own = tmp_path / "my-judge.yaml"
    own.write_text(body, encoding="utf-8")
    assert "sound" in genrm("formats", "check", own).stdout
