"""Processes killed while they judge: nothing is lost, nothing doubled, the file comes out the same."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

ROWS = 240


@pytest.fixture
def input_file(write_rows):
    rows = [{"id": f"r{n}", "response": "a" * (n % 9 + 1) + "b" * (n % 4 + 1)} for n in range(ROWS)]
    rows[17] = b"broken"
    rows[100] = {"id": "r99", "response": "a duplicate"}
    rows[201] = {"id": "r201", "response": "timeout"}
    return write_rows(rows)


@pytest.fixture
def start(scripted_program):
    def call(*arguments):
        command = [sys.executable, str(scripted_program), *map(str, arguments)]
        return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)

    return call


def wait_for_rows(process, path: Path, rows: int, *, timeout_s: float = 30.0) -> None:
    """Until the file has so many rows, or the process has ended."""
    end = time.monotonic() + timeout_s
    while process.poll() is None and (not path.exists() or path.read_bytes().count(b"\n") < rows):
        assert time.monotonic() < end, f"no {rows} rows in {path}"
        time.sleep(0.002)


@pytest.mark.parametrize("unordered", [False, True])
def test_killed_at_many_points(start, input_file, tmp_path, unordered):
    flags = ["--unordered"] if unordered else []
    whole, out = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    assert start(input_file, whole).wait(60) == 1
    chance = random.Random(7)
    kills = 0
    for target in range(20, ROWS, 28):
        process = start(input_file, out, "--delay", 0.02, *flags)
        wait_for_rows(process, out, target)
        time.sleep(chance.random() * 0.01)
        kills += process.poll() is None
        process.kill()
        process.communicate()
    assert kills >= 7
    before = out.read_bytes()
    out.write_bytes(before[: len(before) - chance.randrange(5, 60)])
    assert start(input_file, out, *flags).wait(60) == 1
    if unordered:
        assert sorted(out.read_bytes().splitlines()) == sorted(whole.read_bytes().splitlines())
    else:
        assert out.read_bytes() == whole.read_bytes()
    judged = Counter((tmp_path / "out.jsonl.judged").read_text().split())
    # Judged twice is only what was under way at a kill (8 in flight and, in order, 32 waiting behind a slow one).
    assert sum(judged.values()) - len(judged) <= (kills + 1) * (8 if unordered else 32) + 2
    assert len(judged) == ROWS - 2


def test_killed_while_trying_again(start, write_rows, tmp_path):
    path = write_rows([{"id": f"t{n}", "response": "timeout" if n % 2 else "ab"} for n in range(240)])
    out = tmp_path / "out.jsonl"
    assert start(path, out).wait(60) == 1
    old = out.read_bytes()
    for target in (10, 30, 50):
        process = start(path, out, "--retry", "--delay", 0.05)
        wait_for_rows(process, tmp_path / "out.jsonl.retry", target)
        process.kill()
        process.communicate()
        assert out.read_bytes() == old
    assert start(path, out, "--retry").wait(60) == 0
    rows = [json.loads(line) for line in out.read_bytes().splitlines()]
    assert [row["line"] for row in rows] == list(range(1, 241))
    assert {row["status"] for row in rows} == {"ok"}
    assert sorted(file.name for file in tmp_path.glob("out.jsonl*")) == [
        "out.jsonl",
        "out.jsonl.judged",
        "out.jsonl.run.json",
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_in_order(start, input_file, tmp_path, number):
    out = tmp_path / "out.jsonl"
    process = start(input_file, out, "--delay", 0.05)
    wait_for_rows(process, out, 30)
    process.send_signal(number)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in said
    rows = out.read_bytes()
    assert rows.endswith(b"\n")
    assert 30 <= rows.count(b"\n") < ROWS
    assert start(input_file, out).wait(60) == 1
    assert out.read_bytes().startswith(rows)
    assert out.read_bytes().count(b"\n") == ROWS


def test_an_interrupt_while_waiting_for_a_pipe(scripted_program, tmp_path):
    out = tmp_path / "out.jsonl"
    reader, writer = os.pipe()
    command = [sys.executable, str(scripted_program), "-", str(out)]
    process = subprocess.Popen(command, stdin=reader, stderr=subprocess.PIPE, text=True)
    os.close(reader)
    os.write(writer, b'{"response": "ab"}\n{"response": "a"}\n')
    wait_for_rows(process, out, 2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    os.close(writer)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert "Fatal" not in said
    assert out.read_bytes().count(b"\n") == 2
