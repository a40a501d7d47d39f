"""Whole runs of the real command line against a server that breaks: nothing made up, nothing lost, nothing twice."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faulty_server import FAULTS, SURE, FaultyServer, fate_of, label_of

ROOT = Path(__file__).parents[2]
LABELS = ["no", "yes"]


@pytest.fixture
def server():
    with FaultyServer() as running:
        yield running


@pytest.fixture
def command(tmp_path, server):
    """Writes the input and gives the command line."""

    def make(rows, *more):
        (tmp_path / "rubric.json").write_text(
            json.dumps({"name": "q", "criteria": [{"id": "good", "ask": "Is it good?"}]})
        )
        with (tmp_path / "in.jsonl").open("w") as file:
            for row in range(rows):
                print(json.dumps({"id": f"r{row}", "prompt": "Say it.", "response": f"row-{row} text"}), file=file)
        words = [sys.executable, "-m", "genrm", "judge", "in.jsonl", "-r", "rubric.json", "-m", server.url]
        return [*words, "-o", "out.jsonl", "--no-progress", *more]

    return make


def environment():
    return os.environ | {"PYTHONPATH": str(ROOT)}


def run(words, folder):
    return subprocess.run(words, cwd=folder, env=environment(), capture_output=True, text=True, timeout=1500)


def killed_at_random(words, folder, times, rows, seed=0):
    """Run, kill without warning, run again; at the end once to the end. The number of kills that hit."""
    chance, hits = random.Random(seed), 0
    for _ in range(times):
        process = subprocess.Popen(words, cwd=folder, env=environment(), stderr=subprocess.DEVNULL)
        goal = chance.uniform(0.02, 0.9) * rows
        while process.poll() is None and written(folder) < goal:
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.5))
        if process.poll() is None:
            hits += 1
            process.send_signal(signal.SIGKILL)
        process.wait()
    return hits


def written(folder):
    path = folder / "out.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def check(folder, rows):
    """Every row is there once, and says what the rule says, or fails as it must."""
    found = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    assert sorted(row["id"] for row in found) == sorted(f"r{row}" for row in range(rows))
    wrong = []
    for item in found:
        row = int(item["id"][1:])
        fate = fate_of(row)
        if fate is not None:
            good = item["status"] == "failed" and item["reward"] is None and item["error"]["category"] == fate
        else:
            label = label_of(row, LABELS)
            result = item["criteria"]["good"]
            good = item["status"] == "ok" and item["reward"] == LABELS.index(label) and result["label"] == label
            good = good and result["p"][label] == pytest.approx(SURE)
        if not good:
            wrong.append((item["id"], fate, item["reward"], item["error"]))
    assert not wrong, f"{len(wrong)} rows are wrong: {wrong[:5]}"


BRISK = ("--engine-arg", "attempt_timeout=3", "--max-in-flight", "256")


def test_a_mix_of_all_faults_changes_no_verdict(server, command, tmp_path):
    server.share, server.fates = 0.01, True
    server.mix = tuple(fault for fault in FAULTS if fault not in ("hang", "drip"))
    done = run(command(300, *BRISK), tmp_path)
    assert done.returncode == 1, done.stderr  # some rows are refused for good
    assert sum(server.counts[fault] for fault in server.mix) > 20
    check(tmp_path, 300)


@pytest.mark.full
@pytest.mark.parametrize("ordered", [True, False])
def test_two_thousand_rows_with_one_in_a_hundred_of_every_fault(server, command, tmp_path, ordered):
    server.share, server.fates = 0.01, True
    done = run(command(2000, *BRISK, *([] if ordered else ["--unordered"])), tmp_path)
    assert done.returncode == 1, done.stderr
    assert set(FAULTS) <= set(server.counts)
    check(tmp_path, 2000)


@pytest.mark.full
def test_twenty_thousand_rows_killed_at_random_moments_with_one_in_a_hundred_of_every_fault(server, command, tmp_path):
    server.share, server.fates = 0.01, True
    words = command(20_000, *BRISK, "--unordered")
    assert killed_at_random(words, tmp_path, 4, 20_000) >= 3
    done = run(words, tmp_path)
    assert done.returncode == 1, done.stderr
    assert min(server.counts[fault] for fault in FAULTS) > 100
    check(tmp_path, 20_000)


@pytest.mark.full
def test_a_run_that_is_killed_goes_on_to_the_same_rows(server, command, tmp_path):
    server.share, server.fates, server.delay_s = 0.01, True, 0.02
    words = command(1500, *BRISK)
    assert killed_at_random(words, tmp_path, 5, 1500) >= 3
    done = run(words, tmp_path)
    assert done.returncode == 1, done.stderr
    check(tmp_path, 1500)


QUITS = ("--engine-arg", "patience=2", "--engine-arg", "tries=3", "--engine-arg", "attempt_timeout=2")


@pytest.mark.full
@pytest.mark.parametrize("mode", ["down", "hang", "unauthorized"])
def test_a_server_that_goes_away_ends_the_run_and_fails_no_row(server, command, tmp_path, mode):
    server.delay_s = 0.01
    words = command(600, *QUITS, "--timeout", "2", "--max-in-flight", "16")
    process = subprocess.Popen(words, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True)
    while written(tmp_path) < 50 and process.poll() is None:
        time.sleep(0.01)
    server.mode = mode
    _, said = process.communicate(timeout=300)
    assert process.returncode == 130, said
    assert "every call to" in said
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert 50 <= len(rows) < 600
    assert {row["status"] for row in rows} == {"ok"}
    server.mode = None
    done = run(words, tmp_path)
    assert done.returncode == 0, done.stderr
    check_all_ok(tmp_path, 600)


def check_all_ok(folder, rows):
    found = [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]
    assert [row["id"] for row in found] == [f"r{row}" for row in range(rows)]
    assert [row["reward"] for row in found] == [LABELS.index(label_of(row, LABELS)) for row in range(rows)]


@pytest.mark.full
def test_a_run_waits_for_a_server_that_comes_back(server, command, tmp_path):
    server.delay_s = 0.01
    words = command(600, "--engine-arg", "tries=3", "--max-in-flight", "16")
    process = subprocess.Popen(words, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True)
    while written(tmp_path) < 50 and process.poll() is None:
        time.sleep(0.01)
    server.mode = "down"
    time.sleep(12)
    server.mode = None
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert "fails every call" in said
    assert "answers again" in said
    check_all_ok(tmp_path, 600)


def test_a_dead_server_is_said_before_anything_is_written(server, command, tmp_path):
    words = command(5)
    server.stop()
    done = run(words, tmp_path)
    assert done.returncode == 2
    assert "no connection" in done.stderr
    assert not (tmp_path / "out.jsonl").exists()


def test_the_key_is_in_no_output(server, command, tmp_path):
    secret = "sk-very-secret-0123456789"
    server.key = secret
    words = command(5, "--api-key-env", "A_KEY", "--json")
    given = environment() | {"A_KEY": secret}
    done = subprocess.run(words, cwd=tmp_path, env=given, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    files = [path.read_text() for path in tmp_path.iterdir() if path.is_file()]
    assert not [text for text in [done.stdout, done.stderr, *files] if secret in text]
