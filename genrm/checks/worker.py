"""The other side of ``bounded``: ``python -m genrm.checks.worker MODULE`` reads jobs and writes results, one a line.

Standard input brings ``[seconds, payload]``; standard output gives ``{"result": …}`` or ``{"error": …}``, after one
line that says the module is loaded. End of input ends the process.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any

MEMORY_BYTES = 4 * 2**30


def main() -> None:
    """Serve the module named on the command line."""
    # What libraries print must not mix with the results.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _limit_memory()
    job = importlib.import_module(sys.argv[1])
    _write(out, {"result": None})
    for line in sys.stdin.buffer:
        seconds, payload = json.loads(line)
        _alarm(seconds + 5)
        try:
            answer = {"result": job.run(payload)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"[:500]}
        _alarm(0)
        _write(out, answer)


def _write(out: Any, answer: Any) -> None:
    out.write(json.dumps(answer).encode() + b"\n")
    out.flush()


def _alarm(seconds: float) -> None:
    """Should the parent be gone, nobody kills this process at the deadline: then the default alarm ends it."""
    import signal

    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


if __name__ == "__main__":
    main()
