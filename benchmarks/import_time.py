"""CPU time of `import genrm` and `genrm --help`, beside an empty interpreter.

python benchmarks/import_time.py
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys

CASES = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import genrm": [sys.executable, "-c", "import genrm"],
    "genrm --help": [sys.executable, "-m", "genrm", "--help"],
}
RUNS = 7


def cpu_seconds(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    for command in CASES.values():
        cpu_seconds(command)  # compile to bytecode first
    base = None
    for name, command in CASES.items():
        seconds = statistics.median(cpu_seconds(command) for _ in range(RUNS))
        base = base or seconds
        print(f"{name:16} {seconds:6.3f} s of CPU   {seconds / base:5.1f} x an empty interpreter   (median of {RUNS})")


if __name__ == "__main__":
    main()
