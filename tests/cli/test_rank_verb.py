import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from genrm.batch.ranking import RULES, pairs_of, rankings, scores_of
from genrm.cli import app
from genrm.errors import InputError
from genrm.voting import borda, bradley_terry, copeland, pairwise


def run(*words):
    return CliRunner().invoke(app, ["rank", *map(str, words)])


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def judged(id, reward, **scores):
    criteria = {name: {"status": "ok", "label": "x", "score": score} for name, score in scores.items()}
    return {"id": id, "status": "ok", "reward": reward, "criteria": criteria, "judge": {}, "usage": {}, "error": None}


def order(found, rule):
    return [(entry["candidate"], entry["rank"]) for entry in found["rules"][rule]["ranking"]]


def test_files_of_judged_rows_are_candidates_and_failed_rows_are_missing_cells(tmp_path):
    ours = write(tmp_path / "ours.jsonl", [judged("1", 0.9), judged("2", 0.4), judged("3", None)])
    theirs = write(tmp_path / "theirs.jsonl", [judged("1", 0.5), judged("2", 0.4), judged("3", 1.0)])
    found = json.loads(run(ours, theirs, "--json").stdout)
    assert (found["candidates"], found["voters"], found["missing"]) == (2, 3, 1)
    assert set(found["rules"]) == set(RULES)
    # One row won, one tied, and the third was never compared.
    assert order(found, "win_rate") == [("ours", 1), ("theirs", 2)]
    assert found["rules"]["win_rate"]["ranking"][0]["score"] == 0.75
    assert found["condorcet_winner"] == "ours"
    best = found["rules"]["bradley_terry"]["ranking"][0]
    assert best["low"] < best["score"] < best["high"]


def test_criteria_can_be_the_voters(tmp_path):
    a = write(tmp_path / "a.jsonl", [judged("1", 0.5, fact=1.0, style=0.0)])
    b = write(tmp_path / "b.jsonl", [judged("1", 0.5, fact=0.0, style=0.0)])
    found = json.loads(run(a, b, "--by", "criteria", "--json").stdout)
    assert found["voters"] == 2
    assert found["rules"]["copeland"]["ranking"][0]["candidate"] == "a"
    assert json.loads(run(a, b, "--json").stdout)["rules"]["copeland"]["ranking"][1]["rank"] == 1


def test_rows_of_one_file_are_candidates_and_criteria_their_voters(tmp_path):
    path = write(tmp_path / "out.jsonl", [judged("x", 1, a=1.0, b=0.5), judged("y", 0, a=0.2, b=None)])
    found = json.loads(run(path, "--rule", "borda", "--rule", "plurality", "--json").stdout)
    assert list(found["rules"]) == ["borda", "plurality"]
    assert order(found, "borda") == [("x", 1), ("y", 2)]
    assert found["missing"] == 1


def test_wide_and_long_tables_say_the_same(tmp_path):
    wide = tmp_path / "wide.csv"
    wide.write_text("judge,x,y,z\nj1,0.9,0.7,\nj2,0.2,0.3,0.1\n")
    cells = [("j1", "x", 0.9), ("j1", "y", 0.7), ("j1", "z", None)]
    cells += [("j2", "x", 0.2), ("j2", "y", 0.3), ("j2", "z", 0.1)]
    long = write(tmp_path / "l.jsonl", [{"judge": v, "candidate": c, "score": s} for v, c, s in cells])
    assert run(wide, "--json").stdout == run(long, "--json").stdout
    scores = np.array([[0.9, 0.7, np.nan], [0.2, 0.3, 0.1]])
    found = json.loads(run(wide, "--json").stdout)
    assert sorted(e["score"] for e in found["rules"]["borda"]["ranking"]) == sorted(borda(scores).score.round(6))


