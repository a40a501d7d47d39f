"""``genrm judge`` from end to end, on the embedded judge, as a person or a program calls it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from genrm.cli import app
from genrm.errors import GenrmError
from genrm.resources import tiny_dir

pytestmark = pytest.mark.skipif(
    not (tiny_dir() / "model.safetensors").is_file(),
    reason="the weights of the embedded judge are not in this checkout",
)

ROWS = [
    {"id": "right", "prompt": "What is 12 + 30?", "response": "12 + 30 = 42. The answer is 42.", "reference": 42},
    {"id": "wrong", "prompt": "What is 12 + 30?", "response": "12 + 30 = 45. The answer is 45.", "reference": 42},
]
NOTICE = "demonstration judge"


@pytest.fixture
def rows_file(tmp_path):
    def write(rows, name="in.jsonl"):
        path = tmp_path / name
        path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
        return path

    return write


@pytest.fixture
def genrm():
    """Run in this process; errors raised on purpose get the exit code that ``main`` gives them."""

    def call(*arguments, input=None):
        result = CliRunner().invoke(app, ["judge", *map(str, arguments)], input=input)
        if isinstance(result.exception, GenrmError):
            result.exit_code, result.said = 2, str(result.exception)
        elif result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        else:
            result.said = result.stderr
        return result

    return call


def rows_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_rows_in_rows_out(genrm, rows_file, tmp_path):
    out = tmp_path / "out.jsonl"
    result = genrm(rows_file(ROWS), "-r", "math-verify", "-o", out)
    assert result.exit_code == 0, result.said
    assert result.stdout == ""
    right, wrong = rows_of(out)
    assert [row["id"] for row in (right, wrong)] == ["right", "wrong"]
    assert right["reward"] > wrong["reward"]
    assert right["criteria"]["correct"]["critique"]
    assert result.stderr.count(NOTICE) == 1
    assert result.stderr.rstrip().splitlines()[-1] == str(out)


def test_the_first_rows_are_shown_on_request(genrm, rows_file, tmp_path):
    result = genrm(rows_file(ROWS), "-r", "math-verify", "-o", tmp_path / "out.jsonl", "--show", 1)
    assert "critique" in result.stderr
    assert "right" in result.stderr
    assert "wrong" not in result.stderr


def test_the_summary_for_programs(genrm, rows_file, tmp_path):
    rows = [*ROWS, "not json", {"id": "right", "response": "x"}]
    result = genrm(rows_file(rows), "-r", "math-verify", "-o", tmp_path / "out.jsonl", "--json", "--no-progress")
    assert result.exit_code == 1
    summary = json.loads(result.stdout)
    assert (summary["rows"], summary["no_reward"], summary["errors"]) == (4, 2, {"bad_input": 2})
    assert summary["reward"]["n"] == 2


def test_the_same_command_twice_and_another_seed(genrm, rows_file, tmp_path):
    out = tmp_path / "out.jsonl"
    command = [rows_file(ROWS), "-r", "math-verify", "--votes", 2, "-o", out]
    genrm(*command)
    before = out.read_bytes()
    again = genrm(*command)
    assert again.exit_code == 0
    assert "2 rows are finished" in again.stderr
    assert out.read_bytes() == before
    refused = genrm(*command, "--seed", 1)
    assert refused.exit_code == 2
    assert re.search(r"seed: 0 → 1.*--restart", refused.said)
    assert "votes: 2 → 3" in genrm(*command[:-4], "--votes", 3, "-o", out).said
    rubric = genrm(command[0], "-r", "factual-correctness", "--votes", 2, "-o", out)
    assert "rubric: math-verify@sha256:" in rubric.said
    assert out.read_bytes() == before
    assert genrm(*command, "--seed", 1, "--restart").exit_code == 0
    assert {row["judge"]["seed"] for row in rows_of(out)} == {1}


def test_fields_formats_and_limits(genrm, tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("q,a,gold\nWhat is 1 + 1?,The answer is 2.,2\nWhat is 1 + 2?,The answer is 3.,3\n")
    out = tmp_path / "out.jsonl"
    options = ["--field", "prompt=q", "--field", "response=a", "--limit", 1, "--unordered"]
    result = genrm(path, "-r", "math-verify", *options, "-o", out)
    assert result.exit_code == 0, result.said
    assert [(row["id"], row["line"]) for row in rows_of(out)] == [("2", 2)]
    assert "taking reference from 'gold'" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.jsonl", "-r", "math-verify"], "there is no such file"),
        ([".", "-r", "math-verify"], "is a folder"),
        (["IN", "-r", "no-such-rubric"], "no-such-rubric"),
        (["IN", "-r", "math-verify", "-m", "gpt-nine"], "gpt-nine"),
        (["IN", "-r", "math-verify", "-o", "missing/out.jsonl"], "mkdir -p"),
        (["IN", "-r", "math-verify", "-o", "IN"], "same file"),
        (["IN", "-r", "math-verify", "--json"], "add -o OUT"),
        (["IN", "-r", "math-verify", "--field", "promt=x"], "promt"),
        (["IN", "-r", "math-verify", "--input-format", "xml"], "xml"),
        (["IN", "-r", "math-verify", "--retry-failed"], "needs the output file"),
        (["IN", "-r", "math-verify", "--restart", "--retry-failed", "-o", "IN"], "choose one"),
        (["EMPTY", "-r", "math-verify"], "no rows"),
    ],
)
def test_what_cannot_be_done_is_said_with_exit_code_2(genrm, rows_file, arguments, said):
    files = {"IN": str(rows_file(ROWS)), "EMPTY": str(rows_file(["", " "], "empty.jsonl"))}
    result = genrm(*(files.get(item, item) for item in arguments))
    assert result.exit_code == 2
    assert said in result.said


@pytest.mark.parametrize("option", [["--votes", "0"], ["--limit", "0"], ["--timeout", "-1"], ["--votes", "many"]])
def test_wrong_numbers(genrm, rows_file, option):
    assert genrm(rows_file(ROWS), "-r", "math-verify", *option).exit_code == 2


def test_help_has_an_example(genrm):
    result = genrm("--help")
    assert result.exit_code == 0
    assert "Example: genrm judge" in result.stdout


def command(*arguments):
    return [sys.executable, "-m", "genrm", "judge", *map(str, arguments)]


def test_a_pipe_in_and_a_pipe_out():
    text = "".join(json.dumps(row) + "\n" for row in ROWS)
    result = subprocess.run(command("-", "-r", "math-verify"), input=text, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == ["right", "wrong"]
    assert NOTICE in result.stderr


def test_errors_have_no_traceback():
    result = subprocess.run(command("nowhere.jsonl", "-r", "math-verify"), capture_output=True, text=True, timeout=60)
    assert result.returncode == 2
    assert result.stderr == "genrm: nowhere.jsonl: there is no such file\n"


@pytest.mark.full
def test_killed_and_interrupted_runs_come_out_the_same(rows_file, tmp_path):
    rows = [row | {"id": f"{row['id']}-{n}"} for n in range(12) for row in ROWS]
    path, whole, out = rows_file(rows), tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    options = ["-r", "math-verify", "--max-in-flight", 6]
    assert subprocess.run(command(path, *options, "-o", whole), capture_output=True, timeout=120).returncode == 0
    for number, target in ((signal.SIGKILL, 3), (signal.SIGINT, 9)):
        process = subprocess.Popen(command(path, *options, "-o", out), stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + 60
        while process.poll() is None and (not out.exists() or out.read_bytes().count(b"\n") < target):
            assert time.monotonic() < end
            time.sleep(0.005)
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
        assert process.returncode == {signal.SIGKILL: -9, signal.SIGINT: 130}[number], said
    assert "the same command goes on" in said
    assert out.read_bytes().count(b"\n") < len(rows)
    assert subprocess.run(command(path, *options, "-o", out), capture_output=True, timeout=120).returncode == 0
    assert out.read_bytes() == whole.read_bytes()


def test_a_reader_that_has_enough(rows_file):
    path = rows_file([row | {"id": f"{row['id']}-{n}"} for n in range(10) for row in ROWS])
    process = subprocess.Popen(
        command(path, "-r", "math-verify", "--max-in-flight", 2),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert json.loads(process.stdout.readline())["id"] == "right-0"
    process.stdout.close()
    said = process.stderr.read()
    assert process.wait(timeout=60) == 141
    assert "Traceback" not in said
    assert "Exception" not in said


def test_standard_streams_of_a_test_runner(genrm):
    text = "".join(json.dumps(row) + "\n" for row in ROWS)
    result = genrm("-", "-r", "math-verify", input=text)
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == ["right", "wrong"]
