"""Cost per row and memory of ``genrm judge`` on files of 1,000, 10,000 and 100,000 rows, on a mock server.

    python benchmarks/scale.py [--rows 1000 10000 100000] [--rounds 3]

Each size is a run of the command line in a process of its own: rows are read, asked over HTTP, voted, journalled and
written. Starting the program costs the same for every file, so a run on ten rows is taken off before CPU and wall time
are divided by the rows. Memory is the largest resident set of the process. Goals: the cost of a row within 10 %
between 1,000 and 100,000 rows, and no memory that grows with them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from client_overhead import RUBRIC, row_of
from mock_server import MODEL, running

START = 10
"""Rows of the run whose cost counts as that of starting."""


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU seconds (user and system), wall seconds and peak resident memory in MiB of one run."""

    cpu_s: float
    wall_s: float
    peak_mb: float


def judge(folder: Path, address: str, count: int) -> Spent:
    """One run of ``genrm judge``. Raises RuntimeError when a row has no reward."""
    source, output, rubric = folder / f"{count}.jsonl", folder / f"{count}.out.jsonl", folder / "rubric.json"
    rubric.write_text(json.dumps(RUBRIC))
    with source.open("w") as file:
        # One at a time: a child's peak memory counts what its parent held when it was started.
        file.writelines(json.dumps(row_of(number)) + "\n" for number in range(count))
    command = [sys.executable, "-m", "genrm", "judge", str(source), "-r", str(rubric), "-m", f"{address}/v1#{MODEL}"]
    began = time.monotonic()
    process = subprocess.Popen([*command, "-o", str(output)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - began
    with output.open() as file:
        lines = sum(1 for _ in file)
    if process.returncode or lines != count:
        raise RuntimeError(f"{count} rows: exit code {process.returncode}, {lines} rows came out")
    return Spent(usage.ru_utime + usage.ru_stime, wall, _megabytes(usage))


def _megabytes(usage: resource.struct_rusage) -> float:
    # Bytes on macOS, kibibytes on Linux.
    return usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, nargs="+", default=[1000, 10_000, 100_000])
    options.add_argument("--rounds", type=int, default=3, help="for files below 100,000 rows; the median counts")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, running("--port", "0") as address:
        judge(Path(folder), address, START)
        start = _middle([judge(Path(folder), address, START) for _ in range(given.rounds)])
        print(f"start: {start.cpu_s:.2f} s of CPU, {start.wall_s:.2f} s, {start.peak_mb:.0f} MiB")
        print(f"{'rows':>8} {'CPU us/row':>11} {'wall us/row':>12} {'peak MiB':>9}")
        for count in given.rows:
            rounds = given.rounds if count < 100_000 else 1
            spent = _middle([judge(Path(folder), address, count) for _ in range(rounds)])
            cpu, wall = ((one - base) / (count - START) * 1e6 for one, base in _pairs(spent, start))
            print(f"{count:8,} {cpu:11.0f} {wall:12.0f} {spent.peak_mb:9.0f}", flush=True)


def _middle(found: list[Spent]) -> Spent:
    """The run with the median CPU time."""
    return sorted(found, key=lambda spent: spent.cpu_s)[len(found) // 2]


def _pairs(spent: Spent, start: Spent) -> tuple[tuple[float, float], tuple[float, float]]:
    return (spent.cpu_s, start.cpu_s), (spent.wall_s, start.wall_s)


if __name__ == "__main__":
    main()