def test_results_of_pairs_with_ties_probabilities_and_counts(tmp_path):
    path = tmp_path / "games.csv"
    path.write_text("a,b,winner,p,count\nx,y,x,,3\ny,z,tie,,\nx,z,b,,\nz,y,,0.75,2\n")
    found = json.loads(run(path, "--json").stdout)
    assert found["results"] == 4
    assert set(found["left_out"]) == {"plurality", "borda", "dowdall", "elo"}
    assert found["condorcet_winner"] == "z"
    wins = np.array([[0, 3, 0], [0, 0, 0.5], [1, 1.5, 0]])
    ties = np.array([[0, 0, 0], [0, 0, 1], [0, 1, 0]])
    fit = bradley_terry(wins, ties)
    scores = {e["candidate"]: e["score"] for e in found["rules"]["bradley_terry"]["ranking"]}
    assert [scores[name] for name in "xyz"] == pytest.approx(fit.score, abs=1e-6)


def test_people_see_tables_and_programs_a_file(tmp_path):
    path = write(tmp_path / "g.jsonl", [{"a": "x", "b": "y", "winner": "x"}, {"a": "y", "b": "z", "winner": "a"}])
    shown = run(path, "-o", tmp_path / "ranking.json")
    assert shown.exit_code == 0
    assert "win_rate" in shown.stdout
    assert "borda left out" in shown.stderr
    assert json.loads((tmp_path / "ranking.json").read_text())["rules"]["minimax"]
    cyclic = write(tmp_path / "c.jsonl", [{"a": x, "b": y, "winner": "a"} for x, y in ("xy", "yz", "zx")])
    assert "cycles: 1 of 1" in run(cyclic).stderr


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"a": "x", "b": "y", "winner": "q"}], "tie is needed"),
        ([{"a": "x", "b": "x", "winner": "x"}], "with itself"),
        ([{"a": "x", "b": "y", "p": 1.5}], "probability"),
        ([{"a": "x", "b": "y", "winner": "x", "count": 0}], "above 0"),
        ([{"candidate": "x", "score": 1}], "names its candidate and its voter"),
        ([{"candidate": "x", "voter": "j", "score": "high"}], "'score': a number"),
        ([{"candidate": "x", "voter": "j", "score": 1}] * 2, "two scores"),
        ([{"candidate": "x", "voter": "j", "score": 1}], "nothing to rank"),
        ([{"text": "hello"}], "no table to rank"),
        ([judged("1", 0.1, a=0.5), {"id": 1}], "no output row"),
    ],
)
def test_faults_name_the_line_and_the_fix(tmp_path, rows, words):
    result = run(write(tmp_path / "in.jsonl", rows))
    assert result.exit_code != 0
    assert words in str(result.exception)


@pytest.mark.parametrize("flags", [("--rule", "bord"), ("--by", "rows"), ("--tie-model", "none")])
def test_unknown_settings_are_refused(tmp_path, flags):
    assert "--" in str(run(write(tmp_path / "in.jsonl", [{"a": "x", "b": "y", "winner": "x"}]), *flags).exception)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.one_of(st.none(), st.integers(0, 3)), min_size=3, max_size=3), min_size=1, max_size=5))
def test_the_command_says_what_the_functions_say(rows):
    table = scores_of((str(v), "xyz"[c], s) for v, row in enumerate(rows) for c, s in enumerate(row))
    scores = np.array([[math.nan if s is None else s for s in row] for row in rows], dtype=float)
    found = rankings(table, ["borda", "copeland"])
    pairs = pairwise(scores)
    for name, own in (("borda", borda(scores)), ("copeland", copeland(pairs.wins, pairs.ties))):
        said = {e["candidate"]: (e["rank"] or 0) for e in found["rules"][name]["ranking"]}
        assert [said[c] for c in "xyz"] == own.rank.tolist()


def test_too_many_comparisons_are_refused_before_memory_is():
    with pytest.raises(InputError, match="more comparisons"):
        scores_of(("v", str(i), 0.5) for i in range(10_001))
    with pytest.raises(InputError, match="nothing to rank"):
        pairs_of([])
