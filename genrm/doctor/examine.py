"""The examination: which engines can run here, what is missing, what will break, and what a judgment comes to.

>>> report = examine(models=[], try_engines=False)
>>> [engine.name for engine in report.engines]
['tiny', 'hf', 'vllm', 'http', 'litellm', 'replay']
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from genrm.doctor.machine import Machine, environment, machine
from genrm.doctor.packages import importable, torch_build, versions
from genrm.doctor.traps import Trap, traps
from genrm.doctor.trial import Trial, run_trial
from genrm.resources import tiny_dir

TIMEOUT_S = 180.0


@dataclass(frozen=True, slots=True)
class EngineState:
    """One kind of engine.

    Attributes:
        ready: everything that it needs is installed.
        note: what is missing, or what it runs.
        fix: the command that brings what is missing.
    """

    name: str
    form: str
    ready: bool
    note: str
    fix: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All that was found out."""

    machine: Machine
    packages: Mapping[str, str | None]
    torch: str | None
    environment: Mapping[str, str | None]
    engines: tuple[EngineState, ...]
    traps: tuple[Trap, ...]
    trials: tuple[Trial, ...]

    @property
    def ok(self) -> bool:
        """Whether everything that was tried works."""
        return all(trial.ok for trial in self.trials)

    def row(self) -> dict[str, Any]:
        """As one JSON object."""
        row = asdict(self)
        for trial in row["trials"]:
            trial["facts"] = dict(trial["facts"])
        return {"ok": self.ok, **row}


def examine(
    *,
    models: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    try_engines: bool = True,
    timeout_s: float = TIMEOUT_S,
    on_step: Callable[[str], None] = lambda _: None,
) -> Report:
    """Look at everything.

    Args:
        models: to be tried besides what can be tried without being named (``tiny`` and ``replay``).
        options: of the engines of these models.
        try_engines: judge one row by each; else only look.
        timeout_s: for each of these judgments.
        on_step: is told what is being tried.
    """
    here, variables = machine(), environment()
    engines = engine_states()
    ready = {engine.name for engine in engines if engine.ready}
    asked = [name for name in ("replay", "tiny") if name in ready and name not in models] + list(models)
    trials = []
    for model in asked if try_engines else ():
        on_step(model)
        trials.append(run_trial(model, options or {} if model in models else {}, timeout_s=timeout_s))
    return Report(here, versions(), torch_build(), variables, engines, tuple(traps(here, variables)), tuple(trials))


def engine_states() -> tuple[EngineState, ...]:
    """Every kind of engine, ready or not. Nothing is loaded."""
    missing = [name for name in ("torch", "transformers", "llguidance") if not importable(name)]
    local = f"{', '.join(missing)} missing" if missing else ""
    install = "pip install 'genrm[local]'" if missing else None
    weights = (tiny_dir() / "model.safetensors").is_file()
    tiny = local or ("the embedded demonstration judge" if weights else "its weights are not in this installation")
    return (
        EngineState("tiny", "tiny", not missing and weights, tiny, install or (None if weights else _REINSTALL)),
        EngineState("hf", "hf:PATH_OR_ID", not missing, local or "models of transformers, in this process", install),
        _vllm(),
        EngineState("http", "http://HOST:PORT/v1", importable("aiohttp"), "any OpenAI-compatible server"),
        _extra("litellm", "litellm:PROVIDER/MODEL", "litellm", "API models, by keys in the environment", "api"),
        EngineState("replay", "replay:FILE", True, "recorded outputs; no model is asked"),
    )


_REINSTALL = "pip install --force-reinstall --no-deps genrm"


def _extra(name: str, form: str, module: str, note: str, extra: str) -> EngineState:
    if importable(module):
        return EngineState(name, form, True, note)
    return EngineState(name, form, False, f"{module} missing", f"pip install 'genrm[{extra}]'")


def _vllm() -> EngineState:
    if not sys.platform.startswith("linux") and not importable("vllm"):
        return EngineState("vllm", "vllm:PATH_OR_ID", False, "vLLM runs on Linux only", "a server elsewhere: http://…")
    return _extra("vllm", "vllm:PATH_OR_ID", "vllm", "vLLM in this process", "vllm")
