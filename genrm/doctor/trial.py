"""A one-row judgment in a process of its own, with a time limit: whatever breaks there breaks nothing here.

    >>> run_trial("tiny", {}, timeout_s=120).reward                                          # doctest: +SKIP
    0.98

Run as a program (``python -m genrm.doctor.trial OUT``) it reads model and options as JSON from standard input and
writes what came of it to OUT; standard output belongs to the packages under test, some of which talk a lot.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

RUBRIC = "math-verify"
ROW = {"prompt": "What is 12 + 30?", "response": "12 + 30 = 42. The answer is 42.", "reference": "42"}
RIGHT = "yes"
"""What a sound judge says about the row. Another answer is no fault of the engine; it is shown."""

MESSAGE = 600
"""Characters of an error that are kept."""

_LOGIN = re.compile(r"(?<=://)[^\s/@]+@")


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of judging one row.

    Attributes:
        ok: there is a verdict.
        seconds: until then, with loading; None when it did not get that far.
        facts: what is known of the engine: (what, value); of servers what was probed.
        error: why there is none, with the fix where it is known.
    """

    model: str
    ok: bool
    seconds: float | None = None
    served: str | None = None
    label: str | None = None
    reward: float | None = None
    critique: str | None = None
    facts: tuple[tuple[str, str], ...] = ()
    error: str | None = None


def run_trial(model: str, options: Mapping[str, Any], *, timeout_s: float) -> Trial:
    """Judge one row by a model, in another process; never raises for what happens there."""
    shown = _LOGIN.sub("", model)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "trial.json"
        name = _recording(Path(folder)) if model == "replay" else model
        asked, log = Path(folder) / "asked.json", Path(folder) / "log"
        asked.write_text(json.dumps({"model": name, "options": dict(options), "timeout_s": timeout_s}))
        # Files, no pipes: a worker that outlives its parent would hold a pipe open.
        with asked.open("rb") as stdin, log.open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "genrm.doctor.trial", str(out)],
                stdin=stdin,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                limit = f"no verdict within {timeout_s:g} s; give it more with --timeout, or try a smaller model"
                return Trial(shown, False, error=limit)
            finally:
                _kill(process)
        if not out.is_file():
            last = "\n".join(log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:])
            return Trial(shown, False, error=_clean(f"the process died (exit code {process.returncode}): {last}"))
        found = json.loads(out.read_text(encoding="utf-8"))
    found["facts"] = tuple((what, value) for what, value in found["facts"])
    return Trial(**{**found, "model": shown})


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process with everything that it has started, also what has outlived it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _recording(folder: Path) -> str:
    """A recording of a judge that never was, made on the spot, so that ``replay:`` can be tried anywhere."""
    from genrm.compiler.compile import compile_sample
    from genrm.engines.base import Completion, SlotReading, Usage
    from genrm.engines.records import record_of
    from genrm.specs.load import load_rubric
    from genrm.specs.sample import Sample

    sample = Sample.from_row({"id": "0", **ROW}, default_id="0")
    lines = []
    for request in compile_sample(load_rubric(RUBRIC), sample):
        text = json.dumps({"critique": "12 + 30 is 42.", "label": RIGHT}, separators=(",", ":"))
        slots = {
            slot: SlotReading({label: float(label == RIGHT) for label in request.output.slots[slot]})
            for slot in request.output.slots
        }
        lines.append(json.dumps(record_of(request, 0, Completion(text, Usage(), slots))))
    path = folder / "recording.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return f"replay:{path}"


def _clean(text: str) -> str:
    """An error without the login of an address, and not too long."""
    text = _LOGIN.sub("", text.strip())
    return text if len(text) <= MESSAGE else text[: MESSAGE - 1] + "…"


def _judge(model: str, options: Mapping[str, Any], timeout_s: float) -> Trial:
    import genrm
    from genrm.errors import GenrmError

    began = time.monotonic()
    judge = genrm.Judge(RUBRIC, model, votes=1, timeout_s=timeout_s, engine_options=options)
    facts: tuple[tuple[str, str], ...] = ()
    served = None
    try:
        engine: Any = judge.engine()
        served, facts = engine.model, _facts(engine)
        judgment = judge.judge(**ROW)
    except GenrmError as error:
        return Trial(model, False, served=served, facts=facts, error=_clean(str(error)))
    seconds = round(time.monotonic() - began, 1)
    result = next(iter(judgment.criteria.values()), None)
    if judgment.reward is None or result is None:
        fault = judgment.error
        why = "there is no verdict" if fault is None else f"{fault.category}: {fault.message}"
        return Trial(model, False, seconds, served, facts=facts, error=_clean(why))
    return Trial(model, True, seconds, served, result.label, judgment.reward, result.critique, facts)


def _facts(engine: Any) -> tuple[tuple[str, str], ...]:
    """What an engine tells about itself: what it has probed, or what it declares."""
    probe = getattr(engine, "probe", None)
    if probe is not None and hasattr(probe, "rows"):
        return tuple((str(what), str(value)) for what, value in probe.rows())
    can = engine.capabilities
    context = f"{can.context_tokens:,} tokens" if can.context_tokens else "unknown"
    said = {True: "yes", False: "no"}
    return (("context", context), ("label probabilities", said[can.probabilities]), ("seeds", said[can.seeds]))


def main() -> None:
    """The program; see above."""
    out = Path(sys.argv[1])
    asked = json.load(sys.stdin)
    try:
        trial = _judge(asked["model"], asked["options"], asked["timeout_s"])
    except Exception as error:  # the boundary to packages that may be broken in any way
        trial = Trial(asked["model"], False, error=_clean(f"{type(error).__name__}: {error}"))
    fresh = out.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(trial)), encoding="utf-8")
    fresh.replace(out)
    # At once: what came of it is known, and an engine that hangs at its end is no matter of this.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
