"""``genrm judge`` with several judges, on the embedded one and its sibling."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from genrm.cli import app
from genrm.errors import GenrmError
from genrm.resources import tiny_dir

pytestmark = pytest.mark.skipif(
    not (tiny_dir() / "model.safetensors").is_file(),
    reason="the weights of the embedded judge are not in this checkout",
)

PAIR = ("-m", "tiny", "-m", "tiny:unhardened")


@pytest.fixture
def judge(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with open("in.jsonl", "w") as file:
        for number, said in enumerate((42, 45, 42)):
            row = {
                "prompt": "What is 12 + 30?",
                "response": f"12 + 30 = {said}. The answer is {said}.",
                "reference": 42,
            }
            file.write(json.dumps({"id": str(number), **row}) + "\n")

    def call(*arguments):
        result = CliRunner().invoke(app, ["judge", *arguments, "-r", "math-verify", "--no-progress"])
        if isinstance(result.exception, GenrmError):
            return 2, str(result.exception)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stderr

    return call


def rows(name):
    with open(name) as file:
        return [json.loads(line) for line in file]


def test_two_models_judge_and_their_rows_are_combined_again(judge):
    code, said = judge("in.jsonl", *PAIR, "--panel", "mean", "-o", "out.jsonl")
    assert code == 0
    assert "share the base model tiny" in said
    out = rows("out.jsonl")
    assert [[m["name"] for m in row["members"]] for row in out] == [["tiny", "tiny:unhardened"]] * 3
    assert [row["reward"] for row in out] == [1.0, 0.0, 1.0]
    assert out[0]["judge"]["panel"]["rule"] == "mean"
    code, _ = judge("--rescore", "out.jsonl", "-o", "same.jsonl")
    assert code == 0
    assert [row["criteria"] for row in rows("same.jsonl")] == [row["criteria"] for row in out]
    code, _ = judge("--rescore", "out.jsonl", "--panel", "dawid_skene", "-o", "new.jsonl")
    assert code == 0
    new = rows("new.jsonl")
    assert [row["criteria"]["correct"]["label"] for row in new] == ["yes", "no", "yes"]
    assert new[0]["judge"]["panel"]["rule"] == "dawid_skene"
    assert new[0]["line"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("in.jsonl", "--panel", "mean"), "repeat -m"),
        (("in.jsonl", *PAIR, "--panel", "most"), "'most'"),
        (("in.jsonl", *PAIR, "--panel", "dawid_skene"), "--rescore OUT --panel dawid_skene"),
        (("in.jsonl", *PAIR, "--panel-weights", "a,b"), "--panel-weights"),
        (("in.jsonl", *PAIR, "--panel-weights", "1,2,3"), "2 members"),
    ],
)
def test_faults(judge, arguments, message):
    code, said = judge(*arguments)
    assert code == 2
    assert message in said


def test_rows_that_no_member_has_seen_stay_as_they_are(judge):
    with open("in.jsonl") as file:
        text = file.read()
    with open("holes.jsonl", "w") as file:
        file.write("no JSON\n" + text.replace('"id": "', '"id": "row-'))
    assert judge("holes.jsonl", *PAIR, "-o", "out.jsonl")[0] == 1
    assert judge("--rescore", "out.jsonl", "--panel", "dawid_skene", "-o", "new.jsonl")[0] == 1
    assert rows("new.jsonl")[0] == rows("out.jsonl")[0]
    assert [row["reward"] is None for row in rows("new.jsonl")] == [True, False, False, False]


def test_a_rule_for_panels_on_the_rows_of_one_judge(judge):
    assert judge("in.jsonl", "-o", "one.jsonl")[0] == 0
    code, said = judge("--rescore", "one.jsonl", "--panel", "majority", "-o", "two.jsonl")
    assert code == 2
    assert "no output of a panel" in said
