"""Client CPU of a judgment by genrm and by other judge packages, each as it ships, on the same mock server.

    python benchmarks/peers.py [--build] [--rows 500] [--rounds 3] [--concurrency 32]

Every package runs in an environment of its own under ``out/peers``, with the versions pinned in ``peers/NAME.txt``;
``--build`` makes those that are missing (it takes minutes and the network), without it they are left out and named.
The adapters in ``peers/run_NAME.py`` ask one question about each row, one call a row, with the same number of calls in
flight, and read the score from what the package returns: a run in which any score is not the one that the mock gave is
no result. Rounds alternate; CPU is user and system time of the client's process from the first measured row to the
last.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from client_overhead import rows_of
from mock_server import running

HERE = Path(__file__).parent / "peers"
ENVIRONMENTS = Path("out/peers")
RIGHT = {
    "genrm": "1.0",
    "prometheus-eval": "5",
    "autorubric": "1.0",
    "rubric": "1.0",
    "openevals": "True",
    "py-openjudge": "1.0",
}
"""Peers and the score that the mock's answer stands for in each."""
GOAL = 5.0
SLOWEST_S = 600.0


def python_of(name: str) -> Path:
    return Path(sys.executable) if name == "genrm" else ENVIRONMENTS / name / "bin" / "python"


def build(name: str) -> None:
    """An environment with the pinned versions and nothing else; none of them needs torch."""
    python = python_of(name)
    print(f"building {python.parent.parent}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(python.parent.parent)], check=True)
    pins = str(HERE / f"{name}.txt")
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--no-deps", "-r", pins], check=True)


def run(name: str, address: str, rows: Path, concurrency: int) -> dict[str, Any]:
    """What the adapter measured. Raises RuntimeError when it failed or misread the mock."""
    adapter = HERE / f"run_{name.replace('-', '_')}.py"
    command = [str(python_of(name).absolute()), str(adapter), address, str(rows), str(concurrency)]
    # Without it litellm looks for its price list in the network at every start.
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=SLOWEST_S)
    if done.returncode:
        raise RuntimeError((done.stderr.strip() or "no message").splitlines()[-1])
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    if found["scores"] != [RIGHT[name]]:
        raise RuntimeError(f"the mock's answer means {RIGHT[name]}, the scores were {found['scores']}")
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--build", action="store_true", help="make the environments that are missing")
    options.add_argument("--rows", type=int, default=500)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--concurrency", type=int, default=32)
    given = options.parse_args()
    reasons: dict[str, str] = {}
    for name in RIGHT:
        if not python_of(name).exists():
            if given.build:
                try:
                    build(name)
                    continue
                except subprocess.CalledProcessError as error:
                    reasons[name] = f"cannot be installed: {error}"
            else:
                reasons[name] = "not installed; run with --build"
    spent: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, running("--port", "0") as address:
        rows = Path(folder, "rows.json")
        rows.write_text(json.dumps(rows_of(given.rows)))
        for _ in range(given.rounds):
            for name in RIGHT:
                if name not in reasons:
                    try:
                        spent.setdefault(name, []).append(run(name, address, rows, given.concurrency)["cpu_us"])
                    except (RuntimeError, subprocess.TimeoutExpired) as error:
                        reasons[name] = f"did not run: {error}"
                        spent.pop(name, None)
    report(spent, reasons, given)


def report(spent: dict[str, list[float]], reasons: dict[str, str], given: argparse.Namespace) -> None:
    print(f"{given.rows} rows, {given.rounds} rounds, {given.concurrency} at a time; CPU per judgment, median (range)")
    middle = {name: statistics.median(found) for name, found in spent.items()}
    for name, found in sorted(spent.items(), key=lambda item: middle[item[0]]):
        ratio = f"{middle[name] / middle['genrm']:6.1f} x genrm" if "genrm" in middle else ""
        print(f"  {name:16} {middle[name]:8.0f} us ({min(found):.0f} to {max(found):.0f})  {ratio}")
    for name, reason in reasons.items():
        print(f"  {name:16} {reason}")
    others = [value for name, value in middle.items() if name != "genrm"]
    if others and "genrm" in middle:
        print(f"best peer / genrm: {min(others) / middle['genrm']:.1f}; goal: at least {GOAL:.0f}")


if __name__ == "__main__":
    main()
