"""``genrm judge --rescore`` from file to file, without a model."""

import json

import pytest
from typer.testing import CliRunner

from genrm.cli import app
from genrm.errors import FileError, SpecError

RUBRIC = {"name": "x", "criteria": [{"id": "a", "ask": "?"}, {"id": "b", "ask": "?", "weight": 3}]}


def row(number, a, b):
    results = {
        name: {"status": "ok", "label": label, "votes": [label], "critique": "c"}
        for name, label in (("a", a), ("b", b))
    }
    usage = {"requests": 2, "prompt_tokens": 9, "cached_tokens": 0, "completion_tokens": 4, "cost_usd": None}
    judge = {"engine": "e", "model": "m", "rubric": "old@sha256:0", "input": "i"}
    return {"id": str(number), "status": "ok", "criteria": results, "judge": judge, "usage": usage, "line": number}


@pytest.fixture
def rescore(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.json").write_text(json.dumps(RUBRIC))
    lines = [row(1, "yes", "yes"), row(2, "yes", "no"), row(3, "no", "yes")]
    (tmp_path / "out.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    def call(*arguments):
        result = CliRunner().invoke(app, ["judge", "--rescore", "out.jsonl", "-r", "r.json", *arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


def rewards(tmp_path, name="new.jsonl"):
    return [json.loads(line)["reward"] for line in (tmp_path / name).read_text().splitlines()]


def test_rewards_of_another_rubric(rescore, tmp_path):
    result = rescore("-o", "new.jsonl", "--json")
    assert result.exit_code == 0
    assert rewards(tmp_path) == [1.0, 0.25, 0.75]
    first = json.loads((tmp_path / "new.jsonl").read_text().splitlines()[0])
    assert first["judge"]["rescored"] == "old@sha256:0"
    assert first["judge"]["rubric"].startswith("x@sha256:")
    assert (first["line"], first["usage"]["requests"], first["judge"]["input"]) == (1, 2, "i")
    assert json.loads(result.stdout)["rows"] == 3
    assert [path.name for path in tmp_path.glob("*.part")] == []


def test_the_reward_may_come_from_the_command_line(rescore, tmp_path):
    assert rescore("-o", "new.jsonl", "--reward", "min").exit_code == 0
    assert rewards(tmp_path) == [1.0, 0.0, 0.0]
    with pytest.raises(FileError, match="--restart"):
        rescore("-o", "new.jsonl")
    rescore("-o", "new.jsonl", "--restart", "--reward", "{shape: {affine: {offset: -1}}}", "--limit", "2")
    assert rewards(tmp_path) == [0.0, -0.75]


def test_missing_criteria_leave_exit_code_1(rescore, tmp_path):
    more = RUBRIC | {"criteria": [*RUBRIC["criteria"], {"id": "c", "ask": "?"}]}
    (tmp_path / "r.json").write_text(json.dumps(more))
    assert rescore("-o", "new.jsonl").exit_code == 1
    assert rewards(tmp_path) == [None, None, None]


@pytest.mark.parametrize("line", ["{", '{"prompt": "x"}'])
def test_a_broken_line_is_named_and_nothing_is_left_behind(rescore, tmp_path, line):
    with (tmp_path / "out.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(FileError, match=r"out\.jsonl:4: "):
        rescore("-o", "new.jsonl")
    assert not list(tmp_path.glob("new*"))


def test_options_of_judging_have_no_meaning(rescore):
    with pytest.raises(SpecError, match="-m, --votes"):
        rescore("-o", "new.jsonl", "-m", "tiny", "--votes", "3")
