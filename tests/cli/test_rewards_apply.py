"""``genrm rewards apply`` and ``concentration``, from file to file, without a model."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from genrm.cli import app
from genrm.errors import FileError, SpecError

RUBRIC = {
    "name": "x",
    "criteria": [{"id": "a", "ask": "?", "score": "expected"}, {"id": "rude", "ask": "?", "weight": -1}],
}


def result(yes):
    label = "yes" if yes > 0.5 else "no"
    return {"status": "ok", "label": label, "votes": [label], "critique": "c", "p": {"no": 1 - yes, "yes": yes}}


def row(number, yes):
    usage = {"requests": 2, "prompt_tokens": 9, "cached_tokens": 0, "completion_tokens": 4, "cost_usd": None}
    judge = {"engine": "e", "model": "m", "rubric": "old@sha256:0", "input": "i"}
    criteria = {} if yes is None else {"a": result(yes), "rude": result(0.0)}
    error = {"category": "timeout", "message": "late", "retryable": True} if yes is None else None
    status = "failed" if yes is None else "ok"
    judged = {"id": str(number), "status": status, "criteria": criteria, "judge": judge, "usage": usage}
    return judged | {"line": number, "error": error}


def write(path, rows):
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))


@pytest.fixture
def apply(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "out.jsonl", [row(1, 0.9), row(2, 0.2), row(3, None), row(4, 0.6), row(5, 0.4)])
    write(tmp_path / "in.jsonl", [{"prompt": p, "base": [0.5]} for p in "ppqqp"])

    def call(reward, *arguments, verb="apply"):
        (tmp_path / "r.json").write_text(json.dumps(RUBRIC | {"reward": reward}))
        found = CliRunner().invoke(app, ["rewards", verb, "out.jsonl", "-r", "r.json", *arguments])
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            raise found.exception
        return found

    return call


def rewards(path="new.jsonl"):
    with open(path) as file:
        return [json.loads(line)["reward"] for line in file]


def test_groups_by_prompt_and_failed_rows_stay_failed(apply, tmp_path):
    found = apply({"shape": "group_rank"}, "--input", "in.jsonl", "-o", "new.jsonl", "--json")
    assert found.exit_code == 1
    # The only row of its prompt that was judged has nobody to be compared with.
    assert rewards() == [1.0, 0.0, None, None, 0.5]
    first, _, third = (json.loads(line) for line in (tmp_path / "new.jsonl").read_text().splitlines()[:3])
    assert first["reward_parts"] == {"aggregate": "weighted_mean", "score": 0.95, "shape": "group_rank"}
    assert first["reward_std"] is None
    assert (third["status"], third["error"]["category"]) == ("failed", "timeout")
    assert json.loads(found.stdout)["no_reward"] == 2


def test_references_criteria_and_the_command_line(apply):
    apply({"shape": "contrastive", "inputs": {"reference": "base"}}, "--input", "in.jsonl", "-o", "new.jsonl")
    assert rewards()[0] == pytest.approx(0.45)
    apply({}, "--reward", "{shape: multi_objective}", "--input", "in.jsonl", "-o", "many.jsonl", "--limit", "2")
    first, second = rewards("many.jsonl")
    assert first == pytest.approx(-second)
    assert first > 0
    apply({"shape": "affine"}, "-o", "plain.jsonl")
    assert rewards("plain.jsonl")[0] == 0.95


def test_outcomes_may_come_from_a_criterion_of_the_row(apply):
    reward = {"shape": "stratified", "inputs": {"outcome": "criteria.a.score"}}
    apply(reward, "--input", "in.jsonl", "-o", "new.jsonl")
    found = rewards()
    assert found[0] > 0.8 > found[1]


def test_faults_name_file_line_and_field(apply):
    with pytest.raises(FileError, match=r"out.jsonl:1: .*'reference_rewards'"):
        apply({"shape": "par"}, "-o", "new.jsonl")
    with pytest.raises(FileError, match="'prompt'"):
        apply({"shape": "group_std"}, "-o", "new.jsonl")
    with pytest.raises(SpecError, match="-o NEW"):
        apply({}, "--json")


def test_rescoring_points_to_the_verb(apply):
    apply({}, "-o", "x.jsonl")
    found = CliRunner().invoke(
        app, ["judge", "--rescore", "out.jsonl", "-r", "r.json", "--reward", "{shape: group_std}"]
    )
    assert "genrm rewards apply" in str(found.exception)


def test_the_concentration_of_stored_votes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    votes = rng.beta(*(30 * np.stack([m := rng.uniform(0.2, 0.8, 80), 1 - m]))[..., None], (80, 4))
    write(
        tmp_path / "v.jsonl",
        [{"criteria": {"a": {"votes_p": [{"no": 1 - y, "yes": y} for y in one]}}} for one in votes],
    )
    found = CliRunner().invoke(app, ["rewards", "concentration", "v.jsonl", "--json"])
    one = json.loads(found.stdout)["a"]
    assert one["n"] == 80
    assert one["low"] < one["concentration"] < one["high"]
    assert one["concentration"] == pytest.approx(30, rel=0.3)
    assert "a: " in CliRunner().invoke(app, ["rewards", "concentration", "v.jsonl"]).stdout
    write(tmp_path / "none.jsonl", [{"criteria": {"a": {}}}])
    assert "--votes 4" in str(CliRunner().invoke(app, ["rewards", "concentration", "none.jsonl"]).exception)
